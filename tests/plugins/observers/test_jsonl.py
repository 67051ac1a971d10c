"""The observer that writes every event as a line of JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import pvd
from pvd import testing
from pvd.errors import BadInput
from pvd.folder import read_lines
from pvd.records import Estimate, Ranking, RoundResult, Stage, Step
from pvd.watching import Watchers


def watch(folder: Path, said: list[str], **options: Any) -> Watchers:
    watchers = Watchers([pvd.load("observer", "jsonl", **options)], said.append)
    watchers.begin(folder)
    return watchers


VALIDATION = Estimate(61.5, 50.0, 70.0, "5 personas")


def rows(folder: Path) -> list[dict[str, Any]]:
    """The lines without their times."""
    found = read_lines(folder / "events.jsonl")
    times = [datetime.fromisoformat(row.pop("time")) for row in found]
    assert times == sorted(times)
    assert all(time.tzinfo is UTC for time in times)
    return found


def test_every_event_is_a_line(tmp_path: Path) -> None:
    said: list[str] = []
    watchers = watch(tmp_path, said)
    watchers.tell("on_ready", settings={"seed": 0}, rounds=[])
    watchers.tell("on_judgment", judgment=testing.judgment(Ranking(((1,), (0, 2))), 3))
    watchers.tell("on_step", step=Step(2, 7, 0.25, 100.0, 0.001, 3.5))
    stage = Stage("training", "round 2 of 6", "slates", 64, 64, "$1 spent", 2.5)
    watchers.tell("on_stage", stage=stage)
    watchers.tell("on_stage_end", stage=stage)
    watchers.tell("on_round", result=RoundResult(2, 9, 8, 7, 1, None, VALIDATION))
    watchers.tell("on_message", line="round 2: größer\u2028", needed=False)
    watchers.tell("on_report", metrics={"mpr": {"value": 80.5}})
    assert rows(tmp_path) == [
        {"event": "ready", "rounds": 0},
        {
            "event": "judgment",
            "persona": "persona-0",
            "items": ["item-0", "item-1", "item-2"],
            "tiers": [[1], [0, 2]],
        },
        {
            "event": "step",
            "round": 2,
            "step": 7,
            "loss": 0.25,
            "slates_per_second": 100.0,
            "learning_rate": 0.001,
            "gradient_norm": 3.5,
        },
        {
            "event": "stage",
            "name": "training",
            "where": "round 2 of 6",
            "unit": "slates",
            "total": 64,
            "done": 64,
            "status": "$1 spent",
            "seconds": 2.5,
            "found": 0,
        },
        {
            "event": "round",
            "round": 2,
            "slates": 9,
            "answered": 8,
            "fresh": 7,
            "replaced": 1,
            "loss": None,
            "value": 61.5,
            "low": 50.0,
            "high": 70.0,
        },
        {"event": "message", "line": "round 2: größer\u2028"},
        {"event": "report", "metrics": {"mpr": {"value": 80.5}}},
    ]
    assert said == []


def test_a_line_is_there_as_soon_as_it_happened(tmp_path: Path) -> None:
    watchers = watch(tmp_path, [])
    for number in range(3):
        watchers.tell("on_step", step=Step(1, number, 0.5, 1.0))
        assert len(read_lines(tmp_path / "events.jsonl")) == number + 1


def test_a_run_that_goes_on_appends(tmp_path: Path) -> None:
    for number in range(2):
        watch(tmp_path, []).tell("on_step", step=Step(1, number, 0.5, 1.0))
    assert [row["step"] for row in read_lines(tmp_path / "events.jsonl")] == [0, 1]


def test_a_step_that_is_taken_again_stands_there_once(tmp_path: Path) -> None:
    """A kill in round 2: training goes on from a bookmark that is older than the last line."""
    watchers = watch(tmp_path, [])
    for round, step in ((1, 0), (1, 1), (2, 0), (2, 1), (2, 2)):
        watchers.tell("on_step", step=Step(round, step, 0.5, 1.0))
        watchers.tell("on_message", line=f"after {round}, {step}", needed=False)
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"event": "step", "round": 2, "st')

    watchers = watch(tmp_path, [])
    for step in (1, 2, 3):
        watchers.tell("on_step", step=Step(2, step, 0.75, 1.0))
    found = rows(tmp_path)
    steps = [(r["round"], r["step"], r["loss"]) for r in found if r["event"] == "step"]
    first = [(1, 0, 0.5), (1, 1, 0.5), (2, 0, 0.5)]
    assert steps == [*first, (2, 1, 0.75), (2, 2, 0.75), (2, 3, 0.75)]
    lines = [row["line"] for row in found if row["event"] == "message"]
    assert lines == ["after 1, 0", "after 1, 1", "after 2, 0", "after 2, 1", "after 2, 2"]
    assert [path.name for path in tmp_path.iterdir()] == ["events.jsonl"]


def test_a_round_that_nobody_told_is_told_later(tmp_path: Path) -> None:
    results = [RoundResult(n, 9, 8, 7, 1, 0.5, VALIDATION) for n in range(4)]
    watchers = watch(tmp_path, [])
    watchers.tell("on_ready", settings={}, rounds=results[:2])  # it was named only now
    watchers.tell("on_round", result=results[2])
    watch(tmp_path, []).tell("on_ready", settings={}, rounds=results)  # a kill came after round 3
    assert [row["round"] for row in rows(tmp_path) if row["event"] == "round"] == [0, 1, 2, 3]


def test_the_file_may_have_another_name(tmp_path: Path) -> None:
    watch(tmp_path, [], file="log.ndjson").tell("on_step", step=Step(1, 0, 0.5, 1.0))
    assert [path.name for path in tmp_path.iterdir()] == ["log.ndjson"]


def test_a_place_that_cannot_be_written_switches_it_off_with_one_line(tmp_path: Path) -> None:
    said: list[str] = []
    watchers = watch(tmp_path, said, file="nowhere/log.jsonl")
    for number in range(3):
        watchers.tell("on_step", step=Step(1, number, 0.5, 1.0))
    (line,) = said
    named = f"The observer jsonl of pvd-distill {pvd.__version__}"
    assert line.startswith(f"{named} is switched off: FileNotFoundError: ")


def test_it_passes_its_contract() -> None:
    observer = pvd.load("observer", "jsonl")
    testing.assert_contract(observer)


@pytest.mark.parametrize("option", [{"path": "x"}, {"file": [1]}])
def test_wrong_options_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="observer"):
        pvd.load("observer", "jsonl", **option)

"""The observer that writes every event as a line of JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pvd
from pvd import testing
from pvd.errors import BadInput
from pvd.folder import read_lines
from pvd.records import Estimate, Ranking, RoundResult, Step
from pvd.watching import Watchers


def watch(folder: Path, said: list[str], **options: Any) -> Watchers:
    watchers = Watchers([pvd.load("observer", "jsonl", **options)], said.append)
    watchers.begin(folder)
    return watchers


def test_every_event_is_a_line(tmp_path: Path) -> None:
    said: list[str] = []
    watchers = watch(tmp_path, said)
    watchers.tell("on_judgment", judgment=testing.judgment(Ranking(((1,), (0, 2))), 3))
    watchers.tell("on_step", step=Step(2, 7, 0.25, 100.0))
    watchers.tell(
        "on_round",
        result=RoundResult(2, 9, 8, 8, 1, None, Estimate(61.5, 50.0, 70.0, "5 personas")),
    )
    watchers.tell("on_report", metrics={"mpr": {"value": 80.5}, "note": "größer\u2028"})
    assert read_lines(tmp_path / "events.jsonl") == [
        {
            "event": "judgment",
            "persona": "persona-0",
            "items": ["item-0", "item-1", "item-2"],
            "tiers": [[1], [0, 2]],
        },
        {"event": "step", "round": 2, "step": 7, "loss": 0.25},
        {"event": "round", "round": 2, "loss": None, "value": 61.5},
        {"event": "report", "metrics": {"mpr": {"value": 80.5}, "note": "größer\u2028"}},
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

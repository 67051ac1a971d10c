"""The closing table: in every window each number stands on one line."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from pvd import closing

PERFECT = {"value": 100.0, "low": 100.0, "high": 100.0}
GOOD = {"value": 81.8, "low": 75.0, "high": 87.7}
NUMBERS = ("mpr", "mpr_true", "hit@5", "hit@20")
METRICS: dict[str, Any] = {
    "exam": {
        "systems": {
            name: dict.fromkeys(NUMBERS, PERFECT if name == "oracle" else GOOD)
            for name in closing.SYSTEMS
        },
        "chance": {"mpr": 50.1, "mpr_true": 50.1, "hit@20": 5.4},
        "gains": {
            name: {"mpr": GOOD, "mpr_true": GOOD}
            for name in ("zero-shot", "persona-blind", "shuffled-persona")
        },
        "personas": 49,
        "items": 372,
    },
    "data": {"novelty": "recombined"},
    "seed": 0,
    "simulated": True,
    "best_round": 3,
}


def shown(capsys: pytest.CaptureFixture[str], metrics: dict[str, Any]) -> list[str]:
    closing.show(metrics, Path("runs/a/report.html"))
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("width", "numbers"), [(40, 1), (60, 2), (78, 2), (80, 3), (130, 3)])
def test_numbers_are_never_broken(
    width: int, numbers: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = shown(capsys, METRICS)
    (oracle,) = [line for line in lines if line.strip().startswith("oracle")]
    assert oracle.count("100.0 (100.0-100.0)") == numbers
    assert len(oracle.rstrip()) <= width
    (below,) = [line for line in lines if line.strip().startswith("chance")]
    assert re.split(r"\s{2,}", below.strip())[1:] == ["50.1", "50.1", "5.4"][:numbers]


def test_a_run_that_brought_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = copy.deepcopy(METRICS)
    assert "untrained" not in " ".join(shown(capsys, metrics))
    metrics["best_round"] = 0
    said = " ".join(shown(capsys, metrics))
    assert "No round was better on the validation personas" in said
    assert "result is the untrained student." in said


def test_gains_are_about_the_truth_where_it_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = copy.deepcopy(METRICS)
    assert any("student in true MPR, paired" in line for line in shown(capsys, metrics))
    for part in ("gains", "systems"):
        for numbers in metrics["exam"][part].values():
            del numbers["mpr_true"]
    assert any("student in MPR, paired" in line for line in shown(capsys, metrics))


@pytest.mark.parametrize("width", [60, 120])
def test_what_was_forgotten_is_two_lines(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    metrics = copy.deepcopy(METRICS)
    assert "Drift" not in " ".join(shown(capsys, metrics))  # a run of an older version
    asked = {
        "kind": "attribute values", "count": 40,
        "before": {"value": 71.2}, "after": {"value": 66.1},
        "change": {"value": -5.1, "low": -8.0, "high": -2.2},
    }  # fmt: skip
    metrics["forgetting"] = {"queries": asked, "drift": {"value": 0.2049}}
    lines = shown(capsys, metrics)
    start = lines.index("Plain attribute values find their items at percentile 66.1;")
    assert lines[start + 1] == "  before 71.2, change -5.1 (-8.0 to -2.2). Drift: 0.205."
    metrics["forgetting"]["queries"] = None
    lines = shown(capsys, metrics)
    assert "Drift: 0.205. Titles and attributes are too" in lines
    assert "few to tell what was forgotten." in lines


@pytest.mark.parametrize("silent", [0, 3])
def test_answers_without_a_preference_are_said(
    silent: int, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {"exam": {"judgments": 40, "silent": silent}}
    closing.show({**METRICS, "answers": answers}, Path("report.html"))
    said = " ".join(capsys.readouterr().out.split())
    line = "Without any preference: 3 of the judge's 40 answers; there the lot decided."
    assert (line in said) == bool(silent)

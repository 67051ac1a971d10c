"""The closing table: in every window each number stands on one line."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from pvd import closing
from pvd.metrics import SYSTEMS
from pvd.sentences import headline, otherwise

PERFECT = {"value": 100.0, "low": 100.0, "high": 100.0}
GOOD = {"value": 81.8, "low": 75.0, "high": 87.7}
NUMBERS = ("mpr", "mpr_true", "hit@5", "hit@20")
METRICS: dict[str, Any] = {
    "exam": {
        "systems": {
            name: dict.fromkeys(NUMBERS, PERFECT if name == "oracle" else GOOD)
            for name in SYSTEMS
            if name != "text"
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
    "rounds": [{}] * 6,
    "components": {"student": {"use": "tiny"}},
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


def measuring(*names: str) -> dict[str, Any]:
    """The same run with a plug-in's measures beside ours."""
    metrics = copy.deepcopy(METRICS)
    for numbers in metrics["exam"]["systems"].values():
        numbers.update({name: {"value": 14.0, "low": 8.77, "high": 19.2} for name in names})
    gain = {"value": 3.5, "low": -1.82, "high": 8.68}
    metrics["exam"]["gains"]["zero-shot"].update(dict.fromkeys(names, gain))
    return metrics


def test_a_measure_without_a_paired_gain_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = measuring("precision@5")
    del metrics["exam"]["gains"]["zero-shot"]["precision@5"]
    said = " ".join(" ".join(shown(capsys, metrics)).split())
    assert "precision@5 has no gain: it has not one value for each persona" in said


@pytest.mark.parametrize(("width", "tables"), [(40, 4), (60, 2), (80, 2), (100, 1), (140, 1)])
def test_what_a_plug_in_measures_is_left_out_in_no_window(
    width: int, tables: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = shown(capsys, measuring("precision@5"))
    rows = [line for line in lines if line.startswith("precision@5 ")]
    assert len(rows) == tables
    assert " ".join(rows).count("14.0 (8.8-19.2)") == 3, "before, after, and the oracle's"
    assert " ".join(rows).count("+3.5 (−1.8 to +8.7)") == 1
    heads = " ".join(line for line in lines if line.startswith("measure "))
    for head in ("zero-shot", "distilled", "gain", "oracle"):
        assert heads.count(head) == 1
    assert "chance" not in heads, "its plug-in does not say what the lot gets"
    assert max(len(line.rstrip()) for line in lines) <= width
    assert "precision@5" not in " ".join(shown(capsys, METRICS))


def test_many_measures_are_a_line_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    names = [f"label-{n}@10" for n in range(5)]
    before, lines = len(shown(capsys, METRICS)), shown(capsys, measuring(*names))
    assert len(lines) == before + 3 + len(names)


def test_what_is_no_mean_over_personas_has_no_gain(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = measuring("auc")
    del metrics["exam"]["gains"]["zero-shot"]["auc"]
    metrics["exam"]["chance"]["auc"] = 0.5
    (row, *more) = [line for line in shown(capsys, metrics) if line.startswith("auc ")]
    assert [*row.split(), *" ".join(more).split()].count("14.0") == 3
    assert "+" not in row
    assert any(line.rstrip().endswith(" 0.5") for line in (row, *more))


def test_a_measure_is_called_what_its_plug_in_calls_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(shown(capsys, measuring("[bold]x[/bold] :smile:")))
    assert "[bold]x[/bold] :smile:" in text


def test_a_gain_that_ends_below_luck_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = copy.deepcopy(METRICS)
    assert "luck" not in " ".join(shown(capsys, metrics))
    bad = {"value": 35.4, "low": 30.1, "high": 41.0}
    metrics["exam"]["systems"]["distilled"] = dict.fromkeys(NUMBERS, bad)
    assert "and is now worse than luck, 50.1." in " ".join(shown(capsys, metrics))


@pytest.mark.parametrize("width", range(30, 90, 7))
def test_no_interval_is_broken_between_two_lines(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    metrics = copy.deepcopy(METRICS)
    gain = {"value": -4.4, "low": -8.1, "high": 1.5}
    for found in metrics["exam"]["gains"].values():
        found["mpr_true"] = gain
    lines = shown(capsys, metrics)
    assert sum("−4.4 (−8.1 to +1.5)" in line for line in lines) == 3
    assert not any(re.search(r"-\d", line.replace("100.0-", "")) for line in lines[15:])


def test_the_terminal_has_the_reports_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = copy.deepcopy(METRICS)
    metrics["exam"]["gains"]["zero-shot"]["mpr_true"] = {"value": 1.0, "low": -0.5, "high": 2.5}
    metrics["exam"]["gains"]["zero-shot"]["mpr"] = {"value": 3.0, "low": 1.0, "high": 5.0}
    said = " ".join(shown(capsys, metrics))
    assert "Training the tiny student made no clear difference in true MPR" in headline(metrics)
    assert otherwise(metrics).startswith(
        "By other measures it is clearly better in MPR +3.0 (+1.0 to +5.0):"
    )
    assert f"{headline(metrics)} {otherwise(metrics)}" in said


def test_a_run_that_brought_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = copy.deepcopy(METRICS)
    assert "is that of round 3 of 5, the best in validation." in " ".join(shown(capsys, metrics))
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
def test_what_was_forgotten_is_said_with_what_drift_is(
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
    assert lines[start + 1] == "  before 71.2, change −5.1 (−8.0 to −2.2)."
    drift = "Drift: 0.205, how far an item's embedding moved (1 - cosine)."
    assert " ".join(lines[start + 2 :]).startswith(drift)
    metrics["forgetting"]["queries"] = None
    lines = shown(capsys, metrics)
    assert f"{drift} Titles and attributes are too few to tell" in " ".join(lines)


@pytest.mark.parametrize("silent", [0, 3])
def test_answers_without_a_preference_are_said(
    silent: int, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = {"exam": {"judgments": 40, "silent": silent}}
    closing.show({**METRICS, "answers": answers}, Path("report.html"))
    said = " ".join(capsys.readouterr().out.split())
    line = "Without any preference: 3 of the judge's 40 answers; there the lot decided."
    assert (line in said) == bool(silent)

"""The closing screen of a comparison: answers first, then the numbers, in any width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pvd.comparing import wording
from pvd.comparing.units import POINTS, judges, own, units
from pvd.comparing.verdicts import tag
from pvd.printing import Cells, by_row, say, shorter

SCREEN = 26  # lines of a table of many measures; what is longer is read on the page


def show(findings: Mapping[str, Any], report: Path) -> None:
    """Print what the comparison found to stdout."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    console.print()
    for answer in wording.answers(findings):
        say(console, answer.headline, style="bold")
        for line in (*answer.rest, answer.cost):
            say(console, line)
        console.print()
    views = judges(findings)
    measured = own(findings)
    shown = _differences(findings, "comparisons", views)
    by = [f"by {judge}" for judge in views]  # an arm may be called like its judge
    shorter(console, "difference", "judged", by, shown)
    whole = not measured or by_row(console, "measure", *_by_plug_ins(findings), most=SCREEN)
    if not whole:
        by_row(console, "measure", *_by_plug_ins(findings, gains=False))
    for line in wording.at_equal(findings):
        say(console, line)
        console.print()
    scores = _scores(findings)
    heads = [*by, "answers", "dollars"]
    if all(run["dollars"] == 0 for run in findings["cost"]["runs"]):
        heads.pop()
    shorter(console, "runs", "", heads, scores)
    whole &= not measured or by_row(console, "measure", *_scores_by_plug_ins(findings), most=SCREEN)
    if not whole:
        say(console, "All that the arms got and gained by these measures is in the report.")
        console.print()
    for line in wording.substitution(findings):
        say(console, line)
    if findings["substitution"]:
        console.print()
    last = (wording.scope(findings), wording.how_sure(findings), *wording.silent(findings))
    for line in filter(None, (*last, wording.spent(findings), wording.made_up(findings))):
        say(console, line)
    console.print(f"Report: {report}", soft_wrap=True)


def _by_plug_ins(findings: Mapping[str, Any], gains: bool = True) -> tuple[list[str], list[Cells]]:
    """Verdicts, and gains, by what the evaluators of others measure, a row a measure."""
    levels = [(f["path"], level) for f in findings["factors"] for level in f["labels"] if gains]
    heads = [f"{b}\n- {a}" for _, a, b in _pairs(findings)]
    heads += [f"{level}\n- untrained" for _, level in levels]
    rows, written = [], units(findings)
    for label in own(findings):
        unit = written[label]
        found = [row for row in findings["comparisons"] if row["view"] == label]
        cells = [f"{unit.change(row['difference'])}\n{tag(row)}" for row in found]
        gained = (findings["gains"][path][level][label] for path, level in levels)
        rows.append((label, [*cells, *(unit.change(gain) for gain in gained)]))
    return heads, rows


def _scores_by_plug_ins(findings: Mapping[str, Any]) -> tuple[list[str], list[Cells]]:
    """What the arms got in these measures; what other controls got is in the report."""
    heads = [*(arm["label"] for arm in findings["arms"]), "untrained", "chance"]
    rows, written, chance = [], units(findings), findings["chance"]
    for label in own(findings):
        unit = written[label]
        scores = [arm["score"][label] for arm in findings["arms"]]
        scores.append(findings["rows"][label].get("zero-shot"))
        lot = unit.number(chance[unit.metric]) if unit.metric in chance else ""
        rows.append((label, [*(unit.interval(score) for score in scores), lot]))
    return heads, rows


def _pairs(findings: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = findings["comparisons"]
    return list(dict.fromkeys((row["factor"], row["a"], row["b"]) for row in rows))


def _differences(findings: Mapping[str, Any], key: str, views: Sequence[str]) -> list[Cells]:
    rows: dict[tuple[str, str, str], list[str]] = {}
    for row in findings[key]:
        if row["view"] not in views:
            continue
        cell = f"{POINTS.change(row['difference'])}\n{tag(row)}"
        rows.setdefault((row["factor"], row["a"], row["b"]), []).append(cell)
    return [(f"{b}\n- {a}", cells) for (_, a, b), cells in rows.items()]


def _scores(findings: Mapping[str, Any]) -> list[Cells]:
    views = judges(findings)
    rows: list[Cells] = []
    for arm, run in zip(findings["arms"], findings["cost"]["runs"], strict=True):
        dollars = "?" if run["dollars"] is None else f"{run['dollars']:,.2f}"
        scores = [POINTS.interval(arm["score"][view]) for view in views]
        rows.append((arm["label"], [*scores, f"{run['answers']:,.0f}", dollars]))
    for system in findings["rows"][views[0]]:
        found = [POINTS.interval(findings["rows"][view].get(system)) for view in views]
        rows.append((system, [*found, "", ""]))
    return rows

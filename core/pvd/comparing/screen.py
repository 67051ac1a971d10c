"""The closing screen of a comparison: answers first, then the numbers, in any width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvd.closing import fitting, interval, say
from pvd.comparing import measures, wording
from pvd.comparing.wording import between, signed, tag

if TYPE_CHECKING:
    from rich.console import Console

Cells = tuple[str, list[str]]  # a row's name, and what stands in it


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
    views = [view["label"] for view in findings["views"]]
    _table(console, "difference", views, _differences(findings, "comparisons"))
    for line in wording.at_equal(findings):
        say(console, line)
        console.print()
    scores = _scores(findings)
    heads = [*views, "answers", "dollars"]
    if all(run["dollars"] == 0 for run in findings["cost"]["runs"]):
        heads.pop()
    _table(console, "runs", heads, scores)
    _own(console, findings)
    for line in wording.substitution(findings):
        say(console, line)
    if findings["substitution"]:
        console.print()
    last = (wording.scope(findings), wording.how_sure(findings), *wording.silent(findings))
    for line in filter(None, (*last, wording.spent(findings), wording.made_up(findings))):
        say(console, line)
    console.print(f"Report: {report}", soft_wrap=True)


def _own(console: Console, findings: Mapping[str, Any]) -> None:
    """What the evaluators of others measured; our own other numbers are in the report."""
    groups = measures.measured(findings)
    shown = [one for group in groups for one in group if one.is_own]
    if not shown:
        return
    heads = [one.label if len(groups) == 1 else f"{one.label}, {one.judge}" for one in shown]
    names = dict.fromkeys(name for one in shown for name in one.scores)
    scores = [(name, [one.score(name) for one in shown]) for name in names]
    lot = findings["chance"]
    if any(one.metric in lot for one in shown):
        by_lot = [one.number(lot[one.metric]) if one.metric in lot else "" for one in shown]
        scores.append(("chance", by_lot))
    pairs = [
        (f"{pair[2]}\n- {pair[1]}", [one.difference(pair) for one in shown])
        for pair in shown[0].differences
    ]
    _table(console, "runs", heads, scores)
    _table(console, "difference", heads, pairs)
    labels = list(dict.fromkeys(one.label for one in shown))
    say(console, f"No verdicts on {wording.listed(labels)}: each interval stands for itself.")
    console.print()


def _differences(findings: Mapping[str, Any], key: str) -> list[Cells]:
    rows: dict[tuple[str, str, str], list[str]] = {}
    for row in findings[key]:
        cell = f"{signed(row['difference']['value'])} ({between(row['difference'])})\n{tag(row)}"
        rows.setdefault((row["factor"], row["a"], row["b"]), []).append(cell)
    return [(f"{b}\n- {a}", cells) for (_, a, b), cells in rows.items()]


def _scores(findings: Mapping[str, Any]) -> list[Cells]:
    views = [view["label"] for view in findings["views"]]
    rows: list[Cells] = []
    for arm, run in zip(findings["arms"], findings["cost"]["runs"], strict=True):
        dollars = "?" if run["dollars"] is None else f"{run['dollars']:,.2f}"
        scores = [interval(arm["score"][view]) for view in views]
        rows.append((arm["label"], [*scores, f"{run['answers']:,.0f}", dollars]))
    for system in findings["rows"][views[0]]:
        found = [interval(findings["rows"][view].get(system)) for view in views]
        rows.append((system, [*found, "", ""]))
    return rows


def _table(console: Console, first: str, heads: Sequence[str], rows: Sequence[Cells]) -> None:
    """A table; where it is too wide its columns come in several, each with the rows' names."""
    from rich import box
    from rich.table import Table

    def width(*cells: str) -> int:
        return max(len(line) for cell in cells for line in cell.split("\n"))

    names = min(width(first, *(name for name, _ in rows)), max(console.width // 3, 12))
    widths = [width(head, *(cells[n] for _, cells in rows)) for n, head in enumerate(heads)]
    for part in fitting(names, widths, console.width):
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
        table.add_column(first, max_width=names)
        for n in part:
            table.add_column(heads[n], justify="right")
        for name, cells in rows:
            table.add_row(name, *(cells[n] for n in part))
        console.print(table)
        console.print()

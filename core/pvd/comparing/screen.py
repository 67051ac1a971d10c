"""The closing screen of a comparison: answers first, then the numbers, in any width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvd.closing import interval
from pvd.comparing import wording
from pvd.comparing.wording import between, signed, tag

if TYPE_CHECKING:
    from rich.console import Console

Cells = tuple[str, list[str]]  # a row's name, and what stands in it
GAP = 2  # columns between two numbers


def show(findings: Mapping[str, Any], report: Path) -> None:
    """Print what the comparison found to stdout."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print()
    for answer in wording.answers(findings):
        console.print(answer.headline, style="bold", markup=False)
        for line in (*answer.rest, answer.cost):
            console.print(line, markup=False)
        console.print()
    views = [view["label"] for view in findings["views"]]
    _table(console, "difference", views, _differences(findings, "comparisons"))
    for line in wording.at_equal(findings):
        console.print(f"{line}\n", markup=False)
    scores = _scores(findings)
    heads = [*views, "answers", "dollars"]
    if all(run["dollars"] == 0 for run in findings["cost"]["runs"]):
        heads.pop()
    _table(console, "runs", heads, scores)
    for line in wording.substitution(findings):
        console.print(line, markup=False)
    if findings["substitution"]:
        console.print()
    last = (wording.scope(findings), wording.how_sure(findings), *wording.silent(findings))
    for line in filter(None, (*last, wording.spent(findings), wording.made_up(findings))):
        console.print(line, markup=False)
    console.print(f"Report: {report}", soft_wrap=True, markup=False)


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
    start = 0
    while start < len(heads):
        stop = start + 1
        while stop < len(heads) and names + sum(w + GAP for w in widths[start : stop + 1]) <= (
            console.width
        ):
            stop += 1
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
        table.add_column(first, max_width=names)
        for head in heads[start:stop]:
            table.add_column(head, justify="right")
        for name, cells in rows:
            table.add_row(name, *cells[start:stop])
        console.print(table)
        console.print()
        start = stop

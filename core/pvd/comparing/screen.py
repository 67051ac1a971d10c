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
    scores = _scores(findings)
    heads = [*views, "answers", "dollars"]
    if all(run["dollars"] == 0 for run in findings["cost"]["runs"]):
        heads.pop()
    _table(console, "runs", heads, scores)
    for line in wording.substitution(findings):
        console.print(line, markup=False)
    if findings["substitution"]:
        console.print()
    for line in (wording.scope(findings), wording.how_sure(findings), wording.spent(findings)):
        console.print(line, markup=False)
    if findings["simulated"]:
        console.print("These preferences are simulated: a made-up teacher, not people or a model.")
    console.print(f"Report: {report}", soft_wrap=True, markup=False)


def _differences(findings: Mapping[str, Any], key: str) -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {}
    for row in findings[key]:
        cell = f"{signed(row['difference']['value'])} ({between(row['difference'])})\n{tag(row)}"
        rows.setdefault(f"{row['b']}\n- {row['a']}", []).append(cell)
    return rows


def _scores(findings: Mapping[str, Any]) -> dict[str, list[str]]:
    views = [view["label"] for view in findings["views"]]
    rows = {
        arm["label"]: [
            *(interval(arm["score"][view]) for view in views),
            f"{run['answers']:,.0f}",
            "?" if run["dollars"] is None else f"{run['dollars']:,.2f}",
        ]
        for arm, run in zip(findings["arms"], findings["cost"]["runs"], strict=True)
    }
    for system in findings["rows"][views[0]]:
        found = [findings["rows"][view].get(system) for view in views]
        rows[system] = [*(interval(estimate) for estimate in found), "", ""]
    return rows


def _table(
    console: Console, first: str, heads: Sequence[str], rows: Mapping[str, Sequence[str]]
) -> None:
    """A table; where it is too wide its columns come in several, each with the rows' names."""
    from rich import box
    from rich.table import Table

    def width(*cells: str) -> int:
        return max(len(line) for cell in cells for line in cell.split("\n"))

    names = min(width(first, *rows), max(console.width // 3, 12))
    widths = [width(head, *(row[n] for row in rows.values())) for n, head in enumerate(heads)]
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
        for name, cells in rows.items():
            table.add_row(name, *cells[start:stop])
        console.print(table)
        console.print()
        start = stop

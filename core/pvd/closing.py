"""The closing table on the terminal: every system, with N, chance and intervals, in 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHOWN = ("mpr", "mpr_true", "hit@20", "hit@5")  # the first three that there are
FULL_WIDTH = 76  # columns that three metrics take
TITLES = {"mpr": "MPR", "mpr_true": "true MPR"}  # of the judge's winner, of the truly best
SYSTEMS = {
    "random": "random",
    "zero-shot": "zero-shot",
    "persona-blind": "persona-blind",
    "shuffled-persona": "shuffled persona",
    "distilled": "distilled",
    "oracle": "oracle",
}


def show(metrics: Mapping[str, Any], report: Path) -> None:
    """Print what the run found to stdout."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=False)
    exam, data = metrics["exam"], metrics["data"]
    there = [name for name in SHOWN if name in exam["systems"]["distilled"]]
    shown = there[: 3 if console.width >= FULL_WIDTH else 2]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("system", no_wrap=True)
    for name in shown:
        table.add_column(TITLES.get(name, name), justify="right")
    for system, numbers in exam["systems"].items():
        cells = [interval(numbers[name]) if name in numbers else "" for name in shown]
        bold = "bold" if system == "distilled" else ""
        table.add_row(SYSTEMS.get(system, system), *cells, style=bold)
    table.add_row(
        "chance",
        *(f"{exam['chance'][n]:.1f}" if n in exam["chance"] else "" for n in shown),
        style="dim",
    )
    console.print(table)
    for control, found in exam["gains"].items():
        name = "mpr_true" if "mpr_true" in found else "mpr"
        gain = found[name]
        console.print(
            f"distilled - {SYSTEMS[control]:<17} {gain['value']:+6.1f}"
            f"  ({gain['low']:+.1f} to {gain['high']:+.1f})  {TITLES[name]}"
        )
    console.print(
        f"\nN = {exam['personas']} held-out personas ({data['novelty']}) x {exam['items']} "
        f"held-out items, seed {metrics['seed']}.\nPercentages; 95 % intervals over personas, "
        "given this one trained student."
    )
    if metrics["simulated"]:
        console.print("These preferences are simulated: a made-up teacher, not people or a model.")
    console.print(f"Report: {report}", soft_wrap=True)


def interval(estimate: Mapping[str, float]) -> str:
    """`71.2 (66.0-76.1)`."""
    return f"{estimate['value']:.1f} ({estimate['low']:.1f}-{estimate['high']:.1f})"

"""The closing table on the terminal: every system, with N, chance and intervals, in 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pvd.report import measure

SHOWN = ("mpr", "mpr_true", "hit@20", "hit@5")  # the first three that there are, if they fit
GAP = 2  # columns between two numbers
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
    there = [name for name in SHOWN if name in exam["systems"]["distilled"]][:3]
    rows = {
        SYSTEMS.get(system, system): [interval(numbers.get(name)) for name in there]
        for system, numbers in exam["systems"].items()
    }
    rows["chance"] = [f"{exam['chance'][n]:.1f}" if n in exam["chance"] else "" for n in there]
    widths = [
        max(map(len, rows)),
        *(max(map(len, column)) for column in zip(*rows.values(), strict=True)),
    ]
    shown = len(there)
    while shown > 1 and sum(widths[: shown + 1]) + GAP * shown > console.width:
        shown -= 1
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.add_column("system", no_wrap=True)
    for name in there[:shown]:
        table.add_column(TITLES.get(name, name), justify="right")
    looks = {"distilled": "bold", "chance": "dim"}
    for system, cells in rows.items():
        table.add_row(system, *cells[:shown], style=looks.get(system, ""))
    console.print()
    console.print(table)
    console.print()
    if metrics["best_round"] == 0:
        console.print(
            "No round was better on the validation personas than the student before training, so "
            "the result is the untrained student.\n"
        )
    name = measure(exam)
    console.print(f"Gain of the distilled student in {TITLES[name]}, paired over the personas:")
    for control, found in exam["gains"].items():
        gain = found[name]
        console.print(
            f"  over {SYSTEMS[control]:<16} {gain['value']:+6.1f}"
            f" ({gain['low']:+.1f} to {gain['high']:+.1f})"
        )
    if metrics.get("forgetting"):  # not in runs of older versions
        console.print("\n".join(forgotten(metrics["forgetting"])))
    console.print(
        f"\nN = {exam['personas']} held-out personas ({data['novelty']}) x {exam['items']} "
        f"held-out items, seed {metrics['seed']}.\nPercentages; 95 % intervals over personas, "
        "given this one trained student."
    )
    asked = metrics.get("answers", {}).get("exam", {})
    if asked.get("silent"):  # not in runs of older versions
        console.print(
            f"Without any preference: {asked['silent']} of the judge's {asked['judgments']} "
            "answers; there the lot decided."
        )
    if metrics["simulated"]:
        console.print("These preferences are simulated: a made-up teacher, not people or a model.")
    console.print(f"Report: {report}", soft_wrap=True)


def interval(estimate: Mapping[str, float] | None) -> str:
    """`71.2 (66.0-76.1)`, or nothing."""
    if estimate is None:
        return ""
    return f"{estimate['value']:.1f} ({estimate['low']:.1f}-{estimate['high']:.1f})"


def forgotten(guard: Mapping[str, Any]) -> list[str]:
    """What the forgetting guard found."""
    drift = f"Drift: {guard['drift']['value']:.3f}."
    asked = guard["queries"]
    if asked is None:
        return [f"{drift} Titles and attributes are too", "few to tell what was forgotten."]
    change = asked["change"]
    return [
        f"Plain {asked['kind']} find their items at percentile {asked['after']['value']:.1f};",
        f"  before {asked['before']['value']:.1f}, change {change['value']:+.1f} "
        f"({change['low']:+.1f} to {change['high']:+.1f}). {drift}",
    ]

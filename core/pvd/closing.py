"""The closing table on the terminal: every system, with N, chance and intervals, in 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pvd.metrics import (
    change,
    decimals,
    interval,
    is_own,
    measure,
    metric_label,
    number,
    signed,
    system_label,
)
from pvd.printing import Cells, fitting, say, table
from pvd.sentences import headline, missing, otherwise

SHOWN = ("mpr", "mpr_true", "hit@20", "hit@5")  # the first three that there are, if they fit


def show(metrics: Mapping[str, Any], report: Path) -> None:
    """Print what the run found to stdout."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False, markup=False, emoji=False)
    exam, data = metrics["exam"], metrics["data"]
    ours, own = columns(exam["systems"])
    rows = cells(exam, ours)
    widths = [
        max(len(metric_label(name)), *(len(row[name]) for row in rows.values())) for name in ours
    ]
    ours = [ours[n] for n in next(fitting(max(map(len, rows)), widths, console.width))]
    heads = [metric_label(name) for name in ours]
    console.print()
    table(console, "system", heads, [(s, [row[n] for n in ours]) for s, row in rows.items()])
    if own:  # what a plug-in measures is left out in no window
        table(console, "measure", *measured(exam, own))
        for text in missing(exam):
            say(console, text)
    say(console, chosen(metrics))
    for text in filter(None, (headline(metrics), otherwise(metrics))):
        say(console, text)
    console.print()
    name = measure(exam)
    say(
        console, f"Gain of the distilled student in {metric_label(name)}, paired over the personas:"
    )
    for control, found in exam["gains"].items():
        value, low, high = (signed(found[name][end], name) for end in ("value", "low", "high"))
        say(console, f"  over {system_label(control):<16} {value:>6} ({low} to {high})")
    if metrics.get("forgetting"):  # not in runs of older versions
        for line in forgotten(metrics["forgetting"]):
            say(console, line)
    console.print()
    say(
        console,
        f"N = {exam['personas']} held-out personas ({data['novelty']}) x {exam['items']} "
        f"held-out items, seed {metrics['seed']}.",
    )
    percent = "MPR and hit@k are percentages" if own else "Percentages"
    say(console, f"{percent}; 95 % intervals over personas, given this one trained student.")
    asked = metrics.get("answers", {}).get("exam", {})
    if asked.get("silent"):  # not in runs of older versions
        say(
            console,
            f"Without any preference: {asked['silent']} of the judge's {asked['judgments']} "
            "answers; there the lot decided.",
        )
    if metrics["simulated"]:
        made_up = "These preferences are simulated: a made-up teacher, not people or a model."
        say(console, made_up)
    console.print(f"Report: {report}", soft_wrap=True)


def chosen(metrics: Mapping[str, Any]) -> str:
    """Which round's student sat the exam."""
    best, rounds = metrics["best_round"], len(metrics["rounds"]) - 1
    if best == 0:
        return (
            "No round was better on the validation personas than the student before training, so "
            "the result is the untrained student."
        )
    return f"The distilled student is that of round {best} of {rounds}, the best in validation."


def measured(exam: Mapping[str, Any], own: Sequence[str]) -> tuple[list[str], list[Cells]]:
    """What plug-ins measured, a row a measure: before and after training, the paired gain, and what
    may be had at most and by luck. The other controls are in the report."""
    systems, gains, chance = exam["systems"], exam["gains"]["zero-shot"], exam["chance"]
    places, rows = decimals(systems.values()), []
    for name in own:
        before, after, best = (
            interval(systems.get(system, {}).get(name), name, places)
            for system in ("zero-shot", "distilled", "oracle")
        )
        gain = change(gains[name], name, places) if name in gains else ""
        lot = number(chance[name], name, places) if name in chance else ""
        rows.append((name, [before, after, gain, best, lot]))
    return ["zero-shot", "distilled", "gain", "oracle", "chance"], rows


def columns(systems: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """The names of the numbers that are shown: our own, and those of others' plug-ins."""
    ours = [name for name in SHOWN if name in systems["distilled"]][:3]
    everything = dict.fromkeys(name for row in systems.values() for name in row)
    return ours, [name for name in everything if is_own(name)]


def cells(exam: Mapping[str, Any], names: Sequence[str]) -> dict[str, dict[str, str]]:
    """What stands in the table, by system and name; the last row is what the lot gets."""
    places = decimals(exam["systems"].values())
    rows = {
        system_label(system): {name: interval(numbers.get(name), name, places) for name in names}
        for system, numbers in exam["systems"].items()
    }
    chance = exam["chance"]
    lot = {name: number(chance[name], name, places) if name in chance else "" for name in names}
    return {**rows, "chance": lot}


def forgotten(guard: Mapping[str, Any]) -> list[str]:
    """What the forgetting guard found."""
    moved = number(guard["drift"]["value"], "drift")
    drift = f"Drift: {moved}, how far an item's embedding moved (1 - cosine)."
    asked = guard["queries"]
    if asked is None:
        return [drift, "Titles and attributes are too few to tell what was forgotten."]
    after, before = (asked[when]["value"] for when in ("after", "before"))
    return [
        f"Plain {asked['kind']} find their items at percentile {number(after, 'mpr')};",
        f"  before {number(before, 'mpr')}, change {change(asked['change'], 'mpr')}.",
        drift,
    ]

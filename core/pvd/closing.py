"""The closing table on the terminal: every system, with N, chance and intervals, in 80 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvd.report import MINUS, decimals, is_own, luck, measure, number

if TYPE_CHECKING:
    from rich.console import Console

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
LOOKS = {"distilled": "bold", "chance": "dim"}
BETWEEN = re.compile(
    r"\S+(?: points?)? \([+\u2212\d][^()]* to [^()]*\)"
)  # a number and its interval
JOINED = "\N{NO-BREAK SPACE}"


def show(metrics: Mapping[str, Any], report: Path) -> None:
    """Print what the run found to stdout."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=False, markup=False, emoji=False)
    exam, data = metrics["exam"], metrics["data"]
    ours, own = columns(exam["systems"])
    rows = cells(exam, [*ours, *own])
    first = max(map(len, rows))
    widths = {
        name: max(len(TITLES.get(name, name)), *(len(row[name]) for row in rows.values()))
        for name in (*ours, *own)
    }
    shown = next(fitting(first, [widths[name] for name in ours], console.width))
    ours = ours[: len(shown)]
    together = [*ours, *own]  # what a plug-in measures is left out in no window
    console.print()
    for part in fitting(first, [widths[name] for name in together], console.width):
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
        table.add_column("system", no_wrap=True)
        for n in part:
            table.add_column(TITLES.get(together[n], together[n]), justify="right")
        for system, row in rows.items():
            table.add_row(system, *(row[together[n]] for n in part), style=LOOKS.get(system, ""))
        console.print(table)
        console.print()
    if metrics["best_round"] == 0:
        say(
            console,
            "No round was better on the validation personas than the student before training, so "
            "the result is the untrained student.",
        )
        console.print()
    name = measure(exam)
    say(console, f"Gain of the distilled student in {TITLES[name]}, paired over the personas:")
    for control, found in exam["gains"].items():
        value, low, high = (signed(found[name][end]) for end in ("value", "low", "high"))
        say(console, f"  over {SYSTEMS[control]:<16} {value:>6} ({low} to {high})")
    if short := luck(exam):
        say(console, f"The distilled student {short}.")
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


def say(console: Console, text: str, style: str = "") -> None:
    """A paragraph that breaks its lines in no interval: `+4.1 (+1.5 to +6.7)` stays together."""
    joined = BETWEEN.sub(lambda found: found[0].replace(" ", JOINED), text)
    # Rich breaks at no-break spaces as well.
    for line in textwrap.wrap(joined, console.width, break_on_hyphens=False):
        console.print(line.replace(JOINED, " "), style=style)


def columns(systems: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """The names of the numbers that are shown: our own, and those of others' plug-ins."""
    ours = [name for name in SHOWN if name in systems["distilled"]][:3]
    everything = dict.fromkeys(name for row in systems.values() for name in row)
    return ours, [name for name in everything if is_own(name)]


def cells(exam: Mapping[str, Any], names: Sequence[str]) -> dict[str, dict[str, str]]:
    """What stands in the table, by system and name; the last row is what the lot gets."""
    places = decimals(exam["systems"].values())
    rows = {
        SYSTEMS.get(system, system): {
            name: interval(numbers.get(name), places.get(name, 1)) for name in names
        }
        for system, numbers in exam["systems"].items()
    }
    chance = exam["chance"]
    lot = {name: number(chance[name], name, places) if name in chance else "" for name in names}
    return {**rows, "chance": lot}


def fitting(first: int, widths: Sequence[int], room: int) -> Iterator[range]:
    """Which columns stand side by side, in tables one below another: each begins with the column
    of names, `first` wide, and holds as many more as have room, one at least."""
    start = 0
    while start < len(widths):
        stop = start + 1
        while stop < len(widths) and (
            first + sum(width + GAP for width in widths[start : stop + 1]) <= room
        ):
            stop += 1
        yield range(start, stop)
        start = stop


def interval(estimate: Mapping[str, float] | None, digits: int = 1) -> str:
    """`71.2 (66.0-76.1)`, or nothing; `to` between the ends where one is negative."""
    if estimate is None:
        return ""
    value, low, high = (
        f"{estimate[end]:z.{digits}f}".replace("-", MINUS) for end in ("value", "low", "high")
    )
    return f"{value} ({low}{' to ' if MINUS in low else '-'}{high})"


def signed(value: float) -> str:
    """A difference in points with its sign."""
    return f"{value:+z.1f}".replace("-", MINUS)


def forgotten(guard: Mapping[str, Any]) -> list[str]:
    """What the forgetting guard found."""
    drift = f"Drift: {guard['drift']['value']:.3f}."
    asked = guard["queries"]
    if asked is None:
        return [f"{drift} Titles and attributes are too", "few to tell what was forgotten."]
    change = asked["change"]
    return [
        f"Plain {asked['kind']} find their items at percentile {asked['after']['value']:.1f};",
        f"  before {asked['before']['value']:.1f}, change {signed(change['value'])} "
        f"({signed(change['low'])} to {signed(change['high'])}). {drift}",
    ]

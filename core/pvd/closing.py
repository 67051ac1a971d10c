"""The closing table on the terminal: every system, with N, chance and intervals, in 80 columns."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvd.report import MINUS, decimals, headline, is_own, measure, number, otherwise

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

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
    r"\S+(?: points?)? \([+\u2212\d][^()]* to [^()]*\)|[+\u2212][\d.,]+ to [+\u2212][\d.,]+|\d %"
)  # a number and its interval, or its sign
PROSE = 100  # columns of a paragraph at most: longer lines are hard to read
Cells = tuple[str, list[str]]  # a row's name, and what stands in it
JOINED = "\N{NO-BREAK SPACE}"


def show(metrics: Mapping[str, Any], report: Path) -> None:
    """Print what the run found to stdout."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False, markup=False, emoji=False)
    exam, data = metrics["exam"], metrics["data"]
    ours, own = columns(exam["systems"])
    rows = cells(exam, ours)
    widths = [
        max(len(TITLES.get(name, name)), *(len(row[name]) for row in rows.values()))
        for name in ours
    ]
    ours = [ours[n] for n in next(fitting(max(map(len, rows)), widths, console.width))]
    heads = [TITLES.get(name, name) for name in ours]
    console.print()
    table(console, "system", heads, [(s, [row[n] for n in ours]) for s, row in rows.items()])
    if own:  # what a plug-in measures is left out in no window
        table(console, "measure", *measured(exam, own))
    say(console, chosen(metrics))
    for text in filter(None, (headline(metrics), otherwise(metrics))):
        say(console, text)
    console.print()
    name = measure(exam)
    say(console, f"Gain of the distilled student in {TITLES[name]}, paired over the personas:")
    for control, found in exam["gains"].items():
        value, low, high = (signed(found[name][end]) for end in ("value", "low", "high"))
        say(console, f"  over {SYSTEMS[control]:<16} {value:>6} ({low} to {high})")
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


def say(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """A paragraph that breaks its lines in no interval: `+4.1 (+1.5 to +6.7)` stays together."""
    joined = BETWEEN.sub(lambda found: found[0].replace(" ", JOINED), text)
    # Rich breaks at no-break spaces as well.
    width = min(console.width, PROSE) - indent
    for line in textwrap.wrap(joined, width, break_on_hyphens=False):
        console.print(" " * indent + line.replace(JOINED, " "), style=style)


def table(console: Console, first: str, heads: Sequence[str], rows: Sequence[Cells]) -> None:
    """A table; where it is too wide its columns come in several, each with the rows' names. Columns
    without a cell are left out, and so are rows that have none in one of the several."""
    from rich import box
    from rich.table import Table

    def width(*cells: str) -> int:
        return max(len(line) for cell in cells for line in cell.split("\n"))

    some = [n for n, _ in enumerate(heads) if any(cells[n] for _, cells in rows)]
    names = min(width(first, *(name for name, _ in rows)), max(console.width // 3, 16))
    # A head breaks between words where its numbers are narrower.
    widths = [width(*heads[n].split(), *(cells[n] for _, cells in rows)) for n in some]
    for part in fitting(names, widths, console.width):
        shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
        shown.add_column(first, max_width=names)
        for n in part:
            shown.add_column(heads[some[n]], justify="right", max_width=widths[n])
        for name, cells in rows:
            if any(beside := [cells[some[n]] for n in part]):
                shown.add_row(name, *beside, style=LOOKS.get(name, ""))
        unpadded(console, shown)
        console.print()


def unpadded(console: Console, shown: RenderableType) -> None:
    """Print without the blanks that fill each line up."""
    from rich.segment import Segment, Segments

    for line in console.render_lines(shown, pad=False):
        text = list(line)
        while text and not text[-1].text.strip():
            text.pop()
        if text:
            text[-1] = Segment(text[-1].text.rstrip(), text[-1].style)
        console.print(Segments([*text, Segment.line()]), end="")


def shorter(
    console: Console, first: str, across: str, heads: Sequence[str], rows: Sequence[Cells]
) -> None:
    """A table, or the same with rows for columns, whose names are `across`, where that is
    shorter."""
    turned = [(head, [cells[n] for _, cells in rows]) for n, head in enumerate(heads)]
    names = [name for name, _ in rows]
    printed = []
    for given in ((first, heads, rows), (across, names, turned)):
        with console.capture() as capture:
            table(console, *given)
        printed.append(capture.get())
    console.file.write(min(printed, key=lambda text: text.count("\n")))


def measured(exam: Mapping[str, Any], own: Sequence[str]) -> tuple[list[str], list[Cells]]:
    """What plug-ins measured, a row a measure: before and after training, the paired gain, and what
    may be had at most and by luck. The other controls are in the report."""
    systems, gains, chance = exam["systems"], exam["gains"]["zero-shot"], exam["chance"]
    places, rows = decimals(systems.values()), []
    for name in own:
        before, after, best = (
            interval(systems.get(system, {}).get(name), places[name])
            for system in ("zero-shot", "distilled", "oracle")
        )
        gain = change(gains[name], places[name]) if name in gains else ""
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


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign, in points if nothing else is said."""
    return f"{value:+z.{digits}f}".replace("-", MINUS)


def change(estimate: Mapping[str, float], digits: int = 1) -> str:
    """`+4.1 (+1.5 to +6.7)`."""
    value, low, high = (signed(estimate[end], digits) for end in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def forgotten(guard: Mapping[str, Any]) -> list[str]:
    """What the forgetting guard found."""
    drift = f"Drift: {guard['drift']['value']:.3f}, how far an item's embedding moved (1 - cosine)."
    asked = guard["queries"]
    if asked is None:
        return [drift, "Titles and attributes are too few to tell what was forgotten."]
    change = asked["change"]
    return [
        f"Plain {asked['kind']} find their items at percentile {asked['after']['value']:.1f};",
        f"  before {asked['before']['value']:.1f}, change {signed(change['value'])} "
        f"({signed(change['low'])} to {signed(change['high'])}).",
        drift,
    ]

"""Paragraphs and tables on the terminal, in any width: no number is broken, none is left out."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from pvd.prose import JOINED

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

GAP = 2  # columns between two numbers
SLIM = 12  # columns that names have at least beside their numbers
RULE = "\N{BOX DRAWINGS LIGHT HORIZONTAL}"
LOOKS = {"distilled": "bold", "chance": "dim"}
BETWEEN = re.compile(
    r"\S+(?: points?)? \([+\u2212\d][^()]* to [^()]*\)|[+\u2212][\d.,]+ to [+\u2212][\d.,]+|\d %"
)  # a number and its interval, or its sign
PROSE = 100  # columns of a paragraph at most: longer lines are hard to read
Cells = tuple[str, list[str]]  # a row's name, and what stands in it


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
    _shortest(
        console,
        lambda: table(console, first, heads, rows),
        lambda: table(console, across, names, turned),
    )


def by_row(
    console: Console,
    first: str,
    heads: Sequence[str],
    rows: Sequence[Cells],
    most: float = math.inf,
) -> bool:
    """A table; where it comes in several, each row's cells stand below one another if that is
    shorter. False, and nothing is printed, if it takes more than so many lines."""
    return _shortest(
        console,
        lambda: table(console, first, heads, rows),
        lambda: _below(console, first, heads, rows),
        most=most,
    )


def _shortest(console: Console, *ways: Callable[[], None], most: float = math.inf) -> bool:
    printed = []
    for way in ways:
        with console.capture() as capture:
            way()
        printed.append(capture.get())
    shown = min(printed, key=lambda text: text.count("\n"))
    fits = shown.count("\n") <= most
    console.file.write(shown * fits)
    return fits


def _below(console: Console, first: str, heads: Sequence[str], rows: Sequence[Cells]) -> None:
    """Each row's name, and below it a line for each column that has a cell: what the column is, and
    the lines of the cell beside one another."""
    indent = " " * GAP
    labels = [head.replace("\n", " ") for head in heads]
    found = [cell.split("\n") for _, cells in rows for cell in cells]
    number = max(len(lines[0]) for lines in found)
    wide = max(len(indent.join(["x" * number, *lines[1:]])) for lines in found)
    names = min(max(map(len, labels)), console.width - wide - 2 * GAP)
    if names < min(SLIM, max(map(len, labels))):
        table(console, first, heads, rows)
        return

    def write(line: str, style: str = "") -> None:
        console.print(line, style=style, soft_wrap=True)

    write(first)
    write(RULE * min(GAP + names + GAP + wide, console.width))
    for name, cells in rows:
        for line in textwrap.wrap(name, console.width):
            write(line, LOOKS.get(name, ""))
        for label, cell in zip(labels, cells, strict=True):
            if cell:
                value, *rest = cell.split("\n")
                *above, last = textwrap.wrap(label, names) or [""]
                for line in above:
                    write(indent + line)
                write(indent.join(["", last.ljust(names), value.rjust(number), *rest]))
    console.print()


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

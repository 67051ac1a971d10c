"""Paragraphs and tables on the terminal, in any width: no number is broken, none is left out."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from pvd.prose import JOINED

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

GAP = 2  # columns between two numbers
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

    def width(*cells: str) -> int:
        return max(len(line) for cell in cells for line in cell.split("\n"))

    some = [n for n, _ in enumerate(heads) if any(cells[n] for _, cells in rows)]
    names = min(width(first, *(name for name, _ in rows)), max(console.width // 3, 16))
    # A head breaks between words where its numbers are narrower.
    widths = [width(*heads[n].split(), *(cells[n] for _, cells in rows)) for n in some]
    for part in fitting(names, widths, console.width):
        shown = _empty_table(first, names)
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


def by_row(console: Console, first: str, heads: Sequence[str], rows: Sequence[Cells]) -> None:
    """A table; where it comes in several, each row's cells stand below one another if that is
    shorter."""
    _shortest(
        console,
        lambda: table(console, first, heads, rows),
        lambda: _below(console, first, heads, rows),
    )


def _shortest(console: Console, *ways: Callable[[], None]) -> None:
    printed = []
    for way in ways:
        with console.capture() as capture:
            way()
        printed.append(capture.get())
    console.file.write(min(printed, key=lambda text: text.count("\n")))


def _below(console: Console, first: str, heads: Sequence[str], rows: Sequence[Cells]) -> None:
    """Each row's name, and below it a line for each column that has a cell: what the column is, and
    the lines of the cell beside one another."""
    lines = [
        (cells[n].split("\n"), head.replace("\n", " "))
        for _, cells in rows
        for n, head in enumerate(heads)
    ]
    parts = max(len(cell) for cell, _ in lines)
    widths = [max(len(cell[n]) for cell, _ in lines if n < len(cell)) for n in range(parts)]
    shown = _empty_table(first, max(console.width - sum(widths) - GAP * parts, 1))
    for n, width in enumerate(widths):
        shown.add_column("", justify="right" if n == 0 else "left", min_width=width, no_wrap=True)
    for number, (name, _) in enumerate(rows):
        shown.add_row(name, style=LOOKS.get(name, ""))
        for cell, head in lines[number * len(heads) : (number + 1) * len(heads)]:
            if any(cell):
                shown.add_row(f"  {head}", *cell)
    unpadded(console, shown)
    console.print()


def _empty_table(first: str, width: int) -> Table:
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    shown.add_column(first, max_width=width)
    return shown


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

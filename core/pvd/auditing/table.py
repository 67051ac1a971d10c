"""An audit on the terminal: figures down, teachers across, as many as fit beside one another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pvd.auditing.wording import in_words, rows
from pvd.printing import say, unpadded

TITLE, CELL, GAP = 21, 21, 2  # columns of the figures' names, of a cell, between them


def show(found: Mapping[str, Any], report: Path) -> None:
    """Print what the audit found to stdout."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False, markup=False, emoji=False)
    cards, design = found["teachers"], found["design"]
    figures = rows(found)
    each = max((console.width - TITLE) // (CELL + GAP), 1)
    for start in range(0, len(cards), each):
        some = cards[start : start + each]
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
        table.add_column("", no_wrap=True)
        for card in some:
            table.add_column(Text(card["label"]), justify="right", min_width=CELL, max_width=30)
        for row in figures:
            cells = row.cells[start : start + each]
            table.add_row(row.title, *(Text(str(cell)) for cell in cells))
        console.print()
        unpadded(console, table)
    console.print()
    for card in cards:
        say(console, card["verdict"])
        console.print()
    if found["between"]:
        say(console, "Teachers among each other, in different orders of the same slates:")
    for pair in found["between"]:
        say(console, pair["verdict"], indent=2)
        same = f"Same best item in {in_words(pair['top'])}"
        if pair["top_ceiling"]:
            same += f"; with their noise and ties at most {in_words(pair['top_ceiling'])}"
        say(console, f"{same}.", indent=2)
        console.print()
    say(
        console,
        f"{design['slates']} slates of {design['size']} items x {design['orders']} orders, "
        f"{design['personas']} personas of the training part, seed {found['seed']}. "
        "95 % intervals, clustered by persona.",
    )
    if found["simulated"]:
        who = [card["label"] for card in cards if card["simulated"]]
        say(
            console,
            "These preferences are simulated: a made-up teacher, not people or a model."
            if len(who) == len(cards)
            else f"The preferences of {', '.join(who)} are made up by a program.",
        )
    console.print(Text(f"Report: {report}"), soft_wrap=True)

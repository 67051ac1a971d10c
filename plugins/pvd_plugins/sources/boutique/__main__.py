"""`python -m pvd_plugins.sources.boutique OUT.png` draws a sheet of the shop's first products."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from PIL import Image, ImageDraw, ImageFont

import pvd

from . import Boutique
from .drawing import SIDE

GAP, LABEL = 14, 26


def contact_sheet(items: Sequence[pvd.Item], columns: int) -> Image.Image:
    """The items in rows, each with its title below."""
    rows = -(-len(items) // columns)
    width, height = SIDE + GAP, SIDE + LABEL + GAP
    sheet = Image.new("RGB", (columns * width + GAP, rows * height + GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    for k, item in enumerate(items):
        left, top = GAP + k % columns * width, GAP + k // columns * height
        sheet.paste(item.open(), (left, top))
        words = fill(item.title or item.id, 22)
        place = (left + SIDE / 2, top + SIDE + 3)
        pen.multiline_text(place, words, (60, 56, 60), font, anchor="ma", align="center", spacing=1)
    return sheet


def main() -> None:
    """Read the command line and write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m pvd_plugins.sources.boutique")
    parser.add_argument("out", type=Path, help="the picture to write, for instance boutique.png")
    parser.add_argument("--count", type=int, default=48, help="how many products (48)")
    parser.add_argument("--columns", type=int, default=8, help="how many in a row (8)")
    parser.add_argument("--seed", type=int, default=0, help="another seed is another shop (0)")
    asked = parser.parse_args()
    catalog = Boutique(size=asked.count, seed=asked.seed).catalog()
    contact_sheet(catalog, asked.columns).save(asked.out)
    print(f"{asked.count} products in {asked.out}")


if __name__ == "__main__":
    main()

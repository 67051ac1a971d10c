"""`python -m pvd_plugins.sources.boutique FOLDER` writes the shop as files; with OUT.png it draws a
sheet of its first products.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from PIL import Image, ImageDraw, ImageFont

import pvd

from . import Boutique, files
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
    """Read the command line and write the files or the sheet."""
    parser = argparse.ArgumentParser(prog="python -m pvd_plugins.sources.boutique")
    parser.add_argument(
        "out", type=Path, help="a folder for shop.csv, people.jsonl and pictures; or a sheet.png"
    )
    parser.add_argument("--count", type=int, help="how many products (a sheet 48, a shop 400)")
    parser.add_argument("--people", type=int, default=120, help="how many personas (120)")
    parser.add_argument("--columns", type=int, default=8, help="how many in a row of a sheet (8)")
    parser.add_argument("--seed", type=int, default=0, help="another seed is another shop (0)")
    asked = parser.parse_args()
    sheet = asked.out.suffix == ".png"
    shop = Boutique(
        size=asked.count or (48 if sheet else 400), people=asked.people, seed=asked.seed
    )
    catalog = shop.catalog()
    if sheet:
        contact_sheet(catalog, asked.columns).save(asked.out)
        print(f"{len(catalog)} products in {asked.out}")
    else:
        people = shop.personas()
        files.write(asked.out, catalog, people)
        print(f"{len(catalog)} products and {len(people)} personas in {asked.out}")


if __name__ == "__main__":
    main()

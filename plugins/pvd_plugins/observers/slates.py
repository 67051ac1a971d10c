"""A slate as a picture: the items from left to right as the teacher ranked them."""

from __future__ import annotations

import textwrap
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pvd
from pvd import kit

if TYPE_CHECKING:
    import numpy

SIDE, GAP, LINE, FONT = 88, 6, 18, 14  # pixels
WIDTH = 60  # letters of a line above five items


def picture(judgment: pvd.Judgment) -> numpy.ndarray[Any, Any]:
    """[H, W, 3], bytes: for whom, and below each item its place; tied items share one, and what the
    teacher did not place stands at the end."""
    import matplotlib
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    items, ranks = judgment.slate.items, judgment.ranking.ranks(len(judgment.slate.items))
    order = sorted(range(len(items)), key=lambda n: (ranks[n] is None, ranks[n] or 0))
    wide = len(items) * (SIDE + GAP) + GAP
    lines = textwrap.wrap(judgment.slate.persona.text, WIDTH * len(items) // 5)[:3]
    top = GAP + LINE * len(lines) + GAP
    sheet = Image.new("RGB", (wide, top + SIDE + LINE + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    # Of the base install, and knows more alphabets than Pillow's own.
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", FONT)
    draw.multiline_text((GAP, GAP), "\n".join(lines), "black", font, spacing=LINE - FONT)
    for column, position in enumerate(order):
        left = GAP + column * (SIDE + GAP)
        # The picture may be gone or damaged since it was asked about: its place stays empty.
        with suppress(OSError, kit.BadInput):
            image = items[position].open()
            image.thumbnail((SIDE, SIDE))
            sheet.paste(image, (left + (SIDE - image.width) // 2, top + (SIDE - image.height) // 2))
        rank = ranks[position]
        place = "not placed" if rank is None else str(rank + 1)
        draw.text((left + SIDE // 2, top + SIDE + 2), place, "black", font, anchor="ma")
    return np.asarray(sheet)

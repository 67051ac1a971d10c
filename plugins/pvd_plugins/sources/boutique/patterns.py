"""The paints of one product, and the cloth that its main parts are cut from."""

import math
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from .vocabulary import COLOURS, RGB, Look

CREAM: RGB = (250, 245, 232)
INK: RGB = (38, 30, 36)
LEAF: RGB = (86, 140, 74)
WOOD: tuple[RGB, ...] = ((178, 128, 82), (206, 164, 116), (120, 78, 50))
BRASS: RGB = (206, 166, 84)
STEEL: RGB = (168, 172, 178)


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """The colour at this share of the way from a to b."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def brightness(colour: RGB) -> float:
    """How light a colour looks, from 0 to 255."""
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


@dataclass(frozen=True)
class Paint:
    """The colours of one product: its own, the pattern's, and what lines are drawn in."""

    base: RGB
    accent: RGB
    ink: RGB
    seam: RGB
    deep: RGB
    pale: RGB

    @property
    def is_white(self) -> bool:
        """Whether cream details would drown on it."""
        return min(self.base) > 215


def mix_paint(look: Look, rng: Random) -> Paint:
    """The shade of the look, slightly off as in real batches, with an accent that stays second."""
    dye, shade = rng.randint(-6, 6), COLOURS[look.colour].shades[look.tone]
    red, green, blue = (max(0, min(255, value + dye + rng.randint(-3, 3))) for value in shade)
    base: RGB = (red, green, blue)
    light = brightness(base)
    strong = [c.shades[tone] for c in COLOURS.values() for tone in c.shades if tone != "light"]
    if look.colour == "white":
        accent = rng.choice(strong)
    elif light > 150:
        accent = rng.choice((mix(base, INK, 0.5), CREAM, mix(base, (170, 40, 60), 0.5)))
        accent = accent if abs(brightness(accent) - light) > 45 else mix(base, INK, 0.45)
    else:
        accent = rng.choice((CREAM, CREAM, mix(base, CREAM, 0.75), (242, 206, 110)))
    return Paint(
        base=base,
        accent=accent,
        ink=mix(base, INK, 0.58 if look.colour == "white" else 0.66),
        seam=mix(base, INK, 0.34) if light > 75 else mix(base, CREAM, 0.3),
        deep=mix(base, INK, 0.28),
        pale=mix(base, (255, 255, 255), 0.4),
    )


def weave(look: Look, paint: Paint, rng: Random, side: int) -> Image.Image:
    """A square of the product's cloth, with the pattern at a size of its own."""
    if look.pattern == "plain":
        return Image.new("RGBA", (side, side), (*paint.base, 255))
    draw = {
        "striped": _stripes,
        "dotted": _dots,
        "checked": _checks,
        "floral": _flowers,
        "zigzag": _zigzag,
    }[look.pattern]
    return _repeat(draw(paint, rng, side), side)


def _stripes(paint: Paint, rng: Random, side: int) -> Image.Image:
    period = round(side * rng.uniform(0.075, 0.13))
    width = round(period * rng.uniform(0.28, 0.44))
    upright = rng.random() < 0.4
    tile, pen = _tile(period, period, paint)
    pen.rectangle((0, 0, width, period) if upright else (0, 0, period, width), fill=paint.accent)
    if rng.random() < 0.3:  # a fine line between the broad ones
        at = (period + width) // 2
        pen.rectangle((at, 0, at + 2, period) if upright else (0, at, period, at + 2), paint.deep)
    return tile


def _dots(paint: Paint, rng: Random, side: int) -> Image.Image:
    period = round(side * rng.uniform(0.11, 0.18)) // 2 * 2
    radius = period * rng.uniform(0.17, 0.24)
    tile, pen = _tile(period, period, paint)
    for x, y in ((0, 0), (period, 0), (0, period), (period, period), (period / 2, period / 2)):
        _disc(pen, x, y, radius, paint.accent)
    return tile


def _checks(paint: Paint, rng: Random, side: int) -> Image.Image:
    period = round(side * rng.uniform(0.1, 0.17)) // 2 * 2
    broad = round(period * rng.uniform(0.34, 0.46))
    tile, pen = _tile(period, period, paint)
    between = mix(paint.base, paint.accent, 0.5)
    pen.rectangle((0, 0, period, broad - 1), fill=between)
    pen.rectangle((0, 0, broad - 1, period), fill=between)
    pen.rectangle((0, 0, broad - 1, broad - 1), fill=paint.accent)
    if rng.random() < 0.5:  # a tartan's fine over-check
        at = (broad + period) // 2
        pen.line((at, 0, at, period), fill=paint.deep, width=2)
        pen.line((0, at, period, at), fill=paint.deep, width=2)
    return tile


def _flowers(paint: Paint, rng: Random, side: int) -> Image.Image:
    period = round(side * rng.uniform(0.2, 0.27)) // 2 * 2
    tile, pen = _tile(period, period, paint)
    leaf = mix(LEAF, paint.base, 0.2) if brightness(paint.base) > 70 else mix(LEAF, CREAM, 0.3)
    size, petals = period * rng.uniform(0.21, 0.26), rng.choice((5, 5, 6))
    for x, y, scale in ((0.27, 0.28, 1.0), (0.77, 0.76, 0.8)):
        _flower(pen, x * period, y * period, size * scale, petals, paint.accent, leaf)
    for x, y in ((0.78, 0.22), (0.24, 0.8)):  # a bud in each gap
        _disc(pen, x * period, y * period, period * 0.05, mix(paint.accent, paint.base, 0.25))
    return tile


def _flower(
    pen: ImageDraw.ImageDraw, x: float, y: float, size: float, petals: int, petal: RGB, leaf: RGB
) -> None:
    for side in (-1, 1):
        tip, low = (
            (x + side * size * 1.25, y + size * 0.55),
            (x + side * size * 0.8, y + size * 1.15),
        )
        pen.polygon([(x, y + size * 0.5), tip, low], fill=leaf)
    for k in range(petals):
        angle = 2 * math.pi * k / petals - math.pi / 2
        across, down = size * 0.56 * math.cos(angle), size * 0.56 * math.sin(angle)
        _disc(pen, x + across, y + down, size * 0.42, petal)
    _disc(pen, x, y, size * 0.3, (232, 160, 48))


def _disc(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: RGB) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _zigzag(paint: Paint, rng: Random, side: int) -> Image.Image:
    width = round(side * rng.uniform(0.1, 0.15)) // 2 * 2
    height = round(width * rng.uniform(0.85, 1.1))
    band, half = round(height * rng.uniform(0.3, 0.42)), width / 2
    rise = height * 0.55
    tile, pen = _tile(width, height, paint)
    for top in (-height, 0, height):  # neighbours reach into the tile
        pen.polygon(
            [
                (0, top + rise),
                (half, top),
                (width, top + rise),
                (width, top + rise + band),
                (half, top + band),
                (0, top + rise + band),
            ],
            fill=paint.accent,
        )
    return tile


def _tile(width: int, height: int, paint: Paint) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    tile = Image.new("RGBA", (width, height), (*paint.base, 255))
    return tile, ImageDraw.Draw(tile)


def _repeat(tile: Image.Image, side: int) -> Image.Image:
    """Cover the square by doubling, which takes far fewer pastes than tile by tile."""
    sheet = Image.new("RGBA", (side, side))
    sheet.paste(tile, (0, 0))
    width, height = tile.size
    while width < side:
        sheet.paste(sheet.crop((0, 0, width, height)), (width, 0))
        width *= 2
    while height < side:
        sheet.paste(sheet.crop((0, 0, side, height)), (0, height))
        height *= 2
    return sheet

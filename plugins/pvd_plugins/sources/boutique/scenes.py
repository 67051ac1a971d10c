"""Where a product is shown: papers, boards, tables and rooms, and the shadow it casts there."""

from functools import cache
from random import Random
from typing import Literal

from PIL import Image, ImageDraw, ImageFilter

from .patterns import INK, WOOD, mix
from .vocabulary import RGB

SIDE = 224  # twice the final size, so that edges are smooth after halving
Place = Literal["flat", "wall", "stand"]

_TINTS: tuple[RGB, ...] = (
    (244, 239, 230),
    (238, 231, 216),
    (228, 233, 236),
    (222, 230, 224),
    (240, 226, 220),
    (232, 226, 238),
    (216, 226, 236),
    (244, 236, 206),
    (226, 218, 206),
    (206, 214, 210),
    (208, 200, 196),
    (188, 198, 206),
)
_SHADOW: RGB = (52, 44, 52)


def scene(place: Place, rng: Random) -> tuple[Image.Image, bool]:
    """A background, and whether products stand on it rather than lie or hang."""
    tint = rng.choice(_TINTS)
    if place == "flat":
        kind = rng.choice(("paper", "paper", "boards", "cloth"))
    elif place == "wall":
        kind = rng.choice(("paper", "wall", "wall", "boards"))
    else:
        kind = rng.choice(("paper", "table", "table", "room", "room"))
    sheet = Image.new("RGB", (SIDE, SIDE), tint)
    pen = ImageDraw.Draw(sheet)
    if kind == "boards":
        _boards(pen, rng)
    elif kind == "cloth":
        _linen(pen, tint)
    elif kind == "wall":
        _wall(pen, tint, rng)
    elif kind == "table":
        _table(pen, rng)
    elif kind == "room":
        _room(pen, tint, rng)
    sheet.paste(mix(tint, INK, 0.7), (0, 0), _vignette())
    return sheet, kind in ("table", "room")


def cast(
    sheet: Image.Image, shape: Image.Image, at: tuple[int, int], standing: bool, rng: Random
) -> None:
    """Darken the sheet where the product, whose alpha channel is `shape`, keeps the light away."""
    # A blurred shadow needs no detail: a quarter of the resolution is as good and far faster.
    left, top, width, height = (round(v / 4) for v in (*at, *shape.size))
    shadow = Image.new("L", (SIDE // 4, SIDE // 4))
    if standing:
        bottom, thick = top + height, max(2, width // 9)
        ImageDraw.Draw(shadow).ellipse(
            (left - 1, bottom - thick, left + width + 3, bottom + thick - 1), fill=190
        )
    else:
        dark = shape.resize((width, height), Image.Resampling.BILINEAR)
        shadow.paste(dark, (left + rng.choice((1, 2)), top + rng.choice((1, 2, 2))))
    soft = shadow.filter(ImageFilter.GaussianBlur(1.6)).point([v * 45 // 100 for v in range(256)])
    sheet.paste(_SHADOW, (0, 0), soft.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _boards(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    wood = mix(rng.choice(WOOD), (240, 232, 222), rng.uniform(0.35, 0.75))
    width = rng.randint(38, 60)
    for k, x in enumerate(range(-rng.randint(0, 30), SIDE, width)):
        shade = mix(wood, (110, 84, 60), 0.05 + 0.06 * (k % 3))
        pen.rectangle((x, 0, x + width, SIDE), fill=shade)
        for _ in range(5):
            at, top = x + rng.randint(4, width - 4), rng.randint(-40, SIDE)
            pen.line((at, top, at + rng.randint(-3, 3), top + 70), mix(shade, INK, 0.09), 2)
        pen.line((x, 0, x, SIDE), fill=mix(shade, INK, 0.35), width=2)


def _linen(pen: ImageDraw.ImageDraw, tint: RGB) -> None:
    for k in range(0, SIDE, 6):
        pen.line((k, 0, k, SIDE), fill=mix(tint, INK, 0.05), width=2)
        pen.line((0, k, SIDE, k), fill=mix(tint, (255, 255, 255), 0.3), width=1)


def _wall(pen: ImageDraw.ImageDraw, tint: RGB, rng: Random) -> None:
    if rng.random() < 0.5:
        for x in range(rng.randint(0, 20), SIDE, 28):
            pen.line((x, 0, x, SIDE), fill=mix(tint, INK, 0.08), width=2)
    low = SIDE - rng.randint(12, 26)
    floor = mix(rng.choice(WOOD), (236, 226, 214), 0.3)
    pen.rectangle((0, low, SIDE, SIDE), fill=floor)
    pen.rectangle((0, low - 7, SIDE, low), fill=mix(tint, (255, 255, 255), 0.6))
    pen.line((0, low, SIDE, low), fill=mix(floor, INK, 0.4), width=2)


def _table(pen: ImageDraw.ImageDraw, rng: Random) -> None:
    wood = mix(rng.choice(WOOD), (240, 230, 220), rng.uniform(0.1, 0.6))
    top = round(SIDE * rng.uniform(0.66, 0.74))
    pen.rectangle((0, top, SIDE, SIDE), fill=wood)
    for _ in range(9):
        y, x = rng.randint(top + 4, SIDE), rng.randint(-40, SIDE)
        pen.line((x, y, x + rng.randint(40, 110), y), fill=mix(wood, INK, 0.12), width=2)
    pen.line((0, top, SIDE, top), fill=mix(wood, (255, 255, 255), 0.4), width=3)


def _room(pen: ImageDraw.ImageDraw, tint: RGB, rng: Random) -> None:
    top = round(SIDE * rng.uniform(0.66, 0.76))
    floor = mix(rng.choice(WOOD), (228, 220, 212), rng.uniform(0.2, 0.7))
    pen.rectangle((0, top, SIDE, SIDE), fill=floor)
    centre = SIDE // 2
    for k in range(-5, 6):  # boards that run towards the wall
        pen.line((centre + k * 22, top, centre + k * 44, SIDE), fill=mix(floor, INK, 0.14), width=2)
    pen.rectangle((0, top - 9, SIDE, top), fill=mix(tint, (255, 255, 255), 0.55))
    pen.line((0, top, SIDE, top), fill=mix(floor, INK, 0.4), width=2)
    pen.line((0, top - 10, SIDE, top - 10), fill=mix(tint, INK, 0.16), width=2)
    if rng.random() < 0.3:
        x = rng.choice((16, 160))
        pen.rectangle((x, 14, x + 46, 66), fill=mix(tint, (255, 255, 255), 0.7))
        pen.rectangle((x, 14, x + 46, 66), outline=mix(tint, INK, 0.3), width=3)


@cache
def _vignette() -> Image.Image:
    """Slightly darker corners, as in a photograph."""
    return (
        Image.radial_gradient("L")
        .resize((SIDE, SIDE))
        .point([max(0, v - 110) // 5 for v in range(256)])
    )

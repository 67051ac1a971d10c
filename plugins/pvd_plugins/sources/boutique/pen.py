"""The pen that shapes are drawn with: filled parts, lines, shade and shine on one clear layer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from random import Random
from typing import Literal

from PIL import Image, ImageChops, ImageDraw

from .paths import Point, oval
from .patterns import Paint, mix, weave
from .vocabulary import RGB, Look

SIDE = 300  # pixels of the layer: enough for smooth edges once it is scaled down to 112
UNIT = SIDE / 100
Shade = Literal["side", "round", "under", "none"]

# How dark each shade is, from left to right or, for "under", from top to bottom.
_RAMPS: dict[Shade, tuple[int, ...]] = {
    "side": (0, 0, 0, 0, 8, 30, 62),
    "round": (46, 12, 0, 0, 0, 14, 44, 92),
    "under": (0, 0, 0, 6, 30, 70),
}


class Pen:
    """Draws in units of a hundredth of the layer; a shape takes all its chances from `rng`."""

    def __init__(self, look: Look, paint: Paint, rng: Random) -> None:
        self.paint = paint
        self.rng = rng
        self.has_feet = False  # set by a shape that stands where others of its kind hang
        self.layer = Image.new("RGBA", (SIDE, SIDE))
        self._draw = ImageDraw.Draw(self.layer)
        self._cloths = {0: weave(look, paint, rng, SIDE)}
        self._x, self._y, self._scale = 0.0, 0.0, 1.0

    def either(self, *choices: str) -> str:
        """One of the variations of a shape."""
        return self.rng.choice(choices)

    def between(self, low: float, high: float) -> float:
        """A measure of this product, somewhere between the two."""
        return self.rng.uniform(low, high)

    def chance(self, share: float) -> bool:
        """Whether this product has a detail that this share of its kind has."""
        return self.rng.random() < share

    @contextmanager
    def shifted(self, x: float, y: float, scale: float = 1.0) -> Iterator[None]:
        """Draw what follows elsewhere, as for the second boot of a pair."""
        before = self._x, self._y, self._scale
        self._x, self._y, self._scale = x, y, scale
        yield
        self._x, self._y, self._scale = before

    def body(
        self, outline: Sequence[Point], *, turn: int = 0, shade: Shade = "side", line: float = 1.5
    ) -> None:
        """A part cut from the product's cloth, turned by whole degrees."""
        pixels = self._pixels(outline)
        box, mask = _stencil(pixels)
        self.layer.paste(self._cloth(turn).crop(box), box, mask)
        self._darken(box, mask, shade)
        self._line(pixels, line, self.paint.ink, closed=True)

    def solid(
        self, outline: Sequence[Point], colour: RGB, *, shade: Shade = "none", line: float = 1.2
    ) -> None:
        """A part of one colour, outlined in a darker tone of it."""
        pixels = self._pixels(outline)
        self._draw.polygon(pixels, fill=(*colour, 255))
        if shade != "none":
            self._darken(*_stencil(pixels), shade)
        if line:
            self._line(pixels, line, mix(colour, (30, 24, 30), 0.6), closed=True)

    def stroke(
        self, path: Sequence[Point], colour: RGB, width: float, *, edge: bool = True
    ) -> None:
        """A bar along a path, such as a handle, with a dark edge."""
        pixels = self._pixels(path)
        if edge:
            self._line(pixels, width + 2.2, mix(colour, (30, 24, 30), 0.6), caps=True)
        self._line(pixels, width, colour, caps=True)

    def seam(self, path: Sequence[Point], colour: RGB | None = None, width: float = 0.8) -> None:
        """A thin line on a part: a fold, a seam, a rib."""
        self._line(self._pixels(path), width, colour or self.paint.seam)

    def stitches(self, path: Sequence[Point], colour: RGB | None = None) -> None:
        """A dashed line, one dash for every second piece of the path."""
        for start, end in zip(path[::2], path[1::2], strict=False):
            self.seam([start, end], colour)

    def dot(self, x: float, y: float, radius: float, colour: RGB, line: float = 0.7) -> None:
        """A button, a rivet, an eyelet."""
        self.solid(oval(x, y, radius, radius), colour, line=line)

    def tint(self, outline: Sequence[Point], colour: RGB, strength: float) -> None:
        """Thin paint over what is there: a highlight, a glow, a shadow of one part on another."""
        box, mask = _stencil(self._pixels(outline), round(255 * strength))
        clear = self.layer.getchannel("A").crop(box)
        self.layer.paste((*colour, 255), box, ImageChops.multiply(mask, clear))

    def shine(self, path: Sequence[Point], width: float = 2.0, strength: float = 0.45) -> None:
        """A highlight along a path, only where something is drawn already."""
        pixels = self._pixels(path)
        box = _around(pixels, width * UNIT)
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        shifted = [(x - box[0], y - box[1]) for x, y in pixels]
        strong = round(255 * strength)
        pen, r = ImageDraw.Draw(mask), width * UNIT * self._scale / 2
        pen.line(shifted, fill=strong, width=max(1, round(2 * r)), joint="curve")
        for x, y in (shifted[0], shifted[-1]):
            pen.ellipse((x - r, y - r, x + r, y + r), fill=strong)
        clear = self.layer.getchannel("A").crop(box)
        self.layer.paste((255, 255, 255, 255), box, ImageChops.multiply(mask, clear))

    def _pixels(self, path: Sequence[Point]) -> list[Point]:
        k = UNIT * self._scale
        return [((x + self._x) * k, (y + self._y) * k) for x, y in path]

    def _cloth(self, turn: int) -> Image.Image:
        if turn not in self._cloths:
            self._cloths[turn] = self._cloths[0].rotate(
                turn, Image.Resampling.NEAREST, fillcolor=(*self.paint.base, 255)
            )
        return self._cloths[turn]

    def _darken(self, box: tuple[int, int, int, int], mask: Image.Image, shade: Shade) -> None:
        if shade != "none":
            ramp = _ramp(shade).resize(mask.size, Image.Resampling.BILINEAR)
            self.layer.paste((*self.paint.ink, 255), box, ImageChops.multiply(mask, ramp))

    def _line(
        self,
        pixels: Sequence[Point],
        width: float,
        colour: RGB,
        *,
        closed: bool = False,
        caps: bool = False,
    ) -> None:
        thick = max(1, round(width * UNIT * self._scale))
        points = [*pixels, *pixels[:2]] if closed else list(pixels)
        self._draw.line(points, fill=(*colour, 255), width=thick)
        if thick > 2:  # Pillow's own joints leave bumps on soft curves
            r = (thick - 1) / 2
            rounded = list(_corners(points))
            if caps:
                rounded += [points[0], points[-1]]
            for x, y in rounded:
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill=(*colour, 255))


def _corners(points: Sequence[Point]) -> Iterator[Point]:
    """The inner points at which a path turns by more than some 12 degrees."""
    for (ax, ay), (bx, by), (cx, cy) in zip(points, points[1:], points[2:], strict=False):
        ux, uy, vx, vy = bx - ax, by - ay, cx - bx, cy - by
        if abs(ux * vy - uy * vx) > 0.2 * (ux * vx + uy * vy):
            yield bx, by


def _stencil(
    pixels: Sequence[Point], strength: int = 255
) -> tuple[tuple[int, int, int, int], Image.Image]:
    """The box around an outline, and its mask within: work on the box alone is what makes a
    drawing fast."""
    box = _around(pixels, 1)
    mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
    ImageDraw.Draw(mask).polygon([(x - box[0], y - box[1]) for x, y in pixels], fill=strength)
    return box, mask


def _around(pixels: Sequence[Point], margin: float) -> tuple[int, int, int, int]:
    xs, ys = [x for x, _ in pixels], [y for _, y in pixels]
    left, top = max(0, int(min(xs) - margin)), max(0, int(min(ys) - margin))
    return (
        left,
        top,
        max(left + 1, min(SIDE, int(max(xs) + margin) + 1)),
        max(top + 1, min(SIDE, int(max(ys) + margin) + 1)),
    )


@cache
def _ramp(shade: Shade) -> Image.Image:
    steps = _RAMPS[shade]
    size = (1, len(steps)) if shade == "under" else (len(steps), 1)
    ramp = Image.new("L", size)
    ramp.putdata(steps)
    return ramp

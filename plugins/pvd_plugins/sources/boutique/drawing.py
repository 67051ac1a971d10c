"""From a look to a picture: the shape in its pose, in a scene, as the bytes of a PNG."""

import io
import math
from random import Random

from PIL import Image

from . import accessories, furniture, garments, legwear, pastimes, tableware
from .patterns import mix_paint
from .pen import Pen
from .scenes import SIDE as SHEET
from .scenes import Place, cast, scene
from .vocabulary import Look

SIDE = SHEET // 2
SHAPES = {
    **garments.SHAPES,
    **legwear.SHAPES,
    **accessories.SHAPES,
    **tableware.SHAPES,
    **furniture.SHAPES,
    **pastimes.SHAPES,
}
_FLAT = frozenset(("hat", "scarf", "bag", "umbrella", "cushion", "guitar", "book"))
_ON_WALL = frozenset((*garments.SHAPES, "trousers", "skirt", "clock"))


def draw(look: Look, seed: str) -> bytes:
    """The PNG of a product with this look; the seed alone decides everything else."""
    rng = Random(seed)
    pen = Pen(look, mix_paint(look, rng), rng)
    SHAPES[look.category](pen)
    place = "stand" if pen.has_feet else _place(look.category)
    sheet, standing = scene(place, rng)
    product = _turned(pen.layer, _lean(look.category, place, standing, rng), rng)
    left, top = _position(product.size, standing, rng)
    shape = product.getchannel("A")
    cast(sheet, shape, (left, top), standing, rng)
    sheet.paste(product, (left, top), shape)
    buffer = io.BytesIO()
    sheet.reduce(2).save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()


def _place(category: str) -> Place:
    if category in _ON_WALL:
        return "wall"
    return "flat" if category in _FLAT else "stand"


def _lean(category: str, place: Place, standing: bool, rng: Random) -> float:
    """How far the product is turned, in degrees: what stands hardly at all."""
    most = {"flat": 22, "wall": 8, "stand": 2 if standing else 7}[place]
    return rng.uniform(-most, most) + (rng.choice((-32, 32)) if category == "guitar" else 0)


def _turned(layer: Image.Image, degrees: float, rng: Random) -> Image.Image:
    """What is on the layer, turned, scaled to a share of the sheet, half of the time mirrored."""
    product = layer.crop(layer.getbbox())
    angle, mirror = math.radians(degrees), rng.choice((-1, 1))
    cos, sin = math.cos(angle), math.sin(angle)
    width = product.width * cos + product.height * abs(sin)
    height = product.width * abs(sin) + product.height * cos
    scale = SHEET * rng.uniform(0.62, 0.9) / max(width, height)
    size = round(width * scale) + 2, round(height * scale) + 2
    a, b = cos / scale, sin / scale
    # The inverse map: from a pixel of the result to one of the layer, about both centres.
    x, y = size[0] / 2, size[1] / 2
    inverse = (
        mirror * a,
        mirror * b,
        product.width / 2 - mirror * (a * x + b * y),
        -b,
        a,
        product.height / 2 + b * x - a * y,
    )
    return product.transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR)


def _position(size: tuple[int, int], standing: bool, rng: Random) -> tuple[int, int]:
    """The upper left corner: anywhere with a margin, or with the feet low, on table or floor."""
    across, down = SHEET - size[0], SHEET - size[1]
    left = across / 2 + rng.uniform(-0.4, 0.4) * across
    top = down / 2 + rng.uniform(-0.4, 0.4) * down
    if standing:
        top = max(3.0, SHEET * rng.uniform(0.84, 0.93) - size[1])
    return round(left), round(top)

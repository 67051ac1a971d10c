"""From the waist down: trousers, skirt, boots and sneakers."""

from collections.abc import Callable

from .paths import Path, bend, box, flipped, mirrored
from .patterns import BRASS, CREAM, INK, STEEL, WOOD, mix
from .pen import Pen


def trousers(pen: Pen) -> None:
    """Waistband, pockets, a crease down each leg; narrow, straight or wide."""
    cut = pen.either("narrow", "straight", "straight", "wide")
    outer, inner = {"narrow": (36, 45.5), "straight": (32, 46.5), "wide": (24, 46.5)}[cut]
    length = pen.between(84, 92)
    pen.body(
        mirrored(
            [
                (50, 11),
                (37, 11),
                *bend((37, 11), (33, 22), (32.5, 34)),
                *bend((32.5, 34), (33, 60), (outer, length)),
                (inner, length),
                *bend((inner, length), (47.5, 60), (50, 40)),
            ]
        ),
        shade="round",
    )
    pen.tint([(50, 40), (53, 44), (52.5, length), (54.5, length), (56, 44)], pen.paint.ink, 0.3)
    pen.body(box(36.5, 10, 63.5, 15.5), shade="none", line=1.1)
    for x in (41, 50, 59):
        pen.solid(box(x - 0.8, 9.4, x + 0.8, 16.3), pen.paint.deep, line=0.6)
    pen.seam([(50, 16), (50, 39)])
    pen.stitches(bend((53.5, 16), (53.5, 30), (50.5, 33), 9))
    pen.dot(50, 12.8, 1.2, BRASS)
    crease = (outer + inner) / 2 + 0.5
    fold: Path = [(41, 42), (crease, length - 2)]
    cuff: Path = [(outer + 0.8, length - 5), (inner - 0.2, length - 5)]
    pocket = bend((42, 16), (39, 23), (33.8, 25))
    for path in (fold, cuff, pocket):
        pen.seam(path)
        pen.seam(flipped(path))


def skirt(pen: Pen) -> None:
    """A waistband and folds; short or long, straight, flared or with a wavy hem."""
    length, hem = pen.between(62, 88), pen.between(23, 36)
    top = 22 if length < 76 else 13
    waves = pen.chance(0.5)
    edge: Path = []
    count = 5
    for k in range(count):  # from left to right along the hem
        a = 50 - hem + 2 * hem * k / count
        b = 50 - hem + 2 * hem * (k + 1) / count
        low = length + 3 * (1 - abs((k + 0.5) / count * 2 - 1))
        edge += bend((a, low), ((a + b) / 2, low + (5 if waves else 1)), (b, low), 6)
    pen.body(
        [
            (62, top),
            (38, top),
            *bend((38, top), (36, top + 14), (50 - hem, length)),
            *edge,
            *bend((50 + hem, length), (64, top + 14), (62, top)),
        ],
        shade="round",
    )
    for k in range(1, count):
        share = k / count * 2 - 1
        start = (50 + share * 12, top + 6 + 5 * abs(share))
        pen.seam(bend(start, (50 + share * 17, top + 22), (50 + share * hem, length + 1)))
    band = pen.paint.deep if pen.chance(0.6) else pen.paint.accent
    pen.solid(box(37.2, top - 1, 62.8, top + 5, 1), band)
    if pen.chance(0.5):
        for k in range(3):
            pen.dot(50, top + 11 + 8 * k, 1.3, CREAM)
    else:
        pen.dot(59, top + 2, 1.2, BRASS)


def boots(pen: Pen) -> None:
    """Rubber, laced or with a heel; the far one stands a little behind."""
    kind = pen.either("rubber", "laced", "heel")
    top = pen.between(12, 30) if kind != "rubber" else pen.between(10, 18)
    for x, y in ((12.0, -5.0), (-7.0, 3.0)):
        with pen.shifted(x, y):
            _boot(pen, kind, top)


def _boot(pen: Pen, kind: str, top: float) -> None:
    sole = (236, 226, 206) if kind == "rubber" else mix(WOOD[2], INK, 0.35)
    heel = 8 if kind == "heel" else 4
    pen.solid(
        [
            (29, 84),
            (46, 82 if kind == "heel" else 84),
            (52, 85),
            (78, 85),
            (78, 89),
            (50, 89),
            (45, 84.5 + heel / 2),
            (43, 85 + heel),
            (29, 85 + heel),
        ],
        sole,
    )
    pen.body(
        [
            (29, top),
            (53, top),
            *bend((53, top), (51, 48), (53, 58)),
            *bend((53, 58), (57, 66), (66, 68)),
            *bend((66, 68), (80, 71), (79.5, 85)),
            (52, 86),
            (29, 86),
            *bend((29, 86), (27, 74), (30, 62)),
            *bend((30, 62), (31, 44), (29, top)),
        ],
        shade="side",
    )
    pen.shine(bend((62, 71), (72, 72), (75, 79)), 2.2, 0.4)
    pen.shine([(33, top + 8), (34, 56)], 1.8, 0.3)
    if kind == "rubber":
        pen.solid(box(28, top - 1, 54, top + 6, 1.5), pen.paint.deep)
        pen.seam(bend((29, 76), (50, 70), (66, 69)))
    elif kind == "laced":
        pen.solid(
            [(46, top + 1), (53, top + 1), (52, 50), (54, 60), (66, 68), (60, 70), (47, 60)],
            pen.paint.deep,
        )
        for k in range(5):
            y = top + 6 + (60 - top) * k / 5.6
            pen.stroke([(45.5, y + 1.5), (53.5, y - 0.5)], CREAM, 1, edge=False)
        pen.seam(bend((30, 70), (42, 66), (48, 61)), width=1)
    else:
        pen.seam([(41, top + 2), (42, 60)], STEEL, 1.2)
        pen.solid([(29, 60), (53, 57), (54, 61), (29.5, 65)], pen.paint.deep)
        pen.solid(box(44, 57.5, 49, 63), BRASS)


def sneakers(pen: Pen) -> None:
    """A pale sole, laces, a toe cap; low or high."""
    high = pen.chance(0.4)
    for x, y in ((6.0, -15.0), (-3.0, 6.0)):
        with pen.shifted(x, y):
            _sneaker(pen, high)


def _sneaker(pen: Pen, high: bool) -> None:
    top = 24 if high else 39
    sole = (222, 206, 180) if pen.paint.is_white else CREAM
    pen.body(
        [
            (15, top),
            *bend((15, top), (25, top + (2 if high else 7)), (36, top + 1)),
            *bend((36, top + 1), (43, 48), (58, 54)),
            *bend((58, 54), (84, 56), (88, 70)),
            (14, 71),
            *bend((14, 71), (11, 56), (15, top)),
        ],
        shade="side",
    )
    pen.solid(
        [*bend((70, 56.5), (84, 57), (88, 70)), (68, 70), *bend((68, 70), (66, 62), (70, 56.5))],
        sole,
    )
    pen.solid(
        [
            (34, top + 1),
            (40, top + 2),
            *bend((40, top + 2), (48, 48), (62, 54.5)),
            (57, 60),
            *bend((57, 60), (42, 56), (34, top + 1)),
        ],
        pen.paint.deep,
        line=0.8,
    )
    steps = 5 if high else 4
    for k in range(steps):
        t = k / (steps - 1)
        x, y = 38 + 18 * t, top + 6 + (52 - top) * t**0.75
        pen.stroke([(x - 3.5, y + 3.5), (x + 3, y - 1)], CREAM, 1.3)
    pen.solid(
        [
            *bend((12, 70), (50, 69), (89, 70)),
            (90, 75),
            *bend((90, 75), (88, 78), (84, 78)),
            (16, 78),
            *bend((16, 78), (11, 78), (12, 70)),
        ],
        sole,
    )
    stripe = pen.paint.accent if pen.paint.is_white else pen.paint.base
    pen.seam([(13, 74), (89, 74)], stripe, 1.1)
    pen.solid([(14, top + 3), (20, top + 5), (19, 58), (13, 58)], pen.paint.deep, line=0.8)
    if pen.chance(0.5):
        pen.seam(bend((24, 67), (38, 64), (44, 57)), sole, 2.4)
    elif high:
        pen.dot(26, 44, 5, sole)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "trousers": trousers,
    "skirt": skirt,
    "boots": boots,
    "sneakers": sneakers,
}

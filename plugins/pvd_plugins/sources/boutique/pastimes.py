"""For the hours off: watering can, guitar and book."""

from collections.abc import Callable

from .paths import bend, box, mirrored, oval, smooth
from .patterns import BRASS, CREAM, INK, STEEL, WOOD, mix
from .pen import Pen


def watering_can(pen: Pen) -> None:
    """A round body, a long spout with a rose, and two handles."""
    top, low = pen.between(44, 50), 86.0
    wide = pen.between(19, 23)
    x = 40.0
    pen.stroke(
        bend((x + wide - 3, low - 9), (x + wide + 16, low - 14), (84, 38), 8), pen.paint.base, 4.6
    )
    pen.stroke([(x + wide, top + 8), (74, 52)], pen.paint.deep, 1.4)
    rose = [(77, 35), (91, 27), (94, 36), (84, 43)]
    pen.solid(rose, pen.paint.deep if pen.chance(0.6) else BRASS)
    for k in range(4):
        pen.dot(92 + 0.5 * k - 1, 29 + 2 * k, 0.6, INK, 0)
    pen.stroke(
        smooth(
            [
                (x - wide + 4, low - 10),
                (x - wide - 15, low - 22),
                (x - wide - 8, top - 12),
                (x - 6, top - 3),
            ]
        ),
        pen.paint.base,
        3.4,
    )
    if pen.chance(0.6):
        pen.stroke(
            bend((x - wide + 5, top), (x, top - 30), (x + wide - 4, top), 14), pen.paint.deep, 2.8
        )
    pen.body(
        [
            (x - wide, top),
            *oval(x, top, wide, 4, 180, 360),
            (x + wide + 2, low),
            *oval(x, low, wide + 2, 4, 0, 180),
        ],
        shade="round",
    )
    pen.solid(
        [*oval(x, top, wide, 4, 90, 270), *oval(x + 1, top, 4, 4, 270, 90 + 360)],
        mix(pen.paint.base, INK, 0.45),
    )
    for y in (top + 8, low - 5):
        pen.seam(
            oval(x, y, wide + (y - top) / 20, 4, 0, 180),
            mix(pen.paint.seam, pen.paint.ink, 0.3),
            1.1,
        )
    pen.shine([(x - wide * 0.55, top + 12), (x - wide * 0.58, low - 8)], 3, 0.45)


def guitar(pen: Pen) -> None:
    """A waisted body, a sound hole or pick-ups, a neck with frets, six pegs."""
    wood, waist = pen.rng.choice((WOOD[2], WOOD[0], (70, 48, 36))), pen.between(10, 14)
    upper, lower = pen.between(15, 18), pen.between(21, 25)
    half = smooth(
        [
            (50, 45),
            (50 - upper + 3, 46),
            (50 - upper, 54),
            (50 - waist, 64),
            (50 - lower, 78),
            (50 - lower + 8, 91),
            (50, 94),
        ]
    )
    pen.body(mirrored(half), shade="side", line=2)
    hole = pen.chance(0.65)
    if hole:
        pen.solid(oval(50, 63, 7.5, 7.5), CREAM, line=0.8)
        pen.solid(oval(50, 63, 5.8, 5.8), (48, 34, 30), line=0.6)
    else:
        pen.solid(smooth([(54, 56), (64, 66), (62, 80), (53, 78)], closed=True), CREAM, line=0.9)
        for y in (66.0, 74.0):
            pen.solid(box(43, y - 2, 57, y + 2, 1), (60, 60, 66), line=0.8)
    pen.solid(box(46.8, 14, 53.2, 58), wood)
    for k in range(8):
        y = 18 + 4.9 * k
        pen.seam([(47.2, y), (52.8, y)], STEEL, 0.7)
    pen.solid([(45.5, 15), (44.5, 4), (50, 2), (55.5, 4), (54.5, 15)], mix(wood, INK, 0.25))
    for y in (5, 8.5, 12):
        for x in (42.8, 57.2):
            pen.dot(x, y, 1.3, BRASS)
    pen.solid(box(41, 81, 59, 84.5, 1), mix(wood, INK, 0.35))
    for x in (48.2, 50, 51.8):
        pen.seam([(x, 8), (x, 83)], (238, 234, 222), 0.4)
    pen.shine(bend((50 - lower + 5, 76), (50 - lower + 5, 84), (50 - lower + 12, 89)), 2, 0.4)


def book(pen: Pen) -> None:
    """Closed, seen from the front: spine, label, page edge; ribbon or strap."""
    wide, tall = pen.between(24, 30), pen.between(33, 40)
    left, right, top, low = 48 - wide, 48 + wide, 49 - tall, 49 + tall
    pages = [
        (right, top + 3),
        (right + 5, top + 5),
        (right + 5, low + 5),
        (left + 6, low + 5),
        (left + 3, low),
        (right, low),
    ]
    if pen.chance(0.5):
        pen.stroke([(60, low), (60, low + 11)], pen.paint.accent, 2)
    pen.solid(
        [
            (left + 1, low - 1),
            (left + 5, low + 7),
            (right + 7, low + 7),
            (right + 7, top + 5),
            (right, top + 2),
        ],
        pen.paint.deep,
    )
    pen.solid(pages, (244, 236, 216), line=0.9)
    for k in (1.6, 3.2):
        pen.seam(
            [(right + k, top + 4), (right + k, low + k), (left + 4 + k, low + k)],
            (206, 196, 174),
            0.5,
        )
    pen.body(box(left, top, right, low, 2), shade="side", line=1.8)
    pen.tint(box(left, top, left + 7, low), pen.paint.ink, 0.35)
    pen.seam([(left + 7, top + 1), (left + 7, low - 1)], pen.paint.ink, 0.8)
    kind = pen.either("label", "label", "strap", "round")
    if kind == "strap":
        pen.solid(box(right - 10, top - 0.5, right - 6.5, low + 0.5), pen.paint.accent, line=0.8)
    elif kind == "label":
        y = pen.between(top + 10, top + 20)
        pen.solid(box(left + 16, y, right - 8, y + 19, 1), CREAM)
        for k in range(3):
            pen.seam(
                [(left + 20 + 2 * k, y + 5 + 4.5 * k), (right - 12 - 2 * k, y + 5 + 4.5 * k)],
                mix(INK, CREAM, 0.3),
                1.3,
            )
    else:
        pen.solid(oval(52, 46, 13, 13), CREAM)
        pen.solid(oval(52, 46, 9, 9), pen.paint.deep, line=0.8)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "watering can": watering_can,
    "guitar": guitar,
    "book": book,
}

"""What furnishes a room: lamp, cushion, chair and clock."""

from collections.abc import Callable

from .paths import around, bend, box, mirrored, oval, smooth
from .patterns import BRASS, CREAM, INK, STEEL, WOOD, mix
from .pen import Pen
from .vocabulary import COLOURS, RGB


def lamp(pen: Pen) -> None:
    """A shade on a turned foot, on a slim stem, or on three legs."""
    kind = pen.either("turned", "stem", "legs")
    top, low = pen.between(10, 18), pen.between(18, 32)
    bottom = {"turned": 48, "stem": 40, "legs": 40}[kind]
    metal = pen.rng.choice((BRASS, STEEL, WOOD[2], (60, 58, 62)))
    if kind == "turned":
        clay = pen.rng.choice((CREAM, WOOD[0], pen.paint.deep, mix(pen.paint.base, CREAM, 0.75)))
        half = smooth([(47, 52), (47, 57), (37, 67), (38, 79), (44, 86), (40, 90)])
        pen.stroke([(50, 46), (50, 56)], metal, 2)
        pen.solid(mirrored(half), clay, shade="round")
        pen.shine(bend((41, 67), (39, 74), (42, 81)), 2.2, 0.5)
    elif kind == "stem":
        pen.stroke([(50, 40), (50, 88)], metal, 2)
        pen.solid(oval(50, 89, 17, 3.6), metal, shade="side")
    else:
        for x in (30, 52, 70):
            pen.stroke([(50, 50), (x, 91)], WOOD[1], 2)
        pen.stroke([(50, 38), (50, 52)], metal, 2)
    pen.body(
        [
            (50 - top, 10),
            *oval(50, 10, top, 2.4, 180, 360),
            (50 + low, bottom),
            *oval(50, bottom, low, 3.6, 0, 180),
        ],
        shade="side",
    )
    pen.tint(
        [
            (50 - top * 0.5, 11),
            (50 + top * 0.4, 11),
            (50 + low * 0.3, bottom + 3),
            (50 - low * 0.6, bottom + 3),
        ],
        (255, 246, 196),
        0.28,
    )
    edge = mix(pen.paint.base, INK, 0.3)
    pen.seam(oval(50, bottom - 2, low - 0.8, 3.6, 0, 180), edge, 1.1)
    pen.seam(oval(50, 12, top, 2.4, 0, 180), edge, 1.1)
    if pen.chance(0.4):
        pen.stroke(
            [(50 + low * 0.5, bottom + 3), (50 + low * 0.5, bottom + 11)], BRASS, 0.7, edge=False
        )
        pen.dot(50 + low * 0.5, bottom + 12, 1.3, BRASS)


def cushion(pen: Pen) -> None:
    """Round with a button, or with four soft corners, some of them with tassels."""
    if pen.chance(0.25):
        pen.body(oval(50, 50, 38, 38), shade="round", line=2)
        for k in range(0, 360, 30):
            pen.seam([around(50, 50, 9, k), around(50, 50, 33, k + 8)])
        pen.dot(50, 50, 3.6, pen.paint.deep, 1)
        return
    tall = pen.between(28, 39)
    left, right, top, low = 12.0, 88.0, 50 - tall, 50 + tall
    corners = [(left, top, 1, 1), (right, top, -1, 1), (left, low, 1, -1), (right, low, -1, -1)]
    if pen.chance(0.35):
        for x, y, dx, dy in corners:
            for k in (-2, 0, 2):
                end = (x - dx * 6 + k, y - dy * 6 - k * dx * dy)
                pen.stroke([(x, y), end], pen.paint.accent, 1)
    pen.body(
        [
            *bend((left, top), (50, top + 7), (right, top)),
            *bend((right, top), (right - 8, 50), (right, low)),
            *bend((right, low), (50, low - 5), (left, low)),
            *bend((left, low), (left + 8, 50), (left, top)),
        ],
        shade="round",
        line=2.2,
    )
    for x, y, dx, dy in corners:  # two creases from each
        for near, middle, far in (((4, 6), (9, 9), (13, 16)), ((8, 4), (13, 7), (20, 9))):
            a, b, c = ((x + u * dx, y + v * dy) for u, v in (near, middle, far))
            pen.seam(bend(a, b, c))
    pen.tint(oval(40, 50 - tall * 0.35, 18, tall * 0.3), (255, 255, 255), 0.14)


def chair(pen: Pen) -> None:
    """An armchair, or a dining chair with a cushioned seat."""
    if pen.chance(0.55):
        _armchair(pen, pen.rng.choice(WOOD))
    else:
        _dining_chair(pen, pen.rng.choice(WOOD))


def _armchair(pen: Pen, wood: RGB) -> None:
    for start, end in ((24, 22), (76, 78)):
        pen.stroke([(start, 80), (end, 91)], wood, 2.8)
    crown = pen.between(10, 20)
    pen.body(
        [
            (24, 66),
            *bend((24, 66), (20, crown + 2), (34, crown)),
            *bend((34, crown), (50, crown - 4), (66, crown)),
            *bend((66, crown), (80, crown + 2), (76, 66)),
        ],
        shade="round",
    )
    if pen.chance(0.5):
        for x, y in ((40, 28), (50, 28), (60, 28), (45, 38), (55, 38)):
            pen.dot(x, y, 1.2, pen.paint.deep)
    pen.body(box(23, 66, 77, 84, 3), shade="under")
    pen.body(box(25, 56, 75, 68, 5), turn=90, shade="under")
    for x in (13, 73):
        pen.body(box(x, 46, x + 14, 84, 6), shade="side")
        pen.seam(oval(x + 7, 53, 4, 4, 180, 360), width=1)


def _dining_chair(pen: Pen, wood: RGB) -> None:
    for x in (33, 67):
        pen.stroke([(x, 52), (x, 80)], mix(wood, INK, 0.25), 2.6)
    for x in (30, 70):
        pen.stroke([(x, 12), (x, 54)], wood, 3)
    pen.body(box(31, 14, 69, 34, 4) if pen.chance(0.5) else box(31, 13, 69, 48, 9))
    pen.stroke([(28, 72), (72, 72)], wood, 1.8)
    pen.body([(29, 49), (71, 49), (77, 60), (23, 60)], shade="none")
    pen.body(box(22, 59, 78, 65, 2), turn=90, shade="under")
    for start, end in ((26, 24.5), (74, 75.5)):
        pen.stroke([(start, 65), (end, 91)], wood, 3.2)


def clock(pen: Pen) -> None:
    """On the wall, round or square, or an alarm clock with bells."""
    alarm, square = pen.chance(0.4), pen.chance(0.3)
    face = pen.rng.choice((CREAM, CREAM, (255, 253, 248), mix(pen.paint.base, CREAM, 0.86)))
    y, radius = (54, 33) if alarm else (50, 39)
    inner = radius * pen.between(0.6, 0.68)
    if alarm:
        pen.has_feet = True
        for start, end, tilt in ((30, 24, -20), (70, 76, 20)):
            pen.stroke([(start, 78), (end, 90)], BRASS, 3)
            pen.solid(oval(start, 21, 12, 9, 180 + tilt, 360 + tilt), BRASS, shade="side")
        pen.stroke([(50, 22), (50, 14)], STEEL, 2)
        pen.dot(50, 13, 3, BRASS)
    rim = oval(50, y, radius, radius)
    if square and not alarm:
        rim = box(50 - radius, y - radius, 50 + radius, y + radius, 7)
    pen.body(rim, shade="round", line=2)
    pen.shine(oval(50, y, radius - 3.5, radius - 3.5, 205, 255), 2, 0.4)
    pen.solid(oval(50, y, inner, inner), face, line=1.6)
    for k in range(12):
        length, width = (3.8, 1.5) if k % 3 == 0 else (1.8, 0.8)
        mark = [around(50, y, inner - 2.2 - part, 30 * k) for part in (0, length)]
        pen.seam(mark, INK, width)
    for share, width in ((0.48, 2.2), (0.74, 1.4)):  # the hour, then the minute
        pen.seam([(50, y), around(50, y, inner * share, pen.rng.randrange(360))], INK, width)
    pen.dot(50, y, 2, COLOURS["red"].shades["mid"])


SHAPES: dict[str, Callable[[Pen], None]] = {
    "lamp": lamp,
    "cushion": cushion,
    "chair": chair,
    "clock": clock,
}

"""What one wears or carries on top: hat, scarf, bag, umbrella and suitcase."""

from collections.abc import Callable

from .paths import Path, around, bend, box, moved, oval, smooth
from .patterns import BRASS, INK, STEEL, WOOD, brightness, mix
from .pen import Pen


def hat(pen: Pen) -> None:
    """With a wide brim, with a creased crown, or knitted with a bobble."""
    kind = pen.either("sun", "felt", "knit")
    if kind == "knit":
        _knitted_hat(pen)
    else:
        _brimmed_hat(pen, straw=kind == "sun")


def _knitted_hat(pen: Pen) -> None:
    if pen.chance(0.7):
        pen.solid(oval(50, 20, 9, 9), pen.paint.accent, shade="round")
        yarn = mix(pen.paint.accent, INK, 0.25)
        for angle in range(0, 360, 40):
            pen.seam([around(50, 20, r, angle) for r in (2.4, 6)], yarn)
    pen.body(
        [(20, 66), *bend((20, 66), (18, 26), (50, 25)), *bend((50, 25), (82, 26), (80, 66))],
        shade="round",
    )
    pen.body(box(17, 60, 83, 76, 4), turn=90, shade="round")
    for x in range(23, 80, 6):
        pen.seam([(x, 62), (x, 74)])


def _brimmed_hat(pen: Pen, straw: bool) -> None:
    brim, rise, low = pen.between(38, 46), pen.between(24, 34), 62.0
    if straw:
        pen.body(oval(50, low, brim, 14), shade="under")
        crown: Path = [*oval(50, low - 2, 23, rise, 180, 360), *oval(50, low - 2, 23, 6, 0, 180)]
    else:
        pen.body(
            smooth(
                [
                    (50 - brim, low - 4),
                    (50, low - 8),
                    (50 + brim, low - 4),
                    (50 + brim - 6, low + 6),
                    (50, low + 10),
                    (56 - brim, low + 6),
                ],
                closed=True,
            ),
            shade="under",
        )
        top = low - rise - 2
        crown = [
            (25, low),
            *bend((25, low), (27, top), (36, top - 2)),
            *bend((36, top - 2), (50, top + 8), (64, top - 2)),
            *bend((64, top - 2), (73, top), (75, low)),
            *oval(50, low, 25, 6, 0, 180),
        ]
    pen.body(crown, shade="round")
    width, y = (23, low - 2) if straw else (25, low)
    band = pen.paint.accent if pen.chance(0.5) else mix(pen.paint.base, INK, 0.45)
    ribbon = [*oval(50, y, width, 6, 0, 180), *moved(oval(50, y, width - 0.8, 6, 180, 0), 0, -7)]
    pen.solid(ribbon, band, shade="round")
    if pen.chance(0.4):
        pen.solid([(66, y - 1), (74, y - 7), (75, y + 1)], band)
        pen.solid([(66, y - 1), (73, y + 7), (65, y + 8)], band)


def scarf(pen: Pen) -> None:
    """A loop and two tails with fringes."""
    left, right = pen.between(76, 84), pen.between(62, 76)
    fringe = pen.paint.accent if pen.chance(0.5) else pen.paint.deep
    pen.body([*oval(50, 27, 25, 15, 180, 360), *oval(50, 27, 14, 5, 360, 180)], shade="side")
    for x, low in ((55, right), (34, left)):
        lean = 4 if x > 50 else -3
        for k in range(7):
            at = x + lean + 1.2 + 2.2 * k
            pen.stroke([(at, low), (at + pen.between(-1, 1), low + 7)], fringe, 1.1)
        pen.body(
            [
                (x + 1, 36),
                *bend((x + 1, 36), (x - 2, 56), (x + lean, low)),
                (x + lean + 16, low + 1),
                *bend((x + lean + 16, low + 1), (x + 15, 56), (x + 13, 34)),
            ],
            turn=8 if x > 50 else -8,
            shade="side",
        )
        pen.seam(bend((x + 6, 40), (x + 4, 54), (x + lean + 6, low - 3)))
    pen.body(
        smooth(
            [(25, 28), (30, 38), (50, 43), (70, 38), (75, 28), (68, 30), (50, 32), (32, 30)],
            closed=True,
        ),
        turn=80,
        shade="under",
    )
    pen.body(smooth([(40, 33), (56, 31), (58, 43), (43, 46)], closed=True), turn=30, shade="side")
    pen.seam(bend((44, 35), (48, 38), (47, 44)))


def bag(pen: Pen) -> None:
    """A tote with loops, or a handbag with a flap."""
    if pen.chance(0.5):
        _tote(pen)
    else:
        _handbag(pen)


def _tote(pen: Pen) -> None:
    drop = pen.between(8, 16)
    handle = pen.paint.deep if pen.chance(0.6) else WOOD[0]
    for x in (0.0, 3.0):
        pen.stroke(
            [
                (34 + x, 44),
                *bend((34 + x, 40), (36 + x, drop), (50 + x, drop)),
                *bend((50 + x, drop), (64 + x, drop), (66 + x, 44)),
            ],
            handle,
            2.4,
        )
    pen.body(
        [
            (23, 38),
            (77, 38),
            *bend((77, 38), (79, 70), (80, 86)),
            *bend((80, 86), (50, 90), (20, 86)),
            *bend((20, 86), (21, 70), (23, 38)),
        ],
        shade="round",
    )
    pen.seam([(24, 43), (76, 43)], width=1)
    if pen.chance(0.5):
        pen.body(box(38, 54, 62, 74, 2), shade="none", line=1)
        pen.stitches([(38 + 2 * k, 57) for k in range(13)])
    for x in (35, 65):
        pen.solid(box(x - 2.5, 39, x + 3.5, 48, 1), pen.paint.deep, line=0.9)


def _handbag(pen: Pen) -> None:
    strap = mix(pen.paint.base, INK, 0.4)
    pen.stroke(bend((30, 44), (50, pen.between(-14, 6)), (70, 44), 18), strap, 2.8)
    pen.body(box(18, 40, 82, 86, 8), shade="round")
    low = pen.between(58, 68)
    pen.body(
        [
            (18, 46),
            *bend((18, 46), (18, 39), (26, 39)),
            (74, 39),
            *bend((74, 39), (82, 39), (82, 46)),
            *bend((82, 46), (80, low), (62, low + 2)),
            (50, low + 5),
            (38, low + 2),
            *bend((38, low + 2), (20, low), (18, 46)),
        ],
        shade="under",
    )
    pen.stitches(
        smooth([(21, 50), (26, low - 4), (50, low + 1.5), (74, low - 4), (79, 50)], steps=7),
        pen.paint.seam,
    )
    pen.solid(box(45.5, low, 54.5, low + 10, 2), BRASS)
    pen.dot(50, low + 5, 1.4, mix(BRASS, INK, 0.5))
    for x in (30, 70):
        pen.dot(x, 44, 2.2, BRASS)


def umbrella(pen: Pen) -> None:
    """Open, seen from the side, with a hooked handle."""
    wide = pen.between(38, 44)
    wood = pen.rng.choice(WOOD)
    low, rise = 52.0, pen.between(32, 38)
    hook = oval(54.5, 83, 4.5, 5.5, 180, 0)
    pen.stroke([(50, 50), (50, 83)], STEEL, 1.6)
    pen.stroke([(50, 76), (50, 83), *hook], wood, 2.8)
    pen.stroke([(50, 10), (50, 20)], wood, 1.8)
    panels = 5
    hem: Path = []
    for k in range(panels):
        a = 50 + wide - 2 * wide * k / panels
        b = 50 + wide - 2 * wide * (k + 1) / panels
        hem += bend((a, low), ((a + b) / 2, low - 7), (b, low), 6)
    pen.body([*oval(50, low, wide, rise, 180, 360), *hem], shade="round")
    for k in range(1, panels):
        share = k / panels * 2 - 1
        pen.seam(
            bend(
                (50, low - rise),
                (50 + share * wide * 0.95, low - rise * 0.8),
                (50 + share * wide, low),
            ),
            mix(pen.paint.seam, pen.paint.ink, 0.35),
            1.1,
        )
    pen.shine(
        bend(
            (50 - wide * 0.72, low - 9),
            (50 - wide * 0.6, low - 22),
            (50 - wide * 0.3, low - rise * 0.83),
        ),
        2.2,
        0.3,
    )
    for k in range(panels + 1):
        pen.dot(50 - wide + 2 * wide * k / panels, low, 1, wood)


def suitcase(pen: Pen) -> None:
    """An old one with straps, or a hard shell on wheels."""
    if pen.chance(0.55):
        pen.stroke([(39, 31), (39, 23), (61, 23), (61, 31)], WOOD[2], 3)
        pen.body(box(10, 30, 90, 84, 5), shade="round")
        leather = WOOD[0] if brightness(pen.paint.base) < 100 else WOOD[2]
        for x in (28.0, 72.0):
            pen.solid(box(x - 3, 29.5, x + 3, 84.5), leather)
            pen.solid(box(x - 4, 44, x + 4, 51, 1), BRASS)
        for x, y in ((10.0, 30), (90.0, 30), (10.0, 84), (90.0, 84)):
            dx, dy = (12 if x < 50 else -12), (12 if y < 50 else -12)
            pen.solid([(x, y), (x + dx, y), (x, y + dy)], leather)
        pen.seam([(10.5, 57), (89.5, 57)], pen.paint.ink, 1.2)
        return
    for x in (43.0, 57.0):
        pen.stroke([(x, 10), (x, 28)], STEEL, 1.6)
    pen.stroke([(41, 10), (59, 10)], mix(INK, STEEL, 0.2), 3.2)
    for x in (30.0, 70.0):
        pen.dot(x, 90, 3.6, (60, 60, 66))
    pen.body(box(24, 24, 76, 88, 8), shade="round")
    for x in (33, 41.5, 50, 58.5, 67):
        pen.seam([(x, 30), (x, 82)], width=1.1)
        pen.shine([(x - 2, 31), (x - 2, 80)], 0.9, 0.22)
    pen.stroke([(42, 25), (42, 20.5), (58, 20.5), (58, 25)], (70, 70, 76), 2)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "hat": hat,
    "scarf": scarf,
    "bag": bag,
    "umbrella": umbrella,
    "suitcase": suitcase,
}

"""Pottery: mug, teapot, vase and plant pot."""

from collections.abc import Callable

from .paths import Path, bend, box, mirrored, oval, smooth
from .patterns import BRASS, INK, LEAF, WOOD, mix
from .pen import Pen


def mug(pen: Pen) -> None:
    """Straight, tapered or round, filled or empty, perhaps steaming."""
    kind = pen.either("straight", "taper", "round")
    top, width = pen.between(26, 36), pen.between(21, 26)
    foot = {"straight": width - 1, "taper": width - 6, "round": width - 8}[kind]
    left, low = 44 - width, 82.0
    grip = pen.either("ear", "ring")
    reach = 44 + width
    bow = (
        bend((reach - 2, top + 11), (reach + 24, top + 8), (reach - 5, low - 13), 14)
        if grip == "ear"
        else oval(reach, (top + low) / 2 - 1, 12, 14, 270, 450)
    )
    pen.stroke(bow, pen.paint.base, 4.6)
    pen.shine(bow[3:8], 1.2, 0.4)
    side: Path = (
        bend((left, top), (left - 2, low - 6), (44 - foot, low))
        if kind == "round"
        else [(left, top), (44 - foot, low - 2)]
    )
    right = [(88 - x, y) for x, y in side]
    pen.body([*side, *oval(44, low - 1, foot, 4.5, 180, 0)[1:-1], *right[::-1]], shade="round")
    pen.solid(oval(44, top, width, 5.6), pen.paint.pale)
    inside = pen.rng.choice(((110, 66, 40), (164, 104, 52), mix(pen.paint.base, INK, 0.45)))
    pen.solid(oval(44, top + 1, width - 3, 4), inside, line=0.6)
    pen.shine(
        [(left + 6, top + 14), (left + 7 + (2 if kind != "straight" else 0), low - 14)], 2.6, 0.5
    )
    if pen.chance(0.3):
        for x in (37, 45, 53):
            pen.seam(
                smooth([(x, top - 9), (x + 2.5, top - 14), (x - 2, top - 19), (x + 1, top - 24)]),
                (198, 198, 204),
                1.5,
            )


def teapot(pen: Pen) -> None:
    """A belly, a spout, a handle and a lid with a knob."""
    tall = pen.between(20, 27)
    y = 58.0
    spout = [
        *bend((68, y + 8), (80, y + 2), (84, y - 20)),
        (92, y - 21),
        *bend((92, y - 21), (90, y + 12), (66, y + 16)),
    ]
    wood = pen.chance(0.25)
    if wood:
        pen.stroke(bend((30, y - 14), (46, y - 72), (66, y - 14), 18), WOOD[0], 3)
    else:
        pen.stroke(
            smooth([(25, y - 10), (11, y - 14), (9, y + 2), (24, y + 12)]), pen.paint.base, 4.2
        )
    pen.body(spout, turn=30, shade="side")
    pen.solid(
        [(34, y + tall - 2), (60, y + tall - 2), (63, y + tall + 3), (31, y + tall + 3)],
        pen.paint.deep,
    )
    pen.body(oval(47, y, 28, tall), shade="round")
    pen.body(
        [*oval(47, y - tall + 5, 15, 9, 180, 360), *oval(47, y - tall + 5, 15, 3, 0, 180)],
        shade="round",
        line=1.2,
    )
    knob = BRASS if pen.chance(0.3) else pen.paint.accent
    pen.dot(47, y - tall - 6, 3.2, knob, 1)
    pen.shine(bend((27, y - 3), (28, y - 11), (35, y - 16)), 2.8, 0.55)


def vase(pen: Pen) -> None:
    """One of five profiles; in some there are flowers."""
    kind = pen.either("amphora", "bottle", "bulb", "cone", "flask")
    halves: dict[str, list[tuple[float, float]]] = {
        "amphora": [(39, 24), (43, 31), (31, 46), (33, 66), (42, 86)],
        "bottle": [(45, 14), (45, 36), (36, 48), (33, 62), (35, 87)],
        "bulb": [(40, 36), (41, 41), (29, 55), (29, 72), (41, 87)],
        "cone": [(31, 24), (34, 44), (38, 66), (40, 87)],
        "flask": [(43, 22), (44, 32), (40, 42), (26, 66), (31, 82), (40, 87)],
    }
    stretch = pen.between(0.88, 1.16)
    half = [(50 - (50 - x) * stretch, y) for x, y in halves[kind]]
    top = half[0]
    if pen.chance(0.4):
        _bouquet(pen, top[1], 50 - top[0])
    if kind == "amphora" and pen.chance(0.6):
        for side in (-1, 1):
            pen.stroke(
                smooth([(50 + side * 8, 32), (50 + side * 19, 31), (50 + side * 17 * stretch, 46)]),
                pen.paint.base,
                2.6,
            )
    curve = smooth(half)
    pen.body([*mirrored(curve)], shade="round")
    mouth = 50 - top[0]
    pen.solid(
        oval(50, top[1], mouth, max(2, mouth * 0.22)), mix(pen.paint.base, INK, 0.55), line=1.2
    )
    pen.seam(oval(50, curve[-1][1] - 4, 50 - curve[-3][0], 2, 0, 180), width=1)
    at = curve[len(curve) // 2 - 2 : len(curve) - 5]
    pen.shine([(x + 5, y) for x, y in at], 2.6, 0.5)


def plant_pot(pen: Pen) -> None:
    """A pot with a rim, on a saucer or not, with one of three plants."""
    top, wide, foot = pen.between(46, 54), pen.between(24, 30), pen.between(15, 21)
    {"leaves": _leaves, "cactus": _cactus, "fern": _fern}[pen.either("leaves", "cactus", "fern")](
        pen, top
    )
    if pen.chance(0.5):
        pen.solid(
            [*oval(50, 88, foot + 8, 3, 180, 0), *oval(50, 88, foot + 5, 5, 0, 180)], pen.paint.deep
        )
    pen.body(
        [
            (50 - wide + 2, top + 4),
            (50 + wide - 2, top + 4),
            (50 + foot, 88),
            *oval(50, 88, foot, 2.5, 0, 180),
        ],
        shade="round",
    )
    rim = box(50 - wide, top - 3, 50 + wide, top + 6, 2)
    pen.tint(box(50 - wide + 2, top + 5, 50 + wide - 2, top + 9), INK, 0.25)
    pen.body(rim, shade="round")
    pen.shine([(50 - wide * 0.62, top + 13), (50 - foot * 0.72, 80)], 2.2, 0.35)


def _bouquet(pen: Pen, top: float, mouth: float) -> None:
    petals = pen.rng.choice(((232, 96, 110), (246, 196, 80), (240, 236, 226), (188, 140, 210)))
    for x in (-0.9, -0.2, 0.5, 1.1):
        tip = (50 + x * (mouth + 5), top - pen.between(7, 11) + 3 * abs(x))
        pen.stroke(
            bend((50 + x * mouth * 0.4, top + 3), (50 + x * mouth * 0.5, top - 6), tip),
            LEAF,
            1,
            edge=False,
        )
        pen.dot(*tip, 3.4, petals)
        pen.dot(*tip, 1.2, mix(petals, INK, 0.3), 0)


def _leaves(pen: Pen, top: float) -> None:
    green = mix(LEAF, (40, 96, 60), pen.between(0, 1))
    for lean, tall in ((-24, 26), (24, 28), (-13, 37), (14, 36), (0, 41)):
        tip = (50 + lean, top - tall)
        base = (50 + lean * 0.12, top)
        width = 7.5
        leaf = [
            *bend(base, (50 + lean * 0.2 - width, top - tall * 0.6), tip),
            *bend(tip, (50 + lean * 0.9 + width, top - tall * 0.5), base),
        ]
        pen.solid(leaf, mix(green, (255, 255, 200), abs(lean) / 160), line=1)
        pen.seam(
            [base, ((base[0] + tip[0] * 3) / 4, (base[1] + tip[1] * 3) / 4)], mix(green, INK, 0.3)
        )


def _cactus(pen: Pen, top: float) -> None:
    green = (98, 152, 96)
    for x in (-1, 1):
        if pen.chance(0.7):
            up = pen.between(12, 20)
            pen.stroke(
                [(50, top - 10), (50 + x * 15, top - 10), (50 + x * 15, top - 10 - up)], green, 6
            )
    pen.solid(box(42, top - 36, 58, top + 3, 8), green, shade="side")
    for x in (46, 50, 54):
        pen.seam([(x, top - 31), (x, top - 2)], mix(green, INK, 0.35))
    if pen.chance(0.6):
        for x in (-3, 0, 3):
            pen.dot(50 + x, top - 37 + abs(x) * 0.4, 2, (238, 130, 160))


def _fern(pen: Pen, top: float) -> None:
    green = (112, 158, 84)
    for lean, tall in ((-30, 14), (30, 15), (-23, 27), (22, 28), (-9, 36), (9, 37)):
        frond = bend((50, top), (50 + lean * 0.3, top - tall), (50 + lean, top - tall * 0.8), 8)
        pen.stroke(frond, mix(green, INK, 0.15), 0.9, edge=False)
        for x, y in frond[2:]:
            for side in (-1, 1):
                pen.solid(oval(x + side * 1.2, y + side * 2.1, 2.4, 1.7), green, line=0.5)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "mug": mug,
    "teapot": teapot,
    "vase": vase,
    "plant pot": plant_pot,
}

"""Clothes that hang from the shoulders: dress, shirt, sweater and coat."""

from collections.abc import Callable

from .paths import Path, bend, between, box, flipped, mirrored, oval
from .patterns import BRASS, CREAM, INK, WOOD, mix
from .pen import Pen
from .vocabulary import RGB


def dress(pen: Pen) -> None:
    """Fitted to the waist, then wide; with straps, short or long sleeves."""
    sleeve = pen.either("none", "none", "short", "long")
    waist, hem, length = pen.between(10, 12.5), pen.between(22, 33), pen.between(80, 93)
    neck = pen.either("round", "deep", "square")
    _hanger(pen, 13)
    if sleeve != "none":
        _sleeves(pen, (35, 15), (36, 31), 16 if sleeve == "short" else 42, 10)
    depth = {"round": 20, "deep": 28, "square": 22}[neck]
    inner: Path = [(42.5, depth), (57.5, depth)] if neck == "square" else [(50, depth)]
    top = (
        bend((43, 13), (44, depth), (50, depth))[::-1] if neck == "round" else [inner[0], (43, 13)]
    )
    shoulder = 39 if sleeve == "none" else 34
    pen.body(
        mirrored(
            [
                *top,
                (shoulder, 14.5),
                *bend((shoulder, 15), (39, 26), (36, 31)),
                *bend((36, 31), (50 - waist + 1, 40), (50 - waist, 46)),
                *bend((50 - waist, 46), (50 - waist - 4, 60), (50 - hem, length)),
                *bend((50 - hem, length), (50 - hem / 2, length + 4), (50, length + 3)),
            ]
        ),
        shade="round",
    )
    for share in (-0.55, -0.15, 0.3, 0.62):
        start = (50 + share * waist, 48)
        pen.seam(bend(start, (50 + share * hem * 0.6, 64), (50 + share * hem, length - 1)))
    if pen.chance(0.6):
        belt = pen.paint.deep if pen.chance(0.5) else pen.paint.accent
        pen.solid(box(50 - waist - 0.5, 43.5, 50 + waist + 0.5, 48, 1), belt)
    if pen.chance(0.35):
        for y in (28, 33, 38):
            pen.dot(50, y, 1.1, CREAM)
    if pen.chance(0.4):
        pen.stitches(
            bend((50 - hem + 1.5, length - 3), (50, length + 3), (50 + hem - 1.5, length - 3), 22)
        )


def shirt(pen: Pen) -> None:
    """Collar, buttons, cuffs, perhaps a pocket; long or short sleeves."""
    long, bottom = pen.chance(0.55), pen.between(76, 84)
    _hanger(pen, 14)
    _sleeves(pen, (31, 21), (34, 39), 47 if long else 19, 9.5, cuff=5 if long else 0)
    pen.body(
        mirrored(
            [
                (50, 19),
                (43, 16),
                *bend((43, 16), (36, 17), (31, 21)),
                *bend((31, 21), (35, 30), (34, 39)),
                *bend((34, 39), (35, 58), (32, bottom - 5)),
                *bend((32, bottom - 5), (40, bottom + 6), (50, bottom)),
            ]
        ),
        shade="round",
    )
    pen.tint([(43, 16), (57, 16), (50, 24)], INK, 0.45)
    for x in (47.6, 52.4):
        pen.seam([(x, 24), (x, bottom + 0.5)])
    buttons = mix(pen.paint.base, INK, 0.45) if pen.paint.is_white else CREAM
    for k in range(5):
        pen.dot(50, 29 + k * (bottom - 34) / 4.6, 1.15, buttons)
    collar: Path = [(43.5, 14), (50, 24), (44, 29), (38.5, 18)]
    pen.solid(collar, pen.paint.pale)
    pen.solid(flipped(collar), pen.paint.pale)
    if pen.chance(0.6):
        pen.body([(56, 35), (64, 35), (64, 43), (60, 45.5), (56, 43)], shade="none", line=0.9)
        pen.seam([(56, 37), (64, 37)])


def sweater(pen: Pen) -> None:
    """Knitted, with ribs at the hem, the cuffs and the neck."""
    high, bottom = pen.chance(0.35), pen.between(74, 82)
    rib = pen.paint.deep if pen.chance(0.7) else pen.paint.accent
    _sleeves(pen, (29, 24), (32, 45), 47, 12, cuff=6, cuff_colour=rib)
    pen.body(
        mirrored(
            [
                (50, 22),
                (42, 19),
                *bend((42, 19), (33, 20), (29, 24)),
                *bend((29, 24), (33, 36), (32, 45)),
                *bend((32, 45), (33, 60), (31, bottom)),
            ]
        ),
        shade="round",
    )
    _ribbed(pen, (32.5, bottom - 1, 67.5, bottom + 6), rib, 11)
    if high:
        _ribbed(pen, (41.5, 10, 58.5, 21), rib, 6)
    else:
        pen.solid(oval(50, 18, 8, 3.5), mix(pen.paint.deep, INK, 0.5))
        pen.solid([*oval(50, 18.5, 10, 7, 180, 0), *oval(50, 17.5, 7, 4, 0, 180)], rib)
        for x, y in oval(50, 18, 10, 6.5, 168, 12)[::2]:
            pen.seam([(x, y), between((x, y), (50, 14), 0.3)], mix(rib, INK, 0.3))


def coat(pen: Pen) -> None:
    """Lapels, one or two rows of buttons, pockets with flaps, perhaps a belt."""
    length, hem = pen.between(80, 92), pen.between(20, 25)
    double, belt, hood = pen.chance(0.4), pen.chance(0.45), pen.chance(0.3)
    _hanger(pen, 11)
    _sleeves(pen, (30, 19), (33, 40), 50, 11, cuff=4.5)
    if hood:
        pen.body(
            [*bend((36, 20), (36, 4), (50, 4)), *bend((50, 4), (64, 4), (64, 20))], shade="under"
        )
    pen.body(
        mirrored(
            [
                (50, 17),
                (43, 12),
                *bend((43, 12), (35, 14), (30, 19)),
                *bend((30, 19), (34, 30), (33, 40)),
                *bend((33, 40), (34, 50), (50 - hem, length)),
                (50, length + 1.5),
            ]
        ),
        shade="round",
    )
    front = 54 if double else 51
    pen.seam([(front, 40), (front, length + 1)], mix(pen.paint.ink, pen.paint.base, 0.2), 1.0)
    pen.tint([(44, 13), (56, 13), (50, 34)], INK, 0.55)
    lapel: Path = [(43, 11), (38, 15), (37, 25), (40.5, 26), (39.5, 30), (50.5, 42), (46, 22)]
    pen.body(lapel, shade="none", line=1.1)
    pen.body(flipped(lapel), shade="none", line=1.1)
    knobs = pen.rng.choice((BRASS, WOOD[2], CREAM, mix(pen.paint.base, INK, 0.7)))
    for y in (48, 57, 66):
        for x in (45.5, 57.5) if double else (48.3,):
            pen.dot(x, y, 1.6, knobs)
    if belt:
        pen.solid(box(33, 50, 67, 55, 1), pen.paint.deep)
        pen.solid(box(46.5, 49, 52.5, 56, 1), BRASS)
    flap: Path = [(36, 62), (44.5, 61), (44.5, 64.5), (36, 65.5)]
    for each in (flap, flipped(flap)):
        pen.solid(each, pen.paint.deep)


def _sleeves(
    pen: Pen,
    shoulder: tuple[float, float],
    armpit: tuple[float, float],
    length: float,
    width: float,
    *,
    cuff: float = 0,
    cuff_colour: RGB | None = None,
) -> None:
    """Both sleeves, hanging outwards, with cuffs where asked."""
    x, y = shoulder
    wrist = (x - length * 0.32 - 2, y + length * 0.94)
    inner = (wrist[0] + width * 0.86, wrist[1] + width * 0.32)
    outline = [
        (x + 2, y - 1),
        *bend(shoulder, (x - length * 0.16 - 4, y + length * 0.3), wrist),
        inner,
        *bend(inner, ((inner[0] + armpit[0]) / 2 - 1, (inner[1] + armpit[1]) / 2), armpit),
        (x + 6, y + 4),
    ]
    pen.body(outline, turn=-18, shade="side")
    pen.body(flipped(outline), turn=18, shade="side")
    if cuff:
        ends = [
            wrist,
            inner,
            (inner[0] - cuff * 0.3, inner[1] + cuff),
            (wrist[0] - cuff * 0.1, wrist[1] + cuff),
        ]
        colour = cuff_colour or pen.paint.deep
        pen.solid(ends, colour)
        pen.solid(flipped(ends), colour)


def _ribbed(pen: Pen, area: tuple[float, float, float, float], colour: RGB, ribs: int) -> None:
    left, top, right, bottom = area
    pen.solid(box(left, top, right, bottom, 1.5), colour, shade="round")
    for k in range(1, ribs):
        x = left + (right - left) * k / ribs
        pen.seam([(x, top + 1), (x, bottom - 1)], mix(colour, INK, 0.35))


def _hanger(pen: Pen, y: float) -> None:
    """Some clothes are shown on a wooden hanger."""
    if pen.chance(0.35):
        pen.stroke(
            [(50, y + 4), (50, y - 3), *oval(51.5, y - 5, 2, 2.2, 180, 400)], (150, 150, 156), 0.8
        )
        pen.stroke([(40, y + 5), (50, y + 1), (60, y + 5)], WOOD[1], 2)


SHAPES: dict[str, Callable[[Pen], None]] = {
    "dress": dress,
    "shirt": shirt,
    "sweater": sweater,
    "coat": coat,
}

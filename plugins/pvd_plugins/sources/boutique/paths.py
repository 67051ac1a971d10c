"""Outlines as lists of points, on a sheet of 100 x 100 units with y pointing down."""

import math
from collections.abc import Sequence

Point = tuple[float, float]
Path = list[Point]


def bend(start: Point, control: Point, end: Point, steps: int = 10) -> Path:
    """A curve from start to end that is pulled towards the control point."""
    path = []
    for step in range(steps + 1):
        t = step / steps
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
        path.append(
            (
                a * start[0] + b * control[0] + c * end[0],
                a * start[1] + b * control[1] + c * end[1],
            )
        )
    return path


def smooth(points: Sequence[Point], *, closed: bool = False, steps: int = 6) -> Path:
    """A soft curve through all the points (Catmull-Rom)."""
    count = len(points)
    if closed:
        around = [points[-1], *points, points[0], points[1]]
    else:
        around = [points[0], *points, points[-1]]
    path: Path = []
    for k in range(count if closed else count - 1):
        p0, p1, p2, p3 = around[k : k + 4]
        path += [_between(p0, p1, p2, p3, step / steps) for step in range(steps)]
    return path if closed else [*path, points[-1]]


def oval(
    x: float, y: float, width: float, height: float, start: float = 0, end: float = 360
) -> Path:
    """An arc with these half-axes; degrees run clockwise from the right."""
    steps = max(6, int(abs(end - start) / 12))
    angles = [math.radians(start + (end - start) * k / steps) for k in range(steps + 1)]
    return [(x + width * math.cos(a), y + height * math.sin(a)) for a in angles]


def around(x: float, y: float, radius: float, degrees: float) -> Point:
    """The point of a circle in this direction; degrees run clockwise from the right."""
    angle = math.radians(degrees)
    return (x + radius * math.cos(angle), y + radius * math.sin(angle))


def box(left: float, top: float, right: float, bottom: float, radius: float = 0) -> Path:
    """A rectangle, with round corners where a radius is given."""
    if not radius:
        return [(left, top), (right, top), (right, bottom), (left, bottom)]
    r = radius
    return [
        *oval(left + r, top + r, r, r, 180, 270),
        *oval(right - r, top + r, r, r, 270, 360),
        *oval(right - r, bottom - r, r, r, 0, 90),
        *oval(left + r, bottom - r, r, r, 90, 180),
    ]


def mirrored(half: Sequence[Point]) -> Path:
    """A symmetric outline from its left half, top to bottom, about the line x = 50."""
    return [*half, *flipped(half)[::-1]]


def flipped(path: Sequence[Point]) -> Path:
    """The path on the other side of the line x = 50."""
    return [(100 - x, y) for x, y in path]


def moved(path: Sequence[Point], x: float, y: float) -> Path:
    """The path, shifted."""
    return [(px + x, py + y) for px, py in path]


def between(a: Point, b: Point, t: float) -> Point:
    """The point at this share of the way from a to b."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)


def _between(p0: Point, p1: Point, p2: Point, p3: Point, t: float) -> Point:
    def along(axis: int) -> float:
        a, b, c, d = p0[axis], p1[axis], p2[axis], p3[axis]
        return 0.5 * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t * t
            + (3 * b - a - 3 * c + d) * t**3
        )

    return (along(0), along(1))

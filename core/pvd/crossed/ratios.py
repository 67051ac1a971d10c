"""The ratio of the means of two grids, such as the share of a gain that another teacher keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvd.crossed.analysis import LEVEL, analyse

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means with its interval."""

    value: float | None  #: the ratio; None where the denominator may be 0
    low: float | None  #: where the interval begins, if there is one
    high: float | None  #: where it ends
    defined: bool  #: whether there is an interval
    why: str = ""  #: else what is missing


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike, level: float = LEVEL) -> Ratio:
    """Fieller's (1954) interval: all r for which the two-way test does not tell the mean of
    numerator - r * denominator from 0. The grids are paired: same seeds, same personas."""
    import numpy as np
    from scipy.optimize import brentq

    above, below = (np.asarray(grid, dtype=np.float64) for grid in (numerator, denominator))
    if above.shape != below.shape:
        raise ValueError("a ratio needs two grids of the same seeds and personas")
    base = analyse(below)
    if base.p_differs() >= 1 - level:
        return Ratio(None, None, None, False, "the denominator's interval covers zero")
    value = float(above.mean()) / base.value
    step = analyse(above - value * below).error / abs(base.value)
    if step < 1e-9 * max(1.0, abs(value)):
        return Ratio(value, None, None, False, "the two are the same numbers, up to a factor")

    def told(angle: float) -> float:
        """Above 0 where `value + step * tan(angle)` is told from the truth."""
        # Times cos(angle), so that it has a limit where the ratio goes to infinity: below alone.
        rest = np.cos(angle) * (above - value * below) - np.sin(angle) * step * below
        return (1 - level) - analyse(rest).p_differs()

    angles = np.linspace(-np.pi / 2, np.pi / 2, 31)
    inside = np.flatnonzero([told(angle) < 0 for angle in angles])
    low, high = (
        value + step * math.tan(brentq(told, angles[i], angles[i + side]))
        for i, side in ((inside[0], -1), (inside[-1], 1))
    )
    return Ratio(value, low, high, True)

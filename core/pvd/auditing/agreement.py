"""How much two answers about one slate agree, by one teacher or by two.

Compared are always answers to different orders of the slate: a favour for a place must not look
like agreement. Arrays of ranks are [S, R, K], nan where nothing is known.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import TYPE_CHECKING

from pvd.auditing.intervals import changed, jackknife, share, sums
from pvd.records import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Numbers = NDArray[np.int64]

LEAST = 0.05  # agreement with itself below which a share of the ceiling says nothing


@dataclass(frozen=True)
class Alike:
    """Mean agreement of each slate [S]: Kendall's tau-b, and how often the best item is the same;
    nan where there are no two answers."""

    tau: Array
    top: Array


def signs(ranks: Array) -> Array:
    """[S, R, pairs]: 1 if the first item of a pair is ranked above the second, -1 below, 0 tied."""
    import numpy as np

    i, j = np.triu_indices(ranks.shape[2], 1)
    found: Array = np.sign(ranks[..., j] - ranks[..., i])
    return found


def tops(ranks: Array) -> Array:
    """[S, R, K]: the chance of each item to be named as the best; tied ones share it."""
    import numpy as np

    answered = np.isfinite(ranks).any(axis=2, keepdims=True)
    known = np.where(np.isfinite(ranks), ranks, np.inf)
    best = (known == known.min(axis=2, keepdims=True)).astype(float)
    return np.where(answered, best / best.sum(axis=2, keepdims=True), np.nan)


def tau_b(a: Array, b: Array) -> Array:
    """Kendall's tau-b [...] of pairs' signs [..., pairs] (Kendall 1945), over the pairs that both
    know; nan if one of them ties all."""
    import numpy as np

    known = np.isfinite(a) & np.isfinite(b)
    a, b = np.where(known, a, 0.0), np.where(known, b, 0.0)
    below = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = (a * b).sum(axis=-1) / below
    return found


def within(ranks: Array) -> Alike:
    """How much a teacher's answers to different orders of a slate agree."""
    return _alike(ranks, ranks, list(combinations(range(ranks.shape[1]), 2)))


def between(a: Array, b: Array) -> Alike:
    """The same of two teachers who saw the same orders: the answer to one order by the first, to
    another one by the second."""
    return _alike(a, b, list(permutations(range(a.shape[1]), 2)))


def _alike(a: Array, b: Array, pairs: list[tuple[int, int]]) -> Alike:
    import numpy as np

    left, right = [r for r, _ in pairs], [s for _, s in pairs]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        tau = np.nanmean(tau_b(signs(a)[:, left], signs(b)[:, right]), axis=1)
        top = np.nanmean((tops(a)[:, left] * tops(b)[:, right]).sum(axis=2), axis=1)
    return Alike(tau, top)


def mean_tau(tau: Array, personas: Numbers, size: int, over: str) -> Estimate | None:
    """The mean of taus, one a slate. Its interval is that of the share of pairs ordered alike,
    (1 + tau) / 2, so that it stays within -1 and 1 and keeps a width at the ends."""
    import numpy as np

    known = np.isfinite(tau)
    units = float(known.sum()) * size * (size - 1) / 2
    found = share(sums((1 + tau) / 2, personas), sums(known * 1.0, personas), units, over)
    return None if found is None else changed(found, lambda value: 2 * value - 1)


def mean_top(top: Array, personas: Numbers, over: str) -> Estimate | None:
    """The mean share of the same best item."""
    import numpy as np

    known = np.isfinite(top)
    return share(sums(top, personas), sums(known * 1.0, personas), float(known.sum()), over)


def tied_best(ranks: Array, personas: Numbers, over: str) -> Estimate | None:
    """The share of answers that call two items or more the best. An order that never changes still
    names the same best item less than always where it has such ties."""
    import numpy as np

    best = tops(ranks)
    answered = np.isfinite(best).any(axis=2)
    ties = answered & ~(best == 1).any(axis=2)
    given = sums(answered.sum(axis=1) * 1.0, personas)
    return share(sums(ties.sum(axis=1) * 1.0, personas), given, float(answered.sum()), over)


@dataclass(frozen=True)
class Ceiling:
    """The most that two teachers can agree, given how much each agrees with itself; what they
    agree of it; and how much is missing."""

    ceiling: Estimate | None
    reached: Estimate | None  # agreement / ceiling
    missing: Estimate | None  # ceiling - agreement


def ceiling(cross: Array, own: tuple[Array, Array], personas: Numbers, over: str) -> Ceiling:
    """Over the slates [S] for which all three agreements are known.

    If answers to different orders are independent, mean agreement between two teachers is at most
    the square root of the product of their mean agreements with themselves (Cauchy and Schwarz, for
    tau without ties and for the best item alike); it is reached by two that have the same chances
    of every answer, whatever their noise.
    """
    import numpy as np

    known = np.isfinite(cross) & np.isfinite(own[0]) & np.isfinite(own[1])
    columns = [sums(np.where(known, one, np.nan), personas) for one in (cross, *own)]
    parts = np.stack([*columns, sums(known.astype(np.float64), personas)], axis=1)

    def most(total: Array) -> float:
        a, b = (max(float(total[n] / total[3]), 0.0) for n in (1, 2))
        return math.sqrt(a * b)

    def gap(total: Array) -> float:
        return most(total) - float(total[0] / total[3])

    def part(total: Array) -> float:
        return float(total[0] / total[3]) / most(total) if most(total) > 0 else math.nan

    if not known.any():
        return Ceiling(None, None, None)
    high = jackknife(most, parts, over)
    reached = jackknife(part, parts, over) if high and high.low > LEAST else None
    return Ceiling(high, reached, jackknife(gap, parts, over))

"""Intervals for numbers that many answers give together, clustered by persona.

Answers about one persona are not independent, and personas are. So each number is made of sums, one
a persona, and its interval tells how far it would move with other personas of the same kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pvd.estimates import clopper_pearson
from pvd.records import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2000


def sums(values: Array, clusters: NDArray[Any]) -> Array:
    """The sum of each cluster's values [n]; those that are not known (nan) count nothing."""
    import numpy as np

    found = np.bincount(clusters, np.nan_to_num(values), minlength=int(clusters.max()) + 1)
    return found.astype(np.float64)


def ratio(above: Array, below: Array, over: str) -> Estimate | None:
    """Sum of `above` by sum of `below`, one entry a persona; None for fewer than two personas.

    The interval is Student's t with one degree of freedom less than there are personas, on the
    linearised variance of a ratio (Cochran, Sampling Techniques, 1977, section 6.3).
    """
    found = linearised(above, below)
    if found is None:
        return None
    value, error, groups = found
    half = quantile(groups) * error
    return Estimate(value, value - half, value + half, over)


def linearised(above: Array, below: Array) -> tuple[float, float, int] | None:
    """A ratio of sums, its standard error, and how many personas have a part in it."""
    import numpy as np

    there = below > 0
    above, below, groups = above[there], below[there], int(there.sum())
    if groups < 2:
        return None
    value = float(above.sum() / below.sum())
    rest = above - value * below
    error = math.sqrt(groups / (groups - 1) * float(rest @ rest)) / float(below.sum())
    return value, float(np.abs(error)), groups


def changed(estimate: Estimate, change: Callable[[float], float]) -> Estimate:
    """The estimate in another unit, by a change that keeps the order of numbers."""
    return Estimate(
        change(estimate.value), change(estimate.low), change(estimate.high), estimate.over
    )


def quantile(groups: int) -> float:
    """Of Student's t for so many personas: half the 95 % interval, in standard errors."""
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, groups - 1))


def share(above: Array, below: Array, units: float, over: str) -> Estimate | None:
    """A share between 0 and 1. Its interval has a width also where the share is 0 or 1.

    Clopper and Pearson's interval for as many independent answers as the variance between personas
    is worth, at most `units` (Korn & Graubard, Survey Methodology 24, 1998).
    """
    from scipy.stats import t

    found = linearised(above, below)
    if found is None or units < 2:
        return None
    value, error, groups = found
    value = min(max(value, 0.0), 1.0)
    worth = min(value * (1 - value) / error**2, units) if error > 1e-12 else units
    worth *= (float(t.ppf((1 + LEVEL) / 2, units - 1)) / quantile(groups)) ** 2
    low, high = clopper_pearson(value * worth, worth)
    return Estimate(value, min(low, value), max(high, value), over)


def deviation(squares: Array, freedom: Array, over: str) -> Estimate | None:
    """The standard deviation that sums of squares and their degrees of freedom give; Student's t on
    the logarithm of the variance, which cannot fall below zero."""
    found = linearised(squares, freedom)
    if found is None:
        return None
    variance, error, groups = found
    if variance <= 0:
        return Estimate(0.0, 0.0, 0.0, over)
    half = quantile(groups) * error / variance
    low, high = (math.sqrt(variance) * math.exp(sign * half / 2) for sign in (-1, 1))
    return Estimate(math.sqrt(variance), low, high, over)


def jackknife(of: Callable[[Array], float], parts: Array, over: str) -> Estimate | None:
    """A smooth function of the sums [M] of `parts` [G, M], one row a persona. Leaving out each
    persona in turn gives the variance (Efron & Stein, Annals of Statistics 9, 1981)."""
    import numpy as np

    parts = parts[np.any(parts != 0, axis=1)]
    groups = len(parts)
    if groups < 2:
        return None
    total = parts.sum(axis=0)
    value = of(total)
    without = np.array([of(total - row) for row in parts])
    if not (math.isfinite(value) and np.isfinite(without).all()):
        return None
    spread = float(((without - without.mean()) ** 2).sum())
    half = quantile(groups) * math.sqrt((groups - 1) / groups * spread)
    return Estimate(value, value - half, value + half, over)


def resampled(of: Callable[[Array], Array], parts: Array, seed: int, over: str) -> Estimate | None:
    """A function of sums [B, M] that has kinks, with the percentiles of resampled personas."""
    import numpy as np

    parts = parts.reshape(len(parts), -1)
    parts = parts[np.any(parts != 0, axis=1)]
    groups = len(parts)
    if groups < 2:
        return None
    lot = np.random.default_rng(seed)
    weights = lot.multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)
    values = of(weights @ parts)
    low, high = np.quantile(values, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    value = float(of(parts.sum(axis=0)[None])[0])
    return Estimate(value, float(min(low, value)), float(max(high, value)), over)


def percentile(values: Array, share: float, over: str) -> Estimate | None:
    """A percentile of independent values, between the two of them that hold it (order statistics);
    None for fewer than two."""
    import numpy as np
    from scipy.stats import binom

    if len(values) < 2:
        return None
    ordered = np.sort(values)
    low, high = binom.ppf(((1 - LEVEL) / 2, (1 + LEVEL) / 2), len(ordered), share)
    last = len(ordered) - 1
    value = float(np.quantile(ordered, share))
    return Estimate(
        value,
        min(float(ordered[max(int(low) - 1, 0)]), value),
        max(float(ordered[min(int(high), last)]), value),
        over,
    )

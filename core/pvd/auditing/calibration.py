"""Whether a teacher's utilities say how sure its order is.

The utilities that came with one order of a slate predict how another order is answered: item i
above j with probability sigmoid(u_i - u_j). If they were chances, a slope of 1 would fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from pvd.auditing.agreement import signs
from pvd.auditing.intervals import quantile, resampled, share, sums
from pvd.records import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Numbers = NDArray[np.int64]

EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Bin:
    """Comparisons whose predicted chance lies in one range: what was predicted on average, and the
    share that came out so."""

    predicted: float
    observed: Estimate
    count: int


@dataclass(frozen=True)
class Calibration:
    """`slope` is None if everything came out as predicted: no number is steep enough."""

    bins: tuple[Bin, ...]
    error: Estimate | None  # expected calibration error
    slope: Estimate | None
    comparisons: int


def calibration(
    utilities: Array, ranks: Array, personas: Numbers, seed: int, over: str
) -> Calibration | None:
    """From utilities and ranks [S, R, K]; None without two answers that have utilities."""
    import numpy as np

    i, j = np.triu_indices(ranks.shape[2], 1)
    differ, came = utilities[..., i] - utilities[..., j], signs(ranks)
    rows = list(permutations(range(ranks.shape[1]), 2))
    margin = np.stack([differ[:, r] for r, _ in rows], axis=1)
    outcome = (np.stack([came[:, s] for _, s in rows], axis=1) + 1) / 2
    who = np.broadcast_to(personas[:, None, None], margin.shape)
    known = np.isfinite(margin) & np.isfinite(outcome)
    margin, outcome, who = margin[known], outcome[known], who[known]
    if not len(margin):
        return None
    # Each pair is seen from its favourite.
    back = margin < 0
    margin, outcome = np.abs(margin), np.where(back, 1 - outcome, outcome)
    chance = 1 / (1 + np.exp(-np.minimum(margin, 500)))
    orders = max(ranks.shape[1] - 1, 1)
    number = np.digitize(chance, EDGES[1:-1])
    groups = int(personas.max()) + 1
    parts = np.zeros((groups, len(EDGES) - 1, 3))
    for column, value in enumerate((np.ones_like(chance), chance, outcome)):
        np.add.at(parts[..., column], (who, number), value)
    return Calibration(
        tuple(_bins(parts, orders, over)),
        resampled(_expected_error, parts, seed, over),
        slope(margin, outcome, who, over),
        len(margin),
    )


def _bins(parts: Array, orders: int, over: str) -> list[Bin]:
    found = []
    for bin in range(parts.shape[1]):
        count, chance, came = (parts[:, bin, column] for column in range(3))
        # Each answer is predicted by all other orders: so many are not independent.
        observed = share(came, count, float(count.sum()) / orders, over)
        if observed is not None:
            predicted = float(chance.sum() / count.sum())
            found.append(Bin(predicted, observed, int(count.sum())))
    return found


def _expected_error(totals: Array) -> Array:
    """[B]: the mean distance of predicted from observed over the bins, weighted by their counts
    (Naeini et al. 2015). From few comparisons it comes out too large."""
    import numpy as np

    three = totals.reshape(len(totals), -1, 3)
    found: Array = np.abs(three[..., 1] - three[..., 2]).sum(axis=1) / three[..., 0].sum(axis=1)
    return found


def slope(margin: Array, outcome: Array, who: Numbers, over: str) -> Estimate | None:
    """By which the differences must be multiplied to be log-odds: logistic regression through the
    origin, its variance clustered by persona (Liang & Zeger 1986). Below 1: too sure.
    """
    import numpy as np

    size = float(np.sqrt((margin**2).mean()))
    if size == 0 or bool(((outcome == 1) | (margin == 0)).all()):
        return None
    x, value = margin / size, 0.0
    for _ in range(100):
        chance = 1 / (1 + np.exp(-np.clip(value * x, -500, 500)))
        bend = float((x * x * chance * (1 - chance)).sum())
        step = float((x * (outcome - chance)).sum()) / max(bend, 1e-12)
        value += float(np.clip(step, -1, 1))
        if abs(step) < 1e-9:
            break
    chance = 1 / (1 + np.exp(-np.clip(value * x, -500, 500)))
    bend = float((x * x * chance * (1 - chance)).sum())
    pulls = sums(x * (outcome - chance), who)
    groups = len(np.unique(who))
    if groups < 2:
        return None
    error = float(np.sqrt(groups / (groups - 1) * (pulls**2).sum())) / bend
    half = quantile(groups) * error
    return Estimate(value / size, (value - half) / size, (value + half) / size, over)

"""Whether comparisons of two items fit into an order: circular triples.

Arrays of pairs are [S, P], the pairs (i, j), i < j, of a slate's K items in the order of
`itertools.combinations`: `won` is 1 if i was ranked above j, -1 below, 0 if tied, nan if unknown;
`shown` is 1 if i was shown first, else -1.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from pvd.auditing.intervals import ratio, share, sums
from pvd.auditing.places import whole
from pvd.records import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Numbers = NDArray[np.int64]

COIN = 0.25  # of three fair comparisons: two of their eight outcomes are circular
DRAWS = 200  # of what the items may be worth


def triples(size: int) -> Numbers:
    """[T, 3], for each three items i < j < k the pairs (i, j), (j, k), (i, k)."""
    import numpy as np

    number = {pair: n for n, pair in enumerate(combinations(range(size), 2))}
    rows = [(number[i, j], number[j, k], number[i, k]) for i, j, k in combinations(range(size), 3)]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def circular(won: Array, size: int) -> Array:
    """[S, T]: 1 if a triple goes in a circle (i over j, j over k, k over i), 0 if not, nan if one
    of its comparisons is unknown or tied."""
    import numpy as np

    three = won[:, triples(size)]
    decided = (np.abs(three) == 1).all(axis=2)
    first, second, third = three[..., 0], three[..., 1], three[..., 2]
    found: Array = ((first == second) & (second == -third)).astype(float)
    return np.where(decided, found, np.nan)


def intransitive(won: Array, size: int, personas: Numbers, over: str) -> Estimate | None:
    """The share of circular triples (Kendall & Babington Smith 1940). A triple takes three
    comparisons: no more independent ones are reckoned with than a third of those made."""
    import numpy as np

    found = circular(won, size)
    below = sums(np.isfinite(found).sum(axis=1) * 1.0, personas)
    units = float((np.abs(won) == 1).sum()) / 3
    return share(sums(np.nansum(found, axis=1), personas), below, units, over)


def first_wins(won: Array, shown: Array, personas: Numbers, over: str) -> Estimate | None:
    """How often the item that was shown first was preferred; half without bias."""
    import numpy as np

    decided = np.abs(won) == 1
    hits = np.where(decided, (won * shown + 1) / 2, 0.0).sum(axis=1)
    units = float(decided.sum())
    return share(sums(hits, personas), sums(decided.sum(axis=1) * 1.0, personas), units, over)


def by_noise_alone(
    won: Array,
    shown: Array,
    utilities: Array,
    places: Numbers,
    personas: Numbers,
    model: tuple[float, float, float],
    seed: int,
    over: str,
) -> Estimate | None:
    """The share of circular triples that noise alone would bring, were the utilities [S, R, K] all
    that there is: comparisons are logistic in the difference of what the items are worth.

    `model` has the noise's standard deviation and Gumbel scale and what the first place adds. What
    an item is worth is not its mean over a few noisy orders: it is drawn from what is likely, given
    that mean and how far the items of a slate differ (normal, by the method of moments), else noise
    would pass for taste.
    """
    import numpy as np

    spread, scale, bias = model
    size, there = places.shape[2], whole(utilities)
    orders = there.sum(axis=1)
    used = orders > 1
    if not used.any() or scale <= 0:
        return None
    fall = 1 - places / (size - 1)
    left = np.where(there[..., None], utilities - bias * fall, 0.0)
    mean = left.sum(axis=1) / np.maximum(orders, 1)[:, None]
    mean -= mean.mean(axis=1, keepdims=True)
    error = spread**2 / np.maximum(orders, 1)
    worth = float((mean[used].var(axis=1, ddof=1) - error[used]).mean())
    trust = max(worth, 0.0) / (max(worth, 0.0) + error)
    lot = np.random.default_rng(seed)
    jitter = lot.standard_normal((DRAWS, *mean.shape))
    drawn = trust[:, None] * mean + np.sqrt(trust * error)[:, None] * jitter
    i, j = np.triu_indices(size, 1)
    logits = (drawn[..., i] - drawn[..., j] + bias * shown) / scale
    above = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
    three = above[:, :, triples(size)]
    first, second, third = three[..., 0], three[..., 1], three[..., 2]
    chance = (first * second * (1 - third) + (1 - first) * (1 - second) * third).mean(axis=0)
    counted = np.isfinite(circular(won, size)) & used[:, None]
    sum_of = np.where(counted, chance, 0.0).sum(axis=1)
    return ratio(sums(sum_of, personas), sums(counted.sum(axis=1) * 1.0, personas), over)

"""Whether the place where an item is shown changes its rank, and how much answers differ otherwise.

The same items are shown to the same persona in several orders, so that what an item is worth falls
out: what is left depends on the place, or is noise. Arrays are [S, R, K]: slates, orders, items,
the items of a slate in one fixed order. An answer that is not whole is nan everywhere.
"""

from __future__ import annotations

import math
from itertools import permutations
from typing import TYPE_CHECKING, Any

from pvd.auditing.intervals import changed, deviation, linearised, quantile, ratio, sums
from pvd.records import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Numbers = NDArray[np.int64]

PERMUTATIONS = 9999
MOST = 120  # ways to deal a slate's answers that are looked at: all of them up to five orders
CHUNK = 500


def whole(values: Array) -> NDArray[np.bool_]:
    """[S, R], the answers that say something of every item, of slates that have two or more."""
    import numpy as np

    there = np.isfinite(values).all(axis=2)
    found: NDArray[np.bool_] = there & (there.sum(axis=1, keepdims=True) > 1)
    return found


def centred(values: Array, there: NDArray[np.bool_]) -> Array:
    """The values without what is the item's and what is the answer's own; 0 where there is none."""
    import numpy as np

    mask = there[:, :, None]
    known = np.where(mask, values, 0.0)
    orders = np.maximum(there.sum(axis=1), 1)[:, None, None]
    item = known.sum(axis=1, keepdims=True) / orders
    answer = known.mean(axis=2, keepdims=True)
    everything = item.mean(axis=2, keepdims=True)
    return np.where(mask, known - item - answer + everything, 0.0)


def first_over_last(
    values: Array, places: Numbers, personas: Numbers, over: str
) -> Estimate | None:
    """What the first place adds against the last, in units of the values, higher being better.

    The slope of the values on 1 - place / (K - 1), within item and within answer: ordinary least
    squares with a fixed effect for each.
    """
    there = whole(values)
    x, y = _fall(places, there), centred(values, there)
    above = sums((x * y).sum(axis=(1, 2)), personas)
    return ratio(above, sums((x * x).sum(axis=(1, 2)), personas), over)


def _fall(places: Numbers, there: NDArray[np.bool_]) -> Array:
    """1 at the first place, falling to 0 at the last, centred as the values are."""
    return centred(1 - places / max(places.shape[2] - 1, 1), there)


def curve(ranks: Array, places: Numbers, personas: Numbers, over: str) -> list[Estimate]:
    """The mean rank, 1 the best, of what is shown at each place; without bias all are (K + 1) / 2.

    Least squares with a fixed effect for each item of each slate, so that by chance better items at
    the first place do not count as bias.
    """
    import numpy as np

    size, there = places.shape[2], whole(ranks)
    shown = places[..., None] == np.arange(size)
    x = np.stack([centred(shown[..., p].astype(float), there) for p in range(size)], axis=-1)
    y = centred(ranks, there)
    groups = int(personas.max()) + 1
    normal = np.zeros((groups, size, size))
    right = np.zeros((groups, size))
    np.add.at(normal, personas, np.einsum("srkp,srkq->spq", x, x))
    np.add.at(right, personas, np.einsum("srkp,srk->sp", x, y))
    # The columns of x sum to zero: the solution of least length is the one whose mean is zero.
    inverse = np.linalg.pinv(normal.sum(axis=0))
    found = inverse @ right.sum(axis=0)
    pulls = (right - normal @ found) @ inverse
    used = int(np.any(right != 0, axis=1).sum())
    if used < 2:
        return []
    half = quantile(used) * np.sqrt(used / (used - 1) * (pulls**2).sum(axis=0))
    middle = (size + 1) / 2 + found
    return [
        Estimate(float(m), float(m - h), float(m + h), over)
        for m, h in zip(middle, half, strict=True)
    ]


def permutation_test(ranks: Array, places: Numbers, seed: int) -> float | None:
    """The probability of places mattering as much as they do, or more, if they mattered not at all.

    Then it is chance which of a slate's orders brought which of its answers. So the answers of each
    slate are dealt to its orders anew, 9,999 times; what is compared is the sum over the places of
    the squared sum of ranks there, in which a favour for the middle counts as much as one for the
    ends. Exact, whatever the items are worth (Fisher's randomisation test; p = (1 + as extreme) /
    (1 + dealt), Phipson & Smyth 2010).
    """
    import numpy as np

    there = whole(ranks)
    if not there.any():
        return None
    tables, counts = _deals(ranks, places, there, np.random.default_rng(seed))
    lot = np.random.default_rng([seed, 1])
    observed = float((tables[:, 0].sum(axis=0) ** 2).sum())
    extreme = 0
    for start in range(0, PERMUTATIONS, CHUNK):
        many = min(CHUNK, PERMUTATIONS - start)
        chosen = (lot.random((many, len(counts))) * counts).astype(int)
        dealt = np.zeros((many, tables.shape[2]))
        for slate, table in enumerate(tables):
            dealt += table[chosen[:, slate]]
        # What is equal but for rounding is as extreme.
        extreme += int(((dealt**2).sum(axis=1) >= observed - 1e-9 * (1 + observed)).sum())
    return (1 + extreme) / (1 + PERMUTATIONS)


def _deals(
    ranks: Array, places: Numbers, there: NDArray[np.bool_], lot: np.random.Generator
) -> tuple[Array, Numbers]:
    """The sum of ranks at each place for each way to deal a slate's answers to its orders
    [S, ways, K], the first as it was, and how many ways there are [S]."""
    import numpy as np

    size, left = places.shape[2], centred(ranks, there)
    rows: list[list[Array]] = []
    for slate in np.flatnonzero(there.any(axis=1)):
        orders = np.flatnonzero(there[slate])
        ways: list[Any] = list(permutations(range(len(orders)))) if len(orders) <= 5 else []
        ways = ways or [range(len(orders)), *(lot.permutation(len(orders)) for _ in range(MOST))]
        where, said = places[slate, orders], left[slate, orders]
        found = [
            np.bincount(where.ravel(), said[list(way)].ravel(), size).astype(float) for way in ways
        ]
        rows.append(found)
    most = max(map(len, rows))
    tables = np.zeros((len(rows), most, size))
    for number, found in enumerate(rows):
        tables[number, : len(found)] = found
    counts = np.array([len(found) for found in rows])
    return tables, counts


def noise(utilities: Array, places: Numbers, personas: Numbers, over: str) -> Estimate | None:
    """The standard deviation of an item's utility from order to order, without what its place does
    and without what moves all utilities of an answer at once, which changes no rank."""
    import numpy as np

    there = whole(utilities)
    x, y = _fall(places, there), centred(utilities, there)
    found = linearised(
        sums((x * y).sum(axis=(1, 2)), personas), sums((x * x).sum(axis=(1, 2)), personas)
    )
    if found is None:
        return None
    squares = sums(((y - found[0] * x) ** 2).sum(axis=(1, 2)), personas)
    free = np.maximum(there.sum(axis=1) - 1, 0) * (places.shape[2] - 1.0)
    freedom = sums(free, personas)
    # One degree of freedom went into the place.
    return deviation(squares, freedom * (1 - 1 / freedom.sum()), over)


GUMBEL = math.sqrt(6) / math.pi  # the scale of a Gumbel distribution, in standard deviations


def gumbel(deviation: Estimate) -> Estimate:
    """The scale of Gumbel noise that has this standard deviation."""
    return changed(deviation, lambda value: GUMBEL * value)

"""Numbers with intervals: a mean over personas, and the paired difference of two means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pvd.records import Estimate

RESAMPLES = 10_000


def mean(values: Sequence[float], seed: int, over: str) -> Estimate:
    """The mean with its 95 % percentile-bootstrap interval (Efron 1979) over the values.

    The resamples depend on `seed` and the number of values alone, so that systems measured on the
    same personas share them.
    """
    import numpy as np

    sample = np.asarray(values, dtype=np.float64)
    if not len(sample):
        raise ValueError("an estimate needs at least one value")
    rng = np.random.default_rng(seed)
    means = np.empty(RESAMPLES)
    for start in range(0, RESAMPLES, 1000):
        draws = rng.integers(len(sample), size=(1000, len(sample)))
        means[start : start + 1000] = sample[draws].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(float(sample.mean()), float(low), float(high), over, tuple(sample.tolist()))


def difference(a: Estimate, b: Estimate, seed: int) -> Estimate:
    """a - b, paired: both must hold one value for each of the same personas."""
    if len(a.values) != len(b.values):
        raise ValueError("a paired difference needs values for the same personas")
    pairs = [x - y for x, y in zip(a.values, b.values, strict=True)]
    return mean(pairs, seed, a.over)


def two_way(values: Sequence[Sequence[float]]) -> Estimate:
    """The mean of one row a seed and one column a persona, with its 95 % interval over both.

    Seeds and personas are crossed random effects without interaction replicates, so the variance
    of the mean is (MS_seed + MS_persona - MS_residual) / (S * P), with Satterthwaite's (1946)
    degrees of freedom. It is never taken to be below what the residual alone leaves. An interval
    over personas alone would call other seeds of the same method a different method.
    """
    import numpy as np
    from scipy.stats import t

    grid = np.asarray(values, dtype=np.float64)
    if grid.ndim != 2 or min(grid.shape) < 2:
        raise ValueError("a two-way interval needs at least two seeds and two personas")
    seeds, personas = grid.shape
    center, rows, columns = grid.mean(), grid.mean(axis=1), grid.mean(axis=0)
    rest = grid - rows[:, None] - columns[None, :] + center
    freedom = np.array([seeds - 1, personas - 1, (seeds - 1) * (personas - 1)])
    squares = np.array(
        [
            personas * ((rows - center) ** 2).sum(),
            seeds * ((columns - center) ** 2).sum(),
            (rest**2).sum(),
        ]
    )
    mean_squares = squares / freedom
    total = max(mean_squares @ (1, 1, -1), mean_squares[2])
    half = 0.0
    if total > 0:
        effective = total**2 / (mean_squares**2 / freedom).sum()
        half = float(t.ppf(0.975, effective) * np.sqrt(total / grid.size))
    over = f"{seeds} seeds x {personas} personas (two-way)"
    return Estimate(float(center), float(center) - half, float(center) + half, over)


def plain(estimate: Estimate) -> dict[str, Any]:
    """The estimate for a JSON file, without the values that it is made of."""
    return {name: value for name, value in vars(estimate).items() if name != "values"}

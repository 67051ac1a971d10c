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


def plain(estimate: Estimate) -> dict[str, Any]:
    """The estimate for a JSON file, without the values that it is made of."""
    return {name: value for name, value in vars(estimate).items() if name != "values"}

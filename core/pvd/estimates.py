"""Numbers with intervals: a mean over personas, and the paired difference of two means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pvd.records import Estimate

if TYPE_CHECKING:
    import numpy

RESAMPLES = 10_000
FEW = 256  # values whose resamples are kept, 20 MB of them


def mean(values: Sequence[float | None], seed: int, over: str) -> Estimate:
    """The mean with its 95 % percentile-bootstrap interval (Efron 1979) over the values; None in a
    persona's place has no part in it. ValueError without any value.

    The resamples depend on `seed` and the number of values alone, so that systems measured on the
    same personas share them.
    """
    import numpy as np

    kept = tuple(None if value is None else float(value) for value in values)
    sample = np.array([value for value in kept if value is not None])
    if not len(sample):
        raise ValueError("an estimate needs at least one value")
    draws = _kept_resamples if len(sample) <= FEW else _resamples
    means = np.concatenate([sample[some].mean(axis=1) for some in draws(seed, len(sample))])
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(float(sample.mean()), float(low), float(high), over, kept)


def percentage(values: Sequence[float | None], seed: int, over: str) -> Estimate:
    """The mean of one value a persona that is 100 for a hit and 0 for none, or between where
    places are tied, or None; ValueError for others.

    Where all hit, or none does, no resample is another, so that the bootstrap would be sure of it;
    there the interval is Clopper and Pearson's.
    """
    known = [value for value in values if value is not None]
    if any(not 0 <= value <= 100 for value in known):
        raise ValueError("a percentage is between 0 and 100 for each persona")
    found = mean(values, seed, over)
    if 0 < found.value < 100:
        return found
    low, high = clopper_pearson(found.value / 100 * len(known), len(known))
    return replace(found, low=100 * low, high=100 * high)


def clopper_pearson(hits: float, trials: float) -> tuple[float, float]:
    """The exact 95 % interval of a share, from 0 to 1 (Biometrika 26, 1934). It has a width also
    where nothing was hit, or everything."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, hits, trials - hits + 1)) if hits > 1e-9 else 0.0
    high = float(beta.ppf(0.975, hits + 1, trials - hits)) if trials - hits > 1e-9 else 1.0
    return low, high


def _resamples(seed: int, count: int) -> Iterator[numpy.ndarray[Any, Any]]:
    """Which of `count` values each resample takes, a thousand resamples at a time."""
    import numpy as np

    rng = np.random.default_rng(seed)
    for _ in range(0, RESAMPLES, 1000):
        yield rng.integers(count, size=(1000, count))


@lru_cache(maxsize=2)
def _kept_resamples(seed: int, count: int) -> list[numpy.ndarray[Any, Any]]:
    """The same, kept: all numbers of all systems of an exam share them."""
    return list(_resamples(seed, count))


def difference(a: Estimate, b: Estimate, seed: int) -> Estimate:
    """a - b, paired: both must hold a place for each of the same personas. It is over those who
    have a value in both, one at least; ValueError otherwise."""
    if len(a.values) != len(b.values):
        raise ValueError("a paired difference needs values for the same personas")
    pairs = [
        None if x is None or y is None else x - y for x, y in zip(a.values, b.values, strict=True)
    ]
    return mean(pairs, seed, a.over)


def plain(estimate: Estimate) -> dict[str, Any]:
    """The estimate for a JSON file, without the values that it is made of; with how many personas
    have none, if some do."""
    found = {name: value for name, value in vars(estimate).items() if name != "values"}
    return found | {"missing": estimate.missing} if estimate.missing else found

"""Grids of seeds x personas: how sure a difference is, and what it takes to see one.

A grid holds one row a seed and one column a persona. Both are random effects, crossed, with one
value a cell:  y[i, j] = mean + seed[i] + persona[j] + residual[i, j].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pvd import estimates
from pvd.records import Estimate

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Grid = npt.NDArray[np.float64]

FEW_SEEDS = 5  # with fewer, no verdict
LEVEL = 0.95
Verdict = Literal["better", "worse", "not resolved", "too few seeds", "same numbers"]


@dataclass(frozen=True)
class Components:
    """Variances of one value of a grid, in squared points; estimates are never below 0."""

    seed: float
    persona: float
    residual: float

    def error(self, seeds: int, personas: int) -> float:
        """The standard error of the mean of a grid of that size."""
        cells = seeds * personas
        return math.sqrt((sum(self._squares(seeds, personas)) - 2 * self.residual) / cells)

    def _squares(self, seeds: int, personas: int) -> tuple[float, float, float]:
        """The expected mean squares of seeds, personas and residual."""
        rest = self.residual
        return (personas * self.seed + rest, seeds * self.persona + rest, rest)


@dataclass(frozen=True)
class Crossed:
    """The mean of a grid and its standard error, with the degrees of freedom of the latter."""

    value: float
    error: float
    freedom: float
    seeds: int
    personas: int
    components: Components

    def interval(self, level: float = LEVEL) -> Estimate:
        """Student's t interval of the mean, for other seeds and other personas of the kind."""
        from scipy.stats import t

        half = float(t.ppf((1 + level) / 2, self.freedom)) * self.error if self.error else 0.0
        over = f"{self.seeds} seeds x {self.personas} personas (two-way)"
        return Estimate(self.value, self.value - half, self.value + half, over)

    def p_differs(self, null: float = 0.0) -> float:
        """Two-sided: how often a mean as far from `null` comes up where the truth is `null`."""
        return min(1.0, 2 * self._above(abs(self.value - null)))

    def p_not_above(self, bound: float) -> float:
        """One-sided: small where the mean is surely above `bound`."""
        return self._above(self.value - bound)

    def _above(self, distance: float) -> float:
        from scipy.stats import t

        if not self.error:
            return 0.5 if distance == 0 else float(distance < 0)
        return float(t.sf(distance / self.error, self.freedom))


def analyse(grid: npt.ArrayLike) -> Crossed:
    """The mean of a grid, its error over both seeds and personas, and where the spread is from."""
    import numpy as np

    values = np.asarray(grid, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError("a two-way interval needs at least two seeds and two personas")
    seeds, personas = values.shape
    center, rows, columns = values.mean(), values.mean(axis=1), values.mean(axis=0)
    rest = values - rows[:, None] - columns[None, :] + center
    freedom = np.array([seeds - 1, personas - 1, (seeds - 1) * (personas - 1)])
    squares = np.array(
        [
            personas * ((rows - center) ** 2).sum(),
            seeds * ((columns - center) ** 2).sum(),
            (rest**2).sum(),
        ]
    )
    means = squares / freedom
    total = max(means @ (1, 1, -1), means[2])
    components = Components(
        max(0.0, float(means[0] - means[2]) / personas),
        max(0.0, float(means[1] - means[2]) / seeds),
        float(means[2]),
    )
    effective = float(total**2 / (means**2 / freedom).sum()) if total > 0 else float(seeds - 1)
    error = float(np.sqrt(total / values.size))
    return Crossed(float(center), error, effective, seeds, personas, components)


def conditional(grid: npt.ArrayLike, seed: int) -> Estimate:
    """The mean with an interval over personas alone: for these very seeds, not for others."""
    import numpy as np

    values = np.atleast_2d(np.asarray(grid, dtype=np.float64))
    seeds, personas = values.shape
    over = f"{personas} personas, given {'this 1 seed' if seeds == 1 else f'these {seeds} seeds'}"
    return estimates.mean(values.mean(axis=0).tolist(), seed, over)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for being many (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, least = [0.0] * len(p_values), 0.0
    for done, number in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - done) * p_values[number]))
        adjusted[number] = least
    return adjusted


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means and its interval; without one, `why` says what is missing."""

    value: float | None
    low: float | None
    high: float | None
    defined: bool
    why: str = ""


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
        why = "the denominator's interval covers zero"
        return Ratio(None, None, None, False, why)
    value = float(above.mean()) / base.value

    def told(angle: float) -> float:
        """Above 0 where the ratio `value + step * tan(angle)` is told from the truth."""
        # Multiplied by cos(angle), so that it has a limit as the ratio goes to infinity.
        rest = np.cos(angle) * (above - value * below) - np.sin(angle) * step * below
        return (1 - level) - analyse(rest).p_differs()

    step = analyse(above - value * below).error / abs(base.value)
    if not step:
        return Ratio(value, value, value, True)
    angles = np.linspace(-np.pi / 2, np.pi / 2, 201)
    inside = np.flatnonzero([told(angle) < 0 for angle in angles])
    ends = [
        value + step * float(np.tan(brentq(told, angles[i], angles[i + side])))
        for i, side in ((inside[0], -1), (inside[-1], 1))
    ]
    return Ratio(value, ends[0], ends[1], True)


def detectable(
    components: Components, seeds: int, personas: int, power: float = 0.8, level: float = 0.05
) -> float:
    """The smallest true difference that the two-sided test finds with that power."""
    from scipy.stats import t

    squares = components._squares(seeds, personas)
    degrees = (seeds - 1, personas - 1, (seeds - 1) * (personas - 1))
    total = squares[0] + squares[1] - squares[2]
    if not total:
        return 0.0
    freedom = total**2 / sum(s**2 / d for s, d in zip(squares, degrees, strict=True))
    quantiles = float(t.ppf(1 - level / 2, freedom) + t.ppf(power, freedom))
    return quantiles * components.error(seeds, personas)


def seeds_needed(
    components: Components,
    personas: int,
    difference: float,
    power: float = 0.8,
    level: float = 0.05,
    most: int = 1000,
) -> int | None:
    """The fewest seeds that find such a difference with that power; None if `most` do not."""
    if detectable(components, most, personas, power, level) > difference:
        return None
    low, high = 1, most  # low is too few
    while high - low > 1:
        middle = (low + high) // 2
        if detectable(components, middle, personas, power, level) > difference:
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True)
class Comparison:
    """B - A: how large, how sure, and whether B may stand in for A."""

    estimate: Estimate
    crossed: Crossed | None
    p: float | None
    p_holm: float | None
    verdict: Verdict
    replaces: bool


def compare(differences: Sequence[npt.ArrayLike], margin: float, seed: int) -> list[Comparison]:
    """One comparison for each grid of B - A; all of them are one family for Holm's correction."""
    import numpy as np

    grids: list[Any] = [np.atleast_2d(np.asarray(grid, dtype=np.float64)) for grid in differences]
    told = [analyse(g) if len(g) >= FEW_SEEDS and g.any() else None for g in grids]
    p_values = [found.p_differs() for found in told if found]
    adjusted = iter(zip(p_values, holm(p_values), strict=True))
    kept = iter(holm([found.p_not_above(-margin) for found in told if found]))
    comparisons = []
    for grid, found in zip(grids, told, strict=True):
        if found is None:
            verdict: Verdict = "too few seeds" if grid.any() else "same numbers"
            rest = conditional(grid, seed)
            comparisons.append(Comparison(rest, None, None, None, verdict, False))
            continue
        p, p_holm = next(adjusted)
        verdict = "not resolved"
        if p_holm < 1 - LEVEL:
            verdict = "better" if found.value > 0 else "worse"
        replaces = next(kept) < (1 - LEVEL) / 2
        comparisons.append(Comparison(found.interval(), found, p, p_holm, verdict, replaces))
    return comparisons

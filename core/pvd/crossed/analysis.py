"""The mean of a grid, its error, and where the spread is from.

Seeds (rows) and personas (columns) are random effects, crossed, with one value a cell:

    y[i, j] = mean + seed[i] + persona[j] + residual[i, j]

Mean squares say where the spread is from. Seeds and personas do not add to it where theirs is
below that of the residual; such a mean square is pooled with the residual's, which is what
restricted maximum likelihood does for balanced data (Thompson 1962, Ann. Math. Stat. 33). So the
variance of the mean is (MS_seed + MS_persona - MS_residual) / (S * P) where both add something,
and never less than the residual leaves. Its degrees of freedom are Satterthwaite's (1946).

Measured for normal effects, 5 to 20 seeds, 20 to 200 personas: 95 % intervals cover 94.1 to 97.0 %,
and up to 97.8 % where neither seeds nor personas add much (docs/method.md has the table).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pvd import estimates
from pvd.records import Estimate

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Grid = npt.NDArray[np.float64]

LEVEL: float = 0.95  #: of all intervals


@dataclass(frozen=True)
class Components:
    """Variances of one value of a grid, in squared points; estimates are never below 0."""

    seed: float  #: by which means of seeds differ
    persona: float  #: by which means of personas differ
    residual: float  #: what is left in a cell

    def error(self, seeds: int, personas: int) -> float:
        """The standard error of the mean of a grid of that size."""
        own = self.seed / seeds + self.persona / personas
        return math.sqrt(own + self.residual / (seeds * personas))


@dataclass(frozen=True)
class Crossed:
    """The mean of a grid and its standard error, over both seeds and personas."""

    value: float  #: the mean
    error: float  #: its standard error
    freedom: float  #: the error's degrees of freedom (Satterthwaite 1946)
    seeds: int  #: rows
    personas: int  #: columns
    components: Components  #: where the spread is from
    mean_squares: tuple[float, float, float]  #: of seeds, personas, residual, before any pooling

    def interval(self, level: float = LEVEL) -> Estimate:
        """Student's t interval of the mean, for other seeds and other personas of the kind."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.freedom, (1 + level) / 2)) * self.error
        over = f"{self.seeds} seeds x {self.personas} personas (two-way)"
        return Estimate(self.value, self.value - half, self.value + half, over)

    def p_differs(self, null: float = 0.0, *, one_of_many: bool = False) -> float:
        """Two-sided: how often chance brings a mean as far from `null`, if that is the truth.

        A grid without any spread tests nothing: 1.
        """
        return min(1.0, 2 * self._above(abs(self.value - null), one_of_many))

    def p_not_above(self, bound: float, *, one_of_many: bool = False) -> float:
        """One-sided: small where the mean is surely above `bound`."""
        return self._above(self.value - bound, one_of_many)

    def _above(self, distance: float, one_of_many: bool) -> float:
        """The chance of a mean that lies so far above, the truth being 0.

        A correction for many comparisons looks far into the tail. There Satterthwaite's freedom,
        itself an estimate, is too hopeful: of five seeds it rejects up to 1.8 % where .83 % are
        due. So `one_of_many` takes the generalised p-value (Tsui and Weerahandi 1989, JASA 84) if
        that is larger: the chance over all variances that the mean squares leave possible, each
        mean square times its freedom over a chi-square of that freedom.
        """
        import numpy as np
        from scipy.special import ndtr, stdtr

        if not self.error:
            return 1.0
        by_t = float(stdtr(self.freedom, -distance / self.error))
        if not one_of_many:
            return by_t
        draws, weights = chi_squares(self.seeds, self.personas)
        seed, persona, rest = np.array(self.mean_squares)[:, None] / draws
        errors = np.sqrt(np.maximum(seed + persona - rest, rest) / (self.seeds * self.personas))
        return max(by_t, float(weights @ ndtr(-distance / errors)))

    def spreads(self, level: float = LEVEL) -> dict[str, Estimate]:
        """The components by name, with intervals: few seeds tell little about how much seeds vary.

        Seeds and personas by Tukey and Williams (Williams 1962, Biometrika 49), the residual by
        the chi-square of its mean square.
        """
        from scipy.special import chdtri, fdtri

        degrees, tails = _degrees(self.seeds, self.personas), ((1 - level) / 2, (1 + level) / 2)
        rest = self.mean_squares[2]
        over = f"{self.seeds} seeds x {self.personas} personas"
        low, high = (degrees[2] * rest / float(chdtri(degrees[2], tail)) for tail in tails)
        found = {"residual": Estimate(self.components.residual, low, high, over)}
        for name, square, freedom, size in zip(
            ("seed", "persona"),
            self.mean_squares,
            degrees,
            (self.personas, self.seeds),
            strict=False,
        ):
            low, high = (
                max(0.0, freedom * (square - float(fdtri(freedom, degrees[2], 1 - tail)) * rest))
                / (size * float(chdtri(freedom, tail)))
                for tail in tails
            )
            found[name] = Estimate(getattr(self.components, name), low, high, over)
        return found


def analyse(grid: npt.ArrayLike) -> Crossed:
    """The mean of a grid, its error over both seeds and personas, and where the spread is from."""
    import numpy as np

    values = np.asarray(grid, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError("a two-way interval needs at least two seeds and two personas")
    if not np.isfinite(values).all():
        raise ValueError("a two-way interval needs a number for every seed and persona")
    seeds, personas = values.shape
    center = float(values.mean())
    apart = values - center if np.ptp(values) else np.zeros_like(values)
    rows, columns = apart.mean(axis=1, keepdims=True), apart.mean(axis=0, keepdims=True)
    sums = [(part**2).sum() * values.size / part.size for part in (rows, columns, apart)]
    sums[2] = ((apart - rows - columns) ** 2).sum()
    squares = np.array(sums) / _degrees(seeds, personas)
    pooled, freedom = pooled_squares(squares, seeds, personas)
    components = Components(
        float(pooled[0] - pooled[2]) / personas,
        float(pooled[1] - pooled[2]) / seeds,
        float(pooled[2]),
    )
    error = components.error(seeds, personas)
    own = (float(squares[0]), float(squares[1]), float(squares[2]))
    return Crossed(center, error, float(freedom), seeds, personas, components, own)


def _degrees(seeds: int, personas: int) -> tuple[int, int, int]:
    return (seeds - 1, personas - 1, (seeds - 1) * (personas - 1))


def pooled_squares(squares: Grid, seeds: int, personas: int) -> tuple[Grid, Grid]:
    """Mean squares [3, ...] after pooling, and the freedom of seed + persona - residual."""
    import numpy as np

    (seed, persona, rest), (ds, dp, dr) = squares, _degrees(seeds, personas)
    root = np.min(
        [
            rest,
            (ds * seed + dr * rest) / (ds + dr),
            (dp * persona + dr * rest) / (dp + dr),
            (ds * seed + dp * persona + dr * rest) / (ds + dp + dr),
        ],
        axis=0,
    )
    kept = squares[:2] > root
    own = np.where(kept, squares[:2], root)
    spread = np.where(kept[0], own[0] ** 2 / ds, 0) + np.where(kept[1], own[1] ** 2 / dp, 0)
    # The residual's part: none if one alone is kept, since then the residual cancels out.
    left = dr + np.where(kept[0], 0, ds) + np.where(kept[1], 0, dp)
    spread = spread + np.where(kept[0] == kept[1], root**2 / left, 0)
    total = own.sum(axis=0) - root
    freedom = np.divide(total**2, spread, out=np.full_like(total, ds), where=spread > 0)
    return np.stack([*own, root]), freedom


@lru_cache(maxsize=64)
def chi_squares(seeds: int, personas: int) -> tuple[Grid, Grid]:
    """Chi-squares over their freedom, [3, N], and the weights of these N points: to average over
    them is to integrate, by Gauss and Hermite in the normal scores of the three."""
    import numpy as np
    from scipy.special import gammainccinv, gammaincinv, ndtr

    axes = [np.polynomial.hermite_e.hermegauss(count) for count in (24, 12, 6)]
    degrees = _degrees(seeds, personas)
    # From the nearer end of the scale, where the chance does not round to 1.
    scores = [
        np.where(x < 0, gammaincinv(d / 2, ndtr(x)), gammainccinv(d / 2, ndtr(-x))) * 2 / d
        for d, (x, _) in zip(degrees, axes, strict=True)
    ]
    draws = np.stack([grid.ravel() for grid in np.meshgrid(*scores, indexing="ij")])
    weights = np.einsum("i,j,k->ijk", *(w / w.sum() for _, w in axes)).ravel()
    return draws, weights


def conditional(grid: npt.ArrayLike, seed: int) -> Estimate:
    """The mean with an interval over personas alone: for these very seeds, not for others."""
    import numpy as np

    values = np.atleast_2d(np.asarray(grid, dtype=np.float64))
    seeds, personas = values.shape
    over = f"{personas} personas, given {'this 1 seed' if seeds == 1 else f'these {seeds} seeds'}"
    return estimates.mean(values.mean(axis=0).tolist(), seed, over)

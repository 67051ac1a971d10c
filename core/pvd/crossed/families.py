"""Many differences judged together: verdicts that stay true for all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pvd.crossed.analysis import LEVEL, Crossed, analyse, conditional
from pvd.records import Estimate

if TYPE_CHECKING:
    import numpy.typing as npt

FEW_SEEDS: int = 5  #: with fewer, no verdict
#: What a comparison comes to.
Verdict = Literal["better", "worse", "not resolved", "too few seeds", "same numbers"]


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for being many, in the given order (Holm 1979, Scand. J. Stat. 6)."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted, least = [0.0] * len(p_values), 0.0
    for done, number in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - done) * p_values[number]))
        adjusted[number] = least
    return adjusted


@dataclass(frozen=True)
class Comparison:
    """B - A: how large, how sure, and whether B may stand in for A.

    `p_holm` and `replaces` are adjusted for all comparisons made together, so that a verdict asks
    for more than the interval of one difference does.
    """

    estimate: Estimate  #: the difference, with the 95 % interval of it alone
    crossed: Crossed | None  #: its error and spread; None with too few seeds
    p: float | None  #: two-sided, of this difference alone
    p_holm: float | None  #: adjusted for all of them
    verdict: Verdict  #: by `p_holm`
    replaces: bool  #: B is not worse than A by `margin`: one-sided, 2.5 %


def compare(differences: Sequence[npt.ArrayLike], margin: float, seed: int) -> list[Comparison]:
    """One comparison for each grid of B - A in points; all of them are one family (Holm)."""
    import numpy as np

    grids: list[Any] = [np.atleast_2d(np.asarray(grid, dtype=np.float64)) for grid in differences]
    # Beyond the ninth decimal of a percentile is rounding, which is no spread.
    grids = [g if np.ptp(g) > 1e-9 else np.full_like(g, round(float(g.mean()), 9)) for g in grids]
    told = [analyse(g) if len(g) >= FEW_SEEDS and g.any() else None for g in grids]
    tested = [found for found in told if found]
    many = len(tested) > 1
    adjusted = iter(holm([found.p_differs(one_of_many=many) for found in tested]))
    kept = iter(holm([found.p_not_above(-margin, one_of_many=many) for found in tested]))
    comparisons = []
    for grid, found in zip(grids, told, strict=True):
        verdict: Verdict
        if found is None:
            verdict = "too few seeds" if grid.any() else "same numbers"
            given = conditional(grid, seed)
            comparisons.append(Comparison(given, None, None, None, verdict, False))
            continue
        p_holm, replaces = next(adjusted), next(kept) < (1 - LEVEL) / 2
        verdict = "not resolved"
        if p_holm < 1 - LEVEL:
            verdict = "better" if found.value > 0 else "worse"
        comparisons.append(
            Comparison(found.interval(), found, found.p_differs(), p_holm, verdict, replaces)
        )
    return comparisons

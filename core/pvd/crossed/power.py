"""What a comparison can see: the smallest difference that is found, and the seeds that it takes."""

from __future__ import annotations

from pvd.crossed.analysis import Components, chi_squares, pooled_squares
from pvd.crossed.families import FEW_SEEDS


def detectable(
    components: Components, seeds: int, personas: int, power: float = 0.8, level: float = 0.05
) -> float:
    """The smallest true difference that the two-sided test of level `level` finds so often.

    The power of that very test for normal effects: integrated over the three mean squares, which
    are independent of the mean, instead of a noncentral t with some guessed freedom. For the first
    of m comparisons by Holm give `level / m`.
    """
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import ndtr, stdtrit

    error = components.error(seeds, personas)
    if not error:
        return 0.0
    rest = components.residual
    expected = (personas * components.seed + rest, seeds * components.persona + rest, rest)
    draws, weights = chi_squares(seeds, personas)
    pooled, freedom = pooled_squares(np.array(expected)[:, None] * draws, seeds, personas)
    errors = np.sqrt((pooled[0] + pooled[1] - pooled[2]) / (seeds * personas))
    needed = stdtrit(freedom, 1 - level / 2) * errors / error

    def short(shift: float) -> float:
        """How much power is missing if the difference is so many standard errors."""
        return power - float(weights @ (ndtr(shift - needed) + ndtr(-shift - needed)))

    most = 8.0
    while short(most) > 0:
        most *= 2
    return error * float(brentq(short, 0.0, most))


def seeds_needed(
    components: Components,
    personas: int,
    difference: float,
    power: float = 0.8,
    level: float = 0.05,
    most: int = 1000,
) -> int | None:
    """The fewest seeds, FEW_SEEDS at least, that find such a difference with that power; None if
    `most` do not: what personas differ in remains, however many seeds."""

    def enough(seeds: int) -> bool:
        return detectable(components, seeds, personas, power, level) <= difference

    low, high = FEW_SEEDS, most
    if enough(low):
        return low
    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

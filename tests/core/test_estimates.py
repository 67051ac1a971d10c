"""Means with bootstrap intervals, and their paired differences."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from pvd import Estimate, estimates, exam

Sample = npt.NDArray[np.float64]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # No spread, no interval.
        ([7.0, 7.0, 7.0], (7, 7, 7)),
        ([3.0], (3, 3, 3)),
        # Resamples of two are 0, 1/2, 1 with chances 1/4, 1/2, 1/4: the 2.5 % ends are 0 and 1.
        ([0.0, 1.0], (0.5, 0, 1)),
        # Of six coins resampled, k heads have the chance C(6, k) / 64. None: 1/64 < 2.5 %, one at
        # most: 7/64 > 2.5 %; so the ends are 1/6 and 5/6.
        ([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], (1 / 2, 1 / 6, 5 / 6)),
    ],
)
def test_by_hand(values: list[float], expected: tuple[float, float, float]) -> None:
    found = estimates.mean(values, seed=0, over="test")

    assert (found.value, found.low, found.high) == pytest.approx(expected)
    assert found.values == tuple(values)
    assert found.over == "test"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # (1 - p)^29 = 2.5 % for p = 11.94 %: the rule of three's exact cousin.
        ([0.0] * 29, (0, 0, 11.944)),
        ([100.0] * 29, (100, 88.056, 100)),
        # All places are tied: any other persona would get half a hit, too.
        ([50.0, 50.0], (50, 50, 50)),
        # Where they differ, it is the mean.
        ([0.0, 0.0, 0.0, 100.0, 100.0, 100.0], (50, 100 / 6, 500 / 6)),
    ],
)
def test_hits_of_all_or_none_are_not_sure(
    values: list[float], expected: tuple[float, float, float]
) -> None:
    found = estimates.percentage(values, seed=0, over="test")

    assert (found.value, found.low, found.high) == pytest.approx(expected, abs=0.001)
    assert (found.values, found.over) == (tuple(values), "test")


@pytest.mark.parametrize("value", [-1.0, 100.5, float("nan")])
def test_a_percentage_is_one(value: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        estimates.percentage([50.0, value], seed=0, over="test")


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (2, 9), (9, 9), (30, 100)])
def test_the_ends_of_a_share_leave_its_hits_a_fortieth_each(hits: int, trials: int) -> None:
    low, high = estimates.clopper_pearson(hits, trials)

    if hits:
        assert binom.sf(hits - 1, trials, low) == pytest.approx(0.025)
    if hits < trials:
        assert binom.cdf(hits, trials, high) == pytest.approx(0.025)
    assert (low == 0, high == 1) == (hits == 0, hits == trials)


def test_for_many_values_it_is_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(50, 20, size=400)

    found = estimates.mean(values.tolist(), seed=1, over="test")

    error = values.std() / 20  # of the mean of 400
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.05 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.05 * error)


def _normal(rng: np.random.Generator) -> Sample:
    return rng.normal(60, 25, size=64)


def _skewed(rng: np.random.Generator) -> Sample:
    # Most personas' winners near the top, as percentile ranks are: Beta(4, 1) has the mean 4/5.
    return 100 * rng.beta(4, 1, size=64)


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "truth"), [(_normal, 60), (_skewed, 80)])
def test_the_interval_covers_the_mean_in_95_of_100_data_sets(
    draw: Callable[[np.random.Generator], Sample], truth: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimates, "RESAMPLES", 2000)  # for speed; 10 000 only smooth the ends
    rng = np.random.default_rng(11)
    sets = 600

    covered = 0
    for seed in range(sets):
        found = estimates.mean(draw(rng).tolist(), seed, "test")
        covered += found.low <= truth <= found.high

    # A percentile interval over 64 values covers 94.3 % of normal ones (Student's t with 63
    # degrees of freedom at 1.96 * sqrt(63 / 64)), less if skewed; 600 sets spread that by 0.95 %.
    assert covered / sets == pytest.approx(0.94, abs=3 * (0.94 * 0.06 / sets) ** 0.5)


def test_pairing_takes_out_what_personas_have_in_common() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(60, 25, size=80)  # some personas are hard for both students
    a = estimates.mean((hard + 3 + rng.normal(0, 2, size=80)).tolist(), 1, "test")
    b = estimates.mean((hard + rng.normal(0, 2, size=80)).tolist(), 1, "test")

    gain = estimates.difference(a, b, 1)

    # The noise of a difference is sqrt(2) * 2, that of a mean about 25: a ninth as wide.
    assert gain.value == pytest.approx(a.value - b.value)
    assert gain.high - gain.low < (a.high - a.low) / 7
    assert gain.low > 0
    assert a.low < b.high  # unpaired, the two could not be told apart


def test_a_difference_by_hand() -> None:
    a, b = (Estimate(0, 0, 0, "test", values) for values in ((5.0, 1.0, 9.0), (4.0, 0.0, 8.0)))

    gain = estimates.difference(a, b, seed=0)

    # 1 for each, and so without an interval.
    assert (gain.value, gain.low, gain.high, gain.values) == (1, 1, 1, (1, 1, 1))


def test_who_has_no_value_has_no_part_in_it() -> None:
    known = np.random.default_rng(0).random(12).tolist()
    whole, some = estimates.mean(known, 5, "test"), [None, *known[:6], None, *known[6:]]

    found = estimates.mean(some, 5, "test")

    assert (found.value, found.low, found.high) == (whole.value, whole.low, whole.high)
    assert (found.values, found.missing, whole.missing) == (tuple(some), 2, 0)
    assert estimates.plain(found)["missing"] == 2
    assert "missing" not in estimates.plain(whole)
    with pytest.raises(ValueError, match="at least one value"):
        estimates.mean([None, None], 0, "test")


def test_a_share_of_those_who_have_a_value() -> None:
    everybody, some = [100.0] * 9, [100.0] * 9 + [None] * 30
    one, other = (estimates.percentage(values, 0, "test") for values in (everybody, some))
    assert (one.low, one.high) == (other.low, other.high)


def test_a_difference_is_over_those_who_have_a_value_in_both() -> None:
    a = estimates.mean([1.0, 2.0, None, 8.0], 0, "test")
    b = estimates.mean([0.0, None, 5.0, 4.0], 0, "test")

    gain = estimates.difference(a, b, 0)

    assert (gain.value, gain.values, gain.missing) == (2.5, (1.0, None, None, 4.0), 2)
    with pytest.raises(ValueError, match="at least one value"):
        estimates.difference(
            estimates.mean([1.0, None], 0, ""), estimates.mean([None, 1.0], 0, ""), 0
        )


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).random(30).tolist()

    assert estimates.mean(values, 5, "test") == estimates.mean(values, 5, "test")
    assert estimates.mean(values, 5, "test").low != estimates.mean(values, 6, "test").low


def test_systems_on_the_same_personas_share_their_resamples() -> None:
    values = np.random.default_rng(0).random(30)

    one = estimates.mean(values.tolist(), 5, "test")
    other = estimates.mean((10 - 2 * values).tolist(), 5, "test")

    # With the same resamples the interval of 10 - 2x is exactly the mirrored one.
    assert (other.low, other.high) == pytest.approx((10 - 2 * one.high, 10 - 2 * one.low))


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        estimates.mean([], 0, "test")


def test_a_difference_needs_the_same_personas() -> None:
    a, b = (estimates.mean(values, 0, "test") for values in ([1.0, 2.0], [1.0]))

    with pytest.raises(ValueError, match="same personas"):
        estimates.difference(a, b, 0)


def test_a_gain_needs_a_value_for_each_of_the_same_personas() -> None:
    """An evaluator may have none for a system, or for other personas of it."""
    whole, some = (estimates.mean([1.0, 2.0, 4.0][:n], 0, "all") for n in (3, 2))
    bare = replace(whole, values=())
    control = {"a": whole, "b": some, "c": bare, "d": whole, "e": some}
    results = dict.fromkeys(exam.CONTROLS, control)
    results["distilled"] = {"a": whole, "b": whole, "c": bare, "e": some}

    found = exam.gains(results, 3, seed=0)
    assert list(found) == list(exam.CONTROLS)
    # Two values each are not known to be those of the same two personas.
    assert all(list(gains) == ["a"] for gains in found.values())


def test_a_gain_is_over_those_who_have_a_value_in_both() -> None:
    first, last = (
        estimates.mean(values, 0, "all") for values in ([1.0, 3.0, None], [None, 2.0, 5.0])
    )
    other = estimates.mean([None, None, 1.0], 0, "all")
    results = {control: {"a": last, "b": other} for control in exam.CONTROLS}
    results["distilled"] = {"a": first, "b": first}

    gains = exam.gains(results, 3, seed=0)["zero-shot"]

    assert list(gains) == ["a"], "of b nobody has both"
    assert (gains["a"].value, gains["a"].missing) == (1, 2)

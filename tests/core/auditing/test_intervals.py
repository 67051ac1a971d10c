"""Intervals of sums clustered by persona: known cases, and how often they cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pvd.auditing import intervals


def test_a_ratio_of_equal_clusters_is_a_mean_with_student_t() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0])

    found = intervals.ratio(values, np.ones(4), "x")

    half = stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((3.5, 3.5 - half, 3.5 + half))


def test_personas_without_a_part_do_not_count() -> None:
    values, some = np.array([1.0, 2.0, 0.0]), np.array([1.0, 1.0, 0.0])
    assert intervals.ratio(values, some, "") == intervals.ratio(values[:2], some[:2], "")
    assert intervals.ratio(values[:1], some[:1], "") is None


def test_a_share_of_single_answers_is_that_of_clopper_and_pearson() -> None:
    hits = np.array([1.0] * 7 + [0.0] * 23)

    found = intervals.share(hits, np.ones(30), 30, "")

    exact = stats.binomtest(7, 30).proportion_ci(method="exact")
    assert found is not None
    # The variance is estimated with n - 1, so that it is worth a little less than 30 answers.
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=0.005)
    assert found.low < exact.low < exact.high < found.high


@pytest.mark.parametrize("all", [0.0, 1.0])
def test_a_share_of_none_or_all_has_a_width(all: float) -> None:
    found = intervals.share(np.full(50, 4 * all), np.full(50, 4.0), 200, "")

    assert found is not None
    width = 1 - 0.025 ** (1 / 200)  # the exact bound for 200 answers
    assert found.high - found.low == pytest.approx(width, rel=0.05)


def test_what_personas_share_widens_the_interval() -> None:
    alike = intervals.share(np.repeat([0.0, 10.0], 20), np.full(40, 10.0), 400, "")
    apart = intervals.share(np.full(40, 5.0), np.full(40, 10.0), 400, "")

    assert alike is not None
    assert apart is not None
    one_a_persona = stats.binomtest(20, 40).proportion_ci(method="exact")
    assert (alike.low, alike.high) == pytest.approx(tuple(one_a_persona), abs=0.01)
    assert apart.high - apart.low < (alike.high - alike.low) / 2


def test_clustered_intervals_cover() -> None:
    """Shares that differ between personas, answers of unequal number."""
    lot, truth, covered = np.random.default_rng(0), 0.06, {"share": 0, "ratio": 0}
    for _ in range(400):
        asked = lot.integers(6, 16, size=40)
        chance = lot.beta(0.5 * truth * 10, 0.5 * (1 - truth) * 10, size=40)
        hits = lot.binomial(asked, chance).astype(float)
        share = intervals.share(hits, asked.astype(float), float(asked.sum()), "")
        ratio = intervals.ratio(asked * lot.exponential(2.0, 40), asked.astype(float), "")
        assert share is not None
        assert ratio is not None
        covered["share"] += share.low <= truth <= share.high
        covered["ratio"] += ratio.low <= 2.0 <= ratio.high
    assert covered["share"] >= 0.93 * 400
    assert covered["ratio"] >= 0.91 * 400  # Student's t on skewed sums


def test_a_deviation_stays_above_zero_and_covers() -> None:
    lot, covered = np.random.default_rng(1), 0
    for _ in range(300):
        drawn = lot.gumbel(scale=2.0, size=(25, 12))
        rest = drawn - drawn.mean(axis=1, keepdims=True)
        found = intervals.deviation((rest**2).sum(axis=1), np.full(25, 11.0), "")
        assert found is not None
        assert found.low > 0
        covered += found.low <= 2.0 * np.pi / np.sqrt(6) <= found.high
    assert covered >= 0.92 * 300


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0])
    parts = np.stack([values, np.ones(4)], axis=1)

    found = intervals.jackknife(lambda total: float(total[0] / total[1]), parts, "")

    assert found is not None
    mean = intervals.ratio(values, np.ones(4), "")
    assert mean is not None
    assert (found.low, found.high) == pytest.approx((mean.low, mean.high))


def test_percentiles_lie_between_order_statistics() -> None:
    lot, covered = np.random.default_rng(2), 0
    for _ in range(300):
        found = intervals.percentile(lot.exponential(size=60), 0.95, "")
        assert found is not None
        covered += found.low <= -np.log(0.05) <= found.high
    assert covered >= 0.92 * 300
    assert intervals.percentile(np.array([1.0]), 0.5, "") is None

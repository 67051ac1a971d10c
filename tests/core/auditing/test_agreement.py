"""Agreement within and between teachers, against scipy and against chances that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau

from pvd.auditing import agreement


def test_tau_is_that_of_scipy_with_ties() -> None:
    lot = np.random.default_rng(0)
    ranks = lot.integers(1, 5, size=(40, 2, 6)).astype(float)

    found = agreement.within(ranks).tau

    expected = [kendalltau(a, b).statistic for a, b in ranks]
    assert found == pytest.approx(expected)


def test_unknown_items_are_left_out_of_tau() -> None:
    a = np.array([1.0, 2.0, 3.0, np.nan, 4.0])
    b = np.array([2.0, 1.0, 3.0, 4.0, np.nan])
    found = agreement.within(np.stack([a, b])[None]).tau
    assert found == pytest.approx([kendalltau(a[:3], b[:3]).statistic])
    # What ties everything, or says nothing, agrees with nobody.
    for none in (np.ones(5), np.full(5, np.nan)):
        assert np.isnan(agreement.within(np.stack([a, none])[None]).tau).all()


def test_tied_best_items_share_the_first_place() -> None:
    ranks = np.array([[[1.5, 1.5, 3.0], [1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0], [2.0, 1.0, 3.0]]])
    assert agreement.within(ranks).top == pytest.approx([0.5, 0.0])


def test_answers_whose_best_is_tied_are_counted() -> None:
    tied, alone = [1.5, 1.5, 3.0], [1.0, 2.5, 2.5]  # ties below the best do not matter
    nothing = [np.nan] * 3
    ranks = np.array([[tied, alone], [tied, nothing], [alone, alone], [alone, tied]])

    found = agreement.tied_best(ranks, np.arange(4), "")

    assert found is not None
    assert found.value == pytest.approx(3 / 7)
    assert found.low < found.value < found.high
    assert agreement.tied_best(np.full((4, 2, 3), np.nan), np.arange(4), "") is None


def test_teachers_are_compared_in_different_orders_only() -> None:
    """They say the same of the same order and the contrary of another one."""
    up, down = [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]
    one = np.array([[up, down]])

    assert agreement.within(one).tau == pytest.approx([-1])
    assert agreement.between(one, one).tau == pytest.approx([-1])


def drawn(worth: Any, orders: int, seed: int) -> Any:
    """Ranks [S, R, K] with Gumbel noise about what the items are worth [S, K]."""
    lot = np.random.default_rng(seed)
    heard = worth[:, None] + lot.gumbel(size=(len(worth), orders, worth.shape[1]))
    return (-heard).argsort(axis=2).argsort(axis=2) + 1.0


def test_one_taste_reaches_the_ceiling_whatever_the_noise() -> None:
    worth = np.random.default_rng(1).normal(size=(600, 5))
    who = np.arange(600) % 60
    sure, unsure = drawn(4 * worth, 3, 2), drawn(worth, 3, 3)
    # Not quite the same: the sure one's chances differ from the unsure one's, not only its noise.
    cross = agreement.between(drawn(worth, 3, 4), unsure)
    own = (agreement.within(drawn(worth, 3, 4)).tau, agreement.within(unsure).tau)

    found = agreement.ceiling(cross.tau, own, who, "")

    assert found.reached is not None
    assert found.missing is not None
    assert found.reached.value == pytest.approx(1, abs=0.06)
    assert found.missing.low <= 0 <= found.missing.high
    mixed = agreement.ceiling(
        agreement.between(sure, unsure).tau,
        (agreement.within(sure).tau, agreement.within(unsure).tau),
        who,
        "",
    )
    assert mixed.ceiling is not None
    assert mixed.reached is not None
    assert 0.85 < mixed.reached.value < 1.02


def test_another_taste_stays_below_the_ceiling() -> None:
    lot = np.random.default_rng(5)
    mine, theirs = 2 * lot.normal(size=(2, 300, 5))
    a, b = drawn(mine, 3, 6), drawn(0.6 * mine + 0.8 * theirs, 3, 7)
    own = (agreement.within(a).top, agreement.within(b).top)

    found = agreement.ceiling(agreement.between(a, b).top, own, np.arange(300) % 50, "")

    assert found.missing is not None
    assert found.missing.low > 0


def test_the_missing_agreement_covers_none_where_none_is_missing() -> None:
    covered = 0
    for seed in range(100):
        worth = np.random.default_rng([seed, 0]).normal(size=(60, 5))
        a, b = (drawn(worth, 3, seed * 2 + n + 1000) for n in range(2))
        own = (agreement.within(a).tau, agreement.within(b).tau)
        found = agreement.ceiling(agreement.between(a, b).tau, own, np.arange(60) % 30, "")
        assert found.missing is not None
        covered += found.missing.low <= 0 <= found.missing.high
    assert covered >= 90


def test_chance_and_certainty() -> None:
    who = np.arange(300) % 60
    lot = np.random.default_rng(8)
    luck = agreement.within(lot.random((300, 3, 5)).argsort(axis=2) + 1.0)
    tau = agreement.mean_tau(luck.tau, who, 5, "")
    top = agreement.mean_top(luck.top, who, "")
    assert tau is not None
    assert top is not None
    assert tau.low < 0 < tau.high
    assert top.low < 1 / 5 < top.high

    sure = agreement.within(np.tile(np.arange(1.0, 6.0), (300, 3, 1)))
    tau, top = (
        agreement.mean_tau(sure.tau, who, 5, ""),
        agreement.mean_top(sure.top, who, ""),
    )
    assert tau is not None
    assert top is not None
    assert (tau.value, tau.high, top.value, top.high) == pytest.approx((1, 1, 1, 1))
    # Even the same each time is no proof that it always will be.
    assert tau.low < 1
    assert top.low < 1

"""The place's effect and the noise: cases whose answer is known, and exactness of the test."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

from pvd.auditing import places


def shown(slates: int, orders: int, size: int, seed: int = 0) -> Any:
    """[S, R, K], where each item is shown: orders drawn at random."""
    lot = np.random.default_rng(seed)
    return lot.random((slates, orders, size)).argsort(axis=2)


def ranked(utilities: Any) -> Any:
    return (-utilities).argsort(axis=2).argsort(axis=2) + 1.0


def test_items_and_answers_of_their_own_level_change_no_slope() -> None:
    where, lot = shown(30, 3, 5), np.random.default_rng(1)
    bias = 2.0 * (1 - where / 4)
    levels = lot.normal(size=(30, 1, 5)) * 9 + lot.normal(size=(30, 3, 1)) * 9

    found = places.first_over_last(bias + levels, where, np.arange(30) % 7, "")
    noise = places.noise(bias + levels, where, np.arange(30) % 7, "")

    assert found is not None
    assert noise is not None
    assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))
    assert noise.value == pytest.approx(0, abs=1e-6)


def test_a_favour_of_any_shape_is_in_the_curve() -> None:
    where = shown(40, 3, 4)
    shape = np.array([1.0, 4.0, 2.0, 3.0])  # the rank is the place's alone

    found = places.curve(shape[where], where, np.arange(40) % 8, "")

    assert [one.value for one in found] == pytest.approx(shape)
    assert sum(one.value for one in found) == pytest.approx(10)


def test_who_looks_at_the_place_alone_cannot_be_chance() -> None:
    where = shown(25, 3, 5)
    assert places.permutation_test(where + 1.0, where, 0) == 1 / (1 + places.PERMUTATIONS)
    # A favour for the middle is no slope, and is found all the same.
    sides = np.where(np.arange(25) % 2, 1, -1)[:, None, None] * (where - 2.0)
    middle = ranked(-np.abs(where - 2.0) - sides / 100)
    found = places.first_over_last(-middle, where, np.arange(25), "")
    assert found is not None
    assert abs(found.value) < 0.5
    assert (places.permutation_test(middle, where, 0) or 1) < 0.001


def test_the_test_deals_the_answers_of_a_slate_and_nothing_else() -> None:
    """Against all ways to deal three slates' answers, written out."""
    where, lot = shown(3, 2, 3, seed=5), np.random.default_rng(6)
    ranks = ranked(lot.normal(size=(3, 2, 3)))

    def statistic(ways: Any) -> float:
        total = np.zeros(3)
        for slate, way in enumerate(ways):
            left = ranks[slate] - ranks[slate].mean(axis=0)
            for order, answer in enumerate(way):
                for item in range(3):
                    total[where[slate, order, item]] += left[answer, item]
        return float((total**2).sum())

    every = [statistic(ways) for ways in product(list(permutations(range(2))), repeat=3)]
    exact = np.mean([value >= every[0] - 1e-9 for value in every])

    assert places.permutation_test(ranks, where, 0) == pytest.approx(exact, abs=0.015)


def test_without_bias_the_probability_is_uniform() -> None:
    """Also where some items are much better than others."""
    found = []
    for seed in range(150):
        where, lot = shown(12, 3, 4, seed), np.random.default_rng([seed, 1])
        worth = 4 * lot.normal(size=(12, 1, 4)) + lot.gumbel(size=(12, 3, 4))
        found.append(places.permutation_test(ranked(worth), where, seed) or 0.0)
    shares = [np.mean(np.array(found) <= level) for level in (0.05, 0.25, 0.5, 0.75)]
    assert shares == pytest.approx([0.05, 0.25, 0.5, 0.75], abs=0.09)
    assert shares[0] <= 0.1


@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_the_noise_is_measured_beside_a_bias(scale: float) -> None:
    where, lot = shown(400, 3, 5), np.random.default_rng(2)
    worth = 3 * lot.normal(size=(400, 1, 5)) + 1.5 * (1 - where / 4)

    found = places.noise(
        worth + lot.gumbel(scale=scale, size=where.shape), where, np.arange(400) % 80, ""
    )

    assert found is not None
    assert places.gumbel(found).value == pytest.approx(scale, rel=0.06)


def test_answers_that_are_not_whole_are_left_out() -> None:
    where, lot = shown(20, 3, 4), np.random.default_rng(3)
    values = lot.normal(size=where.shape)
    spoiled, kept = values.copy(), values.copy()
    spoiled[:5, 0, 2] = np.nan  # one item is unknown
    kept[:5, 0] = np.nan
    spoiled[7, 1:] = np.nan  # one answer is left, which tells nothing
    kept[7] = np.nan
    who = np.arange(20) % 6

    assert places.first_over_last(spoiled, where, who, "") == places.first_over_last(
        kept, where, who, ""
    )
    assert places.permutation_test(ranked(values), where, 0) is not None
    assert places.permutation_test(np.full_like(values, np.nan), where, 0) is None
    assert places.first_over_last(np.full_like(values, np.nan), where, who, "") is None
    assert places.noise(np.full_like(values, np.nan), where, who, "") is None
    assert places.curve(np.full_like(values, np.nan), where, who, "") == []

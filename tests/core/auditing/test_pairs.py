"""Circular triples: counted one by one, by luck, and by noise of a known scale."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from pvd.auditing import pairs

PAIRS = list(combinations(range(5), 2))


def test_triples_are_counted_as_kendall_does() -> None:
    """From each item's wins: C(K, 3) minus the sum of C(wins, 2) (Kendall & Babington Smith)."""
    won = np.where(np.random.default_rng(0).random((50, 10)) < 0.5, 1.0, -1.0)

    found = pairs.circular(won, 5).sum(axis=1)

    for row, count in zip(won, found, strict=True):
        wins = np.zeros(5)
        for (i, j), sign in zip(PAIRS, row, strict=True):
            wins[i if sign > 0 else j] += 1
        assert count == 10 - (wins * (wins - 1) / 2).sum()


def test_a_coin_is_circular_in_a_quarter() -> None:
    lot, covered = np.random.default_rng(1), 0
    for _ in range(100):
        won = np.where(lot.random((30, 10)) < 0.5, 1.0, -1.0)
        found = pairs.intransitive(won, 5, np.arange(30) % 15, "")
        assert found is not None
        covered += found.low <= pairs.COIN <= found.high
    assert covered >= 92


def test_an_order_has_no_circle_and_ties_decide_nothing() -> None:
    found = pairs.intransitive(np.ones((20, 10)), 5, np.arange(20), "")
    assert found is not None
    assert found.value == 0
    assert 0.02 < found.high < 0.1  # of 200 comparisons
    won = np.ones((1, 10))
    won[0, 0] = 0.0  # items 0 and 1 tie: three of ten triples hold them both
    assert np.isnan(pairs.circular(won, 5)).sum() == 3
    assert pairs.intransitive(np.full((4, 10), np.nan), 5, np.arange(4), "") is None


def test_who_takes_the_first_is_found() -> None:
    shown = np.where(np.random.default_rng(2).random((40, 10)) < 0.5, 1.0, -1.0)
    found = pairs.first_wins(shown.copy(), shown, np.arange(40), "")
    assert found is not None
    assert found.value == 1
    assert found.low > 0.9


@pytest.mark.parametrize(("spread", "bias"), [(0.0, 0.0), (1.0, 0.0), (1.5, 2.0)])
def test_what_noise_alone_brings_is_predicted(spread: float, bias: float) -> None:
    """From utilities of three orders, against comparisons by the same noise."""
    lot, slates = np.random.default_rng(3), 600
    worth = spread * lot.normal(size=(slates, 5))
    where = lot.random((slates, 3, 5)).argsort(axis=2)
    utilities = worth[:, None] + bias * (1 - where / 4) + lot.gumbel(size=where.shape)
    i, j = np.triu_indices(5, 1)
    shown = np.where(lot.random((slates, 10)) < 0.5, 1.0, -1.0)
    heard: Any = worth[:, i] - worth[:, j] + bias * shown
    won = np.sign(heard + lot.logistic(size=(slates, 10)))
    who = np.arange(slates) % 100

    found = pairs.by_noise_alone(
        won, shown, utilities, where, who, (np.pi / np.sqrt(6), 1.0, bias), 0, ""
    )

    came = pairs.intransitive(won, 5, who, "")
    assert found is not None
    assert came is not None
    assert found.value == pytest.approx(came.value, abs=0.02)
    assert came.low <= found.value <= came.high

"""Utilities that are log-odds are found to be, and others by how much they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pvd.auditing.calibration import calibration, slope


def judged(slates: int, steep: float, seed: int) -> tuple[Any, Any]:
    """Utilities [S, R, K] without noise of their own, and ranks of two items that follow them."""
    lot = np.random.default_rng(seed)
    worth = 2 * lot.normal(size=(slates, 2))
    utilities = np.repeat(worth[:, None], 3, axis=1)
    margin = utilities[..., 0] - utilities[..., 1]
    first = lot.random(margin.shape) < 1 / (1 + np.exp(-steep * margin))
    return utilities, np.where(first[..., None], [1.0, 2.0], [2.0, 1.0])


@pytest.mark.parametrize("steep", [0.4, 1.0, 3.0])
def test_the_slope_is_covered(steep: float) -> None:
    covered = 0
    for seed in range(60):
        utilities, ranks = judged(120, steep, seed)
        found = calibration(utilities, ranks, np.arange(120) % 30, seed, "")
        assert found is not None
        assert found.slope is not None
        covered += found.slope.low <= steep <= found.slope.high
    assert covered >= 53


def test_bins_and_error_tell_the_sure_from_the_right() -> None:
    right = calibration(*judged(1500, 1.0, 1), np.arange(1500) % 100, 0, "")
    sure = calibration(*judged(1500, 0.3, 1), np.arange(1500) % 100, 0, "")

    assert right is not None
    assert sure is not None
    assert all(b.observed.low <= b.predicted <= b.observed.high for b in right.bins)
    assert sum(b.count for b in right.bins) == right.comparisons == 1500 * 6
    assert right.error is not None
    assert sure.error is not None
    assert right.error.value < 0.02
    assert sure.error.low > 0.1
    assert sure.bins[-1].observed.high < sure.bins[-1].predicted


def test_the_scale_is_of_no_importance_but_for_the_slope() -> None:
    margin, lot = np.linspace(0.1, 3, 400), np.random.default_rng(2)
    came = (lot.random(400) < 1 / (1 + np.exp(-margin))).astype(float)
    who = np.arange(400) % 40

    one, thousand = slope(margin, came, who, ""), slope(1000 * margin, came, who, "")

    assert one is not None
    assert thousand is not None
    assert (thousand.value, thousand.low) == pytest.approx((one.value / 1000, one.low / 1000))


def test_what_always_comes_true_has_no_slope() -> None:
    utilities, _ = judged(50, 1.0, 3)
    ranks = np.where(utilities[..., :1] > utilities[..., 1:], [1.0, 2.0], [2.0, 1.0])
    found = calibration(utilities, ranks, np.arange(50), 0, "")
    assert found is not None
    assert found.slope is None
    nothing = calibration(np.full_like(utilities, np.nan), ranks, np.arange(50), 0, "")
    assert nothing is None

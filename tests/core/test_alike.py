"""Twenty comparisons of a method with itself, run for run: the statistics meet real numbers.

The runs are those of tests/bench/alike.py: whole ones through `pvd.run`, 200 of a fraction of a
second, no two of which share a random stream.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from pvd import crossed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # minutes where the machine is busy

COMPARISONS, SEEDS = 20, 5
ALIKE = runpy.run_path(str(Path(__file__).parents[1] / "bench/alike.py"))
Grid = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder, and a store of answers for all runs of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def values(place: Path) -> Grid:
    """[runs, personas]: true MPR in points."""
    runs: Grid = ALIKE["measured"](range(2 * SEEDS * COMPARISONS), place)
    return runs


@pytest.fixture(scope="module")
def found(values: Grid) -> list[Any]:
    comparisons: list[Any] = ALIKE["compared"](values, SEEDS)
    assert len(comparisons) == COMPARISONS
    return comparisons


def test_independent_streams_make_different_runs(values: Grid, found: list[Any]) -> None:
    # Now and then validation keeps the untrained student, which is the same in all runs.
    assert len(np.unique(values, axis=0)) > 0.95 * len(values)
    for one in found:
        for arm in one.arms:
            assert len(np.unique(arm, axis=0)) > 1
            assert np.ptp(arm.mean(axis=1)) > 0.5  # points


def test_equal_streams_repeat_a_run_and_are_no_comparison(values: Grid, place: Path) -> None:
    again = place / "again"
    again.mkdir()
    repeated = ALIKE["measured"](range(SEEDS), again)
    assert repeated.tolist() == values[:SEEDS].tolist()
    (same,) = crossed.compare([repeated - values[:SEEDS]], margin=1, seed=0)
    assert same.verdict == "same numbers"
    assert same.estimate.low == same.estimate.high  # what the next test must not see


def test_no_interval_of_independent_runs_is_without_width(found: list[Any]) -> None:
    for one in found:
        interval = one.both.interval()
        assert interval.high - interval.low > 0.5  # points
        assert one.alone.low < one.alone.high


def test_about_one_in_twenty_is_called_different(found: list[Any]) -> None:
    # Of twenty with a chance of 5 % each, more than four come up once in 400 times.
    assert binom.sf(4, COMPARISONS, 0.05) < 1 / 380
    assert sum(one.differs for one in found) <= 4


def test_together_none_of_them_is_better(found: list[Any]) -> None:
    """As one family of twenty comparisons: one false verdict would have a chance of 5 %."""
    verdicts = crossed.compare([b - a for a, b in (one.arms for one in found)], margin=1, seed=0)
    assert {one.verdict for one in verdicts} == {"not resolved"}


def test_over_all_ways_to_pair_the_runs_the_rate_is_kept(values: Grid) -> None:
    """Five of them against five others, a thousand times: less noise than in twenty comparisons.
    Intervals over personas alone call more than twice as many different."""
    rng = np.random.default_rng(0)
    both = alone = 0
    repeats = 100
    for _ in range(repeats):
        mixed = values[rng.permutation(len(values))[: 2 * SEEDS * 10]]
        for one in ALIKE["compared"](mixed, SEEDS):
            both += one.differs
            alone += one.differs_alone
    assert 0.01 < both / (10 * repeats) < 0.06
    assert alone > 2 * both

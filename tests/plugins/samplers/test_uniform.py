"""The uniform sampler is fair, and deaf to scores and global generators."""

from collections import Counter

import torch
from scipy.stats import chisquare
from torch import Generator

from pvd.testing import pool
from pvd_plugins.samplers.uniform import Uniform


def test_every_pair_is_as_likely_as_any_other() -> None:
    rows = Uniform().draw(pool(slots=2800, count=8), 2, Generator().manual_seed(0))

    # 28 pairs, 100 expected of each; and each in both orders.
    pairs = Counter((min(row), max(row)) for row in rows.tolist())
    assert len(pairs) == 28
    assert chisquare(list(pairs.values())).pvalue > 0.01
    assert chisquare([int((rows[:, 0] < rows[:, 1]).sum()), 1400]).pvalue > 0.01


def test_no_item_stands_twice_in_a_row() -> None:
    rows = Uniform().draw(pool(slots=50, count=5), 5, Generator().manual_seed(0))

    assert rows.sort(1).values.tolist() == [[0, 1, 2, 3, 4]] * 50


def test_scores_make_no_difference() -> None:
    one, other = pool(seed=0), pool(seed=1)
    assert not torch.equal(one.scores, other.scores)

    first, second = (Uniform().draw(p, 5, Generator().manual_seed(7)) for p in (one, other))

    assert torch.equal(first, second)


def test_neither_reads_nor_moves_the_global_generator() -> None:
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        drawn.append(Uniform().draw(pool(), 5, Generator().manual_seed(3)))
        assert torch.equal(before, torch.get_rng_state())

    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0], Uniform().draw(pool(), 5, Generator().manual_seed(4)))

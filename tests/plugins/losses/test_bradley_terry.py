"""The Bradley-Terry loss against numbers worked out by hand, and against choix.

Strengths 6, 2 and 1 make it easy: the chance that the first beats the second is 6 / (6 + 2).
"""

import math
from dataclasses import replace

import choix
import numpy as np
import pytest
import torch
from choix.opt import PairwiseFcts

from pvd import Ranking
from pvd.testing import scored_batch
from pvd_plugins.losses.bradley_terry import BradleyTerry

STRENGTHS = [math.log(6), math.log(2), math.log(1)]


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        # 6/8 * 6/7 * 2/3 = 3/7
        (Ranking.from_order([0, 1, 2]), math.log(7 / 3)),
        # 1/3 * 1/7 * 2/8 = 1/84
        (Ranking.from_order([2, 1, 0]), math.log(84)),
        # A tie is no pair: 6/8 * 6/7 = 9/14.
        (Ranking(((0,), (1, 2))), math.log(14 / 9)),
        # 6/7 * 2/3 = 4/7
        (Ranking(((0, 1), (2,))), math.log(7 / 4)),
        # The third is not placed: 6/8.
        (Ranking.from_order([0, 1]), math.log(4 / 3)),
        # The first is not placed: 1/3.
        (Ranking.from_order([2, 1]), math.log(3)),
        # The rest is worse, and tied with each other: as two lines above the last.
        (Ranking(((0,),), rest="worse"), math.log(14 / 9)),
        # Nothing is said about the rest.
        (Ranking(((0,),)), 0.0),
        # All the same.
        (Ranking(((0, 1, 2),)), 0.0),
    ],
)
def test_the_pairs_of_one_slate(ranking: Ranking, expected: float) -> None:
    batch = scored_batch([STRENGTHS], [ranking.ranks(3)])

    assert BradleyTerry(scale=1)(batch).item() == pytest.approx(expected, abs=1e-6)


def test_cosines_are_multiplied_by_the_scale() -> None:
    halves = [s / 2 for s in STRENGTHS]

    # 2 * s / 2 = s, so the strict ranking costs log 7/3 again.
    value = BradleyTerry(scale=2)(scored_batch([halves], [[0, 1, 2]]))

    assert value.item() == pytest.approx(math.log(7 / 3), abs=1e-6)


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        (Ranking.from_order([0, 1, 2]), math.log(7 / 3) / 3),  # three pairs
        (Ranking(((0,), (1, 2))), math.log(14 / 9) / 2),  # two pairs
        (Ranking(((0, 1, 2),)), 0.0),  # none, and no division by it
    ],
)
def test_mean_divides_by_the_pairs_of_the_slate(ranking: Ranking, expected: float) -> None:
    batch = scored_batch([STRENGTHS], [ranking.ranks(3)])

    value = BradleyTerry(scale=1, reduction="mean")(batch)

    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_the_mean_is_over_the_slates_that_state_a_pair() -> None:
    batch = scored_batch([STRENGTHS] * 4, [[0, 1, 2], [0, 0, 0], [2, 1, 0], [None, 0, None]])

    # Two of four: (log 7/3 + log 84) / 2 = log(196) / 2 = log 14.
    assert BradleyTerry(scale=1)(batch).item() == pytest.approx(math.log(14), abs=1e-5)


def test_older_judgments_weigh_less() -> None:
    ranks = [[0, 1, 2], [2, 1, 0], [0, 0, 0]]
    batch = scored_batch([STRENGTHS] * 3, ranks, weights=[1.0, 0.25, 1.0])

    # The third states nothing, and so its weight is left out of the denominator.
    expected = (math.log(7 / 3) + 0.25 * math.log(84)) / 1.25
    assert BradleyTerry(scale=1)(batch).item() == pytest.approx(expected, abs=1e-5)


def test_masked_places_do_not_count() -> None:
    batch = scored_batch([[*STRENGTHS, 9.0]], [[1, 2, 3, 0]])

    masked = replace(batch, mask=torch.tensor([[True, True, True, False]]))

    assert BradleyTerry(scale=1)(masked).item() == pytest.approx(math.log(7 / 3), abs=1e-6)


def test_a_hopeless_pair_costs_its_margin_and_stays_finite() -> None:
    scores = torch.tensor([[-1.0, 1.0]], requires_grad=True)

    value = BradleyTerry(scale=100)(scored_batch(scores, [[0, 1]]))
    value.backward()

    # -log sigmoid(-200) = 200 + log(1 + e^-200)
    assert value.item() == pytest.approx(200)
    assert scores.grad is not None
    assert scores.grad.tolist() == [[pytest.approx(-100), pytest.approx(100)]]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_choix_on_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    params = rng.normal(size=8)
    data = [tuple(int(i) for i in rng.choice(8, 2, replace=False)) for _ in range(30)]
    scores = torch.tensor([[params[winner], params[loser]] for winner, loser in data])

    value = BradleyTerry(scale=1)(scored_batch(scores, [[0, 1]] * 30))

    # Each pair is a slate of its own, and the loss is the mean over slates.
    likelihood = choix.log_likelihood_pairwise(data, params)
    assert 30 * value.item() == pytest.approx(-likelihood, rel=1e-12)


@pytest.mark.parametrize(
    "ranking",
    [
        Ranking.from_order([3, 1, 4, 0, 2]),
        Ranking(((3, 1), (4,), (0, 2))),
        Ranking(((2,), (0,))),
        Ranking(((4,), (0, 1)), rest="worse"),
    ],
)
def test_value_and_gradient_agree_with_choix_on_a_ranking(ranking: Ranking) -> None:
    params = np.random.default_rng(5).normal(size=5)
    scores = torch.tensor(params[None], requires_grad=True)

    value = BradleyTerry(scale=1)(scored_batch(scores, [ranking.ranks(5)]))
    value.backward()

    theirs = PairwiseFcts(ranking.pairs(5), penalty=0.0)
    assert value.item() == pytest.approx(theirs.objective(params), rel=1e-12)
    assert scores.grad is not None
    np.testing.assert_allclose(scores.grad[0].numpy(), theirs.gradient(params), atol=1e-12)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_gradient_is_the_derivative(reduction: str) -> None:
    noise = torch.Generator().manual_seed(2)
    scores = torch.randn(3, 4, dtype=torch.double, generator=noise) / 4
    ranks = [[0, 1, 2, 3], [1, 0, None, 0], [0, None, 1, 2]]
    loss = BradleyTerry(scale=7.0, reduction=reduction)

    assert torch.autograd.gradcheck(
        lambda s: loss(scored_batch(s, ranks, weights=[1.0, 0.5, 0.25])),
        (scores.requires_grad_(),),
    )


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_the_scale_must_be_positive(scale: float) -> None:
    with pytest.raises(ValueError, match="scale must be above 0"):
        BradleyTerry(scale=scale)

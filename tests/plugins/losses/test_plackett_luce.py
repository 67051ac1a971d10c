"""The Plackett-Luce loss against numbers worked out by hand, and against choix.

Strengths 6, 2 and 1 make it easy: the first is chosen from all three with chance 6/9, and then the
second with chance 2/3.
"""

import math
from dataclasses import replace

import choix
import numpy as np
import pytest
import torch
from choix.opt import Top1Fcts

from pvd import Ranking
from pvd.testing import scored_batch
from pvd_plugins.losses.plackett_luce import PlackettLuce

STRENGTHS = [math.log(6), math.log(2), math.log(1)]


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        # 6/9 * 2/3 = 4/9
        (Ranking.from_order([0, 1, 2]), math.log(9 / 4)),
        # 1/9 * 2/8 = 1/36
        (Ranking.from_order([2, 1, 0]), math.log(36)),
        # The last tier states nothing: 6/9.
        (Ranking(((0,), (1, 2))), math.log(3 / 2)),
        # Breslow: each of the tied ones is chosen from all three: 6/9 * 2/9 = 4/27.
        (Ranking(((0, 1), (2,))), math.log(27 / 4)),
        # The third is not placed: 6/8.
        (Ranking.from_order([0, 1]), math.log(4 / 3)),
        # The first is not placed: 1/3.
        (Ranking.from_order([2, 1]), math.log(3)),
        # The rest is worse: 6/9.
        (Ranking(((0,),), rest="worse"), math.log(3 / 2)),
        # Nothing is said about the rest.
        (Ranking(((0,),)), 0.0),
        # All the same.
        (Ranking(((0, 1, 2),)), 0.0),
    ],
)
def test_the_likelihood_of_one_slate(ranking: Ranking, expected: float) -> None:
    batch = scored_batch([STRENGTHS], [ranking.ranks(3)])

    assert PlackettLuce(scale=1)(batch).item() == pytest.approx(expected, abs=1e-6)


def test_cosines_are_multiplied_by_the_scale() -> None:
    halves = [s / 2 for s in STRENGTHS]

    # 2 * s / 2 = s, so the strict ranking costs log 9/4 again.
    value = PlackettLuce(scale=2)(scored_batch([halves], [[0, 1, 2]]))

    assert value.item() == pytest.approx(math.log(9 / 4), abs=1e-6)


def test_the_mean_is_over_the_slates_that_state_something() -> None:
    batch = scored_batch([STRENGTHS] * 4, [[0, 1, 2], [0, 0, 0], [2, 1, 0], [None, 0, None]])

    # Two of four: (log 9/4 + log 36) / 2 = log(81) / 2 = log 9.
    assert PlackettLuce(scale=1)(batch).item() == pytest.approx(math.log(9), abs=1e-5)


def test_older_judgments_weigh_less() -> None:
    ranks = [[0, 1, 2], [2, 1, 0], [0, 0, 0]]
    batch = scored_batch([STRENGTHS] * 3, ranks, weights=[1.0, 0.25, 1.0])

    # The third states nothing, and so its weight is left out of the denominator.
    expected = (math.log(9 / 4) + 0.25 * math.log(36)) / 1.25
    assert PlackettLuce(scale=1)(batch).item() == pytest.approx(expected, abs=1e-5)


def test_masked_places_do_not_count() -> None:
    batch = scored_batch([[*STRENGTHS, 9.0]], [[1, 2, 3, 0]])

    masked = replace(batch, mask=torch.tensor([[True, True, True, False]]))

    assert PlackettLuce(scale=1)(masked).item() == pytest.approx(math.log(9 / 4), abs=1e-6)


def test_a_hopeless_order_costs_its_margin_and_stays_finite() -> None:
    scores = torch.tensor([[-1.0, 1.0, 0.0]], requires_grad=True)

    value = PlackettLuce(scale=100)(scored_batch(scores, [[0, 1, None]]))
    value.backward()

    # log(1 + e^200) = 200, and the unplaced third moves nothing.
    assert value.item() == pytest.approx(200)
    assert scores.grad is not None
    assert scores.grad.tolist() == [[pytest.approx(-100), pytest.approx(100), 0]]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_choix_on_rankings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    params = rng.normal(size=9)
    data = [rng.permutation(9)[:5].tolist() for _ in range(20)]
    scores = torch.tensor(np.array([params[ranking] for ranking in data]))

    value = PlackettLuce(scale=1)(scored_batch(scores, [[0, 1, 2, 3, 4]] * 20))

    likelihood = choix.log_likelihood_rankings(data, params)
    assert 20 * value.item() == pytest.approx(-likelihood, rel=1e-12)


def test_agrees_with_choix_where_only_the_winner_is_known() -> None:
    params = np.random.default_rng(4).normal(size=5)
    ranking = Ranking(((3,),), rest="worse")

    value = PlackettLuce(scale=1)(scored_batch(params[None], [ranking.ranks(5)]))

    likelihood = choix.log_likelihood_top1([(3, [0, 1, 2, 4])], params)
    assert value.item() == pytest.approx(-likelihood, rel=1e-12)


def test_the_gradient_agrees_with_choix() -> None:
    params = np.random.default_rng(6).normal(size=5)
    scores = torch.tensor(params[None], requires_grad=True)
    order = [3, 1, 4, 0, 2]

    ranks = Ranking.from_order(order).ranks(5)
    PlackettLuce(scale=1)(scored_batch(scores, [ranks])).backward()

    theirs = Top1Fcts.from_rankings([order], penalty=0.0).gradient(params)
    assert scores.grad is not None
    np.testing.assert_allclose(scores.grad[0].numpy(), theirs, atol=1e-12)


def test_the_gradient_is_the_derivative() -> None:
    noise = torch.Generator().manual_seed(2)
    scores = torch.randn(3, 4, dtype=torch.double, generator=noise) / 4
    ranks = [[0, 1, 2, 3], [1, 0, None, 0], [0, None, 1, 2]]
    loss = PlackettLuce(scale=7.0)

    assert torch.autograd.gradcheck(
        lambda s: loss(scored_batch(s, ranks, weights=[1.0, 0.5, 0.25])),
        (scores.requires_grad_(),),
    )


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_the_scale_must_be_positive(scale: float) -> None:
    with pytest.raises(ValueError, match="scale must be above 0"):
        PlackettLuce(scale=scale)

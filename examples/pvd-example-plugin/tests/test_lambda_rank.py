"""The contract of a loss, and what this one costs."""

from __future__ import annotations

import math

import pytest
import torch
from pvd import testing

from pvd_example.lambda_rank import LambdaRank, places


class TestContract(testing.LossContract):
    """What core relies on; `pvd plugins check loss.lambda-rank` runs the same."""

    def component(self) -> LambdaRank:
        return LambdaRank()


def test_the_cost_of_one_slate_by_hand() -> None:
    # The teacher's best stands second: 2 items, one pair, gains 1 and 0, IDCG 1.
    batch = testing.scored_batch([[0.1, 0.3]], [[0, 1]])
    change = 1 - 1 / math.log2(3)
    cost = change * math.log(1 + math.exp(-10 * (0.1 - 0.3)))
    assert LambdaRank(scale=10.0)(batch).item() == pytest.approx(cost)


def test_three_items_by_hand() -> None:
    # Gains (2^2 - 1, 2^1 - 1, 0) / 3; the student has the first two the wrong way round.
    batch = testing.scored_batch([[0.2, 0.3, 0.1]], [[0, 1, 2]])
    gains, discounts = (1, 1 / 3, 0), (1 / math.log2(3), 1.0, 1 / math.log2(4))
    ideal = 1 + (1 / 3) / math.log2(3)
    scores = (0.2, 0.3, 0.1)
    cost = sum(
        abs(gains[i] - gains[j]) * abs(discounts[i] - discounts[j]) / ideal
        * math.log(1 + math.exp(-(scores[i] - scores[j])))
        for i, j in ((0, 1), (0, 2), (1, 2))
    )  # fmt: skip
    assert LambdaRank(scale=1.0)(batch).item() == pytest.approx(cost)


def test_a_mistake_at_the_top_costs_more_than_one_below() -> None:
    ranks = [[0, 1, 2, 3, 4]]
    top = testing.scored_batch([[0.4, 0.5, 0.3, 0.2, 0.1]], ranks)
    bottom = testing.scored_batch([[0.5, 0.4, 0.3, 0.1, 0.2]], ranks)
    assert LambdaRank()(top) > 1.5 * LambdaRank()(bottom)


def test_equal_scores_share_their_places() -> None:
    scores = torch.tensor([[0.5, 0.9, 0.5, 0.7]])
    placed = torch.tensor([[True, True, True, False]])
    assert places(scores, placed)[0, :3].tolist() == [2.5, 1.0, 2.5]


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="scale"):
        LambdaRank(scale=0.0)

"""LambdaRank: pairs count by what swapping them would change at the top of the list.

pvd run --loss lambda-rank
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import pvd
from pvd import kit

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True)
class LambdaRank(pvd.Loss):
    """`sum |dNDCG_ij| log(1 + exp(-scale (s_i - s_j)))` over the pairs ordered i before j.

    Burges 2010 ("From RankNet to LambdaRank to LambdaMART"), as a loss after Wang et al. 2018
    ("The LambdaLoss framework"): |dNDCG_ij| = |G_i - G_j| |1/D_i - 1/D_j| / IDCG is what swapping
    the two in the student's own order would change, D = log2(1 + place). An order has no grades: an
    item's gain G is 2^(items that the teacher puts below it) - 1, over the best item's, so that the
    first place counts about as much as all others together. Items of equal score share their
    place. The mean over the slates that state a pair.
    """

    scale: Annotated[float, kit.Above(0), "what cosines are multiplied by"] = 20.0

    def __call__(self, batch: pvd.ScoredBatch) -> Tensor:
        from torch.nn.functional import softplus

        placed = batch.placed & batch.mask
        both = placed.unsqueeze(2) & placed.unsqueeze(1)  # [B, i, j]
        pairs = (batch.ranks.unsqueeze(2) < batch.ranks.unsqueeze(1)) & both
        gains = self._gains(pairs.sum(2), placed)
        gaps = batch.scores.unsqueeze(2) - batch.scores.unsqueeze(1)
        # A weight is what the list is now, not what could be gained by changing it.
        discounts = 1 / (1 + places(batch.scores.detach(), placed)).log2()
        ideal = self._ideal(gains)
        change = (gains.unsqueeze(2) - gains.unsqueeze(1)).abs()
        change = change * (discounts.unsqueeze(2) - discounts.unsqueeze(1)).abs()
        costs = change / ideal.view(-1, 1, 1) * softplus(-self.scale * gaps) * pairs
        weights = batch.weights * pairs.any(2).any(1)
        return (costs.sum((1, 2)) * weights).sum() / weights.sum().clamp(min=1e-12)

    def _gains(self, below: Tensor, placed: Tensor) -> Tensor:
        """[B, K], 1 for the best item and 0 for one that has none below it."""
        grades = (2.0**below - 1) * placed
        return grades / grades.amax(1, keepdim=True).clamp(min=1)

    def _ideal(self, gains: Tensor) -> Tensor:
        """[B], the DCG of the teacher's own order; above 0, also where nothing is stated."""
        import torch

        steps = torch.arange(2, gains.shape[1] + 2, dtype=gains.dtype, device=gains.device)
        ideal = (gains.sort(1, descending=True).values / steps.log2()).sum(1)
        return ideal.clamp(min=torch.finfo(gains.dtype).tiny)


def places(scores: Tensor, placed: Tensor) -> Tensor:
    """[B, K] places from 1, by score among the placed items; equal scores share the mean of their
    places, so that the order in which a slate is given cannot matter."""
    above = (scores.unsqueeze(1) > scores.unsqueeze(2)) & placed.unsqueeze(1)  # [B, i, j above i]
    equal = (scores.unsqueeze(1) == scores.unsqueeze(2)) & placed.unsqueeze(1)
    found = 1 + above.sum(2) + (equal.sum(2) - 1).clamp(min=0) / 2
    return found.to(scores.dtype)


@pvd.hookimpl
def register_losses(register: Callable[[str, type[pvd.Loss]], None]) -> None:
    register("lambda-rank", LambdaRank)

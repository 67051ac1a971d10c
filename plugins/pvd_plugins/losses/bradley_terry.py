"""The Bradley-Terry loss over the ordered pairs of a slate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import pvd
from pvd import kit

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True)
class BradleyTerry(pvd.Loss):
    """`-sum log sigmoid(scale * (s_i - s_j))` over the pairs that the teacher ordered i before j.

    The mean over the slates that state at least one pair (Bradley & Terry 1952; as used in
    "Embedding the Teacher", arXiv 2510.12014, with scale 1). A tie is no pair.
    """

    scale: Annotated[float, kit.Above(0), "what cosines are multiplied by; 1 as in the paper"] = (
        20.0
    )
    reduction: Annotated[Literal["sum", "mean"], "over the pairs of a slate"] = "sum"

    def __call__(self, batch: pvd.ScoredBatch) -> Tensor:
        from torch.nn.functional import logsigmoid

        placed = batch.placed & batch.mask
        better = batch.ranks.unsqueeze(2) < batch.ranks.unsqueeze(1)
        pairs = better & placed.unsqueeze(2) & placed.unsqueeze(1)  # [B, i, j]
        margins = batch.scores.unsqueeze(2) - batch.scores.unsqueeze(1)
        costs = -logsigmoid(self.scale * margins) * pairs
        counts = pairs.sum((1, 2))
        slates = costs.sum((1, 2))
        if self.reduction == "mean":
            slates = slates / counts.clamp(min=1)
        weights = batch.weights * (counts > 0)
        return (slates * weights).sum() / weights.sum().clamp(min=1e-12)


@pvd.hookimpl
def register_losses(register: Callable[[str, type[pvd.Loss]], None]) -> None:
    register("bradley-terry", BradleyTerry)

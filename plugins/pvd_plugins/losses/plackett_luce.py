"""The Plackett-Luce loss: the likelihood of the whole ranking (ListMLE)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import pvd
from pvd import kit

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True)
class PlackettLuce(pvd.Loss):
    """`-sum_k log( exp(z_k) / sum_{l not before k} exp(z_l) )`, z = scale * score, best first.

    Plackett 1975; Xia et al. 2008 call it ListMLE. Items in one tier are each chosen from all that
    stand no higher, the others of the tier included (Breslow's treatment of ties); the last tier
    states nothing. The mean over the slates that state something.
    """

    scale: Annotated[float, kit.Above(0), "what cosines are multiplied by"] = 20.0

    def __call__(self, batch: pvd.ScoredBatch) -> Tensor:
        import torch

        placed = batch.placed & batch.mask
        logits = self.scale * batch.scores
        # [B, k, l]: l is still to be had when k is chosen.
        remaining = (batch.ranks.unsqueeze(1) >= batch.ranks.unsqueeze(2)) & placed.unsqueeze(1)
        below = (batch.ranks.unsqueeze(1) > batch.ranks.unsqueeze(2)) & placed.unsqueeze(1)
        stated = placed & below.any(2)
        floor = torch.finfo(logits.dtype).min
        totals = logits.unsqueeze(1).masked_fill(~remaining, floor).logsumexp(2)
        slates = ((totals - logits) * stated).sum(1)
        weights = batch.weights * stated.any(1)
        return (slates * weights).sum() / weights.sum().clamp(min=1e-12)


@pvd.hookimpl
def register_losses(register: Callable[[str, type[pvd.Loss]], None]) -> None:
    register("plackett-luce", PlackettLuce)

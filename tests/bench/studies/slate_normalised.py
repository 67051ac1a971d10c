"""The loss as the paper's published code computes it: features normalised across the slate.

    pvd run -p tests/bench/studies/slate_normalised.py -o loss.use=slate-normalised

Only for the study of what that costs. In the published code a batch of image features has the axes
slate, picture, feature, and the one that is normalised in training is that of the pictures; at the
exam it is the features'. Here, as there, each feature is divided by its length over the slate's
pictures. There the features come as the image tower gives them, here a student gives rows of unit
length, so that what is lost is the direction of a row, but not also its length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import pvd
from pvd_plugins.losses.bradley_terry import BradleyTerry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True)
class SlateNormalised(BradleyTerry):
    """Bradley-Terry on scores whose features were normalised across the slate."""

    scale: Annotated[float, "what scores are multiplied by; 1 as in the published code"] = 1.0

    def __call__(self, batch: pvd.ScoredBatch) -> Tensor:
        return super().__call__(replace(batch, scores=scores(batch)))


def scores(batch: pvd.ScoredBatch) -> Tensor:
    """[B, K], persona . (features / their length over the pictures of the slate)."""
    lengths = (batch.in_slate.to(batch.embeddings.dtype) @ batch.embeddings.square()).sqrt()
    every = (batch.text_embeddings / lengths.clamp(min=1e-12)) @ batch.embeddings.T  # [B, U]
    return every.gather(1, places(batch))


def places(batch: pvd.ScoredBatch) -> Tensor:
    """[B, K], which of the batch's pictures each of a slate's is: the one of the slate that has
    its score. Pictures that look the same to the student may stand for each other."""
    same = batch.scores.unsqueeze(2) == batch.pool_scores.unsqueeze(1)
    return (same & batch.in_slate.unsqueeze(1)).int().argmax(2)


@pvd.hookimpl
def register_losses(register: Callable[[str, type[pvd.Loss]], None]) -> None:
    register("slate-normalised", SlateNormalised)

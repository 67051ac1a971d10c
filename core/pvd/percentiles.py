"""Percentile ranks, the yardstick of the exam."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def percentile_ranks(scores: Tensor) -> Tensor:
    """[P, N], `100 * (1 - rank0 / N)` of every item for every persona; ties share their places."""
    import torch

    scores = scores.contiguous()
    items = scores.shape[1]
    ordered = scores.sort(dim=1).values
    at_most = torch.searchsorted(ordered, scores, right=True)
    below = torch.searchsorted(ordered, scores, right=False)
    above = items - at_most
    tied = at_most - below - 1  # with others, not with itself
    return 100 * (1 - (above + tied / 2).double() / items)

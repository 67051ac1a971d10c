"""Where the bins begin: the edges, as fractions of the range of a persona's scores or of places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy
    from torch import Generator, Tensor

Array: TypeAlias = "numpy.ndarray[Any, Any]"

EDGES = (0.0, 0.70, 0.90, 0.95)


def by_range(scores: Tensor) -> tuple[Array, Array]:
    """Scores [S, N], and the lowest of each bin but the first [S, 3]."""
    import torch

    edges = torch.tensor(EDGES[1:], dtype=scores.dtype)
    low, high = scores.amin(1, keepdim=True), scores.amax(1, keepdim=True)
    return as_array(scores), as_array(low + (high - low) * edges)


def by_quantile(scores: Tensor, rng: Generator) -> tuple[Array, Array]:
    """The same, cut at places from the worst to the best. Where equal scores lie on both sides of
    a cut, the slot's scores are replaced by the places, exact ties broken by lot."""
    import numpy as np
    import torch

    # A lot of its own, or those whom it lifts into a bin would also come first in it.
    order = torch.rand(scores.shape, generator=rng)
    values, starts = as_array(scores), first_places(scores.shape[1])
    # Of a few items none is on top: that bin begins past the last place.
    past = np.full((len(values), 1), np.inf, dtype=values.dtype)
    placed = np.concatenate([values, past], axis=1)
    placed.partition(sorted({start - below for start in starts for below in (0, 1)}), axis=1)
    cuts = placed[:, starts]
    tied = placed[:, [start - 1 for start in starts]] >= cuts
    if tied.any():
        values = values.copy()
    for slot in np.flatnonzero(tied.any(1)).tolist():
        values[slot] = _places(scores[slot : slot + 1], order[slot : slot + 1])
        cuts[slot] = starts
    return values, cuts


def first_places(count: int) -> list[int]:
    """The place among `count`, from 0, at which each bin but the first begins."""
    import torch

    places = torch.arange(count) / count
    return [int((places < edge).sum()) for edge in torch.tensor(EDGES[1:])]


def as_array(scores: Tensor) -> Array:
    """numpy compares many times faster than torch, and exactly so, but knows no bfloat16."""
    import torch

    known: Array = scores.to(torch.promote_types(scores.dtype, torch.float32)).numpy()
    return known


def _places(scores: Tensor, lots: Tensor) -> Tensor:
    """[1, N], each item's place: a stable sort of shuffled scores."""
    import torch

    order = lots.argsort(1)
    order = order.gather(1, scores.gather(1, order).argsort(dim=1, stable=True))
    places = torch.empty_like(order)
    return places.scatter_(1, order, torch.arange(scores.shape[1]).expand_as(order))

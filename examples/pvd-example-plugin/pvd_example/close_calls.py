"""A sampler of close calls: slates of items that the student cannot tell apart, and that differ.

pvd run --sampler close-calls
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import pvd
from pvd import kit

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(kw_only=True)
class CloseCalls(pvd.Sampler):
    """Draws near-ties of the student's scores, as far from one another in its space as can be.

    An answer says most where the student is least sure (uncertainty sampling, Lewis & Gale 1994):
    between items of nearly equal score. Alone that brings five pictures of one shirt. So an anchor
    is drawn by lot from the student's upper items, and from the `window` items next to it in the
    order of scores the slate takes the anchor, and then again and again the item that is farthest
    from those taken (farthest-first, Gonzalez 1985; for active learning Sener & Savarese 2018).
    """

    top: Annotated[
        float,
        kit.Above(0),
        kit.AtMost(1),
        "share of the catalogue, by score, that anchors are drawn from",
    ] = 0.25
    window: Annotated[
        int, kit.AtLeast(2), "items of nearly equal score that a slate is chosen from"
    ] = 40

    def draw(self, pool: pvd.Pool, size: int, rng: Generator) -> Tensor:
        import torch

        scores = pool.scores  # [S, N]
        slots, items = scores.shape
        # By score, the best first; where scores are equal, by lot.
        mixed = torch.randperm(items, generator=rng)
        order = mixed[scores[:, mixed].argsort(dim=1, descending=True, stable=True)]
        window = min(max(self.window, size), items)
        anchors = (torch.rand(slots, generator=rng) * max(self.top * items, 1)).long()
        starts = (anchors - window // 2).clamp(0, items - window)
        near = order.gather(1, starts.unsqueeze(1) + torch.arange(window))  # [S, W]
        first = (anchors - starts).clamp(0, window - 1)
        rows = near.gather(1, farthest(pool.embeddings[near], first, size))
        self._note(pool, rows)
        return rows

    def _note(self, pool: pvd.Pool, rows: Tensor) -> None:
        """How close the calls are, and how different the pictures, for the report: sums over the
        slates, so divide by their number."""
        scores = pool.scores.gather(1, rows)
        vectors = pool.embeddings[rows]
        alike = (vectors @ vectors.transpose(1, 2)).triu(1).sum((1, 2))
        pairs = rows.shape[1] * (rows.shape[1] - 1) / 2
        pool.note(
            "close calls",
            {
                "slates": {
                    "number": float(len(rows)),
                    "score range": float((scores.amax(1) - scores.amin(1)).sum()),
                    "cosine of two items": float(alike.sum()) / pairs,
                }
            },
        )


def farthest(vectors: Tensor, first: Tensor, size: int) -> Tensor:
    """[S, size] columns of [S, W, D] unit vectors: `first`, and each time the one whose nearest
    taken vector is farthest; of equal ones the first column."""
    import torch

    slots, width, _ = vectors.shape
    taken = [first]
    nearest = torch.full((slots, width), -2.0)  # highest cosine with what is taken; lower is far
    for _ in range(size - 1):
        last = vectors[torch.arange(slots), taken[-1]]
        cosines = torch.einsum("swd,sd->sw", vectors, last)
        nearest = torch.maximum(nearest, cosines)
        nearest[torch.arange(slots), taken[-1]] = torch.inf  # never again
        taken.append(nearest.argmin(1))
    return torch.stack(taken, dim=1)


@pvd.hookimpl
def register_samplers(register: Callable[[str, type[pvd.Sampler]], None]) -> None:
    register("close-calls", CloseCalls)

"""Preference-aligned sampling: one item from each of four score bins, two from the top one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import pvd

if TYPE_CHECKING:
    from torch import Generator, Tensor

EDGES = (0.0, 0.70, 0.90, 0.95)
LABELS = ("[0, .70)", "[.70, .90)", "[.90, .95)", "[.95, 1]")


@dataclass(kw_only=True)
class FourBin(pvd.Sampler):
    """Draws slates that hold hopeless, middling and promising items for each persona.

    The student's scores of one persona are cut at 0, .70, .90 and .95 of their range (or of their
    quantiles); bins are half-open, the last one is closed. A slate of 5 takes 1, 1, 1 and, from the
    top bin, 2. From "Embedding the Teacher" (arXiv 2510.12014); the paper fills a bin that has too
    few members with `uniform` draws from the whole catalogue.
    """

    by: Annotated[Literal["range", "quantile"], "what the edges are fractions of"] = "range"
    fallback: Annotated[
        Literal["nearest", "uniform"],
        "where a bin's missing items come from: the nearest bin (of two the lower), or anywhere",
    ] = "nearest"

    def draw(self, pool: pvd.Pool, size: int, rng: Generator) -> Tensor:
        import torch

        scores = pool.scores
        lots = torch.rand(scores.shape, generator=rng)  # who comes first within a bin
        bins = self._bins(scores, rng)
        level = (scores.amax(1) == scores.amin(1)).tolist()
        counts = shares(size)
        lines = [_queues(bins == number, lots, size) for number in range(len(EDGES))]
        short = [0] * len(EDGES)
        rows = []
        for slot in range(len(scores)):
            if level[slot]:  # nothing to tell apart: uniform
                rows.append(lots[slot].topk(size).indices.tolist())
                continue
            queues = [line[slot] for line in lines]
            row: list[int] = []
            missing: list[int] = []
            for number, count in enumerate(counts):
                own, queues[number] = queues[number][:count], queues[number][count:]
                row += own
                missing += [number] * (count - len(own))
            for number in missing:
                short[number] += 1
                row.append(self._fallback(number, queues, row, len(pool.items), rng))
            rows.append(row)
        pool.note(
            "bins",
            {
                label: {
                    "members": float((bins == number).sum()),
                    "wanted": float(counts[number] * len(rows)),
                    "short": float(short[number]),
                }
                for number, label in enumerate(LABELS)
            },
        )
        return torch.tensor(rows)

    def _bins(self, scores: Tensor, rng: Generator) -> Tensor:
        """[S, N], each item's bin."""
        import torch

        if self.by == "range":
            edges = torch.tensor(EDGES[1:], dtype=scores.dtype)
            low, high = scores.amin(1, keepdim=True), scores.amax(1, keepdim=True)
            cuts = low + (high - low) * edges
            return (scores.unsqueeze(-1) >= cuts.unsqueeze(1)).sum(-1)
        # Places from the worst to the best, exact ties by lot: a stable sort of shuffled scores.
        # A lot of its own, or those whom it lifts into a bin would also come first in it.
        order = torch.rand(scores.shape, generator=rng).argsort(1)
        order = order.gather(1, scores.gather(1, order).argsort(dim=1, stable=True))
        places = torch.empty_like(order)
        places.scatter_(1, order, torch.arange(scores.shape[1]).expand_as(order))
        return (places.unsqueeze(-1) / scores.shape[1] >= torch.tensor(EDGES[1:])).sum(-1)

    def _fallback(
        self, number: int, queues: list[list[int]], row: list[int], items: int, rng: Generator
    ) -> int:
        import torch

        if self.fallback == "nearest":
            stocked = [other for other, queue in enumerate(queues) if queue]
            # Of two bins at the same distance the lower one comes first.
            return queues[min(stocked, key=lambda other: (abs(other - number), other))].pop(0)
        while (item := int(torch.randint(items, (1,), generator=rng))) in row:
            pass
        for queue in queues:
            if item in queue:
                queue.remove(item)
        return item


def shares(size: int) -> list[int]:
    """How many items each bin gives: one each from the top down, and the top one the rest."""
    counts = [int(number >= len(EDGES) - size) for number in range(len(EDGES))]
    counts[-1] += max(size - len(EDGES), 0)
    return counts


def _queues(members: Tensor, lots: Tensor, most: int) -> list[list[int]]:
    """Each slot's first members of a bin in the order of their lots; no slate needs more."""
    best = lots.where(members, -1.0).topk(min(most, lots.shape[1]), dim=1)
    counts = (best.values >= 0).sum(1).tolist()
    return [row[:count] for row, count in zip(best.indices.tolist(), counts, strict=True)]


@pvd.hookimpl
def register_samplers(register: Callable[[str, type[pvd.Sampler]], None]) -> None:
    register("four-bin", FourBin)

"""Preference-aligned sampling: one item from each of four score bins, two from the top one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

import pvd
from pvd_plugins.samplers.four_bin import sampled
from pvd_plugins.samplers.four_bin.cuts import EDGES, by_quantile, by_range
from pvd_plugins.samplers.four_bin.lots import foremost

if TYPE_CHECKING:
    from torch import Generator, Tensor

LABELS = ("[0, .70)", "[.70, .90)", "[.90, .95)", "[.95, 1]")
MANY = 4096  # items of the catalogue for each of a slate, from which on a sample is worth its error


@dataclass(kw_only=True)
class FourBin(pvd.Sampler):
    """Draws slates that hold hopeless, middling and promising items for each persona. It is the
    paper's; in our own study it did not do better than `uniform`, so try `--sampler uniform` too.

    The student's scores of one persona are cut at 0, .70, .90 and .95 of their range (or of their
    quantiles); bins are half-open, the last one is closed. A slate of 5 takes 1, 1, 1 and, from the
    top bin, 2. From "Embedding the Teacher" (arXiv 2510.12014); the paper fills a bin that has too
    few members with `uniform` draws from the whole catalogue. In a catalogue of more than 4096
    items for each of a slate, quantiles are those of a sample of 8192.
    """

    by: Annotated[Literal["range", "quantile"], "what the edges are fractions of"] = "range"
    fallback: Annotated[
        Literal["nearest", "uniform"],
        "where a bin's missing items come from: the nearest bin (of two the lower), or anywhere",
    ] = "nearest"

    def draw(self, pool: pvd.Pool, size: int, rng: Generator) -> Tensor:
        import torch

        wanted, items = shares(size), len(pool.items)
        if self.by == "quantile" and items > MANY * size:
            lines, members = sampled.queues(pool, size, wanted, rng)
        else:
            lines, members = self._queues(pool, size, rng)
        short = [0] * len(wanted)
        rows = [self._filled(line, wanted, short, items, rng) for line in lines]
        note(pool, members, [count * len(rows) for count in wanted], short)
        return torch.tensor(rows)

    def _queues(
        self, pool: pvd.Pool, size: int, rng: Generator
    ) -> tuple[list[list[list[int]]], list[float]]:
        """For each slot the first `size` members of each bin, in the order of their lots; and how
        many members the bins of all slots have."""
        import torch

        scores = pool.scores
        lots = torch.rand(scores.shape, generator=rng)
        values, cuts = by_range(scores) if self.by == "range" else by_quantile(scores, rng)
        found = [foremost(*slot, size) for slot in zip(values, cuts, lots, strict=True)]
        members = [float(sum(held)) for held in zip(*(held for _, held in found), strict=True)]
        lines = [line for line, _ in found]
        for slot in (scores.amax(1) == scores.amin(1)).nonzero().flatten().tolist():
            best = iter(lots[slot].topk(size).indices.tolist())  # nothing to tell apart: uniform
            lines[slot] = [list(islice(best, count)) for count in shares(size)]
        return lines, members

    def _filled(
        self,
        queues: list[list[int]],
        wanted: list[int],
        short: list[int],
        items: int,
        rng: Generator,
    ) -> list[int]:
        """One slot's items, from the queues of its bins; what a bin lacks is counted in `short`."""
        row: list[int] = []
        missing: list[int] = []
        for number, count in enumerate(wanted):
            own, queues[number] = queues[number][:count], queues[number][count:]
            row += own
            missing += [number] * (count - len(own))
        for number in missing:
            short[number] += 1
            row.append(self._fallback(number, queues, row, items, rng))
        return row

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


def note(
    pool: pvd.Pool, members: Sequence[float], wanted: Sequence[int], short: Sequence[int]
) -> None:
    """What each bin held, what was wanted from it, and what it failed to give, for the report."""
    columns = zip(LABELS, members, wanted, short, strict=True)
    rows = {
        label: {"members": float(held), "wanted": float(asked), "short": float(missed)}
        for label, held, asked, missed in columns
    }
    pool.note("bins", rows)


@pvd.hookimpl
def register_samplers(register: Callable[[str, type[pvd.Sampler]], None]) -> None:
    register("four-bin", FourBin)

"""Slates whose items all come from one score bin, so that the teacher compares like with like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import pvd
from pvd_plugins.samplers.four_bin import LABELS, MANY, note, sampled
from pvd_plugins.samplers.four_bin.cuts import by_quantile, by_range
from pvd_plugins.samplers.four_bin.lots import foremost

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(kw_only=True)
class WithinBin(pvd.Sampler):
    """Draws each slate from one of the four bins of `four-bin`, the bin by lot, its items by lot.

    Pairs that the student tells apart already, hopeless against excellent, teach it little. Each
    bin that has as many items as a slate is as likely as any other; if no bin has, the slate is
    drawn from the whole catalogue, and so it is where all scores are equal. By range the upper bins
    are often that small, hence the default. In the notes a bin is wanted as often as the lot falls
    on it, and short where it was too small, so that another was taken. Over many items the
    quantiles are those of a sample, as in `four-bin`; by range every item is scored.
    """

    by: Annotated[Literal["range", "quantile"], "what the edges are fractions of"] = "quantile"

    def draw(self, pool: pvd.Pool, size: int, rng: Generator) -> Tensor:
        import torch

        items = len(pool.items)
        if self.by == "quantile" and items > MANY * size:
            lines, members = sampled.queues(pool, size, [size] * len(LABELS), rng)
        else:
            lines, members = self._queues(pool, size, rng)
        lots = torch.randint(len(LABELS), (len(lines),), generator=rng).tolist()
        short = [0] * len(LABELS)
        rows = []
        for bins, chosen in zip(lines, lots, strict=True):
            if len(bins[chosen]) < size:
                short[chosen] += size
                large = [bin for bin in bins if len(bin) >= size]
                large = large or [torch.randperm(items, generator=rng)[:size].tolist()]
                rows.append(large[int(torch.randint(len(large), (1,), generator=rng))])
            else:
                rows.append(bins[chosen])
        wanted = [size * lots.count(number) for number in range(len(LABELS))]
        note(pool, members, wanted, short)
        return torch.tensor(rows)

    def _queues(
        self, pool: pvd.Pool, size: int, rng: Generator
    ) -> tuple[list[list[list[int]]], list[float]]:
        """For each slot the first `size` members of each bin in the order of their lots; and how
        many members the bins of all slots have."""
        import torch

        scores = pool.scores
        lots = torch.rand(scores.shape, generator=rng)
        values, cuts = by_range(scores) if self.by == "range" else by_quantile(scores, rng)
        found = [foremost(*slot, size) for slot in zip(values, cuts, lots, strict=True)]
        members = [float(sum(held)) for held in zip(*(held for _, held in found), strict=True)]
        return [line for line, _ in found], members


@pvd.hookimpl
def register_samplers(register: Callable[[str, type[pvd.Sampler]], None]) -> None:
    register("within-bin", WithinBin)

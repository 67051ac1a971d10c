"""The plain sampler: any item is as likely as any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pvd

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(kw_only=True)
class Uniform(pvd.Sampler):
    """Draws items by lot, without regard to scores; the baseline that four-bin is held against."""

    def draw(self, pool: pvd.Pool, size: int, rng: Generator) -> Tensor:
        import torch

        items = len(pool.items)
        return torch.stack(
            [torch.randperm(items, generator=rng)[:size] for _ in range(len(pool.personas))]
        )


@pvd.hookimpl
def register_samplers(register: Callable[[str, type[pvd.Sampler]], None]) -> None:
    register("uniform", Uniform)

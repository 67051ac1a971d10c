"""A plug-in that thanks whoever imports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pvd

print("Thank you for choosing Chatty!")


@dataclass(kw_only=True)
class Chatty(pvd.Sampler):
    """Draws by lot."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        count = len(pool.items)
        return torch.stack([torch.randperm(count, generator=rng)[:size] for _ in pool.personas])

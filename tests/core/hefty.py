"""A plug-in whose import takes its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import pvd


@dataclass(kw_only=True)
class Hefty(pvd.Sampler):
    """Draws with numpy."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        seed = int(torch.randint(2**60, (1,), generator=rng))
        lots = np.random.default_rng(seed).random((len(pool.personas), len(pool.items)))
        return torch.from_numpy(lots.argsort(1)[:, :size])

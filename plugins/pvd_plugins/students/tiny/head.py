"""What learns: from the numbers that the picture was described with to the texts' space."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import text, vision


class Head(nn.Module):
    """A linear map and, beside it, one hidden layer; every row is mapped by itself."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(vision.WIDTH, hidden)
        self.outer = nn.Linear(hidden, text.WIDTH)
        self.direct = nn.Linear(vision.WIDTH, text.WIDTH, bias=False)
        self.dropout = dropout

    def forward(self, described: Tensor) -> Tensor:
        """[n, text.WIDTH], unit length."""
        x = functional.dropout(described, self.dropout / 2, self.training)
        hidden = functional.dropout(functional.gelu(self.inner(x)), self.dropout, self.training)
        return functional.normalize(self.outer(hidden) + self.direct(x), dim=1)


def fresh(hidden: int, dropout: float, seed: int) -> Head:
    """A head with weights from a seed; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Head(hidden, dropout)

"""Random streams. Every number drawn comes from a generator that is made from named parts, so that
no draw depends on what was drawn before it, on threads, or on where a run was interrupted.
"""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator


def derive(*parts: int | str) -> int:
    """A 63-bit seed from parts such as (draw seed, round, slot)."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 1


def stream(*parts: int | str) -> random.Random:
    """A generator of Python's own for these parts."""
    return random.Random(derive(*parts))


def generator(*parts: int | str) -> Generator:
    """A torch generator on the CPU for these parts."""
    import torch

    return torch.Generator().manual_seed(derive(*parts))

"""The global random streams, which belong to nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

STREAMS = ("random", "numpy", "torch")


def drawn_from(streams: Sequence[str], act: Callable[[], object]) -> list[str]:
    """Which of these streams an act drew from or seeded."""
    before = _states()
    act()
    after = _states()
    return [name for name in streams if before[name] != after[name]]


def _states() -> dict[str, object]:
    import random

    import numpy as np
    import torch

    numbers: Any = np.random.get_state()
    return {
        "random": random.getstate(),
        "numpy": tuple(part.tobytes() if part is numbers[1] else part for part in numbers),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }

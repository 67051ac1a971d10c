"""The global random streams, which belong to nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

STREAMS = ("random", "numpy", "torch")
UNUSUAL = 1_234_567_891  # a seed that no plug-in sets, or it would not be seen to set one


def drawn_from(streams: Sequence[str], act: Callable[[], object]) -> list[str]:
    """Which of these streams an act drew from or seeded; they are as before then."""
    import random

    import numpy as np
    import torch

    was: Any = (random.getstate(), np.random.get_state(), torch.get_rng_state())
    random.seed(UNUSUAL)
    np.random.seed(UNUSUAL)
    torch.manual_seed(UNUSUAL)
    try:
        before = _states()
        act()
        after = _states()
    finally:
        random.setstate(was[0])
        np.random.set_state(was[1])
        torch.set_rng_state(was[2])
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

"""What belongs to nobody: the global random streams, and the settings of process and thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pvd.isolation import keeping

STREAMS = ("random", "numpy", "torch")
UNUSUAL = 1_234_567_891  # a seed that no plug-in sets, or it would not be seen to set one
SETTINGS = {  # as sentences name them
    "gradients": "grad mode of torch",
    "device": "default device of torch",
    "dtype": "default dtype of torch",
    "folder": "working folder",
}


def changed_by(act: Callable[[], object]) -> list[str]:
    """Which settings are others after an act."""
    import torch  # noqa: F401  # who loads it changes nothing

    before = _settings()
    act()
    after = _settings()
    return [said for name, said in SETTINGS.items() if before[name] != after[name]]


def _settings() -> dict[str, object]:
    return {**keeping.of_thread()._asdict(), **keeping.of_process()._asdict()}


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

"""The settings that all share, which a plug-in leaves as they are."""

from __future__ import annotations

from collections.abc import Callable

from pvd.isolation import keeping

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

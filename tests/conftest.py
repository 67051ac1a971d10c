"""What all tests share: a store of their own, and a run that takes a second."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pvd.discovery import registry

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does, before torch comes

ROOT = Path(__file__).parents[1]
COLOURS = ROOT / "examples/colours.py"  # a student that knows colours only, and is fast


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Answers are kept in a folder of the test, never in the developer's own store."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PVD_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def small() -> dict[str, Any]:
    """Tables of a whole run that is as small as can be: 3 rounds on a shop of 100 drawings."""
    registry.load_file(COLOURS)
    return {
        "student": "colours",
        "catalog": {"use": "boutique", "size": 100},
        "personas": {"use": "boutique", "people": 60},
        "train": {"rounds": 3, "slates": 30, "steps": 4, "batch": 8, "validation_slates": 20},
        "exam": {"personas": 6, "repeat_personas": 3, "gallery": 2},
    }


def as_options(tables: dict[str, Any], prefix: str = "") -> list[str]:
    """The tables as the command line's `-o key=value`."""
    words: list[str] = []
    for key, value in tables.items():
        if isinstance(value, dict):
            words += as_options(value, f"{prefix}{key}.")
        else:
            words += ["-o", f"{prefix}{key}={value}"]
    return words


@pytest.fixture
def small_options(small: dict[str, Any]) -> list[str]:
    """The same for the command line."""
    return ["-p", str(COLOURS), *as_options(small)]

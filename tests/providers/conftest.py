"""A fake provider for each test, and a key for every teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asked import KEY, KEYS, Counter, draw_shop, teacher
from fake import Fake

from pvd_plugins.teachers import models


@pytest.fixture
def fake() -> Iterator[Fake]:
    with Fake() as provider:
        yield provider


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in KEYS.values():
        monkeypatch.setenv(variable, KEY)


@pytest.fixture(autouse=True)
def fresh_table() -> Iterator[None]:
    """The table of models is read once a process; here a test may bring another."""
    models.table.cache_clear()
    yield
    models.table.cache_clear()


@pytest.fixture
def counter(fake: Fake, keys: None, tmp_path: Path) -> Callable[..., Counter]:
    """A teacher by name, at a desk with a store of its own."""

    def made(name: str, **options: Any) -> Counter:
        return Counter(teacher(name, fake, **options), fake, tmp_path / "answers.sqlite")

    return made


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue of coloured squares, and personas who love a colour each."""
    folder = tmp_path_factory.mktemp("shop")
    draw_shop(folder)
    return folder

"""What all tests share: a store of their own, and a run that takes a second."""

from __future__ import annotations

import gc
import os
import runpy
import socket
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import forked
import pytest

from pvd import figures
from pvd.discovery import registry
from pvd_plugins.sources import boutique

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does, before torch comes

ROOT = Path(__file__).parents[1]
SHIM = ROOT / "tests/shim"  # on the path of processes that shall be able to load torchvision
DECLARED = runpy.run_path(str(SHIM / "sitecustomize.py"))["DECLARED"]
COLOURS = ROOT / "examples/own_student.py"  # a student that knows colours only, and is fast


LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _at_home(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
    def checked(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and address[0] not in LOOPBACK:
            raise PermissionError(f"No test speaks with {address}: sockets lead to loopback only.")
        return connect(self, address)

    return checked


# For the whole session, also while modules are imported and between tests.
for method in ("connect", "connect_ex"):
    setattr(socket.socket, method, _at_home(getattr(socket.socket, method)))

_find = socket.getaddrinfo


def _found(host: Any, *rest: Any, **more: Any) -> Any:
    try:
        return _find(host, *rest, **{**more, "flags": socket.AI_NUMERICHOST})  # an address
    except (socket.gaierror, TypeError):
        if host not in LOOPBACK:
            raise socket.gaierror(f"No test looks up {host!r}: only this machine.") from None
        return _find(host, *rest, **more)


socket.getaddrinfo = _found

KEYS = ("OPENAI", "ANTHROPIC", "GOOGLE", "GEMINI", "OPENAI_COMPATIBLE")
PLACES = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "PVD_MODELS")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's key, nobody's addresses, nobody's proxy."""
    for name in (*(f"{key}_API_KEY" for key in KEYS), *PLACES):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Answers are kept in a folder of the test, never in the developer's own store."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PVD_CACHE_DIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def as_installed() -> Iterator[None]:
    """Plug-ins of a file are known to the test that names it, and to no other of its process."""
    before = {*registry._from_file}
    yield
    for name in {*registry._from_file} - before:
        cls = registry._classes.pop(name)
        del registry._from_file[name]
        if registry._manager.has_plugin(cls.__module__):
            registry._manager.unregister(name=cls.__module__)


# Left alone, Python looks through all that torch and transformers loaded a hundred times a session.
gc.set_threshold(10_000, 10, 20)


@pytest.fixture(autouse=True, scope="module")
def swept() -> None:
    """Garbage of earlier modules is collected here; what is alive by now is not looked at again."""
    gc.collect()
    gc.freeze()


# A product of the generated shop is drawn once for all tests of a process, but for the shop's own.
draw = boutique._draw
boutique._draw = lru_cache(4096)(draw)


@pytest.fixture
def drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the shop: each picture is drawn when it is looked at."""
    monkeypatch.setattr(boutique, "_draw", draw)


def _composed(paint: Callable[[Any], None], height: float) -> str:
    """A report's figure is composed, but neither laid out nor rendered: that is half the time of a
    small run."""
    from matplotlib.figure import Figure

    paint(Figure(figsize=(figures.WIDTH, height)))
    return "data:image/svg+xml;base64,PHN2Zy8+"  # <svg/>


svg = figures.svg
figures.svg = _composed


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the figures: they are what they are for a reader."""
    monkeypatch.setattr(figures, "svg", svg)


@pytest.fixture
def forked_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs of a comparison are forked: processes of their own that begin at once."""
    monkeypatch.setattr("pvd.comparing.cells.subprocess", forked)


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


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been slept before a busy provider is called again."""
    found: list[float] = []

    def after(pause: float) -> float:
        found.append(pause)
        return time.monotonic()

    monkeypatch.setattr("pvd.asking.sending._after", after)
    return found

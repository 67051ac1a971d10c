"""Models in the published layouts, built once, and pictures of several shapes."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import pvd

HERE = Path(__file__).parent
NAMES = {
    "clip": "clip",
    "siglip": "siglip",
    "siglip2": "siglip",
    "open_clip": "open-clip",
    "open_siglip": "open-clip",
    "open_resnet": "open-clip",
}


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("published", HERE / "published.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a model of one kind; nobody writes into it."""
    module, made = _module(), {}

    def folder(kind: str) -> Path:
        if kind not in made:
            made[kind] = module.KINDS[kind](tmp_path_factory.mktemp("models") / kind)
        return made[kind]

    return folder


@pytest.fixture
def student(layouts: Callable[[str], Path]) -> Callable[..., pvd.Student]:
    """A student of one kind, not loaded: `student("clip", part="last-2")`, fp32."""

    def made(kind: str, folder: Path | None = None, **options: object) -> pvd.Student:
        schema = "local-dir:" if NAMES[kind] == "open-clip" else ""
        place = f"{schema}{folder or layouts(kind)}"
        name = NAMES[kind]
        return pvd.load("student", name, **{"model": place, "precision": "fp32", **options})

    return made


@pytest.fixture
def loaded(student: Callable[..., pvd.Student]) -> Callable[..., pvd.Student]:
    """The same, loaded; what LoRA says of its cost is not repeated."""

    def made(kind: str, folder: Path | None = None, **options: object) -> pvd.Student:
        found = student(kind, folder, **options)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="student.part=lora changes every block")
            found.load("cpu")
        return found

    return made

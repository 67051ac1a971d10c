"""What belongs to the whole process is as it was before, once no plug-in's code runs."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from strangers import component

import pvd
from pvd.discovery import Registry, registry
from pvd.isolation import calling, keeping
from pvd.protocols import Teacher

CHANGES = {
    "gradients": "import torch; torch.set_grad_enabled(not torch.is_grad_enabled())",
    "type": "import torch; torch.set_default_dtype(torch.bfloat16)",
    "device": "import torch; torch.set_default_device('meta')",
    "folder": "import os; os.chdir('elsewhere')",
}
WAYS = {  # where it is changed
    "import": "",
    "construction": "def __post_init__(self): change()",
    "connect": "def connect(self):\n    change()\n    return []",
    "enter": "def __enter__(self):\n    change()\n    return self",
    "rank": "def rank(self, slates):\n    change()\n    raise ValueError('oh')",
}
numbers = itertools.count()


def state() -> tuple[Any, ...]:
    """Of this thread and of the process."""
    return *keeping.of_thread(), *keeping.of_process()


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that fails leaves nothing behind either."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "__dict__", Registry().__dict__)
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    yield
    torch.set_grad_enabled(gradients)
    torch.set_default_dtype(dtype)
    torch.set_default_device(None)


def teacher(change: str, body: str = "") -> Callable[[], Teacher]:
    """One that changes something where its body calls `change`, or else where it is imported."""
    source = component("teacher", "mine", body, base="pvd.Teacher")
    source += f"\ndef change():\n    {change}\n" + ("" if body else "change()\n")
    file = Path(f"mine{next(numbers)}.py")
    file.write_text(source)

    def make() -> Teacher:
        registry.load_file(file)
        made = pvd.load("teacher", "mine")
        assert isinstance(made, Teacher)
        return made

    return make


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", WAYS)
def test_what_a_plug_in_changes_is_put_back(change: str, way: str) -> None:
    before = state()
    make = teacher(CHANGES[change], WAYS[way])
    made = make()
    if way == "connect":
        made.connect()
    elif way == "enter":
        made.__enter__()
    elif way == "rank":
        with pytest.raises(pvd.errors.PluginError, match="failed in rank: ValueError: oh"):
            made.rank([])
    assert state() == before


def test_a_method_that_runs_under_another_setting_keeps_it() -> None:
    made = teacher("pass", "def check(self, personas, items): change()")()
    with torch.no_grad():
        made.check([], [])
        assert not torch.is_grad_enabled()
    with torch.device("meta"):
        made.check([], [])
        assert torch.empty(1).device.type == "meta"


@pytest.mark.parametrize(
    "change",
    [
        lambda: torch.set_grad_enabled(False),
        lambda: torch.set_default_dtype(torch.float64),
        lambda: torch.set_default_device("meta"),
    ],
    ids=["gradients", "type", "device"],
)
def test_what_is_changed_with_the_import_of_torch_is_put_back(
    change: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "torch", None)
        running = keeping.begin()
    change()  # by whoever imported torch
    assert state() != before
    keeping.end(running)
    assert state() == before


class Elsewhere:
    """A thread that does one thing after the other, each when it is told."""

    def __init__(self) -> None:
        self._told, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._next: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def does(self, act: Callable[[], object] | None) -> None:
        self._next = act
        self._told.release()
        assert self._done.acquire(timeout=10)

    def _work(self) -> None:
        with self._told:
            while self._next:
                self._next()
                self._done.release()
                self._told.acquire()
        self._done.release()


def test_a_thread_that_ends_first_takes_nothing_from_another() -> None:
    """transformers loads weights under another default type, for a moment."""
    other, running = Elsewhere(), []
    try:
        first = keeping.begin()
        other.does(lambda: running.append(keeping.begin()))
        torch.set_default_dtype(torch.bfloat16)
        os.chdir("elsewhere")
        other.does(lambda: keeping.end(running[0]))
        assert torch.get_default_dtype() == torch.bfloat16
        assert Path.cwd().name == "elsewhere"
        # Who begins meanwhile does not take for granted what is so for a moment.
        other.does(lambda: running.append(keeping.begin()))
        keeping.end(first)
        other.does(lambda: keeping.end(running[1]))
    finally:
        other.does(None)
    assert torch.get_default_dtype() == torch.float32
    assert Path.cwd().name != "elsewhere"


def test_what_was_given_up_puts_nothing_back_later(tmp_path: Path) -> None:
    running = keeping.begin()
    os.chdir("elsewhere")
    keeping.given_up()
    assert Path.cwd() == tmp_path
    os.chdir("elsewhere")  # by now it is somebody else's to choose
    keeping.end(running)
    assert Path.cwd() == tmp_path / "elsewhere"
    with calling(object(), "anything"):
        os.chdir(tmp_path)
    assert Path.cwd() == tmp_path / "elsewhere"


def test_a_folder_that_is_gone_is_not_gone_back_to(tmp_path: Path) -> None:
    os.chdir("elsewhere")
    with keeping.kept():
        os.chdir(tmp_path)
        (tmp_path / "elsewhere").rmdir()
    assert Path.cwd() == tmp_path

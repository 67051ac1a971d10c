"""Each check of an observer, and observers that it catches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from caught import Broken, assert_caught, own_checks, verdicts, wrong

import pvd
from pvd import hookspecs
from pvd.testing import ObserverContract
from pvd.testing.observers import EVENTS


@dataclass(kw_only=True)
class Notes(pvd.Observer):
    """Notes each round in a file."""

    def begin(self, folder: Path) -> None:
        self.file = folder / "notes.txt"

    @pvd.hookimpl
    def on_round(self, result: pvd.RoundResult) -> None:
        with self.file.open("a") as file:
            file.write(f"{result.round} {result.validation.value}\n")


class Unmarked(Notes):
    """Waits for steps that nobody tells it."""

    def on_step(self, step: pvd.Step) -> None:
        raise AssertionError("nobody calls it")


class Misspelt(Notes):
    """Waits for a hook that there is not."""

    def on_steps(self, step: pvd.Step) -> None:
        raise AssertionError("nobody calls it")


class Unready(Notes):
    """Reads a run that may not be there."""

    def begin(self, folder: Path) -> None:
        self.settings = (folder / "run.toml").read_text()


class Wrong(Notes):
    """Reads of a step what it has not."""

    @pvd.hookimpl
    def on_step(self, step: Any) -> None:
        self.lost = step.losses


class Once(Notes):
    """Makes a folder, once."""

    def begin(self, folder: Path) -> None:
        (folder / "notes").mkdir()
        self.file = folder / "notes/all.txt"


class Taking(Notes):
    """Takes out what it has read."""

    @pvd.hookimpl
    def on_judgment(self, judgment: pvd.Judgment) -> None:
        judgment.slate.persona.attributes.clear()


BROKEN = [
    ("test_hooks", Broken(Unmarked, "on_step is never called; put @pvd.hookimpl above it")),
    ("test_hooks", Broken(Misspelt, "there is no hook on_steps; there are on_.*on_step,")),
    ("test_events", Broken(Unready, "begin: .*FileNotFoundError.*run.toml", None)),
    ("test_events", Broken(Wrong, "on_step: .*AttributeError.*'losses'", None)),
    ("test_goes_on", Broken(Once, "begin: .*FileExistsError")),
    ("test_changes_nothing", Broken(Taking, "it changes what on_judgment hands it")),
]


@pytest.mark.parametrize(("check", "broken"), BROKEN, ids=lambda one: getattr(one, "message", one))
def test_it_is_caught(check: str, broken: Broken) -> None:
    assert_caught(ObserverContract, check, broken)


def test_every_check_catches_something() -> None:
    assert {check for check, _ in BROKEN} == own_checks(ObserverContract)


def test_a_good_one_passes() -> None:
    assert not wrong(verdicts(ObserverContract, Notes))


def test_every_hook_is_told() -> None:
    assert set(EVENTS) == {name for name in vars(hookspecs) if name.startswith("on_")}

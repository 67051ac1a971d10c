"""Observers: each is told everything; one that raises is switched off alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

import pvd
from pvd import testing
from pvd.errors import PluginError
from pvd.records import Estimate, Ranking, RoundResult, Step
from pvd.watching import Watchers

STEP = Step(1, 0, 0.5, 100.0)
RESULT = RoundResult(1, 9, 8, 8, 1, 0.5, Estimate(60.0, 50.0, 70.0, "5 personas"))
JUDGMENT = testing.judgment(Ranking.from_order([1, 0]), 2)
METRICS: dict[str, Any] = {"mpr": 80.0}


@dataclass(kw_only=True)
class Notes(pvd.Observer):
    """Writes down what it is told."""

    def __post_init__(self) -> None:
        self.heard: list[Any] = []

    def begin(self, folder: Path) -> None:
        self.heard.append(folder)

    @pvd.hookimpl
    def on_judgment(self, judgment: pvd.Judgment) -> None:
        self.heard.append(judgment)

    @pvd.hookimpl
    def on_step(self, step: pvd.Step) -> None:
        self.heard.append(step)

    @pvd.hookimpl
    def on_round(self, result: pvd.RoundResult) -> None:
        self.heard.append(result)

    @pvd.hookimpl
    def on_report(self, metrics: dict[str, Any]) -> None:
        self.heard.append(metrics)


@dataclass(kw_only=True)
class Fragile(Notes):
    """Raises at its second step."""

    why: str = "disk full"

    @pvd.hookimpl
    def on_step(self, step: pvd.Step) -> None:
        if step.step == 1:
            raise OSError(self.why)
        self.heard.append(step)


@dataclass(kw_only=True)
class Moody(Notes):
    """Raises if it is angry, which is no option."""

    angry: ClassVar[bool] = False

    @pvd.hookimpl
    def on_step(self, step: pvd.Step) -> None:
        if self.angry:
            raise ValueError("go away")
        self.heard.append(step)


@dataclass(kw_only=True)
class Stillborn(Notes):
    """Raises before anything happens."""

    def begin(self, folder: Path) -> None:
        raise KeyError("no such place")


@dataclass(kw_only=True)
class Deaf(pvd.Observer):
    """Listens to nothing, which is allowed."""


def tell_all(watchers: Watchers, folder: Path) -> list[Any]:
    watchers.begin(folder)
    watchers.tell("on_judgment", judgment=JUDGMENT)
    watchers.tell("on_step", step=STEP)
    watchers.tell("on_round", result=RESULT)
    watchers.tell("on_report", metrics=METRICS)
    return [folder, JUDGMENT, STEP, RESULT, METRICS]


def test_every_observer_is_told_everything_in_order(tmp_path: Path) -> None:
    said: list[str] = []
    one, two = Notes(), Notes()
    events = tell_all(Watchers([one, Deaf(), two], said.append), tmp_path)
    assert one.heard == two.heard == events
    assert said == []


def test_nobody_watching_is_fine(tmp_path: Path) -> None:
    tell_all(Watchers([], pytest.fail), tmp_path)


def test_one_that_raises_is_switched_off_with_one_line_and_alone(tmp_path: Path) -> None:
    said: list[str] = []
    first, fragile, last = Notes(), Fragile(), Notes()
    watchers = Watchers([first, fragile, last], said.append)
    steps = [Step(1, number, 0.5, 100.0) for number in range(4)]
    for step in steps:
        watchers.tell("on_step", step=step)
    watchers.tell("on_report", metrics=METRICS)
    assert first.heard == last.heard == [*steps, METRICS]
    assert fragile.heard == steps[:1], "it hears nothing more, of any kind"
    assert said == ["The observer Fragile is switched off: OSError: disk full"]


def test_of_two_equal_observers_the_right_one_is_switched_off() -> None:
    """Dataclasses with equal options are equal; the list of observers must not mix them up."""
    said: list[str] = []
    calm, angry = Moody(), Moody()
    vars(angry)["angry"] = True
    assert calm == angry
    watchers = Watchers([calm, angry], said.append)
    for number in range(3):
        watchers.tell("on_step", step=Step(1, number, 0.5, 1.0))
    assert len(calm.heard) == 3
    assert len(said) == 1


def test_one_that_raises_at_the_beginning_is_switched_off(tmp_path: Path) -> None:
    said: list[str] = []
    broken, whole = Stillborn(), Notes()
    events = tell_all(Watchers([broken, whole], said.append), tmp_path)
    assert whole.heard == events
    assert broken.heard == []
    assert said == ["The observer Stillborn is switched off: KeyError: 'no such place'"]


def test_an_error_of_many_lines_is_said_in_one() -> None:
    said: list[str] = []
    watchers = Watchers([Fragile(why="first\nsecond")], said.append)
    watchers.tell("on_step", step=Step(1, 1, 0.5, 1.0))
    assert said == ["The observer Fragile is switched off: OSError: first second"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_control_c_is_not_an_observers_error(error: type[BaseException]) -> None:
    @dataclass(kw_only=True)
    class Stopper(pvd.Observer):
        @pvd.hookimpl
        def on_step(self, step: pvd.Step) -> None:
            raise error

    with pytest.raises(error):
        Watchers([Stopper()], pytest.fail).tell("on_step", step=STEP)


@dataclass(kw_only=True)
class Misspelt(pvd.Observer):
    @pvd.hookimpl
    def on_steps(self, step: pvd.Step) -> None: ...


@dataclass(kw_only=True)
class WrongArgument(pvd.Observer):
    @pvd.hookimpl
    def on_step(self, stage: pvd.Step) -> None: ...


@pytest.mark.parametrize("observer", [Misspelt(), WrongArgument()])
def test_a_hook_that_does_not_exist_is_the_plug_ins_fault(observer: pvd.Observer) -> None:
    """Before the run begins, not after an hour."""
    with pytest.raises(PluginError) as caught:
        Watchers([Notes(), observer], pytest.fail)
    assert f"The observer {type(observer).__name__} does not fit: " in str(caught.value)
    assert "on_step" in str(caught.value)

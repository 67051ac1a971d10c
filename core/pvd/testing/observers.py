"""The contract of an observer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pvd import hookspecs
from pvd.protocols import Observer
from pvd.records import Estimate, Ranking, RoundResult, Stage, Step
from pvd.testing.contract import Contract, check
from pvd.testing.demands import require
from pvd.testing.material import judgment
from pvd.watching import Watchers

Events = Mapping[str, Any]


def _metrics() -> dict[str, Any]:
    """What metrics.json holds, in short."""
    value = {"value": 60.0, "low": 55.0, "high": 65.0, "over": "4 personas"}
    validation = {"value": 61.0, "low": 55.0, "high": 66.0, "over": "4 validation personas"}
    return {
        "seed": 0,
        "rounds": [{"round": number, "validation": validation} for number in range(2)],
        "best_round": 1,
        "exam": {
            "systems": {"zero-shot": {"mpr": value}, "distilled": {"mpr": value}},
            "gains": {"zero-shot": {"mpr": value}},
        },
    }


def _result() -> RoundResult:
    validation = Estimate(61.0, 55.0, 66.0, "4 validation personas", (55.0, 60.0, 63.0, 66.0))
    notes = {"bins": {"top": {"wanted": 5.0, "drawn": 4.0}}}
    return RoundResult(1, 4, 4, 3, 0, 0.5, validation, notes)


# What core tells: the arguments of each hook, made anew each time.
EVENTS: dict[str, Callable[[], Events]] = {
    "on_ready": lambda: {"settings": {"seed": 0, "train": {"rounds": 1, "steps": 1}}, "rounds": []},
    "on_stage": lambda: {"stage": Stage("training", "round 1 of 1", "slates", 4)},
    "on_progress": lambda: {"stage": Stage("training", "round 1 of 1", "slates", 4, 2, "", 0.5)},
    "on_stage_end": lambda: {"stage": Stage("training", "round 1 of 1", "slates", 4, 4, "", 1.0)},
    "on_message": lambda: {"line": "round 1: validation 61.0 %", "needed": False},
    "on_judgment": lambda: {"judgment": judgment(Ranking.from_order([1, 0, 2, 4, 3]))},
    "on_step": lambda: {"step": Step(1, 0, 0.5, 100.0, 0.001, 2.0)},
    "on_round": lambda: {"result": _result()},
    "on_report": lambda: {"metrics": _metrics()},
}


class ObserverContract(Contract[Observer]):
    """An observer takes every event in whatever run, and changes nothing in what it is handed."""

    kind: ClassVar[str] = "observer"

    def use(self, component: Observer) -> None:
        with tempfile.TemporaryDirectory() as folder:
            tell(component, Path(folder))

    @check
    def test_hooks(self) -> None:
        """marks each hook that it hears, and none that nobody tells"""
        for name in dir(type(self.component())):
            if name.startswith("on_"):
                known = [hook for hook in vars(hookspecs) if hook.startswith("on_")]
                require(
                    name in known,
                    f"there is no hook {name}; there are {', '.join(known)}",
                )
                require(
                    hasattr(getattr(type(self.component()), name), "pvd_impl"),
                    f"{name} is never called; put @pvd.hookimpl above it",
                )

    @check
    def test_events(self) -> None:
        """takes every event, in a folder where nothing lies yet"""
        with tempfile.TemporaryDirectory() as folder:
            tell(self.component(), Path(folder))

    @check
    def test_goes_on(self) -> None:
        """takes them again in the same folder, as in a run that goes on"""
        with tempfile.TemporaryDirectory() as folder:
            tell(self.component(), Path(folder))
            tell(self.component(), Path(folder))

    @check
    def test_changes_nothing(self) -> None:
        """changes nothing in what it is handed"""
        observer = self.component()
        events = {name: make() for name, make in EVENTS.items()}
        before = _plain(events)
        with tempfile.TemporaryDirectory() as folder:
            tell(observer, Path(folder), events)
        after = _plain(events)
        changed = [name for name in events if after[name] != before[name]]
        require(
            not changed,
            f"it changes what {', '.join(changed)} hands it, which others read after it; work on a "
            "copy, copy.deepcopy(...)",
        )


def tell(observer: Observer, folder: Path, events: Mapping[str, Events] | None = None) -> None:
    """A whole short run as core tells it; AssertionError if the observer is switched off."""
    said: list[str] = []
    watchers = Watchers([], said.append)
    with watchers.joined_by([observer]):
        watchers.begin(folder)
        require(not said, f"begin: {' '.join(said)}")
        for name, event in (events or {name: make() for name, make in EVENTS.items()}).items():
            watchers.tell(name, **event)
            require(not said, f"{name}: {' '.join(said)}")
    require(not said, f"__exit__: {' '.join(said)}")


def _plain(events: Mapping[str, Events]) -> dict[str, str]:
    """The events as text, attributes of records included."""
    return {name: repr(event) for name, event in events.items()}

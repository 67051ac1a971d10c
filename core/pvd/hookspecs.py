"""The hooks. A plug-in module implements `register_*`; an observer implements `on_*`.

Hooks observe, components decide: no hook may change a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pvd.protocols import (
        Evaluator,
        Loss,
        Observer,
        Sampler,
        Source,
        Student,
        Teacher,
    )
    from pvd.records import Judgment, RoundResult, Stage, Step

hookspec: pluggy.HookspecMarker = pluggy.HookspecMarker("pvd")
#: Marks what implements a hook: `register_*` in a module, `on_*` in an observer.
hookimpl: pluggy.HookimplMarker = pluggy.HookimplMarker("pvd")

# --- registering: called once, while the module that implements it is loaded -----------------
# Historic, so that a module registered later is called too, and the earlier ones not again.


@hookspec(historic=True)
def register_teachers(register: Callable[[str, type[Teacher]], None]) -> None:
    """Call `register("name", Class)` for each teacher in this module."""


@hookspec(historic=True)
def register_students(register: Callable[[str, type[Student]], None]) -> None:
    """Call `register("name", Class)` for each student in this module."""


@hookspec(historic=True)
def register_samplers(register: Callable[[str, type[Sampler]], None]) -> None:
    """Call `register("name", Class)` for each sampler in this module."""


@hookspec(historic=True)
def register_losses(register: Callable[[str, type[Loss]], None]) -> None:
    """Call `register("name", Class)` for each loss in this module."""


@hookspec(historic=True)
def register_evaluators(register: Callable[[str, type[Evaluator]], None]) -> None:
    """Call `register("name", Class)` for each evaluator in this module."""


@hookspec(historic=True)
def register_sources(register: Callable[[str, type[Source]], None]) -> None:
    """Call `register("name", Class)` for each source in this module."""


@hookspec(historic=True)
def register_observers(register: Callable[[str, type[Observer]], None]) -> None:
    """Call `register("name", Class)` for each observer in this module."""


# --- observing: methods of the observers that a run names with --observe, and of the display -----
# All are called in the thread that runs the command, never two at once, and whoever calls waits.
# What is handed over is frozen, or a copy. Under torchrun the first process alone calls them.


@hookspec
def on_ready(settings: dict[str, Any], rounds: Sequence[RoundResult]) -> None:
    """The run is ready to go on: called once a command, after `begin` and before the first
    question. `settings` holds what run.toml does, as nested tables, and no secret; `rounds` those
    that are finished already, round 0 first, none in a new run. Of these `on_round` says nothing.
    """


@hookspec
def on_stage(stage: Stage) -> None:
    """A stage begins (student, texts, embedding, drawing, asking, training, validation, exam): a
    few times a round, one after another. Named observers hear of those that begin after `begin`;
    the catalogue is read before.
    """


@hookspec
def on_progress(stage: Stage) -> None:
    """The stage goes on: how many units are done, of how many, in how many seconds, and what was
    spent. Called at most ten times a second on average, and less often where an observer is slow:
    so that it takes no more than a twentieth of the time. Not every count is told.
    """


@hookspec
def on_stage_end(stage: Stage) -> None:
    """The stage ended, also by an error or Ctrl-C: its last count, and the seconds that it took.
    Once for each `on_stage`.
    """


@hookspec
def on_message(line: str, needed: bool) -> None:
    """One line that stays on the screen: a warning, what was spent, a round's result. Rare. Without
    a line that is `needed` the user cannot go on, or would not know that an observer is switched
    off: also `--quiet` shows it.
    """


@hookspec
def on_judgment(judgment: Judgment) -> None:
    """The teacher ranked one slate: called once for every judgment of a round, in the order of the
    slots, when all of them are written. Exam and validation are not told, nor what a file brings.
    """


@hookspec
def on_step(step: Step) -> None:
    """The optimiser made one step: called after every one. A command that goes on in the middle of
    a round tells those steps again that came after the last bookmark.
    """


@hookspec
def on_round(result: RoundResult) -> None:
    """A round was validated and written: called once for each, round 0 (the untrained student)
    included. Killed between the two, it is among the next command's `on_ready(rounds)` instead.
    """


@hookspec
def on_report(metrics: dict[str, Any]) -> None:
    """The exam is over: called once, at the end of `pvd run` and of each `pvd evaluate`, before
    metrics.json is written. `metrics` is a copy of what that file will hold.
    """

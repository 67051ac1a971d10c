"""The hooks. A plug-in module implements `register_*`; an observer implements `on_*`.

Hooks observe, components decide: no hook may change a number.
"""

from __future__ import annotations

from collections.abc import Callable
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
    from pvd.records import Judgment, RoundResult, Step

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


# --- observing: methods of the observers that the run names with --observe -------------------


@hookspec
def on_judgment(judgment: Judgment) -> None:
    """The teacher answered one slate of a round; called in the order of the slots."""


@hookspec
def on_step(step: Step) -> None:
    """The optimiser made one step."""


@hookspec
def on_round(result: RoundResult) -> None:
    """A round was finished and written."""


@hookspec
def on_report(metrics: dict[str, Any]) -> None:
    """The run ended; `metrics` is a copy of what metrics.json holds."""

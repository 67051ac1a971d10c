"""An observer that writes what TensorBoard shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import pvd
from pvd import kit

from .events import Events
from .slates import picture

VALIDATION = "rounds/validation"
EXAM = "student, exam/mpr"
# TensorBoard sorts groups by name: what is looked at while a run goes on comes first.
STEPS, ROUNDS = "optimiser", "rounds"
# Settings that tell no run from another: how it is asked, watched, bounded, where things lie.
ASIDE = (
    "ask",
    "device",
    "evaluators",
    "max_calls",
    "max_cost",
    "observers",
    "prepared_gb",
    "store",
)


@dataclass(kw_only=True)
class TensorBoard(pvd.Observer):
    """Curves, results, settings and some slates for `tensorboard --logdir RUN`, or a folder of
    runs. Everything lies on one axis: the optimiser's steps since the run began.
    """

    extra: ClassVar[str] = "tensorboard"

    folder: Annotated[
        Path | None, "folder of logs, one for each run by its name; inside the run if none"
    ] = None
    slates: Annotated[
        int, kit.AtLeast(0), "slates of each round that are shown as the teacher ranked them"
    ] = 4

    def __post_init__(self) -> None:
        self._events: Events | None = None

    def __enter__(self) -> Self:
        kit.need("tensorboard", self.extra)
        kit.need("torch.utils.tensorboard", self.extra)
        return self

    def begin(self, folder: Path) -> None:
        self._folder = self.folder / folder.name if self.folder else folder / "tensorboard"
        self._goes_on = any(self._folder.glob("events.out.tfevents.*"))
        self._settings: dict[str, Any] = {}
        self._steps = 0  # of a round
        self._finished = self._shown = 0  # rounds, and slates of the round under way
        self._told: set[tuple[str, int]] = set()  # what the log has of an earlier command

    def __exit__(self, *error: object) -> None:
        self._close()

    # --- what happens -----------------------------------------------------------------------

    @pvd.hookimpl
    def on_ready(self, settings: dict[str, Any], rounds: Sequence[pvd.RoundResult]) -> None:
        self._settings, self._steps = settings, settings["train"]["steps"]
        if self._goes_on and not rounds:  # of a run that was started over
            self._open(purge=0)
        elif self._goes_on:
            self._told = _told(self._folder)
        for result in rounds:  # nobody may have told: no observer was named, or a kill came between
            self._finish(result)

    @pvd.hookimpl
    def on_judgment(self, judgment: pvd.Judgment) -> None:
        if self._shown < self.slates:
            self._shown += 1
            at = self._steps * self._finished
            self._log.picture(f"slates/{self._shown}", picture(judgment), at)

    @pvd.hookimpl
    def on_step(self, step: pvd.Step) -> None:
        at = self._steps * (step.round - 1) + step.step + 1
        if self._goes_on:  # an earlier command may have come further than training goes on from
            self._open(purge=at)
        values = {
            "loss": step.loss,
            "learning rate": step.learning_rate,
            "gradient norm": step.gradient_norm,
            "slates per second": step.slates_per_second,
        }
        self._write(STEPS, values, at)
        self._log.flush()  # at once: a bookmark is never ahead of the log, whatever kills the run

    @pvd.hookimpl
    def on_round(self, result: pvd.RoundResult) -> None:
        self._finish(result)

    @pvd.hookimpl
    def on_report(self, metrics: dict[str, Any]) -> None:
        at = self._steps * (len(metrics["rounds"]) - 1)
        if (EXAM, at) in self._told:  # the same `pvd evaluate` once more
            return
        systems = metrics["exam"]["systems"]
        for measure, found in systems["distilled"].items():
            self._write("student, exam", _interval(measure, found), at)
        for control, gains in metrics["exam"]["gains"].items():
            for measure, found in gains.items():
                self._write(f"student, gain over {control}", _interval(measure, found), at)
        self._log.text("exam", _table(systems), at)
        self._hyperparameters(at)
        self._log.flush()

    # --- how it is written ------------------------------------------------------------------

    @property
    def _log(self) -> Events:
        """The file that is written to, made with the first event that is worth one."""
        return self._events or self._open()

    def _open(self, purge: int | None = None) -> Events:
        """A new file. From the step `purge` on it stands in the place of the earlier ones."""
        self._close()
        if purge is not None:
            self._goes_on = False
            self._told = {(tag, at) for tag, at in self._told if at < purge}
        log = self._events = Events(self._folder, purge)
        band = ["Margin", [VALIDATION, f"{VALIDATION}, low", f"{VALIDATION}, high"]]
        log.charts({ROUNDS: {"validation, with its interval": band}})
        return log

    def _close(self) -> None:
        if self._events is not None:
            self._events.close()
        self._events = None

    def _write(self, group: str, values: Mapping[str, float], at: int) -> None:
        for name, value in values.items():
            self._log.number(f"{group}/{name}", value, at)

    def _finish(self, result: pvd.RoundResult) -> None:
        """A round's numbers, at the step after which it was validated."""
        self._finished, self._shown = result.round, 0
        at = self._steps * result.round
        if (VALIDATION, at) in self._told:
            return
        values = _interval("validation", vars(result.validation))
        if result.loss is not None:
            values["loss"] = result.loss
        if result.round:
            values["answers"] = result.answered
            values["answers, new"] = result.fresh
            values["slates replaced"] = result.replaced
            values["slates unanswered"] = result.slates - result.answered
        self._write(ROUNDS, values, at)
        for table, rows in result.notes.items():
            for row, columns in rows.items():
                noted = {f"{row} {column}": number for column, number in columns.items()}
                self._write(f"sampler {table}", noted, at)
        self._log.flush()

    def _hyperparameters(self, at: int) -> None:
        """For the table that compares runs; `add_hparams` would make another run of them."""
        found = {
            name: value if type(value) in (int, float) else _text(value)
            for name, value in _flat(self._settings)
            if name.partition(".")[0] not in ASIDE
        }
        shown = dict.fromkeys((EXAM, VALIDATION), 0.0)  # only their tags count
        self._log.hyperparameters(found, shown, at)


def _told(folder: Path) -> set[tuple[str, int]]:
    """The tags that a log has, each with its steps."""
    from tensorboard.backend.event_processing import (  # type: ignore[import-untyped]
        event_accumulator as reading,
    )

    sizes = {reading.SCALARS: 0, reading.IMAGES: 1}  # all, and as few as can be
    log = reading.EventAccumulator(str(folder), sizes).Reload()
    tags = log.Tags()[reading.SCALARS]
    return {(tag, event.step) for tag in tags for event in log.Scalars(tag)}


def _interval(name: str, found: Mapping[str, Any]) -> dict[str, float]:
    return {name: found["value"], f"{name}, low": found["low"], f"{name}, high": found["high"]}


def _table(systems: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The exam in Markdown: a row for each system, its intervals in brackets."""
    measures = list(dict.fromkeys(name for found in systems.values() for name in found))
    rows = [["system", *measures], ["---", *("---:" for _ in measures)]]
    for system, found in systems.items():
        cells = [
            f"{found[name]['value']:.3g} ({found[name]['low']:.3g} to {found[name]['high']:.3g})"
            if name in found
            else ""
            for name in measures
        ]
        rows.append([system, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _flat(table: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The settings with dotted names; members of a list by their number."""
    if isinstance(table, list | tuple):
        table = dict(enumerate(table))
    if not isinstance(table, Mapping):
        yield name, table
        return
    for key, value in table.items():
        yield from _flat(value, f"{name}.{key}".lstrip("."))


@pvd.hookimpl
def register_observers(register: Callable[[str, type[pvd.Observer]], None]) -> None:
    register("tensorboard", TensorBoard)

"""All settings of a run, as dataclasses: what a recipe, a TOML file and `-o` set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pvd import contents, options
from pvd.bounds import Amount, Count, Number, Several, Share, refused
from pvd.discovery import registry, unknown
from pvd.errors import BadInput, UnknownName, UsageError
from pvd.judge import with_judge, without_follower
from pvd.options import Table
from pvd.protocols import Component, Evaluator, Loss, Observer, Sampler, Source, Student, Teacher
from pvd.records import digest_of
from pvd.streams import derive

# What may differ when a run goes on: limits and places. (Another device may change the last bits of
# a number; a run that moves to another machine should not have to start over for that.)
UNRECORDED = (
    "device",
    "observers",
    "store",
    "max_cost",
    "max_calls",
    "prepared_gb",
    "train.chunk",
    "ask.batch",
    "ask.workers",
    "ask.requests_per_minute",
    "ask.tokens_per_minute",
    "ask.poll",
    "ask.retries",
    "ask.patience",
    "ask.deadline",
    "ask.failures",
    "ask.accept_model_change",
    "ask.allow_unpriced",
)
OPERATIONAL = (".timeout", ".batch", ".port")  # of a teacher, however deep: how it asks, not what


@dataclass(kw_only=True)
class Streams:
    """Seeds of the random streams; each derives from `seed` unless set alone."""

    split: Annotated[Number | None, "which personas and items are held out"] = None
    exam: Annotated[Number | None, "tournaments and intervals"] = None
    teacher: Annotated[Number | None, "the teacher's own randomness, if it has any"] = None
    judge: Annotated[Number | None, "the judge's"] = None
    draw: Annotated[Number | None, "personas, items and orders of slates, in validation too"] = None
    train: Annotated[Number | None, "batches, augmentation, dropout"] = None


@dataclass(kw_only=True)
class SplitSettings:
    """How personas and items without a split column are divided, by hash of the group."""

    validation: Annotated[Share, "share held out for choosing the round"] = 0.1
    test: Annotated[Share, "share held out for the exam"] = 0.2
    group: Annotated[str | None, "attribute whose values are held out whole; else the id"] = None


@dataclass(kw_only=True)
class AskSettings:
    """How the teacher is asked; no part of any question."""

    workers: Annotated[Count | None, "calls at once, at most; the teacher's own number if none"] = (
        None
    )
    requests_per_minute: Annotated[Count | None, "sent at most; as many as are taken if none"] = (
        None
    )
    tokens_per_minute: Annotated[Count | None, "read and written at most, as far as known"] = None
    batch: Annotated[bool, "use the provider's batches: half the price, up to a day each"] = False
    poll: Annotated[Amount, "seconds between looks at a batch"] = 60.0
    attempts: Annotated[Count, "orders in which a slate is shown before it counts as failed"] = 3
    retries: Annotated[Number, "times that a busy provider is called again"] = 8
    patience: Annotated[Amount, "seconds that one call may wait for a busy provider"] = 300.0
    deadline: Annotated[Amount | None, "seconds that one command may ask in all"] = None
    failures: Annotated[Amount, "share of failed slates above which the run stops"] = 0.01
    allow_unpriced: Annotated[bool, "ask a teacher whose price nobody knows"] = False
    accept_model_change: Annotated[bool, "go on if another model answers under the same name"] = (
        False
    )


@dataclass(kw_only=True)
class TrainSettings:
    """The rounds: how much is asked, and how the student learns from it."""

    rounds: Annotated[Count, "rounds at most"] = 6
    slates: Annotated[Count, "slates drawn a round"] = 1600
    size: Annotated[Several, "items a slate"] = 5
    steps: Annotated[Count, "optimiser steps a round"] = 250
    batch: Annotated[Count, "slates a step"] = 64
    chunk: Annotated[Count | None, "pictures embedded at once; all of a step's if none"] = None
    learning_rate: Annotated[
        Amount | None, "of AdamW, in the first round; the student's if none"
    ] = None
    decay: Annotated[Amount, "factor on the learning rate from round to round"] = 0.7
    weight_decay: Annotated[Amount, "of AdamW"] = 0.05
    clip: Annotated[Amount, "the gradient's norm at most"] = 1.0
    warmup: Annotated[Number, "steps in which each round's rate rises to its value"] = 5
    anchor: Annotated[
        Amount, "weight in the loss of the drift from the student before training"
    ] = 0.0
    replay: Annotated[
        Literal["all", "last", "decay"],
        "train on all judgments so far, the last round's, or all with weight 0.5^age",
    ] = "all"
    validate: Annotated[
        Literal["pairs", "mpr"], "choose the round by agreement on fixed slates, or by MPR"
    ] = "pairs"
    validation_slates: Annotated[Count, "uniform slates of held-out personas and items"] = 300
    patience: Annotated[Count, "rounds without improvement before the run stops"] = 3


@dataclass(kw_only=True)
class ExamSettings:
    """The exam's size and tournament."""

    personas: Annotated[Count | None, "personas at most; all held-out ones if none"] = 64
    items: Annotated[Several | None, "items at most; all held-out ones if none"] = None
    group: Annotated[Several, "items in a group of the single elimination"] = 5
    first_round: Annotated[
        Literal["own", "shared"],
        "groups of a tournament's first round: each persona's own, or the same for all, which "
        "providers that remember pictures answer for less",
    ] = "own"
    repeats: Annotated[Number, "tournaments played again on some personas, for stability"] = 1
    repeat_personas: Annotated[Number, "personas whose tournament is played again"] = 12
    gallery: Annotated[Number, "personas shown as pictures in the report"] = 6


@dataclass(kw_only=True)
class Settings:
    """What a run is made of; everything in it can be set by itself."""

    teacher: Annotated[Teacher, "who ranks slates for training"]
    judge: Annotated[
        Teacher, "who ranks for the exam; the teacher, with a seed of its own, if none"
    ]
    student: Annotated[Student, "the embedding model that learns"]
    sampler: Annotated[Sampler, "who chooses the items of a slate"]
    loss: Annotated[Loss, "what pulls the student's scores towards the rankings"]
    catalog: Annotated[Source, "where the items come from"]
    personas: Annotated[Source, "where the personas come from"]
    evaluators: Annotated[tuple[Evaluator, ...], "what is measured in the exam"]
    observers: Annotated[tuple[Observer, ...], "who is told what happens"] = ()
    seed: Annotated[Number, "of every random stream"] = 0
    device: Annotated[str, "where the student runs, as torch names it"] = "cpu"
    store: Annotated[Path | None, "the answers' database; the user's cache folder if none"] = None
    max_cost: Annotated[Amount | None, "dollars that the run may cost in all"] = None
    max_calls: Annotated[Number | None, "questions that the run may send in all"] = None
    prepared_gb: Annotated[Amount, "gigabytes of prepared pictures on disk, at most; 0: memory"] = (
        20.0
    )
    streams: Streams = field(default_factory=Streams)
    split: SplitSettings = field(default_factory=SplitSettings)
    ask: AskSettings = field(default_factory=AskSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    exam: ExamSettings = field(default_factory=ExamSettings)

    def stream(self, name: str) -> int:
        """The seed of a random stream."""
        own = getattr(self.streams, name)
        return own if own is not None else derive(self.seed, name) % 2**32

    def table(self) -> Table:
        """The tables that make these settings again. A judge that is the teacher once more is not
        among them: it follows whoever teaches."""
        return without_follower(self.whole())

    def whole(self) -> Table:
        """The same with the judge, whoever it is."""
        return dict(options.dump(self))

    def digest(self) -> str:
        """What the run's folder is named after: all that can change a question or a number."""
        table = {k: v for k, v in flat(self.whole()).items() if not unrecorded(k)}
        return digest_of([table, self.files(), *filter(None, [self.contents()])])

    def files(self) -> dict[str, str]:
        """The files of `-p` that the run's components came from, and their digests."""
        found = (registry.file_of(component) for component in components(self))
        return dict(file for file in found if file is not None)

    def contents(self) -> dict[str, str]:
        """The SHA-256 of each file that an option names, by the option. What sources read is not
        among them: the data itself is compared."""
        parts = {f.name: getattr(self, f.name) for f in fields(self) if not unrecorded(f.name)}
        del parts["catalog"], parts["personas"]
        return {k: v for k, v in contents.digests(parts).items() if not unrecorded(k)}

    def __post_init__(self) -> None:
        for section in (self, self.streams, self.split, self.ask, self.train, self.exam):
            if why := refused(section, type(section).__name__.removesuffix("Settings").lower()):
                raise BadInput(f"{why}.")
        split = self.split
        if not split.validation + split.test < 1:
            raise BadInput(
                "split.validation and split.test must leave something to train on: "
                f"their sum is {split.validation + split.test:g}."
            )
        if not any("mpr" in evaluator.chance(2) for evaluator in self.evaluators):
            names = ", ".join(f'"{name}"' for name in ("mpr", *(e.label for e in self.evaluators)))
            raise BadInput(
                "The evaluators must include one that gives `mpr`, on which the result and the "
                f"report are built; write for example -o 'evaluators=[{names}]'."
            )
        missing = self.loss.requires - self.teacher.capabilities.yields
        if missing:
            raise BadInput(
                f"The loss {self.loss.label} needs {', '.join(sorted(missing))}, which the "
                f"teacher {self.teacher.label} does not give; choose another of the two."
            )


def unrecorded(name: str) -> bool:
    """Whether a dotted setting may differ when a run goes on."""
    if name.partition(".")[0] in ("teacher", "judge") and name.endswith(OPERATIONAL):
        return True
    return any(name == free or name.startswith(free + ".") for free in UNRECORDED)


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The table with dotted names; what is None is left out."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        inside = prefix.startswith(("teacher.", "judge.")) and _are_tables(value)
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif inside:  # the members of an ensemble: how they ask is no part of what they are asked
            found |= flat({str(n): table for n, table in enumerate(value)}, f"{prefix}{key}.")
        elif value is not None:
            found[prefix + key] = value
    return found


def _are_tables(value: Any) -> bool:
    tables = isinstance(value, list) and all(isinstance(table, Mapping) for table in value)
    return tables and bool(value)


def components(value: Any) -> Iterator[Component]:
    """The components among the options of `value`, and those inside them."""
    for f in fields(value):
        inner = getattr(value, f.name)
        for member in inner if isinstance(inner, tuple) else (inner,):
            if isinstance(member, Component):
                yield member
                yield from components(member)


def recipes() -> list[str]:
    """The names of the recipes that come with pvd."""
    folder = resources.files("pvd") / "recipes"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith("toml"))


def recipe(name: str) -> Table:
    """The tables of a recipe."""
    if name not in recipes():
        raise UnknownName(unknown("recipe", name, recipes()))
    with resources.as_file(resources.files("pvd") / "recipes" / f"{name}.toml") as path:
        return options.read_toml(path)


def resolve(*tables: Mapping[str, Any]) -> Settings:
    """The settings from tables laid upon one another, the first the weakest."""
    merged: Table = {}
    for table in tables:
        merged = options.merge(merged, table)
    settings = options.fill(Settings, with_judge(merged), "")
    _check_sources(tables, merged)
    return settings


def _check_sources(tables: Sequence[Mapping[str, Any]], merged: Table) -> None:
    """Own data of one kind with the recipe's of the other is a mistake, unless it is said."""

    def use(source: Any) -> Any:
        return source.get("use") if isinstance(source, Mapping) else source

    roles = ("catalog", "personas")
    given = [role for role in roles if any(use(table.get(role)) for table in tables[1:])]
    for role, other in (roles, roles[::-1]):
        before = use(tables[0].get(other))
        if given == [role] and before and use(merged[role]) != use(tables[0].get(role)):
            raise UsageError(
                f"--{role} is your own, and --{other} would still be {before}; add --{other}, "
                f"also if {before} is meant."
            )

"""The design of a comparison: what varies, who judges, and the runs that follow from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from pvd import naming, options
from pvd.discovery import KINDS
from pvd.errors import BadInput, UsageError
from pvd.judge import without_follower
from pvd.options import Table
from pvd.protocols import Teacher
from pvd.records import digest_of
from pvd.settings import Settings, flat, resolve, unrecorded
from pvd.streams import derive

VARIED = ("draw", "train", "teacher")  # streams that a seed varies; split and exam stay
# What all cells must have in common, or they would not sit the same exam.
COMMON = ("catalog", "personas", "split", "exam", "streams", "seed", "judge", "evaluators")


@dataclass(frozen=True)
class Factor:
    """Something that varies: an option path, and the values that it takes."""

    path: str
    values: tuple[Any, ...]
    labels: tuple[str, ...]

    def overlay(self, level: int) -> Table:
        """The tables that set this level."""
        table: Any = self.values[level]
        if self.path in KINDS and isinstance(table, str):
            table = {"use": table}
        for key in reversed(self.path.split(".")):
            table = {key: table}
        return dict(table)

    @property
    def teaches(self) -> bool:
        """Whether its levels are different teachers."""
        return self.path.partition(".")[0] == "teacher"


@dataclass(frozen=True)
class Arm:
    """A level of each factor: what is compared with others, over seeds."""

    label: str
    levels: tuple[int, ...]  # one a factor


@dataclass(frozen=True)
class Judge:
    """Who examines all cells. `teaches`: it is the teacher of some arms, under another seed.
    `independent`: no mind that taught is in it, so that it can say whether another judge flatters.
    """

    label: str
    table: Table
    teaches: bool
    independent: bool


@dataclass(frozen=True)
class Cell:
    """One run: an arm and a seed."""

    arm: int
    seed: int


@dataclass(frozen=True)
class Design:
    """Everything that a comparison runs and measures; arms are the product of the factors."""

    tables: tuple[Mapping[str, Any], ...]  # of all cells, the first the weakest
    factors: tuple[Factor, ...]
    judges: tuple[Judge, ...]
    seeds: int
    margin: float  # points by which a stand-in may be worse

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """In the order of the levels, the last factor's changing fastest."""
        return tuple(
            Arm(", ".join(f.labels[n] for f, n in zip(self.factors, levels, strict=True)), levels)
            for levels in product(*(range(len(f.values)) for f in self.factors))
        )

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Seed by seed, so that a comparison that is stopped has all arms of some seeds."""
        return tuple(Cell(a, s) for s in range(self.seeds) for a in range(len(self.arms)))

    @property
    def rows(self) -> list[list[Cell]]:
        """The cells of each arm, in the order of the seeds."""
        return [[Cell(a, s) for s in range(self.seeds)] for a in range(len(self.arms))]

    def teacher_of(self, arm: Arm) -> str:
        """The label of who teaches it, among the judges' labels if it also judges."""
        return _teacher_label(self.factors, arm.levels) or naming.label(self.base.teacher)

    @cached_property
    def teachers(self) -> tuple[Teacher, ...]:
        """Everybody who is asked: each arm's teacher, and the judges."""
        arms = (self.settings(Cell(number, 0)).teacher for number in range(len(self.arms)))
        return (*arms, *(self.examining(judge).teacher for judge in self.judges))

    @cached_property
    def arms_of(self) -> Mapping[str, tuple[int, ...]]:
        """The arms of each teacher, by its label."""
        found: dict[str, tuple[int, ...]] = {}
        for number, arm in enumerate(self.arms):
            label = self.teacher_of(arm)
            found[label] = (*found.get(label, ()), number)
        return found

    @cached_property
    def base(self) -> Settings:
        """What the cells have in common; where they differ, the first arm's."""
        return resolve(*self.tables, *self._laid(self.arms[0]), {"judge": self.judges[0].table})

    def _laid(self, arm: Arm) -> list[Table]:
        return _laid(self.factors, arm.levels)

    def settings(self, cell: Cell, judged: Table | None = None) -> Settings:
        """A cell's run, each time made anew; the first judge holds its own exam, or another one,
        whose tables are `judged`."""
        laid, seed = self._laid(self.arms[cell.arm]), self.base.seed
        streams = {name: derive(seed, name, cell.seed) % 2**32 for name in VARIED}
        teacher = self.teacher_of(self.arms[cell.arm])
        streams["teacher"] = derive(seed, "teacher", cell.seed, teacher) % 2**32
        judged = judged or self._judged(self.judges[0])
        return resolve(*self.tables, *laid, {"streams": streams}, judged)

    def examining(self, judge: Judge) -> Settings:
        """Settings under which this judge's exam is asked; the judge is its own teacher there."""
        own = {"teacher": judge.table}
        return resolve(*self.tables, *self._laid(self.arms[0]), own, self._judged(judge))

    def _judged(self, judge: Judge) -> Table:
        """The tables that make it the judge. Each has chance of its own, as each teacher has: two
        that are simulated would err alike otherwise."""
        stream = derive(self.base.seed, "judge", judge.label) % 2**32
        return {"judge": judge.table, "streams": {"judge": stream}}

    def folder(self, out: Path, cell: Cell) -> Path:
        """Where a cell's run lies."""
        return out / "cells" / _slugs([a.label for a in self.arms])[cell.arm] / f"seed-{cell.seed}"

    def exam_folder(self, out: Path, judge: Judge) -> Path:
        """Where a judge's answers lie."""
        names = _slugs([one.label for one in self.judges])
        return out / "exams" / names[self.judges.index(judge)]

    def digest(self) -> str:
        """Changes with anything that could change a number of the comparison."""
        whole = [*(self.settings(cell) for cell in self.cells)]
        whole += [self.examining(judge) for judge in self.judges]
        tables = [{k: v for k, v in flat(s.whole()).items() if not unrecorded(k)} for s in whole]
        files = [*filter(None, (settings.contents() for settings in whole))]
        return digest_of([tables, self.base.files(), self.margin, *files])


def _teacher_label(factors: Sequence[Factor], levels: Sequence[int]) -> str:
    """What tells this arm's teacher from others; empty if teachers do not vary."""
    return ", ".join(f.labels[n] for f, n in zip(factors, levels, strict=True) if f.teaches)


def _laid(factors: Sequence[Factor], levels: Sequence[int]) -> list[Table]:
    """The tables of some levels. A component comes before its options, in whatever order they were
    named, or a level would be lost without a word."""
    pairs = sorted(zip(factors, levels, strict=True), key=lambda pair: pair[0].path.count("."))
    return [factor.overlay(level) for factor, level in pairs]


def make(
    tables: Sequence[Mapping[str, Any]],
    vary: Mapping[str, Sequence[Any]],
    judges: Sequence[Any] = (),
    seeds: int = 5,
    margin: float = 1.0,
) -> Design:
    """The design, with every arm's settings checked. Without `judges` the judge of the settings
    examines all; without one, every teacher of the design does."""
    if isinstance(judges, str):
        judges = [judges]
    if not vary:
        raise UsageError("Nothing varies; add for example --vary teacher=gemini,gpt-4o.")
    if seeds < 1:
        raise UsageError(f"--seeds must be at least 1, not {seeds}.")
    if not 0 <= margin < 100:
        raise UsageError(f"--margin is in points of percentile rank, from 0 on, not {margin:g}.")
    last = [path.rpartition(".")[2] for path in vary]
    factors = tuple(_factor(p, values, last) for p, values in vary.items())
    # Who judges is said once: options of the settings' judge must not reach others.
    bare = [{k: v for k, v in table.items() if k != "judge"} for table in tables]
    sat = _judges(tables, bare, judges, _teachers(bare, factors))
    made = Design(tuple(bare), factors, sat, seeds, margin)
    for number in range(len(made.arms)):
        made.settings(Cell(number, 0))
    return made


def _factor(path: str, values: Sequence[Any], last: Sequence[str]) -> Factor:
    head = path.partition(".")[0]
    if head in COMMON:
        mend = "; name several --judges instead" if head == "judge" else ""
        raise UsageError(
            f"--vary {path} would change the exam, and its numbers could not be compared{mend}."
            if head != "seed"
            else "--seeds varies the seed; give for example --seeds 5."
        )
    if unrecorded(path):
        raise UsageError(f"--vary {path} changes how a run is done, but none of its numbers.")
    name = path.rpartition(".")[2]
    name = path if last.count(name) > 1 else name  # two options may have one name
    if isinstance(values, str) or len(values) < 2:
        raise UsageError(f"--vary {path} needs two values at least, such as {path}=A,B.")
    labels = tuple(_label(path, name, value) for value in values)
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise UsageError(f"--vary {path} has {twice} twice; give each value once.")
    return Factor(path, tuple(values), labels)


def _label(path: str, name: str, value: Any) -> str:
    """How a level is called."""
    if isinstance(value, Mapping):
        return _word(value)
    return _word(value) if path in KINDS else f"{name}={_word(value)}"


def _word(value: Any) -> str:
    if isinstance(value, Mapping):
        rest = ", ".join(f"{k}={_word(v)}" for k, v in value.items() if k != "use")
        return f"{value.get('use', '')} ({rest})".strip() if rest else str(value.get("use", ""))
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_word, value)) + "]"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _teachers(tables: Sequence[Mapping[str, Any]], factors: Sequence[Factor]) -> dict[str, Table]:
    """The distinct teachers of the arms, by label."""
    found: dict[str, Table] = {}
    for levels in product(*(range(len(f.values)) for f in factors)):
        teacher = resolve(*tables, *_laid(factors, levels)).teacher
        label = _teacher_label(factors, levels) or naming.label(teacher)
        found.setdefault(label, options.dump(teacher))
    return found


def _judges(
    tables: Sequence[Mapping[str, Any]],
    bare: Sequence[Mapping[str, Any]],
    named: Sequence[Any],
    teachers: Mapping[str, Table],
) -> tuple[Judge, ...]:
    """Those who are named; else the judge of the settings; else all teachers. A judge who is the
    teacher of the very same table once more is nobody's wish: older versions recorded one so."""
    wished = [without_follower(table) for table in tables]
    if not named and any(table.get("judge") for table in wished):
        named = [options.dump(resolve(*wished).judge)]
    found: dict[str, Judge] = {}
    minds = [resolve(*bare, {"teacher": table}).teacher for table in teachers.values()]
    for one in named or list(teachers):
        given = teachers.get(str(one)) or _only(one, teachers) or one
        judge = resolve(*bare, {"teacher": given}).teacher
        table = options.dump(judge)
        same = [name for name, own in teachers.items() if _alike(own, table)]
        label = same[0] if same else naming.label(judge)
        if label in found:
            raise UsageError(f"--judges has {label} twice; give each judge once.")
        independent = not any(naming.share_a_mind(judge, mind) for mind in minds)
        found[label] = Judge(label, teachers[label] if same else table, bool(same), independent)
    return tuple(found.values())


def _alike(one: Table, other: Table) -> bool:
    """Whether they ask the same; how they ask does not matter."""
    tables = [
        {k: v for k, v in flat({"teacher": table}).items() if not unrecorded(k)}
        for table in (one, other)
    ]
    return tables[0] == tables[1]


def _only(name: Any, teachers: Mapping[str, Table]) -> Table | None:
    """The one teacher of that name, as it was set up; an error if there are several."""
    known = {label: table for label, table in teachers.items() if table["use"] == name}
    if len(known) > 1:
        raise BadInput(
            f"The judge {name!r} may be any of {', '.join(map(repr, known))}; name one of them, or "
            "leave --judges out, and all of them judge."
        )
    return next(iter(known.values()), None)


def _slugs(labels: Sequence[str]) -> list[str]:
    """A folder's name for each label, all distinct."""
    found: list[str] = []
    for label in labels:
        slug = re.sub(r"[^A-Za-z0-9._=-]+", "-", label).strip("-.")[:80] or "arm"
        found.append(slug if slug not in found else f"{slug}-{digest_of(label)[:8]}")
    return found

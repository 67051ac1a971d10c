"""Distil the taste of a vision-language model into an embedding model.

`pvd.run(...)` does all of it; the stages are in the modules `catalog`, `scoring`, `drawing`,
`asking`, `training`, `tournament`, `exam` and `report`, each taking records and returning records.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvd.hookspecs import hookimpl
from pvd.protocols import (
    BatchTeacher,
    Capabilities,
    Component,
    CompositeTeacher,
    Evaluator,
    Loss,
    Observer,
    Pool,
    Prepared,
    Question,
    Sampler,
    ScoredBatch,
    Source,
    State,
    Student,
    Teacher,
)
from pvd.records import (
    Catalog,
    Estimate,
    Exam,
    Forecast,
    Item,
    Judgment,
    Persona,
    Ranking,
    Reply,
    Request,
    RoundResult,
    Slate,
    Step,
    Tokens,
)

if TYPE_CHECKING:
    from pvd.auditing import Audit
    from pvd.comparing.comparison import Compared
    from pvd.pipeline import Run
    from pvd.search.index import Index

__version__ = "0.1.0"

__all__ = [
    "BatchTeacher",
    "Capabilities",
    "Catalog",
    "Component",
    "CompositeTeacher",
    "Estimate",
    "Evaluator",
    "Exam",
    "Forecast",
    "Index",
    "Item",
    "Judgment",
    "Loss",
    "Observer",
    "Persona",
    "Pool",
    "Prepared",
    "Question",
    "Ranking",
    "Reply",
    "Request",
    "RoundResult",
    "Sampler",
    "ScoredBatch",
    "Slate",
    "Source",
    "State",
    "Step",
    "Student",
    "Teacher",
    "Tokens",
    "__version__",
    "audit",
    "compare",
    "export",
    "hookimpl",
    "load",
    "open_student",
    "run",
]


def __getattr__(name: str) -> Any:
    if name == "Index":  # a component needs none of it
        from pvd.search.index import Index

        return Index
    raise AttributeError(f"module 'pvd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def load(kind: str, name: str, **options: Any) -> Any:
    """A component by name, with its options: `pvd.load("teacher", "simulated", noise=0.5)`."""
    from pvd.options import build

    return build(kind, {"use": name, **options}, kind)


def open_student(folder: str | Path, device: str = "cpu") -> Student:
    """The student that a run saved in `RUN/student`, on a device."""
    from pvd.errors import MissingFile
    from pvd.pipeline import open_student

    folder = Path(folder)
    if not (folder / "pvd.json").exists():
        inside = folder / "student"
        mend = f"open {inside}." if inside.is_dir() else "name the folder RUN/student of a run."
        raise MissingFile(f"There is no student in {folder}; {mend}")
    return open_student(folder, device)


def export(
    run: str | Path, to: str | Path, *, interpolate: float | None = None, device: str = "cpu"
) -> Path:
    """Write a finished run's student and its model card to a folder, as `pvd export` does."""
    from pvd.publishing.exporting import export

    return export(Path(run), Path(to), interpolate=interpolate, device=device).folder


def run(**settings: Any) -> Run:
    """A whole run, or the result of a finished one: `pvd.run(seed=1, train={"rounds": 3})`.

    Takes what a TOML file holds, and `recipe`, `plugins` (files), `out` and `fresh` as the command
    does. Returns the numbers of metrics.json, the distilled student and the paths.
    """
    from pvd.pipeline import run

    return run(**settings)


def audit(*teachers: str | Mapping[str, Any] | Teacher, **settings: Any) -> Audit:
    """A report card of teachers, or the result of a finished audit, as `pvd audit` makes it:
    `pvd.audit("simulated", {"use": "simulated", "noise": 2.0}, slates=20, out="audits/first")`.

    Other keywords are `orders`, `pairs`, `prompts`, and what a TOML file holds. Returns the numbers
    of audit.json and the paths.
    """
    from pvd.auditing import audit

    return audit(*teachers, **settings)


def compare(**settings: Any) -> Compared:
    """The same student taught in different ways, or the result of a finished comparison:
    `pvd.compare(vary={"sampler": ["uniform", "four-bin"]}, seeds=5, out="runs/compare")`.

    Other keywords are `judges`, `margin` (points), `jobs` (processes), `recipe`, `plugins`, and
    what a TOML file holds. Returns the numbers of compare.json and the paths.
    """
    from pvd.comparing.comparison import compare

    return compare(**settings)

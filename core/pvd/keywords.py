"""The settings of a run as keywords: what `pvd.run` and its like take, and a TOML file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from pvd.protocols import Evaluator, Loss, Observer, Sampler, Source, Student, Teacher

# A component is a name, a table with `use` and its options, or an object.
Table: TypeAlias = Mapping[str, Any]


class RunSettings(TypedDict, total=False):
    """Every setting; what is left out is the recipe's. `pvd options SECTION` lists a section's."""

    teacher: str | Table | Teacher  #: who ranks slates for training
    judge: str | Table | Teacher  #: who ranks for the exam; else the teacher, with another seed
    student: str | Table | Student  #: the embedding model that learns
    sampler: str | Table | Sampler  #: who chooses the items of a slate
    loss: str | Table | Loss  #: what pulls the scores to the rankings
    catalog: str | Table | Source  #: where the items are: `{"use": "table", "path": "shop.csv"}`
    personas: str | Table | Source  #: where the personas are
    evaluators: Sequence[str | Table | Evaluator]  #: what is measured in the exam
    observers: Sequence[str | Table | Observer]  #: who is told what happens
    seed: int  #: of every random stream
    device: str  #: where the student runs: cpu, cuda, cuda:1, mps
    store: str | Path  #: the answers' database; else the one in the user's cache folder
    max_cost: float  #: dollars that the run may cost in all
    max_calls: int  #: questions that the run may send in all
    prepared_gb: float  #: gigabytes of prepared pictures on disk, at most
    streams: Table  #: the seeds of single random streams
    split: Table  #: how personas and items are divided
    ask: Table  #: how the teacher is asked
    train: Table  #: how much is asked, and how the student learns from it
    exam: Table  #: the exam's size and tournament

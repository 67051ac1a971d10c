"""The protocols that plug-ins subclass. A component is a `@dataclass(kw_only=True)`: its fields are
its options; live state is made in `__enter__` or `load`.

Shapes: B slates in a batch, K items a slate, U distinct images in the batch, S slots, N items,
P texts, D the width of the space.
"""

from __future__ import annotations

from pvd.protocols.component import Component
from pvd.protocols.evaluator import Evaluator
from pvd.protocols.loss import Loss, ScoredBatch
from pvd.protocols.observer import Observer
from pvd.protocols.sampler import Pool, Sampler
from pvd.protocols.source import Source
from pvd.protocols.student import Prepared, State, Student
from pvd.protocols.teacher import (
    BatchTeacher,
    Capabilities,
    CompositeTeacher,
    Question,
    Teacher,
)

__all__ = [
    "BatchTeacher",
    "Capabilities",
    "Component",
    "CompositeTeacher",
    "Evaluator",
    "Loss",
    "Observer",
    "Pool",
    "Prepared",
    "Question",
    "Sampler",
    "ScoredBatch",
    "Source",
    "State",
    "Student",
    "Teacher",
]

"""Which numbers a setting takes, as a part of its type: what is refused, and what the JSON Schema
says, come from this one place.
"""

from __future__ import annotations

import math
import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True)
class AtLeast:
    """Finite numbers from `low` on."""

    low: int

    def takes(self, value: float) -> bool:
        return self.low <= value < math.inf  # NaN is neither

    def wanted(self, value: float) -> str:
        """What to say of a value that is not taken: it must be ..."""
        return "a finite number" if value == math.inf else f"at least {self.low}"

    def schema(self) -> dict[str, float]:
        """As JSON Schema says it, whose numbers are finite."""
        return {"minimum": self.low}


@dataclass(frozen=True)
class Between:
    """Numbers above `low` and below `high`."""

    low: int
    high: int

    def takes(self, value: float) -> bool:
        return self.low < value < self.high

    def wanted(self, value: float) -> str:
        return f"above {self.low} and below {self.high}"

    def schema(self) -> dict[str, float]:
        return {"exclusiveMinimum": self.low, "exclusiveMaximum": self.high}


Bound = AtLeast | Between

Number = Annotated[int, AtLeast(0)]
Count = Annotated[int, AtLeast(1)]
Several = Annotated[int, AtLeast(2)]
Amount = Annotated[float, AtLeast(0)]
Share = Annotated[float, Between(0, 1)]


def bound_of(annotation: Any) -> Bound | None:
    """The bound in an option's type, that of the number in `number | None` too."""
    args = typing.get_args(annotation)
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return next((found for found in map(bound_of, args) if found), None)
    if typing.get_origin(annotation) is Annotated:
        own = next((note for note in args[1:] if isinstance(note, AtLeast | Between)), None)
        return own or bound_of(args[0])
    return None

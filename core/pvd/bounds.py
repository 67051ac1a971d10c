"""Which numbers an option takes, as a part of its type: what is refused, and what the JSON Schema
says, come from this one place.

    scale: Annotated[float, kit.Above(0), "what cosines are multiplied by"] = 20.0
"""

from __future__ import annotations

import math
import operator
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar

from pvd.annotations import field_types

UNIONS = (types.UnionType, typing.Union)


@dataclass(frozen=True)
class Bound:
    """Finite numbers on one side of a limit."""

    limit: float  #: where they begin or end
    _words: ClassVar[str]  # that stand before the limit in a sentence
    _keyword: ClassVar[str]  # of JSON Schema, whose numbers are finite
    _fits: ClassVar[Callable[[float, float], bool]]

    def holds(self, value: float) -> bool:
        """Whether a number is on that side, infinity, too; NaN never is."""
        return type(self)._fits(value, self.limit)


class AtLeast(Bound):
    """Finite numbers from this one on."""

    _words, _keyword, _fits = "at least", "minimum", operator.ge


class Above(Bound):
    """Finite numbers greater than this one."""

    _words, _keyword, _fits = "above", "exclusiveMinimum", operator.gt


class AtMost(Bound):
    """Finite numbers up to this one."""

    _words, _keyword, _fits = "at most", "maximum", operator.le


class Below(Bound):
    """Finite numbers less than this one."""

    _words, _keyword, _fits = "below", "exclusiveMaximum", operator.lt


Number = Annotated[int, AtLeast(0)]
Count = Annotated[int, AtLeast(1)]
Several = Annotated[int, AtLeast(2)]
Amount = Annotated[float, AtLeast(0)]
Share = Annotated[float, Above(0), Below(1)]


def own_bounds(annotation: Any) -> tuple[Bound, ...]:
    """The bounds that stand at a type itself, of whose numbers they all hold: one, those of a
    tuple, or one that may be None."""
    annotated = typing.get_origin(annotation) is Annotated
    notes = typing.get_args(annotation)[1:] if annotated else ()
    return tuple(note for note in notes if isinstance(note, Bound))


def bounds_of(annotation: Any) -> Iterator[Bound]:
    """All bounds in a type, those at its parts, too."""
    yield from own_bounds(annotation)
    if typing.get_origin(annotation) in (Annotated, tuple, *UNIONS):
        for part in typing.get_args(annotation):
            yield from bounds_of(part)


def in_words(bounds: Iterable[Bound]) -> str:
    """As a sentence says them: `at least 16 and at most 4096`."""
    return " and ".join(f"{bound._words} {bound.limit}" for bound in bounds)


def in_schema(bounds: Iterable[Bound]) -> dict[str, float]:
    """As JSON Schema says them of a number."""
    return {bound._keyword: bound.limit for bound in bounds}


def refusal(annotation: Any, value: Any, where: str, bounds: tuple[Bound, ...] = ()) -> str:
    """The sentence, without its end, about a number in an option's value that its type, or one of
    these bounds, does not take; nothing if all fit. `where` names the option."""
    bounds += own_bounds(annotation)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    parts = [(args[0], value, where)] if origin is Annotated else []
    if origin in UNIONS and value is not None:
        parts = [(arm, value, where) for arm in args if arm is not type(None)]
    elif origin is tuple and isinstance(value, tuple | list):
        parts = [(args[0], one, f"{where}[{place}]") for place, one in enumerate(value)]
    elif not parts and isinstance(value, int | float):
        return _refusal(value, where, bounds)
    return next(filter(None, (refusal(*part, bounds) for part in parts)), "")


def _refusal(value: float, where: str, bounds: tuple[Bound, ...]) -> str:
    fits = all(bound.holds(value) for bound in bounds)
    if not bounds or (fits and -math.inf < value < math.inf):
        return ""
    return f"{where} must be {'a finite number' if fits else in_words(bounds)}, not {value}"


def refused(owner: object, where: str = "") -> str:
    """The same about the first option of a dataclass's object, which is named below `where`."""
    cls: type = type(owner)
    for name, annotation in _bounded(cls).items():
        if why := refusal(annotation, getattr(owner, name), f"{where}.{name}".lstrip(".")):
            return why
    return ""


@cache  # types are resolved from text
def _bounded(cls: type) -> dict[str, Any]:
    """The types of those options in which a bound stands."""
    try:
        known = field_types(cls)
    except Exception:  # a type that cannot be resolved: `option_types` says so, once it is set
        return {}
    return {name: kind for name, kind in known.items() if any(bounds_of(kind))}

"""A component's options, as core reads and records them."""

from __future__ import annotations

import typing
from dataclasses import MISSING, fields, make_dataclass
from typing import Any, TypeVar

from pvd import options
from pvd.bounds import bounds_of
from pvd.option_types import UNDERSTOOD as UNDERSTOOD
from pvd.option_types import understood as understood
from pvd.protocols import Component, Source, Teacher

C = TypeVar("C", bound=Component)


def plain(annotation: Any) -> Any:
    """A type without its help."""
    if typing.get_origin(annotation) is typing.Annotated:
        return typing.get_args(annotation)[0]
    return annotation


def bounded_in_vain(annotation: Any) -> bool:
    """Whether a bound stands at a type that has no numbers."""
    held = annotation
    while typing.get_args(held):
        held = typing.get_args(held)[0]
    return any(bounds_of(annotation)) and held not in (int, float)


def defaults(cls: type[Component]) -> dict[str, Any]:
    """What options have where nobody sets them; required ones left out."""
    found = {}
    for field in fields(cls):  # type: ignore[arg-type]
        if field.default is not MISSING:
            found[field.name] = field.default
        elif field.default_factory is not MISSING:
            found[field.name] = field.default_factory()
    return found


def read(annotation: Any, value: Any, name: str) -> Any:
    """What an option of this type becomes when it is set to what a run records of a value."""
    shell = make_dataclass("Shell", [(name, annotation)])
    said = value if isinstance(value, Component) else options.dump(value)
    return getattr(options.fill(shell, {name: said}, ""), name)


def table(component: Component) -> dict[str, Any]:
    """The options as a run records them; components that have no name yet stay as they are."""
    found = {}
    for name, value in component.options().items():
        members = value if isinstance(value, tuple | list) else (value,)
        nameless = any(isinstance(one, Component) and not one.name for one in members)
        said = value if nameless else options.dump(value)
        found[name] = "none" if said is None else said
    return found


def again(component: C, **changed: Any) -> C:
    """Another object with the same options but those changed, and with what core sets."""
    other = type(component)(**{**component.options(), **changed})
    if isinstance(other, Source) and isinstance(component, Source):
        other.path = component.path
    if isinstance(other, Teacher) and isinstance(component, Teacher):
        other.seed = component.seed
    return other

"""What a component is called where others of its name stand beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from pvd.asking.questions import answering
from pvd.protocols import Component, Teacher
from pvd.settings import OPERATIONAL


def label(component: Component) -> str:
    """Its name, and its options that are not the defaults, but those about how it is asked."""
    said = ", ".join(f"{name}={value}" for name, value in _unusual(component))
    return f"{component.label} ({said})" if said else component.label


def _unusual(component: Component, prefix: str = "") -> Iterator[tuple[str, str]]:
    for f in fields(component):  # type: ignore[arg-type]
        value, path = getattr(component, f.name), prefix + f.name
        if f".{f.name}".endswith(OPERATIONAL):  # how it asks, not what
            continue
        if isinstance(value, Component):
            yield path, value.label
            yield from _unusual(value, f"{path}.")
        elif value != _default(f):
            yield path, _short(value)


def _default(f: Field[Any]) -> Any:
    return f.default_factory() if f.default_factory is not MISSING else f.default


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return " + ".join(_short(one) for one in value)
    if isinstance(value, Component):
        return label(value)
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return Path(text).name if isinstance(value, Path) or text.endswith(".j2") else text


MINDS = ("model", "who")  # options that name who thinks, of teachers that are not made up


def share_a_mind(one: Teacher, other: Teacher) -> bool:
    """Whether somebody answers in both: the same model with another prompt or other options, the
    same person, one inside a composite. Simulated teachers are as many minds as they have options.
    """
    return any(_is_one(a, b) for a in answering(one) for b in answering(other))


def _is_one(one: Teacher, other: Teacher) -> bool:
    if type(one) is not type(other):
        return False
    options = [
        {k: v for k, v in teacher.options().items() if not f".{k}".endswith(OPERATIONAL)}
        for teacher in (one, other)
    ]
    named = [{k: o[k] for k in MINDS if k in o} for o in options]
    made_up = one.capabilities.simulated
    return options[0] == options[1] if made_up or not named[0] else named[0] == named[1]

"""What a component is called where others of its name stand beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from pvd.protocols import Component
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

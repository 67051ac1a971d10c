"""The types of a dataclass's fields, which are its options."""

from __future__ import annotations

import inspect
import typing
from dataclasses import fields
from typing import Any


def field_types(cls: type) -> dict[str, Any]:
    """Each field's type, resolved in the module that wrote it; only fields are looked at. Raises
    whatever a stranger's annotation does."""
    names = [f.name for f in fields(cls)]
    found: dict[str, Any] = {}
    for owner in reversed(cls.__mro__):
        own = {k: v for k, v in inspect.get_annotations(owner).items() if k in names}
        if own:
            shell = type("Options", (), {"__annotations__": own, "__module__": owner.__module__})
            found |= typing.get_type_hints(shell, include_extras=True)
    return {name: found[name] for name in names}

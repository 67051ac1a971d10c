"""Which types an option may have: those whose values can be written in TOML, and read again."""

from __future__ import annotations

import typing
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from pvd.annotations import field_types
from pvd.bounds import UNIONS
from pvd.discovery import KINDS
from pvd.errors import PluginError
from pvd.isolation import origin_of
from pvd.protocols import Component

PLAIN = (str, int, float, bool, Path)
UNDERSTOOD = "str, int, float, bool, Path, Literal, X | None, tuple[X, ...] or a component"


def option_types(cls: type) -> dict[str, Any]:
    """Each field's type; PluginError where it cannot be resolved."""
    try:
        return field_types(cls)
    except Exception as error:  # whatever a stranger's annotation does
        raise PluginError(
            f"{origin_of(cls)} has an option type that cannot be resolved: {error}; import it at "
            "the top of its module."
        ) from error


def plain(annotation: Any) -> tuple[Any, str]:
    """A type without what is noted at it, and the help among the notes."""
    if typing.get_origin(annotation) is typing.Annotated:
        inner, *notes = typing.get_args(annotation)
        return inner, next((n for n in notes if isinstance(n, str)), "")
    return annotation, ""


def besides_none(annotation: Any) -> Any:
    """The one type of a value that may be None; any other type as it is, without its notes."""
    annotation, _ = plain(annotation)
    inner = [one for one in typing.get_args(annotation) if one is not type(None)]
    is_one = typing.get_origin(annotation) in UNIONS and len(inner) == 1
    return besides_none(inner[0]) if is_one else annotation


def kind_of(annotation: Any) -> str | None:
    """The kind of plug-in that an option's type stands for, if it does for one."""
    if isinstance(annotation, type) and issubclass(annotation, Component):
        return next((kind for kind, cls in KINDS.items() if issubclass(annotation, cls)), None)
    return None


def of_components(annotation: Any) -> bool:
    """Whether an option is a list of components."""
    annotation, _ = plain(annotation)
    args = typing.get_args(annotation)
    is_list = typing.get_origin(annotation) is tuple and len(args) > 0
    return is_list and kind_of(plain(args[0])[0]) is not None


def understood(annotation: Any) -> bool:
    """Whether a value of this type can be written in TOML, and read again."""
    annotation, _ = plain(annotation)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in UNIONS:
        inner = [one for one in args if one is not type(None)]
        return len(inner) == 1 and understood(inner[0])
    if origin is tuple:
        return len(args) == 2 and args[1] is Ellipsis and understood(args[0])
    if origin is typing.Literal:
        return all(isinstance(one, str | int | bool) for one in args)
    if annotation in PLAIN:
        return True
    is_class = isinstance(annotation, type)
    return is_class and (kind_of(annotation) is not None or is_dataclass(annotation))


def no_option_type(annotation: Any, where: str) -> PluginError:
    """What to raise about an option of any other type."""
    annotation, _ = plain(annotation)
    is_class = isinstance(annotation, type) and not typing.get_args(annotation)
    said = annotation.__name__ if is_class else str(annotation)
    return PluginError(
        f"{where} has the type {said}, which is no option type; make it {UNDERSTOOD}."
    )

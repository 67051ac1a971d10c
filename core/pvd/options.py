"""Options are dataclass fields. Tables (from TOML and the command line) become components here.

A component is a name, or a table with `use`; a path goes on with a dot:
`teacher.use=X`, `teacher.of=gemini`, `teacher.of.model=...`.
"""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import date, time
from pathlib import Path
from typing import Any, TypeVar

from pvd.bounds import refusal
from pvd.discovery import check_whole, nearest, registry
from pvd.errors import BadInput, PvdError, UnknownName
from pvd.isolation import calling
from pvd.option_types import besides_none, no_option_type, plain, understood
from pvd.option_types import kind_of as kind_of
from pvd.option_types import of_components as of_components
from pvd.option_types import option_types as option_types
from pvd.prose import with_article
from pvd.protocols import Component, Source
from pvd.reading import read_text
from pvd.wording import TABLE, no_list, no_option, no_toml, required, set_whole

Table = dict[str, Any]
T = TypeVar("T")


class TomlText(str):
    """Text from a TOML file, which knows the folder where its relative paths start."""

    base: Path


def read_toml(path: Path) -> Table:
    """The tables of a TOML file; paths in it are relative to its folder."""

    def located(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: located(v) for k, v in value.items()}
        if isinstance(value, list):
            return [located(v) for v in value]
        if isinstance(value, str):
            value = TomlText(value)
            value.base = path.resolve().parent
        return value

    text = read_text(path, "configuration file")
    try:
        return typing.cast(Table, located(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        why = str(error)
    except RecursionError:
        why = "its brackets are nested too deeply"
    except ValueError:
        why = "a number in it has too many digits"
    raise BadInput(f"The configuration {path} cannot be read as TOML: {why}.")


def assignment(text: str) -> Table:
    """`a.b=value` as nested tables; the value is TOML, or else the string as it stands."""
    path, equals, raw = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise BadInput(f"The option {text!r} is no key=value; write for example train.rounds=3.")
    table: Any = toml_value(raw.strip())
    for key in reversed(keys):
        table = {key: table}
    return typing.cast(Table, table)


def toml_value(raw: str) -> Any:
    """One TOML value, or the raw string if it is none."""
    try:
        parsed = tomllib.loads(f"value = {raw}")
    except (ValueError, RecursionError):  # no TOML; or digits or brackets without end
        return raw
    # No option is a date, but names end in some.
    plain = set(parsed) == {"value"} and not isinstance(parsed["value"], date | time)
    return parsed["value"] if plain else raw


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """`over` laid upon `base`, table by table. Another `use` drops the old component's options."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, str) and isinstance(value, Mapping):
            old = {"use": old}  # a bare name, and now options for it
        if isinstance(old, Mapping) and isinstance(value, str) and "use" in old:
            value = {"use": value}
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            fresh = "use" in value and value["use"] != old.get("use")
            result[key] = dict(value) if fresh else merge(old, value)
        else:
            result[key] = value
    return result


def build(kind: str, table: Any, where: str) -> Component:
    """The component of a kind from its name or table."""
    if isinstance(table, str):
        if table.startswith(("[", "{")):
            raise BadInput(no_toml(table, where, f"{where}={TABLE}"))
        table = {"use": table}
    if not isinstance(table, Mapping) or not isinstance(table.get("use"), str):
        raise BadInput(
            f"{where} must be the name of {with_article(kind)}, or a table with `use`, not "
            f"{table!r}."
        )
    options = {key: value for key, value in table.items() if key != "use"}
    name = table["use"]
    path_like = any(mark in name for mark in "/\\.") or is_there(name)
    if kind == "source" and path_like and name not in registry.names(kind):
        raise UnknownName(
            f"{where} is the name of a source, and {name!r} is a path; write "
            f'{where} = {{"use": "table", "path": "{name}"}}, or --{where} {name} for the command.'
        )
    cls = registry.get(kind, name)
    path = options.pop("path", None) if issubclass(cls, Source) else None
    component = fill(cls, options, where)
    if isinstance(component, Source) and path is not None:
        if not isinstance(path, str):
            raise BadInput(f"{where}.path must be text, not {path!r}.")
        # What is no file here, such as a name on a hub, stays as the user wrote it.
        component.path = str(_path(path).resolve()) if path and is_there(path) else str(path)
    return component


def _path(text: str | Path) -> Path:
    return text.base / text if isinstance(text, TomlText) else Path(text)


def is_there(text: str) -> bool:
    """Whether a path exists."""
    try:
        return _path(text).exists()
    except OSError:  # too long for a file's name
        return False


def fill(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """A dataclass from a table, each value checked against the field's type."""
    known = option_types(cls)
    label = getattr(cls, "name", "").partition(".")[2]  # a component says which one it is
    values = {}
    for key, value in table.items():
        if key not in known:
            meant = key.partition("[")[0]
            if lists := [n for n in (meant, f"{meant}s") if of_components(known.get(n))]:
                raise UnknownName(set_whole(f"{where}.{lists[0]}".lstrip(".")))
            raise UnknownName(no_option(key, known, where, label, deeper(known, table, key, where)))
        place = f"{where}.{key}".lstrip(".")
        values[key] = _coerce(known[key], value, place)
        if why := refusal(known[key], values[key], place):
            raise BadInput(f"{why}.")
    missing = [
        f.name
        for f in fields(cls)  # type: ignore[arg-type]
        if f.default is MISSING and f.default_factory is MISSING and f.name not in values
    ]
    for name in missing:
        if not understood(known[name]):
            raise no_option_type(known[name], f"{where}.{name}".lstrip("."))
    if missing:
        raise BadInput(required(missing, where, label))
    try:
        return _made(cls, values)
    except ValueError as error:
        why = str(error).rstrip(".")
        raise BadInput(f"{where or 'The configuration'}: {why}.") from None


def deeper(known: Table, table: Mapping[str, Any], key: str, where: str = "") -> list[str]:
    """The paths of options of this name one step deeper, of all that are `known`: in the components
    that a table names, and in sections."""
    found = []
    for name, annotation in known.items():
        cls, given = besides_none(annotation), table.get(name)
        if kind := kind_of(cls):
            use = given.get("use") if isinstance(given, Mapping) else given
            with suppress(PvdError):  # another sentence's matter
                cls = type(use) if isinstance(use, Component) else registry.get(kind, str(use))
        if is_dataclass(cls) and key in {f.name for f in fields(cls)}:
            found.append(f"{where}.{name}.{key}".lstrip("."))
    return found


def _made(cls: type[T], values: Mapping[str, Any]) -> T:
    """An instance. A component says with ValueError that it does not take a value, as with
    BadInput; whatever else its `__post_init__` raises is its own mistake."""
    if not issubclass(cls, Component):
        return cls(**values)
    check_whole(cls)
    with calling(cls, "__init__"):
        return cls(**values)


def _coerce(annotation: Any, value: Any, where: str) -> Any:
    annotation, _ = plain(annotation)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        if value is None or (value == "none" and type(None) in args):
            return None
        inner = [a for a in args if a is not type(None)]
        if len(inner) == 1:
            return _coerce(inner[0], value, where)
    if origin is tuple:
        if of_components(annotation) and isinstance(value, Mapping) and "use" not in value:
            raise BadInput(set_whole(where))
        if isinstance(value, str) and (why := no_list(value, where)):
            raise BadInput(why)
        values = value if isinstance(value, list | tuple) else [value]
        return tuple(_coerce(args[0], v, f"{where}[{i}]") for i, v in enumerate(values))
    if origin is typing.Literal:
        if value not in args and type(value) in (int, float, bool):
            value = _text(value)
        if value not in args:
            choices = [str(a) for a in args]
            near = nearest(str(value), choices)
            raise BadInput(f"{where} must be one of {', '.join(choices)}, not {value!r}{near}")
        return value
    if kind := kind_of(annotation):
        return value if isinstance(value, Component) else build(kind, value, where)
    if is_dataclass(annotation) and isinstance(annotation, type):
        if not isinstance(value, Mapping):
            raise BadInput(f"{where} is a table, not {value!r}; write {where}.NAME=VALUE.")
        return fill(annotation, value, where)
    if annotation is Path and isinstance(value, str | Path):
        try:
            return _path(value).resolve()
        except (OSError, ValueError, RuntimeError) as error:  # NUL, no UTF-8, a loop of links
            raise BadInput(f"{where} is no path: {error}.") from None
    if annotation is float and type(value) is int:
        try:
            return float(value)
        except OverflowError:
            raise BadInput(f"{where} is too large a number.") from None
    # bool is an int for Python, but not for people who write options.
    if annotation is str and isinstance(value, str | Path):
        return str(value)
    if annotation is int and type(value) is int and not -(2**63) <= value < 2**63:
        raise BadInput(f"{where} is too large a number.")
    if annotation in (int, float, bool) and type(value) is annotation:
        return value
    if annotation is str and type(value) in (int, float, bool):
        return _text(value)
    if annotation in (str, int, float, bool, Path):
        raise BadInput(f"{where} must be {_name(annotation)}, not {value!r}.")
    raise no_option_type(annotation, where)


def _text(value: Any) -> str:
    return str(value).lower() if type(value) is bool else str(value)


def _name(annotation: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names.get(annotation, "a path")


def dump(value: Any) -> Any:
    """The table that `build` or `fill` makes this value from; None is left out, or "none" where
    leaving it out would bring back the default.
    """
    if is_dataclass(value) and not isinstance(value, type):
        table: Table = {}
        if isinstance(value, Component):
            table["use"] = value.label
        if isinstance(value, Source) and value.path:
            table["path"] = value.path
        for f in fields(value):
            inner = dump(getattr(value, f.name))
            if inner is not None:
                table[f.name] = inner
            elif f.default is not None and f.default is not MISSING:
                table[f.name] = "none"
        return table
    if isinstance(value, tuple | list):
        return [dump(v) for v in value]
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True)
class Option:
    """One line of `pvd options KIND.NAME`."""

    name: str
    type: str
    default: str
    help: str
    annotation: Any = field(default=None, compare=False)  # the type itself
    value: Any = field(default=None, compare=False)  # the default; MISSING where there is none
    written: Any = field(default=None, compare=False)  # the type as it is written, with its bounds


def describe(cls: type) -> list[Option]:
    """What can be set on a component or a section of the settings."""
    annotations, found = option_types(cls), []
    for f in fields(cls):
        annotation, help = plain(annotations[f.name])
        with calling(cls, f"the default of its option {f.name}"):
            value = f.default if f.default_factory is MISSING else f.default_factory()
        said, written = _said(value), annotations[f.name]
        found.append(Option(f.name, _spell(annotation), said, help, annotation, value, written))
    return found


def _spell(annotation: Any) -> str:
    annotation, _ = plain(annotation)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return " | ".join("none" if a is type(None) else _spell(a) for a in args)
    if origin is tuple:
        return f"list of {_spell(args[0])}"
    if origin is typing.Literal:
        return " | ".join(str(a) for a in args)
    return kind_of(annotation) or getattr(annotation, "__name__", str(annotation)).lower()


def _said(default: Any) -> str:
    if default is MISSING:
        return "required"
    return "none" if default is None else _text(dump(default))

"""The schema of run.toml: every setting, and the options of every plug-in that can be loaded.

It is written for validators and for editors. Validators follow if/then, so that an error points at
the key that is wrong. Editors for TOML that know no if/then find the options in an `anyOf` whose
first member is always true.
"""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, is_dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pvd import options
from pvd.bounds import Bound, in_schema, own_bounds
from pvd.discovery import KINDS, registry
from pvd.errors import PvdError
from pvd.options import Option
from pvd.protocols import Component, Source
from pvd.settings import Settings, recipe

JSON = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
PLAIN: Mapping[Any, str] = {
    str: "string",
    Path: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
}
EDITORS = "The first is always true; editors that follow no if/then find the options here."
ROLES = ("catalog", "personas")  # what a source is used as


@dataclass(frozen=True)
class Schema:
    """The schema, and a line for each plug-in whose options it does not know."""

    schema: JSON
    missing: tuple[str, ...]


def run_schema() -> Schema:
    """What a run.toml may hold, with the plug-ins that are installed or were loaded by `-p`."""
    writer = _Writer()
    schema = writer.run()
    return Schema(schema, tuple(writer.missing))


class _Writer:
    def __init__(self) -> None:
        self.missing: list[str] = []
        self.definitions: JSON = {}
        self.required: dict[str, list[str]] = {}  # by plug-in: options that have no default

    def run(self) -> JSON:
        for kind in KINDS:
            if kind != "source":
                self._kind(kind, kind, registry.names(kind))
        for role in ROLES:
            self._kind(role, "source", [n for n in registry.names("source") if _brings(n, role)])
        chosen = recipe("default")
        properties = {
            option.name: self._setting(option, chosen) for option in options.describe(Settings)
        }
        properties["plugins"] = {
            "type": "object",
            "description": "Plug-in files, as of -p, and the SHA-256 of each.",
            "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        }
        properties["files"] = {
            "type": "object",
            "description": "Options that name files, and the SHA-256 of what is in each.",
            "additionalProperties": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        }
        return {
            "$schema": DRAFT,
            "title": "Settings of a run of pvd",
            "description": "run.toml, and what --config reads. What is left out is as in the "
            "recipe `default`.",
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            "allOf": self._judges(chosen),
            "$defs": self.definitions,
        }

    # --- settings -------------------------------------------------------------------------------

    def _setting(self, option: Option, chosen: Mapping[str, Any]) -> JSON:
        """A setting of the run itself. A component may go without `use`: then it is the recipe's
        whose options are meant."""
        own = chosen.get(option.name)
        if options.kind_of(option.annotation) is None:
            return self._option(option) | ({"default": own} if own is not None else {})
        role = option.name if option.name in self.definitions else "teacher"
        found: JSON = {"$ref": _ref(role)}
        if option.help:
            found["description"] = option.help
        if isinstance(own, Mapping):
            found |= {
                "default": own,
                "if": _table({"not": {"required": ["use"]}}),
                "then": {"$ref": _ref(f"{role}.{own['use']}")},
            }
        return found

    def _judges(self, chosen: Mapping[str, Any]) -> list[JSON]:
        """A judge without `use` is the teacher, so that it has the teacher's options."""
        no_use = _table({"not": {"required": ["use"]}})
        rules = []
        for name in registry.names("teacher"):
            use = {"const": name}
            named = [use, _table({"required": ["use"], "properties": {"use": use}})]
            teacher: JSON = {"required": ["teacher"], "properties": {"teacher": {"anyOf": named}}}
            if chosen["teacher"]["use"] == name:
                unnamed = {"anyOf": [{"not": {"required": ["teacher"]}}, _none_named("teacher")]}
                teacher = {"anyOf": [teacher, unnamed]}
            judge = {"required": ["judge"], "properties": {"judge": no_use}}
            options_ = {"properties": {"judge": {"$ref": _ref(f"teacher.{name}")}}}
            rules.append({"if": {"allOf": [teacher, judge]}, "then": options_})
        return rules

    def _option(self, option: Option) -> JSON:
        found = self._typed(option.written)
        if option.help:
            found["description"] = option.help
        if option.value is not MISSING and not is_dataclass(option.value):
            default = options.dump(option.value)
            if _in_json(default):
                found["default"] = "none" if default is None else default
        return found

    def _typed(self, annotation: Any, bounds: tuple[Bound, ...] = ()) -> JSON:
        """What values of this type look like in TOML; for what is no option type, anything."""
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            return self._typed(args[0], bounds + own_bounds(annotation))
        if origin in (types.UnionType, typing.Union):
            members = [a for a in args if a is not type(None)]
            found = [self._typed(a, bounds) for a in members]
            found += [{"const": "none"}] if len(members) < len(args) else []
            return {"anyOf": found}
        if origin is tuple:
            return {"type": "array", "items": self._typed(args[0], bounds)}
        if origin is typing.Literal:
            return {"enum": list(args)}
        if kind := options.kind_of(annotation):
            # Inside another component nothing says which one is meant but `use`.
            return {"$ref": _ref(kind), "required": ["use"]}
        if is_dataclass(annotation) and isinstance(annotation, type):
            return self._section(annotation)
        return {"type": PLAIN[annotation], **in_schema(bounds)} if annotation in PLAIN else {}

    def _section(self, cls: type) -> JSON:
        return {
            "type": "object",
            "description": _summary(cls),
            "properties": {o.name: self._option(o) for o in options.describe(cls)},
            "additionalProperties": False,
        }

    # --- plug-ins -------------------------------------------------------------------------------

    def _kind(self, role: str, kind: str, names: list[str]) -> None:
        """The definition of a component that is a name, or a table with `use`, and of each one."""
        for name in names:
            self.definitions[f"{role}.{name}"] = self._component(role, kind, name)
        bare = [name for name in names if not self.required[f"{role}.{name}"]]
        use = {"enum": names, "description": f"the name of the {kind}"}
        self.definitions[role] = {
            "description": f"A {kind}: its name, or a table with `use` and its options.",
            "type": ["string", "object"],
            "properties": {"use": use},
            "if": {"type": "string"},
            "then": {"enum": bare},
            "allOf": [self._chosen(role, name) for name in names],
            "anyOf": [
                {"$comment": EDITORS},
                *({"$ref": _ref(f"{role}.{name}")} for name in names),
            ],
        }

    def _chosen(self, role: str, name: str) -> JSON:
        """The table that uses `name` has its options, and those that it cannot do without."""
        asked = {"required": ["use"], "properties": {"use": {"const": name}}}
        needed = self.required[f"{role}.{name}"]
        then: JSON = {"$ref": _ref(f"{role}.{name}")}
        return {"if": _table(asked), "then": then | ({"required": needed} if needed else {})}

    def _component(self, role: str, kind: str, name: str) -> JSON:
        properties: JSON = {"use": {"const": name}}
        self.required[f"{role}.{name}"] = needed = []
        try:
            cls = registry.get(kind, name)
            described = options.describe(cls)
            properties |= {option.name: self._option(option) for option in described}
        except Exception as error:  # whatever a stranger's module does: the others count
            said = str(error) if isinstance(error, PvdError) else f"{type(error).__name__}: {error}"
            self.missing += [f"{kind}.{name}: {said}"] if role != ROLES[1] else []
            return {"type": "object", "description": said}
        if issubclass(cls, Source):
            properties["path"] = {"type": "string", "description": "relative to the TOML file"}
        needed += [option.name for option in described if option.value is MISSING]
        return {
            "type": "object",
            "description": _summary(cls),
            "properties": properties,
            "additionalProperties": False,
        }


def _brings(name: str, role: str) -> bool:
    """Whether a source brings a catalogue, or personas; one that cannot be loaded may do so."""
    try:
        cls: type[Component] = registry.get("source", name)
    except Exception:  # `_component` says why
        return True
    return getattr(cls, role) is not getattr(Source, role)


def _in_json(value: Any) -> bool:
    """Whether JSON has such values; it has no infinite number, nor what a stranger makes up."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _table(schema: JSON) -> JSON:
    return {"type": "object", **schema}


def _none_named(key: str) -> JSON:
    return {"properties": {key: _table({"not": {"required": ["use"]}})}}


def _ref(name: str) -> str:
    return f"#/$defs/{quote(name.replace('~', '~0').replace('/', '~1'))}"


def _summary(cls: type) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].split())

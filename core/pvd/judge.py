"""Who judges: the teacher once more, under a seed of its own, unless somebody else is named.

A judge who is named need not be named whole: options alone are options of the teacher again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from pvd import options
from pvd.options import Table
from pvd.protocols import Component


def with_judge(tables: Mapping[str, Any]) -> Table:
    """The tables of settings with the judge whom they mean. What is wrong with a teacher is said
    where the settings are made; no judge follows from it here."""
    judge, teacher = tables.get("judge"), tables.get("teacher", {})
    judge = {} if judge is None else judge
    if not isinstance(judge, Mapping) or "use" in judge:
        return dict(tables)  # somebody is named
    if isinstance(teacher, Component):
        other = options.merge(options.dump(teacher), judge) if judge else _another(teacher)
    else:
        teacher = {"use": teacher} if isinstance(teacher, str) else teacher
        if not isinstance(teacher, Mapping):
            return dict(tables)
        other = options.merge(teacher, judge)
    return {**tables, "judge": other}


def without_follower(tables: Mapping[str, Any]) -> Table:
    """The tables of whole settings without a judge who is the teacher once more: that one follows
    whoever teaches."""
    left_out = {"judge"} if follows(tables) else set()
    return {name: value for name, value in tables.items() if name not in left_out}


def follows(tables: Mapping[str, Any]) -> bool:
    """Whether the judge in the tables of whole settings is the teacher once more. One who was set
    to be just that is not told from it."""
    return "judge" in tables and tables["judge"] == tables.get("teacher")


def _another(component: Any) -> Any:
    """A component with the same options, and those inside it: core gives each a seed of its own."""
    if isinstance(component, tuple):
        return tuple(map(_another, component))
    if not isinstance(component, Component):
        return component
    given = {f.name: _another(getattr(component, f.name)) for f in fields(component) if f.init}  # type: ignore[arg-type]
    return replace(component, **given)  # type: ignore[type-var]

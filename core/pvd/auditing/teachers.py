"""Whom an audit is about: teachers by name or table, each with a label of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from pvd import options
from pvd.discovery import registry
from pvd.errors import UnknownName, UsageError
from pvd.naming import label
from pvd.protocols import Component, Teacher


@dataclass(frozen=True)
class Member:
    """A teacher that is audited."""

    label: str
    teacher: Teacher


def members(
    given: Sequence[str | Mapping[str, Any] | Teacher],
    shared: Mapping[str, Any],
    prompts: Sequence[str],
    known: Teacher,
) -> list[Member]:
    """The teachers in their order. `shared` are options for each of them that has such an option;
    what a table says of its own teacher is stronger. `known` is the settings' teacher, whose
    options count if it is named. With prompts, a teacher that has the option `prompt` stands there
    once with each.
    """
    if not given:
        raise UsageError("Name at least one teacher, for example: pvd audit simulated.")
    taken: set[str] = set()
    made = [_made(one, shared, known, taken) for one in given]
    for name in shared:
        if name not in taken:
            raise UnknownName(
                f"None of the teachers {', '.join(t.label for t in made)} has the option {name!r} "
                f"of -o teacher.{name}; `pvd options teacher.NAME` lists what one has."
            )
    if prompts:
        made = list(_prompted(made, prompts))
    labels = [label(teacher) for teacher in made]
    for one in labels:
        if labels.count(one) > 1:
            raise UsageError(
                f"The teacher {one} is named twice; leave one out, or give them different options."
            )
    return [Member(*pair) for pair in zip(labels, made, strict=True)]


def _made(
    one: str | Mapping[str, Any] | Teacher,
    shared: Mapping[str, Any],
    known: Teacher,
    taken: set[str],
) -> Teacher:
    if isinstance(one, Teacher):
        return one
    own = _table(one) if isinstance(one, str) else dict(one)
    name = own.get("use")
    if not isinstance(name, str):
        raise UsageError(f"The teacher {one!r} names none; write its name, or {{use = NAME, ...}}.")
    here = option_names(registry.get("teacher", name))
    fitting = {key: value for key, value in shared.items() if key in here}
    taken.update(fitting)
    table: options.Table = {"teacher": options.dump(known)}
    for over in ({"use": name}, fitting, own):
        table = options.merge(table, {"teacher": over})
    made = options.build("teacher", table["teacher"], "teacher")
    assert isinstance(made, Teacher)
    return made


def option_names(cls: type[Component]) -> set[str]:
    """What can be set on a component of this class."""
    return {f.name for f in fields(cls)}  # type: ignore[arg-type]


def _table(text: str) -> dict[str, Any]:
    if not text.lstrip().startswith("{"):
        return {"use": text}
    value = options.toml_value(text.strip())
    if not isinstance(value, dict):
        raise UsageError(
            f"The teacher {text!r} is no TOML table; write for example "
            "'{use=\"simulated\", noise=2.0}'."
        )
    return value


def _prompted(made: Sequence[Teacher], prompts: Sequence[str]) -> Iterator[Teacher]:
    able = [t for t in made if "prompt" in option_names(type(t))]
    if not able:
        raise UsageError(
            f"None of the teachers {', '.join(t.label for t in made)} has a prompt; leave --prompt "
            "out."
        )
    for teacher in made:
        if teacher in able:
            yield from (replace(teacher, prompt=one) for one in prompts)  # type: ignore[type-var]
        else:
            yield teacher


def differ_in_prompt_only(a: Teacher, b: Teacher) -> bool:
    """Whether two teachers are one, asked in other words."""
    if type(a) is not type(b) or "prompt" not in option_names(type(a)):
        return False
    tables = [{k: v for k, v in options.dump(one).items() if k != "prompt"} for one in (a, b)]
    return tables[0] == tables[1]

"""The items and personas of a check: drawn ones, or some of an author's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pvd import catalog
from pvd.errors import BadInput
from pvd.protocols import Source
from pvd.records import Item, Persona
from pvd.streams import derive
from pvd.testing import material
from pvd.testing.network import offline

LEAST = {"items": 12, "personas": 4}  # as many as a check uses
MOST = 400  # of either: more would take long, and say no more
DRAWN = re.compile(r"\b(item|persona)-\d+\b|\bThing \d+\b")  # names of drawn ones
ROLES = {"items": "--catalog", "personas": "--personas"}
HAVE: dict[tuple[str, ...], str] = {
    ("items",): "the items of a check are drawn, and have only the attributes colour and size",
    ("personas",): "the personas of a check are drawn, and have only the attribute tastes",
    ("items", "personas"): "the items and personas of a check are drawn, and have only the "
    "attributes colour and size, and tastes",
}


class Looked(dict[str, Any]):
    """The attributes of a drawn record, which note that something is looked for in vain."""

    role: str
    missed: set[str]

    def __missing__(self, key: str) -> Any:
        self.missed.add(self.role)
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default) if key in self else default

    def __contains__(self, key: object) -> bool:
        there = super().__contains__(key)
        if not there:
            self.missed.add(self.role)
        return there


def items(count: int, missed: set[str]) -> list[Item]:
    """Drawn ones; "items" is added to `missed` where their attributes lack what is looked for."""
    return [_watched(item, "items", missed) for item in material.items(count)]


def personas(count: int, missed: set[str]) -> list[Persona]:
    """Drawn ones; "personas" is added to `missed`, alike."""
    return [_watched(persona, "personas", missed) for persona in material.personas(count)]


def _watched(record: Any, role: str, missed: set[str]) -> Any:
    known = Looked(record.attributes)
    known.role, known.missed = role, missed
    return replace(record, attributes=known)


def hint(drawn: Sequence[str]) -> str:
    """What drawn records of these roles have, and how one brings one's own."""
    return f"{HAVE[tuple(drawn)]}; {mend(drawn)}" if drawn else ""


def mend(drawn: Sequence[str]) -> str:
    """How one's own are checked on."""
    words = " ".join(f"{ROLES[role]} [SOURCE:]PATH" for role in drawn)
    methods = " and ".join(f"{role}(self)" for role in drawn)
    return f"check it on your own with {words}, or by {methods} in a test class"


def items_of(source: Source, seed: int = 0) -> list[Item]:
    """Some of a source's items, in an order that depends on the seed and their ids alone. The first
    have pictures that open, different ones; a run leaves out those that do not. BadInput if there
    are too few."""
    with offline():
        found = _by_lot(catalog.read(source), "items", source, seed)
        first: list[Item] = []
        others: list[Item] = []
        seen: set[str] = set()
        why = ""
        for item in found:
            if len(first) < LEAST["items"]:
                try:
                    item.open()
                except (BadInput, OSError) as error:
                    why = f"; {error}"
                    continue
                chosen = others if item.digest in seen else first
                seen.add(item.digest)
                chosen.append(item)
            else:
                others.append(item)
    if len(first) < LEAST["items"]:
        raise BadInput(
            f"Of {len(found)} items of {_named(source)} {len(first)} have different pictures that "
            f"open, and a check needs {LEAST['items']}; bring more{why}"
        )
    return (first + others)[:MOST]


def personas_of(source: Source, seed: int = 0) -> list[Persona]:
    """Some of a source's personas, in such an order; the first have different texts."""
    with offline():
        found = _by_lot(catalog.read_personas(source), "personas", source, seed)
    texts: dict[str, Persona] = {}
    for persona in found:
        texts.setdefault(persona.text, persona)
    if len(texts) < LEAST["personas"]:
        raise BadInput(
            f"The personas of {_named(source)} have {len(texts)} different texts, and a check "
            f"needs {LEAST['personas']}; bring more."
        )
    first = list(texts.values())[: LEAST["personas"]]
    ids = {persona.id for persona in first}
    return (first + [persona for persona in found if persona.id not in ids])[:MOST]


def _by_lot(records: Sequence[Any], what: str, source: Source, seed: int) -> list[Any]:
    if len(records) < LEAST[what]:
        raise BadInput(
            f"There are {len(records)} {what} in {_named(source)}, and a check needs "
            f"{LEAST[what]}; bring more."
        )
    return sorted(records, key=lambda record: derive(seed, what, record.id))


def _named(source: Source) -> str:
    return source.path or source.label

"""What the run is about: the catalogue and the personas, divided into three disjoint parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pvd.errors import BadInput
from pvd.isolation import catalogs
from pvd.money.amounts import count
from pvd.prose import listed
from pvd.protocols import Source
from pvd.records import Catalog, Item, Persona, digest_of
from pvd.settings import ExamSettings, SplitSettings
from pvd.streams import derive

PARTS = ("train", "validation", "test")
FEW_PERSONAS, FEW_ITEMS = 10, 20  # in the exam; below that, one line warns
ALIASES = {"val": "validation", "valid": "validation", "dev": "validation"}
T = TypeVar("T", Item, Persona)


@dataclass(frozen=True)
class Split:
    """Three disjoint parts of the personas or of the items, each in its given order."""

    train: tuple[Any, ...]  #: what is drawn from, and learned
    validation: tuple[Any, ...]  #: what chooses the round
    test: tuple[Any, ...]  #: what the exam is about

    def counts(self) -> dict[str, int]:
        """How many each part has."""
        return {part: len(getattr(self, part)) for part in PARTS}


@dataclass(frozen=True)
class Data:
    """Everything that a run asks and learns about."""

    items: Split  #: of the catalogue
    people: Split  #: the personas
    novelty: str  #: how new the held-out personas are: recombined, unseen group, unseen
    novelty_note: str  #: the same in a sentence, for the report
    skipped: int = 0  #: items left out, since their pictures cannot be used

    def digest(self) -> str:
        """Changes when an item, its picture, a persona or the division changes."""
        parts = [
            [[i.id, i.digest, i.title, dict(i.attributes)] for i in getattr(self.items, part)]
            for part in PARTS
        ]
        people = [
            [[p.id, p.text, dict(p.attributes)] for p in getattr(self.people, part)]
            for part in PARTS
        ]
        return digest_of([parts, people])


def read(source: Source) -> Catalog:
    """The catalogue that a source brings from its `path`; BadInput if it is empty, or holds
    what no stage could use."""
    return catalogs.items(source, source.catalog(source.path))


def read_personas(source: Source) -> list[Persona]:
    """The personas that a source brings from its `path`; BadInput if there are none, or an id
    stands twice."""
    return catalogs.personas(source, source.personas(source.path))


def divide(
    items: Sequence[Item],
    personas: Sequence[Persona],
    settings: SplitSettings,
    seed: int,
    skipped: int = 0,
) -> Data:
    """Divide both; by their own `split` column if they have one, else by hash of the group."""
    people = _split(personas, settings, seed, "persona", settings.group)
    novelty, note = _novelty(people, settings.group)
    return Data(_split(items, settings, seed, "item", None), people, novelty, note, skipped)


def _split(
    records: Sequence[T], settings: SplitSettings, seed: int, what: str, group: str | None
) -> Split:
    own = group is None and any("split" in record.attributes for record in records)
    parts: dict[str, list[T]] = {part: [] for part in PARTS}
    for record in records:
        if own:
            name = str(record.attributes.get("split", "")).strip().lower()
            part = ALIASES.get(name, name)
            if part not in parts:
                raise BadInput(
                    f"The {what} {record.id!r} has the split {name!r}; "
                    f"it must be one of {', '.join(PARTS)}."
                )
        else:
            if group is not None and group not in record.attributes:
                raise BadInput(
                    f"The {what} {record.id!r} has no attribute {group!r}, which split.group "
                    f"names, only {', '.join(record.attributes) or 'none'}."
                )
            key = record.id if group is None else str(record.attributes[group])
            # A hash of the key alone: who is in the exam does not depend on who else is there.
            share = derive(seed, what, key) / 2**63
            part = (
                "test"
                if share < settings.test
                else "validation"
                if share < settings.test + settings.validation
                else "train"
            )
        parts[part].append(record)
    for part, members in parts.items():
        if not members and own:
            raise BadInput(
                f"The column `split` puts no {what} into the part {part!r}; give some that value, "
                "or take the column out."
            )
        if not members and group is not None:
            raise BadInput(
                f"No {what} falls into the part {part!r}, since whole values of {group!r} are held "
                "out; bring more values, or name another split.group."
            )
        if not members:
            raise BadInput(
                f"No {what} falls into the part {part!r} ({len(records)} in all); bring more, "
                "or change split.validation and split.test."
            )
    return Split(*(tuple(parts[part]) for part in PARTS))


def check_sizes(data: Data, size: int, settings: ExamSettings) -> str | None:
    """Raise BadInput if a part has too few items for its slates; a warning if the exam is tiny."""
    for part, least, mend in (
        ("train", size, "lower train.size"),
        ("validation", 2, "raise split.validation"),
        ("test", 2, "raise split.test"),
    ):
        there = data.items.counts()[part]
        if there < least:
            raise BadInput(
                f"The part {part!r} has {there} of {sum(data.items.counts().values())} items, too "
                f"few for a slate of {least}; bring more, or {mend}."
            )
    people, shelf = len(data.people.test), len(data.items.test)
    people, shelf = min(people, settings.personas or people), min(shelf, settings.items or shelf)
    if people >= FEW_PERSONAS and shelf >= FEW_ITEMS:
        return None
    sitting = f"{count(people, 'persona')}, {count(shelf, 'item')}"
    return f"The exam is small ({sitting}): its intervals will be wide."


def _novelty(people: Split, group: str | None) -> tuple[str, str]:
    """Whether held-out personas are new altogether, or new mixtures of what was seen."""
    if group is not None:
        return (
            "unseen group",
            f"No {group} of a held-out persona occurs in training: these people are really new.",
        )
    columns = [
        column
        for column, values in _columns(people.train).items()
        if column != "split" and 1 < len(values) < len(people.train)
    ]
    if columns:
        seen = {column: set(_columns(people.train)[column]) for column in columns}
        known = [
            p
            for p in people.test
            if all(str(p.attributes.get(column)) in seen[column] for column in columns)
        ]
        if len(known) == len(people.test):
            return (
                "recombined",
                f"Each held-out persona is new, but its parts ({listed(columns)}) occur in "
                "training with other partners.",
            )
    return "unseen", "No held-out persona occurs in training."


def _columns(personas: Sequence[Persona]) -> Mapping[str, Counter[str]]:
    columns: dict[str, Counter[str]] = {}
    for persona in personas:
        for column, value in persona.attributes.items():
            if isinstance(value, str):
                columns.setdefault(column, Counter())[value] += 1
    return columns


def bounded(records: Sequence[T], most: int | None, seed: int) -> tuple[T, ...]:
    """At most so many, chosen by hash of the id, in their given order."""
    if most is None or len(records) <= most:
        return tuple(records)
    chosen = sorted(records, key=lambda record: derive(seed, record.id))[:most]
    ids = {record.id for record in chosen}
    return tuple(record for record in records if record.id in ids)

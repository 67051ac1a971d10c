"""Drawing: core chooses the personas of a round's slots, a sampler chooses their items."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pvd.errors import BadInput
from pvd.isolation import checks
from pvd.protocols import Pool, Sampler
from pvd.records import Item, Judgment, Persona, Slate
from pvd.scoring import cosines
from pvd.streams import generator, stream

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 64  # slots drawn at once; part of the result, since a block shares one generator


@dataclass(frozen=True)
class Drawn:
    """One slot of a round: whom we ask for, and the items, not yet in the order shown."""

    slot: int  #: from 0
    persona: Persona  #: for whom
    items: tuple[Item, ...]  #: K distinct ones
    #: The (round, slot, spare), with round 0 for validation, in which this persona first met this
    #: set of items: a set that was asked before is shown in the same order, and so costs nothing.
    origin: tuple[int, int, int]

    def shown(self, seed: int, attempt: int) -> Slate:
        """The slate, shuffled from (seed, slot, attempt)."""
        return shuffled(self.persona, self.items, 0, attempt, seed, *self.origin)


def shuffled(
    persona: Persona, items: Sequence[Item], repeat: int, attempt: int, *key: int | str
) -> Slate:
    """A slate in an order that depends on the key alone: no position is anybody's favourite. Each
    attempt has an order of its own while there are any, or an unreadable reply would come again.
    """
    lot = stream("show", *key)
    order = sorted(items, key=lambda item: item.id)
    seen: list[tuple[str, ...]] = []
    while len(seen) <= attempt:
        lot.shuffle(order)
        ids = tuple(item.id for item in order)
        if ids not in seen or len(seen) >= math.factorial(len(order)):
            seen.append(ids)
    return Slate(persona, tuple(order), repeat)


class SlotPool(Pool):
    """A block of slots over the training items, with the student's scores on demand."""

    def __init__(
        self,
        personas: Sequence[Persona],
        items: Sequence[Item],
        texts: Tensor,
        embeddings: Tensor,
        base: Tensor,
        history: Sequence[Judgment] = (),
        notes: dict[str, dict[str, dict[str, float]]] | None = None,
    ) -> None:
        self.personas: Sequence[Persona] = personas
        self.items: Sequence[Item] = items
        self.history: Sequence[Judgment] = history
        self.texts: Tensor = texts
        self.embeddings: Tensor = embeddings
        self._base = base
        self._notes = notes if notes is not None else {}

    @cached_property
    def scores(self) -> Tensor:
        return cosines(self.texts, self.embeddings)

    @cached_property
    def base_scores(self) -> Tensor:
        return cosines(self.texts, self._base)

    def scores_of(self, indices: Tensor) -> Tensor:
        import torch

        if indices.ndim == 1:
            return cosines(self.texts, self.embeddings.index_select(0, indices))
        # Slot by slot, so that what is gathered stays in the processor's cache.
        return torch.stack(
            [
                self.embeddings.index_select(0, own) @ text
                for own, text in zip(indices, self.texts, strict=True)
            ]
        )

    def note(self, table: str, rows: Mapping[str, Mapping[str, float]]) -> None:
        book = self._notes.setdefault(table, {})
        for row, columns in rows.items():
            line = book.setdefault(row, defaultdict(float))
            for column, number in columns.items():
                line[column] += number


@dataclass(frozen=True)
class Shop:
    """What slots are drawn from: training personas and items, embedded; one row each."""

    personas: Sequence[Persona]  #: P
    items: Sequence[Item]  #: N
    texts: Tensor  #: [P, D], unit length
    embeddings: Tensor  #: [N, D], the student's as it is now
    base: Tensor  #: [N, D], before any training


def draw_round(
    sampler: Sampler,
    shop: Shop,
    *,
    round: int,
    slots: int,
    size: int,
    seed: int,
    history: Sequence[Judgment] = (),
    earlier: Sequence[Drawn] = (),
) -> tuple[list[Drawn], dict[str, dict[str, dict[str, float]]]]:
    """Exactly `slots` slots, and the sampler's notes. `earlier` holds all that was drawn before.

    Personas come balanced: everyone once before anyone again, across rounds.
    """
    people = balanced(len(shop.personas), (round - 1) * slots, slots, seed)
    notes: dict[str, dict[str, dict[str, float]]] = {}
    rows: list[tuple[Item, ...]] = []
    for start in range(0, slots, BLOCK):
        block = people[start : start + BLOCK]
        rows += _draw(sampler, shop, block, size, (seed, round, start), history, notes)
    asked = [(shop.personas[person], items) for person, items in zip(people, rows, strict=True)]
    first = _origins(asked, earlier)
    found = [
        Drawn(slot, persona, items, first.setdefault(_set(persona, items), (round, slot, 0)))
        for slot, (persona, items) in enumerate(asked)
    ]
    return found, {table: {r: dict(c) for r, c in book.items()} for table, book in notes.items()}


def _origins(
    asked: Sequence[tuple[Persona, tuple[Item, ...]]], earlier: Sequence[Drawn]
) -> dict[tuple[str, frozenset[str]], tuple[int, int, int]]:
    """Where the sets that were drawn before came first; among others that share an item with what
    the persona is asked now, since to look at every set of thirty rounds takes its time."""
    now: dict[str, set[str]] = defaultdict(set)
    for persona, items in asked:
        now[persona.id].update(item.id for item in items)
    first: dict[tuple[str, frozenset[str]], tuple[int, int, int]] = {}
    for drawn in earlier:
        if drawn.items[0].id in now.get(drawn.persona.id, ()):
            first.setdefault(_set(drawn.persona, drawn.items), drawn.origin)
    return first


def draw_spare(
    sampler: Sampler,
    shop: Shop,
    failed: Drawn,
    *,
    round: int,
    spare: int,
    size: int,
    seed: int,
    history: Sequence[Judgment] = (),
) -> Drawn:
    """Another slate for the persona of a slot that brought no answer, from its own generator."""
    person = next(n for n, p in enumerate(shop.personas) if p.id == failed.persona.id)
    key = (seed, round, failed.slot, "spare", spare)
    (items,) = _draw(sampler, shop, [person], size, key, history, {})
    return Drawn(failed.slot, failed.persona, items, (round, failed.slot, spare))


def _draw(
    sampler: Sampler,
    shop: Shop,
    people: Sequence[int],
    size: int,
    key: tuple[int | str, ...],
    history: Sequence[Judgment],
    notes: dict[str, dict[str, dict[str, float]]],
) -> list[tuple[Item, ...]]:
    if len(shop.items) < size:
        raise BadInput(
            f"A slate of {size} items cannot be drawn from {len(shop.items)} training items; "
            "bring more items or lower train.size."
        )
    personas = [shop.personas[person] for person in people]
    texts = shop.texts[list(people)]
    pool = SlotPool(personas, shop.items, texts, shop.embeddings, shop.base, history, notes)
    drawn = sampler.draw(pool, size, generator("draw", *key))
    rows = checks.rows(sampler, drawn, len(people), size, len(shop.items))
    return [tuple(shop.items[index] for index in row) for row in rows]


def balanced(people: int, start: int, count: int, seed: int) -> list[int]:
    """Places `start` to `start + count` of an endless series of shuffled decks of the personas."""
    decks: dict[int, list[int]] = {}
    found = []
    for place in range(start, start + count):
        deck, position = divmod(place, people)
        if deck not in decks:
            decks[deck] = list(range(people))
            stream("deck", seed, deck).shuffle(decks[deck])
        found.append(decks[deck][position])
    return found


def _set(persona: Persona, items: Sequence[Item]) -> tuple[str, frozenset[str]]:
    return persona.id, frozenset(item.id for item in items)

"""The contract of a sampler."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pvd.isolation import checks
from pvd.protocols import Sampler
from pvd.records import Judgment, Ranking, Slate
from pvd.testing.contract import Contract, called, check
from pvd.testing.demands import require, skip
from pvd.testing.material import Book, judgment, pool

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.protocols import Pool


# Personas of slots, in no order that somebody would bring them into: by id, from the first or the
# last, or each persona's together.
SLOTS = (1, 2, 0, 1, 1)
SEEDS = 4  # draws in which a persona's rows would not always be the same by chance


class SamplerContract(Contract[Sampler]):
    """A sampler returns one row of distinct items for each slot, drawn from the generator that it
    is given, and leaves the pool as it is."""

    kind: ClassVar[str] = "sampler"
    roles: ClassVar[tuple[str, ...]] = ("items", "personas")

    def pool(
        self,
        slots: int = 6,
        count: int = 40,
        *,
        history: Sequence[Judgment] = (),
        notes: Book | None = None,
    ) -> Pool:
        """What is drawn from: so many slots and items, with random embeddings; of an author's own
        at most as many items as `items` returns, and personas several times."""
        people, shelf = self._people(slots), self._shelf(count)
        given = pool(slots, len(shelf), history=history, notes=notes)
        given.personas = [people[slot % len(people)] for slot in range(slots)]
        given.items = list(shelf)
        return given

    def _judgment(self, order: Sequence[int]) -> Judgment:
        asked = Slate(self.personas()[0], tuple(self.items()[: len(order)]))
        return replace(judgment(Ranking.from_order(order), len(order)), slate=asked)

    def use(self, component: Sampler) -> None:
        rows_of(component, self.pool(), 5)

    @check
    def test_draws(self) -> None:
        """draws one row of distinct items a slot, within the catalogue"""
        sampler = self.component()

        def drawn(given: Pool, size: int, what: str) -> None:
            what = f"draw() {what}"
            rows = called(what, rows_of, sampler, given, size)
            called(what, checks.rows, sampler, rows, len(given.personas), size, len(given.items))

        for slots, size, count in ((6, 5, 40), (6, 2, 3), (6, 5, 5), (1, 5, 40), (6, 5, 400)):
            given = self.pool(slots, count)
            among = f"{len(given.items)} items"
            drawn(given, size, f"for {slots} slots of {size} among {among}")
        same = self.pool()
        same.embeddings[:] = same.embeddings[0].clone()
        drawn(same, 5, "where all scores are equal")

    @check
    def test_rows_in_order(self) -> None:
        """draws row i for the persona of slot i"""
        sampler, looked = self.component(), False
        for person in set(SLOTS):
            moved: set[int] = set()
            for seed in range(SEEDS):
                before, after = (
                    rows_of(sampler, self._slots(who), 5, seed) for who in (None, person)
                )
                moved |= {row for row in range(len(SLOTS)) if not before[row].equal(after[row])}
            looked = looked or bool(moved)
            its = {row for row, who in enumerate(SLOTS) if who == person}
            require(
                not moved or moved & its,
                f"other scores of the persona in slot {min(its)} change what is drawn for slot "
                f"{', '.join(map(str, sorted(moved)))} alone; return row i for pool.personas[i], "
                "also where a persona has several slots",
            )
        if not looked:
            skip("what it draws does not depend on a persona's scores")

    @check
    def test_repeats(self) -> None:
        """draws the same from an equal generator"""
        sampler = self.component()
        first, second = (rows_of(sampler, self.pool(), 5, seed=3) for _ in range(2))
        require(
            first.equal(second),
            "two equal generators gave different draws, so no run can be repeated; draw from `rng` "
            "alone, as in torch.randperm(n, generator=rng)",
        )

    @check
    def test_history(self) -> None:
        """draws after some rounds, too"""
        known = [self._judgment([2, 0, 1, 4, 3])] * 3
        given = self.pool(history=known)
        called("draw() with judgments in pool.history", rows_of, self.component(), given, 5)

    @check
    def test_changes_nothing(self) -> None:
        """leaves the pool as it is"""
        sampler = self.component()
        given = self.pool(history=[self._judgment([1, 0])])
        people = [persona.id for persona in given.personas]
        before = {name: tensor.clone() for name, tensor in _tensors(given).items()}
        rows_of(sampler, given, 5)
        for name, tensor in _tensors(given).items():
            require(
                tensor.equal(before[name]),
                f"it changes pool.{name}, which core goes on with; work on a .clone()",
            )
        fits = len(given.history) == 1 and [p.id for p in given.personas] == people
        require(fits, "it changes pool.history or pool.personas; work on a copy, list(...)")

    @check
    def test_notes(self) -> None:
        """notes finite numbers, if it notes any"""
        sampler = self.component()
        book: Book = {}
        rows_of(sampler, self.pool(notes=book), 5)
        for table, rows in book.items():
            for row, columns in rows.items():
                for column, number in columns.items():
                    named = all(isinstance(name, str) for name in (table, row, column))
                    require(
                        named and isinstance(number, int | float) and math.isfinite(number),
                        f"pool.note({table!r}, ...) got {number!r} for {row!r}, {column!r}; names "
                        "are text and numbers finite",
                    )
        called("to write the notes as JSON", json.dumps, book)

    def _slots(self, turned: int | None) -> Pool:
        """A pool of `SLOTS`; one persona, perhaps, likes best what it liked least."""
        from torch.nn.functional import normalize

        from pvd.drawing import SlotPool

        given = self.pool(3)
        texts = normalize(given.scores @ given.embeddings, dim=1)  # any, as long as they differ
        if turned is not None:
            texts[turned] *= -1
        people = [given.personas[person] for person in SLOTS]
        base = given.embeddings.flip(0)
        return SlotPool(people, given.items, texts[list(SLOTS)], given.embeddings, base)


def rows_of(sampler: Sampler, given: Pool, size: int, seed: int = 0) -> Tensor:
    """What a sampler draws with a new generator of this seed."""
    import torch

    return sampler.draw(given, size, torch.Generator().manual_seed(seed))


def _tensors(given: Pool) -> dict[str, Tensor]:
    return {
        "embeddings": given.embeddings,
        "scores": given.scores,
        "base_scores": given.base_scores,
    }

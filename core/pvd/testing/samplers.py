"""The contract of a sampler."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, ClassVar

from pvd.protocols import Sampler
from pvd.records import Ranking
from pvd.testing.contract import Contract, called, check
from pvd.testing.demands import require
from pvd.testing.material import Book, judgment, personas, pool

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.protocols import Pool


class SamplerContract(Contract):
    """A sampler returns one row of distinct items for each slot, drawn from the generator that it
    is given, and leaves the pool as it is."""

    kind: ClassVar[str] = "sampler"

    def component(self) -> Sampler:
        raise NotImplementedError(f"{type(self).__name__} must define component(self).")

    def use(self, component: Any) -> None:
        rows_of(component, pool(), 5)

    @check
    def test_draws(self) -> None:
        """draws one row of distinct items a slot, within the catalogue"""
        import torch

        sampler = self.component()
        for slots, size, count in ((6, 5, 40), (6, 2, 3), (6, 5, 5), (1, 5, 40), (6, 5, 400)):
            what = f"draw() for {slots} slots of {size} among {count} items"
            rows = called(what, rows_of, sampler, pool(slots, count), size)
            require(isinstance(rows, torch.Tensor), f"draw() returned a {type(rows).__name__}")
            require(
                tuple(rows.shape) == (slots, size),
                f"draw() returned {' x '.join(map(str, rows.shape)) or 'one number'} indices for "
                f"{slots} slots of {size} items; return one row of `size` item indices for each "
                "slot",
            )
            require(
                not rows.is_floating_point() and not rows.is_complex() and rows.dtype != torch.bool,
                f"draw() returned {rows.dtype}; item indices are whole numbers, torch.long",
            )
            for row in rows.tolist():
                require(
                    len(set(row)) == size,
                    f"an item stands twice in {row}; draw without putting back",
                )
                require(
                    all(0 <= index < count for index in row),
                    f"{row} names items that are not there; indices go from 0 to {count - 1}",
                )

    @check
    def test_repeats(self) -> None:
        """draws the same from an equal generator"""
        sampler = self.component()
        first, second = (rows_of(sampler, pool(), 5, seed=3) for _ in range(2))
        require(
            first.equal(second),
            "two equal generators gave different draws, so no run can be repeated; draw from `rng` "
            "alone, as in torch.randperm(n, generator=rng)",
        )

    @check
    def test_ties(self) -> None:
        """draws where all scores are equal"""
        sampler = self.component()
        same = pool()
        same.embeddings[:] = same.embeddings[0].clone()
        rows = called("draw() where all scores are equal", rows_of, sampler, same, 5)
        require(
            all(len(set(row)) == len(row) for row in rows.tolist()),
            "an item stands twice in a row where all scores are equal",
        )

    @check
    def test_history(self) -> None:
        """draws after some rounds, too"""
        known = [judgment(Ranking.from_order([2, 0, 1, 4, 3]))] * 3
        given = pool(history=known)
        called("draw() with judgments in pool.history", rows_of, self.component(), given, 5)

    @check
    def test_changes_nothing(self) -> None:
        """leaves the pool as it is"""
        sampler = self.component()
        given = pool(history=[judgment(Ranking.from_order([1, 0]), 2)])
        before = {name: tensor.clone() for name, tensor in _tensors(given).items()}
        rows_of(sampler, given, 5)
        for name, tensor in _tensors(given).items():
            require(
                tensor.equal(before[name]),
                f"it changes pool.{name}, which core goes on with; work on a .clone()",
            )
        fits = len(given.history) == 1 and [p.id for p in given.personas] == [
            p.id for p in personas(6)
        ]
        require(fits, "it changes pool.history or pool.personas; work on a copy, list(...)")

    @check
    def test_notes(self) -> None:
        """notes finite numbers, if it notes any"""
        sampler = self.component()
        book: Book = {}
        rows_of(sampler, pool(notes=book), 5)
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

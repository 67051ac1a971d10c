"""Samplers choose which items are asked about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pvd.protocols.component import Component
from pvd.records import Item, Judgment, Persona

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Pool(ABC):
    """What a sampler draws from: a block of S slots over the N training items."""

    personas: Sequence[Persona]  #: S, one a slot
    items: Sequence[Item]  #: N
    embeddings: Tensor  #: [N, D], unit length, the student's as it is now
    history: Sequence[Judgment]  #: every judgment of earlier rounds

    @property
    @abstractmethod
    def scores(self) -> Tensor:
        """[S, N], the student's cosines; computed when first read."""

    @property
    @abstractmethod
    def base_scores(self) -> Tensor:
        """[S, N], the same before any training."""

    @abstractmethod
    def scores_of(self, indices: Tensor) -> Tensor:
        """[S, n], only the scores of these item indices: [S, n], or [n], the same for all slots.
        Cheaper than `scores` where a catalogue is large."""

    @abstractmethod
    def note(self, table: str, rows: Mapping[str, Mapping[str, float]]) -> None:
        """Log numbers for the report: `rows[row][column]` is added up over the blocks of a round,
        and shown under the name `table`."""


class Sampler(Component):
    """Chooses which items are asked about."""

    @abstractmethod
    def draw(self, pool: Pool, size: int, rng: Generator) -> Tensor:
        """[S, size] item indices, one row a slot, no item twice in a row. All randomness comes
        from `rng`, a generator that core seeds from (draw, round, first slot of the block)."""

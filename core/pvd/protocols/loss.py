"""Losses pull the student's scores towards the rankings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pvd.protocols.component import Component
from pvd.records import Judgment

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ScoredBatch:
    """A batch of judged slates with the student's scores.

    An item that the teacher did not place has `placed` False; one that it calls worse than the
    others is placed behind them. Rows with fewer than K items are filled up with `mask` False.
    """

    scores: Tensor  #: [B, K], cosines, through which the gradient flows
    ranks: Tensor  #: [B, K], 0 the best, equal is a tie
    placed: Tensor  #: [B, K], bool: the teacher placed it
    mask: Tensor  #: [B, K], bool: there is an item
    utilities: Tensor | None  #: [B, K], where every ranking of the batch has them
    weights: Tensor  #: [B], 1 unless older judgments count less
    persona_index: Tensor  #: [B], equal for equal personas
    pool_scores: Tensor  #: [B, U], every persona against every image of the batch
    in_slate: Tensor  #: [B, U], bool: which images of the batch the slate shows
    text_embeddings: Tensor  #: [B, D], of the personas, unit length
    embeddings: Tensor  #: [U, D], of the images, unit length
    references: Mapping[str, Tensor]  #: "base": [U, D], the student before training
    judgments: Sequence[Judgment]  #: B, what the tensors were made from
    round: int  #: from 1
    step: int  #: in this round, from 0


class Loss(Component):
    """Pulls the student's scores towards the rankings."""

    requires: ClassVar[frozenset[str]] = frozenset()  #: such as "utilities"; checked before asking
    #: True: the mean, by `weights`, over the slates that state a pair, of what each costs alone, so
    #: that it can be summed up in parts. False: it looks across slates, or means otherwise.
    separable: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, batch: ScoredBatch) -> Tensor:
        """A scalar to minimise, with a gradient to `batch.scores` or what else it reads."""

    def parameters(self) -> Iterable[Tensor]:
        """Its own tensors that learn, if any; made in `__post_init__`."""
        return ()

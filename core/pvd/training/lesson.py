"""A lesson: judgments as tensors, ready to be drawn in batches and scored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pvd.errors import BadInput
from pvd.money.amounts import count
from pvd.pictures import Pictures
from pvd.protocols import ScoredBatch
from pvd.records import Judgment

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Aged:
    """A judgment and how many rounds ago it was made."""

    judgment: Judgment  #: what was said
    age: int  #: 0 for this round's


class Lesson:
    """Judgments as tensors, ready to be drawn in batches.

    `texts` has an embedding [D] by persona id, `base` [N, D] the pictures' embeddings before any
    training; `replay` is `train.replay`. BadInput if no judgment states a pair, or one is about a
    persona or an item of another part.
    """

    judgments: list[Judgment]  #: those that are replayed
    pictures: Pictures  #: N, of the training items
    base: Tensor  #: [N, D]
    texts: Tensor  #: [P, D], of the personas that the judgments are about

    def __init__(
        self,
        aged: Sequence[Aged],
        pictures: Pictures,
        texts: Mapping[str, Tensor],
        base: Tensor,
        replay: str,
    ) -> None:
        import torch

        kept = [a for a in aged if replay != "last" or a.age == 0]
        self.judgments = [a.judgment for a in kept]
        says = [bool(j.ranking.pairs(len(j.slate.items))) for j in self.judgments]
        if not any(says):
            raise BadInput(
                f"Of {count(len(kept), 'judgment')} none states a pair (all ties, or nothing "
                "placed); there is nothing to learn from."
            )
        self.pictures, self.base = pictures, base
        width = max(len(j.slate.items) for j in self.judgments)
        people = {j.slate.persona.id: None for j in self.judgments}
        for id in people:
            if id not in texts:
                raise BadInput(
                    f"A judgment names the persona {id!r}, who is not in the training part; take "
                    "such judgments out."
                )
        self._person = {id: number for number, id in enumerate(people)}
        self.texts = torch.stack([texts[id] for id in people])
        rows = [_row(j, pictures, width) for j in self.judgments]
        self._items = torch.tensor([row[0] for row in rows])
        self._mask = torch.tensor([row[1] for row in rows])
        self._ranks = torch.tensor([row[2] for row in rows])
        self._placed = torch.tensor([row[3] for row in rows])
        self._utilities = torch.tensor([row[4] for row in rows])
        self._known = torch.tensor([j.ranking.utilities is not None for j in self.judgments])
        self._persona = torch.tensor([self._person[j.slate.persona.id] for j in self.judgments])
        decay = 0.5 if replay == "decay" else 1.0
        self._weights = torch.tensor([decay**a.age for a in kept])
        self._heard = self._weights * torch.tensor(says)

    def __len__(self) -> int:
        return len(self.judgments)

    @cached_property
    def digest(self) -> str:
        """Of all that is learnt from, but the pictures."""
        who, what = (self._persona, self.texts), (self._items, self._mask, self._weights)
        said = (self._ranks, self._placed, self._utilities, self._known)
        told = b"".join(one.numpy().tobytes() for one in (*who, *what, *said))
        return hashlib.sha256(told).hexdigest()

    def images(self, rows: Tensor) -> Tensor:
        """[U], the distinct pictures of these judgments, as indices of `pictures`."""
        import torch

        found: Tensor = torch.unique(self._items[rows])
        return found

    def have_utilities(self, rows: Tensor) -> bool:
        """Whether every one of these rankings has utilities."""
        return bool(self._known[rows].all())

    def weight(self, rows: Tensor) -> float:
        """The weights of those judgments that state a pair, summed."""
        return float(self._heard[rows].sum())

    def scored(
        self,
        rows: Tensor,
        images: Tensor,
        embeddings: Tensor,
        *,
        utilities: bool,
        round: int,
        step: int,
    ) -> ScoredBatch:
        """These judgments as a batch, with the embeddings [U, D] of their distinct pictures."""
        import torch

        device = embeddings.device
        persona = self._persona[rows]
        texts = self.texts[persona].to(device)
        # `images` is sorted, so that each picture's place in it can be searched.
        places = torch.searchsorted(images, self._items[rows]).to(device)
        pool_scores = texts @ embeddings.T
        in_slate = torch.zeros_like(pool_scores, dtype=torch.bool)
        # Padding repeats the row's first item, so that it marks nothing of its own.
        in_slate.scatter_(1, places, True)
        return ScoredBatch(
            # By gather, whose backward adds in a fixed order; indexing's does not promise that.
            scores=pool_scores.gather(1, places),
            ranks=self._ranks[rows].to(device),
            placed=self._placed[rows].to(device),
            mask=self._mask[rows].to(device),
            utilities=self._utilities[rows].to(device) if utilities else None,
            weights=self._weights[rows].to(device),
            persona_index=persona.to(device),
            pool_scores=pool_scores,
            in_slate=in_slate,
            text_embeddings=texts,
            embeddings=embeddings,
            references={"base": self.base[images].to(device)},
            judgments=[self.judgments[row] for row in rows.tolist()],
            round=round,
            step=step,
        )


def _row(
    judgment: Judgment, pictures: Pictures, width: int
) -> tuple[list[int], list[bool], list[int], list[bool], list[float]]:
    size = len(judgment.slate.items)
    pad = width - size
    try:
        items = [pictures.index[item.id] for item in judgment.slate.items]
    except KeyError as error:
        raise BadInput(
            f"A judgment names the item {error.args[0]!r}, which is not in the training part; take "
            "such judgments out."
        ) from None
    ranks = judgment.ranking.ranks(size)
    utilities = judgment.ranking.utilities or (0.0,) * size
    return (
        items + items[:1] * pad,
        [True] * size + [False] * pad,
        [rank if rank is not None else width for rank in ranks] + [width] * pad,
        [rank is not None for rank in ranks] + [False] * pad,
        list(utilities) + [0.0] * pad,
    )


def drift(batch: ScoredBatch) -> Tensor:
    """[U], how far each picture has moved from where the student had it before training:
    1 - cosine, as half the squared distance of two unit vectors."""
    base = batch.references["base"].to(batch.embeddings.dtype)
    return (batch.embeddings - base).square().sum(1) / 2

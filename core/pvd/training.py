"""Training: the student's scores are pulled towards the rankings, a fixed number of steps a round.

A round depends on the student's weights, the judgments and the seed alone: the optimiser starts
anew each time, so that a round that was interrupted is repeated exactly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvd.errors import BadInput
from pvd.pictures import Pictures
from pvd.progress import Progress, Silent
from pvd.protocols import Loss, ScoredBatch, Student
from pvd.records import Judgment, Step
from pvd.settings import TrainSettings
from pvd.streams import derive, generator

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Aged:
    """A judgment and how many rounds ago it was made."""

    judgment: Judgment
    age: int


class Lesson:
    """Judgments as tensors, ready to be drawn in batches."""

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
        if not any(j.ranking.pairs(len(j.slate.items)) for j in self.judgments):
            raise BadInput(
                f"The {len(kept)} judgments state no pair (all ties, or nothing placed); "
                "there is nothing to learn from."
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
        self._texts = torch.stack([texts[id] for id in people])
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

    def __len__(self) -> int:
        return len(self.judgments)

    def scored(self, rows: Tensor, student: Student, rng_key: tuple[int, int, int]) -> ScoredBatch:
        """The batch of these rows: every distinct picture is embedded once."""
        import torch

        seed, round, step = rng_key
        images, inverse = torch.unique(self._items[rows], return_inverse=True)
        prepared = student.augment(
            self.pictures.take(images), generator("augment", seed, round, step)
        )
        embeddings = student.embed_prepared(prepared, train=True)
        persona = self._persona[rows]
        texts = self._texts[persona].to(embeddings.device)
        inverse = inverse.to(embeddings.device)
        mask = self._mask[rows].to(embeddings.device)
        pool_scores = texts @ embeddings.T
        in_slate = torch.zeros_like(pool_scores, dtype=torch.bool)
        # Padding repeats the row's first item, so that it marks nothing of its own.
        in_slate.scatter_(1, inverse, True)
        return ScoredBatch(
            # By gather, whose backward adds in a fixed order; indexing's does not promise that.
            scores=pool_scores.gather(1, inverse),
            ranks=self._ranks[rows].to(embeddings.device),
            placed=self._placed[rows].to(embeddings.device),
            mask=mask,
            utilities=self._utilities[rows].to(embeddings.device)
            if bool(self._known[rows].all())
            else None,
            weights=self._weights[rows].to(embeddings.device),
            persona_index=persona.to(embeddings.device),
            pool_scores=pool_scores,
            in_slate=in_slate,
            text_embeddings=texts,
            embeddings=embeddings,
            references={"base": self.base[images].to(embeddings.device)},
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


def train_round(
    student: Student,
    loss: Loss,
    lesson: Lesson,
    settings: TrainSettings,
    *,
    round: int,
    seed: int,
    progress: Progress | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
) -> float:
    """Take the round's steps; the mean loss. The student and the loss are changed in place."""
    import torch

    progress = progress or Silent()
    groups = [dict(group) for group in student.parameter_groups()]
    if own := list(loss.parameters()):
        groups.append({"params": own, "weight_decay": 0.0})
    scales = [group.pop("lr_scale", 1.0) for group in groups]
    parameters = [p for group in groups for p in group["params"]]
    first = settings.learning_rate
    rate = (student.learning_rate() if first is None else first) * settings.decay ** (round - 1)
    optimizer = torch.optim.AdamW(groups, lr=rate, weight_decay=settings.weight_decay, fused=True)
    losses: list[float] = []
    for step in range(settings.steps):
        # A student may draw from torch's global generator (dropout): nobody else may steer it.
        torch.manual_seed(derive("train", seed, round, step))
        start = time.monotonic()
        rows = _batch(len(lesson), settings.batch, step, seed, round)
        warm = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
        for group, scale in zip(optimizer.param_groups, scales, strict=True):
            group["lr"] = rate * scale * warm
        batch = lesson.scored(rows, student, (seed, round, step))
        value = loss(batch)
        if settings.anchor:
            value = value + settings.anchor * drift(batch)
        if not bool(torch.isfinite(value)):
            raise BadInput(
                f"The loss became {value.item()} in round {round}, step {step}; "
                "lower train.learning_rate."
            )
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        optimizer.step()
        losses.append(float(value.detach()))
        progress.advance(len(rows))
        on_step(Step(round, step, losses[-1], len(rows) / (time.monotonic() - start)))
    return sum(losses) / len(losses)


def drift(batch: ScoredBatch) -> Tensor:
    """How far the batch's images have moved from where the student had them before training: the
    mean of 1 - cosine, as half the squared distance of two unit vectors."""
    base = batch.references["base"].to(batch.embeddings.dtype)
    return (batch.embeddings - base).square().sum(1).mean() / 2


def _batch(judgments: int, batch: int, step: int, seed: int, round: int) -> Tensor:
    """The rows of one step: every judgment once before any comes again."""
    import torch

    batch = min(batch, judgments)
    start = step * batch
    rows: list[Tensor] = []
    while sum(map(len, rows)) < batch:
        deck, position = divmod(start + sum(map(len, rows)), judgments)
        order = torch.randperm(judgments, generator=generator("batch", seed, round, deck))
        rows.append(order[position : position + batch - sum(map(len, rows))])
    return torch.cat(rows)

"""The steps of a round.

A round depends on the student's weights, the judgments and the seed alone: the optimiser starts
anew each time, so that a round that was interrupted is repeated exactly, or goes on from where a
bookmark lies.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from pvd.isolation import checks
from pvd.progress import Progress, Silent
from pvd.protocols import Loss, Student
from pvd.records import Step, digest_of
from pvd.settings import TrainSettings
from pvd.streams import generator
from pvd.team import Team
from pvd.training.bookmark import Bookmark
from pvd.training.gradients import Key, add_gradients
from pvd.training.lesson import Lesson

if TYPE_CHECKING:
    from torch import Tensor


def train_round(
    student: Student,
    loss: Loss,
    lesson: Lesson,
    settings: TrainSettings,
    *,
    round: int,
    seed: int,
    team: Team | None = None,
    bookmark: Bookmark | None = None,
    progress: Progress | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
) -> float:
    """Take the round's steps; the mean loss. The student and the loss are changed in place.

    With a `bookmark` the round goes on where it was interrupted; with a `team` of several
    processes, which all call this with the same arguments, they share the pictures of each step.
    """
    import torch

    progress, team = progress or Silent(), team or Team()
    about = digest_of([lesson.digest, _telling(settings), round, seed])
    mark = bookmark.read(about) if bookmark is not None else None
    losses = mark.losses if mark is not None else []
    team.check_alike(len(losses), "the same bookmark in the run's folder")
    if mark is not None:
        mark.restore(student, loss)
    groups = checks.groups(student, student.parameter_groups())
    learning = [p for group in groups for p in group["params"]]
    if own := list(loss.parameters()):
        groups.append({"params": own, "weight_decay": 0.0})
    scales = [group.pop("lr_scale", 1.0) for group in groups]
    first = settings.learning_rate
    rate = (student.learning_rate() if first is None else first) * settings.decay ** (round - 1)
    optimizer = torch.optim.AdamW(groups, lr=rate, weight_decay=settings.weight_decay, fused=True)
    if mark is not None:
        mark.resume(optimizer)
        mark = None  # as large as all that learns
    progress.find(len(losses))
    for step in range(len(losses), settings.steps):
        start = time.monotonic()
        rows = _batch(len(lesson), settings.batch, step, seed, round)
        warm = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
        for group, scale in zip(optimizer.param_groups, scales, strict=True):
            group["lr"] = rate * scale * warm
        optimizer.zero_grad(set_to_none=True)
        key = Key(seed, round, step)
        losses.append(add_gradients(student, loss, lesson, rows, settings, team, key))
        team.sum_gradients(learning)
        norm = torch.nn.utils.clip_grad_norm_([*learning, *own], settings.clip)
        optimizer.step()
        progress.advance()
        speed = len(rows) / (time.monotonic() - start)
        on_step(Step(round, step, losses[-1], speed, rate * warm, float(norm)))
        if bookmark is not None:
            bookmark.write(student, loss, optimizer, losses, about)
    return sum(losses) / len(losses)


def _telling(settings: TrainSettings) -> str:
    """The settings that a step depends on; how many pictures fit at once does not matter."""
    return json.dumps({k: v for k, v in asdict(settings).items() if k != "chunk"}, sort_keys=True)


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

"""The gradients of one batch, however many pictures fit at once and processes share them.

The loss is computed on embeddings alone, which are small; only then does its gradient go back
through the student, picture by picture. So every process computes the loss of the whole batch, as
one alone would, and any loss will do: what is shared out are the pictures, nearly all of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pvd.errors import BadInput
from pvd.isolation import calling, checks, origin_of
from pvd.isolation.origin import broken, checked_by, place_known
from pvd.protocols import Loss, Student
from pvd.settings import TrainSettings
from pvd.streams import derive, generator
from pvd.team import Team
from pvd.training.lesson import Lesson, drift

if TYPE_CHECKING:
    from torch import Tensor


Look = Callable[[], "Tensor"]  # the embeddings of some pictures, the same each time


@dataclass(frozen=True)
class Key:
    """Where a batch stands; what is drawn at random depends on it."""

    seed: int
    round: int
    step: int


@dataclass(frozen=True)
class Part:
    """Judgments of a batch whose loss is computed by itself."""

    rows: Tensor
    images: Tensor  # [U], their distinct pictures
    new: Tensor  # [U], bool: not in a part before this one
    weight: float  # of its loss in the batch's


def add_gradients(
    student: Student,
    loss: Loss,
    lesson: Lesson,
    rows: Tensor,
    settings: TrainSettings,
    team: Team,
    key: Key,
) -> float:
    """Add the gradient of these judgments' loss to what learns; the loss.

    With more pictures than `settings.chunk` a loss that is separable is summed up over parts of
    the batch. Any other is computed on embeddings without gradients first, and the pictures are
    embedded again for what it asks of them (gradient caching, Gao et al. 2021): a third more work.
    """
    import torch

    room = settings.chunk and settings.chunk * team.size
    total = 0.0
    pictures = len(lesson.images(rows))
    known = lesson.have_utilities(rows)
    for number, part in enumerate(_parts(loss, lesson, rows, room)):
        share = team.share(len(part.images))
        mine = part.images[share]
        # A process without a share must know the width all the same; nothing of it goes back.
        some = mine if len(mine) else part.images[:1]
        looks = [
            partial(_embed, student, lesson, chunk, key, (number, team.rank, place))
            for place, chunk in enumerate(torch.split(some, settings.chunk or len(some)))
        ]
        with torch.set_grad_enabled(len(looks) == 1):
            seen = [look() for look in looks]
        own = torch.cat([one.detach() for one in seen])
        embeddings = own.new_empty((len(part.images), own.shape[1]))
        embeddings[share] = own[: len(mine)]
        team.filled(embeddings)
        embeddings.requires_grad_()
        batch = lesson.scored(
            part.rows, part.images, embeddings, utilities=known, round=key.round, step=key.step
        )
        _seed(key, "loss")
        value = part.weight * checks.loss(loss, loss(batch), alone=not settings.anchor)
        if settings.anchor:
            moved = (drift(batch) * part.new.to(embeddings.device)).sum() / pictures
            value = value + settings.anchor * moved
        if not bool(torch.isfinite(value)):
            raise _no_number(value.item(), student, loss, embeddings, key)
        with calling(loss, "its gradient"):
            value.backward()  # type: ignore[no-untyped-call]
        total += float(value.detach())
        if embeddings.grad is not None and len(mine):
            _go_back(student, looks, seen, embeddings.grad[share])
    return total


def _go_back(
    student: Student, looks: Sequence[Look], seen: Sequence[Tensor], gradient: Tensor
) -> None:
    """Take the gradient [n, D] of this process's embeddings to the weights."""
    start = 0
    for look, one in zip(looks, seen, strict=True):
        wanted = gradient[start : start + len(one)]
        embedded = one if one.requires_grad else look()
        if not embedded.requires_grad:
            raise broken(
                student,
                "returned rows without a gradient from embed_prepared in training",
                "with train=True it must compute them from what learns, without no_grad, .detach() "
                "or numpy",
            )
        embedded.backward(wanted)  # type: ignore[no-untyped-call]
        start += len(one)


def _embed(
    student: Student, lesson: Lesson, images: Tensor, key: Key, place: tuple[int, int, int]
) -> Tensor:
    """[n, D], some pictures of a batch, at a place (part, process, chunk) of it; the same numbers
    each time that they are asked for."""
    # A student may draw from torch's global generator (dropout): nobody else may steer it.
    where = place if any(place) else ()
    _seed(key, *where)
    rng = generator("augment", key.seed, key.round, key.step, *where)
    prepared = student.augment(lesson.pictures.take(images), rng)
    embedded = student.embed_prepared(prepared, train=True)
    checks.embeddings(student, "embed_prepared", embedded, len(images), values=False)
    checks.same_width(student, lesson.texts, embedded, " in training")
    return embedded


def _no_number(
    value: float, student: Student, loss: Loss, embeddings: Tensor, key: Key
) -> BadInput:
    """The sentence about a loss that is NaN or endless, by whichever of the two it is."""
    of = "loss" if bool(embeddings.isfinite().all()) else "student"
    check = checked_by(loss if of == "loss" else student)
    return BadInput(
        f"The loss {_short(loss)} became {value} on the student {_short(student)} in round "
        f"{key.round}, step {key.step}; lower train.learning_rate"
        + (f", or mend the {of}: {check}" if check else "")
        + "."
    )


def _short(component: object) -> str:
    """A component's name without its kind; its class's, if a program made it."""
    return (
        origin_of(component).name.partition(".")[2]
        if place_known(component)
        else (type(component).__name__)
    )


def _seed(key: Key, *where: int | str) -> None:
    import torch

    torch.manual_seed(derive("train", key.seed, key.round, key.step, *where))


def _parts(loss: Loss, lesson: Lesson, rows: Tensor, room: int | None) -> list[Part]:
    """The batch in one part, or, where that saves work, in several of at most `room` pictures."""
    import torch

    images = lesson.images(rows)
    whole = Part(rows, images, torch.ones(len(images), dtype=torch.bool), 1.0)
    if room is None or len(images) <= room or not loss.separable:
        return [whole]
    parts, seen, weight = [], set[int](), lesson.weight(rows)
    for some in _filled(lesson, rows, room):
        images = lesson.images(some)
        new = torch.tensor([image not in seen for image in images.tolist()])
        seen.update(images.tolist())
        parts.append(Part(some, images, new, lesson.weight(some) / weight if weight else 0.0))
    # Parts embed what they share anew, forwards and backwards; a second pass costs one forward.
    if 3 * sum(len(part.images) for part in parts) > 4 * len(whole.images):
        return [whole]
    return parts


def _filled(lesson: Lesson, rows: Tensor, room: int) -> Iterator[Tensor]:
    """The judgments in their order, as many at once as have at most `room` pictures; or one."""
    start = 0
    for stop in range(1, len(rows) + 1):
        if stop - start > 1 and len(lesson.images(rows[start:stop])) > room:
            yield rows[start : stop - 1]
            start = stop - 1
    yield rows[start:]

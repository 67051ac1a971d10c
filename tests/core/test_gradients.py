"""Chunks and processes change how a batch's gradients are computed, never what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import toy
from torch import Tensor

from pvd import Loss
from pvd.errors import BadInput, PluginError
from pvd.settings import TrainSettings
from pvd.team import Team
from pvd.training.gradients import Key, add_gradients
from pvd_plugins.losses.bradley_terry import BradleyTerry
from pvd_plugins.losses.plackett_luce import PlackettLuce

LOSSES: list[Callable[[], Loss]] = [BradleyTerry, PlackettLuce, toy.InBatch]


def gradients(
    make: Callable[[], Loss], chunk: int | None = None, rows: int = 30, **options: Any
) -> tuple[float, list[Tensor | None], list[tuple[int, bool]]]:
    """The loss, the gradient of everything that learns, and what was embedded."""
    student, loss = toy.learner(dropout=options.pop("dropout", 0.0)), make()
    lesson = toy.lesson(**{name: options.pop(name) for name in ("replay",) if name in options})
    settings = TrainSettings(chunk=chunk, **options)
    value = add_gradients(student, loss, lesson, torch.arange(rows), settings, Team(), Key(0, 2, 1))
    learning = [*student.layers.parameters(), *loss.parameters()]
    return value, [p.grad for p in learning], list(student.seen)


def same(one: list[Tensor | None], other: list[Tensor | None]) -> bool:
    return all(
        (a is None) == (b is None) and (a is None or torch.allclose(a, b, rtol=1e-9, atol=1e-12))
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("make", LOSSES)
@pytest.mark.parametrize("chunk", [1, 7, 13, 40, 1000])
@pytest.mark.parametrize("anchor", [0.0, 3.0])
def test_chunks_change_nothing(make: Callable[[], Loss], chunk: int, anchor: float) -> None:
    for replay in ("all", "decay"):
        whole = gradients(make, anchor=anchor, replay=replay)
        chunked = gradients(make, chunk, anchor=anchor, replay=replay)

        assert chunked[0] == pytest.approx(whole[0], rel=1e-12)
        assert same(chunked[1], whole[1])
        assert max(n for n, _ in chunked[2]) <= max(chunk, 6)  # a slate has up to six


def test_it_is_the_gradient_of_the_loss() -> None:
    """Against autograd over everything at once."""
    for make in LOSSES:
        student, loss, lesson = toy.learner(), make(), toy.lesson()
        rows = torch.arange(30)
        images = lesson.images(rows)
        seen = student.embed_prepared(lesson.pictures.take(images))
        value = loss(lesson.scored(rows, images, seen, utilities=False, round=1, step=0))
        learning = [*student.layers[0].parameters(), *loss.parameters()]
        wanted = torch.autograd.grad(value, learning)

        found = gradients(make)[1]
        mine = [*found[:2], *found[6:]]

        assert same(list(wanted), mine)


def test_a_separable_loss_embeds_each_picture_once_if_few_are_shared() -> None:
    seen = gradients(BradleyTerry, 6, rows=4)[2]

    assert len(seen) > 1
    assert all(grad for _, grad in seen), "in parts, each with its gradient: no second pass"


def test_where_slates_share_their_pictures_a_second_pass_is_cheaper_than_parts() -> None:
    student, loss, lesson = toy.learner(), BradleyTerry(), toy.lesson(items=8)
    settings = TrainSettings(chunk=6)
    add_gradients(student, loss, lesson, torch.arange(30), settings, Team(), Key(0, 1, 0))

    assert student.seen == [(6, False), (2, False), (6, True), (2, True)]


def test_any_other_loss_takes_two_passes() -> None:
    seen = gradients(toy.InBatch, 20)[2]

    first, second = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    assert [n for n, _ in first] == [n for n, _ in second]
    assert not any(grad for _, grad in first)
    assert all(grad for _, grad in second)


def test_the_second_pass_draws_the_same_dropout() -> None:
    """Otherwise the gradient would belong to other embeddings than the loss was computed of."""
    for _ in range(2):
        once = gradients(toy.InBatch, 20, dropout=0.5)
        again = gradients(toy.InBatch, 20, dropout=0.5)
        assert same(once[1], again[1])

    # By differences: the gradient that was found is the one of the loss as it was drawn.
    student, loss, lesson = toy.learner(dropout=0.5), toy.InBatch(), toy.lesson()
    settings, weight = TrainSettings(chunk=20), student.layers[0].weight

    def value() -> float:
        args = (lesson, torch.arange(30), settings, Team(), Key(0, 2, 1))
        return add_gradients(student, loss, *args)

    value()
    assert weight.grad is not None
    wanted = float(weight.grad[2, 3])
    weight.data[2, 3] += 1e-6
    above = value()
    weight.data[2, 3] -= 2e-6
    below = value()
    assert (above - below) / 2e-6 == pytest.approx(wanted, rel=1e-4)


def test_what_no_picture_goes_through_stays_without_a_gradient() -> None:
    for chunk in (None, 7):
        assert gradients(BradleyTerry, chunk)[1][4:6] == [None, None]


def test_a_batch_that_states_nothing_costs_nothing() -> None:
    student, lesson = toy.learner(), toy.lesson()
    tied = torch.tensor([3, 10, 17])
    for chunk in (None, 4):
        args = (lesson, tied, TrainSettings(chunk=chunk), Team(), Key(0, 1, 0))
        assert add_gradients(student, BradleyTerry(), *args) == 0


def test_a_loss_that_is_no_number_is_named() -> None:
    class Broken(BradleyTerry):
        def __call__(self, batch: Any) -> Tensor:
            return super().__call__(batch) * float("nan")

    with pytest.raises(
        BadInput, match="The loss Broken became nan on the student Layers in round 2, step 1; lower"
    ):
        gradients(Broken, 7)


@dataclass(kw_only=True)
class Detached(toy.Layers):
    """Forgets how its embeddings came about."""

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Tensor:
        return super().embed_prepared(prepared, train=train).detach()


@pytest.mark.parametrize("chunk", [None, 6])
def test_a_student_without_a_gradient_is_named(chunk: int | None) -> None:
    student, lesson = Detached(), toy.lesson()
    student.load("cpu")
    settings = TrainSettings(chunk=chunk)
    with pytest.raises(PluginError, match=r"Detached of \S+ returned rows without a gradient from"):
        add_gradients(
            student, BradleyTerry(), lesson, torch.arange(30), settings, Team(), Key(0, 1, 0)
        )

"""A round that was stopped goes on from its bookmark, to the same bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import toy

from pvd import Loss, Step
from pvd.errors import BadInput
from pvd.settings import TrainSettings
from pvd.training import Bookmark, bookmark, train_round
from pvd_plugins.losses.bradley_terry import BradleyTerry

SETTINGS = TrainSettings(steps=9, batch=8, learning_rate=0.01, warmup=3, weight_decay=0.1)


class Stopped(Exception):
    """As by a power cut, in the middle of a round."""


@pytest.fixture(autouse=True)
def _at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookmark, "SECONDS", 0.0)
    monkeypatch.setattr(bookmark, "SHARE", float("inf"))


def trained(
    path: Path, loss: Loss, stop: int | None = None, **changed: Any
) -> tuple[float, dict[str, torch.Tensor], list[Step]]:
    """A round that is stopped before it tells of a step, or runs to its end."""
    told: list[Step] = []

    def tell(step: Step) -> None:
        if step.step == stop:
            raise Stopped
        told.append(step)

    student = toy.learner(dropout=0.3)
    mean = train_round(
        student, loss, toy.lesson(changed.pop("count", 30)), replace(SETTINGS, **changed),
        round=2, seed=1, bookmark=Bookmark(path), on_step=tell,
    )  # fmt: skip
    return mean, {**student.state(), **dict(enumerate(loss.parameters()))}, told


@pytest.mark.parametrize("make", [BradleyTerry, toy.InBatch])
@pytest.mark.parametrize("stop", [1, 5, 8])
def test_it_goes_on_to_the_same_bits(make: Callable[[], Loss], stop: int, tmp_path: Path) -> None:
    mean, weights, steps = trained(tmp_path / "undisturbed", make())

    with pytest.raises(Stopped):
        trained(tmp_path / "mark", make(), stop)
    again_mean, again, rest = trained(tmp_path / "mark", make())

    assert again_mean == mean
    assert all(torch.equal(again[name], weights[name]) for name in weights)
    # The step that was stopped had been taken, but its mark had not been written.
    assert [step.step for step in rest] == list(range(stop, 9))
    assert [step.loss for step in rest] == [step.loss for step in steps[stop:]]


@pytest.mark.parametrize("changed", [{"learning_rate": 0.02}, {"steps": 12}, {"count": 29}])
def test_a_mark_about_another_lesson_is_not_used(changed: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        trained(tmp_path / "mark", BradleyTerry(), 5)

    *_, told = trained(tmp_path / "mark", BradleyTerry(), **changed)

    assert told[0].step == 0


def test_a_mark_with_other_chunks_is_used(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        trained(tmp_path / "mark", BradleyTerry(), 5)

    *_, told = trained(tmp_path / "mark", BradleyTerry(), chunk=10)

    assert told[0].step == 5


def test_a_damaged_mark_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        trained(tmp_path / "mark", BradleyTerry(), 5)
    whole = (tmp_path / "mark").read_bytes()
    (tmp_path / "mark").write_bytes(whole[: len(whole) // 2])

    *_, told = trained(tmp_path / "mark", BradleyTerry())

    assert told[0].step == 0


def test_who_judged_is_part_of_the_lesson() -> None:
    one, same, other = toy.lesson(), toy.lesson(), toy.lesson()
    other._persona[:2] = other._persona[:2].flip(0)
    assert one.digest == same.digest != other.digest


def test_a_mark_that_finds_no_room_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Path] = []

    def full(path: Path, tensors: Any) -> None:
        tried.append(path)
        raise BadInput(f"{path} cannot be written (No space left on device); make room.")

    monkeypatch.setattr(bookmark, "write_tensors", full)
    said: list[str] = []
    mark = Bookmark(tmp_path / "mark", say=said.append)
    student = toy.learner()
    train_round(student, BradleyTerry(), toy.lesson(), SETTINGS, round=2, seed=1, bookmark=mark)

    assert len(tried) == 1
    assert said == [
        f"Should it be interrupted, this round begins anew. {tmp_path / 'mark'} cannot be written "
        "(No space left on device); make room."
    ]


def test_it_is_written_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs as much as a checkpoint: at most a twentieth of the time goes into them."""
    now = [0.0]
    monkeypatch.setattr(bookmark.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(bookmark, "SECONDS", 60.0)
    monkeypatch.setattr(bookmark, "SHARE", 0.05)
    written: list[float] = []

    def write(path: Path, tensors: Any) -> None:
        written.append(now[0])
        now[0] += 10  # a slow disk: the next one waits 200 seconds

    monkeypatch.setattr(bookmark, "write_tensors", write)
    student, loss = toy.learner(), BradleyTerry()
    mark = Bookmark(tmp_path / "mark")
    optimizer = torch.optim.AdamW(student.layers.parameters())
    for _ in range(60):
        now[0] += 10
        mark.write(student, loss, optimizer, [0.5], "about")

    assert written[0] == 60
    assert all(b - a >= 200 for a, b in pairwise(written))
    assert len(written) == 3
    Bookmark(tmp_path / "mark", writes=False).write(student, loss, optimizer, [], "about")
    assert len(written) == 3

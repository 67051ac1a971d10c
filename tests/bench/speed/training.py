"""Training steps: core's own, by the student and the loss that a run would use."""

from __future__ import annotations

import statistics
import threading
from typing import TYPE_CHECKING

from baselines import batched_step, plain_step
from material import SIZE, Material, lesson
from measuring import Row, Work, interleaved, product
from products import training

if TYPE_CHECKING:
    import pvd
    from pvd.training import Lesson

A, B = "(a) plain step, fp32", "(b) open_clip, batch, bf16"
STEP = "training step, whole tower"
SHARED = 4  # slates that show a picture, where they share
TOP = "training step, last two blocks on kept activations"


class Steps:
    """A round of core's training that waits after each step until it is called again, so that
    other works can be timed in between."""

    def __init__(self, student: pvd.Student, lesson: Lesson, steps: int) -> None:
        self._about = (student, lesson, steps)
        self._go, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._failed: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def __call__(self) -> None:
        self._go.release()
        self._done.acquire()
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        import torch

        import pvd
        from pvd.settings import TrainSettings
        from pvd.training import train_round

        torch.set_num_threads(1)  # each thread has a number of its own
        student, lesson, steps = self._about
        settings = TrainSettings(steps=steps, batch=len(lesson), learning_rate=1e-6)
        loss = pvd.load("loss", "bradley-terry")

        def wait(step: object) -> None:
            self._done.release()
            self._go.acquire()

        self._go.acquire()
        try:
            train_round(student, loss, lesson, settings, round=1, seed=0, on_step=wait)
        except BaseException as error:
            self._failed = error
            self._done.release()


def rows(material: Material, repetitions: int) -> list[Row]:
    """The table's lines on training; seconds a slate."""
    from pvd.pictures import prepare

    slates, few = material.slates, material.slates // SHARED
    steps = repetitions + 2  # the last one stays waiting
    whole, top = material.student("all"), material.student("last-2")
    pictures, _ = prepare(whole, material.items)
    kept, _ = prepare(top, material.items)
    alone = lesson(material, pictures, slates, slates * SIZE)
    works = {
        "all": Work(Steps(whole, alone, steps), slates),
        "top": Work(Steps(top, lesson(material, kept, slates, slates * SIZE), steps), slates),
        "plain": Work(plain_step(material)),
        "batched": Work(batched_step(material), slates),
        "product": product(material.dtype),
    }
    times = interleaved(works, repetitions)
    # On their own: the step before leaves its mark in the caches.
    shared = {
        "shared": Work(Steps(whole, lesson(material, pictures, slates, few * SIZE), steps)),
        "fewer": Work(Steps(whole, lesson(material, pictures, few, few * SIZE), steps)),
    }
    times |= interleaved(shared, repetitions)
    gflop = statistics.median(times["product"])
    need = gflop * training(material.config) * SIZE
    one = {"unit": "slate", "floor": need}
    per_slate = [seconds / slates for seconds in times["shared"]]
    last = gflop * training(material.config, 2) * SIZE
    return [
        Row(work=STEP, against=A, goal=3.5, ours=times["all"], peer=times["plain"], **one),
        Row(work=STEP, against=B, goal=1.25, ours=times["all"], peer=times["batched"], **one),
        Row(
            work=f"{STEP}, each picture in {SHARED} slates",
            against=A,
            unit="slate",
            goal=11,
            ours=per_slate,
            peer=times["plain"],
            floor=need / SHARED,
        ),
        Row(
            work=f"a step of {slates} slates over {few * SIZE} pictures",
            against=f"one of {few} slates over as many",
            unit="step",
            goal=1.1,
            at_most=True,
            ours=times["shared"],
            peer=times["fewer"],
            floor=need * few,
        ),
        Row(
            work=TOP,
            against=A,
            unit="slate",
            goal=18,
            ours=times["top"],
            peer=times["plain"],
            floor=last,
        ),
    ]

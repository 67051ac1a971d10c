"""A round of the recipe `paper` over 4,096 items, all but the teacher: 1,000 slates drawn by range,
learnt from once, and the catalogue embedded again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import embedding
import training
from material import SIZE, Material, lesson
from measuring import Row, Work, interleaved

if TYPE_CHECKING:
    import torch

    from pvd.pictures import Pictures
    from pvd.protocols import Prepared

SLATES, ITEMS, STEPS = 1000, 4096, 20
CHUNK = 80  # pictures at once: 250 would need 10 GB


def rows(measured: Sequence[Row], material: Material, repetitions: int) -> list[Row]:
    """Composed of the measured times of a slate and of a picture, and of drawing, which is run."""
    drawing = interleaved({"draw": Work(_drawing(material))}, repetitions)["draw"]

    def found(work: str, against: str) -> Row:
        return next(row for row in measured if (row.work, row.against) == (work, against))

    def composed(work: str, step: Row, again: Row, goal: float) -> Row:
        def whole(slate: Sequence[float], picture: Sequence[float]) -> list[float]:
            parts = zip(slate, picture, drawing, strict=True)
            return [SLATES * s + ITEMS * p + d for s, p, d in parts]

        return Row(
            work=work,
            against="(a), and (d) after it",
            unit="round",
            goal=goal,
            ours=whole(step.ours, again.ours),
            peer=whole(step.peer, fp32.peer),
            floor=SLATES * step.floor + ITEMS * again.floor,
            note="composed of the rows above",
        )

    fp32 = found(embedding.AGAIN, embedding.D)
    name = f"a round of recipe paper, {ITEMS:,} items"
    step, top = found(training.STEP, training.A), found(training.TOP, training.A)
    again = found(embedding.TOP, embedding.C)
    return [
        composed(f"{name}, whole tower", step, fp32, 3.5),
        composed(f"{name}, last two blocks", top, again, 8),
    ]


def run(material: Material, part: str) -> float:
    """Seconds that ours takes for such a round when it is really run; its pictures are prepared."""
    import pvd
    from pvd.pictures import Pictures, prepare
    from pvd.scoring import embed
    from pvd.settings import TrainSettings
    from pvd.training import train_round

    student = material.student(part)
    known, _ = prepare(student, material.items)
    places = [number % len(known) for number in range(ITEMS)]
    items = [replace(known.items[place], id=f"{n:04d}") for n, place in enumerate(places)]
    pictures = Pictures(items, _Again(known, places))
    taught = lesson(material, pictures, SLATES, ITEMS // SIZE * SIZE)
    settings = TrainSettings(
        steps=STEPS, batch=SLATES // STEPS, chunk=CHUNK, learning_rate=1e-6, warmup=0
    )
    begun = time.process_time()
    _drawing(material)()
    loss = pvd.load("loss", "bradley-terry")
    train_round(student, loss, taught, settings, round=1, seed=0)
    embed(student, pictures)
    return time.process_time() - begun


class _Again:
    """Few photographs in many places."""

    def __init__(self, known: Pictures, places: Sequence[int]) -> None:
        import torch

        self._known, self._places = known, torch.tensor(places)

    def take(self, rows: torch.Tensor) -> Prepared:
        """Those of these rows."""
        return self._known.take(self._places[rows])


def _drawing(material: Material) -> Callable[[], object]:
    """A round's slates, for as many personas."""
    import torch
    from torch.nn.functional import normalize

    import pvd
    from pvd.drawing import Shop, draw_round

    width = material.config["embed_dim"]
    rng = torch.Generator().manual_seed(0)
    texts, images = (normalize(torch.randn(n, width, generator=rng)) for n in (SLATES, ITEMS))
    people = [pvd.Persona(f"{n:04d}", f"Person {n}") for n in range(SLATES)]
    nowhere = material.photographs[0]
    items = [pvd.Item(f"{n:04d}", nowhere) for n in range(ITEMS)]
    shop = Shop(people, items, texts, images, images)
    sampler = pvd.load("sampler", "four-bin", by="range", fallback="uniform")
    return lambda: draw_round(sampler, shop, round=1, slots=SLATES, size=SIZE, seed=0)

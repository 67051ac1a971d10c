"""A student, judgments and losses small enough that each number of a step can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional

from pvd import Item, Judgment, Loss, Persona, Ranking, Reply, ScoredBatch, Slate, Student
from pvd.pictures import Memory, Pictures
from pvd.streams import stream
from pvd.training import Aged, Lesson

WIDTH = 6
PERSONAS = [Persona(f"p{n}", f"likes axis {n}") for n in range(5)]
ITEMS = [Item(f"i{n}", Path(f"{n}.png")) for n in range(60)]


def _drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


TEXTS = dict(
    zip((p.id for p in PERSONAS), functional.normalize(_drawn(5, WIDTH, seed=1)), strict=True)
)
PIXELS = _drawn(60, WIDTH, seed=2)
BASE = functional.normalize(_drawn(60, WIDTH, seed=3))


@dataclass(kw_only=True)
class Layers(Student):
    """Two layers in fp64, and a third that no picture goes through."""

    dropout: float = 0.0
    seen: ClassVar[list[tuple[int, bool]]] = []  # pictures, and whether with a gradient

    def load(self, device: str) -> None:
        self.layers = torch.nn.ModuleList(torch.nn.Linear(WIDTH, WIDTH).double() for _ in range(3))
        with torch.no_grad():
            for number, parameter in enumerate(self.layers.parameters()):
                parameter.copy_(_drawn(*parameter.shape, seed=10 + number) / 2)

    def prepare(self, images: Any) -> Tensor:
        raise NotImplementedError

    open = save = prepare_key = embed_texts = prepare

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Tensor:
        self.seen.append((len(prepared), torch.is_grad_enabled()))
        hidden = functional.dropout(self.layers[0](prepared).tanh(), self.dropout, training=train)
        return functional.normalize(self.layers[1](hidden), dim=1)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.layers.parameters())}]

    def state(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.layers.state_dict().items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.layers.load_state_dict(state)


@dataclass(kw_only=True)
class InBatch(Loss):
    """Looks across slates (each persona's first item against all pictures of the batch), and has a
    scale of its own that learns."""

    separable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.scale = torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

    def __call__(self, batch: ScoredBatch) -> Tensor:
        best = batch.scores.gather(1, batch.ranks.argmin(1, keepdim=True))
        logits = torch.cat([best, batch.pool_scores], dim=1) * self.scale
        return -logits.log_softmax(1)[:, 0].mean() - (batch.embeddings.std(0)).mean()

    def parameters(self) -> list[Tensor]:
        return [self.scale]


def learner(**options: Any) -> Layers:
    """Always with the same weights."""
    made = Layers(**options)
    made.load("cpu")
    made.seen.clear()
    return made


def lesson(count: int = 30, items: int = 60, replay: str = "all") -> Lesson:
    """Slates of two to six items; some rankings state nothing, some know utilities."""
    lot = stream("toy")
    found = []
    for number in range(count):
        places = lot.sample(range(items), lot.randint(2, 6))
        found.append(Aged(_judged(number, places), number % 3))
    return Lesson(found, Pictures(ITEMS, Memory(PIXELS)), TEXTS, BASE, replay)


def _judged(number: int, places: Sequence[int]) -> Judgment:
    ranking = Ranking.from_utilities([float(PIXELS[place, 0]) for place in places])
    if number % 7 == 3:
        ranking = Ranking((tuple(range(len(places))),))  # all tied
    slate = Slate(PERSONAS[number % 5], tuple(ITEMS[place] for place in places))
    return Judgment(slate, ranking, "", Reply(""), "", "")

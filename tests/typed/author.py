"""A stranger's plug-ins, as people write them: pyright must find nothing wrong with these.

Where it must find something, the line says so: an ignore that is not needed is an error, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pvd
from pvd import kit, testing

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Generator, Tensor


# --- without a single annotation ------------------------------------------------------------


@dataclass(kw_only=True)
class Longest(pvd.Teacher):
    """Prefers the longest title."""

    capabilities = pvd.Capabilities(batch=8)
    weight: float = 1.0

    def rank(self, slates):
        return [pvd.Ranking.from_utilities([len(i.title or "") for i in s.items]) for s in slates]


@dataclass(kw_only=True)
class First(pvd.Sampler):
    """Draws the first items."""

    def draw(self, pool, size, rng):
        return pool.scores.argsort(1)[:, :size]


@dataclass(kw_only=True)
class Hinge(pvd.Loss):
    """A margin."""

    separable = False
    margin: float = 0.1

    def __call__(self, batch):
        return (self.margin - batch.scores).clamp(min=0).mean()


@dataclass(kw_only=True)
class Mean(pvd.Evaluator):
    """The mean score of the winners."""

    def evaluate(self, exam):
        scores = [float(row[winner]) for row, winner in zip(exam.scores, exam.winners, strict=True)]
        return {"mean": kit.mean(scores, exam.seed, f"{len(scores)} personas")}


@dataclass(kw_only=True)
class Empty(pvd.Source):
    """Brings nothing."""

    def catalog(self, path):
        return pvd.Catalog(())


@dataclass(kw_only=True)
class Teller(pvd.Observer):
    """Tells of rounds."""

    def begin(self, folder):
        self.file = folder / "told.txt"

    @pvd.hookimpl
    def on_round(self, result):
        self.file.write_text(f"{result.round}: {result.validation.value}")


# --- with all of them -----------------------------------------------------------------------


@dataclass(kw_only=True)
class Remote(kit.PromptedTeacher):
    """A model behind an API."""

    service: ClassVar[str] = "remote"
    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(paid=True, workers=4)
    model: str = "some-model"

    def ask(self, prompt: kit.Prompt) -> pvd.Reply:
        if not prompt.letters:
            raise kit.Busy("too many", after=2.0)
        return pvd.Reply('{"ranking": "A"}', model=self.model, tokens=pvd.Tokens(900, 12))

    def estimate(self, slate: pvd.Slate) -> pvd.Forecast:
        return pvd.Forecast(expected=pvd.Tokens(900, 12), high=pvd.Tokens(2000, 64))

    def dollars(self, tokens: pvd.Tokens, batch: bool = False) -> float | None:
        return tokens.input * 1e-6


@dataclass(kw_only=True)
class Twice(pvd.CompositeTeacher):
    """Asks the same teacher twice."""

    of: pvd.Teacher

    def questions(self, slate: pvd.Slate) -> Sequence[pvd.Question]:
        return [pvd.Question(self.of, slate), pvd.Question(self.of, slate)]

    def combine(self, slate: pvd.Slate, rankings: Sequence[pvd.Ranking]) -> pvd.Ranking:
        return rankings[0]


@dataclass(kw_only=True)
class Flat(pvd.Student):
    """Knows nothing."""

    width: int = 8

    def load(self, device: str) -> None: ...
    def open(self, folder: Path, device: str) -> None: ...
    def save(self, folder: Path) -> None: ...

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        import torch

        return torch.ones(len(texts), self.width)

    def prepare(self, images: Sequence[Image]) -> pvd.Prepared:
        import torch

        return torch.ones(len(images), self.width)

    def prepare_key(self) -> str:
        return "flat"

    def embed_prepared(self, prepared: Tensor, *, train: bool = False) -> Tensor:
        return prepared.float()

    def parameter_groups(self) -> list[dict[str, Any]]:
        return []

    def state(self) -> pvd.State:
        return {}

    def load_state(self, state: pvd.State) -> None: ...


@dataclass(kw_only=True)
class Named(pvd.Student):
    """Without annotations, and with several tensors."""

    def prepare(self, images):
        import torch

        return {"pixels": torch.ones(len(images), 8)}

    def embed_prepared(self, prepared, *, train=False):
        return prepared["pixels"].to("cpu")


@dataclass(kw_only=True)
class Lots(pvd.Sampler):
    """Draws by lot."""

    def draw(self, pool: pvd.Pool, size: int, rng: Generator) -> Tensor:
        import torch

        pool.note("bins", {"all": {"members": float(len(pool.items))}})
        return torch.randint(len(pool.items), (len(pool.personas), size), generator=rng)


@pvd.hookimpl
def register_teachers(register):
    register("longest", Longest)
    register("remote", Remote)


# --- the library ----------------------------------------------------------------------------


def use() -> None:
    """What is found, and what is not let through."""
    run = pvd.run(teacher={"use": "simulated"}, train={"rounds": 1}, seed=3, out="runs/one")
    gain: float = run.metrics["exam"]["gains"]["zero-shot"]["mpr"]["value"]
    best: list[str] = [judgment.slate.items[0].id for judgment in run.judgments(1)]
    texts: Tensor = pvd.Run.open("runs/one").student.embed_texts(["a gift"])
    ranked: Sequence[pvd.Ranking] = pvd.load("teacher", "simulated", noise=0.5).rank([])
    drawn: pvd.Sampler = pvd.load("sampler", "uniform")
    hits: list[str] = [hit.id for hit in pvd.Index.open("index").search("a gift", k=3)]
    audit: pvd.Audit = pvd.audit("simulated", slates=20, seed=1)
    compared: pvd.Compared = pvd.compare(vary={"sampler": ["uniform"]}, out="c", student="tiny")
    print(gain, best, texts, ranked, drawn, hits, audit.numbers, compared.findings)

    pvd.run(trian={"rounds": 1})  # pyright: ignore[reportCallIssue]
    pvd.run(seed="one")  # pyright: ignore[reportArgumentType]
    _ = pvd.load("teacher", "simulated").draw  # pyright: ignore[reportAttributeAccessIssue]
    pvd.load("student", "tiny").embed_texts("no list of texts"[0], 3)  # pyright: ignore[reportCallIssue]
    pvd.Ranking.from_utilities(["a", "b"])  # pyright: ignore[reportArgumentType]
    pvd.compare(vary={"sampler": ["uniform"]})  # pyright: ignore[reportCallIssue]
    run.judgments("test")  # pyright: ignore[reportArgumentType]


# --- contracts know the type of their kind --------------------------------------------------


class TestHinge(testing.LossContract):
    def component(self) -> Hinge:
        return Hinge(margin=0.2)


class TestUntyped(testing.SamplerContract):
    def component(self):
        return First()


class TestMean(testing.LossContract):
    def component(self) -> Mean:  # pyright: ignore
        return Mean()


def kinds(one: testing.LossContract, other: testing.TeacherContract) -> tuple[pvd.Loss, bool]:
    print(other.component().requires)  # pyright: ignore
    return one.component(), other.component().capabilities.paid

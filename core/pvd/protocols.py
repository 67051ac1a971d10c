"""The protocols that plug-ins subclass. A component is a `@dataclass(kw_only=True)`: its fields are
its options; live state is made in `__enter__` or `load`.

Shapes: B slates in a batch, K items a slate, U distinct images in the batch, S slots, N items,
P texts, D the width of the space.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from pvd.errors import BadInput
from pvd.records import (
    Catalog,
    Estimate,
    Exam,
    Item,
    Judgment,
    Persona,
    Ranking,
    Reply,
    Request,
    Slate,
    Tokens,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Generator, Tensor

# What `prepare` returns: constant per image, first axis the images. Text, so that torch stays out.
Prepared: TypeAlias = "Tensor | Mapping[str, Tensor]"
State: TypeAlias = "dict[str, Tensor]"


class Component(ABC):  # noqa: B024 - each kind adds its own abstract methods
    """What every kind shares: a name, once loaded, and fields that are its options."""

    name: ClassVar[str] = ""  # "kind.name"; the registry sets it

    @property
    def label(self) -> str:
        """Its name without the kind; the class's, where it was never registered."""
        return self.name.partition(".")[2] or type(self).__name__

    def options(self) -> dict[str, Any]:
        """The options as set, for the run's record."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True)
class Capabilities:
    """What a teacher can do, for checks before anything is asked."""

    batch: int = 1  # requests that one `answer` call may carry
    workers: int = 1  # `answer` calls that may run at once
    paid: bool = False  # an answer costs money
    simulated: bool = False  # the preferences are made up; every output says so
    reads: frozenset[str] = frozenset()  # attributes that each persona must have: "tastes"
    yields: frozenset[str] = frozenset()  # what its rankings carry beside the order: "utilities"


class Teacher(Component):
    """Ranks slates. Override `rank` for a simple teacher; `request`, `answer` and `read` for one
    whose raw replies are worth keeping, so that parsing them again costs nothing.
    """

    capabilities: ClassVar[Capabilities] = Capabilities()
    seed = 0  # the run's `teacher` or `judge` stream; core sets it before `__enter__`

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def check(self, personas: Sequence[Persona], items: Sequence[Item]) -> None:
        """Raise BadInput if these cannot be ranked; called before anything is asked or drawn."""

    def connect(self) -> Sequence[str]:
        """Get ready to answer: package, key, client, weights. Called once, before the first
        question that is not in the store; the lines that it returns are shown to the user."""
        return ()

    def rank(self, slates: Sequence[Slate]) -> Sequence[Ranking]:
        """One ranking a slate, in order. Enough for a simple teacher."""
        raise TypeError(
            f"{type(self).__name__} answers nothing; "
            "define rank(slates), or request, answer and read."
        )

    def request(self, slate: Slate) -> Request:
        """Everything that the answer depends on. The default: class, options, seed, texts,
        pictures. A file of `-p` is a module named after its digest: edited, it is asked anew."""
        return Request(
            slate,
            {
                "teacher": [self.label, type(self).__module__, type(self).__qualname__],
                "options": {
                    k: str(v) if isinstance(v, Path) else v for k, v in self.options().items()
                },
                "seed": self.seed,
                "persona": [slate.persona.text, dict(slate.persona.attributes)],
                "items": [[i.title, dict(i.attributes), i.digest] for i in slate.items],
                "repeat": slate.repeat,
            },
        )

    def answer(self, requests: Sequence[Request]) -> Sequence[Reply]:
        """One call. Raise `pvd.kit.Busy` to be called again later, `ProviderFailure` to stop."""
        rankings = self.rank([request.slate for request in requests])
        return [Reply(ranking.as_text(), model=self.label) for ranking in rankings]

    def read(self, request: Request, reply: Reply) -> Ranking:
        """The ranking in a raw reply. Raise `pvd.kit.Malformed` to be asked in another order."""
        return Ranking.from_text(reply.text)

    def estimate(self, slate: Slate) -> Tokens:
        """The tokens that one slate will cost, at the high end."""
        return Tokens()

    def dollars(self, tokens: Tokens) -> float:
        """What so many tokens cost."""
        return 0.0

    def utilities(self, persona: Persona, items: Sequence[Item]) -> Sequence[float] | None:
        """The noise-free utility of each item, if this teacher knows it; for evaluation only."""
        return None


@dataclass(frozen=True)
class Question:
    """What a composite teacher wants to know: an inner teacher and the slate for it."""

    teacher: Teacher
    slate: Slate


class CompositeTeacher(Teacher):
    """A teacher made of others: core asks and stores each of its questions."""

    @abstractmethod
    def questions(self, slate: Slate) -> Sequence[Question]:
        """What to ask the inner teachers about this slate."""

    @abstractmethod
    def combine(self, slate: Slate, rankings: Sequence[Ranking]) -> Ranking:
        """One ranking of the slate from the answers, in the order of the questions."""

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        """What those inside can do together."""
        parts = [teacher.capabilities for teacher in self.inner()]
        return Capabilities(
            paid=any(part.paid for part in parts),
            simulated=any(part.simulated for part in parts),
            reads=frozenset().union(*(part.reads for part in parts)),
        )

    def check(self, personas: Sequence[Persona], items: Sequence[Item]) -> None:
        for teacher in self.inner():
            teacher.check(personas, items)

    def inner(self) -> Sequence[Teacher]:
        """The teachers among the options; core seeds and opens them."""
        found: list[Teacher] = []
        for value in self.options().values():
            members = value if isinstance(value, tuple) else (value,)
            found += [member for member in members if isinstance(member, Teacher)]
        return found


class Student(Component):
    """Embeds texts and images into one space; the image side learns, the text side is frozen."""

    @abstractmethod
    def load(self, device: str) -> None:
        """Make the model with its published weights, on `device`."""

    @abstractmethod
    def open(self, folder: Path) -> None:
        """Replace the weights by those that `save` wrote."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the layout that its library publishes; safetensors, never a pickle."""

    @abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """[P, D], unit length."""

    @abstractmethod
    def prepare(self, images: Sequence[Image]) -> Prepared:
        """What training and embedding read instead of the image; constant per image, so that it
        is cached: pixels, or the activations below the first trained block."""

    @abstractmethod
    def prepare_key(self) -> str:
        """A digest of all that `prepare` depends on but the image."""

    def augment(self, prepared: Prepared, rng: Generator) -> Prepared:
        """A variation for training; unchanged by default."""
        return prepared

    @abstractmethod
    def embed_prepared(self, prepared: Prepared, *, train: bool = False) -> Tensor:
        """[n, D], unit length; row i depends on image i alone."""

    @abstractmethod
    def parameter_groups(self) -> list[dict[str, Any]]:
        """What learns, in torch's form: `{"params": [...], "lr_scale": 1.0, ...}`."""

    @abstractmethod
    def state(self) -> State:
        """The weights that learn, by name, for checkpoints."""

    @abstractmethod
    def load_state(self, state: State) -> None:
        """Put back what `state` returned."""


class Pool(ABC):
    """What a sampler draws from: a block of S slots over the N training items."""

    personas: Sequence[Persona]  # S, one a slot
    items: Sequence[Item]  # N
    embeddings: Tensor  # [N, D], the student's as it is now
    history: Sequence[Judgment]  # every judgment so far

    @property
    @abstractmethod
    def scores(self) -> Tensor:
        """[S, N], the student's cosines; computed when first read."""

    @property
    @abstractmethod
    def base_scores(self) -> Tensor:
        """[S, N], the same before any training."""

    @abstractmethod
    def scores_of(self, indices: Tensor) -> Tensor:
        """[S, n], only the scores of these item indices [S, n]."""

    @abstractmethod
    def note(self, table: str, rows: Mapping[str, Mapping[str, float]]) -> None:
        """Log numbers: `rows[row][column]` is added up over the round and shown in the report."""


class Sampler(Component):
    """Chooses which items are asked about."""

    @abstractmethod
    def draw(self, pool: Pool, size: int, rng: Generator) -> Tensor:
        """[S, size] item indices, one row a slot, no item twice in a row. All randomness comes
        from `rng`, a generator that core seeds from (draw, round, first slot of the block)."""


@dataclass(frozen=True, kw_only=True)
class ScoredBatch:
    """A batch of judged slates with the student's scores.

    An item that the teacher did not place has `placed` False; one that it calls worse than the
    others is placed behind them. Rows with fewer than K items are filled up with `mask` False.
    """

    scores: Tensor  # [B, K], cosines
    ranks: Tensor  # [B, K], 0 the best, equal is a tie
    placed: Tensor  # [B, K], bool
    mask: Tensor  # [B, K], bool
    utilities: Tensor | None  # [B, K], where every ranking of the batch has them
    weights: Tensor  # [B], 1 unless older judgments count less
    persona_index: Tensor  # [B], equal for equal personas
    pool_scores: Tensor  # [B, U], every persona against every image of the batch
    in_slate: Tensor  # [B, U], bool
    text_embeddings: Tensor  # [B, D]
    embeddings: Tensor  # [U, D]
    references: Mapping[str, Tensor]  # "base": [U, D], the student before training
    judgments: Sequence[Judgment]
    round: int
    step: int


class Loss(Component):
    """Pulls the student's scores towards the rankings."""

    requires: ClassVar[frozenset[str]] = frozenset()  # e.g. {"utilities"}; checked before asking
    separable: ClassVar[bool] = True  # False if it looks across slates

    @abstractmethod
    def __call__(self, batch: ScoredBatch) -> Tensor:
        """A scalar to minimise."""

    def parameters(self) -> Iterable[Tensor]:
        """Its own tensors that learn, if any; made in `__post_init__`."""
        return ()


class Evaluator(Component):
    """Measures one system's exam."""

    @abstractmethod
    def evaluate(self, exam: Exam) -> Mapping[str, Estimate]:
        """Numbers by name, higher is better; empty where the exam lacks what it needs."""

    def chance(self, items: int) -> Mapping[str, float]:
        """What a ranking by lot gets among so many items, where that is known."""
        return {}


class Source(Component):
    """Brings a catalogue, personas, or both, from a path."""

    path = ""  # what the user wrote after `source:`; core sets it, and hands it over

    def catalog(self, path: str) -> Catalog:
        """The catalogue at this path."""
        raise BadInput(f"The source {self.label} brings no catalogue; name another with --catalog.")

    def personas(self, path: str) -> list[Persona]:
        """The personas at this path."""
        raise BadInput(f"The source {self.label} brings no personas; name another with --personas.")


class Observer(Component):
    """Is told what happens (the hooks `on_...`), in the main thread, and changes nothing."""

    def begin(self, folder: Path) -> None:
        """The run folder, before the first event."""

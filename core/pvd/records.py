"""The records that every stage takes and returns. Nothing here imports torch, numpy or PIL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from pvd.errors import BadInput
from pvd.rankings import JSON as JSON
from pvd.rankings import Ranking as Ranking
from pvd.tokens import Forecast as Forecast
from pvd.tokens import Tokens as Tokens
from pvd.tokens import added as added

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


def digest_of(value: Any) -> str:
    """The SHA-256 of a JSON value in its canonical form: sorted keys, no spaces, ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Persona:
    """A text query that says for whom we choose; any text query works.

    The simulated teacher reads `attributes["tastes"]`, a mapping `"column=value" -> weight`.
    """

    id: str  #: distinct among the personas of a run
    text: str  #: what the teacher is told and the student embeds
    attributes: JSON = field(default_factory=dict)  #: whatever else its source knows


@dataclass(frozen=True)
class Item:
    """One product: an id, a picture that is opened when it is needed, and what is known of it."""

    id: str  #: distinct in its catalogue
    image: Path | Callable[[], bytes]  #: a file, or a function that returns the bytes of one
    title: str | None = None  #: its name, if it has one
    attributes: Mapping[str, str] = field(default_factory=dict)  #: the other columns of its table

    def read(self) -> bytes:
        """The encoded image as it was given, not yet checked; OSError if there is no such file."""
        from pvd.images import read

        return read(self.image, self.where)

    def open(self) -> Image:
        """The image, decoded by the guarded decoder: upright RGB, first frame, on white.
        BadInput if it is too large, damaged, or no JPEG, PNG, WEBP or GIF."""
        return self.decoded(self.read())

    def decoded(self, data: bytes) -> Image:
        """The image, from the bytes that `read` returned."""
        from pvd.images import decode

        self.digested(data)
        return decode(data, where=self.where)

    def digested(self, data: bytes) -> str:
        """`digest`, while the bytes are here: to read or draw them again would cost more."""
        found: str = self.__dict__.setdefault("digest", hashlib.sha256(data).hexdigest())
        return found

    @property
    def where(self) -> str:
        """How messages name this item."""
        return f"item {self.id!r}" + (f" ({self.image})" if isinstance(self.image, Path) else "")

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the encoded image."""
        return hashlib.sha256(self.read()).hexdigest()


@dataclass(frozen=True)
class Catalog(Sequence[Item]):
    """An ordered collection of items with distinct ids; BadInput for an id that stands twice."""

    items: tuple[Item, ...]  #: in their order
    name: str = "catalog"  #: how messages name it

    def __post_init__(self) -> None:
        check_distinct((item.id for item in self.items), f"items in {self.name}")

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


def check_distinct(ids: Iterator[str], what: str) -> None:
    """Raise BadInput that names the first id that occurs twice."""
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            raise BadInput(f"Two {what} have the id {id!r}; give each an id of its own.")
        seen.add(id)


@dataclass(frozen=True, slots=True)  # there are many
class Slate:
    """One question: which of these K items suits this persona best?"""

    persona: Persona  #: for whom
    items: tuple[Item, ...]  #: K items, in the order shown
    repeat: int = 0  #: another number is another question about the same


@dataclass(frozen=True)
class Request:
    """Everything that goes over the wire for one slate; two with equal bodies are one question."""

    slate: Slate  #: what it asks about
    body: JSON  #: all that the answer depends on, images by their digest
    #: Whether others that are asked now show the same pictures in the same order, which a provider
    #: may remember for less money; no part of the question.
    shared: bool = False

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the body: the store's key."""
        return digest_of(self.body)


@dataclass(frozen=True, slots=True)  # there are many
class Reply:
    """A teacher's raw answer, as it is kept in the store."""

    text: str  #: word for word
    model: str = ""  #: the id that the provider returned
    tokens: Tokens = field(default_factory=Tokens)  #: what it counted
    dollars: float | None = 0.0  #: a price that nobody knows is None, never 0
    finish: str = ""  #: how it ended, if not as it should: refused, truncated


@dataclass(frozen=True, slots=True)  # there are many
class Judgment:
    """A slate, its ranking, and where the ranking came from."""

    slate: Slate  #: the question
    ranking: Ranking  #: the answer
    digest: str  #: of the request: what the store keeps the raw reply under
    reply: Reply  #: the raw answer, its model, tokens and dollars
    teacher: str  #: who ranked
    date: str  #: when, in UTC
    #: Of a composite: the digest of each answer inside, and what it cost once.
    parts: tuple[tuple[str, float | None], ...] = ()


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float  #: the estimate itself
    low: float  #: where the interval begins
    high: float  #: where it ends
    over: str  #: what the interval is over, such as "64 personas, given one trained student"
    #: What the value is the mean of, one a persona, and None for whom there is none: systems are
    #: compared in pairs by these.
    values: tuple[float | None, ...] = ()

    @property
    def missing(self) -> int:
        """How many personas have no value."""
        return self.values.count(None)


@dataclass(frozen=True)
class Exam:
    """One system's sitting: held-out personas x held-out items, and the judge's winners."""

    system: str  #: who sits it: distilled, zero-shot, ...
    personas: tuple[Persona, ...]  #: P held-out ones
    items: tuple[Item, ...]  #: N held-out ones
    scores: Tensor  #: [P, N], higher is better
    winners: tuple[int, ...]  #: an index into items for each persona
    utilities: Tensor | None  #: [P, N], the judge's own, where they are known
    seed: int  #: of the bootstrap, the same for all systems


@dataclass(frozen=True)
class Stage:
    """A stage of a command and how far it has come, for observers."""

    name: str  #: asking, training, ...
    where: str = ""  #: in which round: "round 2 of 6"; nothing outside of rounds
    unit: str = ""  #: what is counted: slates, images
    total: int | None = None  #: how many there will be, as far as it is known
    done: int = 0  #: how many of them are done
    status: str = ""  #: what else is to be said: money, calls made again
    seconds: float = 0.0  #: since it began
    found: int = 0  #: how many of those done were there before it began, and cost it no time

    @property
    def title(self) -> str:
        """Where and what: "round 2 of 6, asking"."""
        return f"{self.where}, {self.name}" if self.where else self.name

    @property
    def rate(self) -> float | None:
        """How many a second were done since it began, without those found; None if none were."""
        new = self.done - self.found
        return new / max(self.seconds, 1e-3) if new > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Until the rest is done at that rate; None if nobody knows."""
        if self.rate is None or self.total is None:
            return None
        return max(self.total - self.done, 0) / self.rate


@dataclass(frozen=True)
class Step:
    """One optimiser step, for observers."""

    round: int  #: from 1
    step: int  #: in this round, from 0
    loss: float  #: of the step's batch, before the step
    slates_per_second: float  #: how fast training goes
    learning_rate: float = 0.0  #: as it was in this step, for weights that set no scale of theirs
    gradient_norm: float = 0.0  #: of all that learns, before it was clipped


@dataclass(frozen=True)
class RoundResult:
    """What one round did: counts, the sampler's notes, and the student's validation."""

    round: int  #: from 1; round 0 is the student before training
    slates: int  #: how many were drawn
    answered: int  #: how many judgments they brought
    fresh: int  #: how many of these no earlier round had
    replaced: int  #: how many are about a spare slate, since the first brought no answer
    loss: float | None  #: mean over the steps
    validation: Estimate  #: in percent; the best round's student sits the exam
    notes: JSON = field(default_factory=dict)  #: what the sampler noted: table, row, column

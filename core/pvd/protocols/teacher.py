"""Teachers rank slates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from pvd import contents
from pvd.errors import BadInput
from pvd.isolation import calling, checks
from pvd.protocols.component import Component
from pvd.records import Forecast, Item, Persona, Ranking, Reply, Request, Slate, Tokens


@dataclass(frozen=True)
class Capabilities:
    """What a teacher can do, for checks before anything is asked."""

    batch: int = 1  #: requests that one `answer` call may carry
    workers: int = 1  #: `answer` calls that may run at once, each in a thread of its own
    paid: bool = False  #: an answer costs money
    caches: bool = False  #: what questions begin with is remembered: pictures first, then the rest
    simulated: bool = False  #: the preferences are made up; every output says so
    local: bool = False  #: it computes on this machine, which has room for one of it
    person: bool = False  #: somebody sits there: answers take as long as they take
    reads: frozenset[str] = frozenset()  #: attributes that each persona must have: "tastes"
    yields: frozenset[str] = frozenset()  #: what its rankings carry beside the order: "utilities"


class Teacher(Component):
    """Ranks slates. Override `rank` for a simple teacher; `request`, `answer` and `read` for one
    whose raw replies are worth keeping, so that parsing them again costs nothing.
    """

    capabilities: ClassVar[Capabilities] = Capabilities()  #: what it can do
    keys: ClassVar[tuple[str, ...]] = ()  #: environment variables; the first that is set is its key
    seed: int = 0  #: the run's `teacher` or `judge` stream; core sets it before `__enter__`
    store_folder: Path | None = None  #: where the store is; core sets it before `connect`

    def __enter__(self) -> Self:
        """Itself, when the run begins; called without network or key, also for a plan alone."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The run ends, whatever for: let go of clients and weights."""
        return None

    def check(self, personas: Sequence[Persona], items: Sequence[Item]) -> None:
        """Raise BadInput if these cannot be ranked; called before anything is asked or drawn."""

    def connect(self) -> Sequence[str]:
        """Get ready to answer: package, key, client, weights. Called once, before the first
        question that is not in the store; the lines that it returns are shown to the user."""
        return ()

    def rank(self, slates: Sequence[Slate]) -> Sequence[Ranking]:
        """One ranking a slate, in order. Enough for a simple teacher; at most
        `capabilities.batch` slates come at once."""
        raise TypeError(
            f"{type(self).__name__} answers nothing; "
            "define rank(slates), or request, answer and read."
        )

    def request(self, slate: Slate) -> Request:
        """Everything that the answer depends on. The default: class, options, what is in the
        files that options name, seed, texts, pictures. A file of `-p` is a module named after its
        digest: edited, it is asked anew."""
        body = {
            "teacher": [self.label, type(self).__module__, type(self).__qualname__],
            "options": {k: contents.plain(v) for k, v in self.options().items()},
            "seed": self.seed,
            "persona": [slate.persona.text, dict(slate.persona.attributes)],
            "items": [[i.title, dict(i.attributes), i.digest] for i in slate.items],
            "repeat": slate.repeat,
        }
        if files := self._files():
            body["files"] = files
        return Request(slate, body)

    def _files(self) -> dict[str, str]:
        """The SHA-256 of each file among the options. Nobody knows whether the teacher reads such
        a file once or for each slate: BadInput if it is another one than at the first question."""
        options = self.options()
        now = contents.digests(options)
        before: dict[str, str] = vars(self).setdefault("_files_at_first", now)
        if now != before:
            name = next(n for n in {**before, **now} if before.get(n) != now.get(n))
            raise BadInput(
                f"The file {dict(contents.paths(options))[name]} changed while the teacher "
                f"{self.label} was asked with it ({name}); give the same command again, or make "
                "the teacher anew."
            )
        return now

    def expect(self, questions: int, stored: int) -> None:
        """So many questions are asked now, of which the store has so many answers already."""

    def answer(self, requests: Sequence[Request]) -> Sequence[Reply]:
        """One reply a request, in order: one call. Raise `pvd.kit.Busy` to be called again later,
        `Lost` if it may have been charged, `Rejected` if the provider cannot take this request,
        and `ProviderFailure` to stop the run."""
        with calling(self, "rank"):
            found = self.rank([request.slate for request in requests])
            rankings = checks.rankings(self, requests, found)
            return [Reply(ranking.as_text(), model=self.label) for ranking in rankings]

    def kept(self, digests: Sequence[str]) -> None:
        """The store has the answers to these requests; only now nothing can lose them."""

    def hurry(self) -> None:
        """The asking ends, whatever for: calls under way are waited for, and had better come back
        soon. Called from another thread than `answer`. Busy for what is not answered costs nothing.
        """

    def read(self, request: Request, reply: Reply) -> Ranking:
        """The ranking in a raw reply. Raise `pvd.kit.Malformed` to be asked in another order, and
        `Refused` if the model will not answer."""
        return Ranking.from_text(reply.text)

    def estimate(self, slate: Slate) -> Forecast:
        """The tokens that one slate will cost; needed of a teacher that is `paid`."""
        return Forecast()

    def dollars(self, tokens: Tokens, batch: bool = False) -> float | None:
        """What so many tokens cost, asked directly or in a batch; None if nobody knows."""
        return 0.0

    def prices(self) -> str:
        """Where its prices come from, and of which day they are: one line for the plan."""
        return ""

    def utilities(self, persona: Persona, items: Sequence[Item]) -> Sequence[float] | None:
        """The noise-free utility of each item, higher is better, if this teacher knows it; for
        evaluation only."""
        return None


class BatchTeacher(Teacher):
    """A teacher whose provider also takes many questions at once, for less money and in its own
    time, up to a day. Core divides the questions, keeps the tickets, and matches the answers.
    """

    batch_requests: ClassVar[int]  #: questions that one submission may hold
    batch_bytes: ClassVar[int]  #: and their lines together

    @abstractmethod
    def line(self, request: Request) -> bytes:
        """One question as a line of a submission, with `request.digest` as its id there."""

    @abstractmethod
    def submit(self, name: str, lines: Path) -> str:
        """Hand in a file of lines; a ticket that finds the submission again from any process.
        `name` is ours for it. Raise Busy to be called again if nothing was submitted for sure, and
        Lost if nobody knows: then it is looked for."""

    @abstractmethod
    def find(self, name: str, since: datetime, count: int, known: Set[str]) -> str | None:
        """The ticket of a submission of this name, or at least of so many questions since then,
        whose ticket never arrived; None if there is none. `known` are those that did arrive."""

    @abstractmethod
    def collect(self, ticket: str) -> Iterable[tuple[str, Reply | str]] | None:
        """The answers by digest, in any order; text is why there is none. None: not yet. A reply
        without tokens was not counted, and is put at the high estimate. Raise BatchFailed if the
        provider gave all of it up, Gone if it knows no such submission."""

    @abstractmethod
    def discard(self, ticket: str) -> None:
        """Delete what the provider still holds of it; what is gone already is no error."""


@dataclass(frozen=True)
class Question:
    """What a composite teacher wants to know: an inner teacher and the slate for it."""

    teacher: Teacher  #: one of `CompositeTeacher.inner()`
    slate: Slate  #: what it is asked, in the order shown


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
            local=any(part.local for part in parts),
            simulated=any(part.simulated for part in parts),
            person=any(part.person for part in parts),
            reads=frozenset().union(*(part.reads for part in parts)),
        )

    def check(self, personas: Sequence[Persona], items: Sequence[Item]) -> None:
        """Raise BadInput if one of those inside cannot rank these."""
        for teacher in self.inner():
            teacher.check(personas, items)

    def inner(self) -> Sequence[Teacher]:
        """The teachers among the options; core seeds and opens them."""
        found: list[Teacher] = []
        for value in self.options().values():
            members = value if isinstance(value, tuple) else (value,)
            found += [member for member in members if isinstance(member, Teacher)]
        return found

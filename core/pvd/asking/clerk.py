"""The clerk: who sees that every answer is asked once, kept, counted and paid within the limits.
What lasts for a whole run is here; `sending` and `submitting` have the questions of one asking.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from pvd.asking.pacing import Pace
from pvd.asking.questions import Questions
from pvd.errors import ProviderFailure
from pvd.isolation import checks
from pvd.money.amounts import money
from pvd.money.budget import Budget
from pvd.progress import Progress, Silent
from pvd.protocols import Teacher
from pvd.records import Reply, Request, Tokens, digest_of
from pvd.settings import AskSettings
from pvd.store import LEASE_SECONDS, Store
from pvd.store.database import Unwritable

# To whom each answer is handed as it comes: the places of its slates, the request, and the reply
# with its date, or why the provider did not take the request.
Answer = tuple[Reply, str] | str
Take = Callable[[Sequence[int], Request, Answer], None]
T = TypeVar("T")

RETRY = 1.0  # seconds between tries to write into a store that takes nothing
SHOW = 0.2  # seconds after which what was spent is shown again
ACCOUNT = 2.0  # seconds after which what was spent is written down again
DAY = 86400.0  # seconds for which nobody else may ask what a person is asked
HOPELESS = 20  # rejected calls one after another, after which the others are not tried


@dataclass
class Usage:
    """What this invocation did."""

    calls: int = 0
    asked: int = 0
    batched: int = 0  # of those asked: in a batch
    cached: int = 0
    retries: int = 0  # calls made again, since the provider was busy
    repaired: dict[str, int] = field(default_factory=dict)  # slates shown again, by what was wrong
    tidied: dict[str, int] = field(default_factory=dict)  # what was overlooked in replies, by kind
    refused: int = 0  # slates that the model would not answer
    rejected: int = 0  # slates that the provider would not take
    failed: int = 0  # slates without an answer in the end, whatever the reason
    lost: int = 0  # calls that may have been charged, though no answer came back
    tokens: Tokens = field(default_factory=Tokens)
    dollars: float = 0.0
    unpriced: int = 0  # answers whose price nobody knows
    seconds_asking: float = 0.0


class Clerk:
    """Between the teachers, the store and the budget of one run."""

    def __init__(
        self,
        store: Store,
        settings: AskSettings,
        progress: Progress | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.store: Store = store
        self.settings: AskSettings = settings
        self.progress: Progress = progress or Silent()
        self.budget: Budget = budget or Budget(store, uuid.uuid4().hex)
        self.usage: Usage = Usage()
        self.account: Callable[[], None] = lambda: None  # writes down what was spent so far
        self.elsewhere: int = 0  # questions that other processes were asking at the last look
        self._accounted = self._shown = 0.0
        self._full_since: float | None = None
        self._made_way = False  # what was held for answers under way is given up for them
        self._expected: list[Teacher] = []
        self._connected: set[int] = set()
        self._said: set[str] = set()
        self._models: dict[str, str] = {}  # by the teacher as it was set up: the model returned
        self._paces: dict[str, Pace] = {}  # teacher and judge may be one, and share its limits
        self._rejected = 0
        self._begun: float | None = None  # when the asking under way began

    # --- readiness --------------------------------------------------------------------------

    def expect(self, teacher: Teacher) -> None:
        """This teacher may be asked: it gets ready with the first question that must be sent to
        anybody, so that a missing key is found before another teacher is paid."""
        self._expected.append(teacher)

    def connect_all(self, teacher: Teacher) -> None:
        """Let everybody get ready who may be asked: this one is asked now."""
        for one in (*self._expected, teacher):
            self.connect(one)

    def connect(self, teacher: Teacher) -> None:
        """Let the teacher get ready, once."""
        if id(teacher) not in self._connected:
            teacher.store_folder = self.store.path.parent
            for line in checks.lines(teacher, teacher.connect()):
                # Teacher and judge may have the same to say. Who waits for a person must be told
                # where, however quiet the rest shall be.
                self.say_once(line, needed=teacher.capabilities.person)
            self._connected.add(id(teacher))

    def say_once(self, line: str, needed: bool = False) -> None:
        """Show a line, unless it was shown before."""
        if line not in self._said:
            (self.progress.insist if needed else self.progress.say)(line)
        self._said.add(line)

    def pace(self, teacher: Teacher) -> Pace:
        """How fast this teacher may be asked, as far as it is known."""
        key = setup_of(teacher)
        if key not in self._paces:
            most = self.settings.workers or teacher.capabilities.workers
            self._paces[key] = Pace(most, self.settings)
        return self._paces[key]

    # --- answers ----------------------------------------------------------------------------

    def look_up(
        self, questions: Questions, digests: Sequence[str], take: Take, waited: bool = False
    ) -> list[str]:
        """Hand over what the store has; the digests that it has not. `waited`: others were asking
        for it meanwhile, so that it took its time."""
        here = self.store.get(digests)
        self.usage.cached += len(here)
        for digest, (reply, date) in here.items():
            self.same_model(questions.teacher, reply.model)
            take(questions.places(digest), questions[digest], (reply, date))
        (self.progress.advance if waited else self.progress.find)(len(here))
        return [digest for digest in digests if digest not in here]

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While this lasts, the time counts as spent on asking."""
        self._begun = time.monotonic()
        try:
            yield
        finally:
            self.usage.seconds_asking += time.monotonic() - self._begun
            self._begun = None

    def check_deadline(self) -> None:
        """Nothing is sent after the deadline; what is under way then is kept."""
        deadline = self.settings.deadline
        now = time.monotonic() - (self._begun or time.monotonic())
        if deadline is not None and self.usage.seconds_asking + now > deadline:
            raise ProviderFailure(
                f"Asking took longer than ask.deadline allows ({deadline:g} s); the same command "
                "goes on from here."
            )

    def claim(self, teacher: Teacher, aside: Mapping[str, float], room: int) -> set[str] | None:
        """Lease questions, put the money aside, and hold room on the disk for the answers that will
        be under way, `room` at most; those that no other process asks. None while the store takes
        nothing: answers under way are kept meanwhile, and no more are asked for."""
        # A busy provider may keep a call waiting for as long as the patience lasts.
        seconds = LEASE_SECONDS + self.settings.patience
        if teacher.capabilities.person:
            seconds = max(seconds, DAY)  # else another process would show it to the same person
        try:
            self.store.hold_room(room)
            mine = self.store.claim(aside, seconds, self.budget.run)
        except Unwritable as error:
            self._be_patient(error)
            return None
        self._full_since, self._made_way = None, False
        return mine

    def claim_again(self, aside: Mapping[str, float]) -> None:
        """Put as much aside once more for questions that are leased already."""
        seconds = LEASE_SECONDS + self.settings.patience
        self.patiently(lambda: self.store.again(aside, seconds, self.budget.run))

    def patiently(self, write: Callable[[], T]) -> T:
        """Write into the store what was asked already, if need be into the room that was held for
        it. While it takes nothing, answers that may have cost money wait in memory for room to be
        made, `ask.patience` seconds in all."""
        while True:
            try:
                done = write()
            except Unwritable as error:
                if not error.is_held and self.store.make_way():
                    self._made_way = True
                else:
                    self._be_patient(error)
                    time.sleep(RETRY)
            else:
                if not self._made_way:  # else whether there is other room, the next claim finds
                    self._full_since = None
                return done

    def leave(self) -> None:
        """Nothing is under way any more: no room need be held, and nobody is waited for."""
        self.store.make_way()
        self._made_way = False
        self.elsewhere = 0

    def _be_patient(self, error: Unwritable) -> None:
        """Say once that the store takes nothing; raise it when `ask.patience` is over."""
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
            self.progress.say(f"{error} Waiting for {self.settings.patience:g} s.")
        if now + RETRY > self._full_since + self.settings.patience:
            raise error

    def keep(
        self,
        questions: Questions,
        answered: Sequence[tuple[Request, Reply]],
        take: Take,
        aside: Mapping[str, float],
        batch: bool = False,
    ) -> None:
        """Store answers, count them, and hand them over. `aside` has what was put aside for each,
        where that is known."""
        teacher = questions.teacher
        date = self.patiently(lambda: self.store.put(teacher.label, answered))
        kept = {request.digest: (reply, date) for request, reply in answered}
        # What the store kept counts: another process may have been first.
        kept |= self.store.get(request.digest for request, _ in answered)
        for request, reply in answered:
            self._count(teacher, reply, aside.get(request.digest, 0.0), batch)
        teacher.kept([request.digest for request, _ in answered])
        for request, _ in answered:
            take(questions.places(request.digest), request, kept[request.digest])
        self._rejected = 0
        self.progress.advance(len(answered))
        if time.monotonic() > self._shown + SHOW:
            self._shown = time.monotonic()
            self.progress.show(self.status())
        if self.usage.dollars and time.monotonic() > self._accounted + ACCOUNT:
            self._accounted = time.monotonic()
            self.account()

    def _count(self, teacher: Teacher, reply: Reply, aside: float, batch: bool) -> None:
        usage = self.usage
        usage.asked += 1
        usage.batched += batch
        usage.tokens += reply.tokens
        if reply.dollars is None:
            usage.unpriced += 1
            return
        usage.dollars += reply.dollars
        if self.budget.settled(aside, reply.dollars):
            self.say_once(
                f"{teacher.label} counts more tokens than was thought, {reply.tokens.input:,} of "
                "input for a question: from now on more is put aside for each."
            )

    def reject(
        self, questions: Questions, requests: Sequence[Request], why: str, take: Take
    ) -> None:
        """The provider does not take these requests: no reply, nothing to pay, nothing to keep."""
        digests = [request.digest for request in requests]
        self.patiently(lambda: self.store.release(digests))
        for request in requests:
            take(questions.places(request.digest), request, why)
        self.progress.advance(len(requests))
        self._rejected += 1
        if self._rejected == HOPELESS:
            raise ProviderFailure(
                f"{questions.teacher.label} rejected {HOPELESS} calls one after another, the last "
                f"since {why}; mend the teacher's options, then give the same command again."
            )

    def same_model(self, teacher: Teacher, model: str) -> None:
        """Raise ProviderFailure if another model answers than before under the same settings."""
        first = self._models.setdefault(setup_of(teacher), model)
        if model != first and not self.settings.accept_model_change:
            raise ProviderFailure(
                f"{teacher.label} answered as {first!r} before and as {model!r} now; give "
                "--accept-model-change to go on with both, or name another --store and --out."
            )

    def status(self) -> str:
        """Spending and trouble so far, for whoever watches."""
        usage, most = self.usage, self.budget.max_cost
        parts = []
        if usage.dollars or most is not None:
            spent = self.budget.spent.dollars
            parts.append(f"{money(spent)} spent" + (f" of {money(most)}" if most else ""))
        if usage.retries:
            parts.append(f"{usage.retries} retries")
        if repaired := sum(usage.repaired.values()):
            parts.append(f"{100 * repaired / max(usage.asked, 1):.1f} % unreadable")
        if self.elsewhere:
            parts.append(f"another process asks {self.elsewhere:,}")
        return ", ".join(parts)


def setup_of(teacher: Teacher) -> str:
    """A teacher as it was set up: two servers may serve different models under one name."""
    return digest_of([teacher.label, {k: str(v) for k, v in teacher.options().items()}])

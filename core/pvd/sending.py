"""Sending: requests go out, replies come back. Threads, retry, leases, budget and patience are
here, once for all teachers.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from pvd.errors import BudgetReached, Interrupted, PluginError, ProviderFailure
from pvd.failures import Busy, Rejected
from pvd.progress import Progress, Silent
from pvd.protocols import Teacher
from pvd.records import Reply, Request, Tokens, digest_of
from pvd.settings import AskSettings
from pvd.store import LEASE_SECONDS, Store, Unwritable

# By request digest: the reply with its date, or why the provider did not take the request.
Answers = dict[str, "tuple[Reply, str] | str"]
Running = dict[Future[Sequence[Reply]], list[Request]]  # the calls under way
T = TypeVar("T")

LONGEST_PAUSE = 60.0
POLL = 0.2  # seconds between looks for an answer that another process is getting
RETRY = 1.0  # seconds between tries to write into a store that takes nothing
ACCOUNT = 2.0  # seconds after which what was spent is written down again
HOPELESS = 20  # rejected calls one after another, after which the others are not tried


@dataclass
class Usage:
    """What this invocation did."""

    calls: int = 0
    asked: int = 0
    cached: int = 0
    repaired: int = 0  # replies that could not be read, so that the slate was shown again
    tidied: dict[str, int] = field(default_factory=dict)  # what was overlooked in replies, by kind
    refused: int = 0  # slates that the model would not answer
    rejected: int = 0  # slates that the provider would not take
    failed: int = 0  # slates without an answer in the end, whatever the reason
    tokens: Tokens = field(default_factory=Tokens)
    dollars: float = 0.0


class Post:
    """The way to the teachers and back, by the store."""

    def __init__(
        self,
        store: Store,
        settings: AskSettings,
        progress: Progress | None = None,
        max_cost: float | None = None,
        spent: float = 0.0,
    ) -> None:
        self.store, self.settings = store, settings
        self.progress = progress or Silent()
        self.usage = Usage()
        self._left = None if max_cost is None else max_cost - spent
        self._full_since: float | None = None
        self.account: Callable[[], None] = lambda: None  # writes down what was spent so far
        self._accounted = 0.0
        self._expected: list[Teacher] = []
        self._connected: set[int] = set()
        self._said: set[str] = set()
        self._models: dict[str, str] = {}  # by the teacher as it was set up: the model returned
        self._rejected = 0
        self._seconds = 0.0  # spent on asking, other work left out

    def expect(self, teacher: Teacher) -> None:
        """This teacher may be asked: it gets ready with the first question that must be sent to
        anybody, so that a missing key is found before another teacher is paid."""
        self._expected.append(teacher)

    def connect(self, teacher: Teacher) -> None:
        """Let the teacher get ready, once."""
        if id(teacher) not in self._connected:
            for line in teacher.connect():
                if line not in self._said:  # teacher and judge may have the same to say
                    self.progress.say(line)
                self._said.add(line)
            self._connected.add(id(teacher))

    def answers(self, teacher: Teacher, requests: Sequence[Request]) -> Answers:
        """The reply to each request, from the store or from the teacher; or why there is none."""
        distinct = {request.digest: request for request in requests}
        here = self.store.get(distinct)
        self.usage.cached += len(here)
        self.progress.advance(len(here))
        for reply, _ in here.values():
            self.same_model(teacher, reply.model)
        answers: Answers = dict(here)
        missing = [request for digest, request in distinct.items() if digest not in answers]
        if missing:
            for one in (*self._expected, teacher):
                self.connect(one)
        start = time.monotonic()
        while missing:
            elsewhere = self._send(teacher, missing, answers)
            if elsewhere:
                # Another process is asking these; take its answers, or its turn if it dies.
                time.sleep(POLL)
                theirs = self.store.get(request.digest for request in elsewhere)
                self.usage.cached += len(theirs)
                self.progress.advance(len(theirs))
                for reply, _ in theirs.values():
                    self.same_model(teacher, reply.model)
                answers |= theirs
            missing = [request for request in elsewhere if request.digest not in answers]
            self._check_deadline(time.monotonic() - start)
        self._seconds += time.monotonic() - start
        return answers

    def _send(
        self, teacher: Teacher, requests: Sequence[Request], answers: Answers
    ) -> list[Request]:
        """Ask what no other process is asking, and keep each answer as it comes; the rest."""
        able = teacher.capabilities
        workers = self.settings.workers or able.workers
        calls = deque(
            requests[start : start + able.batch] for start in range(0, len(requests), able.batch)
        )
        running: Running = {}
        elsewhere: list[Request] = []
        stopping, start = threading.Event(), time.monotonic()
        pool = ThreadPoolExecutor(workers)
        try:
            while calls or running:
                while calls and len(running) < workers:
                    if running and not self._affords(teacher, calls[0]):
                        break  # what is under way may turn out cheaper than reserved
                    self._check_deadline(time.monotonic() - start)
                    call = calls.popleft()
                    mine = self._claim(call)
                    elsewhere += [r for r in call if r.digest not in mine]
                    if todo := [r for r in call if r.digest in mine]:
                        self._reserve(teacher, todo)
                        future: Future[Sequence[Reply]] = Future()
                        # Before it is sent: an interrupt between the two must not lose the answer.
                        running[future] = todo
                        pool.submit(_fulfil, future, partial(self._call, teacher, todo, stopping))
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    done = running[future]
                    if isinstance(why := future.exception(), Rejected):
                        self._note(teacher, done, why, answers)
                    else:
                        self._keep(teacher, done, future.result(), answers)
                    del running[future]
                    # Only now: a change stops the run, but loses none of the answers under way.
                    for answer in (answers[request.digest] for request in done):
                        if not isinstance(answer, str):
                            self.same_model(teacher, answer[0].model)
        except BaseException as error:
            stopping.set()
            self._drain(teacher, running, answers, isinstance(error, KeyboardInterrupt))
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(
                    "Stopped; all answers are kept, the same command goes on from here."
                ) from None
            raise
        finally:
            pool.shutdown(wait=False)  # nothing is under way, or it was given up
        return elsewhere

    def _drain(
        self, teacher: Teacher, running: Running, answers: Answers, interrupted: bool
    ) -> None:
        """What is under way is paid for: wait for it and keep it. Who interrupts that too means
        it."""
        under_way = sum(not (future.cancel() or future.done()) for future in running)
        if interrupted and under_way:
            self.progress.say(
                f"Stopping; calls under way: {under_way}. Their answers are kept when they come "
                "(Ctrl-C again gives them up)."
            )
        try:
            for future, todo in running.items():
                if not future.cancelled() and future.exception() is None:
                    self._keep(teacher, todo, future.result(), answers)
                else:
                    self.store.release(request.digest for request in todo)
        except KeyboardInterrupt:
            raise Interrupted(
                f"Stopped at once; calls given up: {under_way}. The same command goes on from here."
            ) from None

    def _check_deadline(self, seconds: float) -> None:
        """Nothing is sent after the deadline; what is under way then is kept."""
        deadline = self.settings.deadline
        if deadline is not None and self._seconds + seconds > deadline:
            raise ProviderFailure(
                f"Asking took longer than ask.deadline allows ({deadline:g} s); the same command "
                "goes on from here."
            )

    def _claim(self, call: Sequence[Request]) -> set[str]:
        # A busy provider may keep a call waiting for as long as the patience lasts.
        seconds = LEASE_SECONDS + self.settings.patience
        digests = [request.digest for request in call]
        return self._patiently(lambda: self.store.claim(digests, seconds))

    def _patiently(self, write: Callable[[], T]) -> T:
        """Write into the store. While it takes nothing, answers that may have cost money wait in
        memory for room to be made, `ask.patience` seconds in all."""
        while True:
            try:
                done = write()
            except Unwritable as error:
                now = time.monotonic()
                if self._full_since is None:
                    self._full_since = now
                    self.progress.say(f"{error} Waiting for {self.settings.patience:g} s.")
                if now + RETRY > self._full_since + self.settings.patience:
                    raise
                time.sleep(RETRY)
            else:
                self._full_since = None
                return done

    def _affords(self, teacher: Teacher, requests: Sequence[Request]) -> bool:
        if self._left is None or not teacher.capabilities.paid:
            return True
        return _high(teacher, requests) <= self._left

    def _reserve(self, teacher: Teacher, requests: Sequence[Request]) -> None:
        if self._left is None or not teacher.capabilities.paid:
            return
        high = _high(teacher, requests)
        if high > self._left:
            self.store.release(request.digest for request in requests)
            raise BudgetReached(
                f"The next call may cost ${high:.4f}, but only ${max(self._left, 0):.4f} is left; "
                "the same command with a higher --max-cost goes on from here."
            )
        self._left -= high

    def _keep(
        self,
        teacher: Teacher,
        requests: Sequence[Request],
        replies: Sequence[Reply],
        answers: Answers,
    ) -> None:
        answered = list(zip(requests, replies, strict=True))
        self._patiently(lambda: self.store.put(teacher.label, answered))
        # What the store kept counts: another process may have been first.
        kept = self.store.get(request.digest for request in requests)
        answers |= kept
        for request, reply in zip(requests, replies, strict=True):
            self.usage.tokens += reply.tokens
            self.usage.dollars += reply.dollars
            if self._left is not None and teacher.capabilities.paid:
                # The reservation was the high estimate; now the true price is known.
                self._left += teacher.dollars(teacher.estimate(request.slate)) - reply.dollars
        self.usage.calls += 1
        self.usage.asked += len(requests)
        self.progress.advance(len(requests))
        self._rejected = 0
        if self.usage.dollars and time.monotonic() > self._accounted + ACCOUNT:
            self._accounted = time.monotonic()
            self.account()

    def _note(
        self, teacher: Teacher, requests: Sequence[Request], why: Rejected, answers: Answers
    ) -> None:
        """The provider does not take these requests: no reply, nothing to pay, nothing to keep."""
        self.store.release(request.digest for request in requests)
        self.usage.calls += 1
        if self._left is not None and teacher.capabilities.paid:
            self._left += _high(teacher, requests)
        answers |= dict.fromkeys((request.digest for request in requests), str(why))
        self.progress.advance(len(requests))
        self._rejected += 1
        if self._rejected == HOPELESS:
            raise ProviderFailure(
                f"{teacher.label} rejected {HOPELESS} calls one after another, the last since "
                f"{why}; mend the teacher's options, then give the same command again."
            )

    def same_model(self, teacher: Teacher, model: str) -> None:
        """Raise ProviderFailure if another model answers than before under the same settings."""
        first = self._models.setdefault(_setup(teacher), model)
        if model != first and not self.settings.accept_model_change:
            raise ProviderFailure(
                f"{teacher.label} answered as {first!r} before and as {model!r} now; give "
                "--accept-model-change to go on with both, or name another --store and --out."
            )

    def _call(
        self, teacher: Teacher, requests: Sequence[Request], stopping: threading.Event
    ) -> Sequence[Reply]:
        """One call in a worker thread, again with growing random pauses while the provider is
        busy (full jitter: the pauses of many workers must not fall together)."""
        deadline = time.monotonic() + self.settings.patience
        for number in range(self.settings.retries + 1):
            try:
                replies = teacher.answer(requests)
            except Busy as busy:
                # Also those who were told how long to wait must not all come back together.
                pause = random.Random().uniform(0, min(2.0**number, LONGEST_PAUSE))
                pause += busy.after or 0.0
                late = time.monotonic() + pause > deadline
                if number == self.settings.retries or late or _waited(stopping, pause):
                    raise ProviderFailure(
                        f"{teacher.label} stayed busy through {number + 1} calls ({busy}); "
                        "the same command goes on from here later."
                    ) from None
            else:
                if len(replies) != len(requests):
                    raise PluginError(
                        f"{teacher.label} answered {len(requests)} requests with {len(replies)} "
                        "replies; answer() must return one reply a request."
                    )
                return replies
        raise AssertionError("the loop ends by returning or raising")


def _fulfil(future: Future[T], work: Callable[[], T]) -> None:
    """Do the work, unless it was cancelled before."""
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)


def _waited(stopping: threading.Event, seconds: float) -> bool:
    """Wait so long; whether the wait was cut short because the run stops."""
    return stopping.wait(seconds)


def _setup(teacher: Teacher) -> str:
    """A teacher as it was set up: two servers may serve different models under one name."""
    return digest_of([teacher.label, {k: str(v) for k, v in teacher.options().items()}])


def _high(teacher: Teacher, requests: Sequence[Request]) -> float:
    return sum(teacher.dollars(teacher.estimate(request.slate)) for request in requests)

"""Asking: slates go out, judgments come back. Threads, retry, store and budget are here, once."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from pvd.errors import (
    BadInput,
    BudgetReached,
    Interrupted,
    PluginError,
    ProviderFailure,
)
from pvd.kit import Busy, Malformed
from pvd.progress import Progress, Silent
from pvd.protocols import CompositeTeacher, Teacher
from pvd.records import Judgment, Reply, Request, Slate, Tokens, digest_of
from pvd.settings import AskSettings
from pvd.store import LEASE_SECONDS, Store, Unwritable
from pvd.streams import derive

Show = Callable[[int, int], Slate]  # (number of the question, attempt) -> the slate in that order
Answers = dict[str, tuple[Reply, str]]  # by request digest, each with its date
Running = dict[Future[Sequence[Reply]], list[Request]]  # the calls under way
T = TypeVar("T")

LONGEST_PAUSE = 60.0
POLL = 0.2  # seconds between looks for an answer that another process is getting
RETRY = 1.0  # seconds between tries to write into a store that takes nothing


@dataclass
class Usage:
    """What this invocation did."""

    calls: int = 0
    asked: int = 0
    cached: int = 0
    repaired: int = 0  # replies that could not be read, so that the slate was shown again
    failed: int = 0  # slates that no order brought an answer for
    tokens: Tokens = field(default_factory=Tokens)
    dollars: float = 0.0


@contextmanager
def opened(teacher: Teacher, seed: int) -> Iterator[Teacher]:
    """The teacher, and those inside it, each with a seed of its own, ready to answer."""
    with ExitStack() as stack:
        if isinstance(teacher, CompositeTeacher):
            for number, inner in enumerate(teacher.inner()):
                stack.enter_context(opened(inner, derive(seed, number)))
        teacher.seed = seed
        yield stack.enter_context(teacher)


class Desk:
    """Where questions are asked: the store, the limits, and the count of what was used."""

    def __init__(
        self,
        store: Store,
        settings: AskSettings | None = None,
        progress: Progress | None = None,
        max_cost: float | None = None,
        spent: float = 0.0,
    ) -> None:
        self.store = store
        self.settings = settings or AskSettings()
        self.progress = progress or Silent()
        self.usage = Usage()
        self._left = None if max_cost is None else max_cost - spent
        self._full_since: float | None = None

    def judgments(self, teacher: Teacher, count: int, show: Show) -> list[Judgment | None]:
        """The judgments of `count` questions in their order; None where every attempt failed.

        A reply that cannot be read is kept, and the slate is shown once more in another order.
        """
        found: list[Judgment | None] = [None] * count
        pending = list(range(count))
        for attempt in range(self.settings.attempts):
            if not pending:
                break
            self.usage.repaired += len(pending) if attempt else 0
            slates = [show(number, attempt) for number in pending]
            for number, judgment in zip(pending, self._ask(teacher, slates), strict=True):
                found[number] = judgment
            pending = [number for number in pending if found[number] is None]
        self.usage.failed += len(pending)
        return found

    def _ask(self, teacher: Teacher, slates: Sequence[Slate]) -> list[Judgment | None]:
        if isinstance(teacher, CompositeTeacher):
            return self._ask_inner(teacher, slates)
        requests = [teacher.request(slate) for slate in slates]
        answers = self._answers(teacher, requests)
        return [_read(teacher, request, *answers[request.digest]) for request in requests]

    def _ask_inner(
        self, teacher: CompositeTeacher, slates: Sequence[Slate]
    ) -> list[Judgment | None]:
        asked = [teacher.questions(slate) for slate in slates]
        answered: dict[tuple[int, int], Judgment | None] = {}
        for inner in {id(q.teacher): q.teacher for questions in asked for q in questions}.values():
            places = [
                (row, column)
                for row, questions in enumerate(asked)
                for column, question in enumerate(questions)
                if question.teacher is inner
            ]
            part = self._ask(inner, [asked[row][column].slate for row, column in places])
            answered |= dict(zip(places, part, strict=True))
        found: list[Judgment | None] = []
        for row, (slate, questions) in enumerate(zip(slates, asked, strict=True)):
            parts = [answered[row, column] for column in range(len(questions))]
            whole = [part for part in parts if part is not None]
            found.append(_combined(teacher, slate, whole) if len(whole) == len(parts) else None)
        return found

    def _answers(self, teacher: Teacher, requests: Sequence[Request]) -> Answers:
        distinct = {request.digest: request for request in requests}
        answers = self.store.get(distinct)
        self.usage.cached += len(answers)
        self.progress.advance(len(answers))
        missing = [request for digest, request in distinct.items() if digest not in answers]
        while missing:
            elsewhere = self._send(teacher, missing, answers)
            if elsewhere:
                # Another process is asking these; take its answers, or its turn if it dies.
                time.sleep(POLL)
                theirs = self.store.get(request.digest for request in elsewhere)
                self.usage.cached += len(theirs)
                self.progress.advance(len(theirs))
                answers |= theirs
            missing = [request for request in elsewhere if request.digest not in answers]
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
        stopping = threading.Event()
        pool = ThreadPoolExecutor(workers)
        try:
            while calls or running:
                while calls and len(running) < workers:
                    if running and not self._affords(teacher, calls[0]):
                        break  # what is under way may turn out cheaper than reserved
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
                    self._keep(teacher, running[future], future.result(), answers)
                    del running[future]
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
        answers |= self.store.get(request.digest for request in requests)
        for request, reply in zip(requests, replies, strict=True):
            self.usage.tokens += reply.tokens
            self.usage.dollars += reply.dollars
            if self._left is not None and teacher.capabilities.paid:
                # The reservation was the high estimate; now the true price is known.
                self._left += teacher.dollars(teacher.estimate(request.slate)) - reply.dollars
        self.usage.calls += 1
        self.usage.asked += len(requests)
        self.progress.advance(len(requests))

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
                pause = random.Random().uniform(0, min(2.0**number, LONGEST_PAUSE))
                pause = max(pause, busy.after or 0.0)
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


def _high(teacher: Teacher, requests: Sequence[Request]) -> float:
    return sum(teacher.dollars(teacher.estimate(request.slate)) for request in requests)


def _read(teacher: Teacher, request: Request, reply: Reply, date: str) -> Judgment | None:
    try:
        ranking = teacher.read(request, reply).check(len(request.slate.items))
    except (Malformed, BadInput):
        return None
    return Judgment(request.slate, ranking, request.digest, reply, teacher.label, date)


def _combined(teacher: CompositeTeacher, slate: Slate, parts: Sequence[Judgment]) -> Judgment:
    ranking = teacher.combine(slate, [part.ranking for part in parts]).check(len(slate.items))
    reply = Reply(
        text="",
        model=", ".join(sorted({part.reply.model for part in parts})),
        tokens=sum((part.reply.tokens for part in parts), Tokens()),
        dollars=sum(part.reply.dollars for part in parts),
    )
    key = digest_of([teacher.label, [part.digest for part in parts]])
    return Judgment(slate, ranking, key, reply, teacher.label, max(part.date for part in parts))

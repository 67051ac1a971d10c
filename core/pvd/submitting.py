"""Submitting: many questions at once, answered by the provider in its own time, up to a day.

A submission outlives its process: its questions and its ticket are in the store, and whoever meets
one of them collects it. A process can die after the provider took a submission and before the
ticket is kept: the store knows of it before it is made, and the next command looks for it there.
"""

from __future__ import annotations

import random
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pvd.clerk import Clerk, Take
from pvd.errors import Interrupted, ProviderFailure, PvdError
from pvd.failures import Busy, Lost, Rejected
from pvd.owners import is_dead
from pvd.pacing import LONGEST_PAUSE
from pvd.protocols import BatchTeacher
from pvd.questions import Questions
from pvd.records import Reply, Request
from pvd.store import Batch

CHUNK = 500  # questions claimed, and answers kept, in one commit
FIRST_LOOK = 1.0  # seconds after which a batch is looked at; then twice as long, up to ask.poll


def submit(
    clerk: Clerk,
    teacher: BatchTeacher,
    questions: Questions,
    digests: Sequence[str],
    take: Take,
    batch: bool,
) -> list[str]:
    """Hand in the questions that nobody did (if `batch`), wait for those that somebody did, and
    take their answers; the questions that still have none."""
    submitting = _Submitting(clerk, teacher, questions, take)
    try:
        return submitting.run(list(digests), batch)
    except KeyboardInterrupt:
        left = sum(map(bool, clerk.store.submitted(digests).values()))
        raise Interrupted(
            f"Stopped; questions in batches, which the provider answers meanwhile: {left:,}. The "
            "same command collects them."
        ) from None


class _Submitting:
    """The submissions of one asking."""

    def __init__(
        self, clerk: Clerk, teacher: BatchTeacher, questions: Questions, take: Take
    ) -> None:
        self._clerk, self._teacher, self._questions, self._take = clerk, teacher, questions, take
        self._store = clerk.store
        self._pause = min(FIRST_LOOK, clerk.settings.poll)
        self._taken: set[str] = set()

    def run(self, digests: Sequence[str], batch: bool) -> list[str]:
        """Until no submission holds any of them; those that have no answer then."""
        known = self._store.submitted(digests)
        rest = [digest for digest in digests if batch and digest not in known]  # never handed in
        while True:
            lost = self._find_lost(self._there(digests))
            rest = self._hand_in([*rest, *lost] if batch else rest)
            there = self._there(digests)
            if not there:
                break
            if not self._collect_all(there):
                self._wait(len(there))
        if rest:  # nothing is under way that could turn out cheaper than was put aside
            self._clerk.budget.check([self._aside(rest[0])])
        left = [digest for digest in digests if digest not in self._taken]
        return self._clerk.look_up(self._questions, left, self._take)

    def _there(self, digests: Sequence[str]) -> dict[str, str]:
        """Which of them are in submissions under way, and in which."""
        there = self._store.submitted(digests)
        return {digest: name for digest, name in there.items() if name}

    def _wait(self, count: int) -> None:
        self._clerk.check_deadline()
        self._clerk.progress.show(f"{count:,} in batches")
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, self._clerk.settings.poll)

    # --- handing in -------------------------------------------------------------------------

    def _aside(self, digest: str) -> float:
        return self._clerk.budget.aside(self._teacher, self._questions[digest], batch=True)

    def _hand_in(self, digests: Sequence[str]) -> list[str]:
        """Submit what there is money for; the rest. What another process asks is left to it."""
        rest: list[str] = []
        with ExitStack() as stack:
            shard = stack.enter_context(_Shard(self._teacher))
            for start in range(0, len(digests), CHUNK):
                some = digests[start : start + CHUNK]
                aside = {digest: self._aside(digest) for digest in some}
                paid = some[: self._clerk.budget.affordable(list(aside.values()))]
                mine = self._clerk.claim({digest: aside[digest] for digest in paid})
                for digest in (digest for digest in paid if digest in mine):
                    line = self._teacher.line(self._questions[digest])
                    if not shard.takes(line):
                        self._submit(shard)
                        shard = stack.enter_context(_Shard(self._teacher))
                    shard.add(digest, line)
                if len(paid) < len(some):
                    rest = list(digests[start + len(paid) :])
                    break
            self._submit(shard)
        return rest

    def _submit(self, shard: _Shard) -> None:
        """Hand in one file, if it has a question."""
        if not shard.digests:
            return
        name = f"pvd-{uuid.uuid4().hex}"
        self._store.begin_batch(name, self._teacher.label, shard.digests)
        try:
            self._store.set_ticket(name, self._ticket(name, shard))
        except (Rejected, PvdError) as error:
            self._store.end_batch(name)
            if isinstance(error, PvdError):
                raise
            raise ProviderFailure(
                f"{self._teacher.label} takes no batch ({error}); give the same command without "
                "--batch."
            ) from None
        except BaseException as error:
            self._store.disown(name)  # it may have arrived: the next command looks for it
            if isinstance(error, Lost):
                raise ProviderFailure(str(error)) from None
            raise
        self._clerk.usage.calls += 1
        self._pause = min(FIRST_LOOK, self._clerk.settings.poll)
        self._clerk.say_once(
            f"{self._teacher.label} answers batches within a day. Who does not want to wait may "
            "press Ctrl-C: the same command collects them."
        )

    def _find(self, name: str, since: datetime, size: int) -> str | None:
        known = {one.ticket for one in self._store.batches() if one.ticket}
        return self._teacher.find(name, since, size, known)

    def _ticket(self, name: str, shard: _Shard) -> str:
        """Submit, again while the provider is busy; never again what may have arrived."""
        settings, since = self._clerk.settings, datetime.now(UTC)
        lost = False
        for tries in range(settings.retries + 1):
            try:
                if lost and (found := self._find(name, since, len(shard.digests))):
                    return found
                return self._teacher.submit(name, shard.path)
            except Busy as busy:
                lost = lost or isinstance(busy, Lost)
                why = str(busy)
            self._clerk.usage.retries += 1
            time.sleep(random.Random().uniform(0, min(2.0**tries, LONGEST_PAUSE)))
        said = (
            f"{self._teacher.label} took no batch in {settings.retries + 1} calls ({why}); the "
            "same command goes on from here later."
        )
        raise Lost(said) if lost else ProviderFailure(said)

    # --- finding and collecting -------------------------------------------------------------

    def _find_lost(self, there: Mapping[str, str]) -> list[str]:
        """Look for submissions whose process died before it had the ticket; the questions of those
        that never arrived, and so can be handed in again."""
        never: list[str] = []
        for one in self._store.batches():
            if one.ticket or one.name not in there.values() or not is_dead(one.owner):
                continue
            try:
                ticket = self._find(one.name, one.begun, one.size)
            except Busy:
                continue  # it is looked for again with the next look
            age = (datetime.now(UTC) - one.begun).total_seconds()
            if ticket:
                self._store.set_ticket(one.name, ticket)
            elif age > self._clerk.settings.poll:  # else it may still be arriving
                self._store.end_batch(one.name)
                never += [digest for digest, name in there.items() if name == one.name]
        return never

    def _collect_all(self, there: Mapping[str, str]) -> bool:
        """Collect what has ended; whether anything had."""
        ended = False
        for one in self._store.batches():
            wanted = {digest for digest, name in there.items() if name == one.name}
            if wanted and one.ticket and self._collect(one, one.ticket, wanted):
                ended = True
        return ended

    def _collect(self, one: Batch, ticket: str, wanted: set[str]) -> bool:
        answered: list[tuple[Request, Reply]] = []
        left = set(wanted)
        try:
            found = self._teacher.collect(ticket)
            for digest, answer in found or ():
                if digest in left and isinstance(answer, Reply):
                    left.discard(digest)
                    answered.append((self._questions[digest], answer))
                if len(answered) == CHUNK:
                    self._keep(answered)
        except Busy:  # what was kept stays, the rest comes with the next look
            self._keep(answered)
            return False
        except (Rejected, ProviderFailure) as error:  # it failed as a whole
            self._discard(one, ticket)
            raise ProviderFailure(f"A batch of {self._teacher.label} failed: {error}") from None
        if found is None:
            return False
        self._keep(answered)
        self._store.fail(left)
        if self._store.is_collected(one.name):  # else the rest of it is another run's to collect
            self._discard(one, ticket)
        return True

    def _keep(self, answered: list[tuple[Request, Reply]]) -> None:
        """Store them, and empty the list."""
        self._clerk.keep(self._questions, answered, self._take, batch=True)
        self._taken |= {request.digest for request, _ in answered}
        models = {reply.model for _, reply in answered}
        answered.clear()
        for model in models:
            self._clerk.same_model(self._teacher, model)

    def _discard(self, one: Batch, ticket: str) -> None:
        try:
            self._teacher.discard(ticket)
        except (Busy, Rejected, ProviderFailure) as error:
            self._clerk.progress.say(f"Files of a batch stay at the provider: {error}")
        self._store.end_batch(one.name)


class _Shard:
    """One file of lines, within what a submission may hold."""

    def __init__(self, teacher: BatchTeacher) -> None:
        self.digests: list[str] = []
        self._teacher, self._bytes = teacher, 0

    def __enter__(self) -> Self:
        self._file = tempfile.NamedTemporaryFile(prefix="pvd-batch-", suffix=".jsonl")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def path(self) -> Path:
        """The file, with everything that was added."""
        self._file.flush()
        return Path(self._file.name)

    def takes(self, line: bytes) -> bool:
        """Whether it has room for another line."""
        teacher = self._teacher
        room = self._bytes + len(line) + 1 <= teacher.batch_bytes
        return not self.digests or (room and len(self.digests) < teacher.batch_requests)

    def add(self, digest: str, line: bytes) -> None:
        """One question more."""
        self._file.write(line + b"\n")
        self._bytes += len(line) + 1
        self.digests.append(digest)

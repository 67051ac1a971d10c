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
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pvd.asking.clerk import Clerk, Take
from pvd.asking.collecting import GRACE, Collecting
from pvd.asking.pacing import LONGEST_PAUSE
from pvd.asking.questions import Questions
from pvd.errors import BadInput, Interrupted, PluginError, ProviderFailure, PvdError
from pvd.failures import Busy, Lost, Rejected
from pvd.protocols import BatchTeacher

FIRST_LOOK = 1.0  # seconds after which a batch is looked at; then twice as long, up to ask.poll
SHORTEST = 0.05  # seconds between two looks, whatever ask.poll says
LOOKS = 12  # at a provider while a submission may still be arriving


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
        self._collecting = Collecting(clerk, teacher, questions, take)
        self._pause = FIRST_LOOK

    def run(self, digests: Sequence[str], batch: bool) -> list[str]:
        """Until no submission holds any of them; those that have no answer then."""
        self._collecting.end_orphans()
        known = self._store.submitted(digests)
        rest = [digest for digest in digests if batch and digest not in known]  # never handed in
        while True:
            lost = self._collecting.find_lost(self._collecting.there(digests))
            rest = self._hand_in([*rest, *lost] if batch else rest)
            there = self._collecting.there(digests)
            if not there:
                break
            if not self._collecting.collect_all(there):
                self._wait(len(there))
        if rest:  # nothing is under way that could turn out cheaper than was put aside
            self._clerk.budget.check([self._aside(rest[0])])
        left = [digest for digest in digests if digest not in self._collecting.taken]
        return self._clerk.look_up(self._questions, left, self._take, waited=True)

    def _wait(self, count: int) -> None:
        self._clerk.check_deadline()
        status = f"{count:,} in batches, looked at every {self._clerk.settings.poll:g} s"
        self._clerk.progress.show(", ".join(filter(None, [self._clerk.status(), status])))
        most = max(self._clerk.settings.poll, SHORTEST)
        time.sleep(min(self._pause, most))
        self._pause = min(2 * self._pause, most)

    # --- handing in -------------------------------------------------------------------------

    def _aside(self, digest: str) -> float:
        forecast = self._teacher.estimate(self._questions[digest].slate)
        return self._clerk.budget.aside(self._teacher, forecast, batch=True)

    def _hand_in(self, digests: Sequence[str]) -> list[str]:
        """Submit what there is money for; the rest."""
        left = deque(digests)
        while left:
            try:
                with _Shard(self._teacher) as shard:
                    name = f"pvd-{uuid.uuid4().hex}"
                    with self._clerk.budget.reserving():
                        self._fill(shard, left)
                        if not shard.aside:
                            break
                        mine = self._begin(name, shard)
                    self._submit(name, shard, mine)
            except OSError as error:
                raise BadInput(
                    f"There is no room for the file of a batch in {tempfile.gettempdir()} "
                    f"({error.strerror}); make some, or set TMPDIR to another folder."
                ) from None
        return list(left)

    def _fill(self, shard: _Shard, left: deque[str]) -> None:
        """Move questions into the shard while it has room and there is money for them."""
        room = self._clerk.budget.room
        while left:
            aside = self._aside(left[0])
            room = room.without(aside)
            line = self._teacher.line(self._questions[left[0]])
            if room.is_passed or not shard.takes(line):
                return
            shard.add(left.popleft(), aside, line)

    def _begin(self, name: str, shard: _Shard) -> set[str]:
        """Put the money aside; the questions that no other process is asking."""
        run, label = self._clerk.budget.run, self._teacher.label
        return self._clerk.patiently(lambda: self._store.begin_batch(name, label, shard.aside, run))

    def _submit(self, name: str, shard: _Shard, mine: set[str]) -> None:
        """Hand in one file, of those questions alone."""
        label = self._teacher.label
        # From here on whatever happens, the store knows of it; a Store that is closed leaves it to
        # the next command to find out whether it arrived.
        try:
            if len(mine) < len(shard.aside):
                shard.keep(mine, self._questions)
            if mine:
                ticket = self._ticket(name, shard)
        except PluginError:  # the plug-in failed, perhaps after it was taken: it is looked for
            raise
        except (Rejected, PvdError) as error:
            self._clerk.patiently(lambda: self._store.end_batch(name))
            if isinstance(error, PvdError):
                raise
            raise ProviderFailure(
                f"{label} takes no batch ({error}); give the same command without --batch."
            ) from None
        except Lost as error:
            raise ProviderFailure(str(error)) from None
        if not mine:
            self._clerk.patiently(lambda: self._store.end_batch(name))
            return
        self._clerk.patiently(lambda: self._store.set_ticket(name, ticket))
        self._clerk.usage.calls += 1
        self._pause = FIRST_LOOK
        self._clerk.say_once(
            f"{label} answers batches within a day. Who does not want to wait may press Ctrl-C: "
            "the same command collects them."
        )

    def _ticket(self, name: str, shard: _Shard) -> str:
        """Submit, again while the provider is busy. What may have arrived is only looked for."""
        settings, since = self._clerk.settings, datetime.now(UTC)
        for tries in range(settings.retries + 1):
            try:
                return self._teacher.submit(name, shard.path)
            except Lost as why:
                return self._look_for(name, since, len(shard.aside), why)
            except Busy as busy:
                last = busy
            self._clerk.usage.retries += 1
            jitter = random.Random().uniform(0, min(2.0**tries, LONGEST_PAUSE))
            pause = jitter + (last.after or 0.0)
            if pause > settings.patience:
                break
            time.sleep(pause)
        raise ProviderFailure(
            f"{self._teacher.label} took no batch in {tries + 1} calls ({last}); the same command "
            "goes on from here later."
        )

    def _look_for(self, name: str, since: datetime, size: int, why: Lost) -> str:
        """The ticket of a submission that may have arrived; Lost if that does not become clear."""
        for _ in range(LOOKS):
            with suppress(Busy, Rejected, ProviderFailure):  # it may answer the next look
                if found := self._collecting.find(name, since, size):
                    return found
            time.sleep(GRACE / LOOKS)
        raise Lost(
            f"{self._teacher.label} may have taken a batch, but did not say so ({why}); the same "
            "command looks for it, and goes on."
        )


class _Shard:
    """One file of lines, within what a submission may hold."""

    def __init__(self, teacher: BatchTeacher) -> None:
        self.aside: dict[str, float] = {}  # dollars, by digest
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
        """Whether it has room for another line; the first one is always taken."""
        teacher = self._teacher
        room = self._bytes + len(line) + 1 <= teacher.batch_bytes
        return not self.aside or (room and len(self.aside) < teacher.batch_requests)

    def add(self, digest: str, aside: float, line: bytes) -> None:
        """One question more."""
        self._file.write(line + b"\n")
        self._bytes += len(line) + 1
        self.aside[digest] = aside

    def keep(self, digests: set[str], questions: Questions) -> None:
        """Only these."""
        aside, self.aside, self._bytes = self.aside, {}, 0
        self._file.seek(0)
        self._file.truncate()
        for digest in (digest for digest in aside if digest in digests):
            self.add(digest, aside[digest], self._teacher.line(questions[digest]))

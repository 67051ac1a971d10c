"""Collecting: what a provider has answered of the submissions under way, whoever handed them in.

Tickets and questions of submissions are in the store. Those whose ticket never arrived, since their
process died, are looked for at the provider; those that failed, or are somebody else's, are told
from those that are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime

from pvd.asking.clerk import Clerk, Take
from pvd.asking.questions import Questions
from pvd.errors import PluginError, ProviderFailure
from pvd.failures import BatchFailed, Busy, Gone, Rejected
from pvd.isolation import answers
from pvd.protocols import BatchTeacher
from pvd.records import Reply, Request, Tokens
from pvd.store import Batch
from pvd.store.owners import is_dead

CHUNK = 500  # answers kept in one commit
GRACE = 60.0  # seconds in which a submission may still be arriving
HOUR = 3600.0  # no submission takes longer than that to be handed in
KEPT = 2 * 86400.0  # seconds for which every provider knows a submission


class Collecting:
    """For the questions of one asking."""

    def __init__(
        self, clerk: Clerk, teacher: BatchTeacher, questions: Questions, take: Take
    ) -> None:
        self._clerk, self._teacher, self._questions, self._take = clerk, teacher, questions, take
        self._store = clerk.store
        self.taken: set[str] = set()  # questions whose answers were handed over
        self._strangers: set[str] = set()  # tickets that were found, and are not ours

    def there(self, digests: Sequence[str]) -> dict[str, str]:
        """Which of them are in submissions under way, and in which."""
        there = self._store.submitted(digests)
        return {digest: name for digest, name in there.items() if name}

    def find(self, name: str, since: datetime, size: int) -> str | None:
        """The ticket of a submission whose ticket never arrived, if the provider has it."""
        known = {one.ticket for one in self._store.batches() if one.ticket} | self._strangers
        return self._teacher.find(name, since, size, known)

    def find_lost(self, there: Mapping[str, str]) -> list[str]:
        """Look for submissions whose process died before it had the ticket; the questions of those
        that never arrived, and so can be handed in again."""
        never: list[str] = []
        for one in self._store.batches():
            age = (datetime.now(UTC) - one.begun).total_seconds()
            # A process of another machine may be gone too: no submission takes an hour.
            if (
                one.ticket
                or one.name not in there.values()
                or not (is_dead(one.owner) or age > HOUR)
            ):
                continue
            try:
                ticket = self.find(one.name, one.begun, one.size)
            except Busy:
                continue  # it is looked for again with the next look
            except Rejected as error:
                raise ProviderFailure(
                    f"{self._teacher.label} does not say which batches it has ({error}); the same "
                    "command goes on from here later."
                ) from None
            if ticket:
                self._store.set_ticket(one.name, ticket)
            elif age > GRACE:  # else it may still be arriving
                self._store.end_batch(one.name)
                never += [digest for digest, name in there.items() if name == one.name]
        return never

    def end_orphans(self) -> None:
        """What was collected by a process that died before it could clear away."""
        for one in self._store.batches():
            mine = one.teacher == self._teacher.label
            if mine and one.ticket and self._store.is_collected(one.name):
                self._discard(one, one.ticket)

    def collect_all(self, there: Mapping[str, str]) -> bool:
        """Collect what has ended; whether anything had."""
        ended = False
        for one in self._store.batches():
            wanted = {digest for digest, name in there.items() if name == one.name}
            if wanted and one.ticket and self._collect(one, one.ticket, wanted):
                ended = True
        return ended

    def _collect(self, one: Batch, ticket: str, wanted: set[str]) -> bool:
        """Keep what a submission brought, and clear it away; False if it has not ended."""
        try:
            found = self._teacher.collect(ticket)
            if found is None:
                return False
            seen, models = self._keep_all(found, wanted)
        except Busy:  # what was kept stays, the rest comes with the next look
            return False
        except BatchFailed as error:
            self._discard(one, ticket)
            raise ProviderFailure(
                f"A batch of {self._teacher.label} failed ({error}); the same command hands its "
                "questions in again, or asks them directly without --batch."
            ) from None
        except Gone:
            return self._give_up(one, wanted)
        except Rejected as error:
            raise ProviderFailure(
                f"{self._teacher.label} does not give a batch out ({error}); the same command "
                "asks for it again."
            ) from None
        if not seen and wanted:
            # Found by its size, where the provider keeps no names: it is somebody else's.
            self._strangers.add(ticket)
            self._store.set_ticket(one.name, None)
            self._store.disown(one.name)
            return True
        left = self._left(one, wanted)
        self._clerk.patiently(lambda: self._store.fail(left))
        if self._store.is_collected(one.name):  # else the rest of it is another run's to collect
            self._discard(one, ticket)
        # Only now: a change stops the run, but loses none of the answers.
        for model in models:
            self._clerk.same_model(self._teacher, model)
        return True

    def _keep_all(
        self, found: Iterable[tuple[str, Reply | str]], wanted: set[str]
    ) -> tuple[bool, dict[str, None]]:
        """Store the answers as they come; whether any line was about what is wanted, and the models
        that answered. A reply that cannot be kept stays at the provider, for a plug-in that is
        mended; the others are kept before it is said."""
        seen, models, left = False, dict[str, None](), set(wanted)
        answered: list[tuple[Request, Reply]] = []
        wrong: PluginError | None = None

        def keep() -> None:
            some = answered.copy()
            answered.clear()  # also if it fails: these must not be counted twice
            if some:
                self._clerk.keep(self._questions, some, self._take, {}, batch=True)
                self.taken.update(request.digest for request, _ in some)

        try:
            for one in found:
                try:
                    digest, answer = answers.collected(self._teacher, one)
                except PluginError as error:
                    wrong = wrong or error
                    continue
                seen = seen or digest in self._questions
                if digest not in left:
                    continue
                left.discard(digest)
                if isinstance(answer, Reply):
                    models[answer.model] = None
                    request = self._questions[digest]
                    answered.append((request, self._reckoned(request, answer)))
                if len(answered) == CHUNK:
                    keep()
        finally:
            keep()
        if wrong is not None:
            raise wrong
        return seen, models

    def _reckoned(self, request: Request, reply: Reply) -> Reply:
        """A reply whose tokens nobody counted is put at the high estimate: unknown is not free."""
        if reply.tokens != Tokens():
            return reply
        high = self._teacher.estimate(request.slate).high
        return replace(reply, tokens=high, dollars=self._teacher.dollars(high, batch=True))

    def _left(self, one: Batch, wanted: Set[str]) -> list[str]:
        """What of these still waits for its answer in this submission."""
        return [digest for digest, name in self.there(list(wanted)).items() if name == one.name]

    def _give_up(self, one: Batch, wanted: set[str]) -> bool:
        """The provider knows no such submission. Another process may have collected it; else its
        answers are lost, or belong to another key."""
        left = self._left(one, wanted)
        if not left:
            return True
        age = (datetime.now(UTC) - one.begun).total_seconds()
        if age < KEPT:
            raise ProviderFailure(
                f"{self._teacher.label} knows nothing of the batch that was handed in on "
                f"{one.begun:%Y-%m-%d %H:%M} UTC; use the key that it was handed in with. Its "
                "questions are given up, and asked again, two days after that."
            )
        self._store.fail(left)
        if self._store.is_collected(one.name):
            self._store.end_batch(one.name)
        return True

    def _discard(self, one: Batch, ticket: str) -> None:
        try:
            self._teacher.discard(ticket)
        except (Busy, Rejected, ProviderFailure, PluginError) as error:
            self._clerk.progress.say(f"Files of a batch stay at the provider: {error}")
        self._clerk.patiently(lambda: self._store.end_batch(one.name))

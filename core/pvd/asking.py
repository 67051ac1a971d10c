"""Asking: slates go out, judgments come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from pvd.errors import BadInput
from pvd.failures import Malformed, Refused
from pvd.progress import Progress
from pvd.protocols import CompositeTeacher, Teacher
from pvd.records import Judgment, Reply, Slate, Tokens, digest_of
from pvd.sending import Post, Usage
from pvd.settings import AskSettings
from pvd.store import Store
from pvd.streams import derive

Show = Callable[[int, int], Slate]  # (number of the question, attempt) -> the slate in that order

AGAIN = 1_000_000  # added to a question's repeat number for each further attempt


@dataclass(frozen=True)
class Failed:
    """No judgment of a slate: why, and whether another order of it could bring one."""

    why: str
    again: bool


Outcome = Judgment | Failed


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
    """Where questions are asked, and what they came to is counted."""

    def __init__(
        self,
        store: Store,
        settings: AskSettings | None = None,
        progress: Progress | None = None,
        max_cost: float | None = None,
        spent: float = 0.0,
    ) -> None:
        self.settings = settings or AskSettings()
        self.post = Post(store, self.settings, progress, max_cost, spent)
        self.last_failure = ""

    @property
    def usage(self) -> Usage:
        """What this invocation did so far."""
        return self.post.usage

    def prepare(self, teacher: Teacher) -> None:
        """Find a missing key or package now, before pictures are prepared. Where the store has
        answers of this teacher, they may be all that is needed: then it is connected when somebody
        must be asked, so that a run can be repeated from the store alone."""
        if isinstance(teacher, CompositeTeacher):
            for inner in teacher.inner():
                self.prepare(inner)
            return
        self.post.expect(teacher)
        if not self.post.store.knows(teacher.label):
            self.post.connect(teacher)

    def remember(self, teacher: Teacher, judgments: Sequence[Judgment]) -> None:
        """These were made earlier in this run: another model must not go on with it unseen."""
        if not isinstance(teacher, CompositeTeacher):
            for model in {judgment.reply.model for judgment in judgments} - {""}:
                self.post.same_model(teacher, model)

    def judgments(self, teacher: Teacher, count: int, show: Show) -> list[Judgment | None]:
        """The judgments of `count` questions in their order; None where there is none.

        A reply that cannot be read is kept, and the slate is shown once more in another order; one
        that the model refuses, or the provider does not take, is given up.
        """
        found: list[Judgment | None] = [None] * count
        pending = list(range(count))
        for attempt in range(self.settings.attempts):
            if not pending:
                break
            self.usage.repaired += len(pending) if attempt else 0
            slates = [show(number, attempt) for number in pending]
            unread = []
            for number, outcome in zip(pending, self._ask(teacher, slates), strict=True):
                if isinstance(outcome, Failed):
                    self.last_failure = outcome.why
                    unread += [number] if outcome.again else []
                else:
                    found[number] = outcome
            pending = unread
        self.usage.failed += sum(judgment is None for judgment in found)
        return found

    def _ask(self, teacher: Teacher, slates: Sequence[Slate]) -> list[Outcome]:
        if isinstance(teacher, CompositeTeacher):
            return self._ask_inner(teacher, slates)
        requests = [teacher.request(slate) for slate in slates]
        answers = self.post.answers(teacher, requests)
        outcomes: list[Outcome] = []
        for request in requests:
            answer = answers[request.digest]
            if isinstance(answer, str):
                self.usage.rejected += 1
                outcomes.append(Failed(answer, again=False))
                continue
            reply, date = answer
            try:
                ranking = teacher.read(request, reply).check(len(request.slate.items))
            except (Malformed, BadInput) as error:
                outcomes.append(Failed(str(error), again=True))
            except Refused as error:
                self.usage.refused += 1
                outcomes.append(Failed(str(error), again=False))
            else:
                self._count(ranking.attributes.get("tidied", ()))
                outcomes.append(
                    Judgment(request.slate, ranking, request.digest, reply, teacher.label, date)
                )
        return outcomes

    def _count(self, tidied: Sequence[str]) -> None:
        self.usage.tidied = dict(Counter(self.usage.tidied) + Counter(tidied))

    def _ask_parts(self, inner: Teacher, slates: Sequence[Slate]) -> list[Outcome]:
        """The questions of a composite. Their order is part of what it asks, so that one that
        brought nothing is repeated instead of being shown in another order."""
        outcomes = self._ask(inner, slates)
        for attempt in range(1, self.settings.attempts):
            failed = [n for n, out in enumerate(outcomes) if isinstance(out, Failed) and out.again]
            again = [replace(slates[n], repeat=slates[n].repeat + AGAIN * attempt) for n in failed]
            self.usage.repaired += len(again)
            if again:
                for number, outcome in zip(failed, self._ask(inner, again), strict=True):
                    outcomes[number] = outcome
        return outcomes

    def _ask_inner(self, teacher: CompositeTeacher, slates: Sequence[Slate]) -> list[Outcome]:
        asked = [teacher.questions(slate) for slate in slates]
        answered: dict[tuple[int, int], Outcome] = {}
        for inner in {id(q.teacher): q.teacher for questions in asked for q in questions}.values():
            places = [
                (row, column)
                for row, questions in enumerate(asked)
                for column, question in enumerate(questions)
                if question.teacher is inner
            ]
            parts = self._ask_parts(inner, [asked[row][column].slate for row, column in places])
            answered |= dict(zip(places, parts, strict=True))
        outcomes: list[Outcome] = []
        for row, (slate, questions) in enumerate(zip(slates, asked, strict=True)):
            outcome = [answered[row, column] for column in range(len(questions))]
            failed = [part for part in outcome if isinstance(part, Failed)]
            whole = [part for part in outcome if isinstance(part, Judgment)]
            # What is given up for one part is given up for the slate.
            worst = min(failed, key=lambda part: part.again, default=None)
            outcomes.append(worst or _combined(teacher, slate, whole))
        return outcomes


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

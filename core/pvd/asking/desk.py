"""Asking: slates go out, judgments come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from pvd.asking.clerk import Answer, Usage
from pvd.asking.post import Post
from pvd.errors import BadInput, PluginError
from pvd.failures import Malformed, Refused
from pvd.isolation import calling, checks
from pvd.money.budget import Budget
from pvd.progress import Progress
from pvd.protocols import CompositeTeacher, Question, Teacher
from pvd.records import Judgment, Reply, Request, Slate, Tokens, added, digest_of
from pvd.settings import AskSettings
from pvd.store import Store
from pvd.streams import derive

Show = Callable[[int, int], Slate]  # (number of the question, attempt) -> the slate in that order

AGAIN = 1_000_000  # added to a question's repeat number for each further attempt


@dataclass(frozen=True)
class Failed:
    """No judgment of a slate: why, and what is wrong with the reply if another order of the slate
    could bring a better one."""

    why: str
    kind: str = ""

    @property
    def again(self) -> bool:
        """Whether it is worth showing again."""
        return bool(self.kind)


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
    """Where questions are asked, and what they came to is counted.

    `with Store(path) as store, opened(teacher, seed) as teacher:` a `Desk(store)` is ready; without
    a budget it spends what it is asked to.
    """

    settings: AskSettings  #: how it asks
    post: Post  #: what sends, and knows the store
    last_failure: str  #: why the last slate brought no judgment

    def __init__(
        self,
        store: Store,
        settings: AskSettings | None = None,
        progress: Progress | None = None,
        budget: Budget | None = None,
        post: Post | None = None,
    ) -> None:
        self.settings = settings or AskSettings()
        self.post = post or Post(store, self.settings, progress, budget)
        self.last_failure = ""

    @property
    def usage(self) -> Usage:
        """What this invocation did so far."""
        return self.post.usage

    @property
    def budget(self) -> Budget:
        """What the run may spend, and has spent."""
        return self.post.budget

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

    def judgments(
        self, teacher: Teacher, count: int, show: Show, direct: bool = False
    ) -> list[Judgment | None]:
        """The judgments of `count` questions in their order; None where there is none. The slate of
        a question comes from `show(number, attempt)`. `direct`: not in a batch, whatever the
        settings say.

        A reply that cannot be read is kept, and the slate is shown once more in another order; one
        that the model refuses, or the provider does not take, is given up.
        """
        found: list[Judgment | None] = [None] * count
        pending = list(range(count))
        for attempt in range(self.settings.attempts):
            if not pending:
                break
            slates = [show(number, attempt) for number in pending]
            unread = []
            self.post.progress.extend(len(pending) if attempt else 0)
            # Only the first time in a batch: a few that are asked again are not worth a day.
            batch = self.settings.batch and not (attempt or direct)
            outcomes = self._ask(teacher, slates, batch)
            for number, outcome in zip(pending, outcomes, strict=True):
                if isinstance(outcome, Failed):
                    self.last_failure = outcome.why
                    unread += [number] if outcome.again else []
                    self._note(outcome, attempt)
                else:
                    found[number] = outcome
            pending = unread
        self.usage.failed += sum(judgment is None for judgment in found)
        return found

    def _note(self, failed: Failed, attempt: int) -> None:
        if failed.again and attempt + 1 < self.settings.attempts:
            kinds = self.usage.repaired
            kinds[failed.kind] = kinds.get(failed.kind, 0) + 1

    def _ask(self, teacher: Teacher, slates: Sequence[Slate], batch: bool) -> list[Outcome]:
        if isinstance(teacher, CompositeTeacher):
            return self._ask_inner(teacher, slates, batch)
        outcomes: list[Outcome] = [Failed("it was never asked")] * len(slates)

        def take(places: Sequence[int], request: Request, answer: Answer) -> None:
            for place in places:
                outcomes[place] = self._read(teacher, request, slates[place], answer)

        self.post.answers(teacher, slates, take, batch)
        return outcomes

    def _read(self, teacher: Teacher, request: Request, slate: Slate, answer: Answer) -> Outcome:
        if isinstance(answer, str):
            self.usage.rejected += 1
            return Failed(answer)
        reply, date = answer
        try:
            with calling(teacher, "read"):
                ranking = teacher.read(request, reply)
                checks.check_type(teacher, "read", ranking)
                ranking.check(len(slate.items))
                tidied = tuple(ranking.attributes.get("tidied", ()))
        except PluginError:
            raise
        except Malformed as error:
            return Failed(str(error), error.kind)
        except BadInput as error:
            return Failed(str(error), "no ranking")
        except Refused as error:
            self.usage.refused += 1
            return Failed(str(error))
        self._count(tidied)
        return Judgment(slate, ranking, request.digest, reply, teacher.label, date)

    def _count(self, tidied: Sequence[str]) -> None:
        self.usage.tidied = dict(Counter(self.usage.tidied) + Counter(tidied))

    def _ask_parts(self, inner: Teacher, slates: Sequence[Slate], batch: bool) -> list[Outcome]:
        """The questions of a composite. Their order is part of what it asks, so that one that
        brought nothing is repeated instead of being shown in another order."""
        outcomes = self._ask(inner, slates, batch)
        for attempt in range(1, self.settings.attempts):
            failed = [(n, f) for n, f in enumerate(outcomes) if isinstance(f, Failed) and f.again]
            for _, unread in failed:
                self._note(unread, attempt - 1)
            again = [
                replace(slates[n], repeat=slates[n].repeat + AGAIN * attempt) for n, _ in failed
            ]
            if again:
                answered = self._ask(inner, again, batch=False)
                for (number, _), outcome in zip(failed, answered, strict=True):
                    outcomes[number] = outcome
        return outcomes

    def _ask_inner(
        self, teacher: CompositeTeacher, slates: Sequence[Slate], batch: bool
    ) -> list[Outcome]:
        asked = [checks.questions(teacher, teacher.questions(slate), Question) for slate in slates]
        answered: dict[tuple[int, int], Outcome] = {}
        for inner in {id(q.teacher): q.teacher for questions in asked for q in questions}.values():
            places = [
                (row, column)
                for row, questions in enumerate(asked)
                for column, question in enumerate(questions)
                if question.teacher is inner
            ]
            wanted = [asked[row][column].slate for row, column in places]
            parts = self._ask_parts(inner, wanted, batch)
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
    found = teacher.combine(slate, [part.ranking for part in parts])
    ranking = checks.fits(teacher, "combine", found, len(slate.items))
    reply = Reply(
        text="",
        model=", ".join(sorted({part.reply.model for part in parts})),
        tokens=sum((part.reply.tokens for part in parts), Tokens()),
        dollars=added(part.reply.dollars for part in parts),
    )
    key = digest_of([teacher.label, [part.digest for part in parts]])
    date = max(part.date for part in parts)
    inside = tuple(
        pair for part in parts for pair in part.parts or ((part.digest, part.reply.dollars),)
    )
    return Judgment(slate, ranking, key, reply, teacher.label, date, inside)

"""The contract of a teacher."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from pvd.errors import BadInput
from pvd.protocols import CompositeTeacher, Teacher
from pvd.records import Ranking, Reply, Request, Slate
from pvd.testing import changing, variants
from pvd.testing import options as own
from pvd.testing.answering import SEED, digest
from pvd.testing.contract import called, check
from pvd.testing.demands import require, skip
from pvd.testing.foretelling import Foretelling

# Persona and first item of questions, in no order that somebody would bring them into: by persona,
# from the first or the last, or each persona's together.
MIXED = ((1, 0), (0, 1), (1, 2), (2, 0))
TRIES = 8  # times that a question is asked once more before its answers count as always the same
VARIES = "its answers differ from one call to the next"


class TeacherContract(Foretelling):
    """A teacher answers each slate with a ranking that fits it, asks the same thing for the same
    slate and something else for another one, and reads whatever comes back.

    One that needs items or personas of its own says which: `items(self)`, `personas(self)`.
    """

    @check
    def test_answers(self) -> None:
        """answers slates of 2 and of 5 items with rankings that fit them"""
        teacher = self._asked()
        for size in (2, 5):
            for found in self._judgments(teacher, size):
                require(
                    found is not None,
                    f"no readable answer for a slate of {size} items; read() raises Malformed for "
                    "each, in every order",
                )
                ranking = found.ranking if found else Ranking(())
                require(
                    ranking.utilities is not None or "utilities" not in teacher.capabilities.yields,
                    "capabilities.yields promises utilities, and a ranking has none; make it by "
                    "Ranking.from_utilities, or promise none",
                )
                known = ranking.utilities or ()
                require(all(map(math.isfinite, known)), f"a ranking has the utilities {known}")

    @check
    def test_answers_in_order(self) -> None:
        """answers several questions of one call in their order"""
        teacher = self.component()
        if isinstance(teacher, CompositeTeacher) or teacher.capabilities.batch < 2:
            skip("it takes one question a call")
        self._asked(teacher)
        count = min(teacher.capabilities.batch, 4)
        people, shelf = self.personas(), self.items()
        with self.ready(teacher):
            requests = [
                teacher.request(Slate(people[person], tuple(shelf[first : first + 5])))
                for person, first in MIXED[:count]
            ]

            def ranked(calls: Sequence[Sequence[int]]) -> dict[int, Any]:
                """By the question, as it is answered in these calls."""
                found = {}
                for call in calls:
                    some = [requests[number] for number in call]
                    for number, reply in zip(call, self.replies(teacher, some), strict=True):
                        found[number] = teacher.read(requests[number], reply).tiers
                return found

            first: Sequence[Sequence[int]] = [range(count)]
            others: list[Sequence[Sequence[int]]] = [[[*range(1, count), 0]]]
            if count == 2:  # of more, one alone may be rounded otherwise by a model
                first, others = [[0], [1]], [[[0, 1]], [[1, 0]]]
            known = ranked(first)
            for calls in others:
                found = ranked(calls)
                if found != known and any(
                    (ranked(first), ranked(calls)) != (known, found) for _ in range(TRIES)
                ):
                    skip(VARIES)
                require(
                    found == known,
                    "answer() mixes up the questions of one call; return the replies in the order "
                    "of the requests, each to its own",
                )

    @check
    def test_repeats(self) -> None:
        """answers alike under one seed, if its preferences are made up"""
        teacher = self.component()
        if not teacher.capabilities.simulated:
            skip("capabilities.simulated is False: what answers may differ from call to call")
        self._asked(teacher)
        first, second = (
            [one.ranking if one else None for one in self._judgments(again, 5)]
            for again in (teacher, own.again(teacher))
        )
        require(
            first == second,
            "it ranks the same slates differently the second time; take what is drawn from "
            "pvd.kit.stream(self.seed, persona id, item ids, repeat)",
        )

    @check
    def test_request_repeats(self) -> None:
        """asks the same thing for the same slate"""
        teacher = self._fitting()
        if isinstance(teacher, CompositeTeacher):
            first, second = (_shown(teacher, self.slate()) for _ in range(2))
            require(
                first == second,
                "questions() asks other things each time, so nothing is ever found in the store; "
                "draw orders from pvd.kit.stream(self.seed, ...) and what the slate holds",
            )
            return
        key = digest(teacher, self.slate())
        for again in (teacher, own.again(teacher)):
            digest(again, self.slate(), known=key)

    @check
    def test_request_differs(self) -> None:
        """asks something else for another order, persona or repeat"""
        teacher, asked = self._fitting(), self.slate()
        if isinstance(teacher, CompositeTeacher):
            skip("it asks others, whose requests are checked")
        key = digest(teacher, asked)
        for other, what, where in (
            (Slate(asked.persona, asked.items[::-1]), "order of the items", "the items in order"),
            (self.slate(person=1), "persona", "slate.persona.text"),
            (self.slate(repeat=1), "repeat number", "slate.repeat"),
        ):
            require(
                digest(teacher, other) != key,
                f"the request's digest does not depend on the {what}, so that one answer would be "
                f"taken for another; put {where} into its body",
            )

    @check
    def test_request_covers_the_reply(self) -> None:
        """asks something else wherever the reply is another one"""
        teacher, asked = self._steady(), self.slate()
        with self.ready(teacher):
            key, first = digest(teacher, asked), self._said(teacher, asked)
            for what, other in variants.slates(asked):
                if self._is_refused(teacher, other):
                    continue
                if digest(teacher, other) == key:
                    _same(first, self._often(teacher, other, first), what)
        seeded = own.again(teacher)
        with self.ready(seeded, SEED + 1):
            if digest(seeded, asked) == key:
                _same(first, self._often(seeded, asked, first), "the seed")

    @check
    def test_request_covers_options(self) -> None:
        """asks something else wherever an option, or what is in its file, changes the reply"""
        teacher, asked = self._steady(), self.slate()
        known, seen = self._keyed(teacher, asked), set[str]()

        def replies(before: Teacher, change: Callable[[], Teacher]) -> tuple[str, set[str]]:
            """What was said, and what is said now under the same key."""
            key, first = known if before is teacher else self._keyed(before, asked)
            after = change()
            after.check(self.personas(), self.items())
            if digest(after, asked) != key:
                return first, {first}
            with self.ready(after):
                return first, self._often(after, asked, first)

        for change in changing.changes(teacher):
            if change.option in seen and not change.each:
                continue
            if found := changing.tried(change, replies):
                _same(*found, change.what)
                seen.add(change.option)
        changing.skip_if_left(teacher, seen)

    def _steady(self) -> Teacher:
        """The teacher, if it may be asked, and says the same again."""
        teacher = self.component()
        if isinstance(teacher, CompositeTeacher) or teacher.capabilities.person:
            skip("it asks others, or a person, who may change their mind")
        self._asked(teacher)
        with self.ready(teacher):
            if self._said(teacher, self.slate()) != self._said(teacher, self.slate()):
                skip(VARIES)
        return teacher

    def _keyed(self, teacher: Teacher, slate: Slate) -> tuple[str, str]:
        """The key of its answer, and the answer itself."""
        with self.ready(teacher):
            return digest(teacher, slate), self._said(teacher, slate)

    def _is_refused(self, teacher: Teacher, slate: Slate) -> bool:
        """Whether core would never ask about this slate."""
        size = len(slate.items)
        try:
            teacher.check(
                [slate.persona, *self.personas()[1:]], [*slate.items, *self.items()[size:]]
            )
        except Exception as error:  # another error is `test_check`'s
            return isinstance(error, BadInput)
        return False

    def _often(self, teacher: Teacher, slate: Slate, first: str) -> set[str]:
        """Its reply; all of them, if it is not the `first`: it may have said that by chance."""
        said = self._said(teacher, slate)
        more = () if said == first else (self._said(teacher, slate) for _ in range(TRIES))
        return {said, *more}

    @check
    def test_reads_again(self) -> None:
        """reads one raw reply the same way each time, before anything is connected, too"""
        teacher = self.component()
        if isinstance(teacher, CompositeTeacher):
            skip("it asks others, who read")
        self._asked(teacher)
        with self.ready(teacher):
            request = teacher.request(self.slate())
            (reply,) = self.replies(teacher, [request])
            first = teacher.read(request, reply)
            require(first == teacher.read(request, reply), "read() makes another ranking of it now")
        fresh = own.again(teacher)
        again = called("read() before connect()", fresh.read, fresh.request(self.slate()), reply)
        require(
            again == first,
            "another object with the same options reads another ranking from the same reply; "
            "read() may depend on request, reply and options alone",
        )

    @check
    def test_nonsense(self) -> None:
        """raises Malformed for a reply that is no ranking"""
        teacher, request = self._reader()
        for text in variants.NOTHING:
            found = variants.outcome(teacher, request, Reply(text))
            require(
                found is None,
                f"read() makes the ranking {found and found.tiers} of the reply {text[:40]!r}; "
                "raise pvd.kit.Malformed: a guess would be a made-up judgment",
            )
        for text in variants.NONSENSE:
            variants.outcome(teacher, request, Reply(text))

    @check
    def test_damaged_replies(self) -> None:
        """raises Malformed, or reads what fits, where its own reply is damaged"""
        teacher, request = self._reader()
        self._asked(teacher)
        with self.ready(teacher):
            (reply,) = self.replies(teacher, [request])
            for damaged in variants.replies(reply):
                variants.outcome(teacher, request, damaged)

    def _reader(self) -> tuple[Teacher, Request]:
        teacher = self._fitting()
        if type(teacher).read is Teacher.read or isinstance(teacher, CompositeTeacher):
            skip("it reads no raw reply of its own")
        return teacher, teacher.request(self.slate())


def _shown(teacher: CompositeTeacher, slate: Slate) -> list[list[str]]:
    return [[item.id for item in one.slate.items] for one in teacher.questions(slate)]


def _same(first: str, found: set[str], what: str) -> None:
    if len(found) > 1:
        skip(VARIES)
    require(
        found == {first},
        f"the reply changes with {what}, and the request's digest does not, so that the store "
        "would give the old answer; put it into the request's body",
    )

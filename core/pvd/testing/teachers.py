"""The contract of a teacher."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from pvd.asking import Desk, opened
from pvd.errors import ProviderFailure, PvdError
from pvd.failures import Busy
from pvd.protocols import BatchTeacher, Capabilities, CompositeTeacher, Question, Teacher
from pvd.records import Item, Judgment, Persona, Ranking, Reply, Request, Slate, Tokens
from pvd.settings import AskSettings
from pvd.store import Store
from pvd.testing import options as own
from pvd.testing import variants
from pvd.testing.contract import Contract, called, check, require, skip
from pvd.testing.material import items, personas

SEED = 7


class TeacherContract(Contract):
    """A teacher answers each slate with a ranking that fits it, asks the same thing for the same
    slate and something else for another one, and reads whatever comes back.

    One that needs personas or items of its own says which: `personas(self)`, `items(self)`.
    """

    kind: ClassVar[str] = "teacher"

    def component(self) -> Teacher:
        raise NotImplementedError(f"{type(self).__name__} must define component(self).")

    def personas(self) -> Sequence[Persona]:
        """Four personas or more that it can rank for."""
        return personas(4)

    def items(self) -> Sequence[Item]:
        """Seven items or more that it can rank."""
        return items(7)

    def slate(self, size: int = 5, person: int = 0, repeat: int = 0) -> Slate:
        """One question."""
        return Slate(self.personas()[person], tuple(self.items()[:size]), repeat)

    def use(self, component: Any) -> None:
        component.check(self.personas(), self.items())
        component.utilities(self.personas()[0], self.items())
        if isinstance(component, CompositeTeacher):
            component.questions(self.slate())
            return
        request = component.request(self.slate())
        component.estimate(self.slate())
        if not self._why_not(component):
            with self.ready(component):
                component.read(request, *self.replies(component, [request]))

    # --- asking -----------------------------------------------------------------------------

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
        teacher = self._asked()
        if isinstance(teacher, CompositeTeacher) or teacher.capabilities.batch < 2:
            skip("it takes one question a call")
        count = min(teacher.capabilities.batch, 4)
        with self.ready(teacher):
            requests = [teacher.request(self.slate(5, person)) for person in range(count)]

            def tiers(some: Sequence[Request]) -> list[Any]:
                pairs = zip(some, self.replies(teacher, some), strict=True)
                return [teacher.read(request, reply).tiers for request, reply in pairs]

            first = tiers(requests)
            if first != tiers(requests):
                skip("its answers differ from one call to the next")
            require(
                first == tiers(requests[::-1])[::-1],
                "answer() mixes up the questions of one call; return the replies in the order of "
                "the requests, each to its own",
            )

    @check
    def test_repeats(self) -> None:
        """answers alike under one seed, if its preferences are made up"""
        teacher = self._asked()
        if not teacher.capabilities.simulated:
            skip("capabilities.simulated is False: what answers may differ from call to call")
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
        teacher = self.component()
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
            require(
                digest(again, self.slate()) == key,
                "the request of the same slate has another digest each time, or in another object "
                "with the same options; no time, no id() and no hash() may be in its body",
            )

    @check
    def test_request_differs(self) -> None:
        """asks something else for another order, persona or repeat"""
        teacher, asked = self.component(), self.slate()
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
        teacher = self._asked()
        if isinstance(teacher, CompositeTeacher) or teacher.capabilities.person:
            skip("it asks others, or a person, who may change their mind")
        asked = self.slate()
        with self.ready(teacher):
            key, first = digest(teacher, asked), self._said(teacher, asked)
            if first != self._said(teacher, asked):
                skip("its answers differ from one call to the next")
            for what, other in variants.slates(asked):
                if digest(teacher, other) == key:
                    _same(first, self._said(teacher, other), what)
        for what, changed in variants.teachers(teacher, SEED + 1):
            if digest(changed, asked) == key:
                with self.ready(changed, changed.seed):
                    try:
                        second = self._said(changed, asked)
                    except Exception:  # no value for this option here
                        continue
                    _same(first, second, what)

    # --- reading ----------------------------------------------------------------------------

    @check
    def test_reads_again(self) -> None:
        """reads one raw reply the same way each time, before anything is connected, too"""
        teacher = self._asked()
        if isinstance(teacher, CompositeTeacher):
            skip("it asks others, who read")
        with self.ready(teacher):
            request = teacher.request(self.slate())
            (reply,) = self.replies(teacher, [request])
            first = teacher.read(request, reply)
            require(first == teacher.read(request, reply), "read() makes another ranking of it now")
        fresh = own.again(teacher)
        again = called(
            "read() before connect()", lambda: fresh.read(fresh.request(self.slate()), reply)
        )
        require(
            again == first,
            "another object with the same options reads another ranking from the same reply; read() "
            "may depend on request, reply and options alone",
        )

    @check
    def test_nonsense(self) -> None:
        """raises Malformed for a reply that is no ranking"""
        teacher = self.component()
        if type(teacher).read is Teacher.read or isinstance(teacher, CompositeTeacher):
            skip("it reads no raw reply of its own")
        request = teacher.request(self.slate())
        for text in variants.NOTHING:
            found = variants.outcome(teacher, request, Reply(text))
            require(
                found is None,
                f"read() makes the ranking {found and found.tiers} of the reply {text[:40]!r}; raise "
                "pvd.kit.Malformed: a guess would be a made-up judgment",
            )
        for text in variants.NONSENSE:
            variants.outcome(teacher, request, Reply(text))
        if not self._why_not(teacher):
            with self.ready(teacher):
                (reply,) = self.replies(teacher, [request])
            for other in variants.replies(reply):
                variants.outcome(teacher, request, other)

    # --- what it says beforehand ------------------------------------------------------------

    @check
    def test_capabilities(self) -> None:
        """says what it can do"""
        able = self.component().capabilities
        require(
            isinstance(able, Capabilities),
            f"capabilities is {able!r}; write capabilities = pvd.Capabilities(...)",
        )
        require(
            able.batch >= 1 and able.workers >= 1,
            f"capabilities has batch={able.batch} and workers={able.workers}; both are 1 or more",
        )
        require(
            able.yields <= {"utilities"},
            f"capabilities.yields has {sorted(able.yields)}; a ranking carries 'utilities' at most",
        )

    @check
    def test_check(self) -> None:
        """says of personas or items that it cannot rank what is wrong with them"""
        teacher = self.component()
        if not teacher.capabilities.reads - self.personas()[0].attributes.keys():
            called("check()", lambda: teacher.check(self.personas(), self.items()))
        # Core has seen to it that what is in `reads` is there; but it may be anything.
        poor = {name: "nonsense" for name in teacher.capabilities.reads}
        people = [Persona(f"persona-{n}", "Somebody.", poor) for n in range(3)]
        bare = [Item(item.id, item.image) for item in self.items()]
        try:
            called(
                "check() of personas whose attributes are nonsense, and items without any",
                lambda: teacher.check(people, bare),
            )
        except PvdError:
            return

    @check
    def test_forecast(self) -> None:
        """forecasts tokens, and what they cost if it costs money"""
        teacher = self.component()
        if isinstance(teacher, CompositeTeacher):
            skip("it asks others, whose forecasts count")
        seen = called("estimate()", lambda: teacher.estimate(self.slate()))
        low, expected, high = (one.counts() for one in (seen.low, seen.expected, seen.high))
        require(
            all(0 <= a <= b <= c for a, b, c in zip(low, expected, high, strict=True)),
            f"estimate() is not in order: low {low}, expected {expected}, high {high}",
        )
        if teacher.capabilities.paid:
            require(seen.high.input + seen.high.output > 0, "estimate() of a paid teacher is 0")
            for batch in {False, isinstance(teacher, BatchTeacher)}:
                price = called("dollars()", lambda batch=batch: teacher.dollars(seen.high, batch))
                require(
                    price is None or price > 0,
                    f"dollars() says {price} though capabilities.paid is True, so that no limit "
                    "would hold; define it, or return None where nobody knows",
                )
            require(
                (teacher.dollars(Tokens()) or 0.0) >= 0, "dollars() is below 0 for no tokens at all"
            )

    @check
    def test_utilities(self) -> None:
        """knows one finite utility an item, whatever their order, or none at all"""
        teacher, shelf = self.component(), list(self.items())
        known = teacher.utilities(self.personas()[0], shelf)
        if known is None:
            skip("it knows no utilities")
        require(
            len(known) == len(shelf) and all(map(math.isfinite, known)),
            f"utilities() returned {list(known)!r:.60} for {len(shelf)} items; return one finite "
            "number an item, or None",
        )
        turned = teacher.utilities(self.personas()[0], shelf[::-1]) or []
        require(
            all(map(math.isclose, known, list(turned)[::-1])),
            "an item's utility depends on where it stands in the list; it is what the item is worth "
            "to the persona",
        )

    # --- composites and batches -------------------------------------------------------------

    @check
    def test_questions(self) -> None:
        """asks the teachers among its options, if it is made of others"""
        teacher = self.component()
        if not isinstance(teacher, CompositeTeacher):
            skip("it is not made of others")
        asked = teacher.questions(self.slate())
        require(
            asked and all(isinstance(one, Question) for one in asked),
            f"questions() returned {asked!r:.60}; return a pvd.Question(teacher, slate) or more",
        )
        inner = {id(one) for one in teacher.inner()}
        require(
            all(id(one.teacher) in inner for one in asked),
            "questions() asks a teacher that is none of its options, which core neither opens nor "
            "seeds; declare it as an option of the type pvd.Teacher",
        )

    @check
    def test_combines(self) -> None:
        """makes one ranking of whatever the others answer, ties and gaps included"""
        teacher = self.component()
        if not isinstance(teacher, CompositeTeacher):
            skip("it is not made of others")
        for size in (2, 5):
            slate = self.slate(size)
            sizes = [len(one.slate.items) for one in teacher.questions(slate)]
            for what, made in variants.ODD.items():
                found = called(
                    f"combine() of {what}",
                    lambda made=made, slate=slate, sizes=sizes: teacher.combine(
                        slate, [made(count) for count in sizes]
                    ),
                )
                try:
                    found.check(size)
                except PvdError as error:
                    raise AssertionError(f"combine() of {what}: {error}") from None

    @check
    def test_batch_lines(self) -> None:
        """writes each question of a batch in one line, with the digest in it"""
        teacher = self.component()
        if not isinstance(teacher, BatchTeacher):
            skip("its provider takes no batches")
        self._asked(teacher)
        with self.ready(teacher):
            request = teacher.request(self.slate())
            line = teacher.line(request)
        require(
            isinstance(line, bytes) and b"\n" not in line,
            "line() must return bytes without a line's end; core writes it",
        )
        require(
            request.digest.encode() in line,
            "line() lacks request.digest, by which the answer is found again",
        )
        require(
            teacher.batch_requests > 0 and len(line) < teacher.batch_bytes,
            f"a line has {len(line)} bytes, and batch_bytes is {teacher.batch_bytes}",
        )

    # --- how they are asked -----------------------------------------------------------------

    @contextmanager
    def ready(self, teacher: Teacher, seed: int = SEED) -> Iterator[None]:
        """The teacher, ready to answer."""
        with tempfile.TemporaryDirectory() as folder, opened(teacher, seed):
            teacher.store_folder = Path(folder)
            self._reached(teacher.connect)
            yield

    def replies(self, teacher: Teacher, requests: Sequence[Request]) -> Sequence[Reply]:
        """Its replies to one call."""
        found: Sequence[Reply] = self._reached(lambda: teacher.answer(requests))
        require(
            len(found) == len(requests),
            f"answer() returned {len(found)} replies for {len(requests)} requests; return one each",
        )
        for one in found:
            require(
                isinstance(one, Reply) and isinstance(one.text, str) and isinstance(one.model, str),
                f"answer() returned {one!r:.60}; return a pvd.Reply with the raw text of the answer",
            )
        return found

    def _said(self, teacher: Teacher, slate: Slate) -> str:
        (reply,) = self.replies(teacher, [teacher.request(slate)])
        return reply.text

    def _judgments(self, teacher: Teacher, size: int) -> list[Judgment | None]:
        """As a run gets them, from an empty store."""
        slates = [self.slate(size, person) for person in range(4)]
        settings = AskSettings() if self.live else AskSettings(retries=0)
        with tempfile.TemporaryDirectory() as folder:
            with Store(Path(folder) / "answers.sqlite") as store, opened(teacher, SEED) as ready:
                desk = Desk(store, settings)
                found: list[Judgment | None] = self._reached(
                    lambda: desk.judgments(ready, len(slates), lambda n, attempt: slates[n])
                )
                return found

    def _reached(self, call: Callable[[], Any]) -> Any:
        """What a call to a provider returns; skipped where none answers a check."""
        try:
            return call()
        except (Busy, ProviderFailure) as error:
            if self.live:
                raise
            skip(f"nobody answers a check ({error})")

    def _why_not(self, teacher: Teacher) -> str:
        """Why it is not asked here."""
        able = teacher.capabilities
        if able.paid and not self.live:
            return "an answer of this teacher costs money"
        if able.person and not self.live:
            return "an answer of this teacher is a person's, and nobody is bothered in a check"
        if lacking := able.reads - self.personas()[0].attributes.keys():
            return f"it reads {', '.join(sorted(lacking))}, which the personas of a check lack"
        return ""

    def _asked(self, teacher: Teacher | None = None) -> Teacher:
        """The teacher, if it may be asked."""
        teacher = teacher or self.component()
        if why := self._why_not(teacher):
            skip(why)
        return teacher


def digest(teacher: Teacher, slate: Slate) -> str:
    """The key under which its answer would be kept."""
    request = called("request()", lambda: teacher.request(slate))
    try:
        json.dumps(request.body)
        return str(request.digest)
    except (TypeError, ValueError) as error:
        raise AssertionError(
            f"the request's body is no JSON: {error}; make it of text, numbers, lists and dicts"
        ) from None


def _shown(teacher: CompositeTeacher, slate: Slate) -> list[list[str]]:
    return [[item.id for item in one.slate.items] for one in teacher.questions(slate)]


def _same(first: str, second: str, what: str) -> None:
    require(
        first == second,
        f"the reply changes with {what}, and the request's digest does not, so that the store would "
        "give the old answer; put it into the request's body",
    )

"""What a teacher says before it is asked, and what composites and batches add."""

from __future__ import annotations

import math
from contextlib import suppress

from pvd.errors import PvdError
from pvd.isolation import checks
from pvd.protocols import BatchTeacher, Capabilities, CompositeTeacher, Question
from pvd.records import Item, Persona, Tokens
from pvd.testing import variants
from pvd.testing.answering import Answering
from pvd.testing.contract import called, check
from pvd.testing.demands import require, skip


class Foretelling(Answering):
    """The checks of what a teacher says of itself, of those it asks, and of its batches."""

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
        why = self._misfit(teacher)
        if not why:
            called("check()", teacher.check, self.personas(), self.items())
        # Core has seen to it that what is in `reads` is there; but it may be anything.
        poor = dict.fromkeys(teacher.capabilities.reads, "nonsense")
        people = [Persona(f"persona-{n}", "Somebody.", poor) for n in range(3)]
        bare = [Item(item.id, item.image) for item in self.items()]
        with suppress(PvdError):
            called(
                "check() of personas whose attributes are nonsense, and items without any",
                teacher.check,
                people,
                bare,
            )
        if why:
            skip(why, self._how(why))

    @check
    def test_forecast(self) -> None:
        """forecasts tokens, and what they cost if it costs money"""
        teacher = self._fitting()
        if isinstance(teacher, CompositeTeacher):
            skip("it asks others, whose forecasts count")
        seen = called("estimate()", teacher.estimate, self.slate())
        low, expected, high = (one.counts() for one in (seen.low, seen.expected, seen.high))
        require(
            all(0 <= a <= b <= c for a, b, c in zip(low, expected, high, strict=True)),
            f"estimate() is not in order: low {low}, expected {expected}, high {high}",
        )
        if teacher.capabilities.paid:
            require(
                seen.high.input + seen.high.output > 0,
                "estimate() says that a question costs no tokens, though capabilities.paid is "
                "True; count text and pictures, the high estimate generously",
            )
            for batch in {False, isinstance(teacher, BatchTeacher)}:
                price = called("dollars()", teacher.dollars, seen.high, batch)
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
        teacher, shelf = self._fitting(), list(self.items())
        known = teacher.utilities(self.personas()[0], shelf)
        if known is None:
            skip("it knows no utilities")
        checks.utilities(teacher, [known], len(shelf))
        # A run takes an item that is infinitely bad; but no mean over it is a number then.
        require(all(map(math.isfinite, known)), "utilities() has numbers that are not finite")
        turned = teacher.utilities(self.personas()[0], shelf[::-1]) or []
        require(
            all(map(math.isclose, known, list(turned)[::-1])),
            "an item's utility depends on where it stands in the list; it is what the item is "
            "worth to the persona",
        )

    @check
    def test_questions(self) -> None:
        """asks the teachers among its options, if it is made of others"""
        teacher = self._fitting()
        if not isinstance(teacher, CompositeTeacher):
            skip("it is not made of others")
        asked = checks.questions(teacher, teacher.questions(self.slate()), Question)
        inner = {id(one) for one in teacher.inner()}
        require(
            all(id(one.teacher) in inner for one in asked),
            "questions() asks a teacher that is none of its options, which core neither opens nor "
            "seeds; declare it as an option of the type pvd.Teacher",
        )

    @check
    def test_combines(self) -> None:
        """makes one ranking of whatever the others answer, ties and gaps included"""
        teacher = self._fitting()
        if not isinstance(teacher, CompositeTeacher):
            skip("it is not made of others")
        for size in (2, 5):
            slate = self.slate(size)
            sizes = [len(one.slate.items) for one in teacher.questions(slate)]
            for what, made in variants.ODD.items():
                answers = [made(count) for count in sizes]
                found = called(f"combine() of {what}", teacher.combine, slate, answers)
                called(f"combine() of {what}", checks.fits, teacher, "combine", found, size)

    @check
    def test_batch_lines(self) -> None:
        """writes each question of a batch in one line, with the digest in it"""
        teacher = self.component()
        if not isinstance(teacher, BatchTeacher):
            skip("its provider takes no batches")
        self._asked(teacher)
        with self.ready(teacher):
            request = teacher.request(self.slate())
            line = called("line()", teacher.line, request)
        require(b"\n" not in line, "line() must return bytes without a line's end; core writes it")
        require(
            request.digest.encode() in line,
            "line() lacks request.digest, by which the answer is found again",
        )
        require(
            teacher.batch_requests > 0 and len(line) < teacher.batch_bytes,
            f"a line has {len(line)} bytes, and batch_bytes is {teacher.batch_bytes}",
        )

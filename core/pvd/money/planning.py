"""Making the plan of what the run itself does: the same slates, requests, estimates and store.

What a run finds out only on its way counts as new: later rounds of a tournament depend on answers,
later rounds of training on the student.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from pvd import exam, tournament, validation
from pvd.asking import Desk
from pvd.asking.clerk import Take
from pvd.asking.post import Post
from pvd.asking.questions import Questions, answering, really_asked
from pvd.catalog import PARTS, Data, bounded
from pvd.drawing import Drawn
from pvd.ledger import Ledger
from pvd.money.plan import Dollars, Part, Plan
from pvd.protocols import BatchTeacher, Teacher
from pvd.records import Forecast, Slate
from pvd.settings import AskSettings, Settings
from pvd.store import Store
from pvd.streams import derive, stream

PARTS_OF_A_RUN = ("exam", "validation", "training")
SAMPLE = 200  # questions of a part, and of one teacher, that are estimated for all of them

Estimated = tuple[Teacher, list[Forecast], float]


def plan(
    settings: Settings,
    data: Data,
    desk: Desk,
    folder: Path,
    parts: Sequence[str] = PARTS_OF_A_RUN,
) -> Plan:
    """The plan of the run in this folder, begun or not, or of some parts of it, that will ask at
    this desk; teacher and judge are opened."""
    asked = [inner for top in (settings.teacher, settings.judge) for inner in answering(top)]
    ask, planning = settings.ask, _Planning(settings, data, desk.post.store, folder)
    return Plan(
        parts=tuple(getattr(planning, part)() for part in parts),
        prices=tuple(dict.fromkeys(one.prices() for one in asked if one.prices())),
        requests_per_minute=ask.requests_per_minute,
        tokens_per_minute=ask.tokens_per_minute,
        has_batches=any(_with_batches(one) for one in asked),
        batch=ask.batch,
        paid=any(one.capabilities.paid for one in asked),
        spent=desk.budget.spent,
        shared=settings.exam.first_round == "shared",
        max_cost=settings.max_cost,
        max_calls=settings.max_calls,
    )


def _with_batches(teacher: Teacher) -> int:
    """How many of those who are asked take batches; one waits for the other's."""
    return sum(isinstance(one, BatchTeacher) for one in answering(teacher))


@dataclass
class _Sample:
    """New questions for one teacher, each with the same chance to be there."""

    teacher: Teacher
    new: int = 0
    slates: list[Slate] = field(default_factory=list)

    def add(self, slate: Slate, lot: Random) -> None:
        """A new one."""
        self.new += 1
        if len(self.slates) < SAMPLE:
            self.slates.append(slate)
        elif (place := lot.randrange(self.new)) < SAMPLE:
            self.slates[place] = slate


@dataclass
class _Count:
    """The questions of a part, and some of the new ones, of each teacher that is asked."""

    stored: int = 0
    waiting: int = 0  # in a batch: the money is put aside already
    new: int = 0
    missing: Counter[str] = field(default_factory=Counter)  # by the persona's id
    samples: dict[int, _Sample] = field(default_factory=dict)
    lot: Random = field(default_factory=lambda: stream("plan"))

    def wait(self, slate: Slate) -> None:
        """One that a provider works on."""
        self.waiting += 1
        self.missing[slate.persona.id] += 1

    def add(self, teacher: Teacher, slate: Slate) -> None:
        """A new one."""
        self.new += 1
        self.missing[slate.persona.id] += 1
        self.samples.setdefault(id(teacher), _Sample(teacher)).add(slate, self.lot)

    def estimated(self) -> list[Estimated]:
        """The sampled questions of each teacher, and how many of the new ones each stands for."""
        seen = sum(sample.new for sample in self.samples.values())
        return [
            (
                sample.teacher,
                [sample.teacher.estimate(slate) for slate in sample.slates],
                self.new * sample.new / (seen * len(sample.slates)),
            )
            for sample in self.samples.values()
        ]


class _Rehearsal(Post):
    """A post that sends nothing: what the store has is handed over, the rest is counted."""

    def __init__(self, store: Store, settings: Settings, count: _Count) -> None:
        super().__init__(store, settings.ask)
        self._counted = count

    def answers(
        self, teacher: Teacher, slates: Sequence[Slate], take: Take, batch: bool = False
    ) -> None:
        questions = Questions(teacher, slates)
        here, handed_in = self.store.get(questions), self.store.submitted(questions)
        for digest in questions:
            request = questions[digest]
            if digest in here:
                self._counted.stored += 1
            elif handed_in.get(digest):
                self._counted.wait(request.slate)
            else:
                self._counted.add(teacher, request.slate)
            take(questions.places(digest), request, here.get(digest, "it was not asked yet"))


class _Planning:
    """Makes the parts of the plan of one run."""

    def __init__(self, settings: Settings, data: Data, store: Store, folder: Path) -> None:
        self._settings, self._data, self._store, self._folder = settings, data, store, folder

    def exam(self) -> Part:
        """The held-out tournaments, played as far as the store has answers."""
        settings = self._settings
        return self._tournaments("exam", "test", settings.judge, settings.exam.repeats)

    def validation(self) -> Part:
        """The fixed slates, or tournaments, that choose the round."""
        train, count = self._settings.train, _Count()
        if train.validate == "mpr":
            return self._tournaments("validation", "validation", self._settings.teacher, 0)
        if not (self._folder / "exam" / "validation.jsonl").exists():
            self._rehearse(count, self._uniform("validation", train.validation_slates))
        return self._part("validation", self._settings.teacher, count, int(count.new > 0))

    def training(self) -> Part:
        """The rounds. What one that is not drawn yet will ask is unknown: uniform slates of the
        training items stand for it."""
        train, teacher = self._settings.train, self._settings.teacher
        ledger = Ledger(
            self._folder / "rounds",
            [item for part in PARTS for item in getattr(self._data.items, part)],
            [person for part in PARTS for person in getattr(self._data.people, part)],
        )
        numbers = range(1, train.rounds + 1) if not self._is_over(ledger) else ()
        unasked = [number for number in numbers if not ledger.has(number, "judgments.jsonl")]
        drawn = [number for number in unasked if ledger.has(number, "slates.jsonl")]
        count = _Count()
        for number in drawn:
            self._rehearse(count, ledger.drawn(number))
        undrawn = (len(unasked) - len(drawn)) * train.slates
        if undrawn:
            some = [d.shown(0, 0) for d in self._uniform("train", min(undrawn, SAMPLE))]
            asked = [really_asked(teacher, slate) for slate in some]
            for pair in (pair for pairs in asked for pair in pairs):
                count.add(*pair)
            count.new += (undrawn - len(some)) * len(asked[0])
        return self._part("training", teacher, count, len(unasked))

    def _is_over(self, ledger: Ledger) -> bool:
        """Whether the rounds so far are all, also if the patience ended before the rounds."""
        if not ledger.has(0, "done"):
            return False
        values = [ledger.result(n).validation.value for n in range(ledger.finished() + 1)]
        return validation.enough(len(values) - 1, values.index(max(values)), self._settings.train)

    def _tournaments(self, name: str, part: str, judge: Teacher, repeats: int) -> Part:
        settings = self._settings.exam
        seed, count = self._settings.stream("exam"), _Count()
        everybody, everything = getattr(self._data.people, part), getattr(self._data.items, part)
        people, shelf = exam.chosen(everybody, everything, settings, seed)
        each, open_slates, turns = tournament.questions(len(shelf), settings.group), 0, 0
        sitting = people
        for repeat in range(repeats + 1):
            count.missing.clear()
            brackets = tournament.play(
                self._desk(count), judge, sitting, shelf,
                group=settings.group, seed=seed, repeat=repeat,
                shared=settings.first_round == "shared",
            )  # fmt: skip
            # One without a winner is void for good, unless an answer is missing.
            going = [b for b in brackets if b.winner or count.missing[b.persona.id]]
            left = sum(each - len(b.judgments) for b in going)
            open_slates += left
            turns += tournament.rounds(len(shelf), settings.group) if left else 0
            if not repeat:
                sat = [bracket.persona for bracket in going]
                sitting = bounded(sat, settings.repeat_personas, derive(seed, "repeat"))
        # Rounds that wait for answers: nobody knows yet which items meet there.
        example = Slate(people[0], tuple(shelf[: settings.group]))
        asked = open_slates * len(really_asked(judge, example)) - count.waiting
        count.new = max(asked, count.new)
        return self._part(name, judge, count, turns)

    def _uniform(self, part: str, count: int) -> list[Drawn]:
        people, items = getattr(self._data.people, part), getattr(self._data.items, part)
        seed = self._settings.stream("draw")
        return validation.slates(people, items, count, self._settings.train.size, seed)

    def _rehearse(self, count: _Count, drawn: Sequence[Drawn]) -> None:
        seed = self._settings.stream("draw")
        self._desk(count).judgments(
            self._settings.teacher, len(drawn), lambda n, attempt: drawn[n].shown(seed, attempt)
        )

    def _desk(self, count: _Count) -> Desk:
        post = _Rehearsal(self._store, self._settings, count)
        return Desk(self._store, self._settings.ask, post=post)

    def _part(self, name: str, teacher: Teacher, count: _Count, submissions: int) -> Part:
        samples = count.estimated()
        return Part(
            name=name,
            teacher=teacher.label,
            questions=count.stored + count.waiting + count.new,
            stored=count.stored,
            waiting=count.waiting,
            forecast=sum((sum(each, Forecast()) * times for _, each, times in samples), Forecast()),
            dollars=priced(samples, batch=False),
            batch_dollars=priced(samples, batch=True),
            submissions=submissions * _with_batches(teacher) if count.new else 0,
            **away(samples, self._settings.ask),
        )


def away(samples: Sequence[Estimated], ask: AskSettings) -> dict[str, int]:
    """How many of the new questions providers answer, and how many of those at once: one who takes
    few calls holds nobody up but itself."""
    paid = [sample for sample in samples if sample[0].capabilities.paid]
    asked = sum(len(forecasts) * times for _, forecasts, times in paid)
    calls = (ask.workers or teacher.capabilities.workers for teacher, _, _ in paid)
    return {"away": round(asked), "at_once": min(calls, default=0)}


def priced(samples: Sequence[Estimated], batch: bool) -> Dollars | None:
    """What the questions cost that the samples stand for: low, expected, high; None if nobody
    knows."""
    low = expected = high = 0.0
    for asked, forecasts, times in samples:
        batched = batch and isinstance(asked, BatchTeacher)
        for forecast in forecasts:
            tokens = (forecast.low, forecast.expected, forecast.high)
            prices = [asked.dollars(one, batched) for one in tokens]
            known = [times * price for price in prices if price is not None]
            if len(known) < len(prices):
                return None
            low, expected, high = low + known[0], expected + known[1], high + known[2]
    return low, expected, high

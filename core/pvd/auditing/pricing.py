"""What an audit will ask and cost, before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from pvd.asking import Desk
from pvd.asking.questions import Questions, answering, really_asked
from pvd.auditing.questions import Sheet
from pvd.auditing.teachers import Member
from pvd.money.plan import Part, Plan
from pvd.money.planning import Estimated, away, priced
from pvd.protocols import BatchTeacher, Teacher
from pvd.records import Forecast, Slate
from pvd.settings import AskSettings, Settings
from pvd.store import Store

SAMPLE = 200  # questions whose tokens are estimated; the others take as many on average


def plan(settings: Settings, members: Sequence[Member], sheet: Sheet, desk: Desk) -> Plan:
    """The plan of an audit by these teachers, who are opened."""
    asked = [one for member in members for one in answering(member.teacher)]
    ask = settings.ask
    return Plan(
        parts=tuple(_part(member, sheet.all(), desk.post.store, ask) for member in members),
        prices=tuple(dict.fromkeys(one.prices() for one in asked if one.prices())),
        requests_per_minute=ask.requests_per_minute,
        tokens_per_minute=ask.tokens_per_minute,
        has_batches=any(isinstance(one, BatchTeacher) for one in asked),
        batch=ask.batch,
        paid=any(one.capabilities.paid for one in asked),
        spent=desk.budget.spent,
        max_cost=settings.max_cost,
        max_calls=settings.max_calls,
        what="audit",
        settled=True,
    )


def _part(member: Member, slates: Sequence[Slate], store: Store, ask: AskSettings) -> Part:
    """What is asked of one teacher: distinct questions, and a sample of the new ones."""
    by_teacher: dict[int, tuple[Teacher, list[Slate]]] = {}
    for slate in slates:
        for one, asked in really_asked(member.teacher, slate):
            by_teacher.setdefault(id(one), (one, []))[1].append(asked)
    stored = waiting = 0
    new: list[tuple[Teacher, Slate]] = []
    for one, some in by_teacher.values():
        questions = Questions(one, some)
        here, handed_in = store.get(questions), store.submitted(questions)
        for digest in questions:
            stored += digest in here
            waiting += digest not in here and bool(handed_in.get(digest))
            if digest not in here and not handed_in.get(digest):
                new.append((one, some[questions.places(digest)[0]]))
    sample = Random(0).sample(new, min(len(new), SAMPLE))
    times = len(new) / max(len(sample), 1)
    estimated: list[Estimated] = [(one, [one.estimate(slate)], times) for one, slate in sample]
    batches = any(isinstance(one, BatchTeacher) for one, _ in by_teacher.values())
    return Part(
        name=member.label,
        teacher=member.label,
        questions=stored + waiting + len(new),
        stored=stored,
        waiting=waiting,
        forecast=sum((forecast for _, (forecast,), _ in estimated), Forecast()) * times,
        dollars=priced(estimated, batch=False),
        batch_dollars=priced(estimated, batch=True),
        submissions=int(batches and bool(new)),
        **away(estimated, ask),
    )

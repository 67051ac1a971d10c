"""Asking a teacher for an audit: every question once, and what each came to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pvd.asking import Desk
from pvd.asking.questions import answering, really_asked
from pvd.errors import BadInput
from pvd.failures import Malformed, Refused
from pvd.protocols import Teacher
from pvd.records import Ranking, Reply, Request, Slate, Tokens, added
from pvd.store import Store

REFUSED, REJECTED = "refused", "not taken by the provider"


@dataclass(frozen=True, slots=True)
class Said:
    """What one question came to: a ranking, or what is wrong; and what the answer cost once."""

    ranking: Ranking | None
    wrong: str  # why there is no ranking: refused, not taken, or the kind of malformed reply
    tokens: Tokens
    dollars: float | None
    models: frozenset[str]


@dataclass
class Watch:
    """Seconds of the calls that were answered now, and how many questions they carried."""

    seconds: list[float] = field(default_factory=list)
    questions: int = 0


def ask(desk: Desk, teacher: Teacher, questions: Sequence[Slate]) -> list[Said]:
    """Ask each question once. What cannot be read is not shown again: it is what is counted."""
    judgments = desk.judgments(teacher, len(questions), lambda number, attempt: questions[number])
    parts = [really_asked(teacher, slate) for slate in questions]
    digests = [[one.request(slate).digest for one, slate in some] for some in parts]
    replies = _replies(desk.post.store, digests)
    found = []
    for judgment, some, own in zip(judgments, parts, digests, strict=True):
        here = {digest: replies[digest] for digest in own if digest in replies}
        wrong = ""
        if judgment is None:
            troubles = (
                trouble(one, slate, here.get(digest))
                for (one, slate), digest in zip(some, own, strict=True)
            )
            wrong = next(filter(None, troubles), REJECTED)
        found.append(
            Said(
                ranking=judgment.ranking if judgment else None,
                wrong=wrong,
                tokens=sum((reply.tokens for reply in here.values()), Tokens()),
                dollars=added(reply.dollars for reply in here.values()),
                models=frozenset(reply.model for reply in here.values()),
            )
        )
    return found


def _replies(store: Store, digests: Sequence[Sequence[str]]) -> dict[str, Reply]:
    wanted = dict.fromkeys(digest for some in digests for digest in some)
    return {digest: reply for digest, (reply, _) in store.get(wanted).items()}


def trouble(teacher: Teacher, slate: Slate, reply: Reply | None) -> str:
    """What is wrong with a reply; nothing if it can be read."""
    if reply is None:
        return REJECTED
    try:
        teacher.read(teacher.request(slate), reply).check(len(slate.items))
    except Malformed as error:
        return error.kind
    except BadInput:
        return "no ranking"
    except Refused:
        return REFUSED
    return ""


@contextmanager
def watched(teacher: Teacher) -> Iterator[Watch]:
    """Take the time of each call that is answered meanwhile. Batches, and answers from the store,
    take no call."""
    watch = Watch()
    for one in answering(teacher):
        _watch(one, watch)
    try:
        yield watch
    finally:
        for one in answering(teacher):
            vars(one).pop("answer", None)


def _watch(teacher: Teacher, watch: Watch) -> None:
    answer = type(teacher).answer

    def timed(requests: Sequence[Request]) -> Sequence[Reply]:
        begun = time.monotonic()
        replies = answer(teacher, requests)
        watch.seconds.append(time.monotonic() - begun)
        watch.questions += len(requests)
        return replies

    vars(teacher)["answer"] = timed  # hides the class's own for this object

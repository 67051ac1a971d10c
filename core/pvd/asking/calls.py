"""A call to a teacher: what it asks, how it went, and what is lost with it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from pvd.money.amounts import money
from pvd.records import Reply, Request, added


@dataclass(eq=False)
class Call:
    """One call: what it asks, and how it went so far."""

    requests: list[Request]
    aside: dict[str, float]  # dollars put aside, by digest
    begun: float  # when it was first sent
    tokens: int  # that it is thought to take
    tries: int = 0
    sent: float = 0.0
    future: Future[Sequence[Reply]] = field(default_factory=Future)
    sound: dict[str, Reply] = field(default_factory=dict)  # of replies that are not all sound

    def replies(self) -> list[Reply]:
        """What it brought; nothing if it was never sent."""
        if self.future.cancelled() or self.future.exception() is not None:
            return list(self.sound.values())
        return list(self.future.result())


def loss(replies: Sequence[Reply]) -> str:
    """What came and cannot be kept, and what it cost."""
    dollars = added(reply.dollars for reply in replies)
    cost = f", which cost {money(dollars)}" if dollars else ""
    return (
        f"Answers that the store has no room for: {len(replies):,}{cost}. They are lost, and asked "
        "again by the same command."
    )

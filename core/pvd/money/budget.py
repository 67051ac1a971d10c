"""The budget of a run: what it may send and spend in all, over all its invocations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pvd.errors import BudgetReached
from pvd.protocols import Teacher
from pvd.records import Forecast
from pvd.store import Spent, Store


@dataclass(frozen=True)
class Room:
    """What may still be sent and spent."""

    calls: float
    dollars: float
    is_passed: bool = False

    def without(self, aside: float) -> Room:
        """What is left when one more question is sent; what costs nothing needs no dollars."""
        calls, dollars = self.calls - 1, self.dollars - aside
        return Room(calls, dollars, calls < 0 or (aside > 0 and dollars < 0))


class Budget:
    """Reserved before anything is sent, at the highest price that it may have, so that a limit is
    never passed. The store keeps the account: a killed process forgets nothing.
    """

    def __init__(
        self,
        store: Store,
        run: str,
        max_cost: float | None = None,
        max_calls: int | None = None,
        shared: bool = False,
    ) -> None:
        self.run: str = run
        self.max_cost: float | None = max_cost
        self.max_calls: int | None = max_calls
        self._store, self._shared = store, shared
        self._dearer = 1.0  # how much dearer than thought an answer was at worst

    @property
    def spent(self) -> Spent:
        """By all invocations so far, what is put aside included."""
        return self._store.spent(self.run)

    @contextmanager
    def reserving(self) -> Iterator[None]:
        """Between a look at what is left and putting it aside: of the processes that share an
        account one at a time, or two would spend the same dollar."""
        if not self._shared or (self.max_cost is None and self.max_calls is None):
            yield
            return
        from filelock import FileLock

        with FileLock(self._store.path.with_name(f"{self._store.path.name}.{self.run}.lock")):
            yield

    def may_grow(self) -> bool:
        """Whether what others who share the account have put aside may still come back."""
        return self._shared and self._store.others_ask(self.run)

    def aside(self, teacher: Teacher, forecast: Forecast, batch: bool = False) -> float:
        """The dollars to put aside for a question; 0 where it is free, or nobody knows its price
        (which the plan has let pass)."""
        if not teacher.capabilities.paid:
            return 0.0
        return (teacher.dollars(forecast.high, batch) or 0.0) * self._dearer

    def affords(self, aside: Sequence[float]) -> bool:
        """Whether questions with so much put aside may be sent now."""
        return self.affordable(aside) == len(aside)

    def affordable(self, aside: Sequence[float]) -> int:
        """How many of them, from the first one on."""
        room = self.room
        for number, one in enumerate(aside):
            room = room.without(one)
            if room.is_passed:
                return number
        return len(aside)

    @property
    def room(self) -> Room:
        """What is left now."""
        if self.max_calls is None and self.max_cost is None:
            return Room(math.inf, math.inf)
        spent = self.spent
        return Room(
            math.inf if self.max_calls is None else self.max_calls - spent.calls,
            math.inf if self.max_cost is None else self.max_cost - spent.dollars,
        )

    def check(self, aside: Sequence[float]) -> None:
        """BudgetReached if they may not be sent."""
        if self.affords(aside):
            return
        spent = self.spent
        if self.max_calls is not None and spent.calls + len(aside) > self.max_calls:
            raise BudgetReached(
                f"{spent.calls:,} of {self.max_calls:,} calls are made; the same command with a "
                "higher --max-calls goes on from here."
            )
        left = max((self.max_cost or 0.0) - spent.dollars, 0.0)
        raise BudgetReached(
            f"The next call may cost ${sum(aside):.4f}, but only ${left:.4f} is left; the same "
            "command with a higher --max-cost goes on from here."
        )

    def settled(self, aside: float, dollars: float) -> bool:
        """What was put aside and what it cost; True if that was more than ever before, so that
        from now on more is put aside."""
        dearer = dollars / aside * self._dearer if aside > 0 else 1.0
        if dearer <= self._dearer:
            return False
        self._dearer = dearer
        return True

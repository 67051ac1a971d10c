"""The pace of asking: how many calls may be under way, and when the next one may go.

Providers tell their limits by refusing. What may be under way grows while answers come, and shrinks
once an episode of refusals (after TCP's additive increase and multiplicative decrease); who knows
the limits sets them, and is never refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pvd.settings import AskSettings

LONGEST_PAUSE = 60.0  # seconds before a busy provider is called again
START = 8  # calls under way at the beginning
SHRINK = 0.7  # of what may be under way, after an episode of refusals
MARGIN = 0.98  # of a limit a minute: what is sent evenly may arrive unevenly
CREDIT = 1.0  # seconds that may be caught up after other work


class Pace:
    """For one teacher; `most` calls may be under way at the very most."""

    def __init__(
        self, most: int, settings: AskSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most: int = most
        self._clock = clock
        self._per_request = _interval(settings.requests_per_minute)
        self._per_token = _interval(settings.tokens_per_minute)
        self._limit = float(min(START, most))
        self._refused = False  # until then, the limit doubles with every round of answers
        self._shrunk = self._held = clock()
        self._due = clock()  # when the limits a minute allow the next call

    @property
    def limit(self) -> int:
        """How many calls may be under way now."""
        return int(self._limit)

    @property
    def at_once(self) -> int:
        """How many calls may go at the same moment: one, where a limit a minute spaces them."""
        return 1 if self._per_request or self._per_token else self.limit

    def wait(self) -> float:
        """Seconds until the next call may go; 0 if it may go now."""
        return max(self._held - self._clock(), self._due - self._clock(), 0.0)

    def sent(self, requests: int, tokens: int) -> None:
        """So many requests go out, of so many tokens as far as anybody knows."""
        start = max(self._due, self._clock() - CREDIT)
        self._due = start + max(requests * self._per_request, tokens * self._per_token)

    def counted(self, tokens: int) -> None:
        """They were so many tokens more, or fewer, than was thought."""
        self._due += tokens * self._per_token

    def answered(self, under_way: int) -> None:
        """An answer came; more may be under way, if what may be was."""
        if under_way >= self.limit:
            self._limit += 1 / self._limit if self._refused else 1
            self._limit = min(self._limit, self.most)

    def refused(self, sent: float, after: float | None) -> None:
        """A call that was sent then was refused: there were too many. Those sent before the last
        shrinking tell nothing new."""
        self._refused = True
        now = self._clock()
        if sent >= self._shrunk:
            self._limit, self._shrunk = max(self._limit * SHRINK, 1.0), now
        if after is not None:
            self._held = max(self._held, now + after)


def _interval(limit: int | None) -> float:
    return 0.0 if limit is None else 60 / (limit * MARGIN)

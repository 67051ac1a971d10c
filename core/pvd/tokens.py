"""What questions cost, before and after they were asked: tokens and dollars. `pvd.records` shows
them too, beside the records that hold them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)  # there are many
class Tokens:
    """Tokens of one call, or of many; they can be added, and multiplied by a number of calls."""

    input: int = 0  #: all that were read
    output: int = 0  #: all that were written, hidden reasoning too
    images: int = 0  #: of the input: pictures
    cached: int = 0  #: of the input: read from the provider's prompt cache
    written: int = 0  #: of the input: written into that cache
    thoughts: int = 0  #: of the output: hidden reasoning

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(*(a + b for a, b in zip(self.counts(), other.counts(), strict=True)))

    def __mul__(self, times: float) -> Tokens:
        return Tokens(*(round(count * times) for count in self.counts()))

    def counts(self) -> tuple[int, ...]:
        """The numbers in the order of the fields."""
        return (self.input, self.output, self.images, self.cached, self.written, self.thoughts)


@dataclass(frozen=True)
class Forecast:
    """What a question will cost in tokens, before it is asked."""

    low: Tokens = Tokens()  #: at least
    expected: Tokens = Tokens()  #: most likely: what a plan says
    high: Tokens = Tokens()  #: at most: so much money is put aside before it is sent

    def __add__(self, other: Forecast) -> Forecast:
        return Forecast(
            self.low + other.low, self.expected + other.expected, self.high + other.high
        )

    def __mul__(self, times: float) -> Forecast:
        return Forecast(self.low * times, self.expected * times, self.high * times)


def added(dollars: Iterable[float | None]) -> float | None:
    """The sum, or None if nobody knows one of them."""
    found = list(dollars)
    return None if None in found else sum(d for d in found if d is not None)

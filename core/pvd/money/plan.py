"""The plan: what a run will ask and cost. `planning` makes it, before anything is asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pvd.errors import UsageError
from pvd.records import Forecast
from pvd.settings import Settings
from pvd.store import Spent

SECONDS = 3.0  # that a call is assumed to take, where no limit a minute is known
HOURS = 24  # within which a provider answers a batch

Dollars = tuple[float, float, float]  # low, expected, high


@dataclass(frozen=True)
class Part:
    """What one part of the run asks of one teacher, and what the new questions cost."""

    name: str
    teacher: str
    questions: int  # at most
    stored: int  # of them answered already, and free
    waiting: int  # of them in a batch, their money put aside
    forecast: Forecast  # of the new ones together
    dollars: Dollars | None  # None: nobody knows the price
    batch_dollars: Dollars | None  # in batches, as far as the teacher has them
    submissions: int  # one after the other, in batches
    away: int = 0  # new ones that a provider answers, so that their time is known
    at_once: int = 0  # of them

    @property
    def new(self) -> int:
        """Questions that must be asked."""
        return self.questions - self.stored - self.waiting


@dataclass(frozen=True)
class Plan:
    """All parts, and what bounds the time."""

    parts: tuple[Part, ...]
    prices: tuple[str, ...]  # where they come from, of which day
    requests_per_minute: int | None
    tokens_per_minute: int | None
    has_batches: bool
    batch: bool  # they are used
    paid: bool
    spent: Spent  # by earlier invocations
    shared: bool = False  # first rounds, whose pictures a provider remembers
    what: str = "run"  # that is planned
    settled: bool = False  # nothing that is asked depends on answers
    max_cost: float | None = None
    max_calls: int | None = None

    @property
    def new(self) -> int:
        """Questions that must be asked."""
        return sum(part.new for part in self.parts)

    def dollars(self, batch: bool) -> Dollars | None:
        """Low, expected and high, asked directly or in batches; None if nobody knows one price."""
        found = [part.batch_dollars if batch else part.dollars for part in self.parts]
        known = [price for price in found if price is not None]
        if len(known) < len(found):
            return None
        low, expected, high = (sum(column) for column in zip((0.0, 0.0, 0.0), *known, strict=True))
        return low, expected, high

    @property
    def hours(self) -> float:
        """How long asking directly takes, at the limits that are set, one part after the other.
        What is answered on this machine takes no time that anybody knows."""
        return sum(map(self._minutes, self.parts)) / 60

    def _minutes(self, part: Part) -> float:
        tokens = part.forecast.expected
        minutes = [part.away * SECONDS / 60 / max(part.at_once, 1)]
        if self.requests_per_minute:
            minutes.append(part.new / self.requests_per_minute)
        if self.tokens_per_minute:
            minutes.append((tokens.input + tokens.output) / self.tokens_per_minute)
        return max(minutes)

    @property
    def submissions(self) -> int:
        """How many batches follow one another."""
        return sum(part.submissions for part in self.parts)

    def as_json(self) -> dict[str, Any]:
        """It for `--json`."""
        return {
            **asdict(self),
            "new": self.new,
            "dollars": self.dollars(batch=False),
            "batch_dollars": self.dollars(batch=True),
            "hours": self.hours,
            "submissions": self.submissions,
        }

    def check(self, settings: Settings) -> None:
        """UsageError if this may not be asked: somebody must have said how much it may cost."""
        if not self.paid or not self.new:
            return
        unknown = self.dollars(self.batch) is None
        if unknown and not settings.ask.allow_unpriced:
            raise UsageError(
                f"{' '.join(self.prices)} To go on without a price, add --allow-unpriced and "
                "--max-calls with the number of questions that may be asked."
            )
        if unknown and settings.max_calls is None:
            raise UsageError(
                f"Nobody knows what this {self.what} costs, so --max-cost cannot hold it; add "
                "--max-calls with the number of questions that may be asked."
            )
        if not unknown and settings.max_cost is None and settings.max_calls is None:
            raise UsageError(
                f"This {self.what} may ask {self.new:,} questions that cost money; add --max-cost "
                "with the dollars that it may cost, for example --max-cost "
                f"{self._suggested():g}."
            )

    def _suggested(self) -> float:
        """Twice what is expected, and what is spent, rounded up to what one would type."""
        _, expected, _ = self.dollars(self.batch) or (0.0, 0.0, 0.0)
        most = 2 * expected + self.spent.dollars
        step = 10.0 ** max(len(str(int(most))) - 1, 0)
        return step * (most // step + 1)

"""How the numbers of a view are written: percentile ranks in points, a plug-in's measure in its
own unit, which we do not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pvd import metrics
from pvd.metrics import Estimate, is_own
from pvd.prose import fixed

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Unit:
    """The unit of one view."""

    metric: str = "mpr"
    places: int = 1  # decimals

    @property
    def is_own(self) -> bool:
        """Whether a plug-in measures it."""
        return is_own(self.metric)

    @property
    def label(self) -> str:
        """What a chart's axis is called."""
        return metrics.metric_label(self.metric) if self.is_own else "percentile of what is best"

    def number(self, value: float) -> str:
        """With its decimals and a true minus sign."""
        return metrics.number(value, self.metric, {self.metric: self.places})

    def signed(self, value: float) -> str:
        """A difference with its sign."""
        return metrics.signed(value, self.metric, {self.metric: self.places})

    def interval(self, estimate: Estimate | None) -> str:
        """A number with its interval, or nothing."""
        return metrics.interval(estimate, self.metric, {self.metric: self.places})

    def change(self, estimate: Estimate) -> str:
        """A difference with its interval."""
        return f"{self.signed(estimate['value'])} ({self.between(estimate)})"

    def between(self, estimate: Estimate) -> str:
        """An interval of differences."""
        return f"{self.signed(estimate['low'])} to {self.signed(estimate['high'])}"

    def size(self, value: float) -> str:
        """A number with the name of its unit."""
        return self.number(value) if self.is_own else f"{self.number(value)} points"

    def square(self, value: float) -> str:
        """A variance."""
        return f"{value:.2g}" if self.is_own else self.number(value)


POINTS = Unit()


def percent(share: float) -> str:
    """A share of a gain, without the sign of per cent."""
    return fixed(100 * share, 0)


def in_points(size: float) -> str:
    """A margin with its unit."""
    return "1 point" if size == 1 else f"{size:g} points"


def units(findings: Row) -> dict[str, Unit]:
    """By view; of a measure that we do not know, all numbers have the same decimals."""
    found = {}
    for view in findings["views"]:
        label, metric = view["label"], view["metric"]
        rows: Iterable[Row | None] = (
            *(arm["score"][label] for arm in findings["arms"]),
            *findings["rows"][label].values(),
        )
        places = metrics.decimals({metric: row} for row in rows if row)
        found[label] = Unit(metric, places[metric])
    return found


def own(findings: Row) -> list[str]:
    """The views by which plug-ins measure."""
    return [view["label"] for view in findings["views"] if is_own(view["metric"])]


def judges(findings: Row) -> list[str]:
    """The others: judges and the truth."""
    return [view["label"] for view in findings["views"] if not is_own(view["metric"])]

"""What else evaluators measured: for each judge all that is no view, as tables, no verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pvd.closing import interval
from pvd.report import decimals, is_own, metric_label, number, signed

Estimate = Mapping[str, Any]


@dataclass(frozen=True)
class Measure:
    """One number of an evaluator under one judge."""

    judge: str
    metric: str
    scores: Mapping[str, Estimate]  # by arm, then by system without a teacher of its own
    differences: Mapping[tuple[str, str, str], Estimate]  # by factor, a, b: b minus a
    places: Mapping[str, int]

    @property
    def label(self) -> str:
        return metric_label(self.metric)

    @property
    def is_own(self) -> bool:
        return is_own(self.metric)

    def score(self, row: str) -> str:
        """On one line; nothing for a system that it does not measure."""
        return interval(self.scores.get(row), self.places[self.metric])

    def number(self, value: float) -> str:
        return number(value, self.metric, self.places)

    def signed(self, value: float) -> str:
        return signed(value, self.metric, self.places)

    def difference(self, pair: tuple[str, str, str]) -> str:
        found = self.differences[pair]
        value, low, high = (self.signed(found[end]) for end in ("value", "low", "high"))
        return f"{value} ({low} to {high})"


def measured(findings: Mapping[str, Any]) -> list[list[Measure]]:
    """Those of each judge; none in comparisons of older versions."""
    found = []
    for judge, measures in findings.get("measures", {}).items():
        arms = findings["metrics"][judge]
        places = decimals(arms.values())
        found.append(
            [
                Measure(
                    judge,
                    metric,
                    {arm: numbers[metric] for arm, numbers in arms.items()} | given["rows"],
                    {(r["factor"], r["a"], r["b"]): r["difference"] for r in given["comparisons"]},
                    places,
                )
                for metric, given in measures.items()
            ]
        )
    return [measures for measures in found if measures]

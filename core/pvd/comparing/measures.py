"""What evaluators measured beside what verdicts are given on: numbers of every arm, to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pvd.comparing.units import Unit
from pvd.metrics import Estimate, decimals, heading


@dataclass(frozen=True)
class Measure:
    """One number of an evaluator under one judge, without a verdict."""

    judge: str
    metric: str
    scores: Mapping[str, Estimate]  # by arm, then by system without a teacher of its own
    differences: Mapping[tuple[str, str, str], Estimate]  # by factor, a, b: b minus a
    unit: Unit

    @property
    def label(self) -> str:
        """What heads its column."""
        return heading(self.metric)


def measured(findings: Mapping[str, Any]) -> list[list[Measure]]:
    """By judge all that are no view, for tables without verdicts; none in comparisons of older
    versions."""
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
                    Unit(metric, places[metric]),
                )
                for metric, given in measures.items()
            ]
        )
    return [measures for measures in found if measures]

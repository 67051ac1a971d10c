"""How often the judge's winner is among the first few."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import pvd
from pvd import kit


@dataclass(kw_only=True)
class Hits(pvd.Evaluator):
    """`hit@k` in percent of the personas: the winner has fewer than k items above it.

    Where items are tied with the winner, the chance of a fair lot counts: 50 for `hit@1` if two
    share the first place.
    """

    at: Annotated[tuple[int, ...], kit.AtLeast(1), "the lengths of the list"] = (1, 5, 20, 100)

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        over = f"{len(exam.personas)} personas, given one trained student"
        found = {}
        for k in self._within(len(exam.items)):
            chances = []
            for row, winner in zip(exam.scores, exam.winners, strict=True):
                above = int((row > row[winner]).sum())
                tied = int((row == row[winner]).sum())  # the winner among them
                chances.append(100 * min(max(k - above, 0) / tied, 1.0))
            found[f"hit@{k}"] = kit.percentage(chances, exam.seed, over)
        return found

    def chance(self, items: int) -> Mapping[str, float]:
        return {f"hit@{k}": 100 * k / items for k in self._within(items)}

    def _within(self, items: int) -> list[int]:
        """A list as long as the catalogue would hit always."""
        return [k for k in self.at if k < items]


@pvd.hookimpl
def register_evaluators(register: Callable[[str, type[pvd.Evaluator]], None]) -> None:
    register("hits", Hits)

"""Mean percentile rank: how far up the student puts what the judge likes best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pvd
from pvd import kit


@dataclass(kw_only=True)
class MeanPercentileRank(pvd.Evaluator):
    """`mpr = 100 * mean(1 - rank0 / N)` of the judge's winner, and `mpr_true` of the true best.

    rank0 counts the items scored above, and half of those tied. The best place is 100, a ranking by
    lot gets 50 + 50/N ("Embedding the Teacher", arXiv 2510.12014). `mpr_true` is the mean over
    all items of the highest true utility, where the judge knows it: free of the judge's noise.
    """

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        percentiles = kit.percentile_ranks(exam.scores)
        over = f"{len(exam.personas)} personas, given one trained student"
        won = [float(row[winner]) for row, winner in zip(percentiles, exam.winners, strict=True)]
        found = {"mpr": kit.mean(won, exam.seed, over)}
        if exam.utilities is not None:
            best = exam.utilities == exam.utilities.amax(1, keepdim=True)
            true = [float(row[mask].mean()) for row, mask in zip(percentiles, best, strict=True)]
            found["mpr_true"] = kit.mean(true, exam.seed, over)
        return found

    def chance(self, items: int) -> Mapping[str, float]:
        return {"mpr": 50 + 50 / items, "mpr_true": 50 + 50 / items}


@pvd.hookimpl
def register_evaluators(register: Callable[[str, type[pvd.Evaluator]], None]) -> None:
    register("mpr", MeanPercentileRank)

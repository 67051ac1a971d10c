"""How the whole ranking agrees with the judge's utilities, where the judge knows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import pvd
from pvd import kit

if TYPE_CHECKING:
    from torch import Tensor


ROWS = 512  # of the matrix of pairs, at once


@dataclass(kw_only=True)
class Grades(pvd.Evaluator):
    """`ndcg@k` with the utilities as gains, and Kendall's tau-b between scores and utilities.

    Gains are linear, above the persona's least liked item (Jarvelin & Kekalainen 2002); tau-b is
    corrected for ties on both sides (Kendall 1945).
    """

    k: Annotated[int, kit.AtLeast(1), "length of the list for nDCG"] = 10

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        if exam.utilities is None:
            return {}
        over = f"{len(exam.personas)} personas, given one trained student"
        rows = list(zip(exam.scores.double(), exam.utilities.double(), strict=True))
        return {
            f"ndcg@{self.k}": kit.mean([ndcg(s, u, self.k) for s, u in rows], exam.seed, over),
            "kendall": kit.mean([kendall(s, u) for s, u in rows], exam.seed, over),
        }


def ndcg(scores: Tensor, utilities: Tensor, k: int) -> float:
    """nDCG@k of one ranking; 1 where every item is liked alike."""
    import torch

    gains = utilities - utilities.min()
    discounts = 1 / torch.log2(torch.arange(2, min(k, len(gains)) + 2, dtype=torch.float64))
    ideal = (gains.sort(descending=True).values[: len(discounts)] * discounts).sum()
    # Tied scores: each place gets the mean gain of its tie, as if the lot had been drawn often.
    order = scores.argsort(descending=True, stable=True)
    _, group = torch.unique_consecutive(scores[order], return_inverse=True)
    sums = torch.zeros(int(group.max()) + 1, dtype=torch.float64).index_add_(0, group, gains[order])
    fair = (sums / torch.bincount(group))[group]
    return float((fair[: len(discounts)] * discounts).sum() / ideal) if ideal > 0 else 1.0


def kendall(scores: Tensor, utilities: Tensor) -> float:
    """Kendall's tau-b; 0 where one side cannot tell any two items apart."""
    agreed = told = known = 0.0
    for start in range(0, len(scores), ROWS):  # the whole matrix of pairs may not fit
        a = (scores[start : start + ROWS].unsqueeze(1) - scores).sign()
        b = (utilities[start : start + ROWS].unsqueeze(1) - utilities).sign()
        agreed += float((a * b).sum())
        told += float(a.abs().sum())
        known += float(b.abs().sum())
    return agreed / (told * known) ** 0.5 if told and known else 0.0


@pvd.hookimpl
def register_evaluators(register: Callable[[str, type[pvd.Evaluator]], None]) -> None:
    register("grades", Grades)

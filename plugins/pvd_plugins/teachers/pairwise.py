"""A composite teacher: it ranks a slate by its pairs, each shown in both orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Annotated

import pvd


@dataclass(kw_only=True)
class Pairwise(pvd.CompositeTeacher):
    """Asks the inner teacher about every pair in both orders, and ranks by the comparisons won.

    A model that favours a position favours each item once, so that the favour cancels (Copeland's
    rule over 2 * C(K, 2) answers). It costs K * (K - 1) questions a slate: 20 for 5 items.
    """

    of: Annotated[pvd.Teacher, "who compares"]

    def questions(self, slate: pvd.Slate) -> Sequence[pvd.Question]:
        return [
            pvd.Question(self.of, pvd.Slate(slate.persona, pair, slate.repeat))
            for pair in permutations(slate.items, 2)
        ]

    def combine(self, slate: pvd.Slate, rankings: Sequence[pvd.Ranking]) -> pvd.Ranking:
        won = [0.0] * len(slate.items)
        for pair, ranking in zip(permutations(range(len(slate.items)), 2), rankings, strict=True):
            first, second = ranking.ranks(2)
            if first is None or second is None or first == second:
                won[pair[0]] += 0.5
                won[pair[1]] += 0.5
            else:
                won[pair[0] if first < second else pair[1]] += 1.0
        return pvd.Ranking.from_utilities(won)


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("pairwise", Pairwise)

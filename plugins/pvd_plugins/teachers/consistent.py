"""Permutation self-consistency: another teacher is asked in several orders, and the mean counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import pvd
from pvd import kit


@dataclass(kw_only=True)
class Consistent(pvd.CompositeTeacher):
    """Asks `of` about each slate in `orders` shuffled orders and ranks by mean rank (Borda).

    Averages out position bias and part of the noise, at `orders` times the price
    (Tang et al., "Found in the Middle", arXiv 2310.07712).
    """

    of: Annotated[pvd.Teacher, "the teacher that is asked"]
    orders: Annotated[int, "how many times each slate is asked"] = 3

    def __post_init__(self) -> None:
        if self.orders < 1:
            raise ValueError(f"orders must be at least 1, not {self.orders}")

    def questions(self, slate: pvd.Slate) -> Sequence[pvd.Question]:
        return [
            pvd.Question(
                self.of,
                pvd.Slate(slate.persona, tuple(slate.items[p] for p in order), slate.repeat),
            )
            for order in self._permutations(slate)
        ]

    def combine(self, slate: pvd.Slate, rankings: Sequence[pvd.Ranking]) -> pvd.Ranking:
        size = len(slate.items)
        ranks: list[list[int]] = [[] for _ in range(size)]
        for order, ranking in zip(self._permutations(slate), rankings, strict=True):
            for shown, rank in enumerate(ranking.ranks(size)):
                if rank is not None:
                    ranks[order[shown]].append(rank)
        # What no order placed stays unknown: to call it worse would be our invention.
        means = {p: sum(found) / len(found) for p, found in enumerate(ranks) if found}
        tiers = tuple(
            tuple(p for p, other in means.items() if other == value)
            for value in sorted(set(means.values()))
        )
        whole = len(means) == size
        utilities = tuple(-means[p] for p in range(size)) if whole else None
        return pvd.Ranking(tiers, utilities=utilities, kind="score" if whole else None)

    def utilities(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> Sequence[float] | None:
        return self.of.utilities(persona, items)

    def _permutations(self, slate: pvd.Slate) -> list[list[int]]:
        """The first is the slate's own order, the others depend on who asks about what."""
        found = [list(range(len(slate.items)))]
        ids = [item.id for item in slate.items]
        for number in range(1, self.orders):
            order = list(found[0])
            lot = kit.stream("consistent", self.seed, number, slate.persona.id, slate.repeat, *ids)
            lot.shuffle(order)
            # The same order again would bring the same answer again; a pair has only two.
            while order in found and len(found) < math.factorial(len(order)):
                lot.shuffle(order)
            found.append(order)
        return found


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("consistent", Consistent)

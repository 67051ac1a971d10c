"""Several teachers rank each slate together, and each counts by how much it agrees with itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import pvd
from pvd import kit
from pvd_plugins.teachers import aggregation, orders

# Comparisons that equal weights count for. The agreement measured on one slate has a variance of
# about 1.3 / n (two orders, simulated), and teachers are assumed to differ in theirs by about 0.25:
# 1.3 / 0.25^2.
PRIOR = 20


@dataclass(kw_only=True)
class Ensemble(pvd.CompositeTeacher):
    """Asks every one of `members` about each slate in `orders` orders, the same for all.

    An item's utility is the weighted share of its comparisons with the other items that it wins,
    minus what it loses: 1 if everybody puts it above all others, -1 below, near 0 what they
    disagree about (kind "score"). Without `weights` a member's weight on a slate is

        w = (n a / sum of all a + PRIOR / M) / (n + PRIOR)

    where a is the mean Kendall's tau-b between its own orders of this slate, at least 0, n the
    comparisons that this rests on, (orders - 1) x pairs of items, M the number of members, and
    PRIOR = 20: of two orders of five items (n = 10) a third of the weight is earned, two thirds
    are equal. With simulated members that gained .03 to .06 of Kendall's tau where their noise
    differed three- to sixfold, and lost .00 to .01 where they were alike; docs/teachers.md has the
    other cases. To agree with oneself is not to be right: a stubborn member earns weight, and one
    with a favourite place loses it where as many orders as items would cancel that anyway.
    `weights` are for who knows better, for instance from `pvd audit`.

    `attributes["members"]` keep what each one said: label, weight, agreement, and the tiers of
    its own mean rank over its orders, as positions of the slate.
    """

    members: Annotated[tuple[pvd.Teacher, ...], "the teachers that are asked"]
    orders: Annotated[int, kit.AtLeast(1), "how many times each member is asked about a slate"] = 2
    weights: Annotated[
        tuple[float, ...],
        kit.Above(0),
        "of the members, in their order; by their self-agreement if none",
    ] = ()

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError('members must name a teacher or more, such as ["gemini", "claude"]')
        if len({id(member) for member in self.members}) < len(self.members):
            raise ValueError("members has one teacher twice; make another one, it needs its seed")
        if self.weights and len(self.weights) != len(self.members):
            raise ValueError(
                f"weights has {len(self.weights)} numbers for {len(self.members)} members"
            )

    def questions(self, slate: pvd.Slate) -> Sequence[pvd.Question]:
        found = [orders.shown(slate, order) for order in self._orders(slate)]
        return [pvd.Question(member, one) for member in self.members for one in found]

    def combine(self, slate: pvd.Slate, rankings: Sequence[pvd.Ranking]) -> pvd.Ranking:
        shown, size = self._orders(slate), len(slate.items)
        answers = [
            orders.said(shown, rankings[start : start + len(shown)])
            for start in range(0, len(rankings), len(shown))
        ]
        agreements = [orders.agreement(own) for own in answers]
        weights = self._weights(agreements, size)
        every = [ranks for own in answers for ranks in own]
        heavy = [weight for weight in weights for _ in shown]
        together = aggregation.ranking(aggregation.comparisons(every, heavy), size, "score")
        members = [
            {
                "label": member.label,
                "weight": orders.rounded(weight),
                "agreement": orders.rounded(agreement),
                "tiers": _tiers(own, size),
            }
            for member, weight, agreement, own in zip(
                self.members, weights, agreements, answers, strict=True
            )
        ]
        return replace(together, attributes={"members": members})

    def utilities(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> Sequence[float] | None:
        """The members' own if all know theirs: the mean, by `weights` where they are given."""
        found = []
        for member in self.members:
            known = member.utilities(persona, items)
            if known is None:
                return None
            found.append(known)
        weights = self._weights([None] * len(found), len(items))
        return [
            math.fsum(weight * own for weight, own in zip(weights, row, strict=True))
            for row in zip(*found, strict=True)
        ]

    def _weights(self, agreements: Sequence[float | None], size: int) -> list[float]:
        """The members' weights, which add up to 1."""
        if self.weights:
            return [weight / math.fsum(self.weights) for weight in self.weights]
        equal = 1 / len(self.members)
        known = [agreement for agreement in agreements if agreement is not None]
        # Who cannot be compared with himself is taken for one like the others.
        mean = math.fsum(known) / max(len(known), 1)
        earned = [max(mean if found is None else found, 0.0) for found in agreements]
        total = math.fsum(earned)
        if not total:
            return [equal] * len(self.members)
        rests_on = (self.orders - 1) * math.comb(size, 2)
        return [(rests_on * own / total + PRIOR * equal) / (rests_on + PRIOR) for own in earned]

    def _orders(self, slate: pvd.Slate) -> list[list[int]]:
        return orders.balanced(slate, self.orders, self.seed)


def _tiers(answers: Sequence[orders.Ranks], size: int) -> list[list[int]]:
    """By the mean rank, as JSON knows them."""
    return [list(t) for t in aggregation.ranking(aggregation.borda(answers), size, "score").tiers]


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("ensemble", Ensemble)

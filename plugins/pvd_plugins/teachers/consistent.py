"""Permutation self-consistency: another teacher is asked in several orders, and all count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import pvd
from pvd import kit
from pvd_plugins.teachers import aggregation, orders
from pvd_plugins.teachers.aggregation import LARGEST


@dataclass(kw_only=True)
class Consistent(pvd.CompositeTeacher):
    """Asks `of` about each slate in `orders` orders, and makes one ranking of the answers.

    Averages out position bias and part of the noise, at `orders` times the price
    (Tang et al., "Found in the Middle", arXiv 2310.07712). The utilities say how sure the orders
    are: items that change places from order to order end up near each other, those that never do
    far apart. With `borda` they are minus the mean rank, with `kemeny` they fall by one for
    neighbours that no order disputes (kind "score"), with `plackett-luce` they are the log
    probability of being the best of the slate (kind "logprob"). `attributes` keep the `agreement`
    (Kendall's tau-b, mean over pairs of orders) and what each of the `orders` said: tiers of the
    slate's own positions.

    `balanced` is off by default, since other orders are other questions: what is in a store for the
    random ones would be asked again.
    """

    of: Annotated[pvd.Teacher, "the teacher that is asked"]
    orders: Annotated[int, kit.AtLeast(1), "how many times each slate is asked"] = 3
    method: Annotated[
        Literal["borda", "kemeny", "plackett-luce"],
        "by mean rank, by the fewest contradictions (6 items at most), or by a fitted model",
    ] = "borda"
    balanced: Annotated[
        bool, "each item once at each place in every K orders of K items, instead of by lot"
    ] = False

    def questions(self, slate: pvd.Slate) -> Sequence[pvd.Question]:
        if self.method == "kemeny" and len(slate.items) > LARGEST:
            raise kit.BadInput(
                f"The method kemeny tries all orders of at most {LARGEST} items, and a slate has "
                f"{len(slate.items)}; lower train.size or exam.group, or set method=borda."
            )
        return [pvd.Question(self.of, orders.shown(slate, order)) for order in self._orders(slate)]

    def combine(self, slate: pvd.Slate, rankings: Sequence[pvd.Ranking]) -> pvd.Ranking:
        answers, size = orders.said(self._orders(slate), rankings), len(slate.items)
        if self.method == "borda":
            found = aggregation.ranking(aggregation.borda(answers), size, "score")
        elif self.method == "kemeny":
            found = aggregation.ranking(aggregation.kemeny(answers), size, "score")
        else:
            found = aggregation.ranking(aggregation.plackett_luce(answers), size, "logprob")
        return replace(
            found,
            attributes={
                "agreement": orders.rounded(orders.agreement(answers)),
                "orders": [orders.tiers(ranks) for ranks in answers],
            },
        )

    def utilities(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> Sequence[float] | None:
        return self.of.utilities(persona, items)

    def _orders(self, slate: pvd.Slate) -> list[list[int]]:
        """The first is the slate's own, the others depend on who asks about what."""
        draw = orders.balanced if self.balanced else orders.by_lot
        return draw(slate, self.orders, self.seed)


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("consistent", Consistent)

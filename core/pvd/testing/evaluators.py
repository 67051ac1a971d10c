"""The contract of an evaluator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pvd.isolation import checks
from pvd.protocols import Evaluator
from pvd.records import Estimate, Exam
from pvd.testing.contract import Contract, called, check
from pvd.testing.demands import require, skip
from pvd.testing.given import hint
from pvd.testing.material import exam

if TYPE_CHECKING:
    from torch import Tensor

MANY = 400  # personas among whom a ranking by lot comes near to chance
FAR = 6.0  # standard errors from chance that no lot reaches


class EvaluatorContract(Contract[Evaluator]):
    """An evaluator returns numbers by name, higher is better, each inside its interval, the same
    ones in whatever order personas and items come."""

    kind: ClassVar[str] = "evaluator"
    roles: ClassVar[tuple[str, ...]] = ("items", "personas")

    def exam(
        self, personas: int | None = None, items: int | None = None, *, utilities: bool = True
    ) -> Exam:
        """A sitting of so many personas and items, else of all; of your own at most as many as
        `personas` and `items` return. Scores, and the judge's utilities, are drawn by lot."""
        people = self.personas() if personas is None else self._people(personas)
        shelf = self.items() if items is None else self._shelf(items)
        sat = exam(len(people), len(shelf), utilities=utilities)
        return replace(sat, personas=tuple(people), items=tuple(shelf))

    @classmethod
    def _drawn(cls) -> list[str]:
        return super()._drawn() if cls.exam is EvaluatorContract.exam else []

    def use(self, component: Evaluator) -> None:
        component.evaluate(self.exam())

    @check
    def test_estimates(self) -> None:
        """gives estimates by name, each inside its interval"""
        evaluator, known = self.component(), set[str]()
        base = type(self).exam is EvaluatorContract.exam
        own = base and len(self._drawn()) < len(self.roles)  # all of them are a size to try, too
        for sizes in ((4, 12), (1, 2), (3, 40), *[(None, None)] * own):
            for utilities in (True, False):
                sat = self.exam(*sizes, utilities=utilities)
                what = f"evaluate() for {len(sat.personas)} personas and {len(sat.items)} items"
                if not utilities:
                    what += " without utilities (the judge of most exams has none)"
                found = called(what, evaluator.evaluate, sat)
                called(what, checks.estimates, evaluator, found)
                for name, one in found.items():
                    _check(name, one)
                known |= found.keys()
        known = known or set(evaluator.evaluate(self.exam(MANY, 20)))
        drawn = hint(self._drawn())
        require(
            known,
            "evaluate() returns no number for any exam, with utilities or without; "
            + (f"if it needs what its records lack: {drawn}" if drawn else "bring some it knows"),
        )

    @check
    def test_values(self) -> None:
        """gives the values that each number is the mean of, one a persona, or none"""
        evaluator, sat = self.component(), self.exam()
        other = evaluator.evaluate(replace(sat, scores=-sat.scores))
        for name, one in evaluator.evaluate(sat).items():
            if not one.values:
                continue
            require(
                len(one.values) == len(sat.personas),
                f"{name} has {len(one.values)} values for {len(sat.personas)} personas; give one "
                "for each in their order, None for whom there is none: systems are compared "
                "persona by persona",
            )
            known = _known_values(one)
            mean = math.fsum(known) / max(len(known), 1)
            require(
                math.isclose(mean, one.value, rel_tol=1e-6, abs_tol=1e-9),
                f"{name} is {one.value:g}, and the mean of its values {mean:g}; the gain over "
                "another system would not be the difference of the two",
            )
            there = other[name].values if name in other else one.values
            require(
                [v is None for v in one.values] == [v is None for v in there],
                f"{name} has no value for some personas, and with other scores for others; who has "
                "one may not depend on the scores, else a gain is over a choice of personas",
            )

    @check
    def test_higher_is_better(self) -> None:
        """is no lower for the judge's own ranking than for the reverse"""
        evaluator, sat = self.component(), self.exam()
        best = evaluator.evaluate(replace(sat, scores=_known(sat)))
        worst = evaluator.evaluate(replace(sat, scores=-_known(sat)))
        other = evaluator.evaluate(_judged_otherwise(replace(sat, scores=_known(sat))))
        own = [n for n, one in best.items() if n in other and other[n].value == one.value]
        for name, one in best.items():
            require(
                name in worst,
                f"{name} is there for one system and not for another; names may depend on the "
                "exam, not on the scores",
            )
            require(
                one.value >= worst[name].value or name in own,
                f"{name} is {one.value:g} for the judge's own ranking and {worst[name].value:g} "
                "for the reverse; turn its sign, higher is better",
            )
        if own:
            skip(
                f"{', '.join(own)} does not depend on the judge, so that a check cannot tell which "
                "end is the better one"
            )

    @check
    def test_order_of_items(self) -> None:
        """is the same whatever the order of the items"""
        self._unmoved("items", lambda sat: shown(sat, range(len(sat.personas)), _turned(sat.items)))

    @check
    def test_order_of_personas(self) -> None:
        """is the same whatever the order of the personas"""
        self._unmoved(
            "personas", lambda sat: shown(sat, _turned(sat.personas), range(len(sat.items)))
        )

    def _unmoved(self, what: str, turn: Any) -> None:
        evaluator, sat = self.component(), self.exam()
        here, there = evaluator.evaluate(sat), evaluator.evaluate(turn(sat))
        for name, one in here.items():
            other = there[name].value if name in there else math.nan
            require(
                math.isclose(one.value, other, rel_tol=1e-6, abs_tol=1e-9),
                f"{name} is {one.value:g}, and {other:g} with the {what} in another order, which "
                "means nothing",
            )

    @check
    def test_values_in_order(self) -> None:
        """gives its values in the order of the personas"""
        evaluator, sat = self.component(), self.exam()
        # Nobody can be told from the last one by the text.
        people = (*sat.personas[:-1], replace(sat.personas[-1], text=sat.personas[0].text))
        sat, order = replace(sat, personas=people), _turned(people)
        here = evaluator.evaluate(sat)
        there = evaluator.evaluate(shown(sat, order, range(len(sat.items))))
        for name, one in here.items():
            found = there[name].values if name in there else ()
            if len(one.values) == len(found) == len(people):
                pairs = zip(found, (one.values[place] for place in order), strict=True)
                require(
                    all(_alike(*pair) for pair in pairs),
                    f"the values of {name} are not in the order of exam.personas: with these in "
                    "another order they do not go along; systems are compared persona by persona",
                )

    @check
    def test_repeats(self) -> None:
        """gives the same numbers for the same exam"""
        evaluator = self.component()
        first, second = (evaluator.evaluate(self.exam()) for _ in range(2))
        require(
            dict(first) == dict(second),
            "the same exam has other numbers the second time; take what is drawn from exam.seed, "
            "as pvd.kit.mean does",
        )

    @check
    def test_ties(self) -> None:
        """is finite where all scores are equal"""
        import torch

        evaluator, sat = self.component(), self.exam()
        flat = replace(sat, scores=torch.zeros_like(sat.scores))
        what = "evaluate() where all scores are equal"
        found = called(what, evaluator.evaluate, flat)
        for name, one in called(what, checks.estimates, evaluator, found).items():
            _check(f"{name}, where all scores are equal,", one)

    @check
    def test_changes_nothing(self) -> None:
        """leaves the exam as it is"""
        evaluator, sat = self.component(), self.exam()
        scores, utilities = sat.scores.clone(), _known(sat).clone()
        evaluator.evaluate(sat)
        for name, one, before in (
            ("scores", sat.scores, scores),
            ("utilities", _known(sat), utilities),
        ):
            require(
                one.equal(before),
                f"it changes exam.{name}, which every other evaluator reads; work on a .clone()",
            )

    @check
    def test_chance(self) -> None:
        """says truly what a ranking by lot gets, if it says so"""
        evaluator, sat = self.component(), self.exam(MANY, 20)
        said = evaluator.chance(len(sat.items))
        if not said:
            skip("it does not say what a ranking by lot gets")
        values: dict[str, list[float]] = {name: [] for name in said}
        for lot in range(1 + MANY // len(sat.personas)):  # of few people, often
            for name, one in evaluator.evaluate(_by_lot(sat, lot)).items():
                if name in values and len(values[name]) < MANY:
                    values[name] += _known_values(one)
        for name, chance in said.items():
            if len(values[name]) < MANY:
                continue
            mean = math.fsum(values[name]) / len(values[name])
            spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values[name])) / MANY
            require(
                abs(mean - chance) <= FAR * spread + 1e-9,
                f"chance() says {chance:g} for {name}, and a ranking by lot gets {mean:g} "
                f"among {len(sat.items)} items ({len(values[name])} personas)",
            )


def _by_lot(sat: Exam, lot: int) -> Exam:
    """The same exam with other scores by lot; those that it has, for the first."""
    if not lot:
        return sat
    import torch

    rng = torch.Generator().manual_seed(lot)
    drawn = torch.rand(sat.scores.shape, generator=rng, dtype=sat.scores.dtype)
    return replace(sat, scores=drawn)


def _judged_otherwise(sat: Exam) -> Exam:
    """The same exam with a judge who likes best what this one likes least."""
    turned = -_known(sat)
    return replace(sat, winners=tuple(int(row.argmax()) for row in turned), utilities=turned)


def shown(sat: Exam, people: Sequence[int], shelf: Sequence[int]) -> Exam:
    """The same exam with personas and items in another order."""
    rows, columns = list(people), list(shelf)
    return replace(
        sat,
        personas=tuple(sat.personas[row] for row in rows),
        items=tuple(sat.items[column] for column in columns),
        scores=sat.scores[rows][:, columns],
        winners=tuple(columns.index(sat.winners[row]) for row in rows),
        utilities=_known(sat)[rows][:, columns],
    )


def _known_values(one: Estimate) -> list[float]:
    """Of those personas that have one."""
    return [value for value in one.values if value is not None]


def _alike(one: float | None, other: float | None) -> bool:
    """The same value, or none in both."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)


def _turned(members: Sequence[Any]) -> list[int]:
    return [*range(2, len(members)), 1, 0]


def _known(sat: Exam) -> Tensor:
    assert sat.utilities is not None
    return sat.utilities


def _check(name: str, one: Estimate) -> None:
    """What a run would show all the same, and its reader could make nothing of."""
    require(
        one.low <= one.value <= one.high,
        f"{name} is {one.value:g}, outside its interval {one.low:g} to {one.high:g}",
    )
    require(
        one.over.strip(),
        f"{name} does not say what its interval is over; set Estimate.over, such as "
        "'60 personas, given one trained student'",
    )

"""Each check of an evaluator, and evaluators that it catches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest
from caught import Broken, assert_caught, own_checks, verdicts, wrong

import pvd
from pvd import kit
from pvd.testing import EvaluatorContract, exam

OVER = "the personas, given one student"


@dataclass(kw_only=True)
class Rank(pvd.Evaluator):
    """The percentile rank of the winner."""

    def ranks(self, exam: pvd.Exam) -> list[float]:
        """Of each persona's winner."""
        found = kit.percentile_ranks(exam.scores)
        return [float(row[winner]) for row, winner in zip(found, exam.winners, strict=True)]

    def plain(self, values: Sequence[float]) -> pvd.Estimate:
        """A number without the values that it is made of."""
        return replace(kit.mean(values, 0, OVER), low=-1e9, high=1e9, values=())

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return {"rank": kit.mean(self.ranks(exam), exam.seed, OVER)}

    def chance(self, items: int) -> Mapping[str, float]:
        return {"rank": 50 + 50 / items}


class Bare(Rank):
    """Returns plain numbers."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return {"rank": sum(self.ranks(exam))}  # type: ignore[dict-item]


class Knowing(Rank):
    """Takes every judge for one that knows utilities."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        best = exam.utilities.argmax(1)  # type: ignore[union-attr]
        return super().evaluate(replace(exam, winners=tuple(best.tolist())))


class Outside(Rank):
    """Has its interval somewhere else."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return {"rank": replace(self.plain(self.ranks(exam)), low=1e9)}


class Silent(Rank):
    """Does not say what the interval is over."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return {"rank": replace(self.plain(self.ranks(exam)), over=" ")}


class Shares(Rank):
    """Has values in other units than the number."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        ranks = self.ranks(exam)
        shares = tuple(rank / 100 for rank in ranks)
        return {"rank": replace(kit.mean(ranks, 0, OVER), values=shares)}

    def chance(self, items: int) -> Mapping[str, float]:
        return {}


class Pooled(Rank):
    """Has values of something else than personas."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return {"rank": kit.mean(self.ranks(exam) * 2, exam.seed, OVER)}


class LeftOut(Rank):
    """Leaves out who has no value, so that nobody knows whose values these are."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        rows = zip(self.ranks(exam), exam.personas, strict=True)
        values = [rank for rank, persona in rows if not persona.id.endswith("1")]
        return {"rank": kit.mean(values, exam.seed, OVER)} if values else {}


class Choosy(Rank):
    """Has no value for whom the student does badly."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        ranks = self.ranks(exam)
        values = [rank if rank >= max(ranks) / 2 else None for rank in ranks]
        return {"rank": kit.mean(values, exam.seed, OVER)}

    def chance(self, items: int) -> Mapping[str, float]:
        return {}


class Partial(Rank):
    """Has no value for some personas, whatever the student does."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        rows = zip(self.ranks(exam), exam.personas, strict=True)
        values = [None if persona.id.endswith("1") else rank for rank, persona in rows]
        return {"rank": kit.mean(values, exam.seed, OVER)} if any(values) else {}


class Lower(Rank):
    """Is lower for the better."""

    def ranks(self, exam: pvd.Exam) -> list[float]:
        return [100 - rank for rank in super().ranks(exam)]

    def chance(self, items: int) -> Mapping[str, float]:
        return {}


class EarlyItems(Rank):
    """Likes winners that stand early in the catalogue."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return {
            "rank": self.plain([r - w for r, w in zip(self.ranks(exam), exam.winners, strict=True)])
        }


class EarlyPersonas(Rank):
    """Minds the first personas most."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return {"rank": self.plain([r / (1 + n) for n, r in enumerate(self.ranks(exam))])}


class ById(Rank):
    """Brings its values into the order of the ids."""

    def ranks(self, exam: pvd.Exam) -> list[float]:
        ids = [persona.id for persona in exam.personas]
        return [rank for _, rank in sorted(zip(ids, super().ranks(exam), strict=True))]


class ByValue(Rank):
    """Brings its values into an order of their own."""

    def ranks(self, exam: pvd.Exam) -> list[float]:
        return sorted(super().ranks(exam))


class ByText(Rank):
    """Brings the values together of those who say the same."""

    def ranks(self, exam: pvd.Exam) -> list[float]:
        texts = [persona.text for persona in exam.personas]
        rows = zip(texts, super().ranks(exam), strict=True)
        return [rank for _, rank in sorted(rows, key=lambda row: texts.index(row[0]))]


class Moody(Rank):
    """Has a generator of its own."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return {"rank": self.plain([r + Random().random() / 1e9 for r in self.ranks(exam)])}


class Standard(Rank):
    """Divides by the spread of the scores."""

    def ranks(self, exam: pvd.Exam) -> list[float]:
        each = zip(exam.scores, exam.winners, strict=True)
        return [float((row[winner] - row.mean()) / row.std()) for row, winner in each]

    def chance(self, items: int) -> Mapping[str, float]:
        return {}


class Doubling(Rank):
    """Works in place."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        exam.scores.mul_(2)
        return super().evaluate(exam)


class Hopeful(Rank):
    """Thinks that half is chance, of two items as of many."""

    def chance(self, items: int) -> Mapping[str, float]:
        return {"rank": 35.0}


class Mute(Rank):
    """Returns nothing, whatever the exam."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return {}


class Material(Rank):
    """Looks at catalogues that know of what their things are made."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return super().evaluate(exam) if "material" in exam.items[0].attributes else {}


class Crowd(Rank):
    """Says something of many personas alone."""

    def evaluate(self, exam: pvd.Exam) -> Mapping[str, pvd.Estimate]:
        return super().evaluate(exam) if len(exam.personas) > 100 else {}


BROKEN = [
    ("test_estimates", Broken(Bare, r"it returned \S+ for 'rank' .* names to pvd.Estimate", None)),
    ("test_estimates", Broken(Knowing, r"without utilities \(the judge of most exams has none\)")),
    ("test_estimates", Broken(Outside, "outside its interval", ("test_ties",))),
    ("test_estimates", Broken(Silent, "what its interval is over; set Est", ("test_ties",))),
    (
        "test_estimates",
        Broken(Mute, "returns no number for any exam, .* are drawn, and have only .*--cata"),
    ),
    ("test_values", Broken(Shares, r"rank is \S+, and the mean of its values 0\.\d+")),
    ("test_values", Broken(Pooled, "has 8 values for 4 personas")),
    ("test_values", Broken(LeftOut, "3 values for 4 personas; .* None for whom there is none")),
    ("test_values", Broken(Choosy, "who has one may not depend on the scores")),
    ("test_higher_is_better", Broken(Lower, "turn its sign, higher is better")),
    ("test_order_of_items", Broken(EarlyItems, "with the items in another order")),
    ("test_order_of_personas", Broken(EarlyPersonas, "with the personas in another order")),
    ("test_values_in_order", Broken(ById, "the values of rank are not in the order of exam.pers")),
    ("test_values_in_order", Broken(ByValue, "in another order they do not go along")),
    ("test_values_in_order", Broken(ByText, "systems are compared persona by persona")),
    ("test_repeats", Broken(Moody, "take what is drawn from exam.seed")),
    ("test_ties", Broken(Standard, "where all scores are equal: it returned 'rank' = nan")),
    ("test_changes_nothing", Broken(Doubling, "it changes exam.scores, which every other")),
    ("test_chance", Broken(Hopeful, r"chance\(\) says 35 for rank, and a ranking by lot gets 5")),
]


@pytest.mark.parametrize(("check", "broken"), BROKEN, ids=lambda one: getattr(one, "message", one))
def test_it_is_caught(check: str, broken: Broken) -> None:
    assert_caught(EvaluatorContract, check, broken)


def test_every_check_catches_something() -> None:
    assert {check for check, _ in BROKEN} == own_checks(EvaluatorContract)


def test_a_good_one_passes() -> None:
    assert not wrong(verdicts(EvaluatorContract, Rank))


def test_one_without_a_value_for_some_passes() -> None:
    assert None in Partial().evaluate(exam(4, 12))["rank"].values
    assert not wrong(verdicts(EvaluatorContract, Partial))


def test_one_that_says_something_of_many_personas_alone_passes() -> None:
    assert not wrong(verdicts(EvaluatorContract, Crowd))


def test_an_author_brings_records_of_their_own() -> None:
    def wooden(self: EvaluatorContract, *counts: int, utilities: bool = True) -> pvd.Exam:
        sat = exam(*counts, utilities=utilities)
        items = [replace(item, attributes={"material": "wood"}) for item in sat.items]
        return replace(sat, items=tuple(items))

    found = verdicts(EvaluatorContract, Material)
    assert "personas(self) in a test class" in wrong(found)["test_estimates"]
    assert not wrong(verdicts(EvaluatorContract, Material, exam=wooden))
    found = verdicts(EvaluatorContract, lambda: Standard(), exam=wooden)
    assert "where all scores are equal: it returned 'rank' = nan" in wrong(found)["test_ties"]

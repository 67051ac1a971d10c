"""Several teachers together: what they are asked, how each counts, and what is kept of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any, ClassVar

import pytest
import torch

import pvd
from pvd import Item, Judgment, Persona, Ranking, Slate, Teacher
from pvd.asking import Desk, opened
from pvd.settings import AskSettings
from pvd.store import Store
from pvd.streams import stream
from pvd_plugins.evaluators.grades import kendall
from pvd_plugins.teachers.consistent import Consistent
from pvd_plugins.teachers.ensemble import PRIOR, Ensemble
from pvd_plugins.teachers.simulated import Simulated

SHELF = tuple(Item(f"i{n}", Path("none.png"), attributes={"number": str(n)}) for n in range(5))


def persona(number: int) -> Persona:
    """Somebody whose utilities are 0, 1 .. 4 in some order."""
    order = list(range(5))
    stream("tastes", number).shuffle(order)
    tastes = {f"number={n}": float(utility) for n, utility in enumerate(order)}
    return Persona(f"p{number}", "somebody", {"tastes": tastes})


SLATES = [Slate(persona(number), SHELF) for number in range(40)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Store(tmp_path / "answers.sqlite") as store:
        yield Desk(store)


def judged(desk: Desk, teacher: Teacher, slates: Sequence[Slate] = SLATES) -> list[Judgment]:
    with opened(teacher, seed=3) as ready:
        found = desk.judgments(ready, len(slates), lambda number, attempt: slates[number])
    assert None not in found
    return [judgment for judgment in found if judgment]


def agreement(judgments: Sequence[Judgment]) -> float:
    """Kendall's tau with the truth, mean over slates."""
    return mean(
        kendall(
            torch.tensor(judgment.ranking.utilities),
            torch.tensor(Simulated().utilities(judgment.slate.persona, SHELF)),
        )
        for judgment in judgments
    )


@dataclass(kw_only=True)
class Said(pvd.Teacher):
    """Says what it was told to say, about `abcd`, one order after the other; each is tiers."""

    answers: tuple[str, ...] = ()

    def tiers(self, number: int, slate: Slate) -> Ranking:
        place = {item.id: position for position, item in enumerate(slate.items)}
        said = self.answers[number].split()
        return Ranking(tuple(tuple(place[name] for name in tier) for tier in said))


ABCD = Slate(persona(0), tuple(Item(name, Path("none.png")) for name in "abcd"))


def combined(*members: Sequence[str], weights: tuple[float, ...] = ()) -> Ranking:
    """What becomes of each member's answers to its orders of a, b, c and d: "a b cd" ties c, d."""
    made = tuple(Said(answers=tuple(answers)) for answers in members)
    teacher = Ensemble(members=made, orders=len(members[0]), weights=weights)
    counts = {id(member): 0 for member in made}
    rankings = []
    for question in teacher.questions(ABCD):
        assert isinstance(question.teacher, Said)
        number = counts[id(question.teacher)]
        rankings.append(question.teacher.tiers(number, question.slate))
        counts[id(question.teacher)] += 1
    return teacher.combine(ABCD, rankings)


def weights_of(ranking: Ranking) -> list[float]:
    return [member["weight"] for member in ranking.attributes["members"]]


# --- the questions --------------------------------------------------------------------------------


@pytest.mark.parametrize(("members", "orders"), [(1, 2), (2, 1), (3, 2), (2, 5)])
def test_each_member_is_asked_in_so_many_orders(desk: Desk, members: int, orders: int) -> None:
    teacher = Ensemble(members=tuple(Simulated() for _ in range(members)), orders=orders)

    judged(desk, teacher)

    assert desk.usage.asked == members * orders * len(SLATES)
    questions = teacher.questions(SLATES[0])
    shown = [[item.id for item in question.slate.items] for question in questions]
    assert [q.teacher for q in questions] == [m for m in teacher.members for _ in range(orders)]
    assert shown == shown[:orders] * members, "all see the same orders"
    assert shown[0] == [item.id for item in SHELF]
    for place in zip(*shown[:orders], strict=True):
        assert len(set(place)) == orders, "no item is twice at a place"


def test_two_members_of_one_name_have_seeds_of_their_own(desk: Desk) -> None:
    teacher = Ensemble(members=(Simulated(), Simulated()), orders=2)

    (judgment,) = judged(desk, teacher, SLATES[:1])

    one, two = teacher.members
    assert one.seed != two.seed
    with opened(teacher, seed=3):
        assert one.request(SLATES[0]).digest != two.request(SLATES[0]).digest
    assert [m["label"] for m in judgment.ranking.attributes["members"]] == [one.label] * 2


def test_a_member_is_asked_what_it_would_be_asked_alone(desk: Desk) -> None:
    """So that an answer that was paid for another teacher's run is not paid again."""
    one, two = Simulated(), Simulated(noise=2.0)
    ensemble = Ensemble(members=(one, two))
    judged(desk, ensemble)
    asked = desk.usage.asked

    for member in (one, two):
        desk.judgments(member, len(SLATES), lambda number, attempt: SLATES[number])

    assert desk.usage.asked == asked
    assert desk.usage.cached == 2 * len(SLATES)


# --- how each counts ------------------------------------------------------------------------------


def test_the_weights_are_those_of_the_formula() -> None:
    # The first agrees with itself in all of six pairs, the second in five of six: tau 1 and 2/3.
    ranking = combined(["a b c d", "a b c d"], ["a b c d", "b a c d"])

    earned, equal = 6 / (6 + PRIOR), PRIOR / (6 + PRIOR)
    assert weights_of(ranking) == pytest.approx(
        [earned * 3 / 5 + equal / 2, earned * 2 / 5 + equal / 2], abs=1e-4
    )
    assert [m["agreement"] for m in ranking.attributes["members"]] == pytest.approx(
        [1, 2 / 3], abs=1e-4
    )


def test_more_orders_earn_more_of_the_weight() -> None:
    weights = [
        weights_of(combined(["a b c d"] * orders, ["a b c d", "b a d c"] * (orders // 2)))[0]
        for orders in (2, 4, 8)
    ]

    assert all(0.5 < fewer < more < 1 for fewer, more in pairwise(weights))


@pytest.mark.parametrize(
    "members",
    [
        # Nothing to compare, nothing that speaks for anybody, or all alike.
        (["a b c d"], ["d c b a"], ["a b c d"]),
        (["a b c d", "d c b a"], ["abcd", "abcd"], ["a b c d", "d c b a"]),
        (["a b c d", "b a c d"], ["d c b a", "c d b a"], ["b c d a", "c b d a"]),
    ],
)
def test_who_cannot_be_told_apart_counts_alike(members: Sequence[Sequence[str]]) -> None:
    assert weights_of(combined(*members)) == pytest.approx([1 / 3] * 3, abs=1e-4)


def test_who_ties_everything_is_taken_for_one_like_the_others() -> None:
    one, two, silent = weights_of(
        combined(["a b c d", "a b c d"], ["a b c d", "b a c d"], ["abcd", "abcd"])
    )

    assert two < silent < one
    assert silent == pytest.approx(1 / 3, abs=1e-4)


def test_weights_that_are_given_count_as_they_are() -> None:
    ranking = combined(["a b c d", "a b c d"], ["d c b a", "d c b a"], weights=(3.0, 1.0))

    assert weights_of(ranking) == [0.75, 0.25]
    # a wins 3 of 4 comparisons by weight with each of the others, and loses 1.
    assert ranking.utilities == pytest.approx([1 / 2, 1 / 6, -1 / 6, -1 / 2], abs=1e-6)
    assert ranking.kind == "score"


@pytest.mark.parametrize(
    ("members", "utilities", "tiers"),
    [
        ((["a b c d"], ["a b c d"]), [1, 1 / 3, -1 / 3, -1], ((0,), (1,), (2,), (3,))),
        ((["a b c d"], ["d c b a"]), [0, 0, 0, 0], ((0, 1, 2, 3),)),
        # A tie is a comparison that nobody wins.
        ((["a b c d"], ["ab cd"]), [5 / 6, 1 / 2, -1 / 2, -5 / 6], ((0,), (1,), (2,), (3,))),
        # The second says nothing of d: the first alone does. It turns a, b and c round.
        ((["a b c d"], ["c b a"]), [1 / 3, 1 / 3, 1 / 3, -1], ((0, 1, 2), (3,))),
        # Nobody placed d.
        ((["a b c"], ["a c b"]), None, ((0,), (1, 2))),
    ],
)
def test_the_comparisons_that_are_won_count(
    members: Sequence[Sequence[str]],
    utilities: list[float] | None,
    tiers: tuple[tuple[int, ...], ...],
) -> None:
    ranking = combined(*members)

    assert ranking.tiers == tiers
    assert ranking.utilities == (utilities and pytest.approx(utilities, abs=1e-6))


def test_the_more_weight_agrees_the_farther_apart() -> None:
    gaps = []
    for weight in (0.5, 1.0, 2.0, 4.0):
        ranking = combined(["a b c d"], ["b a c d"], weights=(weight, 1.0))
        assert ranking.utilities is not None
        gaps.append(ranking.utilities[0] - ranking.utilities[1])

    assert gaps[1] == 0
    assert all(low < high for low, high in pairwise(gaps))


def test_what_each_one_said_is_kept() -> None:
    ranking = combined(["a b c d", "a b d c"], ["d c ab", "d c b a"])

    first, second = ranking.attributes["members"]
    assert first["tiers"] == [[0], [1], [2, 3]]
    assert second["tiers"] == [[3], [2], [1], [0]]
    assert set(first) == {"label", "weight", "agreement", "tiers"}
    assert Ranking.from_text(ranking.as_text()) == ranking, "it is JSON"


@pytest.mark.parametrize(
    "members",
    [
        [{"noise": 0.3}, {"noise": 3.0}, {"noise": 3.0}],
        [{"noise": 1.0}, {"noise": 1.0, "position_bias": 9.0}, {"position_bias": 9.0}],
    ],
)
def test_self_agreement_finds_who_is_worth_more(desk: Desk, members: list[dict[str, Any]]) -> None:
    slates = [Slate(persona(number), SHELF) for number in range(300)]
    made = tuple(Simulated(**options) for options in members)

    earned = judged(desk, Ensemble(members=made), slates)
    equal = judged(desk, Ensemble(members=made, weights=(1.0, 1.0, 1.0)), slates)

    weights = [weights_of(judgment.ranking) for judgment in earned]
    assert mean(w[0] for w in weights) > mean(w[1] for w in weights) + 0.05
    assert agreement(earned) > agreement(equal) + 0.01


def test_together_they_know_more_than_each_alone(desk: Desk) -> None:
    members = (Simulated(noise=2.0), Simulated(noise=2.0), Simulated(noise=2.0))
    alone = [
        agreement(judged(desk, Consistent(of=Simulated(noise=2.0), orders=2))),
        agreement(judged(desk, Simulated(noise=2.0))),
    ]

    assert agreement(judged(desk, Ensemble(members=members))) > max(alone) + 0.03


# --- what core does with it -----------------------------------------------------------------------


@dataclass(kw_only=True)
class Paid(Simulated):
    """Two calls at once, a quarter of a dollar each."""

    name: ClassVar[str] = "teacher.paid"  # another than the one that it inherits from
    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(paid=True, workers=2)

    def check(self, personas: Sequence[Persona], items: Sequence[Item]) -> None:
        """It needs no tastes."""

    def dollars(self, tokens: pvd.Tokens, batch: bool = False) -> float | None:
        return 0.25

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        return [
            replace(reply, model="paid-1", tokens=pvd.Tokens(100, 10), dollars=0.25)
            for reply in super().answer(requests)
        ]


def test_it_can_and_costs_what_its_members_can_and_cost(desk: Desk) -> None:
    teacher = Ensemble(members=(Simulated(), Paid()), orders=2)

    found = judged(desk, teacher)

    assert teacher.capabilities == pvd.Capabilities(
        paid=True, simulated=True, reads=frozenset({"tastes"})
    )
    assert desk.usage.dollars == 2 * 0.25 * len(SLATES)
    assert {judgment.reply.model for judgment in found} == {"paid-1, simulated"}
    assert {judgment.reply.dollars for judgment in found} == {0.5}
    assert {judgment.reply.tokens for judgment in found} == {pvd.Tokens(200, 20)}


def test_members_that_are_composites_are_asked_through(desk: Desk) -> None:
    inner = Consistent(of=Simulated(), orders=3)
    teacher = Ensemble(members=(inner, Simulated()), orders=2)

    found = judged(desk, teacher)

    questions = [question for slate in SLATES for question in teacher.questions(slate)]
    within = [q for question in questions for q in _inside(question)]
    # By chance an order of an order is the other order: that is asked once.
    assert desk.usage.asked == len({q.teacher.request(q.slate).digest for q in within})
    assert len(within) == (2 * 3 + 2) * len(SLATES)
    assert {len(j.ranking.attributes["members"]) for j in found} == {2}


def _inside(question: pvd.Question) -> Sequence[pvd.Question]:
    if isinstance(question.teacher, pvd.CompositeTeacher):
        return question.teacher.questions(question.slate)
    return [question]


def test_an_answer_that_cannot_be_read_is_asked_again_of_its_member_alone(desk: Desk) -> None:
    teacher = Ensemble(members=(Simulated(malformed=0.3), Simulated()), orders=2)

    with opened(teacher, seed=3) as ready:
        once = Desk(desk.post.store, AskSettings(attempts=1))
        found = once.judgments(ready, len(SLATES), lambda number, attempt: SLATES[number])
        whole = desk.judgments(ready, len(SLATES), lambda number, attempt: SLATES[number])

    assert once.usage.asked == 4 * len(SLATES)
    assert 0 < sum(judgment is None for judgment in found) < len(SLATES)
    assert sum(judgment is not None for judgment in whole) > 35
    # 0.3 of 80 answers, and of those once more; the other member has none to repeat.
    assert desk.usage.asked < 60


# --- the rest -------------------------------------------------------------------------------------


def test_the_true_utilities_are_the_members_mean() -> None:
    one, other = Simulated(), Simulated()
    person = SLATES[0].persona
    truth = Simulated().utilities(person, SHELF)

    assert Ensemble(members=(one, other)).utilities(person, SHELF) == pytest.approx(truth)

    class Opposite(Simulated):
        def utilities(self, persona: Persona, items: Sequence[Item]) -> Sequence[float]:
            return [-2 * utility for utility in super().utilities(persona, items)]

    mixed = Ensemble(members=(one, Opposite()), weights=(3.0, 1.0))
    assert mixed.utilities(person, SHELF) == pytest.approx([u / 4 for u in truth])
    assert Ensemble(members=(one, Said())).utilities(person, SHELF) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": ()}, "members must name a teacher"),
        ({"orders": 0}, "orders must be at least 1, not 0"),
        ({"weights": (1.0,)}, "weights has 1 numbers for 2 members"),
        ({"weights": (1.0, 0.0)}, r"weights\[1\] must be above 0, not 0.0"),
        ({"weights": (1.0, float("nan"))}, r"weights\[1\] must be above 0, not nan"),
        ({"weights": (1.0, float("inf"))}, r"weights\[1\] must be a finite number"),
    ],
)
def test_impossible_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ensemble(**{"members": (Simulated(), Simulated()), **options})


def test_one_teacher_cannot_be_two_members() -> None:
    one = Simulated()

    with pytest.raises(ValueError, match="one teacher twice"):
        Ensemble(members=(one, one))

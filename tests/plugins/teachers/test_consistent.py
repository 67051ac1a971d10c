"""Asking in several orders: how often, how the answers are combined, and what it is good for."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

import pytest
import torch

from pvd import Item, Judgment, Persona, Ranking, Slate, Teacher
from pvd.asking import Desk, opened
from pvd.settings import AskSettings
from pvd.store import Store
from pvd.streams import stream
from pvd_plugins.evaluators.grades import kendall
from pvd_plugins.teachers.consistent import Consistent
from pvd_plugins.teachers.simulated import Simulated

SHELF = tuple(Item(f"i{n}", Path("none.png"), attributes={"number": str(n)}) for n in range(8))


def persona(number: int) -> Persona:
    """Somebody whose utilities are 0, 1 .. 7 in some order."""
    order = list(range(8))
    stream("tastes", number).shuffle(order)
    tastes = {f"number={n}": float(utility) for n, utility in enumerate(order)}
    return Persona(f"p{number}", "somebody", {"tastes": tastes})


SLATES = [Slate(persona(number), SHELF) for number in range(30)]


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


# --- the questions --------------------------------------------------------------------------------


def asked(teacher: Consistent, slate: Slate) -> list[list[str]]:
    return [[item.id for item in question.slate.items] for question in teacher.questions(slate)]


@pytest.mark.parametrize("orders", [1, 2, 4])
def test_each_slate_is_asked_in_so_many_orders(desk: Desk, orders: int) -> None:
    teacher = Consistent(of=Simulated(), orders=orders)

    judged(desk, teacher)

    assert desk.usage.asked == orders * len(SLATES)
    for slate in SLATES:
        found = asked(teacher, slate)
        assert found[0] == [item.id for item in slate.items]
        assert len(found) == len({tuple(order) for order in found}) == orders
        assert {frozenset(order) for order in found} == {frozenset(found[0])}


@pytest.mark.parametrize(
    ("size", "orders", "distinct"),
    [(2, 2, 2), (2, 5, 2), (3, 4, 4), (3, 6, 6), (3, 9, 6), (1, 3, 1)],
)
def test_no_order_comes_twice_while_there_are_others(size: int, orders: int, distinct: int) -> None:
    teacher = Consistent(of=Simulated(), orders=orders)

    for number in range(30):
        found = asked(teacher, Slate(persona(number), SHELF[:size]))
        assert len(found) == orders
        assert len({tuple(order) for order in found}) == distinct  # at most size!


def test_the_orders_depend_on_the_slate_and_the_repeat() -> None:
    teacher = Consistent(of=Simulated(), orders=3)
    slate, other = SLATES[0], SLATES[1]
    again = Slate(slate.persona, slate.items, repeat=1)

    assert asked(teacher, slate) == asked(teacher, slate)
    assert asked(teacher, slate)[1:] != asked(teacher, other)[1:] != asked(teacher, again)[1:]
    assert {question.slate.repeat for question in teacher.questions(again)} == {1}
    assert all(q.teacher is teacher.of for q in teacher.questions(slate))


# --- the answer -----------------------------------------------------------------------------------


def combined(answers: Sequence[Sequence[Sequence[str]]]) -> Ranking:
    """What becomes of rankings of a, b, c and d, each given as tiers of names."""
    shelf = tuple(Item(name, Path("none.png")) for name in "abcd")
    slate = Slate(persona(0), shelf)
    teacher = Consistent(of=Simulated(), orders=len(answers))
    rankings = []
    for question, tiers in zip(teacher.questions(slate), answers, strict=True):
        place = {item.id: number for number, item in enumerate(question.slate.items)}
        rankings.append(Ranking(tuple(tuple(place[name] for name in tier) for tier in tiers)))
    return teacher.combine(slate, rankings)


@pytest.mark.parametrize(
    ("answers", "utilities", "tiers"),
    [
        # One answer is its own mean.
        (["bdac"], [-2, 0, -3, -1], ((1,), (3,), (0,), (2,))),
        # Mean ranks: a (0 + 1 + 0) / 3, b (1 + 0 + 1) / 3, c 2, d 3.
        (["abcd", "bacd", "abcd"], [-1 / 3, -2 / 3, -2, -3], ((0,), (1,), (2,), (3,))),
        # Two that contradict one another: all the same.
        (["abcd", "dcba"], [-1.5] * 4, ((0, 1, 2, 3),)),
        # A tie of a and b has the rank 0 for both: a 0, b (0 + 1) / 2, c 1.5, d 2.5.
        ([["ab", "c", "d"], "abcd"], [0, -0.5, -1.5, -2.5], ((0,), (1,), (2,), (3,))),
        # The first says nothing of c and d: c and d have the ranks of the second alone.
        (["ab", "abdc"], [0, -1, -3, -2], ((0,), (1,), (3,), (2,))),
        # Nobody placed c and d: they stay unknown, and there is no utility for every item.
        (["ab", "ab"], None, ((0,), (1,))),
    ],
)
def test_the_mean_rank_counts(
    answers: Sequence[Sequence[str]],
    utilities: list[float] | None,
    tiers: tuple[tuple[int, ...], ...],
) -> None:
    ranking = combined(answers)

    assert ranking.utilities == (utilities and pytest.approx(tuple(utilities)))
    assert ranking.tiers == tiers


def test_a_teacher_without_faults_is_left_as_it_is(desk: Desk) -> None:
    plain = judged(desk, Simulated(noise=0))
    careful = judged(desk, Consistent(of=Simulated(noise=0), orders=4))

    assert [j.ranking.tiers for j in careful] == [j.ranking.tiers for j in plain]
    assert [j.slate for j in careful] == SLATES


def test_position_bias_is_averaged_out(desk: Desk) -> None:
    # The first place adds 7, as much as there is between the best and the worst item.
    biased = {"noise": 0.0, "position_bias": 7.0}

    once = agreement(judged(desk, Simulated(**biased)))
    often = [agreement(judged(desk, Consistent(of=Simulated(**biased), orders=n))) for n in (3, 9)]

    assert once < 0.6
    assert once + 0.1 < often[0] < often[1]
    assert often[1] > 0.8


def test_noise_is_averaged_out_too(desk: Desk) -> None:
    once = agreement(judged(desk, Simulated(noise=3.0)))
    often = agreement(judged(desk, Consistent(of=Simulated(noise=3.0), orders=9)))

    assert often > once + 0.1


def test_an_answer_that_cannot_be_read_spoils_its_slate_alone(desk: Desk) -> None:
    inner = Simulated(malformed=0.2)
    teacher = Consistent(of=inner, orders=3)
    once = Desk(desk.post.store, AskSettings(attempts=1))

    with opened(teacher, seed=3) as ready:
        found = once.judgments(ready, len(SLATES), lambda number, attempt: SLATES[number])
        again = desk.judgments(ready, len(SLATES), lambda number, attempt: SLATES[number])

    def readable(slate: Slate) -> bool:
        request = inner.request(slate)
        (reply,) = inner.answer([request])
        return reply.text.endswith("}")

    # All three answers to a slate must be readable: 0.8 ** 3 of 30 are 15.
    whole = [all(readable(q.slate) for q in teacher.questions(slate)) for slate in SLATES]
    assert 5 < sum(whole) < 25
    assert [judgment is not None for judgment in found] == whole
    # With three attempts the spoilt part is repeated: 0.2 ** 3 of 90 parts stay unreadable.
    assert sum(judgment is not None for judgment in again) >= 27


# --- the rest -------------------------------------------------------------------------------------


def test_the_true_utilities_are_the_inner_teachers() -> None:
    person = SLATES[0].persona

    assert Consistent(of=Simulated()).utilities(person, SHELF) == Simulated().utilities(
        person, SHELF
    )


def test_no_orders_is_no_question() -> None:
    with pytest.raises(ValueError, match="orders must be at least 1"):
        Consistent(of=Simulated(), orders=0)


def test_it_can_and_costs_what_the_inner_teacher_can_and_costs() -> None:
    inner = Simulated()

    outer = Consistent(of=inner)

    assert outer.capabilities.simulated
    assert outer.capabilities.reads == inner.capabilities.reads
    assert outer.capabilities.paid == inner.capabilities.paid

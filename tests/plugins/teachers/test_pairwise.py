"""Comparing in pairs: what is asked, what becomes of the answers, and what it is good for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

import pytest

from pvd import Item, Judgment, Persona, Ranking, Slate, Teacher
from pvd.asking import Desk, opened
from pvd.store import Store
from pvd.streams import stream
from pvd_plugins.teachers.pairwise import Pairwise
from pvd_plugins.teachers.simulated import Simulated

SHELF = tuple(Item(f"i{n}", Path("none.png"), attributes={"number": str(n)}) for n in range(6))


def persona(number: int, step: float = 1.0) -> Persona:
    """Somebody whose utilities are 0, 1 .. 5 steps in some order."""
    order = list(range(len(SHELF)))
    stream("tastes", number).shuffle(order)
    tastes = {f"number={n}": step * utility for n, utility in enumerate(order)}
    return Persona(f"p{number}", "somebody", {"tastes": tastes})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Store(tmp_path / "answers.sqlite") as store:
        yield Desk(store)


def judged(desk: Desk, teacher: Teacher, slates: Sequence[Slate]) -> list[Judgment]:
    with opened(teacher, seed=3) as ready:
        found = desk.judgments(ready, len(slates), lambda number, attempt: slates[number])
    assert None not in found
    return [judgment for judgment in found if judgment]


def contradictions(judgments: Sequence[Judgment]) -> int:
    """How many pairs were put the other way round than they are in truth."""
    count = 0
    for judgment in judgments:
        truth = Simulated().utilities(judgment.slate.persona, judgment.slate.items)
        pairs = judgment.ranking.pairs(len(judgment.slate.items))
        count += sum(truth[better] < truth[worse] for better, worse in pairs)
    return count


# --- the questions --------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "questions"), [(2, 2), (3, 6), (5, 20)])
def test_every_pair_is_asked_in_both_orders(desk: Desk, size: int, questions: int) -> None:
    teacher = Pairwise(of=Simulated())
    slate = Slate(persona(0), SHELF[:size], repeat=4)

    asked = teacher.questions(slate)

    assert len(asked) == questions == size * (size - 1)
    shown = [tuple(item.id for item in question.slate.items) for question in asked]
    assert shown == list(permutations([item.id for item in slate.items], 2))
    assert {question.slate.repeat for question in asked} == {4}
    assert all(question.teacher is teacher.of for question in asked)
    judged(desk, teacher, [slate])
    assert desk.usage.asked == questions


def test_slates_that_share_a_pair_share_its_answers(desk: Desk) -> None:
    slates = [Slate(persona(0), SHELF[:3]), Slate(persona(0), (SHELF[1], SHELF[0], SHELF[3]))]

    judged(desk, Pairwise(of=Simulated()), slates)

    assert desk.usage.asked == 6 + 6 - 2, "i0 and i1 stand in both"


# --- the answer -----------------------------------------------------------------------------------


def combined(size: int, better: str) -> Ranking:
    """What becomes of the answers "AB" (A won, shown first), "BA" and so on; "A=B" is a tie."""
    letters = "ABCDEF"[:size]
    teacher = Pairwise(of=Simulated())
    slate = Slate(persona(0), SHELF[:size])
    by_pair = dict(zip(permutations(letters, 2), better.split(), strict=True))
    rankings = []
    for pair in permutations(letters, 2):
        answer = by_pair[pair]
        if "=" in answer:
            rankings.append(Ranking(((0, 1),)))
        elif "?" in answer:
            rankings.append(Ranking(((0,),)))  # of the second it says nothing
        else:
            rankings.append(Ranking.from_order([pair.index(letter) for letter in answer]))
    return teacher.combine(slate, rankings)


@pytest.mark.parametrize(
    ("size", "answers", "utilities", "tiers"),
    [
        (2, "AB AB", [2, 0], ((0,), (1,))),
        (2, "BA BA", [0, 2], ((1,), (0,))),
        # Whoever stands first wins: that says nothing.
        (2, "AB BA", [1, 1], ((0, 1),)),
        (2, "A=B AB", [1.5, 0.5], ((0,), (1,))),
        (2, "A=B A=B", [1, 1], ((0, 1),)),
        (2, "A? BA", [0.5, 1.5], ((1,), (0,))),
        # AB AC BA BC CA CB: A beats both, B beats C.
        (3, "AB AC AB BC AC BC", [4, 2, 0], ((0,), (1,), (2,))),
        # A beats B beats C beats A: each won two of its four.
        (3, "AB CA AB BC CA BC", [2, 2, 2], ((0, 1, 2),)),
    ],
)
def test_comparisons_won_count(
    size: int, answers: str, utilities: list[float], tiers: tuple[tuple[int, ...], ...]
) -> None:
    ranking = combined(size, answers)

    assert ranking.utilities == tuple(utilities)
    assert ranking.tiers == tiers


def test_a_favour_for_the_first_place_cancels(desk: Desk) -> None:
    # The first of two gets 3 more; the items differ by 2, so that neighbours look turned round.
    biased = Simulated(noise=0.0, position_bias=3.0)
    slates = [Slate(persona(number, step=2.0), SHELF) for number in range(20)]

    plain = contradictions(judged(desk, Simulated(noise=0.0, position_bias=12.0), slates))
    found = judged(desk, Pairwise(of=biased), slates)

    assert plain > 20, "shown all at once, it does harm"
    assert contradictions(found) == 0
    for judgment in found:  # what is clear enough is told apart, whatever the place
        truth = Simulated().utilities(judgment.slate.persona, SHELF)
        ranks = judgment.ranking.ranks(len(SHELF))
        assert ranks[truth.index(max(truth))] == 0
        assert ranks[truth.index(min(truth))] == max(ranks)


@pytest.mark.parametrize("bias", [0.0, 3.0, -3.0])
def test_items_that_differ_by_more_than_the_favour_are_in_their_true_order(
    desk: Desk, bias: float
) -> None:
    slates = [Slate(persona(number, step=4.0), SHELF) for number in range(10)]

    for judgment in judged(desk, Pairwise(of=Simulated(noise=0.0, position_bias=bias)), slates):
        truth = Simulated().utilities(judgment.slate.persona, SHELF)
        order = sorted(range(len(SHELF)), key=lambda place: -truth[place])
        assert judgment.ranking.tiers == tuple((place,) for place in order)


def test_noise_is_averaged_out_too(desk: Desk) -> None:
    slates = [Slate(persona(number), SHELF) for number in range(30)]

    once = contradictions(judged(desk, Simulated(noise=2.0), slates))
    pairs = contradictions(judged(desk, Pairwise(of=Simulated(noise=2.0)), slates))

    assert pairs < 0.8 * once


def test_it_costs_and_knows_what_the_inner_teacher_does() -> None:
    outer = Pairwise(of=Simulated())

    assert outer.capabilities.simulated
    assert not outer.capabilities.paid
    assert outer.capabilities.reads == Simulated().capabilities.reads


def test_a_pair_that_cannot_be_read_is_asked_again(tmp_path: Path) -> None:
    """Another order of the slate has the same pairs: without that, one bad answer of twenty would
    lose the slate for good."""
    from pvd.testing import slate

    teacher = Pairwise(of=Simulated(malformed=0.02))
    with Store(tmp_path / "answers.sqlite") as store, opened(teacher, 3) as ready:
        desk = Desk(store)
        found = desk.judgments(ready, 20, lambda n, attempt: slate(5, n))
    assert desk.usage.repaired
    assert None not in found

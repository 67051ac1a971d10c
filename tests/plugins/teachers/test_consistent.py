"""Asking in several orders: how often, how the answers are combined, and what it is good for."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations
from math import exp, log
from pathlib import Path
from statistics import mean
from typing import Any, Literal, get_args

import choix
import numpy as np
import pytest
import torch

from pvd import Item, Judgment, Persona, Ranking, Slate, Teacher
from pvd.asking import Desk, opened
from pvd.errors import BadInput
from pvd.settings import AskSettings
from pvd.store import Store
from pvd.streams import stream
from pvd.testing.material import scored_batch
from pvd_plugins.evaluators.grades import kendall
from pvd_plugins.losses.plackett_luce import PlackettLuce
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


def test_orders_that_were_paid_for_are_asked_again() -> None:
    """The random ones come from this stream since the first version; others would cost anew."""
    slate = SLATES[0]
    ids = [item.id for item in slate.items]
    expected = [ids]
    for number in (1, 2):
        order = list(ids)
        stream("consistent", 0, number, slate.persona.id, slate.repeat, *ids).shuffle(order)
        expected.append(order)

    assert asked(Consistent(of=Simulated()), slate) == expected
    assert (
        asked(Consistent(of=Simulated(), orders=2, method="kemeny"), _of(5))
        == asked(Consistent(of=Simulated(), orders=3, method="plackett-luce"), _of(5))[:2]
    )


def _of(size: int) -> Slate:
    return Slate(persona(1), SHELF[:size])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("squares", [1, 2, 3])
def test_in_balanced_orders_each_item_is_as_often_at_each_place(size: int, squares: int) -> None:
    slate = _of(size)
    teacher = Consistent(of=Simulated(), orders=size * squares, balanced=True)

    found = asked(teacher, slate)

    assert found[0] == [item.id for item in slate.items]
    for place in zip(*found, strict=True):
        assert {place.count(item.id) for item in slate.items} == {squares}
    if size > 3:
        assert len({tuple(order) for order in found}) == size * squares
    fewer = Consistent(of=Simulated(), orders=size * squares - 1 or 1, balanced=True)
    assert asked(fewer, slate) == found[: size * squares - 1 or 1], "no answer is lost"


def test_balanced_orders_are_the_slates_own() -> None:
    teacher = Consistent(of=Simulated(), orders=5, balanced=True)
    again = Slate(SLATES[0].persona, SLATES[0].items, repeat=1)

    assert asked(teacher, SLATES[0])[1:] != asked(teacher, again)[1:]
    other = [asked(teacher, slate)[1] for slate in SLATES]
    assert len({tuple(order) for order in other}) > 25, "the squares are drawn by lot"


# --- the answer -----------------------------------------------------------------------------------


Method = Literal["borda", "kemeny", "plackett-luce"]
METHODS = get_args(Method)
each_method = pytest.mark.parametrize("method", METHODS)
Answer = Sequence[Sequence[str]]  # tiers of names: "abc", or ["ab", "c"] with a and b tied


def combined(answers: Sequence[Answer], method: Method = "borda", shelf: str = "abcd") -> Ranking:
    """What becomes of rankings of a, b, c and d, each given as tiers of names."""
    slate = Slate(persona(0), tuple(Item(name, Path("none.png")) for name in shelf))
    teacher = Consistent(of=Simulated(), orders=len(answers), method=method)
    rankings = []
    for question, tiers in zip(teacher.questions(slate), answers, strict=True):
        place = {item.id: number for number, item in enumerate(question.slate.items)}
        rankings.append(Ranking(tuple(tuple(place[name] for name in tier) for tier in tiers)))
    return teacher.combine(slate, rankings)


def known(ranking: Ranking) -> tuple[float, ...]:
    """The utilities of a ranking that has some."""
    assert ranking.utilities is not None
    return ranking.utilities


def by_chance(seed: int, size: int = 4, count: int = 5) -> list[list[str]]:
    """Answers with ties and gaps, in which every item is placed at least once."""
    lot = np.random.default_rng(seed)
    names = "abcdef"[:size]
    found = [[str(name) for name in lot.permutation(list(names))]]
    while len(found) < count:
        order = [str(name) for name in lot.permutation(list(names))][: lot.integers(2, size + 1)]
        cuts = [0, *(n for n in range(1, len(order)) if lot.random() < 0.7), len(order)]
        found.append(["".join(order[a:b]) for a, b in pairwise(cuts)])
    return found


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


TENNESSEE = [*42 * ["mnck"], *26 * ["nckm"], *15 * ["cknm"], *17 * ["kcnm"]]


@pytest.mark.parametrize(
    ("method", "expected"),
    # Where its voters want Tennessee's capital: a textbook's case, in which the rules differ.
    [("borda", "ncmk"), ("kemeny", "nckm")],
)
def test_a_known_election(method: Method, expected: str) -> None:
    ranking = combined(TENNESSEE, method, shelf="mnck")

    assert "".join("mnck"[p] for tier in ranking.tiers for p in tier) == expected
    assert {len(tier) for tier in ranking.tiers} == {1}


def test_kemenys_utilities_fall_by_the_margins_of_neighbours() -> None:
    # n before c in 68 - 32, c before k in 83 - 17, k before m in 58 - 42 of 100.
    memphis, nashville, chattanooga, knoxville = known(combined(TENNESSEE, "kemeny", shelf="mnck"))

    assert nashville == 0
    assert nashville - chattanooga == pytest.approx(0.36)
    assert chattanooga - knoxville == pytest.approx(0.66)
    assert knoxville - memphis == pytest.approx(0.16)


@pytest.mark.parametrize(
    ("answers", "utilities"),
    [
        # All agree: a place each.
        (["abcd", "abcd"], [0, -1, -2, -3]),
        # A circle: abc, bca and cab are best, each item has the mean of 0, -1/3 and -2/3. Then d.
        (["abcd", "bcad", "cabd"], [-1 / 3, -1 / 3, -1 / 3, -2 / 3 - 1]),
        # Two that contradict one another in all: all orders are best.
        (["abcd", "dcba"], [0, 0, 0, 0]),
        # Tied in one, and a before b in the other: half a place.
        ([["ab", "c", "d"], "abcd"], [0, -0.5, -1.5, -2.5]),
        # What the first leaves out, it says nothing about.
        (["ab", "abdc"], [0, -1, -3, -2]),
    ],
)
def test_kemenys_utilities(answers: Sequence[Answer], utilities: list[float]) -> None:
    found = known(combined(answers, "kemeny"))

    differences = np.subtract.outer(found, found)
    assert differences == pytest.approx(np.subtract.outer(utilities, utilities), abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_kemeny_is_the_mean_of_all_orders_with_the_fewest_contradictions(seed: int) -> None:
    answers, names = by_chance(seed), "abcd"
    # [answers, 4, 4]: 1 where the row's item is placed before the column's.
    said = np.zeros((len(answers), 4, 4))
    for number, tiers in enumerate(answers):
        for better, upper in enumerate(tiers):
            for lower in tiers[better + 1 :]:
                for one in upper:
                    for other in lower:
                        said[number, names.index(one), names.index(other)] = 1
    wins = said.sum(0)
    there = np.array([[name in "".join(tiers) for name in names] for tiers in answers]).T.astype(
        int
    )
    margins = (wins - wins.T) / np.maximum(there @ there.T, 1)
    orders = [np.array(order) for order in permutations(range(4))]
    costs = np.array([np.triu(wins.T[np.ix_(order, order)]).sum() for order in orders])
    heights = np.zeros(4)
    for order in (order for order, cost in zip(orders, costs, strict=True) if cost == costs.min()):
        falls = margins[order[:-1], order[1:]]
        assert (falls >= 0).all()
        heights[order] -= np.append(0, falls.cumsum()) / (costs == costs.min()).sum()

    ranking = combined(answers, "kemeny")

    assert known(ranking) == pytest.approx(heights, abs=1e-12)


def test_kemeny_takes_six_items_and_says_so_where_there_are_more() -> None:
    teacher = Consistent(of=Simulated(), method="kemeny")

    assert len(teacher.questions(Slate(persona(0), SHELF[:6]))) == 3
    with pytest.raises(BadInput, match=r"at most 6 items, and a slate has 7; lower train\.size"):
        teacher.questions(Slate(persona(0), SHELF[:7]))


@pytest.mark.parametrize(("won", "lost"), [(3, 0), (2, 1), (0, 3), (4, 4), (1, 8)])
def test_two_items_have_the_log_odds_of_their_wins(won: int, lost: int) -> None:
    a, b = known(combined([*won * ["ab"], *lost * ["ba"]], "plackett-luce", shelf="ab"))

    assert a - b == pytest.approx(log((won + 0.5) / (lost + 0.5)), abs=2e-6)
    assert exp(a) + exp(b) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_the_fit_is_that_of_another_program(seed: int) -> None:
    """choix, from top-1 choices: each item of a tier from all that stand no higher."""
    answers, names = by_chance(seed), "abcd"
    choices = [
        (names.index(name), [names.index(other) for other in "".join(tiers[n:]) if other != name])
        for tiers in answers
        for n in range(len(tiers) - 1)
        for name in tiers[n]
    ]

    expected = choix.mm_top1(4, choices, alpha=0.5, tol=1e-10)

    found = np.array(known(combined(answers, "plackett-luce")))
    assert found - found.mean() == pytest.approx(expected, abs=2e-6)
    assert np.exp(found).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_the_fit_is_where_the_loss_and_the_prior_balance(seed: int) -> None:
    """The likelihood is that of the loss of this name, ties and gaps included."""
    answers, names = by_chance(seed), "abcd"
    ranks = [
        [next((n for n, tier in enumerate(tiers) if name in tier), None) for name in names]
        for tiers in answers
    ]
    fit = torch.tensor(known(combined(answers, "plackett-luce")), dtype=torch.float64)
    logs = (fit + log(4)).requires_grad_()  # strengths of mean 1
    batch = scored_batch(logs.expand(len(answers), 4), ranks)
    stating = sum(len(tiers) > 1 for tiers in answers)

    # Gamma(3/2, 1/2): the log density of a log strength x is (x - exp x) / 2 and a constant.
    loss = stating * PlackettLuce(scale=1.0)(batch) - 0.5 * (logs - logs.exp()).sum()
    loss.backward()  # type: ignore[no-untyped-call]

    assert logs.grad is not None
    assert logs.grad.numpy() == pytest.approx(np.zeros(4), abs=1e-5)


@each_method
@pytest.mark.parametrize("seed", range(4))
def test_neither_names_nor_the_order_of_answers_matter(method: Method, seed: int) -> None:
    answers = by_chance(seed)
    renamed = [[tier.translate(str.maketrans("abcd", "dabc")) for tier in a] for a in answers]

    found = known(combined(answers, method))

    assert known(combined(answers[::-1], method)) == pytest.approx(found, abs=1e-6)
    assert known(combined(renamed, method)) == pytest.approx([*found[1:], found[0]], abs=1e-6)


@each_method
def test_the_more_orders_agree_the_farther_apart(method: Method) -> None:
    gaps = []
    for often in range(7):
        a, b, _, _ = known(combined([*often * ["abcd"], *(6 - often) * ["bacd"]], method))
        gaps.append(a - b)

    assert gaps[3] == pytest.approx(0, abs=1e-6)
    assert all(low < high for low, high in pairwise(gaps))
    assert gaps == pytest.approx([-gap for gap in gaps[::-1]], abs=1e-6)


@each_method
def test_what_changes_places_ends_up_near(method: Method) -> None:
    ranking = combined(["abcd", "abdc", "abcd", "abdc"], method)
    a, b, c, d = known(ranking)

    assert ranking.tiers == ((0,), (1,), (2, 3))
    assert c == d
    assert a - b > 0.5
    assert b - c > 0.25


@each_method
def test_what_nobody_placed_stays_unknown(method: Method) -> None:
    ranking = combined(["ab", "ba", "ab"], method)

    assert (ranking.tiers, ranking.rest, ranking.utilities, ranking.kind) == (
        ((0,), (1,)), "unknown", None, None,
    )  # fmt: skip


@each_method
def test_one_answer_is_its_own_mean(method: Method) -> None:
    assert combined(["bdac"], method).tiers == ((1,), (3,), (0,), (2,))
    assert combined([["bd", "ac"]], method).tiers == ((1, 3), (0, 2))
    assert combined([["abcd"]], method).tiers == ((0, 1, 2, 3),)


@pytest.mark.parametrize(
    ("answers", "agreement"),
    [
        (["abcd", "abcd"], 1.0),
        (["abcd", "dcba"], -1.0),
        # One pair of six turned: 4 / 6. The mean of 2/3, 1 and 2/3.
        (["abcd", "bacd", "abcd"], 7 / 9),
        # Five pairs against six: tau-b is 5 / sqrt(5 * 6).
        ([["ab", "c", "d"], "abcd"], (5 / 6) ** 0.5),
        # Of c and d the first says nothing.
        (["ab", "abdc"], 1.0),
        (["ab", "cd"], None),
        (["abcd"], None),
    ],
)
def test_the_agreement_of_the_orders_is_kept(
    answers: Sequence[Answer], agreement: float | None
) -> None:
    found = combined(answers).attributes["agreement"]

    assert found == (agreement if agreement is None else pytest.approx(agreement, abs=1e-4))


@each_method
def test_what_each_order_said_is_kept_by_the_slates_own_positions(method: Method) -> None:
    ranking = combined(["abcd", ["bd", "a"], "dcba"], method)

    assert ranking.attributes["orders"] == [
        [[0], [1], [2], [3]],
        [[1, 3], [0]],
        [[3], [2], [1], [0]],
    ]
    assert Ranking.from_text(ranking.as_text()) == ranking, "it is JSON"


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


def test_in_balanced_orders_a_favourite_place_favours_all_alike(desk: Desk) -> None:
    # So strong that it alone decides: eight answers about eight items say nothing in the sum.
    blind: dict[str, Any] = {"of": Simulated(noise=0.0, position_bias=1e6), "orders": 8}

    assert {j.ranking.tiers for j in judged(desk, Consistent(**blind, balanced=True))} == {
        (tuple(range(8)),)
    }
    assert all(len(j.ranking.tiers) > 1 for j in judged(desk, Consistent(**blind)))


@each_method
def test_balanced_orders_cancel_more_of_the_position_bias(desk: Desk, method: Method) -> None:
    slates = [Slate(slate.persona, SHELF[:5]) for slate in SLATES]

    def found(balanced: bool) -> float:
        inner = Simulated(noise=0.0, position_bias=9.0)
        teacher = Consistent(of=inner, orders=5, method=method, balanced=balanced)
        return mean(
            kendall(
                torch.tensor(judgment.ranking.utilities),
                torch.tensor(Simulated().utilities(judgment.slate.persona, SHELF[:5])),
            )
            for judgment in judged(desk, teacher, slates)
        )

    assert found(balanced=True) > found(balanced=False) + 0.05


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

"""The bundled evaluators, each against numbers worked out by hand."""

from collections.abc import Sequence
from math import log2

import pytest
import torch
from scipy.stats import kendalltau
from torch import Generator, Tensor

from pvd import Exam
from pvd.testing import items, personas
from pvd_plugins.evaluators.grades import Grades, kendall, ndcg
from pvd_plugins.evaluators.hits import Hits
from pvd_plugins.evaluators.mpr import MeanPercentileRank


def sat(
    scores: Sequence[Sequence[float]] | Tensor,
    winners: Sequence[int],
    utilities: Sequence[Sequence[float]] | Tensor | None = None,
) -> Exam:
    matrix = torch.as_tensor(scores)
    people, shelf = matrix.shape
    known = None if utilities is None else torch.as_tensor(utilities, dtype=torch.float64)
    return Exam(
        system="any",
        personas=tuple(personas(people)),
        items=tuple(items(shelf)),
        scores=matrix,
        winners=tuple(winners),
        utilities=known,
        seed=0,
    )


def double(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


# --- mpr --------------------------------------------------------------------------------------


def test_mpr_is_the_mean_of_the_winners_percentile_ranks() -> None:
    exam = sat([[0.9, 0.5, 0.3, 0.1], [0.9, 0.5, 0.3, 0.1], [0.9, 0.5, 0.5, 0.1]], [0, 3, 1])

    found = MeanPercentileRank().evaluate(exam)["mpr"]

    # rank0 is 0, 3, and 1 above + half of 1 tied: 100, 25 and 62.5 percent.
    assert found.values == (100, 25, 62.5)
    assert found.value == 62.5


def test_a_ranking_by_lot_gets_the_chance_level() -> None:
    rng = Generator().manual_seed(0)
    scores = torch.rand(4000, 10, generator=rng)
    winners = torch.randint(10, (4000,), generator=rng).tolist()

    evaluator = MeanPercentileRank()
    found = evaluator.evaluate(sat(scores, winners))["mpr"]

    # 50 + 50 / 10; the places 10, 20 .. 100 spread by 28.7, so the mean of 4000 by 0.45.
    assert evaluator.chance(10) == {"mpr": 55, "mpr_true": 55}
    assert found.value == pytest.approx(55, abs=3 * 0.45)
    assert found.low < 55 < found.high


def test_mpr_true_is_over_all_the_best() -> None:
    # Two items are liked best: their ranks are the last (25) and the first (100).
    exam = sat([[0.1, 0.9, 0.5, 0.3]], [1], [[2, 2, 0, 1]])

    found = MeanPercentileRank().evaluate(exam)

    assert found["mpr_true"].value == 62.5
    assert found["mpr"].value == 100


def test_the_oracle_is_perfect_only_up_to_ties() -> None:
    utilities = [[3.0, 1.0, 2.0, 0.0], [1.0, 2.0, 2.0, 0.0]]

    found = MeanPercentileRank().evaluate(sat(utilities, [0, 2], utilities))

    # The second persona has two best, tied with one another: rank0 = 0.5 of 4.
    assert found["mpr"].values == found["mpr_true"].values == (100, 87.5)


def test_without_utilities_only_the_winner_counts() -> None:
    assert set(MeanPercentileRank().evaluate(sat([[1.0, 0.0]], [0]))) == {"mpr"}


# --- hits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "winner", "expected"),
    [
        # No ties: the winner is in place 1, 3, 4.
        ([9, 8, 7, 6, 5], 0, [100, 100, 100]),
        ([9, 8, 7, 6, 5], 2, [0, 0, 100]),
        ([9, 8, 7, 6, 5], 3, [0, 0, 0]),
        # Tied with one other for place 1 or 2: among the first one in half of the cases.
        ([9, 9, 7, 6, 5], 0, [50, 100, 100]),
        # Tied with one other for place 2 or 3.
        ([9, 8, 8, 6, 5], 1, [0, 50, 100]),
        # All five tied: place 1 to 5, each with the same chance.
        ([5, 5, 5, 5, 5], 4, [20, 40, 60]),
        # Three tied for the places 3 to 5.
        ([9, 8, 5, 5, 5], 3, [0, 0, 100 / 3]),
    ],
)
def test_hits_by_hand(scores: list[float], winner: int, expected: list[float]) -> None:
    found = Hits(at=(1, 2, 3)).evaluate(sat([[float(s) for s in scores]], [winner]))

    assert [found[f"hit@{k}"].value for k in (1, 2, 3)] == pytest.approx(expected)


def test_hits_are_shares_of_the_personas() -> None:
    exam = sat([[3.0, 2.0, 1.0]] * 4, [0, 0, 1, 2])

    found = Hits(at=(1, 2)).evaluate(exam)

    assert found["hit@1"].values == (100, 100, 0, 0)
    assert (found["hit@1"].value, found["hit@2"].value) == (50, 75)


def test_no_hit_at_all_is_not_sure_for_other_personas() -> None:
    found = Hits(at=(1, 2)).evaluate(sat([[3.0, 2.0, 1.0]] * 29, [1] * 29))

    assert (found["hit@1"].value, found["hit@1"].low) == (0, 0)
    assert found["hit@1"].high == pytest.approx(100 * (1 - 0.025 ** (1 / 29)))
    assert found["hit@2"].low == pytest.approx(100 * 0.025 ** (1 / 29))
    assert (found["hit@2"].value, found["hit@2"].high) == (100, 100)


def test_a_list_as_long_as_the_catalogue_says_nothing() -> None:
    evaluator = Hits(at=(1, 5, 20))

    assert set(evaluator.evaluate(sat([[1.0] * 5], [0]))) == {"hit@1"}
    assert evaluator.chance(5) == {"hit@1": 20}
    assert evaluator.chance(40) == {"hit@1": 2.5, "hit@5": 12.5, "hit@20": 50}


def test_who_cannot_tell_items_apart_gets_the_chance_level() -> None:
    evaluator = Hits(at=(1, 3, 7))

    found = evaluator.evaluate(sat(torch.zeros(2, 10), [4, 9]))

    assert {name: e.value for name, e in found.items()} == pytest.approx(evaluator.chance(10))


# --- grades -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "k", "expected"),
    [
        # Gains 3, 1, 0, 2. In the order 1, 0, 3, 2 they are 1, 3, 2, 0; the ideal is 3, 2, 1, 0.
        (
            (0.8, 0.9, 0.1, 0.5),
            10,
            (1 + 3 / log2(3) + 2 / 2) / (3 + 2 / log2(3) + 1 / 2),
        ),
        # The first two places only.
        ((0.8, 0.9, 0.1, 0.5), 2, (1 + 3 / log2(3)) / (3 + 2 / log2(3))),
        ((0.8, 0.9, 0.1, 0.5), 1, 1 / 3),
        # The ideal order.
        ((4.0, 2.0, 1.0, 3.0), 10, 1.0),
        # Items 0 and 1 share the first two places: each place gets the mean of 3 and 1.
        ((0.9, 0.9, 0.1, 0.5), 1, 2 / 3),
        # All share all places: the mean gain is 1.5.
        ((0.5, 0.5, 0.5, 0.5), 2, 1.5 * (1 + 1 / log2(3)) / (3 + 2 / log2(3))),
    ],
)
def test_ndcg_by_hand(scores: tuple[float, ...], k: int, expected: float) -> None:
    # Gains are counted from the least liked item, so that a shift of all utilities is nothing.
    for shift in (0.0, -5.0, 100.0):
        utilities = double(3, 1, 0, 2) + shift
        assert ndcg(double(*scores), utilities, k) == pytest.approx(expected)


def test_ndcg_is_1_where_nothing_is_better() -> None:
    assert ndcg(double(3, 2, 1), double(4, 4, 4), 10) == 1


@pytest.mark.parametrize(
    ("scores", "utilities", "expected"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 4), 1.0),
        ((1, 2, 3, 4), (4, 3, 2, 1), -1.0),
        # Five pairs of six agree: (5 - 1) / 6.
        ((1, 2, 3, 4), (1, 3, 2, 4), 2 / 3),
        # Four agree, one pair is tied on each side: 4 / sqrt((6 - 1) * (6 - 1)).
        ((1, 1, 2, 3), (1, 2, 2, 3), 0.8),
        # Three pairs, one tied in the scores, the others agree: 2 / sqrt(2 * 3).
        ((1, 1, 2), (1, 2, 3), 2 / 6**0.5),
        # A judge or a student who tells nothing apart.
        ((1, 1, 1), (1, 2, 3), 0.0),
        ((1, 2, 3), (2, 2, 2), 0.0),
    ],
)
def test_kendall_by_hand(
    scores: tuple[float, ...], utilities: tuple[float, ...], expected: float
) -> None:
    assert kendall(double(*scores), double(*utilities)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_kendall_agrees_with_scipy(seed: int) -> None:
    a, b = torch.randint(0, 6, (2, 30), generator=Generator().manual_seed(seed)).double()

    assert kendall(a, b) == pytest.approx(kendalltau(a.numpy(), b.numpy()).statistic)


def test_grades_are_means_over_personas() -> None:
    exam = sat([[4.0, 3, 2, 1], [1, 2, 3, 4]], [0, 0], [[4, 3, 2, 1], [4, 3, 2, 1]])

    found = Grades(k=1).evaluate(exam)

    assert set(found) == {"ndcg@1", "kendall"}
    assert found["kendall"].values == pytest.approx((1, -1))
    assert found["ndcg@1"].value == pytest.approx((1 + 0) / 2)  # the gain of the last is 0


def test_without_utilities_there_are_no_grades() -> None:
    assert Grades().evaluate(sat([[1.0, 0.0]], [0])) == {}


# --- all --------------------------------------------------------------------------------------


@pytest.mark.parametrize("evaluator", [MeanPercentileRank(), Hits(), Grades()])
def test_the_oracle_leads_and_the_reverse_trails(
    evaluator: MeanPercentileRank | Hits | Grades,
) -> None:
    rng = Generator().manual_seed(0)
    utilities = torch.rand(30, 50, dtype=torch.float64, generator=rng)
    winners = utilities.argmax(1).tolist()

    oracle, lot, reverse = (
        evaluator.evaluate(sat(scores, winners, utilities))
        for scores in (
            utilities,
            torch.rand(30, 50, dtype=torch.float64, generator=rng),
            -utilities,
        )
    )

    for name in oracle:
        assert oracle[name].value == (1 if name in ("ndcg@10", "kendall") else 100)
        assert oracle[name].value > lot[name].value >= reverse[name].value
        assert lot[name].over == "30 personas, given one trained student"

"""Preference-aligned sampling on scores whose bins are known.

The texts are [1] and the embeddings the scores themselves, so that the cosines are those numbers.
"""

from collections import Counter

import pytest
import torch
from scipy.stats import chisquare
from torch import Generator, Tensor

from pvd.drawing import SlotPool
from pvd.testing import items, personas
from pvd_plugins.samplers.four_bin import LABELS, FourBin, shares

# The edges of the range 0 to 1 are .70, .90 and .95; a bin holds its lower edge.
SCORES = [0.0, 0.3, 0.69, 0.70, 0.89, 0.90, 0.94, 0.95, 0.99, 1.0]
BINS = [{0, 1, 2}, {3, 4}, {5, 6}, {7, 8, 9}]

Notes = dict[str, dict[str, float]]


def shelf(scores: list[float], slots: int, dtype: torch.dtype = torch.float32) -> SlotPool:
    column = torch.tensor(scores, dtype=dtype).unsqueeze(1)
    ones = torch.ones(slots, 1, dtype=dtype)
    return SlotPool(personas(slots), items(len(scores)), ones, column, column, notes={})


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def notes(pool: SlotPool) -> Notes:
    return {row: dict(columns) for row, columns in pool._notes["bins"].items()}


def likely(counts: Counter[int], values: list[int]) -> bool:
    """Whether the counts of these values could come from a fair lot."""
    assert set(counts) == set(values)
    return float(chisquare([counts[value] for value in values]).pvalue) > 0.01


def members(rows: Tensor, bins: list[set[int]]) -> set[tuple[int, ...]]:
    """The different numbers of items that rows take from each bin."""
    return {tuple(len(set(row) & members) for members in bins) for row in rows.tolist()}


def test_takes_one_from_each_bin_and_two_from_the_top() -> None:
    pool = shelf(SCORES, 300)

    rows = FourBin().draw(pool, 5, seeded())

    assert members(rows, BINS) == {(1, 1, 1, 2)}
    # Within a bin the lot decides: each of the three tops is in two thirds of the rows.
    for number, counts in enumerate((300, 300, 300, 600)):
        drawn = Counter(item for item in rows.flatten().tolist() if item in BINS[number])
        assert drawn.total() == counts
        assert likely(drawn, sorted(BINS[number]))


@pytest.mark.parametrize(("factor", "offset"), [(0.25, 0.0), (8.0, -4.0), (0.0625, 0.5)])
def test_edges_are_fractions_of_the_range(factor: float, offset: float) -> None:
    # Off the edges, where rounding could decide.
    scores = [factor * s + offset for s in (0.0, 0.3, 0.69, 0.71, 0.89, 0.91, 0.94, 0.96, 0.99, 1)]

    rows = FourBin().draw(shelf(scores, 50), 5, seeded())

    assert members(rows, BINS) == {(1, 1, 1, 2)}


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, [0, 0, 0, 1]),
        (2, [0, 0, 1, 1]),
        (3, [0, 1, 1, 1]),
        (4, [1, 1, 1, 1]),
        (5, [1, 1, 1, 2]),
        (8, [1, 1, 1, 5]),
    ],
)
def test_a_slate_of_any_size_is_filled_from_the_top(size: int, expected: list[int]) -> None:
    assert shares(size) == expected

    bins = [{0, 1}, {2, 3}, {4, 5}, {6, 7, 8, 9, 10, 11}]
    rows = FourBin().draw(
        shelf([0, 0.1, 0.7, 0.8, 0.9, 0.92, 0.95, 0.96, 0.97, 0.98, 0.99, 1], 20),
        size,
        seeded(),
    )
    assert members(rows, bins) == {tuple(expected)}


@pytest.mark.parametrize(
    ("scores", "bins", "taken", "short"),
    [
        # Nobody between .90 and .95: of the neighbours at the same distance the lower one gives.
        (
            [0, 0.1, 0.2, 0.75, 0.8, 0.85, 0.96, 0.98, 1],
            [{0, 1, 2}, {3, 4, 5}, set(), {6, 7, 8}],
            (1, 2, 0, 2),
            [0, 0, 1, 0],
        ),
        # Nobody between .70 and .95: each gap is filled by its own neighbour.
        (
            [0, 0.1, 0.2, 0.96, 0.98, 1],
            [{0, 1, 2}, set(), set(), {3, 4, 5}],
            (2, 0, 0, 3),
            [0, 1, 1, 0],
        ),
        # The same, but the top bin has no third to give.
        (
            [0, 0.1, 0.2, 0.98, 1],
            [{0, 1, 2}, set(), set(), {3, 4}],
            (3, 0, 0, 2),
            [0, 1, 1, 0],
        ),
        # One star far above the others, the usual case of a real student.
        (
            [0, 0.1, 0.2, 0.3, 0.4, 0.5, 1],
            [{0, 1, 2, 3, 4, 5}, set(), set(), {6}],
            (4, 0, 0, 1),
            [0, 1, 1, 1],
        ),
        # The second of the top bin comes from the bin below it, which has one to spare.
        (
            [0, 0.75, 0.91, 0.92, 1],
            [{0}, {1}, {2, 3}, {4}],
            (1, 1, 2, 1),
            [0, 0, 0, 1],
        ),
    ],
)
def test_the_nearest_bin_fills_in(
    scores: list[float], bins: list[set[int]], taken: tuple[int, ...], short: list[int]
) -> None:
    pool = shelf(scores, 30)

    rows = FourBin().draw(pool, 5, seeded())

    assert members(rows, bins) == {taken}
    assert all(len(set(row)) == 5 for row in rows.tolist())
    assert [notes(pool)[label]["short"] for label in LABELS] == [30 * s for s in short]


def test_uniform_fills_in_from_anywhere_but_never_twice() -> None:
    # Ten hopeless and ten excellent ones; bins 1 and 2 are empty.
    scores = [n / 100 for n in range(10)] + [0.964 + n / 250 for n in range(10)]
    pool = shelf(scores, 3000)

    rows = FourBin(fallback="uniform").draw(pool, 5, seeded())

    assert all(len(set(row)) == 5 for row in rows.tolist())
    low = (rows < 10).sum(1).double() - 1  # beside the one that the first bin gives
    # After 1 and 2 have gone, two come by lot from the 9 low and 8 high ones that are left.
    outcomes = Counter(low.int().tolist())
    ways = {0: 8 * 7 / 2, 1: 9 * 8, 2: 9 * 8 / 2}  # of 136 pairs
    expected = [3000 * ways[n] / 136 for n in (0, 1, 2)]
    assert chisquare([outcomes[n] for n in (0, 1, 2)], expected).pvalue > 0.01
    assert [notes(pool)[label]["short"] for label in LABELS] == [0, 3000, 3000, 0]


@pytest.mark.parametrize("fallback", ["nearest", "uniform"])
@pytest.mark.parametrize("by", ["range", "quantile"])
@pytest.mark.parametrize("seed", range(5))
def test_a_slate_as_large_as_the_catalogue_takes_everything(
    fallback: str, by: str, seed: int
) -> None:
    scores = torch.rand(5, generator=seeded(seed)).tolist()
    sampler = FourBin(by=by, fallback=fallback)

    rows = sampler.draw(shelf(scores, 10), 5, seeded(seed))

    assert rows.sort(1).values.tolist() == [[0, 1, 2, 3, 4]] * 10


@pytest.mark.parametrize("by", ["range", "quantile"])
def test_where_all_scores_are_equal_the_lot_decides(by: str) -> None:
    rows = FourBin(by=by).draw(shelf([0.5] * 7, 2100), 2, seeded())

    # All 21 pairs are as likely as one another.
    pairs = Counter(7 * min(row) + max(row) for row in rows.tolist())
    assert likely(pairs, [7 * a + b for a in range(7) for b in range(a + 1, 7)])


@pytest.mark.parametrize("power", [1, 9])
def test_quantiles_depend_on_the_order_alone(power: int) -> None:
    # 40 items: places 0 to 27 are below .70, 28 to 35 below .90, 36 and 37 below .95.
    scores = [(n / 40) ** power for n in range(40)]
    pool = shelf(scores, 100)

    rows = FourBin(by="quantile").draw(pool, 5, seeded())

    bins = [set(range(28)), set(range(28, 36)), {36, 37}, {38, 39}]
    assert members(rows, bins) == {(1, 1, 1, 2)}
    assert notes(pool)["[.95, 1]"] == {"members": 200, "wanted": 200, "short": 0}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_quantile_edges_belong_to_the_bin_above_in_any_precision(dtype: torch.dtype) -> None:
    pool = shelf([n / 8 for n in range(10)], 1, dtype)

    FourBin(by="quantile").draw(pool, 5, seeded())

    # Of ten, 7/10 is the first of the second bin and 9/10 the first of the third.
    assert [notes(pool)[label]["members"] for label in LABELS] == [7, 2, 1, 0]


def test_exact_ties_at_a_quantile_are_broken_by_lot() -> None:
    # The top two of 40 are item 0 and any one of the 39 others.
    rows = FourBin(by="quantile").draw(shelf([1.0] + [0.0] * 39, 3900), 2, seeded())
    tops = rows[:, 1]  # a slate of 2 takes one from the third bin and one from the top

    fortunate = Counter(tops[tops != 0].tolist())

    # Half of the time item 0 is drawn from the two in the top bin.
    assert fortunate.total() == pytest.approx(1950, abs=3 * (3900 / 4) ** 0.5)
    assert likely(fortunate, list(range(1, 40)))


def test_the_notes_are_exact_and_add_up() -> None:
    pool = shelf(SCORES, 3)
    wanted = {
        "[0, .70)": {"members": 9.0, "wanted": 3.0, "short": 0.0},
        "[.70, .90)": {"members": 6.0, "wanted": 3.0, "short": 0.0},
        "[.90, .95)": {"members": 6.0, "wanted": 3.0, "short": 0.0},
        "[.95, 1]": {"members": 9.0, "wanted": 6.0, "short": 0.0},
    }

    FourBin().draw(pool, 5, seeded())
    assert notes(pool) == wanted

    FourBin().draw(pool, 5, seeded())
    twice = {row: {k: 2 * v for k, v in columns.items()} for row, columns in wanted.items()}
    assert notes(pool) == twice


@pytest.mark.parametrize("fallback", ["nearest", "uniform"])
def test_neither_reads_nor_moves_the_global_generator(fallback: str) -> None:
    sampler = FourBin(fallback=fallback)
    scores = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 1]
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        drawn.append(sampler.draw(shelf(scores, 20), 5, seeded(3)))
        assert torch.equal(before, torch.get_rng_state())

    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0], sampler.draw(shelf(scores, 20), 5, seeded(4)))

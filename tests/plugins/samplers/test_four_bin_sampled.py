"""Bins by quantile in a large catalogue: thresholds from a sample, members found by lot.

The texts are [1] and the embeddings the scores themselves, so that an item's place is known.
"""

from collections import Counter

import pytest
import torch
from scipy.stats import chi2, chisquare
from torch import Generator, Tensor
from torch.nn.functional import normalize

from pvd import Item, Pool
from pvd.drawing import Shop, SlotPool, draw_round
from pvd.testing import items, personas
from pvd_plugins.samplers.four_bin import LABELS, MANY, FourBin
from pvd_plugins.samplers.four_bin.sampled import ROUNDING, SAMPLE, Cuts

ITEMS, BLOCKS, SLOTS = 30_000, 80, 64
THINGS: list[Item] = items(ITEMS)


class Scoreless(SlotPool):
    """A pool that must never score the whole catalogue."""

    @property
    def scores(self) -> Tensor:  # type: ignore[override]
        raise AssertionError("scored whole")


def shelf(texts: Tensor, embeddings: Tensor) -> Scoreless:
    return Scoreless(personas(len(texts)), THINGS, texts, embeddings, embeddings, notes={})


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def drawn(column: Tensor, blocks: int = BLOCKS, size: int = 5) -> Tensor:
    """[blocks * SLOTS, size], the items of many blocks, so that their thresholds average out."""
    pool = shelf(torch.ones(SLOTS, 1), column.unsqueeze(1))
    rng = seeded(1)
    sampler = FourBin(by="quantile")
    return torch.cat([sampler.draw(pool, size, rng) for _ in range(blocks)])


def even() -> tuple[Tensor, Tensor]:
    """Scores whose places, as fractions, are known."""
    places = torch.randperm(ITEMS, generator=seeded(5)) / ITEMS
    return places**3, places


@pytest.fixture(scope="module")
def rows() -> Tensor:
    return drawn(even()[0])


def test_a_slate_takes_one_from_each_bin_and_two_from_the_top(rows: Tensor) -> None:
    found = even()[1][rows]

    assert all(len(set(row)) == 5 for row in rows.tolist())
    # Five standard errors to each side of a threshold.
    for column, (low, high) in enumerate(
        [(0, 0.70), (0.70, 0.90), (0.90, 0.95), (0.95, 1), (0.95, 1)]
    ):
        margin = 5 * (0.0051 if column < 2 else 0.0033)
        assert found[:, column].min() >= low - margin
        assert found[:, column].max() <= high + margin


@pytest.mark.parametrize(
    ("columns", "low", "high"),
    [([0], 0.0, 0.68), ([1], 0.73, 0.88), ([2], 0.915, 0.94), ([3, 4], 0.965, 1.0)],
)
def test_any_member_of_a_bin_is_as_likely_as_any_other(
    rows: Tensor, columns: list[int], low: float, high: float
) -> None:
    found = even()[1][rows[:, columns]].flatten()
    inside = found[(found >= low) & (found < high)]  # where no sample's threshold lies

    counts = ((inside - low) / (high - low) * 20).long().bincount(minlength=20)

    assert inside.numel() > 0.4 * found.numel()
    assert chisquare(counts.tolist()).pvalue > 0.01


def test_the_two_of_the_top_bin_are_drawn_independently(rows: Tensor) -> None:
    found = even()[1][rows[:, 3:]]
    both = found[(found >= 0.965).all(1)]

    quarters = ((both - 0.965) / 0.035 * 4).long().clamp(max=3)
    counts = (4 * quarters[:, 0] + quarters[:, 1]).bincount(minlength=16)

    assert chisquare(counts.tolist()).pvalue > 0.01


@pytest.mark.parametrize(("number", "fraction"), [(0, 0.70), (1, 0.90), (2, 0.95)])
def test_the_thresholds_err_as_much_as_is_said(number: int, fraction: float) -> None:
    scores, _ = even()
    rng, errors = seeded(2), []
    for _ in range(300):
        cuts = Cuts.of(scores[torch.randint(ITEMS, (SAMPLE,), generator=rng)].unsqueeze(0))
        errors.append(float((scores < float(cuts.high[0, number])).double().mean()) - fraction)

    said = (fraction * (1 - fraction) / SAMPLE) ** 0.5
    spread = torch.tensor(errors).double()
    assert abs(float(spread.mean())) < 3 * said / 300**0.5 + 1 / SAMPLE
    # The sum of 300 squares of errors, in their variance, is chi-square.
    assert 0.005 < chi2.cdf(float((spread**2).sum()) / said**2, 300) < 0.995


def test_the_members_are_estimated() -> None:
    pool = shelf(torch.ones(SLOTS, 1), even()[0].unsqueeze(1))

    rng = seeded(4)
    for _ in range(20):
        FourBin(by="quantile").draw(pool, 5, rng)

    notes = pool._notes["bins"]
    slots = 20 * SLOTS
    assert sum(notes[label]["members"] for label in LABELS) == pytest.approx(slots * ITEMS)
    for label, share in zip(LABELS, (0.70, 0.20, 0.05, 0.05), strict=True):
        # 20 samples of thresholds, and 200 items tried for each slot.
        error = (share * (1 - share) * (1 / (20 * SAMPLE) + 1 / (200 * slots))) ** 0.5
        assert notes[label]["members"] / slots / ITEMS == pytest.approx(share, abs=4 * error)
        assert notes[label]["short"] == 0
    assert [notes[label]["wanted"] for label in LABELS] == [slots, slots, slots, 2 * slots]


def test_exact_ties_at_a_threshold_are_broken_by_lot() -> None:
    # The top 5 % are the 3 % that stand out, and 2 in 97 of all others.
    best = torch.arange(ITEMS) % 100 < 3

    rows = drawn(best.float() * 0.5)

    tops = best[rows[:, 3:]]
    assert not best[rows[:, :3]].any()
    # 60 %, but for a block whose sample has 3.19 % of them (a standard error more) 58 %.
    error = (0.6 * 0.4 / tops.numel() + 0.023**2 / BLOCKS) ** 0.5
    assert float(tops.double().mean()) == pytest.approx(0.6, abs=4 * error)
    # Of the others each is as likely as any other, in whatever bin.
    others = rows[~best[rows]]
    counts = (others * 20 // ITEMS).bincount(minlength=20)
    assert chisquare(counts.tolist()).pvalue > 0.01


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_ties_are_ties_however_their_cosine_is_worked_out(dtype: torch.dtype) -> None:
    # Two pictures, many times; the product over the sample adds up in another order.
    two = normalize(torch.randn(2, 512, generator=seeded(6)), dim=1)
    best = torch.arange(ITEMS) % 100 < 3
    texts = normalize(two[1] + 0.5 * torch.randn(SLOTS, 512, generator=seeded(7)) / 512**0.5, dim=1)
    pool = shelf(texts.to(dtype), two[best.long()].to(dtype))

    rng = seeded(8)
    rows = torch.cat([FourBin(by="quantile").draw(pool, 5, rng) for _ in range(8)])

    tops = best[rows[:, 3:]]
    error = (0.6 * 0.4 / tops.numel() + 0.023**2 / 8) ** 0.5
    assert float(tops.double().mean()) == pytest.approx(0.6, abs=4 * error)
    assert not best[rows[:, :3]].any()


def test_rounding_is_smaller_than_is_said() -> None:
    texts = normalize(torch.randn(SLOTS, 1024, generator=seeded(1)), dim=1)
    embeddings = normalize(texts[0] + torch.randn(ITEMS, 1024, generator=seeded(2)) / 32, dim=1)
    some = torch.randint(ITEMS, (500,), generator=seeded(3))
    pool = shelf(texts, embeddings)

    together, apart = pool.scores_of(some), pool.scores_of(some.expand(SLOTS, 500))

    assert together.max() > 0.6
    assert float((together - apart).abs().max()) < ROUNDING / 2


def test_where_all_scores_are_equal_the_lot_decides() -> None:
    rows = drawn(torch.full((ITEMS,), 0.5), blocks=20)

    assert all(len(set(row)) == 5 for row in rows.tolist())
    for column in range(5):
        counts = (rows[:, column] * 20 // ITEMS).bincount(minlength=20)
        assert chisquare(counts.tolist()).pvalue > 0.01 / 5


@pytest.mark.parametrize("fallback", ["nearest", "uniform"])
def test_bins_that_nobody_is_found_in_are_filled_from_others(fallback: str) -> None:
    # A student that went astray gives scores that are no numbers.
    pool = shelf(torch.ones(3, 1), torch.full((ITEMS, 1), float("nan")))

    rows = FourBin(by="quantile", fallback=fallback).draw(pool, 5, seeded())

    assert all(len(set(row)) == 5 for row in rows.tolist())
    assert [pool._notes["bins"][label]["short"] for label in LABELS] == [0, 3, 3, 6]


def test_slots_of_a_block_share_no_items_but_by_chance(rows: Tensor) -> None:
    # Each pair of slots has the same two of the top 1,500 with a chance of 4 in 1,500.
    tops = rows[:, 3:].reshape(BLOCKS, SLOTS, 2).tolist()

    same = sum(
        count * (count - 1) // 2
        for block in tops
        for count in Counter(item for row in block for item in row).values()
    )

    expected = BLOCKS * SLOTS * (SLOTS - 1) / 2 * 4 / (0.05 * ITEMS)
    assert same == pytest.approx(expected, abs=4 * expected**0.5)


@pytest.mark.parametrize("size", [2, 5, 7])
def test_a_sample_is_taken_only_of_many_items(size: int) -> None:
    read = []

    class Watched(SlotPool):
        @property
        def scores(self) -> Tensor:  # type: ignore[override]
            read.append(len(self.items))
            return super().scores_of(torch.arange(len(self.items)))

    for count in (MANY * size, MANY * size + 1):
        column = torch.rand(count, 1, generator=seeded(count))
        pool: Pool = Watched(personas(2), range(count), torch.ones(2, 1), column, column)  # type: ignore[arg-type]
        rows = FourBin(by="quantile").draw(pool, size, seeded())
        assert rows.shape == (2, size)

    assert set(read) == {MANY * size}


def test_the_same_seed_draws_the_same_and_the_global_generator_rests() -> None:
    texts = normalize(torch.randn(70, 16, generator=seeded(1)), dim=1)
    embeddings = normalize(torch.randn(ITEMS, 16, generator=seeded(2)), dim=1)
    shop = Shop(personas(70), THINGS, texts, embeddings, embeddings)
    found = []
    for seed, aside in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(aside)
        before = torch.get_rng_state()
        found.append(draw_round(FourBin(by="quantile"), shop, round=1, slots=70, size=5, seed=seed))
        assert torch.equal(before, torch.get_rng_state())

    assert found[0] == found[1]
    assert found[0] != found[2]

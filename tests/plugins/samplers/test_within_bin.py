"""Slates from one bin, on scores whose bins are known.

The texts are [1] and the embeddings the scores themselves, so that the cosines are those numbers.
"""

from collections import Counter

import pytest
import torch
from scipy.stats import chisquare
from torch import Generator, Tensor
from torch.nn.functional import normalize

from pvd import Item, figures
from pvd.drawing import Shop, SlotPool, draw_round
from pvd.errors import PluginError
from pvd.testing import items, personas
from pvd_plugins.samplers.four_bin import LABELS, MANY, FourBin
from pvd_plugins.samplers.within_bin import WithinBin

# By quantile 70, 20, 5 and 5 of 100; by range 7, 6, 5 and 2 of these 20.
LADDER = [n / 100 for n in range(100)]
STEPS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.69, 0.70, 0.71, 0.75, 0.8, 0.85, 0.89, 0.90, 0.91, 0.92]
STEPS += [0.93, 0.94, 0.95, 1]
STEP_BINS = [range(7), range(7, 13), range(13, 18), range(18, 20)]
MANY_ITEMS = 30_000
THINGS: list[Item] = items(MANY_ITEMS)


class Scoreless(SlotPool):
    """A pool that must never score the whole catalogue."""

    @property
    def scores(self) -> Tensor:  # type: ignore[override]
        raise AssertionError("scored whole")


def shelf(scores: list[float], slots: int) -> SlotPool:
    column = torch.tensor(scores).unsqueeze(1)
    return SlotPool(
        personas(slots), items(len(scores)), torch.ones(slots, 1), column, column, notes={}
    )


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def notes(pool: SlotPool, column: str) -> list[float]:
    return [pool._notes["bins"][label][column] for label in LABELS]


def bins_of(rows: Tensor, bins: list[range]) -> list[int]:
    """The bin of each row; fails if a row leaves it."""
    found = []
    for row in rows.tolist():
        assert len(set(row)) == len(row)
        (bin,) = {next(n for n, members in enumerate(bins) if item in members) for item in row}
        found.append(bin)
    return found


def likely(counts: Counter[int], values: range) -> bool:
    """Whether the counts of these values could come from a fair lot."""
    assert set(counts) == set(values)
    return float(chisquare([counts[value] for value in values]).pvalue) > 0.01


def test_all_items_are_of_one_bin_and_each_bin_is_as_likely() -> None:
    pool = shelf(LADDER, 1200)

    rows = WithinBin().draw(pool, 5, seeded())

    bins = [range(70), range(70, 90), range(90, 95), range(95, 100)]
    chosen = bins_of(rows, bins)
    assert likely(Counter(chosen), range(4))
    # Within a bin any item is as likely as any other; the upper two give all that they have.
    for number in (0, 1):
        drawn = [row for row, bin in zip(rows.tolist(), chosen, strict=True) if bin == number]
        assert likely(Counter(item for row in drawn for item in row), bins[number])
    assert notes(pool, "members") == [1200 * count for count in (70, 20, 5, 5)]
    assert notes(pool, "wanted") == [5 * chosen.count(number) for number in range(4)]
    assert notes(pool, "short") == [0, 0, 0, 0]


def test_a_bin_that_is_too_small_gives_way_to_the_others() -> None:
    pool = shelf(STEPS, 1500)

    rows = WithinBin(by="range").draw(pool, 5, seeded())

    chosen = Counter(bins_of(rows, STEP_BINS))
    assert likely(chosen, range(3))
    assert notes(pool, "members") == [1500 * len(members) for members in STEP_BINS]
    # The lot fell on the top bin as often as on any; it could not give one slate.
    short = notes(pool, "short")
    assert short[:3] == [0, 0, 0]
    assert short[3] == notes(pool, "wanted")[3] == pytest.approx(5 * 375, abs=5 * 60)
    assert sum(notes(pool, "wanted")) == 5 * 1500


@pytest.mark.parametrize("by", ["range", "quantile"])
@pytest.mark.parametrize("size", [2, 3, 5, 7])
def test_bins_are_those_of_four_bin(by: str, size: int) -> None:
    scores = (torch.rand(300, generator=seeded(size)) ** 3).tolist()
    ours, theirs = shelf(scores, 4), shelf(scores, 4)

    WithinBin(by=by).draw(ours, size, seeded())
    FourBin(by=by).draw(theirs, size, seeded())

    assert notes(ours, "members") == notes(theirs, "members")


@pytest.mark.parametrize("by", ["range", "quantile"])
def test_where_no_bin_is_large_enough_the_whole_catalogue_gives(by: str) -> None:
    # Seven items by quantile: 5, 2, 0 and 0; none has six. By range: 4, 2, 1 and 0.
    pool = shelf([0, 0.1, 0.2, 0.3, 0.75, 0.8, 1.0], 2100)

    rows = WithinBin(by=by).draw(pool, 6, seeded())

    missing = Counter(21 - sum(row) for row in rows.tolist())
    assert likely(missing, range(7))
    assert notes(pool, "short") == notes(pool, "wanted")


@pytest.mark.parametrize("by", ["range", "quantile"])
@pytest.mark.parametrize("size", [2, 3])
def test_where_all_scores_are_equal_the_lot_decides(by: str, size: int) -> None:
    rows = WithinBin(by=by).draw(shelf([0.5] * 7, 2100), size, seeded())

    sets = Counter(frozenset(row) for row in rows.tolist())
    possible = {2: 21, 3: 35}[size]
    assert len(sets) == possible
    assert chisquare(list(sets.values())).pvalue > 0.01


@pytest.mark.parametrize("by", ["range", "quantile"])
def test_scores_that_are_no_numbers_give_slates_all_the_same(by: str) -> None:
    rows = WithinBin(by=by).draw(shelf([float("nan")] * 40, 20), 5, seeded())

    assert all(len(set(row)) == 5 for row in rows.tolist())


# --- a large catalogue ----------------------------------------------------------------------------


def large(scores: Tensor, slots: int = 64) -> Scoreless:
    column = scores.unsqueeze(1)
    return Scoreless(personas(slots), THINGS, torch.ones(slots, 1), column, column, notes={})


def test_a_large_catalogue_is_not_scored_whole_and_slates_stay_in_their_bins() -> None:
    places = torch.randperm(MANY_ITEMS, generator=seeded(5)) / MANY_ITEMS
    pool, rng = large(places**3), seeded(1)

    rows = torch.cat([WithinBin().draw(pool, 5, rng) for _ in range(20)])

    found = places[rows]
    # Three thresholds with the standard errors .0051, .0033 and .0024 in each of 20 blocks.
    edges = torch.tensor([0.70, 0.90, 0.95])
    margins = 5 * torch.tensor([0.0051, 0.0033, 0.0024])
    above = (found.unsqueeze(2) > edges + margins).sum(2)
    below = (found.unsqueeze(2) < edges - margins).sum(2)
    lowest, highest = above.amax(1), 3 - below.amax(1)
    assert (lowest <= highest).all(), "a slate has items on both sides of a threshold"
    assert all(len(set(row)) == 5 for row in rows.tolist())
    # The lot: within five standard errors of 1280 / 4 (over 60 seeds its p-values are uniform).
    assert [count / 5 for count in notes(pool, "wanted")] == pytest.approx([320] * 4, abs=5 * 15.5)
    # Which bin a slate is of, its middle item says, all but near a threshold.
    middle = torch.bucketize(found.median(1).values, edges, right=True).bincount(minlength=4)
    assert middle.tolist() == pytest.approx([count / 5 for count in notes(pool, "wanted")], abs=25)
    assert notes(pool, "short") == [0, 0, 0, 0]
    assert sum(notes(pool, "members")) == pytest.approx(20 * 64 * MANY_ITEMS)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.68), (0.73, 0.88), (0.915, 0.94), (0.965, 1.0)])
def test_any_member_of_a_bin_of_a_large_catalogue_is_as_likely(low: float, high: float) -> None:
    places = torch.randperm(MANY_ITEMS, generator=seeded(6)) / MANY_ITEMS
    pool, rng = large(places), seeded(2)

    found = places[torch.cat([WithinBin().draw(pool, 5, rng) for _ in range(20)])].flatten()

    inside = found[(found >= low) & (found < high)]  # where no sample's threshold lies
    counts = ((inside - low) / (high - low) * 10).long().bincount(minlength=10)
    assert inside.numel() > 500
    assert chisquare(counts.tolist()).pvalue > 0.01


def test_ties_in_a_large_catalogue_are_drawn_by_lot() -> None:
    rng = seeded(3)
    pool = large(torch.full((MANY_ITEMS,), 0.5))

    rows = torch.cat([WithinBin().draw(pool, 5, rng) for _ in range(20)])

    assert all(len(set(row)) == 5 for row in rows.tolist())
    assert chisquare((rows.flatten() * 20 // MANY_ITEMS).bincount(minlength=20)).pvalue > 0.01


def test_where_a_large_catalogue_has_no_bins_the_lot_decides() -> None:
    """A student that went astray gives scores that are no numbers: all are in the first bin."""
    pool = large(torch.full((MANY_ITEMS,), float("nan")))

    rows = WithinBin().draw(pool, 5, seeded())

    assert all(len(set(row)) == 5 for row in rows.tolist())
    assert notes(pool, "short")[1:] == notes(pool, "wanted")[1:]


def test_a_sample_is_taken_only_of_many_items() -> None:
    for count, whole in ((MANY * 2, True), (MANY * 2 + 1, False)):
        column = torch.rand(count, 1, generator=seeded(count))
        pool = Scoreless(personas(2), THINGS[:count], torch.ones(2, 1), column, column, notes={})
        if whole:
            # One that was loaded by name is guarded.
            with pytest.raises((AssertionError, PluginError), match="scored whole"):
                WithinBin().draw(pool, 2, seeded())
        else:
            assert WithinBin().draw(pool, 2, seeded()).shape == (2, 2)


# --- the rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["range", "quantile"])
def test_a_round_depends_on_its_seed_alone(by: str) -> None:
    texts = normalize(torch.randn(70, 8, generator=seeded(1)), dim=1)
    embeddings = normalize(torch.randn(200, 8, generator=seeded(2)), dim=1)
    shop = Shop(personas(70), THINGS[:200], texts, embeddings, embeddings)
    found = []
    for seed, aside in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(aside)
        before = torch.get_rng_state()
        found.append(draw_round(WithinBin(by=by), shop, round=1, slots=70, size=5, seed=seed))
        assert torch.equal(before, torch.get_rng_state())

    assert found[0] == found[1]
    assert found[0] != found[2]


@pytest.mark.usefixtures("drawn")
def test_the_reports_figure_shows_its_notes() -> None:
    pool = shelf(STEPS, 64)
    WithinBin(by="range").draw(pool, 5, seeded())
    book = {row: dict(columns) for row, columns in pool._notes["bins"].items()}

    chart = figures.bins([{"round": 1, "slates": 64, "notes": {"bins": book}}])

    assert chart is not None
    assert "[.95, 1], held 2.0 items" in chart.caption
    assert "could not give 100 %" in chart.caption

"""Percentile ranks: 100 * (1 - rank0 / N), rank0 = those above and half of those tied."""

import pytest
import torch

from pvd.percentiles import percentile_ranks


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        # Four places: rank0 is 0, 1, 2, 3.
        ([0.9, 0.5, 0.3, 0.1], [100, 75, 50, 25]),
        ([0.1, 0.9, 0.3, 0.5], [25, 100, 50, 75]),
        # Tied in the middle: one above, half of one tied, rank0 = 1.5.
        ([0.9, 0.5, 0.5, 0.1], [100, 62.5, 62.5, 25]),
        # Tied at the top: rank0 = 0.5.
        ([0.9, 0.9, 0.5, 0.1], [87.5, 87.5, 50, 25]),
        # All tied: half of the three others, rank0 = 1.5.
        ([0.2, 0.2, 0.2, 0.2], [62.5] * 4),
        ([-3.0], [100]),
    ],
)
def test_by_hand(scores: list[float], expected: list[float]) -> None:
    assert percentile_ranks(torch.tensor([scores])).tolist() == [expected]


def test_rows_are_apart() -> None:
    scores = torch.tensor([[1.0, 2.0], [2.0, 1.0], [5.0, 5.0]])

    # N = 2: the best 100, the worst 50, tied 75.
    assert percentile_ranks(scores).tolist() == [[50, 100], [100, 50], [75, 75]]


def test_a_view_with_strides_is_read_right() -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0], [6.0, 5.0, 4.0]])
    torch.set_warn_always(True)  # else torch says it once, to whoever is first

    try:
        assert torch.equal(percentile_ranks(scores.T.contiguous().T), percentile_ranks(scores))
    finally:
        torch.set_warn_always(False)


@pytest.mark.parametrize("items", [1, 4, 101])
def test_the_mean_over_all_places_is_fifty_and_fifty_over_n(items: int) -> None:
    scores = torch.rand(3, items, generator=torch.Generator().manual_seed(0))

    # The mean of rank0 = 0 .. N-1 is (N - 1) / 2, so 100 * (1 - (N - 1) / 2N) = 50 + 50 / N.
    assert percentile_ranks(scores).mean(1).tolist() == pytest.approx([50 + 50 / items] * 3)


def test_agrees_with_counting() -> None:
    scores = torch.randint(0, 9, (5, 40), generator=torch.Generator().manual_seed(1)).float()

    for row, ranks in zip(scores.tolist(), percentile_ranks(scores).tolist(), strict=True):
        for one, rank in zip(row, ranks, strict=True):
            rank0 = sum(other > one for other in row) + (sum(o == one for o in row) - 1) / 2
            assert rank == pytest.approx(100 * (1 - rank0 / 40))

"""The contract of a sampler, and what this one draws."""

from __future__ import annotations

import pytest
import torch
from pvd import testing

from pvd_example.close_calls import CloseCalls, farthest


class TestContract(testing.SamplerContract):
    """What core relies on; `pvd plugins check sampler.close-calls` runs the same."""

    def component(self) -> CloseCalls:
        return CloseCalls(window=10)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_slate_comes_from_one_window_of_the_scores() -> None:
    pool = testing.pool(slots=6, count=60)
    rows = CloseCalls(top=0.5, window=9).draw(pool, 5, rng())
    order = pool.scores.argsort(1, descending=True)
    for row, sequence in zip(rows.tolist(), order.tolist(), strict=True):
        found = sorted(sequence.index(item) for item in row)
        assert found[-1] - found[0] < 9
        assert found[0] < 0.5 * 60  # the anchor or what is next to it


def test_its_scores_are_closer_than_those_of_a_lot() -> None:
    pool = testing.pool(slots=6, count=60)
    drawn = CloseCalls(window=9).draw(pool, 5, rng())
    by_lot = torch.stack([torch.randperm(60, generator=rng())[:5] for _ in range(6)])
    close, lot = (pool.scores.gather(1, rows).std(1).mean().item() for rows in (drawn, by_lot))
    assert close < lot / 2


def test_farthest_first_takes_no_near_duplicate() -> None:
    # Columns 0 and 1 are nearly the same, 2 is opposite, 3 across.
    plane = torch.tensor([[1.0, 0.0], [0.999, 0.045], [-1.0, 0.0], [0.0, 1.0]])
    vectors = torch.nn.functional.normalize(plane, dim=1).unsqueeze(0)
    found = farthest(vectors, torch.tensor([0]), 3)
    assert found.tolist() == [[0, 2, 3]]


def test_all_of_a_small_catalogue_is_drawn() -> None:
    rows = CloseCalls().draw(testing.pool(slots=3, count=5), 5, rng())
    assert [sorted(row) for row in rows.tolist()] == [[0, 1, 2, 3, 4]] * 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"top": 0.0}, "top must be above 0 and at most 1"),
        ({"top": 1.5}, "top must be above 0 and at most 1"),
        ({"window": 1}, "window must be at least 2"),
    ],
)
def test_options_are_checked(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CloseCalls(**options)  # type: ignore[arg-type]

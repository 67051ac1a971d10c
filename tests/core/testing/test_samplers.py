"""Each check of a sampler, and samplers that it catches."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from caught import Broken, assert_caught, own_checks, verdicts, wrong

import pvd
from pvd.testing import SamplerContract, Skipped


@dataclass(kw_only=True)
class ByLot(pvd.Sampler):
    """Draws by lot."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        count = len(pool.items)
        return torch.stack([torch.randperm(count, generator=rng)[:size] for _ in pool.personas])


class Short(ByLot):
    """Draws one item too few."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        return super().draw(pool, size - 1, rng)


class Broad(ByLot):
    """Returns a list."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        return super().draw(pool, size, rng).tolist()


class Halved(ByLot):
    """Returns numbers that are no indices."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        return super().draw(pool, size, rng).float()


class Twice(ByLot):
    """Puts back what it drew, where there is little."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        drawn = super().draw(pool, size, rng)
        return drawn % 2 if len(pool.items) == 3 else drawn


class Fixed(ByLot):
    """Takes every catalogue for one of 40 items."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        return torch.stack([torch.randperm(40, generator=rng)[:size] for _ in pool.personas])


@dataclass(kw_only=True)
class ByScore(pvd.Sampler):
    """Draws what the student likes, more often than other things."""

    def slots(self, pool: pvd.Pool) -> list[int]:
        """The slots, in the order in which they are drawn for."""
        return list(range(len(pool.personas)))

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        shares = (5 * pool.scores).softmax(1)[self.slots(pool)]
        return torch.multinomial(shares, size, generator=rng)


class ById(ByScore):
    """Forgets to bring its rows back into the order of the slots."""

    def slots(self, pool: pvd.Pool) -> list[int]:
        return sorted(super().slots(pool), key=lambda slot: pool.personas[slot].id)


class Together(ByScore):
    """Draws for each persona once, for all of its slots."""

    def slots(self, pool: pvd.Pool) -> list[int]:
        ids = [persona.id for persona in pool.personas]
        return sorted(super().slots(pool), key=lambda slot: ids.index(ids[slot]))


class Own(ByLot):
    """Has a generator of its own."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        return super().draw(pool, size, torch.Generator().manual_seed(Random().getrandbits(60)))


class Distinct(ByLot):
    """Takes the best of the distinct scores, as if there were always enough of them."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        best = [torch.unique(row).topk(size).values for row in pool.scores]
        rows = zip(pool.scores, best, strict=True)
        return torch.stack([torch.isin(row, some).nonzero()[:size, 0] for row, some in rows])


class Forgetful(ByLot):
    """Reads of a judgment what it has not."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        seen = {judgment.items for judgment in pool.history}  # type: ignore[attr-defined]
        return super().draw(pool, size - len(seen), rng)


class Centring(ByLot):
    """Moves the scores in place."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        pool.scores.sub_(pool.scores.mean())
        return super().draw(pool, size, rng)


class Undefined(ByLot):
    """Notes a share of nothing."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        pool.note("bins", {"top": {"share": float("nan")}})
        return super().draw(pool, size, rng)


BROKEN = [
    (
        "test_draws",
        Broken(
            Short,
            r"draw\(\) for 6 slots of 5 among 40 items: it returned a Tensor of shape \(6, 4\) and "
            r"torch.int64 from draw; it must return a tensor of 6 rows with 5 distinct whole",
        ),
    ),
    (
        "test_draws",
        Broken(Broad, "it returned a list of 6 from draw; it must return a tensor", None),
    ),
    ("test_draws", Broken(Halved, "and torch.float32 from draw; it must return .* whole numbers")),
    ("test_draws", Broken(Twice, r"it drew the row \[\d, \d\]; it must .* 2 distinct")),
    (
        "test_draws",
        Broken(Fixed, "it drew the row .* whole numbers below 3, indices of the pool's"),
    ),
    ("test_rows_in_order", Broken(ById, r"for slot \d alone; return row i for pool.personas\[i\]")),
    ("test_rows_in_order", Broken(Together, "also where a persona has several slots")),
    ("test_repeats", Broken(Own, "two equal generators gave different draws.*from `rng` alone")),
    ("test_draws", Broken(Distinct, "where all scores are equal raises RuntimeError: .*k out of")),
    (
        "test_history",
        Broken(Forgetful, "judgments in pool.history raises Attrib", ("test_changes_nothing",)),
    ),
    ("test_changes_nothing", Broken(Centring, "it changes pool.scores, which core goes on with")),
    ("test_notes", Broken(Undefined, "got nan for 'top', 'share'; .* numbers finite")),
]


@pytest.mark.parametrize(("check", "broken"), BROKEN, ids=lambda one: getattr(one, "message", one))
def test_it_is_caught(check: str, broken: Broken) -> None:
    assert_caught(SamplerContract, check, broken)


def test_every_check_catches_something() -> None:
    assert {check for check, _ in BROKEN} == own_checks(SamplerContract)


@pytest.mark.parametrize("sampler", [ByLot, ByScore])
def test_a_good_one_passes(sampler: type[pvd.Sampler]) -> None:
    found = verdicts(SamplerContract, sampler)
    assert not wrong(found)
    assert isinstance(found["test_rows_in_order"], Skipped) == (sampler is ByLot)

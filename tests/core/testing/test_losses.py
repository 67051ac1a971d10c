"""Each check of a loss, and losses that it catches."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

import pytest
from caught import Broken, assert_caught, own_checks, verdicts, wrong

import pvd
from pvd.testing import LossContract


def costs(scores: Any, ranks: Any, there: Any) -> tuple[Any, Any]:
    """[B, K, K], of each pair that is stated, and which are."""
    from torch.nn.functional import softplus

    pairs = (ranks.unsqueeze(2) < ranks.unsqueeze(1)) & there.unsqueeze(2) & there.unsqueeze(1)
    margins = scores.unsqueeze(2) - scores.unsqueeze(1)
    return softplus(-5 * margins) * pairs, pairs


@dataclass(kw_only=True)
class Pairs(pvd.Loss):
    """Pairwise, as Bradley and Terry have it."""

    def slates(self, batch: pvd.ScoredBatch) -> tuple[Any, Any]:
        """[B], what each costs, and whether it states a pair."""
        each, pairs = costs(batch.scores, batch.ranks, batch.placed & batch.mask)
        return each.sum((1, 2)), pairs.any(2).any(1)

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        each, stated = self.slates(batch)
        weights = batch.weights * stated
        return (each * weights).sum() / weights.sum().clamp(min=1e-9)


@dataclass(kw_only=True)
class Scaled(Pairs):
    """One with a parameter of its own."""

    def __post_init__(self) -> None:
        import torch

        self.scale = torch.ones((), requires_grad=True)

    def parameters(self) -> Any:
        return [self.scale]

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        return super().__call__(batch) * self.scale


@dataclass(kw_only=True)
class Pointwise(pvd.Loss):
    """Looks across slates, at utilities: pointwise targets as in BiXSE."""

    requires: ClassVar[frozenset[str]] = frozenset({"utilities"})
    separable: ClassVar[bool] = False

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        from torch.nn.functional import binary_cross_entropy_with_logits as cost

        assert batch.utilities is not None
        grades = batch.utilities.sigmoid()
        within = cost(10 * batch.scores[batch.mask], grades[batch.mask])
        return within + cost(10 * batch.pool_scores, batch.in_slate.float()) / 10


class EachSlate(Pairs):
    """Forgets to mean over the slates."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        return self.slates(batch)[0]


class Greedy(Pairs):
    """Requires what no teacher yields."""

    requires: ClassVar[frozenset[str]] = frozenset({"prices"})


class NotForTwo(Pairs):
    """Divides by the number of items that are neither first nor last."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        return super().__call__(batch) / (batch.scores.shape[1] > 2)


class Detached(Pairs):
    """Loses the way back."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        return super().__call__(batch).detach() + 0 * batch.scores.sum()


class Rooted(Pairs):
    """Has a root at 0 where all embeddings are one."""

    separable: ClassVar[bool] = False

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        off = batch.embeddings.amax(0) - batch.embeddings.amin(0)
        return super().__call__(batch) + off.square().sum().sqrt() / 100


class Backwards(Pairs):
    """Likes the worst best."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        return -super().__call__(batch)


class Unclamped(Pairs):
    """Divides 0 by 0 where nothing is stated."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        each, stated = self.slates(batch)
        weights = batch.weights * stated
        return (each * weights).sum() / weights.sum()


class Constant(Pairs):
    """Returns a plain 0 where nothing is stated."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        import torch

        return super().__call__(batch) if self.slates(batch)[1].any() else torch.zeros(())


class Behind(Pairs):
    """Takes a root behind torch.where, whose gradient is NaN all the same."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        import torch

        whole = super().__call__(batch)
        return torch.where(whole > 0, whole.sqrt() ** 2, 0.0)


class Unplaced(Pairs):
    """Takes what was not placed for the worst."""

    def slates(self, batch: pvd.ScoredBatch) -> tuple[Any, Any]:
        each, pairs = costs(batch.scores, batch.ranks, batch.mask)
        return each.sum((1, 2)), pairs.any(2).any(1)


class Padded(Pairs):
    """Means over all places."""

    def slates(self, batch: pvd.ScoredBatch) -> tuple[Any, Any]:
        each, stated = super().slates(batch)
        return each / batch.scores.shape[1], stated


class OverPairs(Pairs):
    """Means over the pairs of the batch, and says that it is separable."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        each, pairs = costs(batch.scores, batch.ranks, batch.placed & batch.mask)
        return each.sum() / pairs.sum().clamp(min=1)


class FirstMost(Pairs):
    """Minds what is shown first most."""

    def slates(self, batch: pvd.ScoredBatch) -> tuple[Any, Any]:
        import torch

        each, pairs = costs(batch.scores, batch.ranks, batch.placed & batch.mask)
        places = 1 / (1 + torch.arange(batch.scores.shape[1])).unsqueeze(1)
        return (each * places).sum((1, 2)), pairs.any(2).any(1)


class EarlyMost(Pairs):
    """Minds the first slates most."""

    separable: ClassVar[bool] = False

    def slates(self, batch: pvd.ScoredBatch) -> tuple[Any, Any]:
        import torch

        each, stated = super().slates(batch)
        return each / (1 + torch.arange(len(each))), stated


class ByPersona(Pairs):
    """Brings its slates into the order of their personas, but not their weights."""

    def slates(self, batch: pvd.ScoredBatch) -> tuple[Any, Any]:
        each, stated = super().slates(batch)
        people = [judgment.slate.persona.id for judgment in batch.judgments]
        order = sorted(range(len(people)), key=people.__getitem__)
        return each[order], stated[order]


class FirstPicture(Pairs):
    """Takes the first picture of the batch for one that it knows."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        near = (batch.embeddings[0] * batch.text_embeddings[0].detach()).sum()
        return super().__call__(batch) * (1 + near / 100)


class Moody(Pairs):
    """Has a generator of its own, without a seed."""

    separable: ClassVar[bool] = False

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        return super().__call__(batch) * (1 + Random().random() / 1e5)


class Reliant(Pairs):
    """Reads utilities that it does not require."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        assert batch.utilities is not None
        return super().__call__(batch)


class FromOne(Pairs):
    """Counts ranks from 1, in place."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        batch.ranks.add_(1)
        return super().__call__(batch)


class Fickle(Scaled):
    """Makes its parameters when it is asked for them."""

    def parameters(self) -> Any:
        return [self.scale.detach().clone().requires_grad_()]


class Frozen(Scaled):
    """Uses its parameter as a plain number."""

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        return Pairs.__call__(self, batch) * self.scale.detach()


class Given(Scaled):
    """Returns what is made of its parameter."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.double = self.scale * 2

    def parameters(self) -> Any:
        return [self.double]


BROKEN = [
    ("test_scalar", Broken(EachSlate, r"shape \(4,\); it must return one number as", None)),
    ("test_scalar", Broken(Greedy, r"requires names \['prices'\]; core knows utilities")),
    ("test_scalar", Broken(NotForTwo, "it is inf for 1 slates")),
    ("test_gradient", Broken(Detached, "its gradient is zero; compute it from batch.scores")),
    ("test_gradient", Broken(Rooted, "not finite where all scores are equal")),
    ("test_prefers_the_ranking", Broken(Backwards, "rank 0 is the best, and a better item")),
    ("test_silence", Broken(Unclamped, "it is nan where all items are tied or none is placed")),
    ("test_silence", Broken(Constant, "multiply the scores by 0 there")),
    ("test_silence", Broken(Behind, "also behind torch.where")),
    ("test_unplaced", Broken(Unplaced, "leave out where batch.placed is False")),
    ("test_padding", Broken(Padded, "a slate of 3 items costs .* filled up to 5 places")),
    ("test_adds_up", Broken(OverPairs, "or set separable to False")),
    ("test_order_of_items", Broken(FirstMost, "with the items of each slate in another order")),
    ("test_order_of_slates", Broken(EarlyMost, "with the slates of the batch in another order")),
    ("test_order_of_slates", Broken(ByPersona, "with the slates of the batch in another order")),
    (
        "test_order_of_pictures",
        Broken(FirstPicture, "with the pictures of the batch in another order", None),
    ),
    ("test_repeats", Broken(Moody, "draw from torch alone, which core seeds")),
    ("test_without_utilities", Broken(Reliant, "they are None where the teacher has none")),
    ("test_changes_nothing", Broken(FromOne, "it changes batch.ranks, .* work on a .clone")),
    ("test_parameters", Broken(Fickle, "other tensors each time; make them in __post_init__")),
    ("test_parameters", Broken(Frozen, "parameter 0 gets no finite gradient")),
    ("test_parameters", Broken(Given, "must return leaf tensors")),
]


@pytest.mark.parametrize(("check", "broken"), BROKEN, ids=lambda one: getattr(one, "message", one))
def test_it_is_caught(check: str, broken: Broken) -> None:
    assert_caught(LossContract, check, broken)


def test_every_check_catches_something() -> None:
    assert {check for check, _ in BROKEN} == own_checks(LossContract)


@pytest.mark.parametrize("loss", [Pairs, Scaled, Pointwise])
def test_a_good_one_passes(loss: type[pvd.Loss]) -> None:
    assert not wrong(verdicts(LossContract, loss))

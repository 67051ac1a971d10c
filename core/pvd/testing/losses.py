"""The contract of a loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pvd.isolation import checks
from pvd.protocols import Loss, ScoredBatch
from pvd.testing.contract import Contract, called, check
from pvd.testing.demands import require, skip
from pvd.testing.material import judged_batch, learnable_batch, scored_batch

if TYPE_CHECKING:
    from torch import Tensor

KNOWN = ("utilities",)  # what a loss may require
RANKS: list[list[int | None]] = [[0, 1, 2, 3, 4], [2, 0, 1, 1, None], [4, 3, 2, 1, 0], [0, 0, 1]]

SILENT: list[list[list[int | None]]] = [[[0] * 5, [None] * 5], [[0, None, None]]]
LIKE: dict[Literal["any", "one", "ends"], str] = {
    "any": "",
    "one": " where all scores are equal",
    "ends": " where all scores are 1 or -1",
}


class LossContract(Contract[Loss]):
    """A loss is a scalar that falls as the scores come to agree with the rankings, and whose
    gradient reaches the embeddings, whatever the rankings say and in whatever order they come."""

    kind: ClassVar[str] = "loss"
    streams: ClassVar[tuple[str, ...]] = ("random", "numpy")  # core seeds torch's before each call

    def use(self, component: Loss) -> None:
        value_of(component, judged_batch(RANKS)[0])

    @check
    def test_scalar(self) -> None:
        """is one finite number for each batch"""
        import torch

        loss = self.component()
        unknown = loss.requires - set(KNOWN)
        require(not unknown, f"requires names {sorted(unknown)}; core knows {', '.join(KNOWN)}")
        for ranks in (RANKS, RANKS[:1], [[0, 1]], [[1, 0, 2, 3, 4, 5, 6, 7]]):
            value = called("the loss", value_of, loss, judged_batch(ranks)[0])
            checks.loss(loss, value, alone=False)
            require(bool(torch.isfinite(value)), f"it is {value.item()} for {len(ranks)} slates")

    @check
    def test_gradient(self) -> None:
        """has a gradient that reaches the embeddings, and is finite"""
        loss = self.component()
        for like, where in LIKE.items():
            gradient = gradient_of(loss, *judged_batch(RANKS, like=like))
            require(
                bool(gradient.isfinite().all()),
                f"its gradient is not finite{where}; mind 0 / 0, log(0) and sqrt(0)",
            )
            require(
                like != "any" or bool((gradient != 0).any()),
                "its gradient is zero; compute it from batch.scores, batch.pool_scores or "
                "batch.embeddings, without .detach(), .item() or numpy",
            )

    @check
    def test_prefers_the_ranking(self) -> None:
        """is lower for scores in the teacher's order than for the reverse"""
        import torch

        loss = self.component()
        good = torch.tensor([[0.5, 0.4, 0.3, 0.2, 0.1]])
        ranks = [[0, 1, 2, 3, 4]]
        utilities = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])
        right = number(loss, scored_batch(good, ranks, utilities=utilities))
        wrong = number(loss, scored_batch(good.flip(1), ranks, utilities=utilities))
        require(
            right < wrong,
            f"it is {right:g} for scores in the teacher's order and {wrong:g} for the reverse; "
            "rank 0 is the best, and a better item should score higher",
        )

    @check
    def test_silence(self) -> None:
        """is finite, with a finite gradient, where no ranking states anything"""
        loss = self.component()
        for silent in SILENT:
            batch, source = learnable_batch(silent, _zeros(silent))
            value = value_of(loss, batch)
            require(
                math.isfinite(value.item()),
                f"it is {value.item()} where all items are tied or none is placed; a batch may "
                "well be so, count it as 0",
            )
            what = "where no ranking states anything (multiply the scores by 0 there)"
            called(what, checks.loss, loss, value, True).backward()
            require(
                source.grad is not None and bool(source.grad.isfinite().all()),
                "its gradient is not finite where no ranking states anything; mind 0 / 0 and "
                "log(0), also behind torch.where",
            )

    @check
    def test_unplaced(self) -> None:
        """does not move with an item that the teacher did not place, if it is separable"""
        loss = self.component()
        if not loss.separable or "utilities" in loss.requires:
            skip("it looks across slates, or at utilities, which unplaced items may have")
        batch, source = learnable_batch([[0, 1, None, 2, 3]], _zeros([[0] * 5]))
        value_of(loss, batch).backward()
        require(
            source.grad is not None and not bool(source.grad[2].any()),
            "an item that the teacher did not place gets a gradient; leave out where "
            "batch.placed is False",
        )

    @check
    def test_padding(self) -> None:
        """does not move with places that hold no item"""
        loss = self.component()
        short, long = [[0, 1, 2]], [[0, 1, 2], [0, 1, 2, 3, 4]]
        alone, _ = judged_batch(short)
        padded, _ = judged_batch(long, rows=[0])
        a, b = number(loss, alone), number(loss, padded)
        require(
            math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6),
            f"a slate of 3 items costs {a:g}, and {b:g} when it is filled up to 5 places; leave "
            "out where batch.mask is False",
        )

    @check
    def test_adds_up(self) -> None:
        """is the weighted mean of what each slate that states a pair costs, if it is separable"""
        import torch

        loss = self.component()
        if not loss.separable:
            skip("it says that it is not separable")
        scores = torch.rand(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        # The second states nothing.
        ranks: list[list[int | None]] = [[0, 1, 2], [0, 0, 0], [2, 0, 1], [1, 0, None]]
        utilities = torch.tensor([[3.0, 2, 1], [1, 1, 1], [1, 3, 2], [2, 3, 0]])
        weights = [1.0, 0.5, 0.25, 2.0]

        def of(rows: list[int]) -> float:
            some = [ranks[row] for row in rows]
            heavy = [weights[row] for row in rows]
            batch = scored_batch(scores[rows], some, utilities=utilities[rows], weights=heavy)
            return number(loss, batch)

        alone = sum(weights[row] * of([row]) for row in (0, 2, 3)) / sum(
            weights[row] for row in (0, 2, 3)
        )
        whole = of([0, 1, 2, 3])
        require(
            math.isclose(whole, alone, rel_tol=1e-5),
            f"it is {whole:g} for four slates, and {alone:g} as the mean of each alone by their "
            "weights; mean over the slates that state a pair by batch.weights, or set separable "
            "to False",
        )

    @check
    def test_order_of_items(self) -> None:
        """is the same whatever the order of the items in a slate"""
        self._unmoved("the items of each slate", judged_batch(RANKS, turn=True))

    @check
    def test_order_of_slates(self) -> None:
        """is the same whatever the order of the slates in the batch"""
        self._unmoved("the slates of the batch", judged_batch(RANKS, rows=[2, 0, 3, 1]))

    @check
    def test_order_of_pictures(self) -> None:
        """is the same whatever the order of the pictures in the batch"""
        import torch

        batch, embeddings = judged_batch(RANKS)
        order = torch.randperm(len(embeddings), generator=torch.Generator().manual_seed(3))
        moved = replace(
            batch,
            embeddings=batch.embeddings[order],
            pool_scores=batch.pool_scores[:, order],
            in_slate=batch.in_slate[:, order],
            references={name: one[order] for name, one in batch.references.items()},
        )
        self._unmoved("the pictures of the batch", (moved, embeddings))

    def _unmoved(self, what: str, moved: tuple[ScoredBatch, Tensor]) -> None:
        import torch

        loss = self.component()
        a, b = judged_batch(RANKS), moved
        first, second = number(loss, a[0]), number(loss, b[0])
        require(
            math.isclose(first, second, rel_tol=1e-4, abs_tol=1e-6),
            f"it is {first:g}, and {second:g} with {what} in another order, which means nothing",
        )
        require(
            torch.allclose(gradient_of(loss, *a), gradient_of(loss, *b), rtol=1e-3, atol=1e-5),
            f"its gradient changes with the order of {what}, which means nothing",
        )

    @check
    def test_repeats(self) -> None:
        """is the same for the same batch when torch's global seed is the same"""
        loss = self.component()
        values = {number(loss, judged_batch(RANKS)[0]) for _ in range(3)}
        require(
            len(values) == 1,
            f"it is {values} for one batch, so no run can be repeated; draw from torch alone, "
            "which core seeds before each call",
        )

    @check
    def test_without_utilities(self) -> None:
        """takes a batch without utilities, unless it requires them"""
        loss = self.component()
        if "utilities" in loss.requires:
            skip("it requires utilities")
        called(
            "a batch without utilities (they are None where the teacher has none; a loss that "
            'needs them says requires = frozenset({"utilities"}))',
            loss,
            judged_batch(RANKS, utilities=False)[0],
        )

    @check
    def test_changes_nothing(self) -> None:
        """leaves the batch as it is"""
        loss = self.component()
        batch, _ = judged_batch(RANKS)
        before = {name: tensor.detach().clone() for name, tensor in _tensors(batch).items()}
        value_of(loss, batch)
        for name, tensor in _tensors(batch).items():
            require(
                tensor.equal(before[name]),
                f"it changes batch.{name}, which others read after it; work on a .clone()",
            )

    @check
    def test_parameters(self) -> None:
        """has parameters of its own that stay the same tensors and get a finite gradient"""
        loss = self.component()
        parameters = list(loss.parameters())
        if not parameters:
            skip("it has no parameters of its own")
        same = all(a is b for a, b in zip(parameters, loss.parameters(), strict=True))
        require(same, "parameters() returns other tensors each time; make them in __post_init__")
        leaves = all(one.requires_grad and one.is_leaf for one in parameters)
        require(leaves, "parameters() must return leaf tensors with requires_grad=True")
        gradient_of(loss, *judged_batch(RANKS))
        for number, one in enumerate(parameters):
            require(
                one.grad is not None and bool(one.grad.isfinite().all()),
                f"parameter {number} gets no finite gradient, so it never learns; use it in "
                "__call__ without .detach() or .item()",
            )


def value_of(loss: Loss, batch: ScoredBatch) -> Any:
    """The loss, with torch's global generator seeded as core seeds it."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return loss(batch)


def number(loss: Loss, batch: ScoredBatch) -> float:
    """The loss as a plain number."""
    return float(value_of(loss, batch).detach())


def gradient_of(loss: Loss, batch: ScoredBatch, embeddings: Tensor) -> Tensor:
    """[U, D], what the loss asks of the embeddings; zero if nothing."""
    import torch

    checks.loss(loss, value_of(loss, batch), alone=True).backward()  # type: ignore[no-untyped-call]
    found = embeddings.grad
    return torch.zeros_like(embeddings) if found is None else found


def _tensors(batch: ScoredBatch) -> dict[str, Tensor]:
    import torch

    found = {f.name: getattr(batch, f.name) for f in fields(batch)}
    found |= {f"references[{name!r}]": one for name, one in batch.references.items()}
    return {name: one for name, one in found.items() if isinstance(one, torch.Tensor)}


def _zeros(ranks: Sequence[Sequence[int | None]]) -> Tensor:
    import torch

    return torch.zeros(len(ranks), len(ranks[0]))

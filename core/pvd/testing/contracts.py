"""The clauses of each kind's contract. A clause raises AssertionError with what is wrong."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvd.errors import PvdError
from pvd.protocols import (
    CompositeTeacher,
    Evaluator,
    Loss,
    Observer,
    Sampler,
    Source,
    Teacher,
)
from pvd.records import Catalog, Exam, Judgment, Ranking, Slate, Step
from pvd.testing.material import (
    items,
    judgment,
    learnable_batch,
    personas,
    pool,
    scored_batch,
    slate,
)
from pvd.testing.students import STUDENT

if TYPE_CHECKING:
    from torch import Tensor

Clause = Callable[[Any], None]


# --- teachers ---------------------------------------------------------------------------------


def _judged(teacher: Teacher, slates: Sequence[Slate]) -> list[Judgment | None]:
    from pvd.asking import Desk, opened
    from pvd.store import Store

    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "answers.sqlite") as store,
        opened(teacher, 7) as ready,
    ):
        return Desk(store).judgments(ready, len(slates), lambda n, attempt: slates[n])


def _answers_every_slate(teacher: Teacher) -> None:
    """answers slates of 2 and of 5 items with rankings that fit them"""
    for size in (2, 5):
        for found in _judged(teacher, [slate(size, person) for person in range(4)]):
            assert found is not None, f"no readable answer for a slate of {size} items"
            found.ranking.check(size)


def _repeats_itself(teacher: Teacher) -> None:
    """asks the same thing for the same slate, and something else for another order or persona"""
    if isinstance(teacher, CompositeTeacher):
        first, second = (
            [[item.id for item in question.slate.items] for question in teacher.questions(asked)]
            for asked in (slate(), slate())
        )
        assert first == second, "other questions each time"
        return
    asked = slate()
    turned = Slate(asked.persona, asked.items[::-1], asked.repeat)
    again = Slate(asked.persona, asked.items, repeat=1)
    key = teacher.request(asked).digest
    assert key == teacher.request(slate()).digest, "the digest differs for the same slate"
    for other, what in ((turned, "order"), (slate(person=1), "persona"), (again, "repeat")):
        assert key != teacher.request(other).digest, f"the digest does not depend on the {what}"


def _reads_again(teacher: Teacher) -> None:
    """reads one raw reply the same way each time"""
    if isinstance(teacher, CompositeTeacher):
        return
    request = teacher.request(slate())
    with teacher:
        teacher.connect()
        (reply,) = teacher.answer([request])
    assert teacher.read(request, reply) == teacher.read(request, reply)


def _utilities_fit(teacher: Teacher) -> None:
    """gives one utility an item, or None"""
    known = teacher.utilities(personas()[0], items(7))
    assert known is None or len(known) == 7, "utilities() must give one number an item"


# --- samplers ---------------------------------------------------------------------------------


def _draws(sampler: Sampler) -> None:
    """draws one row of distinct items a slot, within the catalogue"""
    import torch

    for size, count in ((5, 40), (2, 3), (5, 5)):
        rows = sampler.draw(pool(count=count), size, torch.Generator().manual_seed(0))
        assert tuple(rows.shape) == (6, size), f"shape {tuple(rows.shape)}, not {(6, size)}"
        for row in rows.tolist():
            assert len(set(row)) == size, f"an item stands twice in {row}"
            assert all(0 <= index < count for index in row), f"{row} leaves the catalogue"


def _draws_from_rng(sampler: Sampler) -> None:
    """draws the same from an equal generator, and nothing from the global ones"""
    import torch

    first = sampler.draw(pool(), 5, torch.Generator().manual_seed(3))
    torch.rand(5)
    second = sampler.draw(pool(), 5, torch.Generator().manual_seed(3))
    assert torch.equal(first, second), "two equal generators gave different draws"


def _survives_ties(sampler: Sampler) -> None:
    """draws where all scores are equal"""
    import torch

    same = pool()
    same.embeddings[:] = same.embeddings[0]
    rows = sampler.draw(same, 5, torch.Generator().manual_seed(0))
    assert all(len(set(row)) == 5 for row in rows.tolist())


# --- losses -----------------------------------------------------------------------------------


def _is_a_scalar(loss: Loss) -> None:
    """gives a finite scalar with a gradient to the embeddings"""
    import torch

    batch, source = learnable_batch([[0, 1, 2, 3, 4]] * 3, torch.rand(3, 5))
    value = loss(batch)
    assert value.ndim == 0, f"shape {tuple(value.shape)}"
    assert bool(torch.isfinite(value)), "not finite"
    value.backward()  # type: ignore[no-untyped-call]
    assert source.grad is not None, "no gradient reaches the embeddings"
    assert bool((source.grad != 0).any()), "the gradient is zero"


def _prefers_the_ranking(loss: Loss) -> None:
    """is lower for scores in the teacher's order than for the reverse"""
    import torch

    good = torch.tensor([[0.5, 0.4, 0.3, 0.2, 0.1]])
    ranks = [[0, 1, 2, 3, 4]]
    utilities = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])
    right = loss(scored_batch(good, ranks, utilities=utilities))
    wrong = loss(scored_batch(good.flip(1), ranks, utilities=utilities))
    assert right < wrong, f"{float(right)} for the right order, {float(wrong)} for the wrong one"


def _ignores_the_unplaced(loss: Loss) -> None:
    """does not move with an item that the teacher did not place, if it looks at one slate alone"""
    import torch

    if not loss.separable or "utilities" in loss.requires:
        return
    batch, source = learnable_batch([[0, 1, None, 2, 3]], torch.rand(1, 5))
    loss(batch).backward()  # type: ignore[no-untyped-call]
    assert source.grad is not None, "no gradient reaches the embeddings"
    assert not bool(source.grad[2].any()), "an unplaced item gets a gradient"


def _adds_up(loss: Loss) -> None:
    """is the weighted mean of what it is for each slate that states a pair, if it is separable"""
    import torch

    if not loss.separable:
        return
    scores = torch.rand(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # The second states nothing.
    ranks: list[list[int | None]] = [[0, 1, 2], [0, 0, 0], [2, 0, 1], [1, 0, None]]
    utilities = torch.tensor([[3.0, 2.0, 1.0], [1.0, 1.0, 1.0], [1.0, 3.0, 2.0], [2.0, 3.0, 0.0]])
    weights = [1.0, 0.5, 0.25, 2.0]

    def of(rows: list[int]) -> float:
        some = [ranks[row] for row in rows]
        heavy = [weights[row] for row in rows]
        batch = scored_batch(scores[rows], some, utilities=utilities[rows], weights=heavy)
        return float(loss(batch).detach())

    alone = sum(weights[row] * of([row]) for row in (0, 2, 3)) / sum(weights[r] for r in (0, 2, 3))
    whole = of([0, 1, 2, 3])
    assert math.isclose(whole, alone, rel_tol=1e-5), (
        f"{whole} for four slates, and {alone} as the mean of each alone; set separable to False"
    )


def _survives_silence(loss: Loss) -> None:
    """is finite where no ranking states anything"""
    import torch

    batch, _ = learnable_batch([[0] * 5, [None] * 5], torch.zeros(2, 5))
    value = loss(batch).item()
    assert math.isfinite(value), f"{value}"


# --- evaluators, sources, observers ------------------------------------------------------------


def _evaluates(evaluator: Evaluator) -> None:
    """gives estimates inside their intervals, and no less for the judge's own ranking"""
    import torch

    utilities = torch.rand(4, 12, generator=torch.Generator().manual_seed(0)).double()
    winners = tuple(int(row.argmax()) for row in utilities)

    def sit(scores: Tensor, known: Tensor | None) -> Exam:
        return Exam("any", tuple(personas()), tuple(items()), scores, winners, known, seed=0)

    best = evaluator.evaluate(sit(utilities, utilities))
    worst = evaluator.evaluate(sit(-utilities, utilities))
    for name, estimate in best.items():
        assert estimate.low <= estimate.value <= estimate.high, f"{name} leaves its interval"
        assert estimate.over, f"{name} does not say what its interval is over"
        assert estimate.value >= worst[name].value, f"{name} is higher for the reversed ranking"
    evaluator.evaluate(sit(utilities, None))


def _brings_something(source: Source) -> None:
    """has a catalogue or personas of its own"""
    own = type(source)
    assert own.catalog is not Source.catalog or own.personas is not Source.personas


def _is_told(observer: Observer) -> None:
    """takes every event"""
    from pvd.watching import Watchers

    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        watchers = Watchers([observer], said.append)
        watchers.begin(Path(folder))
        watchers.tell("on_step", step=Step(1, 0, 0.5, 100.0))
        watchers.tell("on_judgment", judgment=judgment(Ranking.from_order([1, 0])))
        watchers.tell("on_report", metrics={})
    assert not said, said[0]


def _catalog_is_whole(source: Source) -> None:
    """brings a catalogue whose images open, if it needs no path"""
    if source.path == "" and type(source).catalog is not Source.catalog:
        try:
            catalog = source.catalog("")
        except PvdError:
            return  # it wants a path
        assert isinstance(catalog, Catalog)
        for item in catalog[:3]:
            item.open()


ASKING = (_answers_every_slate, _reads_again)  # the clauses that need an answer
CONTRACTS: dict[str, tuple[Clause, ...]] = {
    "teacher": (_answers_every_slate, _repeats_itself, _reads_again, _utilities_fit),
    "student": STUDENT,
    "sampler": (_draws, _draws_from_rng, _survives_ties),
    "loss": (
        _is_a_scalar,
        _prefers_the_ranking,
        _ignores_the_unplaced,
        _adds_up,
        _survives_silence,
    ),
    "evaluator": (_evaluates,),
    "source": (_brings_something, _catalog_is_whole),
    "observer": (_is_told,),
}

"""Validation: what chooses the round. It is fixed before the first one, and never the exam."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pvd import estimates
from pvd.drawing import Drawn, balanced
from pvd.errors import PartialResult
from pvd.exam import Paper
from pvd.percentiles import percentile_ranks
from pvd.records import Estimate, Item, Judgment, Persona
from pvd.scoring import cosines
from pvd.settings import TrainSettings
from pvd.streams import generator

if TYPE_CHECKING:
    from torch import Tensor

# From the embeddings [N, D] of the validation items to how good the student is, in percent.
Test = Callable[["Tensor"], Estimate]


def slates(
    personas: Sequence[Persona], items: Sequence[Item], count: int, size: int, seed: int
) -> list[Drawn]:
    """Uniform slates of held-out personas and items, balanced over the personas."""
    import torch

    size = min(size, len(items))
    people = balanced(len(personas), 0, count, seed)
    found = []
    for slot, person in enumerate(people):
        rng = generator("validation", seed, slot)
        chosen = torch.randperm(len(items), generator=rng)[:size].tolist()
        # Round 0: a training slot can never have the same key.
        found.append(Drawn(slot, personas[person], tuple(items[i] for i in chosen), (0, slot, 0)))
    return found


def pairs_test(
    judgments: Sequence[Judgment], items: Sequence[Item], texts: Mapping[str, Tensor], seed: int
) -> Test:
    """Which share of the teacher's pairs the student orders alike, mean over personas; a tie of the
    student's counts half.
    """
    import torch

    index = {item.id: number for number, item in enumerate(items)}
    people: dict[str, list[tuple[int, int]]] = {}
    for judgment in judgments:
        places = [index[item.id] for item in judgment.slate.items]
        pairs = judgment.ranking.pairs(len(places))
        people.setdefault(judgment.slate.persona.id, []).extend(
            (places[better], places[worse]) for better, worse in pairs
        )
    people = {id: pairs for id, pairs in people.items() if pairs}
    if not people:
        raise PartialResult("No validation slate has a pair; raise train.validation_slates.")

    def test(embeddings: Tensor) -> Estimate:
        shares = []
        for id, pairs in people.items():
            scores = embeddings @ texts[id]
            better, worse = torch.tensor(pairs).T
            margin = (scores[better] - scores[worse]).sign()
            shares.append(100 * float((margin.double() + 1).mean() / 2))
        over = f"{len(shares)} validation personas, given one trained student"
        return estimates.mean(shares, seed, over)

    return test


def winners_test(
    paper: Paper, items: Sequence[Item], texts: Mapping[str, Tensor], seed: int
) -> Test:
    """The mean percentile rank of the winners among the paper's items, some of the `items`."""
    import torch

    place = {item.id: number for number, item in enumerate(items)}
    shelf = torch.tensor([place[item.id] for item in paper.items])

    def test(embeddings: Tensor) -> Estimate:
        rows = torch.stack([texts[persona.id] for persona in paper.personas])
        ranks = percentile_ranks(cosines(rows, embeddings[shelf]))
        won = [float(row[winner]) for row, winner in zip(ranks, paper.winners, strict=True)]
        over = f"{len(won)} validation personas, given one trained student"
        return estimates.mean(won, seed, over)

    return test


def enough(done: int, best: int, settings: TrainSettings) -> bool:
    """Whether so many rounds, the best of them this one, are what the settings want."""
    return done >= settings.rounds or done - best >= settings.patience

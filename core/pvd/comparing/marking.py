"""Marking: each judge's paper, and what every cell's student makes of it, as grids of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pvd import exam
from pvd.comparing.transcripts import Stop, Transcript
from pvd.errors import BadInput
from pvd.exam import Paper
from pvd.metrics import RANKS, is_own
from pvd.protocols import Evaluator
from pvd.records import Estimate
from pvd.scoring import cosines

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    Grid = npt.NDArray[Any]  # [S, P], a row a seed and a column a persona; or [P]

TRAINED = ("distilled", "persona-blind", "shuffled-persona")  # vary with arm and seed
FIXED = ("random", "zero-shot", "oracle")  # vary with the arm's student at most
TEXT = "text"  # titles or captions, by the student's text tower


@dataclass(frozen=True)
class Curve:
    """What one run was worth when it had cost so much."""

    stops: Sequence[Stop]
    values: Mapping[str, Grid]  # by a view's metric: [stops, P], of the best round so far


@dataclass(frozen=True)
class Mark:
    """An arm under one judge. Numbers by metric; a grid has a row a seed and a column a persona."""

    trained: Mapping[str, Mapping[str, Grid]]  # by system: [S, P]
    fixed: Mapping[str, Mapping[str, Grid]]  # by system: [P]
    curves: Sequence[Curve]  # one a seed
    named: tuple[str, ...] = ()  # all that evaluators found, in grids or not


@dataclass(frozen=True)
class Sheet:
    """All arms under one judge."""

    personas: tuple[str, ...]  # those whose tournament has a winner
    metrics: tuple[str, ...]
    marks: tuple[Mark, ...]  # one an arm
    utilities: Grid | None = None  # [P, N], the judge's own without noise, where they are known
    left_out: tuple[str, ...] = ()  # metrics that cannot be paired over personas

    def values(self, arms: Sequence[int], metric: str) -> Grid:
        """[S, P], the mean over arms of their students."""
        import numpy as np

        found = [self.marks[arm].trained["distilled"][metric] for arm in arms]
        mean: Grid = np.mean(found, axis=0)
        return mean

    def gain(self, arms: Sequence[int], metric: str) -> Grid:
        """[S, P], the mean over arms of what training gained; untrained, all seeds are alike."""
        import numpy as np

        before = [self.marks[arm].fixed["zero-shot"][metric] for arm in arms]
        gained: Grid = self.values(arms, metric) - np.mean(before, axis=0)
        return gained


def mark(
    paper: Paper,
    transcripts: Sequence[Sequence[Transcript]],
    evaluators: Sequence[Evaluator],
    seed: int,
) -> Sheet:
    """A judge's sheet from the transcripts of all cells, a row an arm and a column a seed."""
    return sheet(paper, [marked(paper, row, evaluators, seed) for row in transcripts])


def sheet(paper: Paper, marks: Sequence[Mark]) -> Sheet:
    """The marks of all arms together."""
    personas = tuple(persona.id for persona in paper.personas)
    if len(personas) < 2:
        raise BadInput(
            f"Only {len(personas)} persona has a winner under a judge, too few to compare; raise "
            "exam.personas."
        )
    utilities = None if paper.utilities is None else paper.utilities.numpy()
    metrics = [
        m for m in marks[0].trained["distilled"] if all(_has(one, m, marks) for one in marks)
    ]
    lost = dict.fromkeys(m for one in marks for m in one.named if m not in metrics)
    return Sheet(personas, tuple(metrics), tuple(marks), utilities, tuple(lost))


def _has(mark: Mark, metric: str, marks: Sequence[Mark]) -> bool:
    """Whether it has a value for as many personas as the first arm, before and after training and,
    where a view looks at it, at every stop."""
    grids = [mark.trained["distilled"].get(metric), mark.fixed["zero-shot"].get(metric)]
    if metric in RANKS or is_own(metric):
        grids += [curve.values.get(metric) for curve in mark.curves]
    people = marks[0].trained["distilled"][metric].shape[-1]
    return all(grid is not None and grid.shape[-1] == people for grid in grids)


def marked(
    paper: Paper, row: Sequence[Transcript], evaluators: Sequence[Evaluator], seed: int
) -> Mark:
    """One arm's, from a transcript a seed."""
    evaluate = partial(exam.evaluate, paper, evaluators=evaluators, seed=seed)
    trained: dict[str, list[Mapping[str, Estimate]]] = {system: [] for system in TRAINED}
    for transcript in row:
        scores = _scores(paper, transcript, transcript.stops[-1].best, seed)
        for system, found in evaluate({name: scores[name] for name in TRAINED}).items():
            trained[system].append(found)
    scores = _scores(paper, row[0], row[0].stops[-1].best, seed)
    fixed = evaluate({name: scores[name] for name in (*FIXED, TEXT) if name in scores})
    return Mark(
        {system: _grids(found) for system, found in trained.items()},
        {
            system: {metric: grid[0] for metric, grid in _grids([found]).items()}
            for system, found in fixed.items()
        },
        [_curve(paper, one, evaluators, seed) for one in row],
        tuple(dict.fromkeys(name for found in trained["distilled"] for name in found)),
    )


def _grids(found: Sequence[Mapping[str, Estimate]]) -> dict[str, Grid]:
    """By metric, a row for each of `found`; of those that each has for as many personas."""
    import numpy as np

    rows = {name: [one[name].values for one in found if name in one] for name in found[0]}
    return {
        name: np.array(values)
        for name, values in rows.items()
        if values[0] and [*map(len, values)] == [len(values[0])] * len(found)
    }


def _curve(
    paper: Paper, transcript: Transcript, evaluators: Sequence[Evaluator], seed: int
) -> Curve:
    bests = sorted({stop.best for stop in transcript.stops})
    found: dict[int, Mapping[str, Estimate]] = {}
    seen = list(evaluators)
    for number in bests:
        scores = {"distilled": _scores(paper, transcript, number, seed)["distilled"]}
        each = [exam.evaluate(paper, scores, [one], seed)["distilled"] for one in seen]
        # Others are no view's: after the first stop they need not be looked at.
        looked = [any(m in RANKS or is_own(m) for m in numbers) for numbers in each]
        seen = [one for one, is_looked in zip(seen, looked, strict=True) if is_looked]
        found[number] = {m: e for numbers in each for m, e in numbers.items()}
    values = _grids([found[stop.best] for stop in transcript.stops])
    return Curve(transcript.stops, {m: v for m, v in values.items() if m in RANKS or is_own(m)})


def _scores(paper: Paper, transcript: Transcript, best: int, seed: int) -> dict[str, Tensor]:
    """[P, N] by system, for the personas whose tournaments have a winner."""
    if tuple(item.id for item in paper.items) != transcript.items:
        raise BadInput(
            "A run of the comparison has other exam items than its judges; the catalogue changed "
            "since it began. Restore it, or compare in another --out."
        )
    place = {id: row for row, id in enumerate(transcript.personas)}
    texts = transcript.texts[[place[persona.id] for persona in paper.personas]]
    scores = exam.systems(
        paper,
        texts=texts,
        before=transcript.seen[0],
        after=transcript.seen[best],
        mean_persona=transcript.mean_persona,
        seed=seed,
    )
    if transcript.captions is not None:
        scores[TEXT] = cosines(texts, transcript.captions)
    return scores

"""Marking: each judge's paper, and what every cell's student makes of it, as grids of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    # Of metrics that some personas have no value of: whom the columns of their grids are about.
    some: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def people(self, metric: str) -> tuple[str, ...]:
        """The personas, a column each."""
        return self.some.get(metric, self.personas)

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
    having = {metric: _having(marks, metric) for metric in marks[0].trained["distilled"]}
    known = {m: who for m, who in having.items() if who is not None and len(who) == len(personas)}
    metrics = tuple(metric for metric, who in known.items() if who.sum() > 1)
    lost = dict.fromkeys(m for one in marks for m in one.named if m not in metrics)
    columns = {metric: who for metric, who in known.items() if not who.all()}
    some = {
        metric: tuple(id for id, there in zip(personas, who, strict=True) if there)
        for metric, who in columns.items()
    }
    cut = tuple(_cut(one, columns) for one in marks)
    return Sheet(personas, metrics, cut, utilities, tuple(lost), some)


def _having(marks: Sequence[Mark], metric: str) -> Grid | None:
    """Which personas have a value [P]; None if that is not the same in every run, before and after
    training and, where a view looks at it, at every stop."""
    import numpy as np

    grids: list[Grid | None] = []
    for mark in marks:
        grids += [mark.trained["distilled"].get(metric), mark.fixed["zero-shot"].get(metric)]
        if metric in RANKS or is_own(metric):
            grids += [curve.values.get(metric) for curve in mark.curves]
    there = [None if grid is None else np.atleast_2d(np.isfinite(grid)) for grid in grids]
    first = there[0]
    if first is None or not all(
        one is not None and one.shape[1] == first.shape[1] and (one == first[0]).all()
        for one in there
    ):
        return None
    found: Grid = first[0]
    return found


def _cut(mark: Mark, columns: Mapping[str, Grid]) -> Mark:
    """Without those who have no value; a system that lacks more of them has no such number."""
    import numpy as np

    def cut(grids: Mapping[str, Grid]) -> dict[str, Grid]:
        found = {m: grid[..., columns[m]] if m in columns else grid for m, grid in grids.items()}
        return {metric: grid for metric, grid in found.items() if np.isfinite(grid).all()}

    if not columns:
        return mark
    return Mark(
        {system: cut(grids) for system, grids in mark.trained.items()},
        {system: cut(grids) for system, grids in mark.fixed.items()},
        [Curve(curve.stops, cut(curve.values)) for curve in mark.curves],
        mark.named,
    )


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
    """By metric, a row for each of `found`, nan for who has no value; of those that each has for as
    many personas."""
    import numpy as np

    rows = {name: [one[name].values for one in found if name in one] for name in found[0]}
    return {
        name: np.array(values, dtype=np.float64)
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

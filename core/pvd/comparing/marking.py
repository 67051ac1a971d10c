"""Marking: each judge's paper, and what every cell's student makes of it, as grids of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pvd import exam
from pvd.comparing.design import Judge
from pvd.comparing.transcripts import Stop, Transcript
from pvd.errors import BadInput
from pvd.exam import Paper
from pvd.protocols import Evaluator
from pvd.records import Estimate
from pvd.scoring import cosines

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    Grid = npt.NDArray[Any]  # [S, P], a row a seed and a column a persona; or [P]

TRAINED = ("distilled", "persona-blind", "shuffled-persona")  # vary with arm and seed
FIXED = ("random", "zero-shot", "oracle")  # vary with the arm's student at most
MEAN = "all teachers"  # the view of judges that taught, together: each has one favourite
RANKS = ("mpr", "mpr_true")  # what a view may look at
TEXT = "text"  # titles or captions, by the student's text tower


@dataclass(frozen=True)
class Curve:
    """What one run was worth when it had cost so much."""

    stops: Sequence[Stop]
    values: Mapping[str, Grid]  # by primary metric: [stops, P], of the best round so far


@dataclass(frozen=True)
class Mark:
    """An arm under one judge. Numbers by metric; a grid has a row a seed and a column a persona."""

    trained: Mapping[str, Mapping[str, Grid]]  # by system: [S, P]
    fixed: Mapping[str, Mapping[str, Grid]]  # by system: [P]
    curves: Sequence[Curve]  # one a seed


@dataclass(frozen=True)
class Sheet:
    """All arms under one judge."""

    personas: tuple[str, ...]  # those whose tournament has a winner
    metrics: tuple[str, ...]
    marks: tuple[Mark, ...]  # one an arm
    utilities: Grid | None = None  # [P, N], the judge's own without noise, where they are known

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


@dataclass(frozen=True)
class View:
    """One way to look at the arms: by the winners that a judge crowned, or by the noise-free
    truth that a simulated one knows. Verdicts, gains and curves are given for each."""

    label: str
    sheet: Sheet
    metric: str
    is_truth: bool
    is_independent: bool  # no mind that taught is in it

    def values(self, arms: Sequence[int]) -> Grid:
        """[S, P], the mean over arms of their students."""
        return self.sheet.values(arms, self.metric)

    def gain(self, arms: Sequence[int]) -> Grid:
        """[S, P], the mean over arms of what training gained."""
        return self.sheet.gain(arms, self.metric)

    def curves(self, arm: int) -> Sequence[Curve]:
        """One a seed."""
        return self.sheet.marks[arm].curves


def views(judges: Sequence[Judge], sheets: Sequence[Sheet]) -> list[View]:
    """Those who have no favourite come first: the truth where it is known (once, if all judges
    know the same), judges that taught nobody, and the mean of those that did."""
    pairs = list(zip(judges, sheets, strict=True))
    knowing = [(judge, sheet) for judge, sheet in pairs if sheet.utilities is not None]
    if len(knowing) == len(pairs) and all(_know_the_same(sheets[0], s) for s in sheets[1:]):
        truths = [View("truth", sheets[0], "mpr_true", True, True)]
    else:
        truths = [
            View(f"truth of {judge.label}", sheet, "mpr_true", True, judge.independent)
            for judge, sheet in knowing
        ]
    judged = [View(judge.label, sheet, "mpr", False, judge.independent) for judge, sheet in pairs]
    teaching = [sheet for judge, sheet in pairs if judge.teaches]
    if len(teaching) > 1 and (mean := _together(teaching)) is not None:
        judged.append(View(MEAN, mean, "mpr", False, False))
    return sorted([*truths, *judged], key=_rank)


def _rank(view: View) -> tuple[bool, bool]:
    return (not (view.is_independent or view.label == MEAN), not view.is_truth)


def _know_the_same(one: Sheet, other: Sheet) -> bool:
    """Whether the same personas like the same items as much."""
    import numpy as np

    assert one.utilities is not None
    assert other.utilities is not None
    rows = [
        (one.utilities[one.personas.index(id)], other.utilities[other.personas.index(id)])
        for id in one.personas
        if id in other.personas
    ]
    return bool(rows) and all(np.array_equal(a, b) for a, b in rows)


def _together(sheets: Sequence[Sheet]) -> Sheet | None:
    """The mean of what several judges say, for the personas that all of them have a winner for."""
    import numpy as np

    shared = [id for id in sheets[0].personas if all(id in sheet.personas for sheet in sheets)]
    if len(shared) < 2:
        return None
    columns = [[sheet.personas.index(id) for id in shared] for sheet in sheets]

    def mean(grids: Sequence[Grid]) -> Grid:
        cut = [grid[..., some] for grid, some in zip(grids, columns, strict=True)]
        together: Grid = np.mean(cut, axis=0)
        return together

    def one(marks: Sequence[Mark]) -> Mark:
        curves = [
            Curve(mine[0].stops, {"mpr": mean([curve.values["mpr"] for curve in mine])})
            for mine in zip(*(mark.curves for mark in marks), strict=True)
        ]
        trained = {
            system: {"mpr": mean([mark.trained[system]["mpr"] for mark in marks])}
            for system in TRAINED
        }
        fixed = {
            system: {"mpr": mean([mark.fixed[system]["mpr"] for mark in marks])}
            for system in marks[0].fixed
            if all(system in mark.fixed for mark in marks)
        }
        return Mark(trained, fixed, curves)

    marks = tuple(one(marks) for marks in zip(*(sheet.marks for sheet in sheets), strict=True))
    return Sheet(tuple(shared), ("mpr",), marks)


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
    return Sheet(personas, tuple(marks[0].trained["distilled"]), tuple(marks), utilities)


def marked(
    paper: Paper, row: Sequence[Transcript], evaluators: Sequence[Evaluator], seed: int
) -> Mark:
    """One arm's, from a transcript a seed."""
    import numpy as np

    evaluate = partial(exam.evaluate, paper, evaluators=evaluators, seed=seed)
    trained: dict[str, dict[str, list[Any]]] = {system: {} for system in TRAINED}
    for transcript in row:
        scores = _scores(paper, transcript, transcript.stops[-1].best, seed)
        for system, found in evaluate({name: scores[name] for name in TRAINED}).items():
            for metric, estimate in found.items():
                if estimate.values:
                    trained[system].setdefault(metric, []).append(estimate.values)
    scores = _scores(paper, row[0], row[0].stops[-1].best, seed)
    fixed = evaluate({name: scores[name] for name in (*FIXED, TEXT) if name in scores})
    return Mark(
        {
            system: {metric: np.array(values) for metric, values in found.items()}
            for system, found in trained.items()
        },
        {
            system: {metric: np.array(e.values) for metric, e in found.items() if e.values}
            for system, found in fixed.items()
        },
        [_curve(paper, one, evaluators, seed) for one in row],
    )


def _curve(
    paper: Paper, transcript: Transcript, evaluators: Sequence[Evaluator], seed: int
) -> Curve:
    import numpy as np

    ranking = [one for one in evaluators if "mpr" in one.chance(2)]
    found: dict[int, Mapping[str, Estimate]] = {}
    for number in {stop.best for stop in transcript.stops}:
        scores = {"distilled": _scores(paper, transcript, number, seed)["distilled"]}
        found[number] = exam.evaluate(paper, scores, ranking, seed)["distilled"]
    values = {
        metric: np.array([found[stop.best][metric].values for stop in transcript.stops])
        for metric, estimate in found[0].items()
        if estimate.values
    }
    return Curve(transcript.stops, values)


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

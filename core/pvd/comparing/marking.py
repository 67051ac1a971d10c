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
    is_independent: bool  # it taught none of the arms, nor is it the truth of one that did

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
    """The truth first, where it is known (once, if all judges know the same), then each judge."""
    pairs = list(zip(judges, sheets, strict=True))
    truths = [
        View(f"truth of {judge.label}", sheet, "mpr_true", True, not judge.taught)
        for judge, sheet in pairs
        if "mpr_true" in sheet.metrics
    ]
    if truths and all(_alike(truths[0], other) for other in truths[1:]):
        truths = [View("truth", truths[0].sheet, "mpr_true", True, True)]
    judged = [View(judge.label, sheet, "mpr", False, not judge.taught) for judge, sheet in pairs]
    return [*truths, *judged]


def _alike(one: View, other: View) -> bool:
    """Whether the same items are truly best for the same personas."""
    import numpy as np

    same = one.sheet.personas == other.sheet.personas
    return same and bool(np.array_equal(one.values([0]), other.values([0])))


def mark(
    paper: Paper,
    transcripts: Sequence[Sequence[Transcript]],
    evaluators: Sequence[Evaluator],
    seed: int,
) -> Sheet:
    """A judge's sheet from the transcripts of all cells, a row an arm and a column a seed."""
    personas = tuple(persona.id for persona in paper.personas)
    marks = tuple(_marked(paper, row, evaluators, seed) for row in transcripts)
    metrics = tuple(marks[0].trained["distilled"])
    return Sheet(personas, metrics, marks)


def _marked(
    paper: Paper, row: Sequence[Transcript], evaluators: Sequence[Evaluator], seed: int
) -> Mark:
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

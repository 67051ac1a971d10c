"""Views: the ways to look at the arms, for each of which there are verdicts, gains and curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pvd.comparing.design import Judge
from pvd.comparing.marking import TRAINED, Curve, Mark, Sheet
from pvd.metrics import is_own

if TYPE_CHECKING:
    import numpy.typing as npt

    Grid = npt.NDArray[Any]  # [S, P], a row a seed and a column a persona

MEAN = "all teachers"  # the view of judges that taught, together: each has one favourite


@dataclass(frozen=True)
class View:
    """One way to look at the arms: by the winners that a judge crowned, by the noise-free truth
    that a simulated one knows, or by what a plug-in measures, in its own unit. Verdicts, gains and
    curves are given for each."""

    label: str
    sheet: Sheet
    metric: str
    is_truth: bool
    is_independent: bool  # no mind that taught is in it

    @property
    def is_own(self) -> bool:
        """Whether a plug-in measures it: its numbers are no percentile ranks."""
        return is_own(self.metric)

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
    return [*sorted([*truths, *judged], key=_rank), *by_plug_ins(pairs)]


def by_plug_ins(pairs: Sequence[tuple[Judge, Sheet]]) -> list[View]:
    """What plug-ins measure, last, since each has a unit of its own. A measure that is the same
    under all judges (relevance labels of one's own, say) is one view, and favours nobody."""
    taken = {judge.label for judge, _ in pairs} | {MEAN, "truth"}
    found = []
    for metric in dict.fromkeys(m for _, sheet in pairs for m in sheet.metrics if is_own(m)):
        having = [(judge, sheet) for judge, sheet in pairs if metric in sheet.metrics]
        label = f"{metric} (measure)" if metric in taken else metric
        if all(_measure_the_same(having[0][1], sheet, metric) for _, sheet in having[1:]):
            judge, sheet = max(having, key=lambda pair: len(pair[1].people(metric)))
            independent = len(having) > 1 or judge.independent
            found.append(View(label, sheet, metric, False, independent))
            continue
        found += [
            View(f"{label} under {judge.label}", sheet, metric, False, judge.independent)
            for judge, sheet in having
        ]
    return found


def _measure_the_same(one: Sheet, other: Sheet, metric: str) -> bool:
    """Whether a measure has the same values under two judges, for the personas of both."""
    import numpy as np

    here, there = one.people(metric), other.people(metric)
    shared = [id for id in here if id in there]
    if not shared:
        return False  # nothing tells
    mine, theirs = ([people.index(id) for id in shared] for people in (here, there))
    return all(
        np.array_equal(
            a.trained["distilled"][metric][:, mine], b.trained["distilled"][metric][:, theirs]
        )
        for a, b in zip(one.marks, other.marks, strict=True)
    )


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

"""Findings: what the grids say, with intervals and verdicts, as compare.json holds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

from pvd import crossed, estimates
from pvd.comparing.design import Design
from pvd.comparing.marking import TRAINED, Curve, Sheet
from pvd.comparing.viewing import View
from pvd.crossed import FEW_SEEDS
from pvd.estimates import plain
from pvd.metrics import RANKS, spanned
from pvd.records import Estimate

if TYPE_CHECKING:
    import numpy.typing as npt

    Grid = npt.NDArray[Any]


@dataclass(frozen=True)
class Question:
    """B against A: sets of arms, each counted with the same weight."""

    factor: str  # the path that varies; empty between single arms
    a: str
    b: str
    arms_a: tuple[int, ...]
    arms_b: tuple[int, ...]


def questions(design: Design) -> list[Question]:
    """The levels of each factor in pairs, the other factors averaged over; the one that was named
    first is the A, which the other is held against."""
    return [
        Question(
            factor.path,
            factor.labels[a],
            factor.labels[b],
            _having(design, place, a),
            _having(design, place, b),
        )
        for place, factor in enumerate(design.factors)
        for a, b in combinations(range(len(factor.values)), 2)
    ]


def between_arms(design: Design) -> list[Question]:
    """All arms in pairs; none if there is one factor, since the levels are the arms then."""
    if len(design.factors) == 1:
        return []
    labels = [arm.label for arm in design.arms]
    pairs = combinations(range(len(labels)), 2)
    return [Question("", labels[a], labels[b], (a,), (b,)) for a, b in pairs]


def _having(design: Design, factor: int, level: int) -> tuple[int, ...]:
    return tuple(n for n, arm in enumerate(design.arms) if arm.levels[factor] == level)


def find(
    design: Design, sheets: Sequence[Sheet], views: Sequence[View], seed: int
) -> dict[str, Any]:
    """Everything that can be said about who is better."""
    return {
        "views": [
            {"label": view.label, "metric": view.metric, "truth": view.is_truth} for view in views
        ],
        "arms": [_arm(design, views, number, seed) for number in range(len(design.arms))],
        "gains": _gains(design, views, seed),
        "rows": {view.label: _rows(view, seed) for view in views},
        "comparisons": _compared(design, views, questions(design), seed),
        "pairs": _compared(design, views, between_arms(design), seed),
        "equal_answers": _at_equal(design, views, "answers", seed),
        "equal_dollars": _at_equal(design, views, "dollars", seed),
        "curves": {view.label: _curves(design, view, seed) for view in views},
        "metrics": _metrics(design, sheets, seed),
        "measures": _measures(design, sheets, views, seed),
        "left_out": sorted({metric for sheet in sheets for metric in sheet.left_out}),
    }


def estimate(grid: Grid, seed: int) -> Estimate:
    """The mean of a grid [S, P], two-way, or given these few seeds; of [P] over personas."""
    if grid.ndim == 2 and len(grid) >= FEW_SEEDS:
        return crossed.analyse(grid).interval()
    if grid.ndim == 2:
        return crossed.conditional(grid, seed)
    over = f"{len(grid)} personas; it depends on no seed"
    return estimates.mean(grid.tolist(), seed, over)


def _level(grid: Grid, metric: str, seed: int) -> dict[str, Any]:
    """The mean of what is measured, no difference: its interval ends where the metric does."""
    found = estimate(grid, seed)
    least, most = spanned(metric)
    return plain(replace(found, low=max(found.low, least), high=min(found.high, most)))


def _arm(design: Design, views: Sequence[View], number: int, seed: int) -> dict[str, Any]:
    arm = design.arms[number]
    return {
        "label": arm.label,
        "levels": {f.path: f.labels[n] for f, n in zip(design.factors, arm.levels, strict=True)},
        "teacher": design.teacher_of(arm),
        "score": {v.label: _level(v.values([number]), v.metric, seed) for v in views},
        "gain": {v.label: plain(estimate(v.gain([number]), seed)) for v in views},
    }


def _rows(view: View, seed: int) -> dict[str, Any]:
    """The systems without a teacher of their own. What depends on the trained student is the mean
    over all arms; so is what depends on the untrained one, if arms have others."""
    import numpy as np

    marks, metric = view.sheet.marks, view.metric
    found = {}
    for system in (*marks[0].fixed, *TRAINED[1:]):
        grids: list[Any] = [
            {**mark.fixed, **mark.trained}.get(system, {}).get(metric) for mark in marks
        ]
        shapes = {None if grid is None else grid.shape for grid in grids}
        if len(shapes) == 1 and None not in shapes:  # a plug-in may measure some systems only
            found[system] = _level(np.mean(grids, axis=0), metric, seed)
    return found


def _gains(design: Design, views: Sequence[View], seed: int) -> dict[str, Any]:
    """By factor, level and view: what training gained, the other factors averaged over."""
    return {
        factor.path: {
            label: {
                view.label: plain(estimate(view.gain(_having(design, place, level)), seed))
                for view in views
            }
            for level, label in enumerate(factor.labels)
        }
        for place, factor in enumerate(design.factors)
    }


def _metrics(design: Design, sheets: Sequence[Sheet], seed: int) -> dict[str, Any]:
    """By judge: every metric of every arm, without verdicts: to look at, not to choose from."""
    return {
        judge.label: {
            arm.label: {
                metric: _level(sheet.values([number], metric), metric, seed)
                for metric in sheet.metrics
            }
            for number, arm in enumerate(design.arms)
        }
        for judge, sheet in zip(design.judges, sheets, strict=True)
    }


def _measures(
    design: Design, sheets: Sequence[Sheet], views: Sequence[View], seed: int
) -> dict[str, Any]:
    """By judge and metric, of all that are no view: the systems without a teacher of their own,
    and the differences between levels; as in `_metrics` without verdicts."""
    seen = {*RANKS, *(view.metric for view in views)}

    def one(view: View) -> dict[str, Any]:
        rows = [
            {
                "factor": question.factor,
                "a": question.a,
                "b": question.b,
                "difference": plain(estimate(_difference(view, question), seed)),
            }
            for question in questions(design)
        ]
        return {"rows": _rows(view, seed), "comparisons": rows}

    return {
        judge.label: {
            metric: one(View(judge.label, sheet, metric, False, judge.independent))
            for metric in sheet.metrics
            if metric not in seen
        }
        for judge, sheet in zip(design.judges, sheets, strict=True)
    }


def _difference(view: View, question: Question) -> Grid:
    return view.values(question.arms_b) - view.values(question.arms_a)


def _compared(
    design: Design, views: Sequence[View], asked: Sequence[Question], seed: int
) -> list[dict[str, Any]]:
    """Verdicts. The pairs under one view are a family for Holm's correction."""
    if not asked:
        return []
    return [row for view in views for row in _family(design, view, asked, seed)]


def _family(
    design: Design, view: View, asked: Sequence[Question], seed: int
) -> Iterator[dict[str, Any]]:
    grids = [_difference(view, question) for question in asked]
    forth = crossed.compare(grids, design.margin, seed)
    back = crossed.compare([-grid for grid in grids], design.margin, seed)
    for question, ours, theirs in zip(asked, forth, back, strict=True):
        yield {
            "view": view.label,
            "factor": question.factor,
            "a": question.a,
            "b": question.b,
            "difference": plain(ours.estimate),
            "p": ours.p,
            "p_holm": ours.p_holm,
            "family": len(asked),
            "verdict": ours.verdict,
            # The margin is in points; what is too little to matter in another unit nobody said.
            "b_replaces_a": ours.replaces and not view.is_own,
            "a_replaces_b": theirs.replaces and not view.is_own,
            "power": _power(ours, 0.0 if view.is_own else design.margin, len(asked)),
        }


def _power(found: crossed.Comparison, margin: float, family: int) -> dict[str, Any] | None:
    """Where the spread of a difference comes from, and what it takes to see one of the margin;
    as one of a family, it must be seen at Holm's first and strictest level."""
    if found.crossed is None:
        return None
    parts, personas = found.crossed.components, found.crossed.personas
    level, needed = 0.05 / family, None
    if margin > 0:
        needed = crossed.seeds_needed(parts, personas, margin, level=level)
    return {
        "components": {name: plain(part) for name, part in found.crossed.spreads().items()},
        "detectable": crossed.detectable(parts, found.crossed.seeds, personas, level=level),
        "seeds_for_margin": needed,
    }


# --- at equal cost --------------------------------------------------------------------------


def _cost(curve: Curve, key: str) -> list[float]:
    """What the run had cost at each stop, in answers or dollars."""
    return [float(getattr(stop, key)) for stop in curve.stops]


def _is_known(curves: Iterable[Curve], key: str) -> bool:
    return all(getattr(stop, key) is not None for curve in curves for stop in curve.stops)


def _at(curve: Curve, metric: str, key: str, budget: float) -> Grid:
    """[P], what the run was worth when it had cost so much; between two rounds, in proportion."""
    import numpy as np

    costs, values = _cost(curve, key), curve.values[metric]
    row: Grid = np.array([np.interp(budget, costs, column) for column in values.T])
    return row


def _at_equal(design: Design, views: Sequence[View], key: str, seed: int) -> dict[str, Any] | None:
    """The comparisons once more, where all runs have cost what the cheapest one that costs
    anything cost in all; None where they cost alike, or nothing, or nobody knows what."""
    import numpy as np

    arms = range(len(design.arms))
    curves = [curve for arm in arms for curve in views[0].curves(arm)]
    if not _is_known(curves, key):
        return None
    costs = [float(np.mean([_cost(c, key)[-1] for c in views[0].curves(arm)])) for arm in arms]
    paying = [cost for curve in curves if (cost := _cost(curve, key)[-1]) > 0]
    if not paying or max(costs) <= 1.01 * min(costs):
        return None
    budget = min(paying)  # each of them, whatever its seed, has had so much
    found = []
    for view in views:
        grids = [
            np.array([_at(curve, view.metric, key, budget) for curve in view.curves(arm)])
            for arm in arms
        ]
        for question in questions(design):
            b, a = (
                np.mean([grids[arm] for arm in some], axis=0)
                for some in (question.arms_b, question.arms_a)
            )
            found.append(
                {
                    "view": view.label,
                    "factor": question.factor,
                    "a": question.a,
                    "b": question.b,
                    "difference": plain(estimate(b - a, seed)),
                }
            )
    return {"budget": budget, "costs": costs, "comparisons": found}


def _curves(design: Design, view: View, seed: int) -> dict[str, Any]:
    """By arm: what it was worth, the mean over seeds, at each stop; a run that ended earlier stays
    as it was."""
    return {arm.label: _points(view, number, seed) for number, arm in enumerate(design.arms)}


def _points(view: View, arm: int, seed: int) -> list[dict[str, Any]]:
    import numpy as np

    curves, points = view.curves(arm), []
    for number in range(max(len(curve.stops) for curve in curves)):
        at = [(curve, min(number, len(curve.stops) - 1)) for curve in curves]
        grid = np.array([curve.values[view.metric][n] for curve, n in at])
        costs = {
            key: float(np.mean([_cost(curve, key)[n] for curve, n in at]))
            if _is_known(curves, key)
            else None
            for key in ("answers", "dollars")
        }
        # Before training all seeds are alike: an interval over personas alone.
        value = _level(grid if number else grid[0], view.metric, seed)
        points.append({**costs, **value})
    return points

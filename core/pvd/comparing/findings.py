"""Findings: what the grids say, with intervals and verdicts, as compare.json holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from pvd import crossed, estimates
from pvd.comparing.design import Design
from pvd.comparing.marking import TRAINED, Curve, Sheet, primary
from pvd.crossed import FEW_SEEDS
from pvd.estimates import plain
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


def find(design: Design, sheets: Sequence[Sheet], seed: int) -> dict[str, Any]:
    """Everything that can be said about who is better; a sheet for each judge."""
    metric = primary(sheets)
    return {
        "metric": metric,
        "arms": [_arm(design, sheets, number, seed) for number in range(len(design.arms))],
        "rows": _rows(design, sheets, seed),
        "comparisons": _compared(design, sheets, questions(design), metric, seed),
        "pairs": _compared(design, sheets, between_arms(design), metric, seed),
        "equal_answers": _at_equal(design, sheets, metric, "answers", seed),
        "equal_dollars": _at_equal(design, sheets, metric, "dollars", seed),
        "curves": _curves(design, sheets, metric, seed),
    }


def estimate(grid: Grid, seed: int) -> Estimate:
    """The mean of a grid [S, P], two-way, or given these few seeds; of [P] over personas."""
    if grid.ndim == 2 and len(grid) >= FEW_SEEDS:
        return crossed.analyse(grid).interval()
    if grid.ndim == 2:
        return crossed.conditional(grid, seed)
    over = f"{len(grid)} personas; it depends on no seed"
    return estimates.mean(grid.tolist(), seed, over)


def _arm(design: Design, sheets: Sequence[Sheet], number: int, seed: int) -> dict[str, Any]:
    arm = design.arms[number]
    return {
        "label": arm.label,
        "levels": {f.path: f.labels[n] for f, n in zip(design.factors, arm.levels, strict=True)},
        "teacher": design.teacher_of(arm),
        "scores": {
            judge.label: {
                metric: plain(estimate(grid, seed))
                for metric, grid in sheet.marks[number].trained["distilled"].items()
            }
            for judge, sheet in zip(design.judges, sheets, strict=True)
        },
        "gain": {
            judge.label: plain(estimate(sheet.gain([number], primary(sheets)), seed))
            for judge, sheet in zip(design.judges, sheets, strict=True)
        },
    }


def _rows(design: Design, sheets: Sequence[Sheet], seed: int) -> dict[str, Any]:
    """The systems without a teacher of their own. What depends on the trained student is the mean
    over all arms; what depends on the untrained one, over the arms that have others."""
    import numpy as np

    found: dict[str, Any] = {}
    for judge, sheet in zip(design.judges, sheets, strict=True):
        systems: dict[str, dict[str, Any]] = {}
        for system, metrics in sheet.marks[0].fixed.items():
            for metric in metrics:
                grid = np.mean([mark.fixed[system][metric] for mark in sheet.marks], axis=0)
                systems.setdefault(system, {})[metric] = plain(estimate(grid, seed))
        for system in TRAINED[1:]:
            for metric in sheet.marks[0].trained[system]:
                grid = np.mean([mark.trained[system][metric] for mark in sheet.marks], axis=0)
                systems.setdefault(system, {})[metric] = plain(estimate(grid, seed))
        found[judge.label] = systems
    return found


def _differences(
    sheet: Sheet, asked: Sequence[Question], metric: str
) -> Iterator[tuple[Question, Grid]]:
    for question in asked:
        b, a = (sheet.values(arms, metric) for arms in (question.arms_b, question.arms_a))
        yield question, b - a


def _compared(
    design: Design, sheets: Sequence[Sheet], asked: Sequence[Question], metric: str, seed: int
) -> list[dict[str, Any]]:
    """Verdicts under all judges: one family for Holm's correction."""
    if not asked:
        return []
    cases = [
        (judge.label, sheet, question, grid)
        for judge, sheet in zip(design.judges, sheets, strict=True)
        for question, grid in _differences(sheet, asked, metric)
    ]
    grids = [grid for *_, grid in cases]
    forth = crossed.compare(grids, design.margin, seed)
    back = crossed.compare([-grid for grid in grids], design.margin, seed)
    return [
        {
            "judge": judge,
            "factor": question.factor,
            "a": question.a,
            "b": question.b,
            "difference": plain(ours.estimate),
            "p": ours.p,
            "p_holm": ours.p_holm,
            "verdict": ours.verdict,
            "b_replaces_a": ours.replaces,
            "a_replaces_b": theirs.replaces,
            "family": len(cases),
            "power": _power(ours, design),
            "others": {
                name: plain(estimate(grid, seed))
                for name in sheet.metrics
                if name != metric
                for _, grid in _differences(sheet, [question], name)
            },
        }
        for (judge, sheet, question, _), ours, theirs in zip(cases, forth, back, strict=True)
    ]


def _power(found: crossed.Comparison, design: Design) -> dict[str, Any] | None:
    """Where the spread of a difference comes from, and what it takes to see one of the margin."""
    if found.crossed is None:
        return None
    parts, personas = found.crossed.components, found.crossed.personas
    needed = None
    if design.margin > 0:
        needed = crossed.seeds_needed(parts, personas, design.margin)
    return {
        "components": asdict(parts),
        "detectable": crossed.detectable(parts, found.crossed.seeds, personas),
        "seeds_for_margin": needed,
    }


# --- at equal cost --------------------------------------------------------------------------


def _cost(curve: Curve, key: str) -> list[float]:
    """What the run had cost at each stop, in answers or dollars; unknown prices count as none."""
    return [float(getattr(stop, key) or 0.0) for stop in curve.stops]


def _at(curve: Curve, metric: str, key: str, budget: float) -> Grid:
    """[P], what the run was worth when it had cost so much: its best round until then."""
    reached = [n for n, cost in enumerate(_cost(curve, key)) if cost <= budget * (1 + 1e-9)]
    row: Grid = curve.values[metric][max(reached, default=0)]
    return row


def _at_equal(
    design: Design, sheets: Sequence[Sheet], metric: str, key: str, seed: int
) -> dict[str, Any] | None:
    """The comparisons once more, where all arms have cost what the cheapest one cost in all; None
    where they cost alike, or nothing."""
    import numpy as np

    costs = [
        float(np.mean([_cost(curve, key)[-1] for curve in mark.curves])) for mark in sheets[0].marks
    ]
    paying = [cost for cost in costs if cost > 0]
    if not paying or max(costs) <= 1.01 * min(costs):
        return None
    budget = min(paying)
    found = []
    for judge, sheet in zip(design.judges, sheets, strict=True):
        grids = [
            np.array([_at(curve, metric, key, budget) for curve in mark.curves])
            for mark in sheet.marks
        ]
        for question in questions(design):
            b, a = (
                np.mean([grids[arm] for arm in arms], axis=0)
                for arms in (question.arms_b, question.arms_a)
            )
            found.append(
                {
                    "judge": judge.label,
                    "factor": question.factor,
                    "a": question.a,
                    "b": question.b,
                    "difference": plain(estimate(b - a, seed)),
                }
            )
    return {"budget": budget, "costs": costs, "comparisons": found}


def _curves(design: Design, sheets: Sequence[Sheet], metric: str, seed: int) -> dict[str, Any]:
    """By judge and arm: what it was worth, the mean over seeds, at each stop; a run that ended
    earlier stays as it was."""
    import numpy as np

    found: dict[str, Any] = {}
    for judge, sheet in zip(design.judges, sheets, strict=True):
        found[judge.label] = {}
        for arm, mark in zip(design.arms, sheet.marks, strict=True):
            points = []
            for number in range(max(len(curve.stops) for curve in mark.curves)):
                at = [min(number, len(curve.stops) - 1) for curve in mark.curves]
                grid = np.array([c.values[metric][n] for c, n in zip(mark.curves, at, strict=True)])
                costs = {
                    key: float(
                        np.mean([_cost(c, key)[n] for c, n in zip(mark.curves, at, strict=True)])
                    )
                    for key in ("answers", "dollars")
                }
                # Before training all seeds are alike: an interval over personas alone.
                value = estimate(grid if number else grid[0], seed)
                points.append({**costs, **plain(value)})
            found[judge.label][arm.label] = points
    return found

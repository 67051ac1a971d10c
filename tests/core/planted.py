"""Findings of comparisons that nobody ran: grids with a planted truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pvd.comparing import findings, substitution, viewing
from pvd.comparing.design import Design, make
from pvd.comparing.marking import Curve, Mark, Sheet
from pvd.comparing.transcripts import Stop
from pvd.comparing.viewing import View
from pvd.settings import recipe

PEOPLE = 40
Grid = Any


REFERENCE = {"use": "simulated", "noise": 0.0}


def design(seeds: int = 6, judges: Sequence[Any] = (), **vary: Any) -> Design:
    factors = {path.replace("__", "."): values for path, values in vary.items()}
    return make((recipe("default"), {}), factors, judges, seeds)


def noise(seeds: int, seed: int, spread: float = 1.0) -> Grid:
    return np.random.default_rng(seed).normal(0, spread, (seeds, PEOPLE))


SYSTEMS = {"distilled": 1.0, "persona-blind": 0.2, "shuffled-persona": 0.1}
ZERO = np.random.default_rng(5).uniform(20, 80, PEOPLE)  # the untrained student's


def sheet(grids: list[Grid], costs: list[tuple[int, float]] | None = None) -> Sheet:
    """From the gains of each arm, and what its runs cost in answers and dollars."""
    marks = []
    for number, grid in enumerate(grids):
        answers, dollars = costs[number] if costs else (100, 0.0)
        stops = [
            Stop(0, 0, 0.0, 0), Stop(1, answers // 2, dollars / 2, 1), Stop(2, answers, dollars, 2),
        ]  # fmt: skip
        curves = [
            Curve(stops, {"mpr": np.array([ZERO, ZERO + row / 2, ZERO + row])}) for row in grid
        ]
        trained = {system: {"mpr": ZERO + grid * share} for system, share in SYSTEMS.items()}
        marks.append(Mark(trained, {"zero-shot": {"mpr": ZERO}}, curves))
    return Sheet(tuple(map(str, range(PEOPLE))), ("mpr",), tuple(marks))


def judged(gains: Mapping[str, Sequence[float]]) -> dict[str, Sheet]:
    """What each judge says of each teacher's student, all with noise of their own."""
    return {
        judge: sheet([gain + noise(6, 10 * place + n) for n, gain in enumerate(row)])
        for place, (judge, row) in enumerate(gains.items())
    }


def measuring(sat: Sheet, name: str, grids: Sequence[Grid], before: Grid = ZERO) -> Sheet:
    """The same sheet with a plug-in's measure: what each arm has before training, and after it."""
    marks = []
    for mark, grid in zip(sat.marks, grids, strict=True):
        trained = {system: {**known, name: grid} for system, known in mark.trained.items()}
        fixed = {system: {**known, name: before} for system, known in mark.fixed.items()}
        curves = [
            Curve(curve.stops, {**curve.values, name: np.array([before, (before + row) / 2, row])})
            for curve, row in zip(mark.curves, grid, strict=True)
        ]
        marks.append(Mark(trained, fixed, curves))
    return Sheet(sat.personas, (*sat.metrics, name), tuple(marks))


def views(made: Design, sheets: Mapping[str, Sheet]) -> list[View]:
    free = {judge.label: judge.independent for judge in made.judges}
    judged = [
        View(label, one, "mpr", False, free.get(label, False)) for label, one in sheets.items()
    ]
    pairs = zip(made.judges, sheets.values(), strict=False)
    return [*judged, *viewing.by_plug_ins(list(pairs))]


def found(made: Design, sheets: Mapping[str, Sheet]) -> dict[str, Any]:
    seen = views(made, sheets)
    whole = findings.find(made, list(sheets.values()), seen, seed=0)
    return {
        **whole,
        "factors": [{"path": f.path, "labels": list(f.labels)} for f in made.factors],
        "seeds": made.seeds, "margin": made.margin, "student": "tiny", "catalog": "shop.csv",
        "items": 50, "chance": {}, "simulated": ["simulated"], "pvd": "0",
        "judges": [{"label": j.label, "teaches": j.teaches, "personas": PEOPLE, "lost": 0,
                    "stability": None}
                   for j in made.judges],
        "substitution": substitution.find(made, seen, seed=0),
        "asked": ["simulated"],
        "cost": {"runs": [{"answers": 100, "dollars": 0.0} for _ in made.arms],
                 "exams": {label: {"answers": 9, "dollars": 0.0} for label in sheets},
                 "used": 300, "together": {"answers": 200, "dollars": 0.0}},
    }  # fmt: skip

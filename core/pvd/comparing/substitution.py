"""Substitution: what a student keeps when its teacher is replaced, and what a judge does for the
student that it taught itself.

All of it is about gains: over the untrained student, under the same judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pvd import crossed
from pvd.comparing.design import Design
from pvd.comparing.findings import estimate
from pvd.comparing.viewing import View
from pvd.estimates import plain
from pvd.money.amounts import count

if TYPE_CHECKING:
    import numpy.typing as npt

    Grid = npt.NDArray[Any]


def find(design: Design, views: Sequence[View], seed: int) -> dict[str, Any] | None:
    """The matrix of teachers and judges, and what follows from it; None with one teacher."""
    arms = design.arms_of
    if len(arms) < 2:
        return None
    by_label = {view.label: view for view in views}
    matrix = {
        teacher: {label: view.gain(own) for label, view in by_label.items()}
        for teacher, own in arms.items()
    }
    square = [teacher for teacher in arms if teacher in by_label]
    # Another judge, a person, the simulated truth, or a measure of somebody's own labels.
    references = [view.label for view in views if view.is_independent]
    return {
        "matrix": {
            teacher: {label: plain(estimate(grid, seed)) for label, grid in row.items()}
            for teacher, row in matrix.items()
        },
        "carried": [
            {
                "taught": a,
                "instead_of": b,
                "judged": judge,
                **_carried(matrix[a][judge], matrix[b][judge], seed),
            }
            for b in arms
            for a in arms
            if a != b
            for judge in [*references, *([b] if b in square else [])]
        ],
        "own_judge": _own_judge(matrix, by_label, square, seed),
        "inflation": [
            {
                "teacher": teacher,
                "reference": reference,
                **_inflation(matrix, by_label, teacher, reference, seed),
            }
            for reference in references
            if not by_label[reference].is_own  # leads in another unit are no smaller or larger
            for teacher in square
        ],
    }


def _carried(ours: Grid, theirs: Grid, seed: int) -> dict[str, Any]:
    """Gain(taught by A) / gain(taught by B) under one judge, with Fieller's interval."""
    whole = estimate(theirs, seed)
    if whole.low <= 0:
        why = "there is no sure gain of which it would be a share"
        return asdict(crossed.Ratio(None, None, None, False, why))
    if len(ours) < crossed.FEW_SEEDS:
        why = f"{count(len(ours), 'seed')} make no interval"
        return asdict(crossed.Ratio(float(ours.mean() / theirs.mean()), None, None, False, why))
    return asdict(crossed.ratio(ours, theirs))


def _own_judge(
    matrix: Mapping[str, Mapping[str, Grid]],
    by_label: Mapping[str, View],
    square: Sequence[str],
    seed: int,
) -> dict[str, Any] | None:
    """Mean diagonal minus mean off-diagonal of the square matrix, over the personas that every
    judge has a winner for."""
    import numpy as np

    if len(square) < 2:
        return None
    cells = _shared(matrix, by_label, square, square)
    own = np.mean([cells[a, a] for a in square], axis=0)
    others = np.mean([cells[a, b] for a in square for b in square if a != b], axis=0)
    return plain(estimate(own - others, seed))


def _inflation(
    matrix: Mapping[str, Mapping[str, Grid]],
    by_label: Mapping[str, View],
    teacher: str,
    reference: str,
    seed: int,
) -> dict[str, Any]:
    """By how much further ahead of the others' students a teacher's student stands under its own
    teacher than under the reference. A difference of differences: what a judge adds for all of
    them cancels. But noise shrinks a judge's differences, leads and arrears alike, and is no
    favour."""
    import numpy as np

    others = [other for other in matrix if other != teacher]
    cells = _shared(matrix, by_label, list(matrix), [teacher, reference])
    ahead = {
        judge: cells[teacher, judge] - np.mean([cells[one, judge] for one in others], axis=0)
        for judge in (teacher, reference)
    }
    own, theirs = (estimate(ahead[judge], seed) for judge in (teacher, reference))
    found = estimate(ahead[teacher] - ahead[reference], seed)
    return {
        **plain(found),
        "own_lead": plain(own),
        "reference_lead": plain(theirs),
        # Noise shrinks every lead, so that one which is surely there, and grew or turned, is more.
        "inflates": bool(
            found.low > 0 and own.low > 0 and (by_label[reference].is_truth or theirs.value <= 0)
        ),
    }


def _shared(
    matrix: Mapping[str, Mapping[str, Grid]],
    by_label: Mapping[str, View],
    teachers: Sequence[str],
    judges: Sequence[str],
) -> dict[tuple[str, str], Grid]:
    """The gains for the personas that sat under all these judges, in one order."""
    shared = [
        persona
        for persona in by_label[judges[0]].sheet.personas
        if all(persona in by_label[judge].sheet.personas for judge in judges)
    ]
    columns = {
        judge: [by_label[judge].sheet.personas.index(persona) for persona in shared]
        for judge in judges
    }
    return {
        (teacher, judge): matrix[teacher][judge][:, columns[judge]]
        for teacher in teachers
        for judge in judges
    }

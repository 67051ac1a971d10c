"""What exams that were held in several ways say of the same students: shifts, widths, orders, how
the personas of a bracket hang together, and what an audit sees.

Grids of values are [B, A, S, P]: brackets, arms, seeds, personas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from brackets import Sat

from pvd import crossed
from pvd.records import Estimate
from pvd.streams import stream

Grid = npt.NDArray[np.float64]
AUDITED, AUDITS = 12, 50  # personas with a full tournament as well; drawn so many times a bracket
LESS = 0.2  # by which the arms' order may agree less before it is called another one
MARGIN = 1.0  # points of MPR: a shift that is surely smaller changes nothing


@dataclass(frozen=True)
class Students:
    """What all students make of the exam's items: [A, S, P, N] percentiles, and true MPRs."""

    labels: tuple[str, ...]
    percentiles: Grid

    def values(self, winners: npt.NDArray[np.int64]) -> Grid:
        """[B, A, S, P], the percentiles of the winners [B, P]."""
        people = np.arange(winners.shape[1])
        return np.stack([self.percentiles[:, :, people, row] for row in winners])


@dataclass(frozen=True)
class Row:
    """One way against the full exam, in the numbers of the students that sat both."""

    mpr: float
    shift: Estimate | None  # paired by student, seed and persona
    width: float  # of an arm's two-way interval, one bracket; mean over arms and brackets
    tau: float  # of the arms' order in one bracket with that of the full exam
    told: float  # pairs of arms told apart in one bracket, after Holm's correction


def row(values: Grid, full: Grid, same: bool = False) -> Row:
    """[B, A, S, P] of one way and of the full exam. The order of the arms is held against the mean
    over all full brackets; `same`: over the others, for this is one of them."""
    grids = values.mean(axis=(0, 1)) - full.mean(axis=(0, 1))
    widths, taus, told = [], [], []
    whole = full.mean(axis=(2, 3))  # [B, A]
    for number, bracket in enumerate(values):
        found = [crossed.analyse(grid).interval() for grid in bracket]
        widths.append(np.mean([one.high - one.low for one in found]))
        others = np.delete(whole, number, axis=0) if same else whole
        taus.append(tau(bracket.mean(axis=(1, 2)), others.mean(axis=0)))
        pairs = [a - b for a, b in combinations(bracket, 2)]
        told.append(sum(c.verdict in ("better", "worse") for c in crossed.compare(pairs, 1, 0)))
    shift = None if same else crossed.analyse(grids).interval()
    return Row(float(values.mean()), shift, *(float(np.mean(one)) for one in (widths, taus, told)))


def tau(a: Grid, b: Grid) -> float:
    """Kendall's tau-b."""
    from scipy.stats import kendalltau

    return float(kendalltau(a, b).statistic)


def verdict(found: Row, full: Row) -> str:
    """Whether MPR and its interval are unchanged, by the shift, the width and the order."""
    if found.shift is None:
        return "reference"
    if found.shift.low > 0 or found.shift.high < 0:
        moved = "shifted, within the margin" if within(found.shift) else "shifted"
    else:
        moved = "unchanged" if within(found.shift) else "not resolved"
    said = [moved]
    if abs(found.width / full.width - 1) > 0.1:
        said.append("interval " + ("wider" if found.width > full.width else "narrower"))
    if found.tau < full.tau - LESS:
        said.append("another order")
    return ", ".join(said)


def within(shift: Estimate) -> bool:
    return shift.low > -MARGIN and shift.high < MARGIN


@dataclass(frozen=True)
class Alike:
    """How much the lots of one bracket move all personas together."""

    correlation: Estimate  # of two personas' values, over brackets
    honest: float  # a bracket's true standard error by the one that its personas show


def alike(values: Grid) -> Alike:
    """[B, A, S, P]. One bracket's error over personas counts them as independent. With V the
    variance over brackets of one persona's value and r the correlation between personas, the mean
    of P personas has a variance of (V / P) * (1 + (P - 1) r) over brackets, beside what is between
    personas. Values are means over the seeds; arms are averaged over."""
    from scipy.stats import t

    grid = values.mean(axis=2)  # [B, A, P]

    def found(some: npt.NDArray[np.int64]) -> tuple[float, float]:
        part = grid[some]
        personas = part.shape[2]
        own = part.var(axis=0, ddof=1).mean(axis=1)  # [A]
        together = part.mean(axis=2).var(axis=0, ddof=1)
        r = float(((personas * together / own - 1) / (personas - 1)).mean())
        shown = part.var(axis=2, ddof=1).mean(axis=0)  # with what is between personas
        extra = np.maximum(1 + (personas - 1) * r * own / shown, 0)
        return r, float(np.sqrt(extra).mean())

    count = len(grid)
    value, honest = found(np.arange(count))
    # Delete-a-bracket jackknife: a resample that repeats a bracket would see less spread.
    left = np.array([found(np.delete(np.arange(count), n))[0] for n in range(count)])
    error = float(np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum()))
    half = float(t.ppf(0.975, count - 1)) * error
    over = f"{count} brackets"
    return Alike(Estimate(value, value - half, value + half, over), honest)


@dataclass(frozen=True)
class Audit:
    """What full tournaments on some personas say of a narrowed exam's shift."""

    width: float  # of the interval of the shift, mean
    covers: float  # how often it holds the true shift, in percent
    warns: float  # how often it excludes zero, in percent


def audit(values: Grid, full: Grid) -> Audit:
    """[B, A, S, P] each. The audited personas are drawn by lot, again and again; the interval is
    Student's t over them, of the mean over students."""
    from scipy.stats import t

    count = min(len(values), len(full))
    moved = (full[:count] - values[:count]).mean(axis=(1, 2))  # [B, P]
    true = float(full.mean() - values.mean())
    factor = float(t.ppf(0.975, AUDITED - 1)) / np.sqrt(AUDITED)
    found = []
    for number, bracket in enumerate(moved):
        for draw in range(AUDITS):
            some = stream("audit", number, draw).sample(range(len(bracket)), AUDITED)
            value, half = bracket[some].mean(), factor * bracket[some].std(ddof=1)
            found.append((2 * half, abs(value - true) <= half, abs(value) > half))
    width, covers, warns = np.array(found, dtype=float).mean(axis=0)
    return Audit(float(width), 100 * float(covers), 100 * float(warns))


def themselves(students: Students, found: Sequence[Sequence[Sat]]) -> Grid:
    """[1, A, S, P], each student by the winners of its own tournaments."""
    people = np.arange(students.percentiles.shape[2])
    grid = [
        [students.percentiles[a, s, people, one.winners[0]] for s, one in enumerate(row_)]
        for a, row_ in enumerate(found)
    ]
    return np.array([grid])

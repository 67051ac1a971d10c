"""docs/results.md, first study: samplers at four budgets.

    python tests/bench/studies/samplers.py CATALOG.csv PERSONAS.jsonl --out FOLDER [--jobs N]

A budget is a stop of the same runs: what each would be worth if it had ended after that round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import mean

import arms
import exams
import numpy as np
import numpy.typing as npt
import page
from cells import SEEDS, TRAINING, place

from pvd import crossed, estimates
from pvd.comparing import marking
from pvd.comparing.marking import Mark, Sheet
from pvd.crossed import Components
from pvd.records import Estimate

Grid = npt.NDArray[np.float64]
STOPS = (1, 2, 4, 8)  # rounds after which a run is looked at
SHARES = (0.5, 0.75, 0.9)  # of what the worst sampler gains in all
RESAMPLES = 4000
CONTROLS = ("zero-shot", "persona-blind", "shuffled-persona")
OURS, UNIFORM = "four-bin, range", "uniform"  # the paper's, and what it is said to beat


def main() -> None:
    where = place(__doc__)
    where.run(list(arms.SAMPLERS.values()))
    with exams.hall(where) as hall:
        paper = hall.paper(exams.judge({"use": "simulated"}))
        rows = [where.read(arm) for arm in arms.SAMPLERS.values()]
        sheet = marking.mark(paper, rows, hall.evaluators("mpr", "hits"), hall.seed)
        page.write("setting", exams.about(hall))
    page.write("samplers", values(sheet, len(paper.items)))


def values(sheet: Sheet, items: int) -> dict[str, object]:
    """What the template asks for."""
    marks = dict(zip(arms.SAMPLERS, sheet.marks, strict=True))
    budgets = [f"{answers(marks, stop):,.0f}" for stop in STOPS]
    pairs = list(combinations(marks, 2))
    found = {
        stop: crossed.compare([at(marks[b], stop) - at(marks[a], stop) for a, b in pairs], 1, 0)
        for stop in STOPS
    }
    claim = pairs.index((UNIFORM, OURS))
    against = {
        label: [found[stop][pairs.index((UNIFORM, label))].verdict for stop in STOPS]
        for label in marks
        if label != UNIFORM
    }
    last = found[STOPS[-1]]
    start = next(iter(marks.values())).fixed["zero-shot"]["mpr_true"]
    return {
        "seeds": len(SEEDS),
        "personas": len(sheet.personas),
        "items": items,
        "training": f"{TRAINING['rounds']} x {TRAINING['steps']} steps of {TRAINING['batch']}",
        "start": page.show(estimates.mean(start.tolist(), 0, "personas")),
        "curves": page.table(
            ["true MPR after", *(f"{budget} answers" for budget in budgets)],
            [
                [label, *(page.show(crossed.analyse(at(m, stop)).interval()) for stop in STOPS)]
                for label, m in marks.items()
            ],
        ),
        "pairs": page.table(
            ["second - first", *budgets],
            [
                [f"{b} - {a}", *(page.compared(found[stop][number]) for stop in STOPS)]
                for number, (a, b) in enumerate(pairs)
            ],
        ),
        "verdicts": "\n".join(
            f"- {page.verdict(last[number], f'`{b}`', f'`{a}`')}"
            for number, (a, b) in enumerate(pairs)
        ),
        "claim": said_of_claim([found[stop][claim].verdict for stop in STOPS]),
        "against": "; ".join(f"`{k}`: {page.counted(v)}" for k, v in against.items()),
        "family": len(pairs),
        "bold": page.bold([one for stop in STOPS for one in found[stop]]),
        **economy(marks, start),
        "controls": page.table(
            ["after all answers, true MPR", *(f"less {name}" for name in CONTROLS)],
            [[label, *(personal(m, name) for name in CONTROLS)] for label, m in marks.items()],
        ),
        "others": page.table(
            ["after all answers", "MPR", "hit@20"],
            [
                [label, *(page.show(final(m, name)) for name in ("mpr", "hit@20"))]
                for label, m in marks.items()
            ],
        ),
        "spread": spread([one.crossed.components for one in last if one.crossed], sheet),
        "raw": page.table(
            ["after all answers", *(f"seed {seed}" for seed in SEEDS)],
            [[a, *(f"{v:.1f}" for v in at(m, STOPS[-1]).mean(1))] for a, m in marks.items()],
        ),
    }


def at(mark: Mark, stop: int, metric: str = "mpr_true") -> Grid:
    """[S, P] after that round."""
    return np.array([curve.values[metric][stop] for curve in mark.curves])


def final(mark: Mark, metric: str) -> Estimate:
    return crossed.analyse(mark.trained["distilled"][metric]).interval()


def personal(mark: Mark, control: str) -> str:
    """What is left of true MPR when everybody is asked with one query, or with another's."""
    values = mark.trained["distilled"]["mpr_true"]
    other = (mark.trained if control in mark.trained else mark.fixed)[control]["mpr_true"]
    return page.show(crossed.analyse(values - other).interval(), "+")


def answers(marks: Mapping[str, Mark], stop: int) -> float:
    """Distinct answers that were learned from by then, mean over the runs; validation's do not
    count."""
    return mean(
        c.stops[stop].answers - c.stops[0].answers for m in marks.values() for c in m.curves
    )


def said_of_claim(verdicts: Sequence[str]) -> str:
    """Whether the paper's sampler always wins, as far as that can be told."""
    if all(word == "better" for word in verdicts):
        return "Here it does, at every budget"
    if "worse" in verdicts:
        return "Here it does not"
    if "better" in verdicts:
        return "Here that shows at some budgets only"
    return "Here that does not show at any budget"


# --- answers needed ---------------------------------------------------------------------------


def economy(marks: Mapping[str, Mark], start: Grid) -> dict[str, object]:
    """How many answers each sampler needs for the same true MPR, against `uniform`."""
    curves = {
        label: np.array([curve.values["mpr_true"] for curve in mark.curves])
        for label, mark in marks.items()
    }  # [S, stops, P]
    costs = np.array([answers(marks, n) for n in range(next(iter(curves.values())).shape[1])])
    least = min(float(curve[:, -1].mean()) for curve in curves.values())
    before = float(start.mean())
    targets = [before + share * (least - before) for share in SHARES]
    rows = []
    for label in curves:
        cells = []
        for target in targets:
            need = crossing(curves[label].mean((0, 2)), costs, target)
            if label == UNIFORM:
                cells.append(f"{need:,.0f}")
                continue
            times, low, high = saved(curves[UNIFORM], curves[label], costs, target)
            cells.append(f"{need:,.0f}: {times:.2f} ({low:.2f} to {high:.2f})")
        rows.append([label, *cells])
    heads = [
        f"{target:.1f} ({share:.0%} of the way)"
        for share, target in zip(SHARES, targets, strict=True)
    ]
    return {"economy": page.table(["for a true MPR of", *heads], rows)}


def crossing(curve: Grid, costs: Grid, target: float) -> float:
    """The answers at which a curve first reaches the target, on straight lines between its stops;
    infinite if it never does."""
    over = np.flatnonzero(curve >= target)
    if not len(over):
        return float("inf")
    n = int(over[0])
    if n == 0:
        return float(costs[0])
    part = (target - curve[n - 1]) / (curve[n] - curve[n - 1])
    return float(costs[n - 1] + part * (costs[n] - costs[n - 1]))


def saved(
    base: Grid, other: Grid, costs: Grid, target: float, resamples: int = RESAMPLES
) -> tuple[float, float, float]:
    """How many times as many answers `base` needs as `other`, with a 95 % percentile interval from
    resampling seeds and personas, the same ones for both. Curves are [S, stops, P]. Where neither
    reaches the target, the resample says 1; where one does not, infinity or 0."""
    rng = np.random.default_rng(0)
    seeds, _, personas = base.shape
    found = []
    for _ in range(resamples):
        s, p = rng.integers(seeds, size=seeds), rng.integers(personas, size=personas)
        ours, theirs = (
            crossing(curve[s][:, :, p].mean((0, 2)), costs, target) for curve in (base, other)
        )
        found.append(1.0 if ours == theirs else ours / theirs)
    means = [crossing(curve.mean((0, 2)), costs, target) for curve in (base, other)]
    low, high = np.quantile(found, (0.025, 0.975), method="nearest")
    return means[0] / means[1], float(low), float(high)


# --- spread -----------------------------------------------------------------------------------


def spread(components: Sequence[Components], sheet: Sheet) -> str:
    """Where the spread of a difference comes from, mean over the pairs, and what can be seen."""
    seed, persona, residual = (
        mean(getattr(one, name) for one in components) for name in ("seed", "persona", "residual")
    )
    least = crossed.detectable(Components(seed, persona, residual), len(SEEDS), len(sheet.personas))
    return (
        f"Variances of a difference between two samplers, mean over the pairs, in squared points: "
        f"{seed:.1f} between seeds, {persona:.1f} between personas, {residual:.1f} the rest. So "
        f"{len(SEEDS)} seeds and {len(sheet.personas)} personas find a difference of {least:.1f} "
        "points with 80 % power, before Holm's correction."
    )


if __name__ == "__main__":
    main()

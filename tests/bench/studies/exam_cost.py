"""docs/results.md, fourth study: the exam at a fraction of its cost.

    python tests/bench/studies/exam_cost.py CATALOG.csv PERSONAS.jsonl --out FOLDER [--jobs N]

The same trained students, those of the other studies, sit exams that are held in several ways. No
student is trained for this, but one that narrows the items and is examined by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import arms
import brackets
import exam_grids
import exams
import numpy as np
import numpy.typing as npt
import page
from brackets import Sat, Way
from cells import SEEDS, Arm, Place, place
from exam_grids import AUDITED, MARGIN, Row, Students, alike, audit, row, themselves, verdict
from exams import Hall
from metering import PROTOCOLS, SIDES
from narrowing import Attributes

from pvd import Teacher, kit
from pvd.scoring import cosines

Grid = npt.NDArray[np.float64]
FULL = "groups of 5, own brackets"
SHARED, THIRDS = "shared first round", "three shared first rounds"
BRACKETS, FEWER = 60, 20  # played in each way; in pairs
SIZES = ((56, 19), (112, 38))  # the best of a ranking, and others by lot


def main() -> None:
    where = place(__doc__)
    tested = examined(where)
    reference = arms.SAMPLERS["uniform"]
    where.run(list(tested.values()))
    where.run([reference], [arms.REFERENCE_SEED])
    with exams.hall(where) as hall:
        students, own, zero = marked(where, tested)
        rankings = {
            "zero-shot": zero,
            "another student": scores_of(where, reference, arms.REFERENCE_SEED)[1],
            "attributes": by_attributes(where.folder(reference, arms.REFERENCE_SEED), hall),
        }
        folder = where.out / "exams"
        fair = exams.judge({"use": "simulated"})
        biased = exams.judge(arms.FIRST_PLACE)
        ways = all_ways(rankings, len(hall.sitting()[1]))
        sat = {w.label: brackets.hold(hall, w, fair, "true tastes", folder / "fair") for w in ways}
        placed = {
            w.label: brackets.hold(
                hall, replace(w, metered=False), biased, "first place", folder / "biased"
            )
            for w in ways
            if w.label in (FULL, SHARED, THIRDS)
        }
        selfish = by_themselves(hall, own, fair, folder / "themselves")
        page.write("setting", exams.about(hall))
        page.write("exam_cost", values(students, sat, placed, selfish, truths(hall, rankings)))


def examined(where: Place) -> dict[str, Arm]:
    """All arms of the other studies that train in steps."""
    found = {**arms.SAMPLERS, **arms.slips(), **arms.taught_by(where)}
    distinct = {where.folder(arm, 0): (label, arm) for label, arm in reversed(found.items())}
    return dict(reversed(list(distinct.values())))


def scores_of(where: Place, arm: Arm, seed: int) -> tuple[Grid, Grid]:
    """[P, N] cosines of a run's student before and after training."""
    (found,) = where.read(arm, [seed])
    before, after = (found.seen[n] for n in (0, found.stops[-1].best))
    return cosines(found.texts, before).numpy(), cosines(found.texts, after).numpy()


def marked(where: Place, tested: Mapping[str, Arm]) -> tuple[Students, list[list[Grid]], Grid]:
    """The students; their scores, by arm and seed; and the scores before training."""
    import torch

    both = [[scores_of(where, arm, seed) for seed in SEEDS] for arm in tested.values()]
    own = [[after for _, after in row] for row in both]
    ranks = [[kit.percentile_ranks(torch.from_numpy(one)).numpy() for one in row] for row in own]
    return Students(tuple(tested), np.array(ranks)), own, both[0][0][0]


def by_attributes(run: Path, hall: Hall) -> Grid:
    """[P, N] by a ranker that learned from the answers of this run, without pictures."""
    data, files = hall.data, sorted((run / "rounds").glob("*/judgments.jsonl"))
    ranker = Attributes(files, data.people.train, data.items.train)
    return ranker.scores(*hall.sitting())


def all_ways(rankings: Mapping[str, Grid], items: int) -> list[Way]:
    """Every way to hold the exam that does not depend on the student under test."""
    first = -(-items // brackets.GROUP)
    alone = items % brackets.GROUP == 1  # a bye is no question
    groups = first - alone
    return [
        Way(FULL, brackets.full(), BRACKETS),
        Way("pairs, own brackets", brackets.full(2), FEWER),
        Way(SHARED, brackets.shared(1), BRACKETS, groups=groups),
        Way(THIRDS, brackets.shared(3), BRACKETS, groups=groups),
        *(
            Way(narrowed(name, size), brackets.narrow(scores, *size), BRACKETS)
            for name, scores in rankings.items()
            for size in SIZES
        ),
    ]


def narrowed(name: str, size: tuple[int, int]) -> str:
    return f"{name}: {size[0]} + {size[1]}"


def by_themselves(
    hall: Hall, own: Sequence[Sequence[Grid]], judge: Teacher, folder: Path
) -> dict[str, list[list[Sat]]]:
    """Narrowed by each student itself, which nobody should do: one bracket."""
    return {
        narrowed("the student itself", size): [
            [
                brackets.hold(
                    hall,
                    Way(f"{size[0]} {arm} {seed}", brackets.narrow(scores, *size), 1, False),
                    judge,
                    "true tastes",
                    folder,
                )
                for seed, scores in enumerate(row)
            ]
            for arm, row in enumerate(own)
        ]
        for size in SIZES[:1]
    }


def truths(hall: Hall, rankings: Mapping[str, Grid]) -> dict[str, tuple[float, list[float]]]:
    """Of each ranking: its correlation with the noise-free utilities, mean over personas; and of
    how many personas, in percent, a best item is among those that it keeps, without the lot."""
    people, items = hall.sitting()
    judge = exams.judge({"use": "simulated"})
    known = np.array([list(judge.utilities(persona, items) or ()) for persona in people])
    found = {}
    for name, scores in rankings.items():
        alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(scores, known, strict=True)]
        order = np.argsort(-scores, axis=1, kind="stable")
        kept = [
            100 * float(np.mean(np.take_along_axis(known, order[:, :n], 1).max(1) == known.max(1)))
            for n, _ in SIZES
        ]
        found[name] = (float(np.mean(alike)), kept)
    return found


# --- findings ---------------------------------------------------------------------------------


def values(
    students: Students,
    sat: Mapping[str, Sat],
    placed: Mapping[str, Sat],
    selfish: Mapping[str, list[list[Sat]]],
    known: Mapping[str, tuple[float, list[float]]],
) -> dict[str, object]:
    """What the template asks for."""
    grids = {label: students.values(one.winners) for label, one in sat.items()}
    full = grids[FULL]
    rows = {label: row(grid, full, label == FULL) for label, grid in grids.items()}
    lines = [line(label, sat[label], sat[FULL], rows[label], rows[FULL]) for label in sat]
    for label, found in selfish.items():
        grid = themselves(students, found)
        asked = float(np.mean([one.questions for row_ in found for one in row_]))
        lines.append(
            line(label, Sat(found[0][0].winners, asked), sat[FULL], row(grid, full), rows[FULL])
        )
    ties = {
        judge: {label: alike(students.values(one.winners)) for label, one in held.items()}
        for judge, held in (("true tastes", {k: sat[k] for k in placed}), ("first place", placed))
    }
    narrow = [label for label in sat if ":" in label]
    personas = students.percentiles.shape[2]
    return {
        "arms": len(students.labels),
        "students": len(students.labels) * len(SEEDS),
        "seeds": len(SEEDS),
        "personas": personas,
        "items": students.percentiles.shape[3],
        "questions": f"{sat[FULL].questions:,.0f}",
        "brackets": BRACKETS,
        "fewer": FEWER,
        "sides": f"{SIDES[0]} x {SIDES[1]}",
        "margin": f"{MARGIN:g}",
        "pairs": len(list(combinations(students.labels, 2))),
        "ways": page.table(
            ["way", "questions, %", *(f"tokens, {name}" for name in PROTOCOLS), "MPR", "shift",
             "interval's width", "order, tau", "pairs told apart", "MPR and interval"],
            lines,
        ),
        "met": met(sat),
        "unchanged": unchanged(rows, sat),
        "ties": page.table(
            ["judge", "way", "correlation of two personas", "true error / stated error"],
            [
                [judge, label, page.show(one.correlation, "+", 3), f"{one.honest:.2f}"]
                for judge, held in ties.items() for label, one in held.items()
            ],
        ),
        "tied": tied(ties),
        "rankings": page.table(
            ["ranking", "correlation with utilities",
             *(f"best item among the first {first}, %" for first, _ in SIZES)],
            [[k, f"{r:.2f}", *(f"{v:.0f}" for v in kept)] for k, (r, kept) in known.items()],
        ),
        "audited": AUDITED,
        "audit_cost": f"{100 * AUDITED / personas:.0f}",
        "audits": page.table(
            ["narrowed by", "true shift", "audit's interval is wide", "holds the true shift, %",
             "excludes no shift, %"],
            [
                [label, moved(rows[label]), f"{found.width:.1f}",
                 f"{found.covers:.0f}", f"{found.warns:.0f}"]
                for label in narrow for found in [audit(grids[label], full)]
            ],
        ),
    }  # fmt: skip


def line(label: str, one: Sat, full: Sat, found: Row, reference: Row) -> list[str]:
    """A row of the first table."""
    tokens = [
        f"{one.tokens[k]['priced'] / full.tokens[k]['priced']:.2f}" if one.tokens else ""
        for k in PROTOCOLS
    ]
    numbers = [f"{found.width:.1f}", f"{found.tau:.2f}", f"{found.told:.1f}"]
    asked = f"{100 * one.questions / full.questions:.0f}"
    return [
        label,
        asked,
        *tokens,
        f"{found.mpr:.1f}",
        moved(found),
        *numbers,
        verdict(found, reference),
    ]


def moved(found: Row) -> str:
    return "" if found.shift is None else page.show(found.shift, "+", 2)


def met(sat: Mapping[str, Sat]) -> str:
    """Which shared exams take at most 0.55 of the tokens."""
    said = []
    for label in (SHARED, THIRDS):
        shares = {
            k: sat[label].tokens[k]["priced"] / sat[FULL].tokens[k]["priced"] for k in PROTOCOLS
        }
        few = [k for k, share in shares.items() if share <= 0.55]
        most = (
            f"at most {max(shares.values()):.2f}" if len(few) == len(shares) else "above it with "
        )
        rest = page.listed([k for k in shares if k not in few])
        said.append(f"*{label}*: {most}{rest}")
    return "; ".join(said)


def unchanged(rows: Mapping[str, Row], sat: Mapping[str, Sat]) -> str:
    """The ways that keep MPR and interval, the cheapest first."""
    kept = [k for k, found in rows.items() if verdict(found, rows[FULL]) == "unchanged"]
    if not kept:
        return "MPR and its interval are unchanged in no other way"

    def cost(label: str) -> float:
        shares = [sat[label].tokens[k]["priced"] / sat[FULL].tokens[k]["priced"] for k in PROTOCOLS]
        return float(np.mean(shares))

    said = [f"*{label}* ({cost(label):.2f})" for label in sorted(kept, key=cost)]
    return f"MPR and its interval are unchanged with {page.listed(said)}"


def tied(ties: Mapping[str, Mapping[str, exam_grids.Alike]]) -> str:
    """Where a correlation between personas is resolved."""
    told = [
        f"*{label}* under `{judge}`"
        for judge, held in ties.items()
        for label, one in held.items()
        if one.correlation.low > 0
    ]
    most = max(one.honest for held in ties.values() for one in held.values())
    if not told:
        return f"no correlation is resolved; the largest ratio is {most:.2f}"
    return f"a correlation is resolved for {page.listed(told)}; the largest ratio is {most:.2f}"


if __name__ == "__main__":
    main()

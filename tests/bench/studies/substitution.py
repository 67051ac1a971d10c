"""docs/results.md, third study: what a student keeps when its teacher is replaced.

    python tests/bench/studies/substitution.py CATALOG.csv PERSONAS.jsonl --out FOLDER [--jobs N]

Simulated teachers with other noise, position bias and tastes; each also judges, and so does the
truth: the noise-free utilities of the first one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import arms
import exams
import numpy as np
import numpy.typing as npt
import page
from cells import SEEDS, place
from exams import Hall

from pvd import Slate, Teacher, crossed
from pvd.asking import opened
from pvd.auditing import agreement
from pvd.comparing import marking
from pvd.comparing.marking import Sheet
from pvd.exam import Paper
from pvd.records import Estimate, Judgment
from pvd.streams import derive, stream

Grid = npt.NDArray[np.float64]
SLATES, SIZE, ORDERS = 8, 5, 3  # slates a persona; items; orders in which each is shown
TRUTH = "the truth"
OWN = (  # what an interval above zero says, and one that covers it
    "judges mark the students that they taught better than they mark others",
    "no own-judge advantage is resolved",
)
INFLATION = (
    "judged by its own teacher, a student seems to gain more than it truly does",
    "no such difference is resolved",
)
RESAMPLES = 2000
UNLEARNABLE, LEARNABLE = "half another's tastes", "likes dark and plain"  # about as far from true


@dataclass(frozen=True)
class Agreed:
    """How much two teachers agree: Kendall's tau of rankings and of noise-free utilities."""

    rankings: Estimate
    utilities: float


def main() -> None:
    where = place(__doc__)
    taught = arms.taught_by(where)
    where.run(list(taught.values()))
    tables = arms.teachers(where)
    with exams.hall(where) as hall:
        judges = {k: exams.judge(table, arms.files_of(table)) for k, table in tables.items()}
        papers = {k: hall.paper(judge, seed_of(k)) for k, judge in judges.items()}
        agreed = agreements(hall, judges)
        deviation = spread(papers["true tastes"])
        rows = [where.read(arm) for arm in taught.values()]
        sheets = [
            marking.mark(paper, rows, hall.evaluators("mpr"), hall.seed)
            for paper in papers.values()
        ]
        page.write("setting", exams.about(hall))
    found = values(dict(zip(tables, sheets, strict=True)), agreed)
    page.write("substitution", {**found, "deviation": f"{deviation:.1f}"})


def spread(paper: Paper) -> float:
    """The standard deviation of a persona's true utilities over the items, mean over personas."""
    assert paper.utilities is not None
    return float(paper.utilities.std(1).mean())


def seed_of(label: str) -> int:
    """Of a judge's noise: its own, so that two judges do not err alike."""
    return derive(0, "judge", label) % 2**32


# --- agreement --------------------------------------------------------------------------------


def agreements(hall: Hall, judges: Mapping[str, Teacher]) -> dict[frozenset[str], Agreed]:
    """Of each pair of teachers, and of each with itself, on uniform slates of the exam."""
    people, items = hall.sitting()
    shown = [
        (number, drawn(persona, items, slate))
        for number, persona in enumerate(people)
        for slate in range(SLATES)
    ]
    clusters = np.array([number for number, _ in shown])
    ranks, known = {}, {}
    for label, judge in judges.items():
        with opened(judge, derive(seed_of(label), "agreement")) as ready:
            ranks[label] = ranked(hall, ready, [orders for _, orders in shown])
            known[label] = np.array([list(ready.utilities(p, items) or ()) for p in people])
    over = f"{len(shown)} slates of {len(people)} personas"
    found = {}
    for a, b in [*combinations(judges, 2), *((one, one) for one in judges)]:
        alike = agreement.within(ranks[a]) if a == b else agreement.between(ranks[a], ranks[b])
        tau = agreement.mean_tau(alike.tau, clusters, SIZE, over)
        assert tau is not None
        found[frozenset((a, b))] = Agreed(tau, tau_of(known[a], known[b]))
    return found


def drawn(persona: Any, items: Sequence[Any], number: int) -> list[Slate]:
    """One slate in several orders."""
    lot = stream("agreement", persona.id, number)
    some = lot.sample(list(items), SIZE)
    return [Slate(persona, tuple(lot.sample(some, SIZE)), 0) for _ in range(ORDERS)]


def ranked(hall: Hall, teacher: Teacher, shown: Sequence[Sequence[Slate]]) -> Grid:
    """[slates, orders, K], the rank of each item, items in the order of the first slate."""
    flat = [slate for orders in shown for slate in orders]
    answers = hall.desk.judgments(teacher, len(flat), lambda n, attempt: flat[n])
    rows = [row(answer, shown[n // ORDERS][0]) for n, answer in enumerate(answers)]
    return np.array(rows).reshape(len(shown), ORDERS, SIZE)


def row(judgment: Judgment | None, first: Slate) -> list[float]:
    assert judgment is not None, "simulated teachers answer"
    ranks = judgment.ranking.ranks(SIZE)
    place_of = {item.id: rank for item, rank in zip(judgment.slate.items, ranks, strict=True)}
    return [float("nan") if (r := place_of[item.id]) is None else float(r) for item in first.items]


def tau_of(a: Grid, b: Grid) -> float:
    """Kendall's tau-b of two teachers' utilities [P, N], mean over personas."""
    from scipy.stats import kendalltau

    return float(np.mean([kendalltau(x, y).statistic for x, y in zip(a, b, strict=True)]))


# --- findings ---------------------------------------------------------------------------------


def values(
    sheets: Mapping[str, Sheet], agreed: Mapping[frozenset[str], Agreed]
) -> dict[str, object]:
    """What the template asks for."""
    labels = list(sheets)
    gains = gained(sheets)
    columns = [TRUTH, *labels]
    carried = {(a, b): crossed.ratio(gains[a, b], gains[b, b]) for a, b in permutations(labels, 2)}
    true = {a: crossed.ratio(gains[a, TRUTH], gains[labels[0], TRUTH]) for a in labels[1:]}
    rho = correlation(gains, agreed, labels)
    own = np.mean([gains[a, a] for a in labels], axis=0)
    others = np.mean([gains[a, b] for a, b in permutations(labels, 2)], axis=0)
    truly = np.mean([gains[a, TRUTH] for a in labels], axis=0)
    advantage, inflated = (crossed.analyse(own - rest).interval() for rest in (others, truly))
    told = {a: crossed.analyse(gains[a, a] - gains[a, TRUTH]).interval() for a in labels}
    personas = {len(sheet.personas) for sheet in sheets.values()}
    return {
        "seeds": len(SEEDS),
        "personas": page.listed([str(n) for n in sorted(personas)]),
        "slates": SLATES,
        "orders": ORDERS,
        "teachers": page.table(
            ["teacher", "agrees with itself", "with the first, rankings", "utilities"],
            [
                [
                    a,
                    page.show(agreed[frozenset((a,))].rankings, digits=2),
                    page.show(agreed[frozenset((a, labels[0]))].rankings, digits=2),
                    f"{agreed[frozenset((a, labels[0]))].utilities:.2f}",
                ]
                for a in labels
            ],
        ),
        "matrix": page.table(
            ["taught by", *columns],
            [[a, *(interval(gains[a, c]) for c in columns)] for a in labels],
        ),
        "pairs": page.table(
            [
                "A", "B", "tau, rankings", "tau, utilities",
                "taught by A instead of B, judged by B", "taught by B instead of A, judged by A",
            ],
            [
                [
                    a, b,
                    page.show(agreed[frozenset((a, b))].rankings, digits=2),
                    f"{agreed[frozenset((a, b))].utilities:.2f}",
                    page.ratio(carried[a, b]),
                    page.ratio(carried[b, a]),
                ]
                for a, b in combinations(labels, 2)
            ],
        ),
        "true": page.table(
            ["taught by", "tau with the first, rankings", "utilities", "carried gain, true MPR"],
            [
                [
                    a,
                    page.show(agreed[frozenset((a, labels[0]))].rankings, digits=2),
                    f"{agreed[frozenset((a, labels[0]))].utilities:.2f}",
                    page.ratio(true[a]),
                ]
                for a in labels[1:]
            ],
        ),
        "rho": page.show(rho["rankings"], "+", 2),
        "rho_utilities": page.show(rho["utilities"], "+", 2),
        "trend": trend(rho),
        "own": page.show(advantage, "+"),
        "own_words": words(advantage, *OWN),
        "inflation": page.show(inflated, "+"),
        "inflation_words": words(inflated, *INFLATION),
        "inflated": named([a for a, one in told.items() if one.low > 0]),
        "deflated": named([a for a, one in told.items() if one.high < 0]),
        "unlearnable": interval(gains[UNLEARNABLE, TRUTH] - gains[LEARNABLE, TRUTH]),
        "which": words(
            crossed.analyse(gains[UNLEARNABLE, TRUTH] - gains[LEARNABLE, TRUTH]).interval(),
            "what can be learned costs more than what cannot",
            "which of the two costs more is not resolved",
        ),
        "each": page.table(
            ["judge", "own students, by it - by the truth", "own students - others', by it"],
            [
                [
                    a,
                    interval(gains[a, a] - gains[a, TRUTH]),
                    interval(gains[a, a] - np.mean([gains[b, a] for b in labels if b != a], 0)),
                ]
                for a in labels
            ],
        ),
    }  # fmt: skip


def interval(grid: Grid) -> str:
    return page.show(crossed.analyse(grid).interval(), "+")


def named(labels: Sequence[str]) -> str:
    """`a` and `b`; or nobody."""
    return page.listed([f"`{label}`" for label in labels]) or "none"


def words(found: Estimate, above: str, otherwise: str) -> str:
    """What an interval says: `above` zero, below it, or neither."""
    if found.low > 0:
        return above
    return "the reverse is the case" if found.high < 0 else otherwise


def gained(sheets: Mapping[str, Sheet]) -> dict[tuple[str, str], Grid]:
    """By teacher and judge, [S, P] points over the untrained student: of MPR by the judge's
    winners, of true MPR for the truth, which is that of the first judge's utilities."""
    first = next(iter(sheets.values()))
    found = {}
    for number, teacher in enumerate(sheets):
        found[teacher, TRUTH] = first.gain([number], "mpr_true")
        for judge, sheet in sheets.items():
            found[teacher, judge] = sheet.gain([number], "mpr")
    return found


def correlation(
    gains: Mapping[tuple[str, str], Grid],
    agreed: Mapping[frozenset[str], Agreed],
    labels: Sequence[str],
    resamples: int = RESAMPLES,
) -> dict[str, Estimate]:
    """Spearman's rank correlation, over the ordered pairs of teachers, of their agreement and the
    carried gain. Its interval is from resampling seeds and personas; the teachers stay."""
    from scipy.stats import rankdata

    pairs = list(permutations(labels, 2))
    stack = {key: grid for key, grid in gains.items() if key[1] in labels}
    seeds, personas = next(iter(stack.values())).shape
    rng = np.random.default_rng(0)
    draws: list[tuple[Any, Any]] = [
        (np.arange(seeds), np.arange(personas)),
        *(
            (rng.integers(seeds, size=seeds), rng.integers(personas, size=personas))
            for _ in range(resamples)
        ),
    ]
    ratios = []
    for s, p in draws:
        means = {key: grid[np.ix_(s, p)].mean() for key, grid in stack.items()}
        ratios.append([means[a, b] / means[b, b] for a, b in pairs])
    ranked = rankdata(ratios, axis=1)
    found = {}
    for name in ("rankings", "utilities"):
        taus = [agreed[frozenset(pair)] for pair in pairs]
        x = rankdata([t.rankings.value if name == "rankings" else t.utilities for t in taus])
        rho = np.array([np.corrcoef(x, row)[0, 1] for row in ranked])
        low, high = np.quantile(rho[1:], (0.025, 0.975))
        over = f"{seeds} seeds x {personas} personas, these {len(labels)} teachers"
        found[name] = Estimate(float(rho[0]), float(low), float(high), over)
    return found


def trend(rho: Mapping[str, Estimate]) -> str:
    """Which agreement goes along with what is carried."""
    told = [name for name, found in rho.items() if found.low > 0]
    if len(told) == 2:
        larger = max(rho, key=lambda name: rho[name].value)
        return f"what is carried grows with both, more clearly with that of {larger}"
    if told:
        return f"what is carried grows with that of {told[0]}; with the other it is not resolved"
    return "no such trend is resolved"


if __name__ == "__main__":
    main()

"""docs/results.md, second study: what slips of the paper's published code cost.

    python tests/bench/studies/slips.py CATALOG.csv PERSONAS.jsonl --out FOLDER [--jobs N]

The slips are files of `-p` beside this one, and settings; nothing of them is in the product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import arms
import exams
import page
from cells import SEEDS, TRAINING, Arm, Place, place

from pvd import crossed, estimates
from pvd.comparing import marking
from pvd.comparing.marking import Mark
from pvd.folder import read_json

METRICS = {"mpr_true": "true MPR", "mpr": "MPR"}
Tuned = Mapping[float, float]  # by learning rate, the validation of the round that a run chose
Tunings = Mapping[Callable[[float], Arm], Tuned]


def main() -> None:
    where = place(__doc__)
    tuned: Tunings = {make: tune(where, make) for make in (arms.one_step, arms.all_slips)}
    found = {**arms.slips(), **{arm.label: arm for arm in one_step_arms(tuned)}}
    where.run(list(found.values()))
    with exams.hall(where) as hall:
        paper = hall.paper(exams.judge({"use": "simulated"}))
        rows = [where.read(arm) for arm in found.values()]
        sheet = marking.mark(paper, rows, hall.evaluators("mpr"), hall.seed)
        page.write("setting", exams.about(hall))
    page.write("slips", values(dict(zip(found, sheet.marks, strict=True)), tuned))


def tune(where: Place, make: Callable[[float], Arm]) -> Tuned:
    """By validation alone, on a seed that is not used again."""
    where.run([make(rate) for rate in arms.RATES], [arms.TUNING_SEED])
    return {rate: validation(where, make(rate), arms.TUNING_SEED) for rate in arms.RATES}


def validation(where: Place, arm: Arm, seed: int) -> float:
    """Pairs ordered like the teacher, %, of the round that this run chose."""
    metrics = read_json(where.folder(arm, seed) / "metrics.json")
    return float(metrics["rounds"][metrics["best_round"]]["validation"]["value"])


def best(tuned: Tuned) -> float:
    """The rate to take."""
    return max(tuned, key=lambda rate: tuned[rate])


def one_step_arms(tuned: Tunings) -> list[Arm]:
    """One step at the baseline's rate and at its best one; all slips together at theirs."""
    rates = dict.fromkeys((TRAINING["learning_rate"], best(tuned[arms.one_step])))
    return [*map(arms.one_step, rates), arms.all_slips(best(tuned[arms.all_slips]))]


def values(marks: Mapping[str, Mark], tuned: Tunings) -> dict[str, object]:
    """What the template asks for."""
    pairs = questions(list(marks))
    found = {
        metric: crossed.compare(
            [grid(marks[b], metric) - grid(marks[a], metric) for b, a in pairs], 1, 0
        )
        for metric in METRICS
    }
    start = marks["baseline"].fixed["zero-shot"]
    unlike = ["zero-shot", *(page.show(estimates.mean(start[m].tolist(), 0, "")) for m in METRICS)]
    names = ("one step a round", "all slips")
    return {
        "seeds": len(SEEDS),
        "training": f"{TRAINING['rounds']} rounds of {TRAINING['slates']} slates and "
        f"{TRAINING['steps']} steps of {TRAINING['batch']}",
        "rate": f"{TRAINING['learning_rate']:g}",
        "bias": f"{arms.FIRST_PLACE['position_bias']:g}",
        "tuning": page.table(
            ["validation, %", *(f"{rate:g}" for rate in arms.RATES), "taken"],
            [
                [name, *(f"{value:.1f}" for value in rates.values()), f"{best(rates):g}"]
                for name, rates in zip(names, tuned.values(), strict=True)
            ],
        ),
        "systems": page.table(
            ["taught with", *METRICS.values()],
            [
                unlike,
                *(
                    [a, *(page.show(crossed.analyse(grid(m, n)).interval()) for n in METRICS)]
                    for a, m in marks.items()
                ),
            ],
        ),
        "pairs": page.table(
            ["difference", *METRICS.values()],
            [
                [f"{b} - {a}", *(page.compared(found[metric][n]) for metric in METRICS)]
                for n, (b, a) in enumerate(pairs)
            ],
        ),
        "family": len(pairs),
        "bold": page.bold([one for metric in METRICS for one in found[metric]]),
        "verdicts": "\n".join(
            f"- {page.verdict(found['mpr_true'][n], b.capitalize(), a)}"
            for n, (b, a) in enumerate(pairs)
        ),
    }


def questions(labels: Sequence[str]) -> list[tuple[str, str]]:
    """What is held against what."""
    norm, plain = "normalised across the slate", "cosines, scale 1"
    first = [(norm, "baseline"), (plain, "baseline"), (norm, plain), ("bin order", "baseline")]
    steps = [(label, "baseline") for label in labels if "rate" in label]
    return [*first, ("biased teacher, bin order", "biased teacher"), *steps]


def grid(mark: Mark, metric: str) -> Any:
    """[S, P]"""
    return mark.trained["distilled"][metric]


if __name__ == "__main__":
    main()

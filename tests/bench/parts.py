"""`student.part=last-2` against `all` on photographs: what the student learns, and what it costs.

    python tests/bench/parts.py CATALOG.csv PERSONAS.jsonl --out FOLDER

Pretrains a small CLIP (parts_pretrain.py), chooses each part's learning rate by validation on a
seed that is not used again, runs both parts with five seeds, and prints tables in Markdown. Split
and exam are the same in all runs; a seed varies what is drawn, how training goes, and the teacher's
noise. A run that is done is not repeated, so that this goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isinf
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

import pvd
from pvd import catalog, crossed, estimates
from pvd.folder import read_json, write_json
from pvd.progress import Silent
from pvd.records import Estimate
from pvd.settings import recipe, resolve

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "studies"))
from page import show, table
from parts_pretrain import pretrain, recognised

PARTS = ("all", "last-2")
RATES = {  # three for each, and then the next one beyond the best, which lay at the edge
    "all": (1e-4, 3e-4, 1e-3, 3e-3),
    "last-2": (3e-4, 1e-3, 3e-3, 1e-2),
}
TUNING_SEED = 100
SEEDS = (0, 1, 2, 3, 4)
# As patient as there are rounds: each part takes all of its steps; the best round is examined.
TRAIN = {"rounds": 5, "slates": 400, "steps": 40, "batch": 16, "patience": 5}
TRAIN |= {"validation_slates": 1000}
TEACHING = ("drawing", "asking")  # the same for both parts, and no cost of the student
METRICS = {"mpr_true": "true MPR", "mpr": "MPR", "hit@20": "hit@20"}


@dataclass(frozen=True)
class Study:
    """The data, and where everything is kept."""

    tables: Mapping[str, Any]
    out: Path

    @property
    def model(self) -> Path:
        """The folder of the pretrained model."""
        return self.out / "model"

    def pretrained(self) -> str:
        """Make the model if it is not there; a table of what it sees in the validation part."""
        settings = resolve(recipe("default"), self.tables)
        data = catalog.divide(
            catalog.read(settings.catalog),
            catalog.read_personas(settings.personas),
            settings.split,
            settings.stream("split"),
        )
        if not self.model.exists():
            pretrain(data.items.train, data.items.validation, self.model)
        found = recognised(self.model, data.items.validation)
        return table(
            ["attribute", "recognised, %", "the most frequent value, %"],
            [[name, f"{right:.0f}", f"{most:.0f}"] for name, (right, most) in found.items()],
        )

    def run(self, part: str, rate: float, seed: int) -> Done:
        """One run, if it is not done yet."""
        folder = self.out / part / f"{rate:g}" / str(seed)
        costs = folder.with_suffix(".cpu.json")
        if not costs.exists():
            clock = Clock()
            pvd.run(
                **self.tables,
                out=folder,
                fresh=True,
                progress=clock,
                student={"use": "clip", "model": str(self.model), "part": part},
                streams={"draw": seed, "train": seed, "teacher": seed},
                train={**TRAIN, "learning_rate": rate},
                store=str(self.out / "answers.sqlite"),
                prepared_gb=0,  # in memory: every run prepares its pictures, and pays for it
            )
            write_json(costs, clock.costs())
        metrics, values = (read_json(folder / n) for n in ("metrics.json", "exam/values.json"))
        done = Done(metrics, values["systems"], read_json(costs))
        best = max(done.validation)
        print(f"{part}, rate {rate:g}, seed {seed}: {best:.1f} %", file=sys.stderr, flush=True)
        return done


class Clock(Silent):
    """Takes the processor's seconds of each stage, all threads together."""

    def __init__(self) -> None:
        super().__init__()
        self._stages: list[tuple[str, float, float]] = []

    @contextmanager
    def stage(
        self, name: str, total: int | None = None, unit: str = "", where: str = ""
    ) -> Iterator[None]:
        begin = time.process_time()
        with super().stage(name, total, unit, where):
            yield
        self._stages.append((name, begin, time.process_time()))

    def costs(self) -> dict[str, Any]:
        """Seconds of the whole run, and of each round all but drawing and asking."""

        def spent(*names: str, since: float = 0.0, until: float = inf) -> float:
            return sum(
                end - begin
                for name, begin, end in self._stages
                if name in names and since <= begin and end <= until
            )

        ends = [end for name, _, end in self._stages if name == "validation"]
        return {
            "preparing": spent("preparing pictures", "embedding"),
            "training": spent("training"),
            "rounds": [
                end - begin - spent(*TEACHING, since=begin, until=end)
                for begin, end in pairwise(ends)
            ],
        }


@dataclass(frozen=True)
class Done:
    """What one run found and cost."""

    metrics: Mapping[str, Any]
    systems: Mapping[str, Mapping[str, Sequence[float]]]  # system, metric, persona by persona
    costs: Mapping[str, Any]

    @property
    def validation(self) -> list[float]:
        """After each round, the untrained student first."""
        return [result["validation"]["value"] for result in self.metrics["rounds"]]

    @property
    def spent(self) -> list[float]:
        """Seconds until the end of each round, the preparation included."""
        begun = self.costs["preparing"]
        return [begun, *(begun + float(s) for s in np.cumsum(self.costs["rounds"]))]

    def until(self, target: float) -> float:
        """Seconds until validation first reaches the target; infinity if it never does."""
        return next(
            (s for s, v in zip(self.spent, self.validation, strict=True) if v >= target), inf
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("personas", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/parts"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    sources = {"catalog": given.catalog, "personas": given.personas}
    study = Study(
        {name: {"use": "table", "path": str(path)} for name, path in sources.items()}, given.out
    )
    seen = study.pretrained()
    tuning = {
        part: {rate: max(study.run(part, rate, TUNING_SEED).validation) for rate in RATES[part]}
        for part in PARTS
    }
    rates = {part: max(found, key=lambda rate: found[rate]) for part, found in tuning.items()}
    # Seed by seed, so that whatever else the machine does falls upon both parts.
    pairs = [{part: study.run(part, rates[part], seed) for part in PARTS} for seed in SEEDS]
    runs = {part: [pair[part] for pair in pairs] for part in PARTS}
    tables = (seen, chosen(tuning, rates), quality(runs), progress(runs), costs(runs))
    print(*tables, sep="\n\n")


def chosen(tuning: Mapping[str, Mapping[float, float]], rates: Mapping[str, float]) -> str:
    """Validation by learning rate, and the one taken."""
    tried = sorted({rate for found in tuning.values() for rate in found})
    rows = [
        [
            f"`{part}`",
            *(f"{found[rate]:.1f}" if rate in found else "" for rate in tried),
            f"{rates[part]:g}",
        ]
        for part, found in tuning.items()
    ]
    return table(["part", *(f"{rate:g}" for rate in tried), "taken"], rows)


def two_way(grid: np.ndarray) -> Estimate:
    """The mean of [seeds, personas], for other seeds and personas."""
    return crossed.analyse(grid).interval()


def quality(runs: Mapping[str, Sequence[Done]]) -> str:
    """The exam, and what was forgotten."""

    def grid(part: str, metric: str) -> np.ndarray:
        return np.array([run.systems["distilled"][metric] for run in runs[part]])

    untrained = runs["all"][0].systems["zero-shot"]
    rows = [
        [
            "zero-shot",
            *(show(estimates.mean(untrained[name], 0, "personas")) for name in METRICS),
            "",
            "",
        ],
        *(
            [
                f"`{p}`",
                *(show(two_way(grid(p, name))) for name in METRICS),
                *lost(runs[p]),
            ]
            for p in PARTS
        ),
        [
            "`last-2` - `all`",
            *(show(two_way(grid("last-2", n) - grid("all", n)), "+") for n in METRICS),
            "",
            "",
        ],
    ]
    return table(["system", *METRICS.values(), "plain queries", "drift"], rows)


def lost(runs: Sequence[Done]) -> list[str]:
    """Change of the percentile at which plain queries find their items, and drift."""
    found = [run.metrics["forgetting"] for run in runs]
    change = [guard["queries"]["change"]["value"] for guard in found]
    return [over(change, "+.1f"), over([guard["drift"]["value"] for guard in found], ".2f")]


def progress(runs: Mapping[str, Sequence[Done]]) -> str:
    """Validation after each round, and the seconds until then; means over the seeds."""

    def column(part: str, values: Callable[[Done], Sequence[float]], form: str) -> list[str]:
        return [format(x, form) for x in np.mean([values(run) for run in runs[part]], axis=0)]

    cells = [
        [f"`{part}`, {name}", *column(part, values, form)]
        for part in PARTS
        for name, values, form in (
            ("validation, %", lambda run: run.validation, ".1f"),
            ("seconds", lambda run: run.spent, ".0f"),
        )
    ]
    return table(["after round", *map(str, range(TRAIN["rounds"] + 1))], cells)


def costs(runs: Mapping[str, Sequence[Done]]) -> str:
    """Seconds of the processor by what they were spent on, and until both are equally good."""
    target = min(
        max(np.mean([run.validation for run in runs[part]], axis=0).tolist()) for part in PARTS
    )
    kinds: dict[str, Callable[[Done], float]] = {
        "preparing all pictures and embedding them, once": lambda run: run.costs["preparing"],
        "training, all rounds": lambda run: run.costs["training"],
        "embedding after each round, and the rest": (
            lambda run: sum(run.costs["rounds"]) - run.costs["training"]
        ),
        "all of these": lambda run: run.spent[-1],
        f"until validation first reaches {target:.1f} %": lambda run: run.until(target),
    }
    return table(
        ["seconds of one core", *(f"`{part}`" for part in PARTS), "times"],
        [
            [kind, *(over(found[part], ".0f") for part in PARTS), times(found)]
            for kind, value in kinds.items()
            for found in [{part: [value(run) for run in runs[part]] for part in PARTS}]
        ],
    )


def times(found: Mapping[str, Sequence[float]]) -> str:
    """How many times longer `all` takes, in the median."""
    whole, last = (median(found[part]) for part in PARTS)
    return "" if isinf(whole) or isinf(last) else f"{whole / last:.1f}"


def over(values: Sequence[float], form: str) -> str:
    """Median and range over the seeds; infinity is what never happened."""
    middle, low, high = (
        "never" if isinf(x) else format(x, form) for x in (median(values), min(values), max(values))
    )
    missed = sum(map(isinf, values))
    return f"{middle} ({low} to {high})" + f", never in {missed} of {len(values)}" * bool(missed)


if __name__ == "__main__":
    main()

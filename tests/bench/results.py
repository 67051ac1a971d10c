"""docs/results.md: what samplers are worth on photographs, over seeds and personas.

    .venv/bin/python tests/bench/results.py CATALOG.csv PERSONAS.jsonl [--jobs 2] [--out FOLDER]

Every cell is a run of `pvd run` in a folder of its own, so that this goes on where it was stopped.
Split and exam are the same in all of them; a seed varies what is drawn, how training goes, and the
teacher's noise. Each arm's learning rate is chosen by validation alone, on a seed that is not used
again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from string import Template
from typing import Any

import numpy as np

from pvd import estimates
from pvd.folder import read_json, read_lines
from pvd.records import Estimate

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "results.md"
OTHERS = "\n## The last two blocks"  # from here on it is about parts.py, and stays as it is
ARMS = {
    "uniform": ("sampler.use=uniform",),
    "four-bin, range, uniform": ("sampler.by=range", "sampler.fallback=uniform"),  # the paper's
    "four-bin, range, nearest": ("sampler.by=range", "sampler.fallback=nearest"),
    "four-bin, quantile": ("sampler.by=quantile", "sampler.fallback=uniform"),
}
# By quantile no bin is ever short of items, so that the fallback should change nothing: checked.
TWINS = "four-bin, quantile"
TWIN = ("sampler.by=quantile", "sampler.fallback=nearest")
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
TUNING_SEEDS = (100, 101)
SEEDS = (0, 1, 2, 3, 4, 5)
METRICS = {"mpr_true": "true MPR", "mpr": "MPR", "hit@20": "hit@20"}


@dataclass(frozen=True)
class Cell:
    """One run: an arm, its learning rate, a seed."""

    arm: str
    rate: float
    seed: int
    options: tuple[str, ...]

    def folder(self, out: Path) -> Path:
        """Where its run lies."""
        return out / self.arm.replace(", ", "-") / f"{self.rate:g}" / str(self.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("personas", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/results"))
    given = parser.parse_args()

    def run(cells: Sequence[Cell]) -> None:
        with ThreadPoolExecutor(given.jobs) as pool:
            for cell in pool.map(
                lambda c: once(c, given.catalog, given.personas, given.out), cells
            ):
                print("done:", cell, flush=True)

    def cells(arm: str, rate: float, seeds: Sequence[int]) -> list[Cell]:
        return [Cell(arm, rate, seed, ARMS[arm]) for seed in seeds]

    run([cell for rate in RATES for arm in ARMS for cell in cells(arm, rate, TUNING_SEEDS)])
    tuned = {
        arm: {rate: validation(cells(arm, rate, TUNING_SEEDS), given.out) for rate in RATES}
        for arm in ARMS
    }
    best = {arm: max(found, key=lambda rate: found[rate]) for arm, found in tuned.items()}
    twin = Cell("four-bin, quantile, nearest", best[TWINS], SEEDS[0], TWIN)
    chosen = {arm: cells(arm, best[arm], SEEDS) for arm in ARMS}
    run([twin, *(chosen[arm][number] for number in range(len(SEEDS)) for arm in ARMS)])
    same = metrics_of(twin, given.out)["exam"] == metrics_of(chosen[TWINS][0], given.out)["exam"]
    measured = {arm: Measured(chosen[arm], given.out) for arm in ARMS}
    _, heading, others = PAGE.read_text().partition(OTHERS)
    PAGE.write_text(page(tuned, best, measured, same) + heading + others)


def once(cell: Cell, catalog: Path, personas: Path, out: Path) -> Cell:
    """Run it, or find that it was run."""
    streams = [f"streams.{name}={cell.seed}" for name in ("draw", "train", "teacher")]
    # patience=6: every arm takes all of its steps, and the best round is still the one examined.
    rate = f"train.learning_rate={cell.rate}"
    settings = [*cell.options, *streams, rate, "train.patience=6"]
    subprocess.run(
        [
            sys.executable, "-m", "pvd", "run", "--quiet", "--json",
            "--catalog", catalog, "--personas", personas, "--out", cell.folder(out),
            *(word for setting in settings for word in ("-o", setting)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return cell


def metrics_of(cell: Cell, out: Path) -> dict[str, Any]:
    """What its run found."""
    return dict(read_json(cell.folder(out) / "metrics.json"))


def validation(cells: Sequence[Cell], out: Path) -> float:
    """The validation value of the round that each run chose, mean over the runs."""
    found = [metrics_of(cell, out) for cell in cells]
    return mean(m["rounds"][m["best_round"]]["validation"]["value"] for m in found)


class Measured:
    """The runs of one arm, a row a seed and a column a persona."""

    def __init__(self, cells: Sequence[Cell], out: Path) -> None:
        folders = [cell.folder(out) for cell in cells]
        self._values = [read_json(folder / "exam" / "values.json") for folder in folders]
        self.metrics = [metrics_of(cell, out) for cell in cells]
        self.distinct = [distinct(folder) for folder in folders]
        self.steps = read_steps(folders[0])

    def grid(self, system: str, metric: str) -> np.ndarray:
        """[seeds, personas]."""
        return np.array([values["systems"][system][metric] for values in self._values])


def distinct(folder: Path) -> int:
    """The distinct slates whose answers a run learned from."""
    files = sorted((folder / "rounds").glob("*/judgments.jsonl"))
    return len({row["digest"] for file in files for row in read_lines(file)})


def read_steps(folder: Path) -> str:
    """Rounds x steps x batch, as run.toml has them."""
    import tomllib

    train = tomllib.loads((folder / "run.toml").read_text())["train"]
    return f"{train['rounds']} x {train['steps']:,} steps of {train['batch']} slates"


def show(estimate: Estimate, sign: str = "") -> str:
    """`81.8 (75.0 to 87.7)`."""
    value, low, high = (f"{x:{sign}.1f}" for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(
    tuned: Mapping[str, Mapping[float, float]],
    best: Mapping[str, float],
    measured: Mapping[str, Measured],
    same: bool,
) -> str:
    """The whole page from the template beside this file."""
    some = next(iter(measured.values()))
    exam = some.metrics[0]["exam"]

    def compared(
        ours: Callable[[str], np.ndarray], theirs: Callable[[str], np.ndarray]
    ) -> list[str]:
        return [show(estimates.two_way(ours(name) - theirs(name)), "+") for name in METRICS]

    systems = [
        ["zero-shot", *(show(mean_of_one(some.grid("zero-shot", name)[0])) for name in METRICS)],
        *(
            [arm, *(show(estimates.two_way(m.grid("distilled", name))) for name in METRICS)]
            for arm, m in measured.items()
        ),
    ]
    controls = [
        [f"{arm}: distilled - {control}",
         *compared(lambda n, m=m: m.grid("distilled", n), lambda n, m=m, c=control: m.grid(c, n))]
        for arm, m in measured.items()
        for control in ("zero-shot", "persona-blind", "shuffled-persona")
    ]  # fmt: skip
    pairs = [
        [f"{a} - {b}",
         *compared(lambda n, a=a: measured[a].grid("distilled", n),
                   lambda n, b=b: measured[b].grid("distilled", n))]
        for number, a in enumerate(measured) for b in list(measured)[:number]
    ]  # fmt: skip
    verdicts = [
        verdict(a, b, measured)
        for number, a in enumerate(measured)
        for b in list(measured)[:number]
    ]
    return Template((HERE / "results.md.template").read_text()).substitute(
        seeds=len(SEEDS),
        personas=exam["personas"],
        items=exam["items"],
        novelty=some.metrics[0]["data"]["novelty"],
        steps=some.steps,
        twin="gives the same exam, number by number" if same else "gives another exam",
        distinct=table(
            ["arm", "distinct answered slates, by seed"],
            [[arm, ", ".join(f"{n:,}" for n in m.distinct)] for arm, m in measured.items()],
        ),
        tuning=table(
            ["arm", *(f"{rate:g}" for rate in RATES), "taken"],
            [[arm, *(f"{tuned[arm][rate]:.1f}" for rate in RATES), f"{best[arm]:g}"]
             for arm in tuned],
        ),
        systems=table(["system", *METRICS.values()], systems),
        controls=table(["arm and control", *METRICS.values()], controls),
        pairs=table(["arms", *METRICS.values()], pairs),
        number=len(pairs),
        verdicts="\n".join(f"- {line}" for line in verdicts),
        raw=table(
            ["arm", *(f"seed {seed}" for seed in SEEDS)],
            [[arm, *(f"{v:.1f}" for v in m.grid("distilled", "mpr_true").mean(1))]
             for arm, m in measured.items()],
        ),
    )  # fmt: skip


def verdict(a: str, b: str, measured: Mapping[str, Measured]) -> str:
    """What the true MPR of two arms says, in words."""
    grids = [measured[arm].grid("distilled", "mpr_true") for arm in (a, b)]
    found = estimates.two_way(grids[0] - grids[1])
    if found.low <= 0 <= found.high:
        return (
            f"`{a}` against `{b}`: not resolved; the difference lies between {found.low:+.1f} and "
            f"{found.high:+.1f} points."
        )
    word = "better" if found.value > 0 else "worse"
    return f"`{a}` is {word} than `{b}` by {show(found, '+')} points."


def mean_of_one(values: np.ndarray) -> Estimate:
    """The untrained student does not vary over seeds: an interval over personas alone."""
    return estimates.mean(values.tolist(), 0, "personas")


if __name__ == "__main__":
    main()

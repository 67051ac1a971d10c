"""Comparisons of a method with itself: how often are its two arms called different?

    .venv/bin/python tests/bench/alike.py [--comparisons 20] [--seeds 5] [--values FILE.npy]

Every arm has the same settings and seeds of its own for what is drawn, for training and for the
teacher's noise; split and exam are fixed. So no two runs share anything but the exam, and about one
comparison in twenty should find a difference at 5 %. A run is small, but a whole one: drawings,
personas who name colours and a pattern, the student of examples/own_student.py, a simulated
teacher.
Written for `pvd compare`; tests/core/test_alike.py asserts what this prints.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import pvd
from pvd import crossed
from pvd.discovery import registry
from pvd.folder import read_json, write_lines
from pvd.records import Estimate

COLOURS = Path(__file__).parents[2] / "examples/own_student.py"
ITEMS, PEOPLE = 200, 120
SETTINGS: dict[str, Any] = {
    "student": "colours",
    "sampler": "uniform",
    "teacher": {"use": "simulated", "noise": 0.5},
    "evaluators": ["mpr"],
    "split": {"validation": 0.2, "test": 0.3},
    "train": {
        "rounds": 1, "slates": 120, "steps": 20, "batch": 16,
        "learning_rate": 0.005, "validation_slates": 100,
    },
    # One group of all items: true MPR does not depend on how the winner is found.
    "exam": {
        "personas": 24, "items": 40, "group": 40, "repeats": 0, "repeat_personas": 0, "gallery": 0,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Alike:
    """One comparison of an arm with another of the same settings."""

    arms: tuple[np.ndarray, np.ndarray]  # [S, P] each, in points
    both: crossed.Crossed  # over seeds and personas
    alone: Estimate  # over personas alone

    @property
    def differs(self) -> bool:
        """Whether the test over both calls the arms different at 5 %."""
        return self.both.p_differs() < 1 - crossed.LEVEL

    @property
    def differs_alone(self) -> bool:
        """Whether an interval over personas alone would."""
        return not self.alone.low <= 0 <= self.alone.high


def compared(values: np.ndarray, seeds: int) -> list[Alike]:
    """Of runs [R, P], the first `seeds` against the next, and so on: no run is used twice."""
    pairs = values.reshape(-1, 2, seeds, values.shape[1])
    return [
        Alike((a, b), crossed.analyse(b - a), crossed.conditional(b - a, seed=0)) for a, b in pairs
    ]


def measured(numbers: Iterable[int], folder: Path) -> np.ndarray:
    """True MPR of each persona [R, P], of a run for each number; all its streams start there."""
    registry.load_file(COLOURS)
    tables = {**SETTINGS, **world(folder)}
    # Figures and intervals of single runs take longer than the runs, and are not used here.
    with mock.patch("pvd.pipeline.write_report"), mock.patch("pvd.estimates.RESAMPLES", 1000):
        return np.array([once(number, tables, folder / str(number)) for number in numbers])


def once(number: int, tables: dict[str, Any], folder: Path) -> list[float]:
    """The values of one run."""
    streams = dict.fromkeys(("draw", "train", "teacher"), number)
    pvd.run(out=folder, streams=streams, **tables)
    return list(read_json(folder / "exam/values.json")["systems"]["distilled"]["mpr_true"])


def world(folder: Path) -> dict[str, Any]:
    """Drawings and people, written once: to draw them anew takes longer than to train."""
    from pvd_plugins.sources.boutique import Boutique

    items = list(Boutique(size=ITEMS).catalog(""))
    columns = sorted({name for item in items for name in item.attributes})
    with (folder / "catalog.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["id", "image", *columns])
        table.writeheader()
        for item in items:
            (folder / f"{item.id}.png").write_bytes(item.read())
            table.writerow({"id": item.id, "image": f"{item.id}.png", **item.attributes})
    write_lines(folder / "people.jsonl", people(items))
    return {
        "catalog": {"use": "table", "path": str(folder / "catalog.csv")},
        "personas": {"use": "table", "path": str(folder / "people.jsonl")},
    }


def people(items: Sequence[pvd.Item]) -> list[dict[str, Any]]:
    """Everyone likes two colours and a pattern, and dislikes a colour."""
    colours, patterns = (
        sorted({item.attributes[name] for item in items}) for name in ("colour", "pattern")
    )
    rng, found = random.Random(0), {}
    while len(found) < PEOPLE:
        first, second, never = rng.sample(colours, 3)
        pattern = rng.choice(patterns)
        text = f"{first} {second} {pattern} no-{never}"
        tastes = {
            f"colour={first}": 2.5, f"colour={second}": 1.5, f"colour={never}": -2.0,
            f"pattern={pattern}": 1.0,
        }  # fmt: skip
        found[text] = {"id": text.replace(" ", "-"), "text": text, "tastes": tastes}
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--comparisons", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--values", type=Path, help="keep the values of all runs, [R, P]")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        values = measured(range(2 * given.seeds * given.comparisons), Path(place))
    if given.values:
        np.save(given.values, values)
    found = compared(values, given.seeds)
    for one in found:
        print(json.dumps({"interval": vars(one.both.interval()), **vars(one.both.components)}))
    whole = crossed.analyse(values)
    print(f"One arm, all runs: {whole.value:.1f} points; variances {whole.components}")
    print(f"Called different: {sum(one.differs for one in found)} of {len(found)}")
    print(f"By personas alone: {sum(one.differs_alone for one in found)} of {len(found)}")


if __name__ == "__main__":
    main()

"""Runs of `pvd` that the studies have in common: an arm and a seed each, in a folder of its own.

The folder is named after everything that can change a number of the run, so that studies which are
given the same --out share the runs that they have in common, and a stopped study goes on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pvd.comparing import transcripts
from pvd.comparing.design import VARIED
from pvd.discovery import registry
from pvd.folder import write_bytes
from pvd.identity import toml_of
from pvd.options import Table
from pvd.settings import Settings, recipe, resolve
from pvd.streams import derive

HERE = Path(__file__).parent
SEEDS = (0, 1, 2, 3, 4)
# A run is a minute of one core. All rounds are trained, and the one with the best validation sits
# the exam.
TRAINING: Table = {
    "rounds": 8,
    "slates": 400,
    "steps": 100,
    "batch": 64,
    "learning_rate": 0.003,
    "patience": 8,
}


@dataclass(frozen=True)
class Arm:
    """One way to teach the student: tables upon the studies' common ones, and files of `-p`."""

    label: str
    tables: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()  # beside this file
    noise: str = ""  # a teacher with noise of its own; else that of all others with this seed


@dataclass(frozen=True)
class Place:
    """The data, where runs lie, and how many may run at once."""

    catalog: Path
    personas: Path
    out: Path
    jobs: int = 1

    def settings(self, arm: Arm, seed: int) -> Settings:
        """A run. A seed varies what is drawn, how training goes, and the teacher's noise."""
        for file in arm.files:
            registry.load_file(HERE / file)
        streams = {name: derive(0, name, seed) % 2**32 for name in VARIED}
        if arm.noise:
            streams["teacher"] = derive(0, "teacher", seed, arm.noise) % 2**32
        ours = {
            "catalog": self.table(self.catalog),
            "personas": self.table(self.personas),
            "train": TRAINING,
            "streams": streams,
            "judge": {"use": "simulated"},
        }
        return resolve(recipe("default"), ours, arm.tables)

    @staticmethod
    def table(path: Path) -> Table:
        """A source of items or personas."""
        return {"use": "table", "path": str(path.resolve())}

    def folder(self, arm: Arm, seed: int) -> Path:
        """Where a run lies."""
        return self.out / "cells" / self.settings(arm, seed).digest()[:16]

    def run(self, arms: Sequence[Arm], seeds: Sequence[int] = SEEDS) -> None:
        """Run what has no transcript yet, seed by seed."""
        waiting = {
            self.folder(arm, seed): (arm, seed)
            for seed in seeds
            for arm in arms
            if not transcripts.is_written(self.folder(arm, seed))
        }
        with ThreadPoolExecutor(self.jobs) as pool:
            for line in pool.map(lambda one: self._once(*one), waiting.values()):
                print(line, flush=True)

    def _once(self, arm: Arm, seed: int) -> str:
        folder = self.folder(arm, seed)
        config = folder.with_name(folder.name + ".toml")
        write_bytes(config, toml_of(self.settings(arm, seed)).encode())
        with folder.with_name(folder.name + ".log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-m", "pvd", "compare-cell", config, folder],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        return f"{arm.label}, seed {seed}: {folder}"

    def read(self, arm: Arm, seeds: Sequence[int] = SEEDS) -> list[transcripts.Transcript]:
        """The transcripts of an arm's runs, one a seed."""
        return [transcripts.read(self.folder(arm, seed)) for seed in seeds]


def place(doc: str | None) -> Place:
    """What the command line of a study says."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("personas", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/studies"))
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    return Place(given.catalog, given.personas, given.out, given.jobs)

"""How fast pvd is beside open_clip and beside plain matrix products.

    python tests/bench/speed [--quick] [--repetitions 5] [--json] [--write docs/performance.md]

ViT-B/32 with random weights on one thread of this machine; process CPU seconds, in turn. About
half an hour; `--quick` takes a small model and tells nothing about speed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

# Before torch is loaded, and for the processes that measure memory.
ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
PARTS = ("training", "embedding", "drawing", "round", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small model: does it run?")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--write", type=Path, help="a page with marks, for the table")
    parser.add_argument("--real-round", choices=("all", "last-2"), help="run a round, 15 minutes")
    given = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in ONE.items()):
        raise SystemExit(subprocess.call([sys.executable, *sys.argv], env=os.environ | ONE))
    logging.disable(logging.WARNING)  # open_clip says that weights are random
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given)


def measure(folder: Path, given: argparse.Namespace) -> None:
    """All that was asked for, told as it comes."""
    import torch
    from material import make
    from measuring import Row
    from table import around, machine, markdown, terminal, write

    if given.write:
        around(given.write)
    torch.set_num_threads(1)
    material = make(folder, quick=given.quick)
    if given.real_round:
        from paper_round import run

        print(f"{run(material, given.real_round):.0f} s")
        return
    found: list[Row] = []
    peaks: dict[str, float] = {}

    def part(name: str, rows: Callable[[], list[Row]]) -> None:
        if name in given.parts:
            found.extend(rows())
            print(f"{name}: done", file=sys.stderr, flush=True)

    import embedding
    import training

    part("training", lambda: training.rows(material, given.repetitions))
    part("embedding", lambda: embedding.rows(material, given.repetitions))
    if {"training", "embedding"} <= set(given.parts):
        import paper_round

        part("round", lambda: paper_round.rows(found, material, given.repetitions))
    if not given.quick:
        import drawing

        part("drawing", lambda: drawing.rows(given.repetitions))
    if "memory" in given.parts:
        import catalogue
        import memory

        sizes = (10_000, 20) if given.quick else (catalogue.ITEMS, catalogue.PERSONAS)
        peaks = memory.peaks(material) | catalogue.peaks(*sizes)
    if given.json:
        rows = [row.as_dict() for row in found]
        print(json.dumps({"machine": machine(), "rows": rows, "peaks": peaks}))
    else:
        print(machine(), terminal(found), *(f"{k}: {v:.2f} GB" for k, v in peaks.items()), sep="\n")
    if given.write:
        write(given.write, markdown(found, peaks, machine()))


if __name__ == "__main__":
    main()

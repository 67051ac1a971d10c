"""Where the seconds of a whole run go: `pvd run` on the drawn shop, stage by stage, fresh store.

.venv/bin/python tests/bench/loop.py [SEED]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main(seed: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        start = time.perf_counter()
        subprocess.run(
            [
                sys.executable, "-m", "pvd", "run", "--quiet", "--seed", seed,
                "--out", str(out), "--store", str(Path(folder) / "answers.sqlite"),
            ],
            check=True,
        )  # fmt: skip
        whole = time.perf_counter() - start
        usage = json.loads((out / "usage.json").read_text())
    for stage, seconds in sorted(usage["seconds"].items(), key=lambda row: -row[1]):
        print(f"{stage:<22} {seconds:6.1f} s  {seconds / whole:5.0%}")
    print(f"{'all':<22} {whole:6.1f} s, {usage['asked']} slates asked")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "0")

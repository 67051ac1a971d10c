"""How long `pvd --help` takes, beside the floor: importing click and pluggy alone.

    .venv/bin/python tests/bench/startup.py [PAIRS]

The two are run in turn, so that a busy machine slows both; the median of the ratios counts. The
goal is at most 2.5.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

FLOOR = [sys.executable, "-c", "import click, pluggy"]
COMMANDS = {
    "pvd --help": [str(Path(sys.executable).with_name("pvd")), "--help"],
    "pvd plugins": [str(Path(sys.executable).with_name("pvd")), "plugins"],
    "pvd run --help": [str(Path(sys.executable).with_name("pvd")), "run", "--help"],
}


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(pairs: int) -> None:
    for name, command in COMMANDS.items():
        for warm in (command, FLOOR):
            seconds(warm)
        timed = [(seconds(command), seconds(FLOOR)) for _ in range(pairs)]
        ratios = sorted(ours / floor for ours, floor in timed)
        print(
            f"{name:<15} {1000 * statistics.median(t[0] for t in timed):5.0f} ms, floor "
            f"{1000 * statistics.median(t[1] for t in timed):4.0f} ms, ratio "
            f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}, {pairs} pairs)"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)

"""Drawing a round of slates beside one bf16 product of all personas and all items.

    python tests/bench/speed/drawing.py [--repetitions 5]

A round of 1,000 slots over 100,000 items with thirty rounds before it, drawn as a run does, from
embeddings of a real width drawn by lot. Peak memory is that of a process of its own, beyond what
embeddings, items and earlier rounds take.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from measuring import Row, Work, interleaved, product

PERSONAS, ITEMS, WIDTH, SIZE, ROUNDS = 1000, 100_000, 512, 5, 30
BY = {"range": 6.0, "quantile": 1.5}  # at most so many times the product's time
ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def shop() -> Any:
    import torch

    import pvd
    from pvd.drawing import Shop

    rng = torch.Generator().manual_seed(0)
    texts, embeddings = (torch.randn(n, WIDTH, generator=rng) for n in (PERSONAS, ITEMS))
    for vectors in (texts, embeddings):  # in place, or the peak would be here
        vectors /= vectors.norm(dim=1, keepdim=True)
    people = [pvd.Persona(f"{n:04d}", f"Person {n}") for n in range(PERSONAS)]
    nowhere = Path("none.jpg")
    things = [pvd.Item(f"{n:06d}", nowhere, f"Thing {n}") for n in range(ITEMS)]
    return Shop(people, things, texts, embeddings, embeddings)


def rounds(shelf: Any) -> dict[str, Callable[[], object]]:
    """Draw one more round, by range and by quantile."""
    import pvd
    from pvd.drawing import Drawn, draw_round

    lot = random.Random(0)
    earlier = [
        Drawn(slot, person, tuple(lot.sample(shelf.items, SIZE)), (round, slot, 0))
        for round in range(1, ROUNDS + 1)
        for slot, person in enumerate(shelf.personas)
    ]

    def draw(by: str) -> Callable[[], object]:
        sampler = pvd.load("sampler", "four-bin", by=by)
        about = {"round": ROUNDS + 1, "slots": PERSONAS, "size": SIZE, "seed": 0}
        return lambda: draw_round(sampler, shelf, earlier=earlier, **about)

    return {by: draw(by) for by in BY}


def peak(by: str) -> float:
    """Megabytes that a round takes at most, measured in a process of its own."""
    command = [sys.executable, __file__, "--memory", by]
    ran = subprocess.run(command, env=os.environ | ONE, capture_output=True, text=True, check=True)
    return float(ran.stdout)


def grown(by: str) -> float:
    draw = rounds(shop())[by]
    before = most()
    draw()
    return most() - before


def most() -> float:
    """Megabytes at the peak so far, on Linux; `ru_maxrss` would count the parent's as well."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def rows(repetitions: int = 5) -> list[Row]:
    """The table's lines on drawing; seconds a slate."""
    import torch

    torch.set_num_threads(1)
    shelf = shop()
    texts, embeddings = shelf.texts.bfloat16(), shelf.embeddings.bfloat16()
    works = {by: Work(run, PERSONAS) for by, run in rounds(shelf).items()}
    works["product"] = Work(lambda: texts @ embeddings.T, PERSONAS)
    works["fp32"] = product(torch.float32, (64, WIDTH, ITEMS))
    times = interleaved(works, repetitions)
    # By quantile the products are those of a sample and of the items tried.
    scored = {"range": ITEMS, "quantile": 8192 + 40 * SIZE}
    gflop = statistics.median(times["fp32"])
    return [
        Row(
            work=f"drawing slates, {PERSONAS:,} personas x {ITEMS:,} items x {WIDTH}, by={by}",
            against="one bf16 product of that size",
            unit="slate",
            goal=goal,
            at_most=True,
            ours=times[by],
            peer=times["product"],
            floor=2e-9 * WIDTH * scored[by] * gflop,
            note=f"{peak(by):.0f} MB at the peak, beyond embeddings and items",
        )
        for by, goal in BY.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--memory", choices=BY, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory:
        print(grown(given.memory))
        return
    for row in rows(given.repetitions):
        low, high = row.spread
        ours, peer = (1e3 * statistics.median(times) for times in (row.ours, row.peer))
        print(f"{row.work}")
        print(
            f"  {ours:.2f} ms a slate; {row.against}: {peer:.2f} ms; "
            f"{row.ratio:.2f} times its time ({low:.2f} to {high:.2f}), at most {row.goal:g}; "
            f"products alone {100 * row.share:.0f} %; {row.note}"
        )


if __name__ == "__main__":
    main()

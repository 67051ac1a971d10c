"""Search over drawn vectors: exact and by graph; time, recall and memory of each.

    python tests/bench/search.py [--sizes 100000 1000000] [--queries 30] [--without-graph]

The vectors lie in 2,000 groups, as those of a real catalogue do. Every step runs in a process
of its own, on one thread (the graph is built on all): peak memory is that process's, with the
mapped pages of the index and without them. Recall is against the cosines in fp64 of all vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WIDTH, GROUPS, SPREAD = 512, 2000, 0.5
BATCH, K = 4096, 100
ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def drawn(count: int, seed: int) -> Any:
    """[count, WIDTH]: a group's centre and half as much noise."""
    import torch
    from torch.nn.functional import normalize

    centres = normalize(torch.randn(GROUPS, WIDTH, generator=torch.Generator().manual_seed(0)))
    rng = torch.Generator().manual_seed(seed)
    groups = torch.randint(GROUPS, (count,), generator=rng)
    noise = torch.randn(count, WIDTH, generator=rng) * SPREAD / WIDTH**0.5
    return normalize(centres[groups] + noise)


def batches(count: int, spent: list[float]) -> Iterator[Any]:
    """Items with vectors; the seconds that drawing them takes are put aside."""
    import pvd

    nowhere = Path("none.jpg")
    for start in range(0, count, BATCH):
        begun = time.perf_counter()
        some = min(BATCH, count - start)
        items = [pvd.Item(f"{n:08d}", nowhere, f"Thing {n}") for n in range(start, start + some)]
        batch = items, drawn(some, start + 1)
        spent.append(time.perf_counter() - begun)
        yield batch


# --- the steps, each in a process of its own ------------------------------------------------------


def build(folder: Path, count: int, queries: int) -> dict[str, Any]:
    import pvd

    spent: list[float] = []
    begun = time.perf_counter()
    pvd.Index.create(folder, width=WIDTH).add_vectors(batches(count, spent))
    size = sum(path.stat().st_size for path in (folder / "parts").iterdir())
    return {"seconds": time.perf_counter() - begun - sum(spent), "megabytes": size / 1e6}


def exactly(folder: Path, count: int, queries: int) -> dict[str, Any]:
    return searched(folder, queries, approximate=False)


def by_graph(folder: Path, count: int, queries: int) -> dict[str, Any]:
    return searched(folder, queries, approximate=True)


def searched(folder: Path, queries: int, approximate: bool) -> dict[str, Any]:
    import pvd

    begun = time.perf_counter()
    index = pvd.Index.open(folder)
    opened = time.perf_counter() - begun
    asked = drawn(queries, 0)
    index.search(asked[:1], 12, approximate=approximate)  # the pages are read for the first time
    took: dict[int, list[float]] = {12: [], K: []}
    found: dict[int, list[list[str]]] = {12: [], K: []}
    for k in took:
        for query in asked:
            begun = time.perf_counter()
            hits = index.search(query[None], k, approximate=approximate)[0]
            took[k].append(time.perf_counter() - begun)
            found[k].append([hit.id for hit in hits])
    return {
        "opened": opened,
        "ms": {k: 1e3 * statistics.median(values) for k, values in took.items()},
        "found": found,
    }


def brute(folder: Path, count: int, queries: int) -> dict[str, Any]:
    import torch

    import pvd

    index = pvd.Index.open(folder)
    asked = drawn(queries, 0).double()
    stored = [part.vectors.double() for part in index.parts]
    scores = torch.cat(
        [asked @ (rows / rows.norm(dim=1, keepdim=True)).T for rows in stored], dim=1
    )
    order = scores.topk(K, dim=1).indices
    return {"best": [[index.row(int(n)).id for n in row] for row in order]}


def graph(folder: Path, count: int, queries: int) -> dict[str, Any]:
    import pvd

    begun = time.perf_counter()
    pvd.Index.open(folder).build_graph()
    size = (folder / "graph.usearch").stat().st_size
    return {"seconds": time.perf_counter() - begun, "megabytes": size / 1e6}


STEPS: dict[str, Callable[[Path, int, int], dict[str, Any]]] = {
    step.__name__: step for step in (build, exactly, brute, graph, by_graph)
}


def alone(step: str, folder: Path, count: int, queries: int) -> dict[str, Any]:
    """The step's result and its peaks of memory, from a process of its own."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder)]
    command += ["--sizes", str(count), "--queries", str(queries)]
    threads = {} if step in ("graph", "brute") else ONE
    ended = subprocess.run(
        command, env={**os.environ, **threads}, stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


def peaked(step: Callable[[Path, int, int], dict[str, Any]], *given: Any) -> dict[str, Any]:
    """Its result, and how many megabytes it had in memory at most."""
    own, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            for line in Path("/proc/self/status").read_text().split("\n"):
                if line.startswith("RssAnon"):
                    own[0] = max(own[0], int(line.split()[1]))

    import torch  # noqa: F401  before the memory is counted from

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = step(*given)
    over.set()
    watcher.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**result, "peak": peak / 1e3, "own": own[0] / 1e3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument("--without-graph", action="store_true")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(peaked(STEPS[given.step], given.folder, *given.sizes, given.queries)))
        return
    for count in given.sizes:
        with tempfile.TemporaryDirectory() as place:
            measure(Path(place), count, given.queries, not given.without_graph)


def measure(folder: Path, count: int, queries: int, with_graph: bool) -> None:
    """Build, search and print a table."""
    vectors = count * WIDTH * 2 / 1e6
    print(f"\n{count:,} vectors of width {WIDTH}, {vectors:,.0f} MB in bf16; {queries} queries")
    print(f"{'':<16}{'seconds':>9}{'ms, k=12':>10}{'ms, k=100':>11}{'recall@10':>11}"
          f"{'@100':>7}{'peak MB':>9}{'own MB':>8}{'file MB':>9}")  # fmt: skip
    built = alone("build", folder, count, queries)
    row("build", built)
    best = alone("brute", folder, count, queries)["best"]
    row("exact", alone("exactly", folder, count, queries), best)
    if with_graph:
        row("build graph", alone("graph", folder, count, queries))
        row("graph", alone("by_graph", folder, count, queries), best)


def row(name: str, found: dict[str, Any], best: list[list[str]] | None = None) -> None:
    """One line of the table."""
    cells = [f"{found.get('seconds', found.get('opened', 0)):>9.1f}"]
    if best is None:
        cells.append(" " * 39)
    else:
        cells += [f"{found['ms'][k]:>{w}.1f}" for k, w in (("12", 10), (str(K), 11))]
        cells += [
            f"{share(found['found'][str(K)], best, k):>{w}.3f}" for k, w in ((10, 11), (K, 7))
        ]
    cells += [f"{found['peak']:>9,.0f}", f"{found['own']:>8,.0f}"]
    cells.append(f"{found['megabytes']:>9,.0f}" if "megabytes" in found else "")
    print(f"{name:<16}{''.join(cells)}", flush=True)


def share(found: list[list[str]], best: list[list[str]], k: int) -> float:
    """Recall of the k best."""
    pairs = zip(found, best, strict=True)
    return statistics.mean(len({*got[:k]} & {*wanted[:k]}) / k for got, wanted in pairs)


if __name__ == "__main__":
    main()

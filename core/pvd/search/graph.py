"""Approximate search over millions of vectors: a graph of neighbours (HNSW, Malkov and Yashunin
2016, as usearch builds it), kept beside the vectors and measured against the exact search.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvd import scoring
from pvd.errors import BadInput, MissingFile
from pvd.folder import read_json, write_json
from pvd.kit import need
from pvd.search import exact
from pvd.search.exact import Found
from pvd.search.parts import normalized
from pvd.streams import stream

if TYPE_CHECKING:
    from numpy import ndarray
    from torch import Tensor

    from pvd.progress import Progress
    from pvd.search.index import Index

FILE, CARD = "graph.usearch", "graph.json"
CONNECTIVITY, ADDING = 16, 128
# Candidates that a search follows. usearch's own 64 find 0.5 to 0.8 of the hundred best where
# vectors lie in tight groups (tests/bench/search.py).
LEAST, EACH = 256, 8  # at all; for each hit that is wanted
SPARE = 32  # hits more than wanted, at least
# A new graph is tried with this many queries; titles for them are looked for in ten times as many
# rows, and this many hits count.
PROBES, AMONG, TOP = 200, 10, 10


def build(folder: Path, blocks: Sequence[Tensor], digest: str, progress: Progress) -> None:
    """Write the graph of all rows; `digest` says of which state of the index it is."""
    import numpy as np
    import torch

    usearch = need("usearch.index", "search")
    count = sum(map(len, blocks))
    if not count:
        raise BadInput(f"{folder} holds no items, so that there is nothing to build a graph of.")
    graph = usearch.Index(
        ndim=blocks[0].shape[1],
        metric=usearch.MetricKind.Cos,
        dtype=usearch.ScalarKind.BF16,
        connectivity=CONNECTIVITY,
        expansion_add=ADDING,
    )
    at = 0
    with progress.stage("graph", count, "items"):
        for block in blocks:
            for rows in torch.split(block, exact.BLOCK):
                # numpy has no bf16: usearch is told what the two bytes are. It need not copy them,
                # since `blocks` stay where they are until the graph is saved.
                bits = rows.view(torch.uint16).numpy()
                keys = np.arange(at, at + len(rows))
                graph.add(keys, bits, dtype=usearch.ScalarKind.BF16, copy=False)
                at += len(rows)
                progress.advance(len(rows))
    for begun in folder.glob(f".{FILE}.*.tmp"):  # by a process that was killed
        begun.unlink()
    temporary = folder / f".{FILE}.{os.getpid()}.tmp"
    try:
        graph.save(temporary)
        os.replace(temporary, folder / FILE)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        raise BadInput(
            f"The graph of {folder} cannot be written ({error}); make room, then give the same "
            "command again."
        ) from None
    size = (folder / FILE).stat().st_size
    write_json(folder / CARD, {"digest": digest, "items": count, "bytes": size})


def card(folder: Path, digest: str) -> dict[str, Any] | None:
    """What is known of the graph, if there is one of this state of the index."""
    if not ((folder / CARD).exists() and (folder / FILE).exists()):
        return None
    found: dict[str, Any] = read_json(folder / CARD)
    return found if found.get("digest") == digest else None


def opened(folder: Path, digest: str) -> Any:
    """The graph, mapped; it must be of this state of the index."""
    usearch = need("usearch.index", "search")
    if not (folder / FILE).exists():
        raise MissingFile(
            f"There is no graph in {folder}; give `pvd index` with --approximate, or search "
            "without it."
        )
    known = card(folder, digest)
    if known is None:
        raise BadInput(
            f"{folder} changed since its graph was built; give `pvd index` with --approximate "
            "again, or search without it."
        )
    try:
        # Never a file of another size: usearch maps it, and reads where it ends.
        if (folder / FILE).stat().st_size == known.get("bytes"):
            return usearch.Index.restore(folder / FILE, view=True)
    except (RuntimeError, ValueError):  # what usearch says of bytes that it did not write
        pass
    raise BadInput(
        f"The graph {folder / FILE} is damaged; delete it, and give `pvd index` with --approximate "
        "again."
    )


def nearest(
    graph: Any, blocks: Sequence[Tensor], queries: ndarray, k: int, id_of: Callable[[int], str]
) -> list[Found]:
    """As exact.nearest(), but some of the best may be missing; the scores are exact."""
    import numpy as np

    k = min(k, len(graph))
    graph.expansion_search = max(LEAST, EACH * k)
    found = []
    for query in queries:
        # Its distances are rounded: some more are asked for, and the exact scores choose.
        near = graph.search(query, min(k + max(k, SPARE), len(graph))).keys
        positions = np.sort(near.astype(np.int64))
        scores = exact.rescored(blocks, query, positions)
        pairs = zip(positions.tolist(), scores.tolist(), strict=True)
        found.append(exact.in_order(list(pairs), id_of)[:k])
    return found


def measured(index: Index) -> dict[str, Any]:
    """The graph's recall among the ten best against the exact search; `over` says with what."""
    import torch

    places = stream("probes", len(index)).sample(range(len(index)), min(len(index), AMONG * PROBES))
    titles = sorted({index.row(place).title or "" for place in places} - {""})
    own: list[int | None] = [*places[:PROBES]]
    over, k = "stored vectors", TOP + 1  # a stored vector finds itself
    if index.card["student"] and len(titles) >= PROBES:
        vectors = scoring.embed_texts(index.student, titles[:PROBES])
        over, k, own = "titles", TOP, [None] * PROBES
    else:
        vectors = torch.stack([p.vectors[n] for p, n in map(index.place, places[:PROBES])])
    queries = normalized(vectors).float().numpy()
    best, found = index.positions(queries, k), index.positions(queries, k, approximate=True)
    return {"recall": recall(best, found, own), "queries": len(own), "over": over}


def recall(best: Sequence[Found], found: Sequence[Found], own: Sequence[int | None]) -> float:
    """The mean share of the best that was found. An equal vector in the place of another counts;
    a query that is a row of the index (its position is its `own`) does not.
    """
    shares = []
    for wanted, got, self in zip(best, found, own, strict=True):
        wanted = [pair for pair in wanted if pair[0] != self]
        got = [pair for pair in got if pair[0] != self]
        reached = sum(score >= wanted[-1][1] for _, score in got) if wanted else 0
        shares.append(min(reached, len(wanted)) / len(wanted) if wanted else 1.0)
    return sum(shares) / len(shares)

"""Exact search: the vectors with the largest cosines, and a proof that none was missed.

A first pass multiplies everything in fp32, a second one decides among the few that the rounding of
the first, and of the vectors' lengths, could have hidden. (bf16 products are as fast for one query,
since reading the vectors is what takes the time, but their rounding hides hundreds of times more.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate
from threading import Lock, local
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import ndarray
    from torch import Tensor

AT_ONCE = 16  # queries: as many scores of every vector are in memory
BLOCK = 1024  # vectors widened to fp32 at once; they stay in the processor's cache
UNIT = 2.0**-24  # largest relative rounding error of fp32
LENGTH = 2.0**-8  # most that rounding to bf16 changes a row's length
LENGTHS = 1.01  # most that a query's length times a stored bf16 vector's can be

Found = list[tuple[int, float]]  # position and score, best first


class NotUnit(Exception):
    """A stored vector's score is none that a vector of unit length can have."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def nearest(
    blocks: Sequence[Tensor], queries: ndarray, k: int, id_of: Callable[[int], str]
) -> list[Found]:
    """The k best of all rows of `blocks` ([n, D], bf16, unit length) for each of the queries
    ([Q, D], fp32, unit length); equal scores stand in the order of their ids.
    """
    found: list[Found] = []
    with _plainly() as threads:
        for start in range(0, len(queries), AT_ONCE):
            some = queries[start : start + AT_ONCE]
            for query, scores in zip(some, products(blocks, some, threads), strict=True):
                found.append(_best(blocks, query, scores, k, id_of))
    return found


@contextmanager
def _plainly() -> Iterator[int]:
    """torch on one thread, and in true fp32 even where a program allows it less; how many threads
    it had.

    The work is divided between threads of our own: those of torch and of BLAS wait for each other
    after every block, which on two busy cores made the search a hundred times slower.
    """
    import torch

    with _ONE, torch.autocast("cpu", enabled=False), _true_fp32():
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield threads
        finally:
            torch.set_num_threads(threads)


@contextmanager
def _true_fp32() -> Iterator[None]:
    import torch

    # Since torch 2.9 processors have a setting of their own. Where a program used it, the older
    # one for all devices cannot even be read.
    matmul: Any = getattr(torch.backends.mkldnn, "matmul", None)
    if matmul is None:
        precision = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
    else:
        precision, matmul.fp32_precision = matmul.fp32_precision, "ieee"
    try:
        yield
    finally:
        if matmul is None:
            torch.set_float32_matmul_precision(precision)
        else:
            matmul.fp32_precision = precision


_ONE = Lock()  # what is set above is set for the whole process


def products(blocks: Sequence[Tensor], queries: ndarray, threads: int = 1) -> ndarray:
    """[Q, N] in fp32."""
    import numpy as np
    import torch

    scores = np.empty((len(queries), sum(map(len, blocks))), np.float32)
    turned = torch.from_numpy(np.ascontiguousarray(queries.T))
    own = local()  # memory that is new each time would be cleared by the system each time

    def fill(block: Tensor, at: int) -> None:
        if not hasattr(own, "wide"):
            own.wide = torch.empty(BLOCK, queries.shape[1], dtype=torch.float32, device="cpu")
        for start in range(0, len(block), BLOCK):
            rows = block[start : start + BLOCK]
            wide = own.wide[: len(rows)].copy_(rows)
            scores[:, at + start : at + start + len(rows)] = (wide @ turned).T

    starts = [0, *accumulate(map(len, blocks))][:-1]
    if threads == 1:
        for block, at in zip(blocks, starts, strict=True):
            fill(block, at)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, blocks, starts))
    return scores


def _best(
    blocks: Sequence[Tensor], query: ndarray, scores: ndarray, k: int, id_of: Callable[[int], str]
) -> Found:
    import numpy as np
    import torch

    k = min(k, len(scores))
    if not k:
        return []
    # A sum of D products in any order is off by at most D * UNIT / (1 - D * UNIT) times the
    # lengths (Higham 2002, 3.1); so k rows have a true score of `least - error` or more, and what
    # has a true score as high was computed as at least `least - 2 * error`.
    error = LENGTHS * len(query) * UNIT / (1 - len(query) * UNIT)
    # And the cosine is off from the product as far as rounding to bf16 moved the row's length.
    best = torch.from_numpy(scores).topk(k)  # a score that is not a number comes first
    if not best.values[0] <= LENGTHS + error:
        raise NotUnit(int(best.indices[0]))
    least = best.values[-1].item()
    uneven = 2.01 * LENGTH * (abs(least) + error)
    near = np.flatnonzero(scores >= np.float32(least - 2.01 * error - uneven))
    exact = rescored(blocks, query, near)
    last = np.partition(exact, len(exact) - k)[len(exact) - k]
    chosen = [(int(p), float(s)) for p, s in zip(near, exact, strict=True) if s >= last]
    return in_order(chosen, id_of)[:k]


def rescored(blocks: Sequence[Tensor], query: ndarray, positions: ndarray) -> ndarray:
    """The cosines of these rows (positions ascending) in fp64: bf16 times fp32 is exact there, and
    each row is added up in the same order, so that equal vectors have equal scores.
    """
    import numpy as np
    import torch

    wide, found, first = query.astype(np.float64), [], 0
    for block in blocks:
        low, high = np.searchsorted(positions, (first, first + len(block)))
        for start in range(low, high, BLOCK):
            rows = torch.from_numpy(positions[start : min(start + BLOCK, high)] - first)
            some = block[rows].double().numpy()
            found.append((some * wide).sum(1) / np.sqrt((some * some).sum(1)))
        first += len(block)
    return np.concatenate(found) if found else np.empty(0)


def in_order(found: Found, id_of: Callable[[int], str]) -> Found:
    """Best first; equal scores by id, which no order of parts or of adding can change."""
    counts: dict[float, int] = {}
    for _, score in found:
        counts[score] = counts.get(score, 0) + 1
    return sorted(found, key=lambda f: (-f[1], id_of(f[0]) if counts[f[1]] > 1 else ""))

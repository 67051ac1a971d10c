"""Exact search: the vectors with the largest products, and a proof that none was missed.

A first pass multiplies everything in fp32, a second one decides among the few that the rounding of
the first could have hidden. (bf16 products are as fast for one query, since reading the vectors is
what takes the time, but their rounding hides hundreds of times more.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import ndarray
    from torch import Tensor

AT_ONCE = 16  # queries: as many scores of every vector are in memory
BLOCK = 1024  # vectors widened to fp32 at once; they stay in the processor's cache
UNIT = 2.0**-24  # largest relative rounding error of fp32
LENGTHS = 1.01  # most that a query's length times a stored bf16 vector's can be

Found = list[tuple[int, float]]  # position and score, best first


def nearest(
    blocks: Sequence[Tensor], queries: ndarray, k: int, id_of: Callable[[int], str]
) -> list[Found]:
    """The k best of all rows of `blocks` ([n, D], bf16, unit length) for each of the queries
    ([Q, D], fp32, unit length); equal scores stand in the order of their ids.
    """
    found: list[Found] = []
    for start in range(0, len(queries), AT_ONCE):
        some = queries[start : start + AT_ONCE]
        scores = products(blocks, some)
        found += [
            _best(blocks, query, row, k, id_of) for query, row in zip(some, scores, strict=True)
        ]
    return found


def products(blocks: Sequence[Tensor], queries: ndarray) -> ndarray:
    """[Q, N] in fp32."""
    import numpy as np
    import torch

    scores = np.empty((len(queries), sum(map(len, blocks))), np.float32)
    wide = torch.empty(BLOCK, queries.shape[1])
    turned = np.ascontiguousarray(queries.T)
    at = 0
    for block in blocks:
        for start in range(0, len(block), BLOCK):
            count = min(BLOCK, len(block) - start)
            wide[:count].copy_(block[start : start + count])
            # numpy's product: torch's rounds to bf16 inside where a program allows it to.
            scores[:, at : at + count] = (wide[:count].numpy() @ turned).T
            at += count
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
    least = torch.from_numpy(scores).topk(k).values[-1].item()
    near = np.flatnonzero(scores >= np.float32(least - 2.01 * error))
    exact = rescored(blocks, query, near)
    last = np.partition(exact, len(exact) - k)[len(exact) - k]
    chosen = [(int(p), float(s)) for p, s in zip(near, exact, strict=True) if s >= last]
    return in_order(chosen, id_of)[:k]


def rescored(blocks: Sequence[Tensor], query: ndarray, positions: ndarray) -> ndarray:
    """The products of these rows (positions ascending) in fp64: bf16 times fp32 is exact there, and
    each row is added up in the same order, so that equal vectors have equal scores.
    """
    import numpy as np
    import torch

    wide, found, first = query.astype(np.float64), [], 0
    for block in blocks:
        low, high = np.searchsorted(positions, (first, first + len(block)))
        for start in range(low, high, BLOCK):
            rows = torch.from_numpy(positions[start : min(start + BLOCK, high)] - first)
            found.append((block[rows].double().numpy() * wide).sum(1))
        first += len(block)
    return np.concatenate(found) if found else np.empty(0)


def in_order(found: Found, id_of: Callable[[int], str]) -> Found:
    """Best first; equal scores by id, which no order of parts or of adding can change."""
    counts: dict[float, int] = {}
    for _, score in found:
        counts[score] = counts.get(score, 0) + 1
    return sorted(found, key=lambda f: (-f[1], id_of(f[0]) if counts[f[1]] > 1 else ""))

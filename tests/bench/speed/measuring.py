"""Interleaved times of several works, and the speed of matrix products as the floor beside them.

Times are process CPU seconds on one thread. On a machine that others use too, even those change
from minute to minute; so works that are compared run in turn, and each ratio has its range.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# The largest products of a ViT-B/32 over 80 pictures: tokens by width, width by hidden width.
SHAPE = (4000, 768, 3072)


@dataclass(frozen=True)
class Work:
    """Something to be timed: `run` does as much as `units` (slates, pictures, personas) ask for."""

    run: Callable[[], object]
    units: float = 1


def interleaved(works: Mapping[str, Work], repetitions: int) -> dict[str, list[float]]:
    """Seconds a unit of every work, `repetitions` of them, after one run of each that is not
    counted. Every other repetition goes backwards, so that none always follows the same one."""
    for work in works.values():
        work.run()
    times: dict[str, list[float]] = {name: [] for name in works}
    for repetition in range(repetitions):
        for name in sorted(works, key=list(works).index, reverse=bool(repetition % 2)):
            begun = time.process_time()
            works[name].run()
            times[name].append((time.process_time() - begun) / works[name].units)
    return times


def product(dtype: torch.dtype, shape: tuple[int, int, int] = SHAPE) -> Work:
    """A matrix product; its unit is a GFLOP. Timed among the works whose floor it is to tell."""
    import torch

    rows, inner, columns = shape
    left = torch.randn(rows, inner).to(dtype)
    right = torch.randn(columns, inner).to(dtype)
    return Work(lambda: torch.nn.functional.linear(left, right), 2e-9 * rows * inner * columns)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table: seconds a unit of ours and of what it is compared with.

    `floor` is the time of the matrix products that the work needs at least, at the speed that a
    plain product reached meanwhile. `at_most` says that the goal bounds our time by the peer's.
    """

    work: str
    against: str
    unit: str
    goal: float
    at_most: bool = False
    ours: Sequence[float]
    peer: Sequence[float]
    floor: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times faster than the peer, by medians; with `at_most`, how many times its
        time."""
        ours, peer = statistics.median(self.ours), statistics.median(self.peer)
        return ours / peer if self.at_most else peer / ours

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio of one repetition."""
        pairs = zip(self.ours, self.peer, strict=True)
        ratios = [o / p if self.at_most else p / o for o, p in pairs]
        return min(ratios), max(ratios)

    @property
    def met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal

    @property
    def share(self) -> float:
        """How much of our time the matrix products alone would take."""
        return self.floor / statistics.median(self.ours)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        found = {"ratio": self.ratio, "spread": self.spread, "met": self.met, "share": self.share}
        return {**asdict(self), **found}

"""Who comes first within a bin, without a look at most of the items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvd_plugins.samplers.four_bin.cuts import Array

if TYPE_CHECKING:
    from torch import Tensor

FEW = 64  # items with high lots that are looked at first, for each that a bin may have to give


def foremost(
    values: Array, cuts: Array, lots: Tensor, most: int
) -> tuple[list[list[int]], list[int]]:
    """Each bin's first `most` members in the order of their lots, and how many members it has; for
    one slot: values and lots [N], cuts [3].

    The members with the highest lots are among the items with the highest lots; a bin that is too
    rare to have enough of these is looked at whole.
    """
    import numpy as np

    items, by_lot = len(values), lots.numpy()
    # In bin n or higher; the last is for those above the last bin.
    from_bin = [np.ones(items, bool), *(values >= cut for cut in cuts), np.zeros(items, bool)]
    held = [int(np.count_nonzero(reached)) for reached in from_bin]
    high = _sorted(np.flatnonzero(by_lot >= 1 - FEW * most / items), by_lot)
    queues, members = [], []
    for number in range(len(from_bin) - 1):
        lower, upper = from_bin[number], from_bin[number + 1]
        members.append(held[number] - held[number + 1])
        first = high[lower[high] & ~upper[high]]
        if len(first) < min(most, members[-1]):
            first = _sorted(np.flatnonzero(lower & ~upper), by_lot)
        first = first[: most + 1]
        if (by_lot[first[1:]] == by_lot[first[:-1]]).any():
            queues.append(_tied(lower & ~upper, lots, most))
        else:
            queues.append(first[:most].tolist())
    return queues, members


def _sorted(items: Array, lots: Array) -> Array:
    return items[(-lots[items]).argsort()]


def _tied(inside: Array, lots: Tensor, most: int) -> list[int]:
    """Among equal lots torch's order decides, which depends on all of the row."""
    import torch

    best = lots.where(torch.from_numpy(inside), -1.0).topk(min(most, len(lots)))
    return best.indices[best.values >= 0].tolist()

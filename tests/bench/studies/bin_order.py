"""Four-bin sampling whose slates are shown in the order of the bins, as in the published code.

    pvd run -p tests/bench/studies/bin_order.py -o sampler.use=bin-order

Only for the study of what that costs. To load this file changes how every slate of a training round
is shown, in this process: the item of the lowest bin first, the two of the top bin last, never
shuffled. What is drawn to fill a bin stands at that bin's place. Slates of the validation, and the
further orders of a slate whose answer could not be read, are shuffled as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pvd
from pvd import drawing
from pvd_plugins.samplers.four_bin import FourBin

if TYPE_CHECKING:
    from torch import Generator


@dataclass(kw_only=True)
class BinOrder(FourBin):
    """Draws what `four-bin` draws, and hands it over in the order of the bins."""

    def _filled(
        self,
        queues: list[list[int]],
        wanted: list[int],
        short: list[int],
        items: int,
        rng: Generator,
    ) -> list[int]:
        held = [min(len(queue), count) for queue, count in zip(queues, wanted, strict=True)]
        row = super()._filled(queues, wanted, short, items, rng)
        own, filling = iter(row[: sum(held)]), iter(row[sum(held) :])
        return [
            next(own) if number < there else next(filling)
            for there, count in zip(held, wanted, strict=True)
            for number in range(count)
        ]


_shuffled = drawing.Drawn.shown


def in_bin_order(drawn: drawing.Drawn, seed: int, attempt: int) -> pvd.Slate:
    """The slate as it was drawn, if it is of a training round and shown for the first time."""
    validates = drawn.origin[0] == 0
    if validates or attempt:
        return _shuffled(drawn, seed, attempt)
    return pvd.Slate(drawn.persona, drawn.items, 0)


@pvd.hookimpl
def register_samplers(register: Callable[[str, type[pvd.Sampler]], None]) -> None:
    drawing.Drawn.shown = in_bin_order  # type: ignore[method-assign]
    register("bin-order", BinOrder)

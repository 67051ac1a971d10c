"""What an audit asks: the same slates, in the same orders, of every teacher."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from pvd.drawing import Drawn, balanced, shuffled
from pvd.errors import BadInput, UsageError
from pvd.records import Item, Persona, Slate
from pvd.streams import derive, stream

FEWEST = 2  # personas between whom intervals are; slates; orders


@dataclass(frozen=True)
class Design:
    """How much is asked. Of the first `pairs` slates also every pair is asked, each once."""

    slates: int = 200
    orders: int = 3
    size: int = 5
    pairs: int | None = None  # a tenth of the slates, four at least

    @property
    def paired(self) -> int:
        """Slates whose pairs are asked."""
        wanted = max(self.slates // 10, 4) if self.pairs is None else self.pairs
        return min(wanted, self.slates) if self.size > 2 else 0

    def check(self) -> None:
        """Raise UsageError for a design that can tell nothing."""
        if self.slates < FEWEST:
            raise UsageError(f"--slates {self.slates} gives no interval; ask at least {FEWEST}.")
        if self.orders < FEWEST:
            raise UsageError(
                f"--orders {self.orders} tells neither noise nor bias from taste; each slate must "
                f"be shown in at least {FEWEST}."
            )
        if self.orders > math.factorial(self.size):
            raise UsageError(
                f"--orders {self.orders} is more than a slate of {self.size} items has; ask at "
                f"most {math.factorial(self.size)}, or raise train.size."
            )
        if self.pairs is not None and self.pairs < 0:
            raise UsageError("--pairs must not be negative; 0 asks no pairs.")


@dataclass(frozen=True)
class Sheet:
    """All questions. `slates` have their items in a fixed order; `shown` has, for each of them, the
    orders in which it is asked; `pairs`, for some, its pairs in the order of `combinations`."""

    slates: tuple[Drawn, ...]
    shown: tuple[tuple[Slate, ...], ...]
    pairs: tuple[tuple[Slate, ...], ...]

    def all(self) -> list[Slate]:
        """Every question once: slate by slate, then the pairs."""
        return [slate for some in (*self.shown, *self.pairs) for slate in some]

    def personas(self) -> list[str]:
        """The personas that are asked about, by id."""
        return list(dict.fromkeys(drawn.persona.id for drawn in self.slates))


def draw(personas: Sequence[Persona], items: Sequence[Item], design: Design, seed: int) -> Sheet:
    """Uniform slates, balanced over the personas, in orders that depend on the seed alone."""
    if len(personas) < FEWEST:
        raise BadInput(
            f"An audit needs at least {FEWEST} personas to train on, and there is "
            f"{len(personas)}; bring more."
        )
    if len(items) < design.size:
        raise BadInput(
            f"A slate of {design.size} items cannot be drawn from {len(items)} training items; "
            "bring more items or lower train.size."
        )
    people = balanced(len(personas), 0, design.slates, derive(seed, "audit"))
    slates = []
    for slot, person in enumerate(people):
        chosen = stream("audit", seed, slot).sample(range(len(items)), design.size)
        some = tuple(items[n] for n in chosen)
        slates.append(Drawn(slot, personas[person], some, (0, slot, 0)))
    shown = [
        tuple(
            shuffled(one.persona, one.items, 0, order, "audit", seed, one.slot)
            for order in range(design.orders)
        )
        for one in slates
    ]
    pairs = [
        tuple(
            shuffled(one.persona, two, 0, 0, "audit pair", seed, one.slot, two[0].id, two[1].id)
            for two in combinations(one.items, 2)
        )
        for one in slates[: design.paired]
    ]
    return Sheet(tuple(slates), tuple(shown), tuple(pairs))

"""What a teacher says of a slate. `pvd.records` shows it too, beside the records that hold it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from pvd.errors import BadInput

JSON = Mapping[str, Any]


def _position(given: Any) -> int:
    """A position in a slate, perhaps of an array or a tensor."""
    with suppress(TypeError, ValueError, OverflowError):
        if not isinstance(given, str) and (whole := int(given)) == given:
            return whole
    of_item = isinstance(given, str) or hasattr(given, "id")
    mend = "an item's is slate.items.index(item)" if of_item else "numbers go into from_utilities"
    raise ValueError(
        "from_order takes positions in the slate, 0 for the first shown, not "
        f"{getattr(given, 'id', given)!r:.40}; {mend}"
    )


@dataclass(frozen=True, slots=True)  # there are many
class Ranking:
    """One answer: an order of slate positions, counted from 0, with ties and gaps."""

    tiers: tuple[tuple[int, ...], ...]  #: best first; positions in one tier are tied
    rest: Literal["unknown", "worse"] = "unknown"  #: what a position in no tier is
    utilities: tuple[float, ...] | None = None  #: one number a position, higher is better
    kind: Literal["logprob", "score", "grade"] | None = None  #: what the utilities are
    rationale: str = ""  #: the teacher's own words
    attributes: JSON = field(default_factory=dict)  #: what else the teacher wants to be kept

    @classmethod
    def from_order(cls, order: Sequence[int]) -> Ranking:
        """A strict ranking: the slate's positions, best first. ValueError for what is none."""
        return cls(tuple((_position(one),) for one in order))

    @classmethod
    def from_utilities(
        cls,
        utilities: Sequence[float],
        kind: Literal["logprob", "score", "grade"] = "score",
    ) -> Ranking:
        """The ranking by one number a position, higher is better, equal is a tie. ValueError for
        NaN, which is neither."""
        values = tuple(float(utility) for utility in utilities)  # of an array or a tensor, too
        if any(map(math.isnan, values)):
            raise ValueError("there is NaN among the utilities; give numbers")
        tiers = tuple(
            tuple(p for p, other in enumerate(values) if other == value)
            for value in sorted(set(values), reverse=True)
        )
        return cls(tiers, utilities=values, kind=kind)

    def as_text(self) -> str:
        """It as JSON: the raw reply of a teacher that only ranks."""
        return json.dumps({f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def from_text(cls, text: str) -> Ranking:
        """What `as_text` wrote."""
        values = json.loads(text)
        values["tiers"] = tuple(tuple(tier) for tier in values["tiers"])
        if values["utilities"] is not None:
            values["utilities"] = tuple(values["utilities"])
        return cls(**values)

    def check(self, size: int) -> Ranking:
        """Itself, if every placed position is one of `size` and stands once; else BadInput."""
        for number in self.utilities or ():
            if not isinstance(number, int | float):  # JSON has no float32 of numpy's
                raise BadInput(
                    f"The ranking has {type(number).__name__} among its utilities; give Python's "
                    "numbers, as Ranking.from_utilities does."
                )
        if any(map(math.isnan, self.utilities or ())):
            raise BadInput("The ranking has NaN among its utilities; give numbers.")
        placed = [position for tier in self.tiers for position in tier]
        if (
            not placed
            or len(set(placed)) != len(placed)
            or not all(type(place) is int and 0 <= place < size for place in placed)  # no bool
            or not all(self.tiers)
        ):
            raise BadInput(
                f"The ranking {self.tiers!r} does not fit a slate of {size} items; "
                "tiers hold distinct positions, counted from 0, and none is empty."
            )
        if self.utilities is not None and len(self.utilities) != size:
            raise BadInput(
                f"The ranking has {len(self.utilities)} utilities for {size} items; "
                "give one a position."
            )
        return self

    def ranks(self, size: int) -> tuple[int | None, ...]:
        """Each position's tier, 0 the best; None where nothing is known."""
        rank: list[int | None] = [len(self.tiers) if self.rest == "worse" else None] * size
        for number, tier in enumerate(self.tiers):
            for position in tier:
                rank[position] = number
        return tuple(rank)

    def pairs(self, size: int) -> list[tuple[int, int]]:
        """The (better, worse) pairs of positions that this ranking states; a tie is no pair."""
        ranks = self.ranks(size)
        return [
            (i, j)
            for i, a in enumerate(ranks)
            for j, b in enumerate(ranks)
            if a is not None and b is not None and a < b
        ]

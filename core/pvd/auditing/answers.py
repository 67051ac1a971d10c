"""What a teacher said to the questions of an audit, as arrays that can be counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvd.auditing.asking import Said
from pvd.auditing.questions import Sheet
from pvd.records import Ranking, Slate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """Slates, orders, items: S, R, K; of pairs S' and P. What is unknown is nan."""

    said: tuple[tuple[Said, ...], ...]  # [S][R]
    personas: Numbers  # [S], numbers of the personas
    places: Numbers  # [S, R, K], where each item was shown, 0 the first
    ranks: Array  # [S, R, K], 1 the best, tied items share the mean of their ranks
    utilities: Array  # [S, R, K]
    kind: str  # of the utilities; "" where there are none
    won: Array  # [S', P], 1 if the first item of a pair was preferred, -1 the second, 0 tied
    shown: Array  # [S', P], 1 if the first item of a pair was shown first, else -1

    @property
    def size(self) -> int:
        """Items a slate."""
        return int(self.places.shape[2])

    @property
    def has_utilities(self) -> bool:
        """Whether any answer has them."""
        return bool(self.kind)


def counted(sheet: Sheet, said: Sequence[Said]) -> Answers:
    """The answers to `sheet.all()`, in its order."""
    import numpy as np

    slates, orders, size = len(sheet.slates), len(sheet.shown[0]), len(sheet.slates[0].items)
    rows = [tuple(said[n * orders : (n + 1) * orders]) for n in range(slates)]
    shape = (slates, orders, size)
    places = np.zeros(shape, dtype=np.int64)
    ranks, utilities = np.full(shape, np.nan), np.full(shape, np.nan)
    kinds = set()
    for s, (drawn, shown, answers) in enumerate(zip(sheet.slates, sheet.shown, rows, strict=True)):
        for r, (slate, answer) in enumerate(zip(shown, answers, strict=True)):
            where = _where(slate)
            places[s, r] = [where[item.id] for item in drawn.items]
            ranking = answer.ranking
            if ranking is None:
                continue
            ranks[s, r] = mid_ranks(ranking, size)[places[s, r]]
            if ranking.utilities is not None:
                utilities[s, r] = np.array(ranking.utilities)[places[s, r]]
                kinds.add(ranking.kind or "score")
    pairs = len(sheet.pairs[0]) if sheet.pairs else 0
    won, first = np.full((len(sheet.pairs), pairs), np.nan), np.ones((len(sheet.pairs), pairs))
    answers_of_pairs = iter(said[slates * orders :])
    for s, (drawn, two_by_two) in enumerate(zip(sheet.slates, sheet.pairs, strict=False)):
        place = {item.id: n for n, item in enumerate(drawn.items)}
        for p, slate in enumerate(two_by_two):
            sign = 1 if place[slate.items[0].id] < place[slate.items[1].id] else -1
            first[s, p] = sign
            ranking = next(answers_of_pairs).ranking
            if ranking is not None:
                one, other = mid_ranks(ranking, 2)
                won[s, p] = sign * np.sign(other - one)
    people = {id: n for n, id in enumerate(sheet.personas())}
    personas = np.array([people[drawn.persona.id] for drawn in sheet.slates], dtype=np.int64)
    kind = " and ".join(sorted(kinds))
    return Answers(tuple(rows), personas, places, ranks, utilities, kind, won, first)


def _where(slate: Slate) -> dict[str, int]:
    return {item.id: place for place, item in enumerate(slate.items)}


def mid_ranks(ranking: Ranking, size: int) -> Array:
    """The rank of each position, 1 the best; tied ones share their mean, unknown ones are nan. What
    is left out of a ranking whose rest is `worse` is tied at the end."""
    import numpy as np

    found = np.full(size, np.nan)
    tiers = [list(tier) for tier in ranking.tiers]
    if ranking.rest == "worse":
        placed = {position for tier in tiers for position in tier}
        tiers.append([position for position in range(size) if position not in placed])
    begun = 0
    for tier in tiers:
        found[tier] = begun + (len(tier) + 1) / 2
        begun += len(tier)
    return found

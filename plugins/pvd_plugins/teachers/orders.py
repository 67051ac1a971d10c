"""The orders in which a slate is shown, and what the answers to several of them have in common."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TypeAlias

import pvd
from pvd import kit

# What one answer says of a slate's own positions, whatever order it was shown in: each one's tier,
# 0 the best, None where nothing is known.
Ranks: TypeAlias = tuple[int | None, ...]

TRIES = 100  # Latin squares that are drawn before an order may come again


def by_lot(slate: pvd.Slate, count: int, seed: int) -> list[list[int]]:
    """`count` orders of the slate's positions: its own, then random ones. More of them begin with
    the same, so that what was asked in three orders is not asked again in five."""
    found = [list(range(len(slate.items)))]
    for number in range(1, count):
        order = list(found[0])
        # Another name here would ask, and pay, again for what was answered in these orders.
        lot = kit.stream("consistent", seed, number, *_key(slate))
        lot.shuffle(order)
        # The same order again would bring the same answer again; a pair has only two.
        while order in found and len(found) < math.factorial(len(order)):
            lot.shuffle(order)
        found.append(order)
    return found


def balanced(slate: pvd.Slate, count: int, seed: int) -> list[list[int]]:
    """`count` orders, the slate's own first, in which no item is at a place twice before it was at
    all of them: of every K orders of K items each is once at each place, and a favourite place
    favours all alike. They are rows of Latin squares: cyclic shifts of a random permutation.
    """
    own = list(range(len(slate.items)))
    found: list[list[int]] = []
    for number in range(math.ceil(count / max(len(own), 1))):
        lot = kit.stream("balanced", seed, number, *_key(slate))
        for _ in range(TRIES):
            first = lot.sample(own, len(own)) if number else own
            square = _square(first, lot.sample(own, len(own)))
            if all(row not in found for row in square):
                break
        found += square
    return found[:count]


def _square(first: Sequence[int], cycle: Sequence[int]) -> list[list[int]]:
    """The Latin square whose rows show `first` with its places moved on along the cycle, 0, 1 ..
    steps; plain shifts would keep neighbours neighbours."""
    size = len(first)
    step = {place: number for number, place in enumerate(cycle)}
    return [
        [first[cycle[(step[place] + shift) % size]] for place in range(size)]
        for shift in range(size)
    ]


def _key(slate: pvd.Slate) -> tuple[int | str, ...]:
    return (slate.persona.id, slate.repeat, *(item.id for item in slate.items))


def shown(slate: pvd.Slate, order: Sequence[int]) -> pvd.Slate:
    """The slate with its items in this order."""
    return pvd.Slate(slate.persona, tuple(slate.items[p] for p in order), slate.repeat)


def said(orders: Sequence[Sequence[int]], rankings: Iterable[pvd.Ranking]) -> list[Ranks]:
    """What the answers to these orders say of the slate's own positions."""
    found = []
    for order, ranking in zip(orders, rankings, strict=True):
        ranks: list[int | None] = [None] * len(order)
        for position, rank in zip(order, ranking.ranks(len(order)), strict=True):
            ranks[position] = rank
        found.append(tuple(ranks))
    return found


def tiers(ranks: Ranks) -> list[list[int]]:
    """The ranks as tiers of positions, best first, as JSON knows them."""
    known = sorted({rank for rank in ranks if rank is not None})
    return [[p for p, rank in enumerate(ranks) if rank == value] for value in known]


def agreement(answers: Sequence[Ranks]) -> float | None:
    """Kendall's tau-b (Kendall 1945), the mean over all pairs of answers: 1 the same, 0 by luck,
    -1 reversed. A pair counts by the items that both placed; None if no two can be compared."""
    found = [tau for pair in combinations(answers, 2) if (tau := _tau(*pair)) is not None]
    return math.fsum(found) / len(found) if found else None


def _tau(one: Ranks, other: Ranks) -> float | None:
    both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    signs = [(_sign(a - c), _sign(b - d)) for (a, b), (c, d) in combinations(both, 2)]
    told = sum(a * a for a, _ in signs) * sum(b * b for _, b in signs)
    return sum(a * b for a, b in signs) / math.sqrt(told) if told else None


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def rounded(number: float | None) -> float | None:
    """An agreement or a weight for a record that people read."""
    return None if number is None else round(number, 4)

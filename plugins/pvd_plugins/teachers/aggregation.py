"""Several answers to one slate become one utility an item, which reflects how sure they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations, pairwise, permutations
from typing import Literal

import pvd
from pvd_plugins.teachers.orders import Ranks

LARGEST = 6  # items of a slate, all whose 720 orders are tried
PRIOR = 0.5  # choices that each item has won beforehand
CLOSE = 1e-10  # change of a log strength at which the fit is done
DIGITS = 6  # of a fitted utility; equal to so many is a tie


def ranking(
    utilities: Mapping[int, float], size: int, kind: Literal["logprob", "score"]
) -> pvd.Ranking:
    """The ranking by the utilities of the items that somebody placed. What nobody placed stays
    unknown, to call it worse would be our invention, and then no item gets a utility."""
    whole = len(utilities) == size
    tiers = tuple(
        tuple(p for p in sorted(utilities) if utilities[p] == value)
        for value in sorted(set(utilities.values()), reverse=True)
    )
    return pvd.Ranking(
        tiers,
        utilities=tuple(utilities[p] for p in range(size)) if whole else None,
        kind=kind if whole else None,
    )


def placed(answers: Sequence[Ranks]) -> list[int]:
    """The positions that at least one answer places."""
    return [p for p, ranks in enumerate(zip(*answers, strict=True)) if set(ranks) != {None}]


def borda(answers: Sequence[Ranks]) -> dict[int, float]:
    """Minus the mean rank, over the answers that place the item; the unit is one place."""
    found = {}
    for position, ranks in enumerate(zip(*answers, strict=True)):
        known = [rank for rank in ranks if rank is not None]
        if known:
            found[position] = -sum(known) / len(known)
    return found


def kemeny(answers: Sequence[Ranks]) -> dict[int, float]:
    """From the order that contradicts the answers in the fewest pairs (Kemeny 1959), by trying all.

    Going down that order, the utility falls from 0 by each neighbours' margin: the share of the
    answers that say so minus the share that says otherwise, of those that place both. It is never
    negative, or the two would stand the other way round. So the unit is one place that nobody
    disputes. Where several orders are best, the mean over all of them counts: items that may as
    well stand one way as the other are tied, and no order of the input decides.
    """
    items = placed(answers)
    before = {
        (a, b): sum(
            ranks[a] < ranks[b]  # type: ignore[operator]
            for ranks in answers
            if ranks[a] is not None and ranks[b] is not None
        )
        for a, b in permutations(items, 2)
    }
    together = {
        pair: sum(all(ranks[p] is not None for p in pair) for ranks in answers) for pair in before
    }
    fewest = math.inf
    best: list[tuple[int, ...]] = []
    for order in permutations(items):
        against = sum(before[b, a] for a, b in combinations(order, 2))
        if against <= fewest:
            best = [order] if against < fewest else [*best, order]
            fewest = against
    sums = dict.fromkeys(items, Fraction(0))
    for order in best:
        height = Fraction(0)
        for pair in pairwise(order):
            margin = before[pair] - before[pair[::-1]]
            height -= Fraction(margin, max(together[pair], 1))
            sums[pair[1]] += height
    return {position: float(total / len(best)) for position, total in sums.items()}


def plackett_luce(answers: Sequence[Ranks]) -> dict[int, float]:
    """The log probability that an item is the best of all, under the fitted Plackett-Luce model.

    Each item is chosen with a probability proportional to its strength from those that stand no
    higher, in its own tier too (Breslow's treatment of ties, as in the loss `plackett-luce`); the
    last tier is no choice. The strengths are fitted by minorise-maximise (Hunter 2004; what the
    spectral method of Maystre & Grossglauser 2015 converges to, but for the prior). They have a
    Gamma(3/2, 1/2) prior (Caron & Doucet 2012), as if each had won half a choice before: one that
    always wins stays finite, and of two items the log odds are log((w + 1/2) / (l + 1/2)) after w
    and l wins.
    """
    items = placed(answers)
    choices = [choice for ranks in answers for choice in _choices(ranks)]
    won = {p: PRIOR + sum(winner == p for winner, _ in choices) for p in items}
    strengths, change = dict.fromkeys(items, 1.0), math.inf
    while change > CLOSE:
        chances = dict.fromkeys(items, PRIOR)
        for _, among in choices:
            share = 1 / math.fsum(strengths[p] for p in among)
            for p in among:
                chances[p] += share
        before, strengths = strengths, {p: won[p] / chances[p] for p in items}
        change = max(abs(math.log(strengths[p] / before[p])) for p in items)
    total = math.fsum(strengths.values())
    return {p: round(math.log(strength / total), DIGITS) for p, strength in strengths.items()}


def _choices(ranks: Ranks) -> list[tuple[int, list[int]]]:
    """(chosen, among which) of one answer."""
    known = {p: rank for p, rank in enumerate(ranks) if rank is not None}
    last = max(known.values(), default=0)
    return [
        (p, [other for other, rank in known.items() if rank >= own])
        for p, own in known.items()
        if own < last
    ]


def comparisons(answers: Sequence[Ranks], weights: Sequence[float]) -> dict[int, float]:
    """The weighted share of the comparisons with the other items that an item wins, minus the share
    that it loses: -1 to 1, the mean over the others that it is compared with, each by the answers
    that place both. Strict, whole rankings of equal weight are ordered as by `borda`; but answers
    that tie more, or leave more out, than others do lose no weight by it.
    """
    items = placed(answers)
    found = {}
    for one in items:
        margins = []
        for other in items:
            votes = [
                (weight, (b > a) - (b < a))
                for weight, ranks in zip(weights, answers, strict=True)
                if (a := ranks[one]) is not None and (b := ranks[other]) is not None
            ]
            total = math.fsum(weight for weight, _ in votes)
            if other != one and total:
                margins.append(math.fsum(weight * vote for weight, vote in votes) / total)
        found[one] = round(math.fsum(margins) / max(len(margins), 1), DIGITS)
    return found

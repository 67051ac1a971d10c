"""The tournament: single elimination finds the item that the judge likes best for each persona."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pvd.asking import Desk
from pvd.drawing import shuffled
from pvd.protocols import Teacher
from pvd.records import Item, Judgment, Persona, Slate
from pvd.streams import stream


@dataclass(frozen=True)
class Bracket:
    """How one persona's tournament ended; no winner if a group brought no answer."""

    persona: Persona  #: whose it is
    winner: Item | None  #: the judge's best
    judgments: tuple[Judgment, ...]  #: of all its groups, round by round


def questions(items: int, group: int) -> int:
    """How many groups one persona's tournament has."""
    count = 0
    while items > 1:
        groups, left = divmod(items, group)
        count += groups + (left > 1)
        items = groups + (left > 0)
    return count


def rounds(items: int, group: int) -> int:
    """How many rounds one persona's tournament has, each waiting for the answers of the last."""
    count = 0
    while items > 1:
        items, count = -(-items // group), count + 1
    return count


def play(
    desk: Desk,
    judge: Teacher,
    personas: Sequence[Persona],
    items: Sequence[Item],
    *,
    group: int,
    seed: int,
    repeat: int = 0,
    shared: bool = False,
) -> list[Bracket]:
    """Independent brackets, one a persona, played side by side so that calls can be batched.

    In each round the survivors are shuffled and divided into groups; a lone one gets a bye. Among
    items tied at the top of a group the lot decides. A group without an answer voids its bracket:
    to crown anyone would be a guess. `shared`: the first round's groups, and the order in which
    they are shown, are the same for all; a judge's liking for a place falls on the same items then.
    """
    alive: list[list[Item]] = [list(items) for _ in personas]
    kept: list[list[Judgment]] = [[] for _ in personas]
    void: set[int] = set()
    number = 0
    while any(len(left) > 1 for left in alive):
        matches: list[tuple[int, int, list[Item]]] = []  # bracket, group, its items
        for bracket, left in enumerate(alive):
            whose = "" if shared and not number else personas[bracket].id
            stream("bracket", seed, whose, repeat, number).shuffle(left)
            groups = [left[start : start + group] for start in range(0, len(left), group)]
            if bracket not in void and len(left) > 1:
                matches += [(bracket, g, members) for g, members in enumerate(groups)]
        contested = [match for match in matches if len(match[2]) > 1]
        answers = iter(
            desk.judgments(
                judge, len(contested), _show(contested, personas, number, seed, repeat, shared)
            )
        )
        winners: dict[int, list[Item]] = {}
        for bracket, g, members in matches:
            champion: Item | None = members[0]
            if len(members) > 1:
                judgment = next(answers)
                champion = None
                if judgment is not None:
                    kept[bracket].append(judgment)
                    key = ("tie", seed, personas[bracket].id, repeat, number, g)
                    champion = top(judgment, *key)
            if champion is None:
                void.add(bracket)
            else:
                winners.setdefault(bracket, []).append(champion)
        for bracket in range(len(alive)):
            if bracket in void:
                alive[bracket] = []
            elif bracket in winners:
                alive[bracket] = winners[bracket]
        number += 1
    return [
        Bracket(persona, left[0] if left else None, tuple(judgments))
        for persona, left, judgments in zip(personas, alive, kept, strict=True)
    ]


def top(judgment: Judgment, *key: int | str) -> Item:
    """The best item of a judged slate; among tied ones by lot, from the key."""
    best = sorted(judgment.ranking.tiers[0], key=lambda p: judgment.slate.items[p].id)
    return judgment.slate.items[stream(*key).choice(best)]


def _show(
    contested: Sequence[tuple[int, int, list[Item]]],
    personas: Sequence[Persona],
    number: int,
    seed: int,
    repeat: int,
    shared: bool,
) -> Callable[[int, int], Slate]:
    def show(match: int, attempt: int) -> Slate:
        bracket, group, members = contested[match]
        persona = personas[bracket]
        whose = "" if shared and not number else persona.id
        return shuffled(persona, members, repeat, attempt, seed, whose, repeat, number, group)

    return show

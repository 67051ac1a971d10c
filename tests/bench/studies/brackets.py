"""Ways to hold the exam: which questions the judge is asked, and whom it crowns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import metering
import narrowing
import numpy as np
import numpy.typing as npt
from exams import Hall

from pvd import Reply, Request, Slate, Teacher, tournament
from pvd.asking import Desk, opened
from pvd.folder import read_json, write_json
from pvd.records import Judgment
from pvd.streams import derive
from pvd.tournament import Bracket

Grid = npt.NDArray[np.float64]
Play = Callable[[Hall, Teacher, int], list[Bracket]]
GROUP = 5


@dataclass(frozen=True)
class Way:
    """One way; `brackets` times, each time with other lots and other noise of the judge."""

    label: str
    play: Play
    brackets: int
    metered: bool = True
    groups: int | None = None  # of a first round that personas may share; what follows is their own


@dataclass(frozen=True)
class Sat:
    """An exam that was held: [B, P] who won, as indices of the items; and what it cost."""

    winners: npt.NDArray[np.int64]
    questions: float  # mean over the brackets
    tokens: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # of the first bracket


class Asked:
    """A desk without a store, for a simulated judge alone: what it says costs nothing to ask again,
    and millions of answers are asked here."""

    def judgments(
        self, judge: Teacher, count: int, show: Callable[[int, int], Slate], direct: bool = False
    ) -> list[Judgment | None]:
        """The judgments of so many questions, in their order."""
        assert judge.capabilities.simulated
        requests = [Request(show(number, 0), {}) for number in range(count)]
        return [
            self._read(judge, request, reply)
            for request, reply in zip(requests, judge.answer(requests), strict=True)
        ]

    @staticmethod
    def _read(judge: Teacher, request: Request, reply: Reply) -> Judgment:
        return Judgment(request.slate, judge.read(request, reply), "", reply, judge.label, "")


DESK = cast(Desk, Asked())


def hold(hall: Hall, way: Way, judge: Teacher, noise: str, folder: Path) -> Sat:
    """Play it, or read how it was played. `noise` names the judge: each has its own."""
    path = folder / f"{way.label}.json".replace(" ", "-").replace("/", "-")
    if path.exists():
        found = read_json(path)
        return Sat(np.array(found["winners"]), found["questions"], found["tokens"])
    place = {item.id: number for number, item in enumerate(hall.sitting()[1])}
    winners, asked, tokens = [], [], {}
    for number in range(way.brackets):
        with opened(judge, derive(0, "judge", noise, number) % 2**32) as ready:
            played = way.play(hall, ready, number)
        winners.append([place[won(bracket).id] for bracket in played])
        asked.append(sum(len(bracket.judgments) for bracket in played))
        if not number and way.metered:
            tokens = {k: vars(metering.bill(k, rounds(played, way))) for k in metering.PROTOCOLS}
    questions = float(np.mean(asked))
    write_json(path, {"winners": winners, "questions": questions, "tokens": tokens})
    return Sat(np.array(winners), questions, tokens)


def won(bracket: Bracket) -> Any:
    assert bracket.winner is not None, "simulated judges answer"
    return bracket.winner


def rounds(played: Sequence[Bracket], way: Way) -> list[list[Slate]]:
    """The questions of the first round, and of all that follow; what follows shares nothing."""
    first = way.groups or 0
    return [
        [j.slate for bracket in played for j in bracket.judgments[:first]],
        [j.slate for bracket in played for j in bracket.judgments[first:]],
    ]


# --- ways -------------------------------------------------------------------------------------


def full(group: int = GROUP) -> Play:
    """All items, brackets of each persona's own."""

    def play(hall: Hall, judge: Teacher, number: int) -> list[Bracket]:
        people, items = hall.sitting()
        seed = derive(hall.seed, "bracket", number)
        return tournament.play(DESK, judge, people, items, group=group, seed=seed)

    return play


def shared(brackets: int) -> Play:
    """First rounds that are the same for all personas, or for each of several parts of them."""

    def play(hall: Hall, judge: Teacher, number: int) -> list[Bracket]:
        people, items = hall.sitting()
        found: dict[int, Bracket] = {}
        for part in range(brackets):
            own = range(part, len(people), brackets)
            seed = derive(hall.seed, "bracket", number, part)
            played = tournament.play(
                DESK,
                judge,
                [people[n] for n in own],
                items,
                group=GROUP,
                seed=seed,
                shared=True,
            )
            found |= dict(zip(own, played, strict=True))
        return [found[n] for n in range(len(people))]

    return play


def narrow(scores: Grid, first: int, rest: int) -> Play:
    """Only the `first` best items of each persona by these scores, and `rest` others by lot."""

    def play(hall: Hall, judge: Teacher, number: int) -> list[Bracket]:
        people, items = hall.sitting()
        seed = derive(hall.seed, "bracket", number)
        chosen = narrowing.narrowed(scores, first, rest, seed)
        return [
            tournament.play(
                DESK, judge, [persona], [items[n] for n in own], group=GROUP, seed=seed
            )[0]
            for persona, own in zip(people, chosen, strict=True)
        ]

    return play

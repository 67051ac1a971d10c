"""The exam: held-out personas x held-out items; every system sits the same one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pvd import estimates, tournament
from pvd.asking import Desk
from pvd.catalog import bounded
from pvd.errors import BadInput, PartialResult
from pvd.isolation import checks
from pvd.isolation.origin import broken, is_ours, place_known
from pvd.metrics import RANKS, is_own
from pvd.protocols import Evaluator, Teacher
from pvd.records import Estimate, Exam, Item, Persona
from pvd.scoring import cosines
from pvd.settings import ExamSettings
from pvd.streams import derive, generator, stream
from pvd.tournament import Bracket

if TYPE_CHECKING:
    from torch import Tensor

Number = TypeVar("Number")
CONTROLS = ("zero-shot", "persona-blind", "shuffled-persona")


@dataclass(frozen=True)
class Paper:
    """The questions and their answers: what every system is measured against."""

    personas: tuple[Persona, ...]  #: P, those whose tournament has a winner
    items: tuple[Item, ...]  #: N
    winners: tuple[int, ...]  #: an index into items for each persona
    utilities: Tensor | None  #: [P, N], the judge's own noise-free ones, if it knows them
    judgments: int  #: of all tournaments
    lost: int  #: personas whose tournament was void
    #: how often a repeated tournament ends with the same winner, if any was repeated
    stability: Mapping[str, Any] | None


def prepare(
    desk: Desk,
    judge: Teacher,
    personas: Sequence[Persona],
    items: Sequence[Item],
    settings: ExamSettings,
    seed: int,
    failures: float,
) -> tuple[Paper, list[Bracket]]:
    """Play the tournaments. Nothing here depends on a student, so the exam can be asked first."""
    people, shelf = chosen(personas, items, settings, seed)
    if len(shelf) < 2:
        raise BadInput(f"The exam has {len(shelf)} held-out items; it needs at least 2.")
    shared = settings.first_round == "shared"
    brackets = tournament.play(
        desk, judge, people, shelf, group=settings.group, seed=seed, shared=shared
    )
    place = {item.id: number for number, item in enumerate(shelf)}
    won = [(b.persona, place[b.winner.id]) for b in brackets if b.winner is not None]
    lost = len(brackets) - len(won)
    played = sum(len(bracket.judgments) for bracket in brackets)
    if not won or lost > failures * (played + lost):
        raise PartialResult(
            f"{lost} of {len(brackets)} tournaments have a group without an answer, more than "
            f"ask.failures allows; the last reason: {desk.last_failure}."
        )
    sitting = tuple(persona for persona, _ in won)
    repeats: list[Bracket] = []
    for repeat in range(1, settings.repeats + 1):
        some = bounded(sitting, settings.repeat_personas, derive(seed, "repeat"))
        repeats += tournament.play(
            desk,
            judge,
            some,
            shelf,
            group=settings.group,
            seed=seed,
            repeat=repeat,
            shared=shared,
        )
    winners = tuple(index for _, index in won)
    paper = Paper(
        personas=sitting,
        items=shelf,
        winners=winners,
        utilities=known_utilities(judge, sitting, shelf),
        judgments=sum(len(bracket.judgments) for bracket in brackets + repeats),
        lost=lost,
        stability=_stability(repeats, {p.id: shelf[w] for p, w in won}),
    )
    return paper, brackets + repeats


def chosen(
    personas: Sequence[Persona], items: Sequence[Item], settings: ExamSettings, seed: int
) -> tuple[tuple[Persona, ...], tuple[Item, ...]]:
    """Who sits the exam, and among which items: of those held out, as many as the settings want."""
    return (
        bounded(personas, settings.personas, derive(seed, "personas")),
        bounded(items, settings.items, derive(seed, "items")),
    )


def questions(personas: int, items: int, settings: ExamSettings) -> int:
    """How many slates the judge is asked at most."""
    people = min(personas, settings.personas or personas)
    shelf = min(items, settings.items or items)
    again = settings.repeats * min(people, settings.repeat_personas)
    return (people + again) * tournament.questions(shelf, settings.group)


def known_utilities(
    judge: Teacher, personas: Sequence[Persona], items: Sequence[Item]
) -> Tensor | None:
    """[P, N], the judge's own noise-free utilities, if it knows them."""
    rows = []
    for persona in personas:
        row = judge.utilities(persona, items)
        if row is None:
            return None
        rows.append(row)
    return checks.utilities(judge, rows, len(items))


def _stability(repeats: Sequence[Bracket], first: Mapping[str, Item]) -> dict[str, Any] | None:
    again = [(b.persona, b.winner) for b in repeats if b.winner is not None]
    if not again:
        return None
    same = sum(winner.id == first[persona.id].id for persona, winner in again)
    return {"tournaments": len(again), "same": same / len(again)}


def systems(
    paper: Paper,
    *,
    texts: Tensor,
    before: Tensor,
    after: Tensor,
    mean_persona: Tensor,
    seed: int,
) -> dict[str, Tensor]:
    """[P, N] scores of each system. `texts` [P, D]; `before` and `after` [N, D] are the items as
    the untrained and the distilled student embed them; `mean_persona` [D] is the mean training
    persona, the same query for everybody.
    """
    import torch

    count = len(paper.personas)
    other = derangement(count, seed)
    found = {
        "random": torch.rand(count, len(paper.items), generator=generator("random", seed)),
        "zero-shot": cosines(texts, before),
        "persona-blind": cosines(mean_persona.expand(count, -1), after),
        "shuffled-persona": cosines(texts[other], after),
        "distilled": cosines(texts, after),
    }
    if paper.utilities is not None:
        found["oracle"] = paper.utilities
    return found


def derangement(count: int, seed: int) -> list[int]:
    """A shuffled order in which nobody keeps their place: each is given the next one's."""
    order = list(range(count))
    stream("derangement", seed).shuffle(order)
    place = [0] * count
    for here, there in zip(order, order[1:] + order[:1], strict=True):
        place[here] = there
    return place


def evaluate(
    paper: Paper, scores: Mapping[str, Tensor], evaluators: Sequence[Evaluator], seed: int
) -> dict[str, dict[str, Estimate]]:
    """Every number of every system; the numbers keep one value a persona."""
    results: dict[str, dict[str, Estimate]] = {}
    for system, matrix in scores.items():
        sat = Exam(
            system=system,
            personas=paper.personas,
            items=paper.items,
            scores=matrix,
            winners=paper.winners,
            utilities=paper.utilities,
            seed=derive(seed, "bootstrap"),
        )
        results[system] = _together((one, _checked(one, sat)) for one in evaluators)
    return results


def _checked(evaluator: Evaluator, sat: Exam) -> Mapping[str, Estimate]:
    """What it found. Headlines and gains rest on percentile ranks, so of those none may lack."""
    found = checks.estimates(evaluator, evaluator.evaluate(sat))
    for name in RANKS:
        if name not in found:
            continue
        values = len(found[name].values) - found[name].missing
        if values != len(sat.personas):
            raise broken(
                evaluator,
                f"returned {name!r} with {values} values from evaluate",
                f"it must have one for each of the {len(sat.personas)} personas",
            )
    return found


def chance(evaluators: Sequence[Evaluator], items: int) -> dict[str, float]:
    """What a ranking by lot gets among so many items, by the names of `evaluate`; BadInput where
    two evaluators have a name in common."""
    return _together((one, one.chance(items)) for one in evaluators)


def _together(numbers: Iterable[tuple[Evaluator, Mapping[str, Number]]]) -> dict[str, Number]:
    """The numbers of all evaluators: none may take the place of another."""
    found: dict[str, Number] = {}
    whose: dict[str, str] = {}
    for evaluator, own in numbers:
        for name, number in _named(evaluator, own).items():
            if name in found:
                raise BadInput(
                    f"The evaluators {whose[name]} and {evaluator.label} both bring {name!r}; "
                    "leave one out, or let one of them use another name."
                )
            found[name], whose[name] = number, evaluator.label
    return found


def _named(evaluator: Evaluator, numbers: Mapping[str, Number]) -> dict[str, Number]:
    """A plug-in's numbers by their names in results. Where one is called like ours, as nDCG@10 by
    somebody's own labels may be, the plug-in's name comes before it; percentile ranks keep theirs,
    since another evaluator may bring them in place of ours."""
    if is_ours(place_known(evaluator)):
        return dict(numbers)
    return {
        name if is_own(name) or name in RANKS else f"{evaluator.label} {name}": number
        for name, number in numbers.items()
    }


def gains(
    results: Mapping[str, Mapping[str, Estimate]], personas: int, seed: int
) -> dict[str, dict[str, Estimate]]:
    """What the distilled student gains over each control, paired over those of so many personas who
    have a value in both; nothing where it is not known whose values these are, or nobody has both.
    """
    ours = results["distilled"]
    return {
        control: {
            name: estimates.difference(ours[name], theirs, derive(seed, "bootstrap"))
            for name, theirs in results[control].items()
            if name in ours and _paired(ours[name], theirs, personas)
        }
        for control in CONTROLS
    }


def _paired(one: Estimate, other: Estimate, personas: int) -> bool:
    if not len(one.values) == len(other.values) == personas:
        return False
    return any(None not in pair for pair in zip(one.values, other.values, strict=True))

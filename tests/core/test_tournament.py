"""The tournament finds the truth, asks what it says it asks, and favours nobody."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from scipy.stats import chisquare

from pvd import Item, Judgment, Persona, Ranking, Reply, Request, Slate, kit
from pvd.asking import Desk
from pvd.store import Store
from pvd.streams import stream
from pvd.testing import items, personas
from pvd.tournament import Bracket, play, questions, top
from pvd_plugins.teachers.simulated import Simulated

SIZES = (2, 3, 4, 5, 6, 7, 11, 25, 26, 31, 60)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Store(tmp_path / "answers.sqlite") as store:
        yield Desk(store)


def shop(count: int) -> tuple[Item, ...]:
    """Items that differ in two columns: their number, and its last bit."""
    return tuple(
        Item(f"i{n:02}", Path("none.png"), attributes={"number": str(n), "odd": str(n % 2)})
        for n in range(count)
    )


def people(count: int, shelf: Sequence[Item]) -> list[Persona]:
    """Personas each with a strict order of all items, by lot."""
    found = []
    for number in range(count):
        order = list(range(len(shelf)))
        stream("tastes", number).shuffle(order)
        tastes = {f"number={n}": place / 7 for place, n in enumerate(order)}
        found.append(Persona(f"p{number}", "somebody", {"tastes": tastes}))
    return found


def indifferent(count: int) -> list[Persona]:
    """Personas to whom all items are the same."""
    return [Persona(f"p{n}", "anybody", {"tastes": {"none=such": 1.0}}) for n in range(count)]


def best(judge: Simulated, persona: Persona, shelf: Sequence[Item]) -> set[str]:
    utilities = judge.utilities(persona, shelf)
    return {item.id for item, u in zip(shelf, utilities, strict=True) if u == max(utilities)}


def orders(bracket: Bracket) -> list[list[str]]:
    return [[item.id for item in judgment.slate.items] for judgment in bracket.judgments]


# --- the winner -------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [2, 5])
@pytest.mark.parametrize("count", SIZES)
def test_without_noise_the_best_wins_for_everybody(desk: Desk, count: int, group: int) -> None:
    shelf = shop(count)
    judge = Simulated(noise=0)

    for bracket in play(desk, judge, people(5, shelf), shelf, group=group, seed=3):
        assert bracket.winner is not None
        assert {bracket.winner.id} == best(judge, bracket.persona, shelf)


@pytest.mark.parametrize("group", [2, 5])
@pytest.mark.parametrize("count", [3, 12, 40])
def test_without_noise_one_of_several_best_wins(desk: Desk, count: int, group: int) -> None:
    shelf = items(count)  # four colours in two sizes: most utilities occur often
    judge = Simulated(noise=0)

    for bracket in play(desk, judge, personas(4), shelf, group=group, seed=3):
        assert bracket.winner is not None
        assert bracket.winner.id in best(judge, bracket.persona, shelf)


def test_one_item_wins_unasked(desk: Desk) -> None:
    (bracket,) = play(desk, Simulated(), people(1, shop(1)), shop(1), group=5, seed=0)

    assert bracket.winner == shop(1)[0]
    assert bracket.judgments == ()
    assert desk.usage.asked == 0


# --- how much is asked ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "group", "expected"),
    [
        (1, 5, 0),
        (2, 5, 1),
        (5, 5, 1),
        (6, 5, 2),  # 5 + a bye, then 2
        (7, 5, 3),  # 5 + 2, then 2
        (25, 5, 6),  # 5 groups, then 1
        (26, 5, 7),  # 5 groups + a bye, then 5 + a bye, then 2
        (60, 5, 16),  # 12 groups, then 5 + 5 + 2, then 3
        (3, 2, 2),
        (4096, 2, 4095),  # every question of two sends one home
        # 819 groups + a bye; 820 = 164 * 5; 32 * 5 + 4; 6 * 5 + 3; 5 + 2; 2
        (4096, 5, 819 + 164 + 33 + 7 + 2 + 1),
    ],
)
def test_the_number_of_questions_by_hand(count: int, group: int, expected: int) -> None:
    assert questions(count, group) == expected


@pytest.mark.parametrize("group", [2, 3, 5])
@pytest.mark.parametrize("count", SIZES)
def test_exactly_that_is_asked(desk: Desk, count: int, group: int) -> None:
    shelf = shop(count)

    brackets = play(desk, Simulated(), people(3, shelf), shelf, group=group, seed=1)

    assert [len(b.judgments) for b in brackets] == [questions(count, group)] * 3
    assert desk.usage.asked == 3 * questions(count, group)


def test_a_lone_survivor_gets_a_bye_and_is_asked_about_later(desk: Desk) -> None:
    shelf = shop(6)

    for bracket in play(desk, Simulated(), people(20, shelf), shelf, group=5, seed=0):
        first, second = (set(ids) for ids in orders(bracket))
        (bye,) = {item.id for item in shelf} - first
        assert (len(first), len(second)) == (5, 2)
        assert bye in second


def test_the_lot_gives_the_byes(desk: Desk) -> None:
    shelf = shop(6)
    byes = Counter(
        next(iter({item.id for item in shelf} - set(orders(bracket)[0])))
        for bracket in play(desk, Simulated(), people(300, shelf), shelf, group=5, seed=0)
    )

    assert chisquare([byes[item.id] for item in shelf]).pvalue > 0.01  # 50 expected of each


# --- questions without an answer ----------------------------------------------------------------


@dataclass(kw_only=True)
class Reticent(Simulated):
    """Tells the truth, but says nothing readable about some slates."""

    noise: float = 0.0
    refuses: Callable[[Slate], bool] = lambda slate: False

    def read(self, request: Request, reply: Reply) -> Ranking:
        if self.refuses(request.slate):
            raise kit.Malformed("no comment")
        return super().read(request, reply)


def test_a_group_without_an_answer_voids_its_bracket_alone(desk: Desk) -> None:
    shelf = shop(25)
    judge = Reticent(refuses=lambda slate: slate.persona.id == "p1" and shelf[7] in slate.items)

    brackets = play(desk, judge, people(3, shelf), shelf, group=5, seed=0)

    assert [bracket.winner is None for bracket in brackets] == [False, True, False]
    # Four of five groups were answered, and nothing more was asked for that persona.
    assert [len(bracket.judgments) for bracket in brackets] == [6, 4, 6]
    assert desk.usage.failed == 1


def test_a_final_without_an_answer_has_no_winner(desk: Desk) -> None:
    shelf = shop(25)
    crowd = people(1, shelf)
    (whole,) = play(desk, Reticent(), crowd, shelf, group=5, seed=0)
    final = set(orders(whole)[-1])
    judge = Reticent(refuses=lambda slate: {item.id for item in slate.items} == final)

    (bracket,) = play(desk, judge, crowd, shelf, group=5, seed=0)

    assert whole.winner is not None
    assert bracket.winner is None
    assert orders(bracket) == orders(whole)[:5]


# --- ties ---------------------------------------------------------------------------------------


def test_ties_are_broken_by_lot(desk: Desk) -> None:
    shelf = shop(5)
    crowd = indifferent(500)

    brackets = play(desk, Simulated(noise=0), crowd, shelf, group=5, seed=0)

    won = Counter(bracket.winner.id for bracket in brackets if bracket.winner)
    assert chisquare([won[item.id] for item in shelf]).pvalue > 0.01  # 100 expected of each


def test_a_tie_of_a_whole_tournament_is_fair_too(desk: Desk) -> None:
    # 6 items, groups of 5: the chance of the bye and the final, or of the group and the final, is
    # = 1/6 * 1/2 + 5/6 * 1/5 * 1/2 = 1/6 for every item.
    shelf = shop(6)

    brackets = play(desk, Simulated(noise=0), indifferent(600), shelf, group=5, seed=0)

    won = Counter(bracket.winner.id for bracket in brackets if bracket.winner)
    assert chisquare([won[item.id] for item in shelf]).pvalue > 0.01  # 100 expected of each


def judged(shelf: Sequence[Item], ranking: Ranking) -> Judgment:
    slate = Slate(indifferent(1)[0], tuple(shelf))
    return Judgment(slate, ranking, "", Reply(""), "", "")


def test_the_lot_falls_among_the_top_tier_whatever_the_order_shown() -> None:
    shelf = shop(4)
    straight = judged(shelf, Ranking(((1, 3), (0, 2))))
    swapped = judged(shelf, Ranking(((3, 1), (2, 0))))
    turned = judged(shelf[::-1], Ranking(((0, 2), (1, 3))))  # places 0 and 2 are items 3 and 1

    for key in range(40):
        winner = top(straight, "tie", key).id
        assert winner == top(swapped, "tie", key).id == top(turned, "tie", key).id
    assert {top(straight, "tie", key).id for key in range(40)} == {"i01", "i03"}


# --- determinism --------------------------------------------------------------------------------


def test_the_same_seed_plays_the_same_tournament(tmp_path: Path) -> None:
    shelf = shop(26)
    played = []
    for name in ("one", "other"):
        with Store(tmp_path / name) as store:
            played.append(play(Desk(store), Simulated(), people(4, shelf), shelf, group=5, seed=8))

    assert [orders(b) for b in played[0]] == [orders(b) for b in played[1]]
    assert [b.winner for b in played[0]] == [b.winner for b in played[1]]


def test_a_bracket_does_not_depend_on_who_else_plays(desk: Desk) -> None:
    shelf = shop(26)
    crowd = people(4, shelf)

    together = play(desk, Simulated(), crowd, shelf, group=5, seed=8)
    (alone,) = play(desk, Simulated(), crowd[2:3], shelf, group=5, seed=8)

    assert orders(alone) == orders(together[2])
    assert alone.winner == together[2].winner


def test_another_repeat_or_seed_plays_another_bracket(desk: Desk) -> None:
    shelf = shop(26)
    person = people(1, shelf)
    (first,) = play(desk, Simulated(), person, shelf, group=5, seed=8)
    asked = desk.usage.asked

    (repeat,) = play(desk, Simulated(), person, shelf, group=5, seed=8, repeat=1)
    (other,) = play(desk, Simulated(), person, shelf, group=5, seed=9)

    groups = [{frozenset(ids) for ids in orders(bracket)[:5]} for bracket in (first, repeat, other)]
    assert groups[0] != groups[1]
    assert groups[0] != groups[2]
    assert desk.usage.asked == 3 * asked  # nothing came from the store
    assert {j.slate.repeat for j in repeat.judgments} == {1}


def test_the_order_shown_is_shuffled(desk: Desk) -> None:
    # One group of five: item 0 must be seen in every place equally often.
    shelf = shop(5)

    brackets = play(desk, Simulated(), indifferent(500), shelf, group=5, seed=0)

    places = Counter(orders(bracket)[0].index("i00") for bracket in brackets)
    assert chisquare([places[place] for place in range(5)]).pvalue > 0.01  # 100 expected of each


def test_a_shared_first_round_shows_everybody_the_same(desk: Desk) -> None:
    """And the best still wins; what follows depends on the answers."""
    shelf, judge = shop(31), Simulated(noise=0.0)
    crowd = people(8, shelf)
    brackets = play(desk, judge, crowd, shelf, group=5, seed=3, shared=True)
    for bracket in brackets:
        assert bracket.winner is not None
        assert bracket.winner.id in best(judge, bracket.persona, shelf)
    first = {tuple(map(tuple, orders(bracket)[:6])) for bracket in brackets}
    assert len(first) == 1
    assert len({tuple(map(tuple, orders(bracket)[6:])) for bracket in brackets}) == 8
    again = play(desk, judge, crowd, shelf, group=5, seed=4, shared=True)
    assert orders(again[0]) != orders(brackets[0])

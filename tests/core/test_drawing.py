"""Core's part of drawing: who is asked for, in which order, and what is not paid twice."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache

import pytest
import torch
from scipy.stats import chisquare
from torch import Generator, Tensor

from pvd import Pool, Sampler
from pvd.drawing import BLOCK, Drawn, Shop, balanced, draw_round, draw_spare
from pvd.errors import BadInput, PluginError
from pvd.testing import items, personas, pool
from pvd_plugins.samplers.uniform import Uniform


@cache  # the same items each time, so that what was drawn can be compared
def shop(people: int = 6, count: int = 40) -> Shop:
    made = pool(people, count)
    return Shop(made.personas, made.items, made.texts, made.embeddings, made._base)


def draw(
    sampler: Sampler,
    shelf: Shop,
    slots: int,
    *,
    round: int = 1,
    seed: int = 0,
    **options: list[Drawn],
) -> list[Drawn]:
    return draw_round(sampler, shelf, round=round, slots=slots, size=5, seed=seed, **options)[0]


def ids(drawn: Drawn) -> list[str]:
    return [item.id for item in drawn.items]


def shown(drawn: Drawn, attempt: int = 0, seed: int = 0) -> list[str]:
    return [item.id for item in drawn.shown(seed, attempt).items]


@dataclass(kw_only=True)
class Scripted(Sampler):
    """Draws what it is told, and keeps the pools that it was shown."""

    rows: list[list[int]] | None = None
    pools: list[Pool] = field(default_factory=list)

    def draw(self, pool: Pool, size: int, rng: Generator) -> Tensor:
        self.pools.append(pool)
        if self.rows is not None:
            return torch.tensor(self.rows)
        return torch.arange(size).expand(len(pool.personas), size)


# --- personas -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("people", "slots"), [(7, 7), (7, 3), (7, 10), (1, 4), (5, 64)])
def test_everyone_comes_once_before_anyone_comes_again(people: int, slots: int) -> None:
    series = [n for round in range(5) for n in balanced(people, round * slots, slots, seed=2)]

    assert len(series) == 5 * slots
    for start in range(0, len(series), people):
        deck = series[start : start + people]
        assert len(set(deck)) == len(deck)


def test_each_deck_is_shuffled_anew() -> None:
    decks = [tuple(balanced(3, 3 * deck, 3, seed=0)) for deck in range(600)]

    # Six orders, 100 expected of each.
    counts = Counter(decks)
    assert len(counts) == 6
    assert chisquare(list(counts.values())).pvalue > 0.01


def test_slots_ask_for_balanced_personas_across_rounds() -> None:
    shelf = shop(people=10)

    asked = [d.persona.id for round in (1, 2, 3) for d in draw(Uniform(), shelf, 15, round=round)]

    # 45 slots for ten people: five decks, of which the last is half.
    assert sorted(Counter(asked).values()) == [4] * 5 + [5] * 5


# --- slots --------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_exactly_the_slots_are_drawn(slots: int) -> None:
    drawn = draw(Uniform(), shop(), slots)

    assert [d.slot for d in drawn] == list(range(slots))
    assert all(len(set(ids(d))) == 5 for d in drawn)
    assert {d.origin for d in drawn} == {(1, slot, 0) for slot in range(slots)}


def test_the_sampler_sees_blocks_with_the_personas_own_texts() -> None:
    shelf, sampler = shop(people=6), Scripted()

    drawn = draw(sampler, shelf, BLOCK + 6)

    assert [len(pool.personas) for pool in sampler.pools] == [BLOCK, 6]
    assert [p.id for pool in sampler.pools for p in pool.personas] == [d.persona.id for d in drawn]
    # The cosine of the slot's own persona with each item, worked out anew.
    last = sampler.pools[1]
    text = shelf.texts[[p.id for p in shelf.personas].index(last.personas[3].id)]
    assert last.scores[3].tolist() == pytest.approx((shelf.embeddings @ text).tolist(), abs=1e-6)
    assert last.base_scores[3].tolist() == pytest.approx((shelf.base @ text).tolist(), abs=1e-6)
    some = torch.tensor([[4, 0]] * 6)
    assert torch.allclose(last.scores_of(some), last.scores[:, [4, 0]])


def test_the_notes_of_all_blocks_are_added_up() -> None:
    class Counting(Uniform):
        def draw(self, pool: Pool, size: int, rng: Generator) -> Tensor:
            pool.note("counts", {"all": {"slots": len(pool.personas), "blocks": 1}})
            return super().draw(pool, size, rng)

    _, notes = draw_round(Counting(), shop(), round=1, slots=BLOCK + 6, size=5, seed=0)

    assert notes == {"counts": {"all": {"slots": BLOCK + 6, "blocks": 2}}}


# --- determinism --------------------------------------------------------------------------------


def test_the_draw_depends_on_seed_and_round_alone() -> None:
    first = draw(Uniform(), shop(), 20)
    torch.manual_seed(99)
    torch.rand(3)

    assert draw(Uniform(), shop(), 20) == first
    for other in (draw(Uniform(), shop(), 20, seed=1), draw(Uniform(), shop(), 20, round=2)):
        assert all(ids(a) != ids(b) for a, b in zip(first, other, strict=True))


def test_a_block_does_not_depend_on_the_blocks_around_it() -> None:
    short, long = draw(Uniform(), shop(), BLOCK), draw(Uniform(), shop(), 2 * BLOCK)

    assert long[:BLOCK] == short
    assert [ids(d) for d in long[BLOCK:]] != [ids(d) for d in short]


def test_the_order_shown_is_fair() -> None:
    five = tuple(items(5))

    places = Counter(
        shown(Drawn(slot, personas(1)[0], five, (1, slot, 0))).index("item-0")
        for slot in range(500)
    )

    assert chisquare([places[place] for place in range(5)]).pvalue > 0.01  # 100 expected of each


def test_the_order_shown_depends_on_seed_origin_and_attempt() -> None:
    twenty = tuple(items(20))

    def order(seed: int, origin: tuple[int, int, int], attempt: int) -> tuple[str, ...]:
        return tuple(shown(Drawn(0, personas(1)[0], twenty, origin), attempt, seed))

    first = order(0, (1, 2, 0), 0)
    others = [
        order(1, (1, 2, 0), 0),
        order(0, (2, 2, 0), 0),
        order(0, (1, 3, 0), 0),
        order(0, (1, 2, 1), 0),
        order(0, (1, 2, 0), 1),
    ]
    assert order(0, (1, 2, 0), 0) == first
    assert len({first, *others}) == 6
    assert {frozenset(ids) for ids in (first, *others)} == {frozenset(i.id for i in twenty)}


@pytest.mark.parametrize(("size", "attempts"), [(2, 2), (3, 3)])
def test_another_attempt_is_another_question(size: int, attempts: int) -> None:
    # Else the unreadable reply comes from the store once more.
    for slot in range(30):
        drawn = Drawn(slot, personas(1)[0], tuple(items(size)), (1, slot, 0))
        assert len({tuple(shown(drawn, attempt)) for attempt in range(attempts)}) == attempts


# --- nothing is paid twice ------------------------------------------------------------------------


def test_a_set_that_was_asked_before_is_shown_as_it_was() -> None:
    shelf = shop(people=2, count=5)  # a slate of five: there is only one set
    first = draw(Uniform(), shelf, 2, round=1)

    later = draw(Uniform(), shelf, 2, round=2, earlier=first)
    last = draw(Uniform(), shelf, 2, round=3, earlier=[*first, *later])

    orders = {d.persona.id: shown(d) for d in first}
    assert {d.origin[0] for d in (*later, *last)} == {1}
    assert [shown(d) for d in (*later, *last)] == [orders[d.persona.id] for d in (*later, *last)]


def test_the_origin_of_a_set_is_where_it_came_first() -> None:
    rows = [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [4, 3, 2, 1, 0], [0, 1, 2, 3, 5]]

    drawn = draw(Scripted(rows=rows), shop(people=1), 4)

    assert [d.origin for d in drawn] == [(1, 0, 0), (1, 1, 0), (1, 0, 0), (1, 3, 0)]


def test_a_set_keeps_its_origin_over_the_rounds() -> None:
    sampler, shelf = Scripted(), shop(people=2)  # always items 0 to 4
    first = draw(sampler, shelf, 2, round=1)

    second = draw(sampler, shelf, 2, round=2, earlier=first)
    third = draw(sampler, shelf, 2, round=3, earlier=[*first, *second])

    origins = {d.persona.id: d.origin for d in first}
    assert [d.origin for d in [*second, *third]] == [
        origins[d.persona.id] for d in [*second, *third]
    ]


def test_the_same_set_has_an_origin_for_each_persona() -> None:
    drawn = draw(Scripted(), shop(people=2), 4)

    by_persona = {d.persona.id: d.origin for d in drawn[:2]}
    assert set(by_persona.values()) == {(1, 0, 0), (1, 1, 0)}
    assert [d.origin for d in drawn] == [by_persona[d.persona.id] for d in drawn]


def test_the_order_shown_does_not_depend_on_the_order_drawn() -> None:
    five, person = tuple(shop().items[:5]), personas(1)[0]

    one, other = (Drawn(0, person, part, (1, 0, 0)) for part in (five, five[::-1]))

    assert shown(one) == shown(other)


# --- spares -------------------------------------------------------------------------------------


def test_a_spare_is_another_slate_for_the_same_persona() -> None:
    shelf = shop()

    for failed in draw(Uniform(), shelf, 12):
        spares = [
            draw_spare(Uniform(), shelf, failed, round=1, spare=spare, size=5, seed=0)
            for spare in (1, 2)
        ]
        assert {(s.slot, s.persona.id) for s in spares} == {(failed.slot, failed.persona.id)}
        assert [s.origin for s in spares] == [(1, failed.slot, 1), (1, failed.slot, 2)]
        assert len({frozenset(ids(d)) for d in (failed, *spares)}) == 3


def test_a_spare_is_drawn_for_the_persona_whose_slot_failed() -> None:
    shelf, sampler = shop(), Scripted()
    failed = Drawn(3, shelf.personas[4], tuple(shelf.items[:5]), (1, 3, 0))

    draw_spare(sampler, shelf, failed, round=1, spare=1, size=5, seed=0)

    (seen,) = sampler.pools
    expected = shelf.embeddings @ shelf.texts[4]
    assert seen.scores[0].tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_the_same_spare_is_drawn_again() -> None:
    failed = draw(Uniform(), shop(), 3)[2]

    first, second = (
        draw_spare(Uniform(), shop(), failed, round=1, spare=1, size=5, seed=0) for _ in range(2)
    )

    assert first == second


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([[0, 1, 2, 3, 4]], id="one row for two slots"),
        pytest.param([[0, 1, 2, 3, 4]] * 3, id="three rows for two slots"),
        pytest.param([[0, 1, 2, 3, 4], [0, 1, 2, 3, 3]], id="an item twice"),
        pytest.param([[0, 1, 2, 3]] * 2, id="too few items"),
        pytest.param([[0, 1, 2, 3, 4, 5]] * 2, id="too many items"),
        pytest.param(
            [[0, 1, 2, 3, 4, 4]] * 2,
            id="too many, and one twice",
        ),
        pytest.param(
            [[0, 1, 2, 3, 40]] * 2,
            id="past the end",
        ),
        pytest.param(
            [[39, 1, 2, 3, -1]] * 2,
            id="before the beginning: item 39 twice",
        ),
    ],
)
def test_a_sampler_that_breaks_its_protocol_is_named(rows: list[list[int]]) -> None:
    sampler = Scripted(rows=rows)

    with pytest.raises(PluginError, match=r"Scripted of .* 2 rows with 5 distinct whole numbers"):
        draw(sampler, shop(people=2), 2)


def test_too_few_items_for_a_slate() -> None:
    with pytest.raises(BadInput, match="A slate of 5 items cannot be drawn from 4 training items"):
        draw(Uniform(), shop(count=4), 1)

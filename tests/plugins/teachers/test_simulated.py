"""The simulated teacher: utilities by hand, noise by key, and the model that it says it follows."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pytest
from scipy.stats import binomtest, chisquare

from pvd import Item, Persona, Ranking, Slate
from pvd.asking import Desk
from pvd.drawing import Drawn
from pvd.errors import BadInput
from pvd.kit import Malformed
from pvd.store import Store
from pvd_plugins.teachers.consistent import Consistent
from pvd_plugins.teachers.simulated import Simulated


def item(id: str, **attributes: str) -> Item:
    return Item(id, Path("none.png"), attributes=attributes)


RED = item("red", colour="red", size="large")
BLUE = item("blue", colour="blue", size="large")
SMALL = item("small", colour="red", size="small")
PLAIN = item("plain")
SHELF = (RED, BLUE, SMALL, PLAIN)
ANNE = Persona("anne", "Anne", {"tastes": {"colour=red": 2.0, "size=large": 0.5}})
BEN = Persona("ben", "Ben", {"tastes": {"colour=red": -1.0, "size=small": 0.25}})


def answered(teacher: Simulated, slates: Sequence[Slate]) -> list[Ranking]:
    requests = [teacher.request(slate) for slate in slates]
    replies = teacher.answer(requests)
    return [teacher.read(q, reply) for q, reply in zip(requests, replies, strict=True)]


def heard(teacher: Simulated, slate: Slate) -> dict[str, float]:
    """The utility of each item with its noise."""
    (ranking,) = answered(teacher, [slate])
    assert ranking.utilities is not None
    return {i.id: u for i, u in zip(slate.items, ranking.utilities, strict=True)}


# --- utilities ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("persona", "expected"),
    [
        (ANNE, [2.5, 0.5, 2.0, 0.0]),  # 2 + 0.5, 0.5, 2, nothing known
        (BEN, [-1.0, 0.0, -0.75, 0.0]),  # -1, 0, -1 + 0.25, nothing known
    ],
)
def test_utilities_are_sums_of_tastes(persona: Persona, expected: list[float]) -> None:
    assert Simulated(noise=5.0, position_bias=3.0).utilities(persona, SHELF) == expected


def test_without_noise_the_answer_is_the_truth() -> None:
    anne, ben = answered(Simulated(noise=0), [Slate(ANNE, SHELF), Slate(BEN, SHELF)])

    assert anne.tiers == ((0,), (2,), (1,), (3,))
    assert anne.utilities == (2.5, 0.5, 2.0, 0.0)
    assert ben.tiers == ((1, 3), (2,), (0,))  # blue and plain are the same to Ben


def test_columns_are_not_mixed_up() -> None:
    odd = item("odd", size="red", colour="large")

    assert Simulated().utilities(ANNE, [odd]) == [0.0]


@pytest.mark.parametrize("attributes", [{}, {"tastes": {}}, {"tastes": None}])
def test_a_persona_without_tastes_is_named(attributes: dict[str, object]) -> None:
    nobody = Persona("carol", "Carol", attributes)

    with pytest.raises(BadInput, match="The persona 'carol' has no tastes"):
        Simulated().request(Slate(nobody, SHELF))
    with pytest.raises(BadInput, match="'carol'"):
        Simulated().utilities(nobody, SHELF)


@pytest.mark.parametrize(
    ("tastes", "message"),
    [
        ("red", "The tastes of persona 'carol' are 'red'; write them like"),
        (["colour=red"], r"The tastes of persona 'carol' are \['colour=red'\]"),
        ({"colour=red": "2"}, "The taste 'colour=red' of persona 'carol' has the weight '2'"),
        ({"colour=red": True}, "has the weight True; write a number such as"),
        ({"colour=red": math.nan}, "has the weight nan"),
        ({"colour=red": -math.inf}, "has the weight -inf"),
        ({"colour=red": 10**400}, "has the weight 1000000000000000000000000000000000000000;"),
        ({"color=red": 1}, r"no item has a column 'color'; did you mean 'colour'\?$"),
        ({"shape=round": 1}, r"has the taste 'shape=round', and .*; there is colour, size\.$"),
        (
            {"colour": 1},
            r"No item matches any .* 'carol', such as 'colour'; did you mean 'colour=",
        ),
        ({"colour=rde": 1}, r"such as 'colour=rde'; did you mean 'colour=red'\?$"),
        ({"colour=red": 1, "price=low": 1}, r"'price=low', and no item has a column 'price'; "),
    ],
)
def test_tastes_that_cannot_rank_the_shelf_are_found_before_anything_is_asked(
    tastes: object, message: str
) -> None:
    people = [ANNE, Persona("carol", "Carol", {"tastes": tastes})]
    with pytest.raises(BadInput, match=message):
        Simulated().check(people, SHELF)


def test_tastes_for_some_values_are_enough() -> None:
    likes = {"colour=red": 1.5, "colour=purple": 2}  # nothing is purple
    Simulated().check([ANNE, BEN, Persona("dora", "Dora", {"tastes": likes})], SHELF)


def test_a_composite_checks_those_inside() -> None:
    with pytest.raises(BadInput, match="no item has a column 'colour'; there is none"):
        Consistent(of=Simulated()).check([ANNE], [PLAIN])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": -1.0}, "noise must be at least 0, not -1.0"),
        ({"delay": -1.0}, "delay must be at least 0, not -1.0"),
        ({"malformed": 1.0}, "malformed must be at least 0 and below 1, not 1.0"),
        ({"malformed": -0.1}, "malformed must be at least 0 and below 1, not -0.1"),
        ({"noise": math.nan}, "noise must be at least 0, not nan"),
        ({"noise": math.inf}, "noise must be a finite number, not inf"),
        ({"position_bias": math.inf}, "position_bias must be a finite number, not inf"),
    ],
)
def test_impossible_options(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Simulated(**options)


# --- noise --------------------------------------------------------------------------------------


def test_noise_depends_on_seed_persona_ordered_slate_repeat_and_item() -> None:
    teacher, other = Simulated(), Simulated()
    teacher.seed, other.seed = 1, 2
    twin = Persona("twin", "Anne", ANNE.attributes)

    first = heard(teacher, Slate(ANNE, SHELF))
    others = [
        heard(other, Slate(ANNE, SHELF)),
        heard(teacher, Slate(twin, SHELF)),
        heard(teacher, Slate(ANNE, SHELF[::-1])),
        heard(teacher, Slate(ANNE, SHELF[:3])),
        heard(teacher, Slate(ANNE, SHELF, repeat=1)),
    ]

    assert heard(teacher, Slate(ANNE, SHELF)) == first
    for name in ("red", "blue", "small"):
        assert len({first[name], *(answer[name] for answer in others)}) == 6
    noise = {round(first[i.id] - u, 9) for i, u in zip(SHELF, (2.5, 0.5, 2, 0), strict=True)}
    assert len(noise) == 4


def test_noise_is_the_same_in_whatever_company_a_slate_is_answered() -> None:
    teacher = Simulated()
    slates = [Slate(ANNE, SHELF, repeat) for repeat in range(10)]

    together = answered(teacher, slates)

    assert together == [ranking for slate in slates for ranking in answered(teacher, [slate])]
    assert together[::-1] == answered(teacher, slates[::-1])


def test_noise_is_multiplied_by_its_scale() -> None:
    slate = Slate(ANNE, SHELF)
    one, three = (heard(Simulated(noise=noise), slate) for noise in (1.0, 3.0))

    for name, truth in zip(("red", "blue", "small", "plain"), (2.5, 0.5, 2.0, 0.0), strict=True):
        assert three[name] - truth == pytest.approx(3 * (one[name] - truth))


def test_noise_1_follows_plackett_luce() -> None:
    # Utilities log 4, log 2 and log 1: the strengths are 4, 2 and 1.
    names = ("four", "two", "one")
    tastes = {f"name={name}": math.log(n) for name, n in zip(names, (4, 2, 1), strict=True)}
    persona = Persona("p", "p", {"tastes": tastes})
    shelf = tuple(item(name, name=name) for name in names)
    rounds = 6000

    rankings = answered(Simulated(), [Slate(persona, shelf, repeat) for repeat in range(rounds)])

    # First place by the softmax of the utilities: 4/7, 2/7, 1/7.
    first = Counter(ranking.tiers[0][0] for ranking in rankings)
    expected = [rounds * s / 7 for s in (4, 2, 1)]
    assert chisquare([first[n] for n in range(3)], expected).pvalue > 0.01
    # And the whole order: 4/7 * 2/3, 4/7 * 1/3, 2/7 * 4/5, 2/7 * 1/5, 1/7 * 4/6, 1/7 * 2/6.
    orders = Counter(tuple(tier[0] for tier in ranking.tiers) for ranking in rankings)
    strength = (4, 2, 1)
    expected = [
        rounds * strength[a] / 7 * strength[b] / (strength[b] + strength[c])
        for a, b, c in permutations(range(3))
    ]
    assert chisquare([orders[o] for o in permutations(range(3))], expected).pvalue > 0.01


def test_gumbel_noise_has_its_mean_and_spread() -> None:
    slates = [Slate(ANNE, SHELF, repeat) for repeat in range(2000)]
    noise = [r.utilities[3] for r in answered(Simulated(), slates) if r.utilities]  # 0 + noise

    # Euler's constant, and the variance pi^2 / 6.
    mean = sum(noise) / 2000
    spread = math.pi / 6**0.5
    assert mean == pytest.approx(0.5772, abs=3 * spread / 2000**0.5)
    variance = sum((x - mean) ** 2 for x in noise) / 2000
    assert variance == pytest.approx(math.pi**2 / 6, rel=0.15)


# --- position bias --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [(5, [3.0, 2.25, 1.5, 0.75, 0.0]), (2, [3.0, 0.0]), (1, [3.0])],
)
def test_the_first_place_adds_most_and_the_last_nothing(size: int, expected: list[float]) -> None:
    same = tuple(item(f"i{n}") for n in range(size))

    (ranking,) = answered(Simulated(noise=0, position_bias=3.0), [Slate(ANNE, same)])

    assert ranking.utilities == tuple(expected)
    assert ranking.tiers[0] == (0,)


def test_position_bias_adds_to_the_taste() -> None:
    teacher = Simulated(noise=0, position_bias=1.2)

    # Places 1, 2, 3, 4 add 1.2, 0.8, 0.4, 0.
    assert heard(teacher, Slate(ANNE, SHELF)) == pytest.approx(
        {"red": 2.5 + 1.2, "blue": 0.5 + 0.8, "small": 2.0 + 0.4, "plain": 0.0}
    )


# --- what cannot be read ------------------------------------------------------------------------


def fails(teacher: Simulated, slate: Slate) -> bool:
    try:
        answered(teacher, [slate])
    except Malformed:
        return True
    return False


def test_a_share_of_the_answers_is_cut_short() -> None:
    teacher = Simulated(malformed=0.3)

    cut = sum(fails(teacher, Slate(ANNE, SHELF, repeat)) for repeat in range(2000))

    assert binomtest(cut, 2000, 0.3).pvalue > 0.01
    assert not any(fails(Simulated(), Slate(ANNE, SHELF, repeat)) for repeat in range(200))


def test_what_is_cut_short_is_asked_again_in_another_order(tmp_path: Path) -> None:
    shelf = tuple(item(f"i{n}", colour="red") for n in range(12))
    teacher = Simulated(malformed=0.4)

    def show(number: int, attempt: int) -> Slate:
        return Drawn(number, ANNE, shelf, (1, number, 0)).shown(0, attempt)

    with Store(tmp_path / "answers.sqlite") as store:
        desk = Desk(store)
        judged = desk.judgments(teacher, 200, show)

    # Counted on the side: how many of the three orders of each slate fail from the first on.
    failures = []
    for number in range(200):
        attempt = 0
        while attempt < 3 and fails(teacher, show(number, attempt)):
            attempt += 1
        failures.append(attempt)
    assert Counter(failures)[3] > 0  # 0.4 ** 3 of 200 are 13
    for number, (attempts, judgment) in enumerate(zip(failures, judged, strict=True)):
        if attempts == 3:
            assert judgment is None
        else:
            assert judgment is not None
            assert judgment.slate == show(number, attempts)
    assert desk.usage.failed == failures.count(3)
    assert sum(desk.usage.repaired.values()) == sum(min(attempts, 2) for attempts in failures)
    assert desk.usage.asked == 200 + sum(desk.usage.repaired.values())


# --- the question ---------------------------------------------------------------------------------


def test_the_digest_holds_what_the_answer_depends_on() -> None:
    def digest(slate: Slate, seed: int = 0, **options: float) -> str:
        teacher = Simulated(**options)
        teacher.seed = seed
        return teacher.request(slate).digest

    greener = Persona("anne", "Anne", {"tastes": {"colour=green": 2.0}})
    repainted = (item("red", colour="green", size="large"), *SHELF[1:])
    slate = Slate(ANNE, SHELF)

    others = {
        digest(slate, seed=1),
        digest(slate, noise=2.0),
        digest(slate, position_bias=1.0),
        digest(slate, malformed=0.1),
        digest(Slate(BEN, SHELF)),
        digest(Slate(greener, SHELF)),
        digest(Slate(ANNE, repainted)),
        digest(Slate(ANNE, SHELF[::-1])),
        digest(Slate(ANNE, SHELF, repeat=1)),
    }
    assert len(others - {digest(slate)}) == 9
    assert digest(slate, delay=1e-9) == digest(slate)  # slower, not another answer


def test_a_column_that_nobody_has_a_taste_for_is_no_part_of_the_question() -> None:
    labelled = tuple(Item(i.id, i.image, "Title", {**i.attributes, "price": "9"}) for i in SHELF)

    plain, more = (Simulated().request(Slate(ANNE, shelf)) for shelf in (SHELF, labelled))

    assert plain.digest == more.digest

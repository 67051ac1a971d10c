"""The catalogue and the personas, divided: disjoint, stable, and honest about what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pvd
from pvd.catalog import PARTS, Data, Split, bounded, divide, read, read_personas
from pvd.errors import BadInput
from pvd.records import Catalog, Item, Persona
from pvd.settings import SplitSettings


def goods(count: int, **columns: Sequence[str]) -> list[Item]:
    return [
        Item(f"i{n}", bytes, None, {name: values[n] for name, values in columns.items()})
        for n in range(count)
    ]


def people(count: int, **columns: Sequence[Any]) -> list[Persona]:
    return [
        Persona(f"p{n}", f"text {n}", {name: values[n] for name, values in columns.items()})
        for n in range(count)
    ]


def ids(split: Split) -> dict[str, list[str]]:
    return {part: [record.id for record in getattr(split, part)] for part in PARTS}


def parted(items: Sequence[Item], personas: Sequence[Persona], seed: int = 3, **how: Any) -> Data:
    return divide(items, personas, SplitSettings(**how), seed)


GOODS, PEOPLE = goods(60), people(60)
MANY = goods(250), people(250)  # of 60 a seed in five hundred leaves a tenth without any


# --- by hash ----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.sampled_from([(0.1, 0.2), (0.3, 0.3), (0.2, 0.6)]))
def test_the_parts_are_disjoint_whole_and_in_order(seed: int, shares: tuple[float, float]) -> None:
    validation, test = shares
    data = parted(*MANY, seed, validation=validation, test=test)
    for split, records in zip((data.items, data.people), MANY, strict=True):
        found = ids(split)
        assert sorted(id for part in found.values() for id in part) == sorted(r.id for r in records)
        order = {record.id: number for number, record in enumerate(records)}
        for part in found.values():
            assert part == sorted(part, key=lambda id: order[id])


def test_the_shares_are_about_what_was_asked_for() -> None:
    counts = parted(goods(3000), PEOPLE, validation=0.1, test=0.25).items.counts()
    assert abs(counts["validation"] - 300) < 60
    assert abs(counts["test"] - 750) < 90
    assert sum(counts.values()) == 3000


def test_another_seed_divides_otherwise_the_same_seed_alike() -> None:
    assert parted(GOODS, PEOPLE, 1) == parted(GOODS, PEOPLE, 1)
    assert ids(parted(GOODS, PEOPLE, 1).items) != ids(parted(GOODS, PEOPLE, 2).items)


def test_items_and_personas_with_equal_ids_are_divided_independently() -> None:
    same = [Persona(item.id, "text") for item in GOODS]
    data = parted(GOODS, same)
    assert ids(data.items) != ids(data.people)


def test_who_is_in_the_exam_does_not_depend_on_who_else_is_there() -> None:
    few, many = parted(GOODS, PEOPLE), parted(goods(200), people(200)[::-1])
    for a, b in ((few.items, many.items), (few.people, many.people)):
        for part in PARTS:
            assert set(ids(a)[part]) <= set(ids(b)[part])


# --- by group ---------------------------------------------------------------------------------


def test_a_group_is_held_out_whole() -> None:
    roles = [f"role {n % 12}" for n in range(60)]
    data = parted(GOODS, people(60, role=roles), group="role")
    groups = [{p.attributes["role"] for p in getattr(data.people, part)} for part in PARTS]
    assert set.union(*groups) == set(roles)
    assert sum(map(len, groups)) == 12
    assert data.novelty == "unseen group"
    assert data.novelty_note == (
        "No role of a held-out persona occurs in training: these people are really new."
    )


def test_the_group_divides_personas_and_not_items() -> None:
    roles = [f"role {n % 12}" for n in range(60)]
    data = parted(GOODS, people(60, role=roles), group="role")
    assert ids(data.items) == ids(parted(GOODS, PEOPLE).items)


def test_the_group_wins_over_the_split_column() -> None:
    columns = {"role": [f"role {n % 12}" for n in range(60)], "split": ["train"] * 60}
    assert parted(GOODS, people(60, **columns), group="role").people.test


def test_a_group_that_a_persona_lacks_is_named() -> None:
    persons = [*people(3, role=["a", "b", "c"]), Persona("late", "text")]
    with pytest.raises(BadInput, match=r"'late' has no attribute 'role', which .*, only none\."):
        parted(GOODS, persons, group="role")


# --- by column --------------------------------------------------------------------------------

NAMES = ["train", "validation", "test"] * 20


def test_a_split_column_is_obeyed_for_both() -> None:
    data = parted(goods(60, split=NAMES), people(60, split=NAMES[::-1]))
    assert ids(data.items)["validation"] == [f"i{n}" for n in range(1, 60, 3)]
    assert ids(data.people)["train"] == [f"p{n}" for n in range(2, 60, 3)]


def test_one_may_have_a_column_and_the_other_not() -> None:
    data = parted(goods(60, split=NAMES), PEOPLE)
    assert ids(data.items)["train"] == [f"i{n}" for n in range(0, 60, 3)]
    assert ids(data.people) == ids(parted(GOODS, PEOPLE).people)


@pytest.mark.parametrize("alias", ["val", "valid", "dev", "VALIDATION", " Val ", "Dev"])
def test_validation_has_other_names(alias: str) -> None:
    data = parted(goods(3, split=["Train", alias, "TEST "]), PEOPLE)
    assert ids(data.items) == {"train": ["i0"], "validation": ["i1"], "test": ["i2"]}


@pytest.mark.parametrize("name", ["query", "tset", "", "3"])
def test_an_unknown_part_is_named_with_its_row(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        parted(GOODS, people(4, split=["train", "val", "test", name]))
    assert str(caught.value) == (
        f"The persona 'p3' has the split {name!r}; it must be one of train, validation, test."
    )


def test_a_row_that_lacks_the_column_is_named() -> None:
    with pytest.raises(BadInput, match=r"^The item 'i9' has the split ''"):
        parted([*goods(3, split=NAMES[:3]), Item("i9", bytes)], PEOPLE)


@pytest.mark.parametrize("part", PARTS)
def test_an_empty_part_is_an_error(part: str) -> None:
    names = [name for name in NAMES if name != part][:9]
    with pytest.raises(BadInput, match=rf"^The column `split` puts no item into the part '{part}'"):
        parted(goods(9, split=names), PEOPLE)
    with pytest.raises(BadInput, match=rf"^The column `split` puts no persona into .* '{part}'"):
        parted(GOODS, people(9, split=names))


def test_a_part_without_a_whole_group_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"^No persona falls .* whole values of 'role' are held out"):
        parted(GOODS, people(60, role=["nurse", "sailor"] * 30), group="role")


def test_too_few_to_divide_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"\(1 in all\); bring more, or change split\.validation"):
        parted(goods(1), PEOPLE)


# --- how new they are -------------------------------------------------------------------------


def test_new_mixtures_of_known_parts_are_called_recombined() -> None:
    rows = [(f"role {a}", f"taste {b}") for a in range(6) for b in range(10)]
    persons = people(60, role=[a for a, _ in rows], taste=[b for _, b in rows])
    data = parted(GOODS, persons)
    assert data.novelty == "recombined"
    assert data.novelty_note == (
        "Each held-out persona is new, but its parts (role and taste) occur in training with "
        "other partners."
    )


def test_one_unknown_part_makes_them_unseen() -> None:
    rows = [(f"role {a}", f"taste {b}") for a in range(6) for b in range(10)]
    persons = people(60, role=[a for a, _ in rows], taste=[b for _, b in rows])
    held_out = parted(GOODS, persons).people.test[0].id
    persons = [
        replace(p, attributes={**p.attributes, "role": "a new one"}) if p.id == held_out else p
        for p in persons
    ]
    data = parted(GOODS, persons)
    assert (data.novelty, data.novelty_note) == (
        "unseen",
        "No held-out persona occurs in training.",
    )


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"country": ["here"] * 60},
        {"name": [f"name {n}" for n in range(60)]},
        {"tastes": [{"colour=red": 1.0}] * 60},
    ],
)
def test_columns_that_say_nothing_make_nobody_recombined(columns: dict[str, Any]) -> None:
    """One value for all, one for each, or no text: such a column is no part to recombine."""
    assert parted(GOODS, people(60, **columns)).novelty == "unseen"


def test_the_split_column_is_no_part() -> None:
    assert parted(GOODS, people(60, split=NAMES)).novelty == "unseen"


# --- the digest -------------------------------------------------------------------------------


def test_the_digest_changes_with_every_thing_that_counts() -> None:
    items = [Item(f"i{n}", lambda n=n: b"%d" % n, "thing", {"c": "x"}) for n in range(60)]  # type: ignore[misc]
    base = parted(items, PEOPLE).digest()
    assert parted(list(items), list(PEOPLE)).digest() == base
    changed = [
        parted([replace(items[0], title="other"), *items[1:]], PEOPLE),
        parted([replace(items[0], attributes={"c": "y"}), *items[1:]], PEOPLE),
        parted([replace(items[0], image=lambda: b"other"), *items[1:]], PEOPLE),
        parted(items[1:], PEOPLE),
        parted(items[::-1], PEOPLE),
        parted(items, [replace(PEOPLE[0], text="other"), *PEOPLE[1:]]),
        parted(items, [replace(PEOPLE[0], attributes={"role": "x"}), *PEOPLE[1:]]),
        parted(items, PEOPLE, seed=4),
    ]
    digests = [data.digest() for data in changed]
    assert base not in digests
    assert len(set(digests)) == len(digests)


# --- bounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [None, 60, 99])
def test_no_bound_keeps_all(most: int | None) -> None:
    assert bounded(GOODS, most, 1) == tuple(GOODS)


@pytest.mark.parametrize("most", [0, 1, 7, 59])
def test_a_bound_keeps_the_order_and_does_not_favour_the_first(most: int) -> None:
    found = bounded(GOODS, most, 1)
    assert len(found) == most
    assert [GOODS.index(item) for item in found] == sorted(GOODS.index(item) for item in found)
    assert most in (0, 59) or found != tuple(GOODS[:most])


def test_a_bound_is_nested_and_depends_on_ids_and_seed_alone() -> None:
    assert bounded(PEOPLE, 5, 1) == bounded(PEOPLE[::-1], 5, 1)[::-1]
    assert {p.id for p in bounded(PEOPLE, 5, 1)} < {p.id for p in bounded(PEOPLE, 9, 1)}
    assert bounded(PEOPLE, 5, 1) != bounded(PEOPLE, 5, 2)


# --- sources ----------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Shelf(pvd.Source):
    """Brings as many as it is told."""

    count: int = 3
    same: bool = False

    def catalog(self, path: str) -> Catalog:
        assert path == self.path
        return Catalog(tuple(goods(self.count)), path)

    def personas(self, path: str) -> list[Persona]:
        return people(self.count) * (2 if self.same else 1)


def test_a_source_is_handed_its_path() -> None:
    shelf = Shelf()
    shelf.path = "items.csv"
    assert read(shelf).name == "items.csv"
    assert [p.id for p in read_personas(shelf)] == ["p0", "p1", "p2"]


def test_nothing_at_all_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"There are no items in Shelf"):
        read(Shelf(count=0))
    with pytest.raises(BadInput, match=r"There are no personas in Shelf"):
        read_personas(Shelf(count=0))


def test_an_id_that_occurs_twice_is_named() -> None:
    with pytest.raises(BadInput, match=r"^Two personas in Shelf have the id 'p0'"):
        read_personas(Shelf(same=True))
    with pytest.raises(BadInput, match=r"^Two items in here have the id 'i0'"):
        Catalog(tuple(goods(2) + goods(1)), "here")


def test_a_source_without_personas_is_one_sentence(tmp_path: Path) -> None:
    source = pvd.load("source", "folder", path=str(tmp_path))
    with pytest.raises(BadInput, match="brings no personas"):
        read_personas(source)

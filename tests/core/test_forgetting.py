"""The forgetting guard: by hand, on embeddings that were made to forget, in whole runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

import pvd
from pvd.forgetting import ITEMS, TITLES, auc, drift, kept, measure, probe
from pvd.records import Item
from pvd.streams import generator

Tables = dict[str, Any]


def item(number: int, title: str | None = None, **attributes: str) -> Item:
    return Item(f"i{number}", Path("none.png"), title, attributes)


def unit(rows: int, width: int, *seed: int | str) -> torch.Tensor:
    return normalize(torch.randn(rows, width, generator=generator(*seed)), dim=1)


# --- what is asked --------------------------------------------------------------------------------


def test_titles_that_tell_items_apart_are_the_queries() -> None:
    items = [item(n, f" Vase {n} ", colour="ab"[n % 2]) for n in range(TITLES)]
    found = probe([*items, item(99, "Vase 3"), item(100, "12345"), item(101, "  ")])
    assert found is not None
    assert found.kind == "titles"
    assert found.texts == tuple(f"Vase {n}" for n in range(TITLES))  # a number alone says nothing
    assert found.named[3] == (3, TITLES)  # two items of one title are both named
    assert found.named[4] == (4,)


def test_a_few_titles_give_way_to_the_columns_that_hold_kinds() -> None:
    items = [
        item(
            n,
            ("Dress", "Hat")[n % 2],
            colour=("red", "green", "blue")[n % 3],
            fabric=("wool", "silk", "blue")[n // 10 % 3],  # two columns may share a value
            size=str(n % 4),  # no letters
            sku=f"x{n}",  # a value of its own each, and too many
            maker="one",  # names every item
            split="test",
            **({"rare": "yes"} if n < 2 else {}),  # too few items
        )
        for n in range(60)
    ]
    found = probe(items)
    assert found is not None
    assert found.kind == "attribute values"
    assert set(found.texts) == {"red", "green", "blue", "wool", "silk"}
    named = dict(zip(found.texts, found.named, strict=True))
    assert named["red"] == tuple(range(0, 60, 3))
    assert named["blue"] == tuple(n for n in range(60) if n % 3 == 2 or n // 10 % 3 == 2)


@pytest.mark.parametrize(
    "items",
    [
        [item(n) for n in range(60)],
        [item(n, "The same") for n in range(60)],
        [item(n, colour=("red", "green")[n % 2]) for n in range(60)],  # two queries are no sample
        [item(n, code=f"{n % 5}") for n in range(60)],
    ],
    ids=["nothing", "one title", "two values", "numbers"],
)
def test_where_nothing_is_named_nothing_is_asked(items: list[Item]) -> None:
    def embed_texts(texts: Sequence[str]) -> torch.Tensor:
        raise AssertionError("nothing is to be embedded")

    assert probe(items) is None
    before, after = unit(60, 8, "a"), unit(60, 8, "b")
    found = measure(items, before, after, embed_texts, 0)
    assert found["queries"] is None
    assert found["drift"]["value"] > 0.5


# --- by hand --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "relevant", "expected"),
    [
        ([4.0, 3.0, 2.0, 1.0], [1, 0, 0, 0], 100),
        ([4.0, 3.0, 2.0, 1.0], [0, 0, 0, 1], 0),
        ([4.0, 3.0, 2.0, 1.0], [1, 0, 0, 1], 50),
        ([4.0, 3.0, 2.0, 1.0], [0, 1, 0, 0], 200 / 3),
        ([4.0, 3.0, 2.0, 1.0], [1, 0, 1, 0], 75),
        ([5.0, 5.0, 5.0, 5.0], [0, 1, 1, 0], 50),  # ties count half
        ([9.0, 5.0, 5.0, 1.0], [0, 1, 0, 0], 50),
        ([9.0, 9.0, 9.0, 1.0], [1, 1, 0, 0], 75),  # those named do not stand in one another's way
    ],
)
def test_auc_by_hand(scores: list[float], relevant: list[int], expected: float) -> None:
    found = auc(torch.tensor([scores]), torch.tensor([relevant], dtype=torch.bool))
    assert found.tolist() == [pytest.approx(expected)]


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = generator("pairs")
    scores = torch.randint(0, 6, (7, 20), generator=rng).float()  # many ties
    relevant = torch.rand(7, 20, generator=rng) < 0.3
    for row, value in enumerate(auc(scores, relevant).tolist()):
        named = scores[row][relevant[row]].tolist()
        others = scores[row][~relevant[row]].tolist()
        pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(named, others)]
        assert value == pytest.approx(100 * sum(pairs) / len(pairs))


def test_drift_and_neighbours_by_hand() -> None:
    before = torch.eye(4)
    after = torch.tensor([[1.0, 0, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0.6, 0.8]])
    assert drift(before, after).tolist() == pytest.approx([0, 1, 2, 0.2])
    circle = torch.arange(12) * torch.pi / 6
    points = torch.stack([circle.cos(), circle.sin()], 1) + torch.tensor([0, 1e-3])
    same = kept(points, points, 2)
    assert same.tolist() == [100.0] * 12
    swapped = points.clone()
    swapped[[0, 6]] = points[[6, 0]]
    # Those that changed places have other neighbours; so have the two beside each of them, by half.
    assert kept(points, swapped, 2).tolist() == [0, 50, 100, 100, 100, 50, 0, 50, 100, 100, 100, 50]


# --- the whole measure ----------------------------------------------------------------------------


def shop(count: int = 80) -> tuple[list[Item], torch.Tensor, torch.Tensor]:
    """Items of eight kinds that a student finds by name: items, embeddings, those of the names."""
    names = unit(8, 16, "names")
    items = [item(n, kind=f"kind {'abcdefgh'[n % 8]}") for n in range(count)]
    images = normalize(names[[n % 8 for n in range(count)]] + 0.3 * unit(count, 16, "noise"), dim=1)
    return items, images, names


def test_who_forgets_a_name_is_found_out() -> None:
    items, images, names = shop()
    asked: list[Sequence[str]] = []

    def embed_texts(texts: Sequence[str]) -> torch.Tensor:
        asked.append(texts)
        return names[["abcdefgh".index(text[-1]) for text in texts]]

    same = measure(items, images, images.clone(), embed_texts, 0)
    assert len(asked) == 1  # texts are frozen: once for both
    assert same["items"] == 80
    assert same["drift"]["value"] == same["drift"]["high"] == 0
    assert same["neighbours"]["value"] == 100
    assert same["neighbours"]["chance"] == pytest.approx(1000 / 79)
    assert same["queries"]["change"]["value"] == same["queries"]["change"]["low"] == 0
    assert same["queries"]["worst"] == []
    assert same["queries"]["before"]["value"] > 95

    after = images.clone()
    after[2::8] = -after[2::8]  # kind c is turned away from its name
    found = measure(items, images, after, embed_texts, 0)
    worst = found["queries"]["worst"][0]
    assert (worst["text"], worst["items"]) == ("kind c", 10)
    assert worst["after"] < 5 < 95 < worst["before"]
    assert found["queries"]["change"]["value"] == pytest.approx(
        found["queries"]["after"]["value"] - found["queries"]["before"]["value"]
    )
    assert found["queries"]["change"]["value"] < 0
    assert found["drift"]["value"] == pytest.approx(2 * 10 / 80)
    assert "8 attribute values" in found["queries"]["after"]["over"]

    lost = measure(items, images, unit(80, 16, "other"), embed_texts, 0)
    assert lost["queries"]["change"]["high"] < 0
    assert lost["drift"]["value"] == pytest.approx(1, abs=0.1)
    assert lost["neighbours"]["value"] < 30


def test_of_a_large_shop_a_part_is_looked_at_whatever_its_order() -> None:
    items, images, names = shop(ITEMS + 500)

    def embed_texts(texts: Sequence[str]) -> torch.Tensor:
        return names[["abcdefgh".index(text[-1]) for text in texts]]

    after = normalize(images + 0.3 * unit(len(items), 16, "moved"), dim=1)
    found = measure(items, images, after, embed_texts, 0)
    assert found["items"] == ITEMS
    turned = list(reversed(range(len(items))))
    again = measure([items[n] for n in turned], images[turned], after[turned], embed_texts, 0)
    assert again["drift"]["value"] == pytest.approx(found["drift"]["value"])
    assert again["neighbours"]["value"] == pytest.approx(found["neighbours"]["value"])


def test_too_few_items_have_no_neighbours() -> None:
    items, images, names = shop(16)
    found = measure(items, images, images, lambda texts: names[: len(texts)], 0)
    assert found["neighbours"] is None


# --- in runs --------------------------------------------------------------------------------------


def test_a_run_says_what_was_forgotten(small: Tables, tmp_path: Path) -> None:
    run = pvd.run(out=tmp_path / "run", **small)
    guard = run.metrics["forgetting"]
    assert guard["items"] == run.metrics["exam"]["items"]
    assert guard["drift"]["low"] <= guard["drift"]["value"] <= guard["drift"]["high"]
    assert (guard["drift"]["value"] > 0) == (run.metrics["best_round"] > 0)
    page = run.report.read_text()
    assert "Did it forget anything?" in page
    assert f"{guard['drift']['value']:.3f}" in page


@pytest.mark.slow
def test_an_anchor_holds_the_student_back(small: Tables, tmp_path: Path) -> None:
    found = []
    train = small["train"] | {"rounds": 1, "steps": 40, "learning_rate": 0.01}
    for weight in (0.0, 20.0, 2000.0):
        run = pvd.run(out=tmp_path / f"{weight:g}", **small | {"train": train | {"anchor": weight}})
        assert run.metrics["best_round"] == 1  # or nothing moved
        found.append(run.metrics["forgetting"]["drift"]["value"])
    assert found[0] > 2 * found[1] > 4 * found[2] > 0

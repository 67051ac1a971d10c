"""Prepared pictures on disk: decoded once, found again, bounded, whole or not there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import pvd
from pvd import testing
from pvd.discovery import registry
from pvd.pictures import Kept, Memory, Pictures, prepare
from pvd.records import Item

COLOURS = Path(__file__).parents[2] / "examples/own_student.py"
ROOM = 10**9


@pytest.fixture
def student() -> pvd.Student:
    registry.load_file(COLOURS)
    made: pvd.Student = pvd.load("student", "colours")
    made.load("cpu")
    return made


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The items whose pictures were decoded."""
    found: list[str] = []
    real = Item.decoded

    def counted(item: Item, data: bytes) -> Any:
        found.append(item.id)
        return real(item, data)

    monkeypatch.setattr(Item, "decoded", counted)
    return found


def shop(count: int = 70) -> Sequence[Item]:
    """Items of their own each time: nothing is remembered in them."""
    return testing.items(count)


def rows(pictures: Pictures, *numbers: int) -> torch.Tensor:
    taken = pictures.take(torch.tensor(numbers or range(len(pictures))))
    assert isinstance(taken, torch.Tensor)
    return taken


def test_a_picture_is_decoded_once(
    student: pvd.Student, decoded: list[str], tmp_path: Path
) -> None:
    plain, _ = prepare(student, shop())
    decoded.clear()
    first, _ = prepare(student, shop(), kept=Kept(tmp_path, "a", ROOM))
    assert sorted(decoded) == sorted(item.id for item in shop())
    decoded.clear()
    second, bad = prepare(student, shop(), kept=Kept(tmp_path, "a", ROOM))
    assert (decoded, bad) == ([], [])
    for found in (first, second):
        assert torch.equal(rows(found), rows(plain))
        assert torch.equal(rows(found, 5, 3, 60, 3), rows(plain, 5, 3, 60, 3))
    some = shop()[7:20:3]
    assert torch.equal(rows(second.subset(some)), rows(plain.subset(some)))
    more, _ = prepare(student, shop(90), kept=Kept(tmp_path, "a", ROOM))
    assert sorted(decoded) == sorted(item.id for item in shop(90)[70:])
    assert torch.equal(rows(more), rows(prepare(student, shop(90))[0]))


def test_another_key_is_another_folder(
    student: pvd.Student, decoded: list[str], tmp_path: Path
) -> None:
    prepare(student, shop(), kept=Kept(tmp_path, "a", ROOM))
    decoded.clear()
    prepare(student, shop(), kept=Kept(tmp_path, "b", ROOM))
    assert len(decoded) == 70
    assert len(list(tmp_path.iterdir())) == 2


def test_several_tensors_a_picture(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "a", ROOM)
    digests = [hashlib.sha256(bytes([n])).hexdigest() for n in range(6)]
    both = {"x": torch.arange(6.0), "y": torch.arange(12).view(6, 2).bfloat16()}
    assert kept.add(digests[:4], {n: t[:4] for n, t in both.items()})
    assert kept.add(digests[4:], {n: t[4:] for n, t in both.items()})
    kept.settle()
    again = Kept(tmp_path, "a", ROOM)
    for one in (kept, again):
        places = one.find([digests[5], "f" * 64, digests[0], digests[5]])
        assert places.tolist()[1] == -1
        taken = one.take(places[places >= 0])
        assert taken["x"].tolist() == [5, 0, 5]
        assert taken["y"].tolist() == [[10, 11], [0, 1], [10, 11]]


def test_digests_that_begin_alike(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "a", ROOM)
    here, there = "ab" * 8 + "0" * 48, "ab" * 8 + "1" * 48
    kept.add([here], torch.ones(1, 3))
    kept.settle()
    assert kept.find([here, there]).tolist() == [0, -1]
    assert here in kept
    assert there not in kept


@pytest.mark.parametrize(("most", "again"), [(0, (40, 68, 69)), (18_000, (68, 69)), (ROOM, ())])
def test_what_is_not_kept_for_want_of_room_is_in_memory_or_made_when_it_is_taken(
    student: pvd.Student,
    decoded: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    again: tuple[int, ...],
) -> None:
    monkeypatch.setattr("pvd.pictures.shelf.PART", 32)
    monkeypatch.setattr("pvd.pictures.shelf.HELD", most)
    plain, _ = prepare(student, shop())
    kept = Kept(tmp_path, "a", 25_000)  # one part of 64 pictures has 34 kB, one of 32 has 18 kB
    found, _ = prepare(student, shop(), kept=kept)
    assert "would have more than" in kept.closed
    decoded.clear()
    assert torch.equal(rows(found, 69, 0, 40, 1, 68), rows(plain, 69, 0, 40, 1, 68))
    assert sorted(decoded) == sorted(shop()[n].id for n in again)
    assert torch.equal(rows(found, 68, 69), rows(plain, 68, 69))
    assert sum(f.stat().st_size for f in tmp_path.rglob("*.safetensors")) <= 25_000


def test_a_disk_that_is_nearly_full_is_left_alone(
    student: pvd.Student, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pvd.pictures.kept.SPARED", 10**18)
    kept = Kept(tmp_path / "prepared", "a", ROOM)
    found, _ = prepare(student, shop(), kept=kept)
    assert "would have less than 1e+09 GB left" in kept.closed
    assert not (tmp_path / "prepared").exists()
    assert torch.equal(rows(found), rows(prepare(student, shop())[0]))


def test_room_is_made_by_what_was_used_longest_ago(tmp_path: Path) -> None:
    for number, key in enumerate("abc"):
        kept = Kept(tmp_path, key, ROOM)
        kept.add(["0" * 64], torch.zeros(1, 1000))
        os.utime(kept.folder / "used", (number, number))
    fresh = Kept(tmp_path, "d", 10_000)
    assert fresh.add(["0" * 64], torch.zeros(1, 1000))
    names = {folder.name for folder in tmp_path.iterdir()}
    keys = {key: Kept(tmp_path / "other", key, ROOM).folder.name for key in "abcd"}
    assert names == {keys["c"], keys["d"]}


@pytest.mark.parametrize("damage", [b"", b"nothing like it", None])
def test_a_damaged_part_is_made_again(
    student: pvd.Student, decoded: list[str], tmp_path: Path, damage: bytes | None
) -> None:
    prepare(student, shop(), kept=Kept(tmp_path, "a", ROOM))
    (part,) = tmp_path.rglob("*.safetensors")
    part.write_bytes(part.read_bytes()[:-100] if damage is None else damage)
    decoded.clear()
    found, _ = prepare(student, shop(), kept=Kept(tmp_path, "a", ROOM))
    assert len(decoded) == 70
    assert torch.equal(rows(found), rows(prepare(student, shop())[0]))


def test_a_place_that_cannot_be_written(student: pvd.Student, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = Kept(tmp_path / "file", "a", ROOM)
    found, _ = prepare(student, shop(), kept=kept)
    assert kept.closed
    assert torch.equal(rows(found, 3, 4), rows(prepare(student, shop())[0], 3, 4))


def test_bad_pictures_are_left_out_each_time(student: pvd.Student, tmp_path: Path) -> None:
    items = [*shop(150)[:149], Item("spoilt", lambda: b"no picture")]
    for _ in range(2):
        found, bad = prepare(student, items, kept=Kept(tmp_path, "a", ROOM))
        assert [item.id for item, _ in bad] == ["spoilt"]
        assert len(found) == 149


@pytest.mark.slow
def test_a_run_decodes_nothing_twice(
    small: dict[str, Any], decoded: list[str], tmp_path: Path
) -> None:
    first = pvd.run(out=tmp_path / "one", **small)
    assert decoded
    # The report and the teacher may look at pictures; what prepares them does not any more.
    decoded.clear()
    second = pvd.run(out=tmp_path / "two", **small)
    shown = len(set(decoded))
    assert shown < 100
    assert second.metrics == first.metrics
    decoded.clear()
    third = pvd.run(out=tmp_path / "three", **small, prepared_gb=0.0)
    assert len(set(decoded)) == 100
    assert third.metrics == first.metrics


def test_memory_takes_rows() -> None:
    pictures = Pictures(shop(4), Memory({"x": torch.arange(4)}))
    assert pictures.take(torch.tensor([2, 0]))["x"].tolist() == [2, 0]

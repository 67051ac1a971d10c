"""A folder of pictures as a catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import pvd
from pvd.catalog import read
from pvd.errors import BadInput, MissingFile


def catalog(folder: Path) -> pvd.Catalog:
    return read(pvd.load("source", "folder", path=str(folder)))


def draw(path: Path, colour: str = "red") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)
    return path


def test_every_picture_below_is_an_item(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "shoes/red/1.webp", "shoes/2.gif", "shoes/3.jpeg", "ü b.png"):
        draw(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "data.tiff").write_bytes(b"another format")
    found = catalog(tmp_path)
    assert {item.id: dict(item.attributes) for item in found} == {
        "a.JPG": {},
        "b.png": {},
        "shoes/2.gif": {"folder": "shoes"},
        "shoes/3.jpeg": {"folder": "shoes"},
        "shoes/red/1.webp": {"folder": "shoes/red"},
        "ü b.png": {},
    }
    assert all(item.open().size == (8, 8) for item in found)
    assert {item.title for item in found} == {None}


def test_the_order_does_not_depend_on_the_disk(tmp_path: Path) -> None:
    for name in ("c.png", "a.png", "b/z.png", "b.png"):
        draw(tmp_path / name)
    ids = [item.id for item in catalog(tmp_path)]
    for name in ("b.png", "c.png"):
        (tmp_path / name).rename(tmp_path / "moved")
        (tmp_path / "moved").rename(tmp_path / name)
    assert [item.id for item in catalog(tmp_path)] == ids


def test_a_folder_that_is_called_like_a_picture_is_none(tmp_path: Path) -> None:
    draw(tmp_path / "holiday.jpg" / "one.jpg")
    assert [item.id for item in catalog(tmp_path)] == ["holiday.jpg/one.jpg"]


def test_a_relative_path_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "pictures" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert [item.id for item in catalog(Path("pictures"))] == ["a.png"]


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "secret.png")
    draw(tmp_path / "catalog" / "a.png")
    (tmp_path / "catalog" / "b.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(BadInput, match=r"'b\.png' leads out of"):
        catalog(tmp_path / "catalog")


def test_a_link_inside_is_followed(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert [item.id for item in catalog(tmp_path)] == ["a.png", "b.png"]


def test_a_link_to_nowhere_is_found_out_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    (item,) = catalog(tmp_path)
    with pytest.raises(FileNotFoundError):
        item.open()


@pytest.mark.parametrize("name", ["nowhere", "a.png"])
def test_what_is_no_folder_is_exit_code_4(tmp_path: Path, name: str) -> None:
    draw(tmp_path / "a.png")
    with pytest.raises(MissingFile, match=rf"There is no folder {tmp_path / name}; check"):
        catalog(tmp_path / name)


def test_a_folder_without_pictures_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(BadInput, match=r"^There is no picture in .*; put some there \(\.jpg"):
        catalog(tmp_path)

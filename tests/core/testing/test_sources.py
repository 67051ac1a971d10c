"""Each check of a source, and sources that it catches."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from caught import Broken, assert_caught, own_checks, verdicts, wrong

import pvd
from pvd import kit, testing
from pvd.testing import Skipped, SourceContract

ROWS = [{"id": f"row {number}", "title": "A thing", "price": number} for number in range(6)]


def path(self: SourceContract, folder: Path) -> str:
    """The file that these sources read."""
    file = folder / "shop.json"
    file.write_text(json.dumps(ROWS))
    return str(file)


@dataclass(kw_only=True)
class Shop(pvd.Source):
    """Reads a list of products, and who looks for them."""

    def rows(self, path: str) -> list[dict[str, Any]]:
        """What stands in the file."""
        rows = kit.parse_json(kit.read_text(Path(path)), path)
        if not isinstance(rows, list):
            raise kit.BadInput(f"{path} is no list; write one.")
        return rows

    def image(self, number: int) -> Callable[[], bytes]:
        """A drawing."""
        return testing.items(4)[number % 4].read

    def attributes(self, row: dict[str, Any]) -> dict[str, Any]:
        """All but id and title."""
        return {"price": str(row["price"])}

    def catalog(self, path: str) -> pvd.Catalog:
        return pvd.Catalog(
            tuple(
                pvd.Item(row["id"], self.image(number), row["title"], self.attributes(row))
                for number, row in enumerate(self.rows(path))
            )
        )

    def personas(self, path: str) -> list[pvd.Persona]:
        return [pvd.Persona(row["id"], "Somebody.", {}) for row in self.rows(path)]


@dataclass(kw_only=True)
class Nothing(pvd.Source):
    """Brings nothing."""


class Numbers(Shop):
    """Has prices as numbers."""

    def attributes(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"price": row["price"]}


class Titled(Shop):
    """Has titles in several languages."""

    def catalog(self, path: str) -> pvd.Catalog:
        items = super().catalog(path).items
        return pvd.Catalog(tuple(replace(item, title={"en": "A"}) for item in items))  # type: ignore[arg-type]


class Plain(Shop):
    """Returns a list."""

    def catalog(self, path: str) -> Any:
        return list(super().catalog(path))


class Once(Shop):
    """Opens its pictures once, and reads them until they end."""

    def image(self, number: int) -> Callable[[], bytes]:
        return io.BytesIO(super().image(number)()).read


class NoPicture(Shop):
    """Has pages where pictures should be."""

    def image(self, number: int) -> Callable[[], bytes]:
        return lambda: b"<html>gone</html>"


class Blank(Shop):
    """Has personas of whom nothing is said."""

    def personas(self, path: str) -> list[pvd.Persona]:
        return [replace(one, text=" ") for one in super().personas(path)]


class Same(Shop):
    """Has one id for all personas."""

    def personas(self, path: str) -> list[pvd.Persona]:
        return [replace(one, id="somebody") for one in super().personas(path)]


class Rich(Shop):
    """Has attributes that no file can hold."""

    def personas(self, path: str) -> list[pvd.Persona]:
        return [replace(one, attributes={"seen": set("ab")}) for one in super().personas(path)]


class Shuffled(Shop):
    """Has another order each time."""

    def rows(self, path: str) -> list[dict[str, Any]]:
        found = super().rows(path)
        return [*Random().sample(found, len(found)), {**found[0], "id": str(Random().random())}]


class Halves(Shop):
    """Divides its records into halves."""

    def attributes(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"split": "left" if row["price"] % 2 else "right"}


class Hasty(Shop):
    """Opens whatever it is told to."""

    def rows(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(Path(path).read_bytes())
        return found


class Deaf(Shop):
    """Does not look at its path."""

    def rows(self, path: str) -> list[dict[str, Any]]:
        return ROWS


BROKEN = [
    ("test_brings_something", Broken(Nothing, r"define catalog\(path\), personas\(path\) or both")),
    ("test_catalog", Broken(Numbers, "has the attribute 'price': 0; both are text")),
    ("test_catalog", Broken(Titled, "has the title .*; a title is text, or None")),
    (
        "test_catalog",
        Broken(Plain, "it returned a list of 6 from catalog; it must return a pvd.Catalog"),
    ),
    ("test_pictures", Broken(Once, "bytes at first and 0 when it is read again")),
    ("test_pictures", Broken(NoPicture, "is no JPEG, PNG")),
    (
        "test_personas",
        Broken(Blank, "it returned ' ' in persona 1; it must return a list of pvd.Persona, each"),
    ),
    ("test_personas", Broken(Same, "Two personas in .*shop.json have the id 'somebody'")),
    ("test_personas", Broken(Rich, "attributes are no JSON .TypeError: Object of type set")),
    ("test_repeats", Broken(Shuffled, "its items differ from one reading to the next")),
    ("test_split", Broken(Halves, "`split` says left, right; core divides by it into train, val")),
    ("test_wrong_paths", Broken(Hasty, "path 'nowhere.json' raises FileNotFoundError: .*kit.Miss")),
    ("test_wrong_paths", Broken(Deaf, "'nowhere.json', which is not there, raises nothing")),
]


@pytest.mark.parametrize(("check", "broken"), BROKEN, ids=lambda one: getattr(one, "message", one))
def test_it_is_caught(check: str, broken: Broken) -> None:
    assert_caught(SourceContract, check, broken, path=path)


def test_every_check_catches_something() -> None:
    assert {check for check, _ in BROKEN} == own_checks(SourceContract)


def test_a_good_one_passes() -> None:
    assert not wrong(verdicts(SourceContract, Shop, path=path))


def test_what_needs_a_path_and_has_none_is_skipped() -> None:
    found = verdicts(SourceContract, Shop)
    assert not wrong(found)
    for check in ("test_catalog", "test_pictures", "test_personas", "test_repeats", "test_split"):
        assert isinstance(found[check], Skipped)
        said = str(found[check])
        assert "give one to `pvd plugins check` with -o source.path=PATH" in said
        assert "in a test class define path(self, folder)" in said
    assert found["test_wrong_paths"] is None


class Files(Shop):
    """Has one file for items, and another for personas."""

    def personas(self, path: str) -> list[pvd.Persona]:
        if "price" in kit.read_text(Path(path)):
            raise kit.BadInput(f"{path} has prices, and people have none; name another file.")
        return super().personas(path)


def other_path(self: SourceContract, folder: Path) -> str:
    file = folder / "people.json"
    file.write_text('[{"id": "a"}, {"id": "b"}]')
    return str(file)


def test_items_and_personas_may_lie_in_two_files() -> None:
    found = verdicts(SourceContract, Files, path=path)
    assert not wrong(found)
    assert isinstance(found["test_personas"], Skipped)
    assert "no personas at the path" in str(found["test_personas"])
    assert "-o source.path=PATH" in str(found["test_personas"])
    assert "define personas_path(self, folder)" in str(found["test_personas"])
    found = verdicts(SourceContract, Files, path=path, personas_path=other_path)
    assert not wrong(found)
    assert found["test_personas"] is None


def test_path_is_called_once_in_a_folder() -> None:
    def once(self: SourceContract, folder: Path) -> str:
        (folder / "images").mkdir()
        return path(self, folder)

    assert not wrong(verdicts(SourceContract, Shop, path=once))

    def beside(self: SourceContract, folder: Path) -> str:
        assert (folder / "shop.json").is_file(), "path() was called before, in this folder"
        return other_path(self, folder)

    found = verdicts(SourceContract, Files, path=once, personas_path=beside)
    assert not wrong(found)
    assert found["test_personas"] is None


def test_a_path_that_fails_leaves_no_folder_behind() -> None:
    folders = []

    def torn(self: SourceContract, folder: Path) -> str:
        folders.append(folder)
        raise ZeroDivisionError

    found = verdicts(SourceContract, Shop, path=torn)
    assert "ZeroDivisionError" in str(found["test_catalog"])
    assert folders
    assert not any(folder.exists() for folder in folders)


def test_one_that_needs_a_package_is_skipped() -> None:
    class Parquet(Shop):
        """Needs a package that nobody has."""

        def rows(self, path: str) -> list[dict[str, Any]]:
            import nowhere_to_be_found  # noqa: F401

            return []

    found = verdicts(SourceContract, partial(Parquet), path=path)
    assert not wrong(found)
    assert "'nowhere_to_be_found', which is not installed" in str(found["test_catalog"])

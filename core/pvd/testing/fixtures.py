"""Fixtures for the tests of a plug-in, next to its contract:

pytest_plugins = ["pvd.testing.fixtures"]    # in conftest.py

def test_mine(slate, no_network):
    (ranking,) = Mine().rank([slate])
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvd.records import Catalog, Persona, Slate
from pvd.testing import material
from pvd.testing.network import offline

SIZE, PEOPLE = 12, 4  # as many as a check uses
SHOP, VISITORS = 120, 60  # enough for a whole run, which holds some of them out


@pytest.fixture
def catalog() -> Catalog:
    """Twelve small drawn items, with titles, and colours and sizes as attributes."""
    return Catalog(tuple(material.items(SIZE)), "drawn")


@pytest.fixture
def personas() -> list[Persona]:
    """Four personas, with `tastes` for the colours and sizes of the items."""
    return material.personas(PEOPLE)


@pytest.fixture
def slate() -> Slate:
    """One question: the first persona, and five items in the order shown."""
    return material.slate()


@pytest.fixture
def no_network() -> Iterator[None]:
    """For as long as a test runs, sockets lead to this machine alone: to look up another one's name
    raises `socket.gaierror`, to connect to it `OSError`. In a test module as a whole:
    `pytestmark = pytest.mark.usefixtures("no_network")`."""
    with offline():
        yield


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `catalog.csv` (120 drawn items, their pictures in `images`) and
    `personas.jsonl` (60, with tastes): enough for a short `pvd.run` with the simulated teacher."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "images").mkdir()
    with (folder / "catalog.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "image", "title", "colour", "size"])
        for item in material.items(SHOP):
            (folder / "images" / f"{item.id}.png").write_bytes(item.read())
            table.writerow(
                [item.id, f"images/{item.id}.png", item.title, *item.attributes.values()]
            )
    people = [
        json.dumps({"id": one.id, "text": one.text, **one.attributes})
        for one in material.personas(VISITORS)
    ]
    (folder / "personas.jsonl").write_text("\n".join(people) + "\n", encoding="utf-8")
    return folder

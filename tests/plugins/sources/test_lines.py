"""Lines of text as personas."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pvd
from pvd.catalog import read_personas
from pvd.errors import BadInput, MissingFile, PvdError


def personas(path: Path) -> list[pvd.Persona]:
    return read_personas(pvd.load("source", "lines", path=str(path)))


def written(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a gift for a mother\nsomeone who sails\n",
        "a gift for a mother\r\nsomeone who sails",
        "\ufeffa gift for a mother\n\n   \n  someone who sails  \n\n",
    ],
)
def test_every_line_that_is_not_blank_is_a_persona(tmp_path: Path, text: str) -> None:
    found = personas(written(tmp_path / "queries.txt", text))
    assert [persona.text for persona in found] == ["a gift for a mother", "someone who sails"]
    assert all(persona.attributes == {} for persona in found)


def test_the_id_is_a_hash_of_the_text_alone(tmp_path: Path) -> None:
    one = personas(written(tmp_path / "a.txt", "first\nsecond\n"))
    two = personas(written(tmp_path / "b.txt", "zero\nsecond\nfirst\n"))
    assert {p.text: p.id for p in one}.items() <= {p.text: p.id for p in two}.items()
    assert len({p.id for p in two}) == 3


def test_u2028_does_not_end_a_line(tmp_path: Path) -> None:
    (found,) = personas(written(tmp_path / "q.txt", "one\u2028still one\x85and\x0bmore\n"))
    assert found.text == "one\u2028still one\x85and\x0bmore"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", r"q\.txt has nothing in it; write one persona a line"),
        ("\n \n\t\n", "has nothing in it"),
        ("the same\nother\nthe same \n", r"q\.txt, line 3 has the text of line 1"),
        ("ok\n" + "x" * 20_001, r"q\.txt, line 2: the persona's text has 20,001"),
        ("a\ngröße".encode("latin-1"), r"q\.txt, line 2 is not UTF-8; save the file as UTF-8"),
        ("größe".encode("utf-16"), r"q\.txt, line 1 is not UTF-8"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, data: str | bytes, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        personas(written(tmp_path / "q.txt", data))


def test_a_file_that_is_not_there_is_exit_code_4(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"There is no file .*nowhere\.txt; check the path"):
        personas(tmp_path / "nowhere.txt")


def test_a_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="is a folder; name a file"):
        personas(tmp_path)


@settings(deadline=None)
@given(st.binary() | st.text(st.characters(exclude_categories=["Cs"])).map(str.encode))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.txt"
    with suppress(PvdError):
        for persona in personas(written(file, data)):
            assert persona.text == persona.text.strip()
            assert persona.text

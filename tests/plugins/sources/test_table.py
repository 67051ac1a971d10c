"""Tables as people save them: with BOM, quotes, blanks and damage."""

from __future__ import annotations

import csv
import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

import pvd
from pvd.catalog import read, read_personas
from pvd.errors import BadInput, MissingFile, MissingPrerequisite, PvdError

Table = Any


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("red.png", "sub/blue.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), Path(name).stem).save(tmp_path / name)
    return tmp_path


def table(path: Path, **options: str) -> Table:
    return pvd.load("source", "table", path=str(path), **options)


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def catalog(path: Path, **options: str) -> pvd.Catalog:
    return read(table(path, **options))


def personas(path: Path, **options: str) -> list[pvd.Persona]:
    return read_personas(table(path, **options))


# --- catalogues -------------------------------------------------------------------------------

CSV = "id,image,title,colour,size\n1,red.png,A red thing,red,\n2,sub/blue.png,,blue,large\n"
JSONL = (
    '{"id": 1, "image": "red.png", "title": "A red thing", "colour": "red", "size": null}\n'
    '{"id": "2", "image": "sub/blue.png", "colour": "blue", "size": "large"}\n'
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("items.csv", CSV),
        ("items.CSV", CSV),
        ("items.txt", CSV),
        ("items.csv", "\ufeff" + CSV),
        ("items.csv", CSV.replace("\n", "\r\n")),
        ("items.csv", CSV.rstrip("\n")),
        ("items.csv", CSV.replace("\n", "\n\n")),
        ("items.csv", CSV.replace("A red thing", '"A red thing"')),
        ("items.jsonl", JSONL),
        ("items.ndjson", JSONL),
        ("items.jsonl", "\ufeff" + JSONL),
        ("items.jsonl", JSONL.replace("\n", "\r\n\r\n")),
    ],
)
def test_a_catalogue_in_every_layout(folder: Path, name: str, text: str) -> None:
    found = catalog(written(folder / name, text))
    assert [item.id for item in found] == ["1", "2"]
    assert [item.open().getpixel((1, 1)) for item in found] == [(255, 0, 0), (0, 0, 255)]
    assert found[0].title == "A red thing"
    assert not found[1].title
    assert [dict(item.attributes) for item in found] == [
        {"colour": "red"},
        {"colour": "blue", "size": "large"},
    ]


def test_quoted_cells_hold_commas_quotes_and_newlines(folder: Path) -> None:
    text = 'id,image,title,note\n1,red.png,"a ""big"", red thing","two\nlines"\n'
    (item,) = catalog(written(folder / "items.csv", text))
    assert item.title == 'a "big", red thing'
    assert item.attributes == {"note": "two\nlines"}


def test_columns_may_have_other_names(folder: Path) -> None:
    text = "sku,photo,name,id\n7,red.png,Thing,x\n"
    file = written(folder / "items.csv", text)
    (item,) = catalog(file, id="sku", image="photo", title="name")
    assert (item.id, item.title, item.attributes) == ("7", "Thing", {"id": "x"})


def test_json_values_become_text_attributes(folder: Path) -> None:
    row = {"id": 1, "image": "red.png", "price": 9.5, "new": True, "tags": ["a"], "gone": ""}
    (item,) = catalog(written(folder / "items.jsonl", json.dumps(row)))
    assert item.attributes == {"price": "9.5", "new": "True", "tags": "['a']"}


def test_u2028_does_not_end_a_line_of_json(folder: Path) -> None:
    row = json.dumps({"id": "1\u2028", "image": "red.png", "note": "a\u2028b\x85c"})
    plain = row.encode().decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16")
    (item,) = catalog(written(folder / "items.jsonl", plain + "\n"))
    assert item.id == "1\u2028"
    assert item.attributes == {"note": "a\u2028b\x85c"}


def test_u2028_does_not_end_a_row_of_csv(folder: Path) -> None:
    (item,) = catalog(written(folder / "items.csv", "id,image,note\n1,red.png,a\u2028b\x0bc\x85\n"))
    assert item.attributes == {"note": "a\u2028b\x0bc\x85"}


# --- what is wrong with a catalogue -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has nothing in it; it needs a header and a row for each"),
        ("id,image\n", "has a header and no rows; it needs a header and a row for each"),
        (
            "id,photo\n1,a\n",
            r"items.csv has no column 'image', only id, photo; .* -o catalog\.image=",
        ),
        ("sku,image\n1,red.png\n", "has no column 'id', only sku, image; .* -o catalog.id=COLUMN"),
        ("id,images\n", "say which one it is with -o catalog.image=images"),
        ("id;image\n1;red.png\n", "has semicolons between its columns; save it with commas"),
        ("id\timage\n1\tred.png\n", "has tabs between its columns"),
        ("id,image,id\n1,red.png,2\n", "line 1 names the column 'id' twice"),
        ("id,image\n1,red.png\0\n", "line 2 has a NUL character"),
        ("id,image\n1,red.png\n ,red.png\n", "line 3: the column 'id' is empty; fill it or drop"),
        ("id,image\n1,\n", "line 2: the column 'image' is empty"),
        (
            "id,image\n1,red.png\n1,sub/blue.png\n",
            "items.csv, line 3 has the id '1' of line 2; give every",
        ),
        ("id,image\n1,red.png,red\n", "line 2 has 3 cells and the header 2"),
        ("id,image,note\n1,red.png\n", "line 2 has 2 cells and the header 3"),
        ("id,image\n1,red.png\n2,a, b.png\n", "line 3 has .*; quote cells that hold"),
        ('id,image\n1,"red.png\n', "line 2 is no valid CSV"),
        ('id,image\n1,"red".png\n', "line 2 is no valid CSV"),
        (
            f"id,image\n{'x' * 200_000},red.png\n",
            "line 2 is no valid CSV: a cell has more than 131,072 char",
        ),
        ("id,image\n1,../secret.png\n", r"line 2: '\.\./secret\.png' leads out of"),
        ("id,image\n1,/etc/passwd\n", "line 2: '/etc/passwd' leads out of"),
        ("id,image\n1,https://x.org/a.png\n", "line 2: 'https://x.org/a.png' is no path below"),
    ],
)
def test_a_damaged_csv_is_one_sentence_with_the_line(folder: Path, text: str, message: str) -> None:
    file = written(folder / "items.csv", text)
    with pytest.raises(BadInput, match=message) as caught:
        catalog(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": 1, "image": "red.png"}\n{"id": 2,', "line 2 is no valid JSON"),
        ('\n{"id": 1}\n', r"line 2 has no column 'image', only id; add it"),
        ("[1, 2]\n", "line 1 is no JSON object; write one object a line"),
        ('{"id": null, "image": "red.png"}', "line 1: the column 'id' is empty"),
        ('{"id": 1, "image": "red.png", "note": "\\ud800"}', "line 1 is no valid JSON"),
        ('{"id": "\\ud800", "image": "red.png"}', "line 1 is no valid JSON"),
        ("[" * 100_000, "line 1 is no valid JSON"),
        ('{"id": ' + "9" * 5000 + "}", "line 1 is no valid JSON"),
    ],
)
def test_damaged_json_lines_are_one_sentence_with_the_line(
    folder: Path, text: str, message: str
) -> None:
    file = written(folder / "items.jsonl", text)
    with pytest.raises(BadInput, match=message) as caught:
        catalog(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("name", ["items.csv", "items.jsonl"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_what_is_not_utf_8_is_one_sentence(folder: Path, name: str, encoding: str) -> None:
    file = written(folder / name, 'id,image\n1,"größe.png"\n'.encode(encoding))
    with pytest.raises(BadInput, match=r", line [12] is not UTF-8; save") as caught:
        catalog(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.jsonl", "nowhere.parquet", "", "sub"])
def test_a_table_that_is_not_there_is_exit_code_4(folder: Path, name: str) -> None:
    with pytest.raises(
        MissingFile, match=r"There is no file .*; check the path\.|is a folder"
    ) as caught:
        catalog(folder / name)
    assert caught.value.exit_code == 4


def test_a_picture_that_is_not_there_is_found_out_when_it_is_opened(folder: Path) -> None:
    (item,) = catalog(written(folder / "items.csv", "id,image\n1,nowhere.png\n"))
    with pytest.raises(OSError, match="nowhere"):
        item.open()


def test_parquet_without_pyarrow_is_exit_code_3(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    with pytest.raises(MissingPrerequisite) as caught:
        catalog(written(folder / "items.parquet", b"PAR1"))
    assert "type: pip install 'pvd-distill[parquet]'" in str(caught.value)
    assert caught.value.exit_code == 3


def test_parquet_is_a_table_like_any_other(folder: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"id": 1, "image": "red.png", "colour": "red", "size": None}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "items.parquet")
    (item,) = catalog(folder / "items.parquet")
    assert (item.id, item.attributes) == ("1", {"colour": "red"})


# --- personas ---------------------------------------------------------------------------------

TASTES = {"colour=red": 1.5, "size=large": -1.0}


def test_tastes_are_a_json_cell_in_csv(tmp_path: Path) -> None:
    with (tmp_path / "p.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "tastes", "role"])
        writer.writerow(["p1", "someone", json.dumps(TASTES), "nurse"])
        writer.writerow(["p2", "someone else", "", ""])
    one, two = personas(tmp_path / "p.csv")
    assert one == pvd.Persona("p1", "someone", {"tastes": TASTES, "role": "nurse"})
    assert two == pvd.Persona("p2", "someone else", {})


def test_tastes_are_an_object_in_json(tmp_path: Path) -> None:
    rows = [
        {"id": "p1", "text": "someone", "tastes": TASTES},
        {"id": 2, "text": "x\u2028y", "tastes": json.dumps(TASTES)},
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    one, two = personas(written(tmp_path / "p.jsonl", lines))
    assert one.attributes == two.attributes == {"tastes": TASTES}
    assert (two.id, two.text) == ("2", "x\u2028y")


def test_a_persona_may_have_other_columns(tmp_path: Path) -> None:
    file = written(tmp_path / "p.csv", "name,query,id\nann,a gift,7\n")
    assert personas(file, id="name", text="query") == [pvd.Persona("ann", "a gift", {"id": "7"})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has nothing in it"),
        ("id,text\n", "has a header and no rows"),
        ("id,words\np1,hello\n", "p.csv has no column 'text', only id, words"),
        ("id,text\np1, \n", "line 2: the persona's text is blank"),
        ("id,text\n,hello\n", "line 2: the column 'id' is empty"),
        ("id,text\np1,a\np1,b\n", "line 3 has the id 'p1' of line 2"),
        ("id,text\np1," + "x" * 20_001 + "\n", "line 2: the persona's text has 20,001 char"),
        ("id,text,tastes\np1,a,{red: 1}\n", "line 2, column tastes is no valid JSON"),
    ],
)
def test_damaged_personas_are_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)) as caught:
        personas(written(tmp_path / "p.csv", text))
    assert "p.csv" in str(caught.value)


# --- anything at all --------------------------------------------------------------------------

ROWS = st.lists(
    st.sampled_from([b"id,image,text", b"1,red.png,x", b'"', b",", b"\n", b"\r", b"\xff", b"\0"])
    | st.binary(max_size=6)
).map(b"".join)
LINES = st.lists(
    st.sampled_from(
        [b'{"id": 1, "image": "a", "text": "x"}', b"\n", b"[]", b"\xe2\x80\xa8", b'"\\ud800"']
    )
    | st.binary(max_size=6)
    | st.dictionaries(
        st.sampled_from(["id", "image", "text", "title", "tastes"]),
        st.none() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=2), max_size=2),
    ).map(lambda row: json.dumps(row).encode())
).map(b"".join)


def check(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with suppress(PvdError):
        for item in catalog(path):
            assert item.id.strip()
    with suppress(PvdError):
        for persona in personas(path):
            assert persona.id.strip()
            assert persona.text.strip()
            json.dumps([persona.text, dict(persona.attributes)], ensure_ascii=False).encode()


@settings(deadline=None, max_examples=150)
@example(b'id,image,text\r1,a,"\r')
@example(b'id,text\n1,"\0"\n')
@given(st.binary() | ROWS)
def test_any_bytes_as_csv(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    check(tmp_path_factory.getbasetemp() / "any.csv", data)


@settings(deadline=None, max_examples=150)
@example(b'{"id": "\\ud83d", "image": "a", "text": "b"}')
@example(b'{"id": "1", "image": "\\ud83d", "text": "b"}')
@given(st.binary() | LINES)
def test_any_bytes_as_json_lines(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    check(tmp_path_factory.getbasetemp() / "any.jsonl", data)

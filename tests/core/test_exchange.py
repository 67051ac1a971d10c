"""Answers as files: what is written is read again, whole; what does not fit gets one sentence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvd.errors import BadInput, MissingFile, PvdError
from pvd.records import Tokens, digest_of
from pvd.store import exchange
from pvd.store.exchange import FIELDS, LONGEST_NAME, MOST_DOLLARS, MOST_TOKENS, Answer, checked

FORMATS = ("jsonl", "parquet")


def answer(number: int = 0, **changes: Any) -> Answer:
    body = {"model": "m", "text": f"größer\u2028 {number}", "sizes": [1, 2.5, None]}
    values: dict[str, Any] = {
        "digest": digest_of(body),
        "teacher": "openai",
        "model": "gpt-x-2026-05-13",
        "date": f"2026-11-{number % 28 + 1:02d}T10:00:00+00:00",
        "finish": "",
        "dollars": 0.25,
        "tokens": Tokens(11, 5, 4, 3, 2, 1),
        "reply": "A > B",
        "request": json.dumps(body, ensure_ascii=False),
    }
    return Answer(**values | changes)


def row(**changes: Any) -> dict[str, Any]:
    """A row that fits, but for these changes; `...` takes something out."""
    values = {**answer().row(), "request": json.loads(answer().request), **changes}
    return {key: value for key, value in values.items() if value is not ...}


def lines(path: Path, *rows: dict[str, Any] | bytes) -> Path:
    found = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in rows]
    path.write_bytes(b"\n".join(found) + b"\n")
    return path


def message(call: Callable[[], Any]) -> str:
    with pytest.raises(PvdError) as caught:
        call()
    said = str(caught.value)
    assert said.splitlines() == [said]
    assert said.endswith("."), said
    return said


# --- there and back -----------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAME = TEXT.filter(lambda text: text.isprintable() and len(text) <= LONGEST_NAME)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
COUNT = st.integers(0, MOST_TOKENS)


@st.composite
def any_answer(draw: st.DrawFn) -> Answer:
    body = draw(st.dictionaries(TEXT, VALUE, max_size=3))
    return Answer(
        digest=digest_of(body),
        teacher=draw(NAME.filter(bool)),
        model=draw(NAME),
        date=draw(st.datetimes().map(lambda d: d.isoformat(timespec="seconds") + "+00:00")),
        finish=draw(NAME),
        dollars=draw(st.none() | st.floats(0, MOST_DOLLARS)),
        tokens=Tokens(*(draw(COUNT) for _ in range(6))),
        reply=draw(TEXT),
        request=json.dumps(body, ensure_ascii=False),
    )


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@settings(deadline=None, derandomize=True, max_examples=150,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(found=st.lists(any_answer(), min_size=1, max_size=5))
def test_what_is_written_is_read_again(tmp_path: Path, format: str, found: list[Answer]) -> None:
    path = tmp_path / f"any.{format}"
    path.unlink(missing_ok=True)
    assert exchange.write(path, found) == len(found)
    assert list(exchange.read(path)) == found


def test_a_line_is_strict_json_with_the_request_as_an_object(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    exchange.write(path, [answer(1), answer(2, dollars=None)])
    first, second = (json.loads(line) for line in path.read_bytes().split(b"\n")[:-1])
    assert list(first) == list(FIELDS)
    assert first["schema"] == 1
    assert first["request"] == json.loads(answer(1).request)
    assert (first["dollars"], second["dollars"]) == (0.25, None)
    assert [first[name] for name in exchange.COUNTS] == [11, 5, 4, 3, 2, 1]


def test_parquet_has_a_column_for_each_field_and_is_written_in_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet

    monkeypatch.setattr(exchange, "GROUP", 4)
    taken: list[int] = []

    def some() -> Iterator[Answer]:
        for number in range(10):
            taken.append(number)
            yield answer(number)

    path = tmp_path / "a.parquet"
    assert exchange.write(path, some()) == 10
    with pyarrow.parquet.ParquetFile(path) as file:
        assert file.schema_arrow.names == list(FIELDS)
        groups = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
    assert groups == [4, 4, 2]
    monkeypatch.setattr(exchange, "BATCH", 3)
    assert list(exchange.read(path)) == [answer(number) for number in range(10)]


def test_the_same_answers_make_the_same_bytes(tmp_path: Path) -> None:
    for format in FORMATS:
        first, second = tmp_path / f"1.{format}", tmp_path / f"2.{format}"
        for path in (first, second):
            exchange.write(path, map(answer, range(9)))
        assert first.read_bytes() == second.read_bytes()


# --- writing, all or nothing --------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, BadInput("no.")])
def test_what_is_broken_off_leaves_nothing(tmp_path: Path, format: str, error: Any) -> None:
    def some() -> Iterator[Answer]:
        yield from map(answer, range(3))
        raise error

    with pytest.raises((KeyboardInterrupt, BadInput)):
        exchange.write(tmp_path / f"a.{format}", some())
    assert list(tmp_path.iterdir()) == []


FULL = """
import resource, sys
from pathlib import Path
from pvd.store import exchange
from pvd.errors import BadInput
sys.path.insert(0, sys.argv[2])
from test_exchange import answer
import os, pyarrow.parquet
def some():
    for number in range(200):
        yield answer(number, reply=os.urandom(2000).hex())
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
exchange.GROUP = 20
try:
    exchange.write(Path(sys.argv[1]), some())
except BadInput as error:
    print(error)
"""


@pytest.mark.parametrize("format", FORMATS)
def test_no_room_is_one_sentence_and_leaves_nothing(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"a.{format}"
    words = [sys.executable, "-c", FULL, str(path), str(Path(__file__).parent)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.stdout == (
        f"{path} cannot be written (File too large); make room or name another file, then give "
        "the same command again.\n"
    ), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("dear to me")
    said = message(lambda: exchange.write(path, [answer()]))
    assert said == f"{path} is there already; name another file, or delete it first."
    assert path.read_text() == "dear to me"


@pytest.mark.parametrize("name", ["a", "a.csv", ".jsonl", "a.jsonl\0", "a\0.jsonl", "no/a.jsonl"])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    said = message(lambda: exchange.write(tmp_path / name, [answer()]))
    assert "must end in .jsonl or .parquet" in said or "No such file" in said
    assert list(tmp_path.iterdir()) == []


# --- reading ------------------------------------------------------------------------------------


def test_what_editors_do_to_a_file_is_passed_over(tmp_path: Path) -> None:
    whole = json.dumps(row(), ensure_ascii=False).encode()  # has U+2028 as it is
    assert "\u2028".encode() in whole
    path = tmp_path / "a.JSONL"
    path.write_bytes(b"\xef\xbb\xbf\r\n" + whole + b"\r\n\r\n  \n" + whole)
    assert list(exchange.read(path)) == [answer(), answer()]
    path.write_bytes(b"\xef\xbb\xbf" + whole)
    assert list(exchange.read(path)) == [answer()]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (json.dumps(row()).encode()[:-9], "line 2 is no valid JSON: Expecting ',' delimiter"),
        (json.dumps(row()).encode()[:30], "line 2 is no valid JSON: Unterminated string"),
        (b"\xff\xfe", "line 2 is not UTF-8; save the file as UTF-8"),
        (b"[]", "line 2 is no JSON object; write one object a line"),
        (b"[" * 50_000, "line 2 is no valid JSON: its brackets are nested too deeply"),
        (b'{"a": "\\ud83d"}', "line 2 is no valid JSON: it has half of a surrogate pair"),
        (b'{"dollars": NaN}', "line 2 is no valid JSON: NaN is no number there"),
        (b'{"a": ' + b"9" * 5000 + b"}", "line 2 is no valid JSON: a number in it has too many"),
        (b"{}", "line 2 has no 'schema'; bring a file that `pvd cache export` wrote"),
        (b"x" * 600, "line 2 has more than 512 bytes; take the file again from"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_line_that_is_no_row(
    tmp_path: Path, bad: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bad.startswith(b"xxx"):
        monkeypatch.setattr(exchange, "LONGEST_LINE", 512)
    small = row(request={}, digest=digest_of({}))
    path = lines(tmp_path / "a.jsonl", small, bad, small)
    assert f"{path}, {why}" in message(lambda: list(exchange.read(path)))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        *(({name: ...}, f"here has no {name!r}; bring a file that") for name in FIELDS),
        ({"schema": 2}, r"here was written by a newer pvd \(schema 2\); update pvd-distill"),
        ({"schema": "1"}, "here: schema must be 1, not '1'"),
        ({"schema": True}, "schema must be 1, not True"),
        ({"digest": "0" * 64}, "its digest is not that of its request; take the file again"),
        ({"digest": row()["digest"].upper()}, "its digest is not that of its request"),
        ({"digest": 7}, "digest must be text, not 7"),
        ({"request": {"model": "m"}}, "its digest is not that of its request"),
        ({"request": [1]}, r"request must be a JSON object, not \[1\]"),
        ({"request": "[1]"}, r"request must be a JSON object, not \[1\]"),
        ({"request": "{"}, "here: the request is no valid JSON"),
        ({"request": None}, "request must be a JSON object, not None"),
        (
            {"request": {"n": float("inf")}, "digest": digest_of({"n": float("inf")})},
            "the request has a number without end",
        ),
        ({"reply": None}, "reply must be text, not None"),
        ({"reply": {"order": [1]}}, "reply must be text, not {'order'"),
        ({"teacher": ""}, "teacher must be a printable name of at most 200 characters, not ''"),
        ({"teacher": "a\x1b[31mb"}, "teacher must be a printable name"),
        ({"model": "x" * 201}, "model must be a printable name"),
        ({"finish": "a\nb"}, "finish must be a printable name"),
        ({"date": "yesterday"}, "date must be like 2026-12-31T23:59:59.*, not 'yesterday'"),
        ({"date": "0001-01-01T00:00:00+05:00"}, "date must be like"),
        ({"input_tokens": -1}, "input_tokens must be a whole number from 0 to .*, not -1"),
        ({"output_tokens": 1.0}, "output_tokens must be a whole number"),
        ({"image_tokens": True}, "image_tokens must be a whole number"),
        ({"cached_tokens": 10**30}, "cached_tokens must be a whole number"),
        ({"dollars": -0.01}, "dollars must be null, or a number from 0 to 1,000,000, not -0.01"),
        ({"dollars": float("nan")}, "dollars must be null, or a number"),
        ({"dollars": float("inf")}, "dollars must be null, or a number"),
        ({"dollars": 10**400}, "dollars must be null, or a number"),
        ({"dollars": "0.25"}, "dollars must be null, or a number"),
        ({"dollars": False}, "dollars must be null, or a number"),
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_does_not_fit(changes: dict[str, Any], why: str) -> None:
    assert checked(row(), "here") == answer()
    assert re.search(why, message(lambda: checked(row(**changes), "here")))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-01-01", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T01:00:00+02:00", "2025-12-31T23:00:00+00:00"),
        ("20260101T000000Z", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:00:00.75+00:00", "2026-01-01T00:00:00+00:00"),
    ],
)
def test_dates_become_such_as_can_be_ordered(given: str, kept: str) -> None:
    assert checked(row(date=given), "here") == replace(answer(), date=kept)


def test_fields_that_somebody_added_are_passed_over() -> None:
    assert checked(row(note={"a": [1]}), "here") == answer()


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_no_file_with_answers(tmp_path: Path, format: str) -> None:
    path = tmp_path / f"a.{format}"
    with pytest.raises(MissingFile, match=r"There is no file .*; check the path"):
        list(exchange.read(path))
    path.mkdir()
    with pytest.raises(MissingFile, match="is a folder; name a file"):
        list(exchange.read(path))
    path.rmdir()
    path.write_bytes(b"\n \n" if format == "jsonl" else b"PAR1")
    message(lambda: list(exchange.read(path)))
    path.unlink()
    exchange.write(path, [])
    assert "has no answers in it" in message(lambda: list(exchange.read(path)))


def test_a_torn_parquet_file_brings_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    exchange.write(path, map(answer, range(50)))
    data = path.read_bytes()
    for size in (0, 3, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        assert "cannot be read as Parquet" in message(lambda: list(exchange.read(path)))


def test_parquet_of_somebody_else(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"id": [1]}), path)
    assert "row 1 has no 'schema'" in message(lambda: list(exchange.read(path)))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row(dollars=float("nan"))]), path)
    assert "row 1: dollars must be null" in message(lambda: list(exchange.read(path)))
    more = {"note": 3, **answer().row()}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([more]), path)
    assert list(exchange.read(path)) == [answer()]
    # The request as columns of its own, as some tools write it, makes 1.0 of 1.
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row()]), path)
    assert "its digest is not that of" in message(lambda: list(exchange.read(path)))


# --- whatever a file holds ----------------------------------------------------------------------

ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
ROWS = st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=2).map(
    lambda changes: json.dumps(row(**changes)).encode()
)
MARKS = (b"\n", b"\r", b"\xff", b"\0", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"[]", b"NaN", b"{}")


def outcome(path: Path) -> list[Answer]:
    """What is in it; nothing after an error of ours that is put as it should be."""
    try:
        return list(exchange.read(path))
    except PvdError as error:
        said = str(error)
    assert said.splitlines() == [said]
    assert said.endswith("."), said
    return []


@settings(deadline=None, derandomize=True, max_examples=600,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    st.lists(ROWS | st.sampled_from(MARKS) | st.binary(max_size=4), max_size=4).map(b"".join),
    st.integers(0, 60),
)
def test_any_lines(tmp_path: Path, data: bytes, cut: int) -> None:
    path = tmp_path / "any.jsonl"
    path.write_bytes(data[: len(data) - cut] if cut < 20 else data)
    for one in outcome(path):
        assert digest_of(json.loads(one.request)) == one.digest
        assert checked(one.row(), "again") == one
        one.reply.encode()


@settings(deadline=None, derandomize=True, max_examples=200,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_any_damage_to_a_parquet_file(tmp_path: Path, rng: Any, changes: int) -> None:
    path = tmp_path / "any.parquet"
    path.unlink(missing_ok=True)
    exchange.write(path, map(answer, range(3)))
    data = bytearray(path.read_bytes())
    for _ in range(changes):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data)
    for one in outcome(path):
        assert digest_of(json.loads(one.request)) == one.digest

"""Answers as files: JSON lines and Parquet, for publishing labels and for taking published ones.

A file has one answer a line, or a row. What was asked is proved by the digest, which everybody can
compute again from the request; what was answered is as true as who published it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar

from pvd.errors import BadInput, MissingFile
from pvd.reading import parse_json
from pvd.records import Tokens, digest_of

SCHEMA = 1  # of a line; a file of a newer one is refused
TEXTS = ("digest", "teacher", "model", "date", "finish", "reply")
NAMES = ("teacher", "model", "finish")  # they are printed
COUNTS = (
    "input_tokens",
    "output_tokens",
    "image_tokens",
    "cached_tokens",
    "written_tokens",
    "thought_tokens",
)  # in the order of `Tokens.counts()`
FIELDS = ("schema", "digest", "teacher", "model", "date", "finish", "dollars", *COUNTS, "reply",
          "request")  # fmt: skip
LONGEST_NAME = 200
MOST_TOKENS = 10**12  # of one answer; the sum of a million of them still fits into SQLite
MOST_DOLLARS = 10**6
LONGEST_LINE = 64 * 2**20  # bytes
GROUP = 5000  # rows of Parquet that are written together
BATCH = 1000  # rows of Parquet that are read together
T = TypeVar("T")
BOM = b"\xef\xbb\xbf"
MEND = "take the file again from where it comes, or take this one out"


@dataclass(frozen=True)
class Answer:
    """A row of the store. `request` is the body as JSON; a price that nobody knows is None."""

    digest: str
    teacher: str
    model: str
    date: str
    finish: str
    dollars: float | None
    tokens: Tokens
    reply: str
    request: str

    def row(self) -> dict[str, Any]:
        """Its fields, named and ordered as in a file; the request is text."""
        counts = dict(zip(COUNTS, self.tokens.counts(), strict=True))
        values = {"schema": SCHEMA, **vars(self), **counts}
        return {name: values[name] for name in FIELDS}


# --- one answer -------------------------------------------------------------------------------


def checked(row: Mapping[str, Any], where: str) -> Answer:
    """The answer that a row holds; BadInput, which names it by `where`, if it does not fit."""
    schema = row.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise BadInput(f"{where} was written by a newer pvd (schema {schema}); update pvd-distill.")
    for name in FIELDS:
        if name not in row:
            raise BadInput(f"{where} has no {name!r}; bring a file that `pvd cache export` wrote.")
    if type(schema) is not int or schema != SCHEMA:
        raise _wrong(where, "schema", f"{SCHEMA}", schema)
    for name in TEXTS:
        if not isinstance(row[name], str):
            raise _wrong(where, name, "text", row[name])
    for name in NAMES:
        text = row[name]
        if len(text) > LONGEST_NAME or not text.isprintable() or not (text or name != "teacher"):
            must = f"a printable name of at most {LONGEST_NAME} characters"
            raise _wrong(where, name, must, text)
    for name in COUNTS:
        if type(row[name]) is not int or not 0 <= row[name] <= MOST_TOKENS:
            raise _wrong(where, name, f"a whole number from 0 to {MOST_TOKENS:,}", row[name])
    dollars = row["dollars"]
    if dollars is not None:
        if type(dollars) not in (int, float) or not 0 <= dollars <= MOST_DOLLARS:
            must = f"null, or a number from 0 to {MOST_DOLLARS:,}"
            raise _wrong(where, "dollars", must, dollars)
        dollars = float(dollars)
    return Answer(
        digest=row["digest"],
        teacher=row["teacher"],
        model=row["model"],
        date=_date(row["date"], where),
        finish=row["finish"],
        dollars=dollars,
        tokens=Tokens(*(row[name] for name in COUNTS)),
        reply=row["reply"],
        request=_request(row["request"], row["digest"], where),
    )


def _wrong(where: str, name: str, must: str, value: Any) -> BadInput:
    return BadInput(f"{where}: {name} must be {must}, not {value!r:.40}; {MEND}.")


def _date(text: str, where: str) -> str:
    """It as the store writes dates, so that they are ordered as text."""
    try:
        date = datetime.fromisoformat(text)
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(where, "date", "like 2026-12-31T23:59:59+00:00", text) from None
    return date.isoformat(timespec="seconds")


def _request(body: Any, digest: str, where: str) -> str:
    """The body as the store keeps it, if it is what the digest says."""
    if isinstance(body, str):
        body = parse_json(body, f"{where}: the request")
    if not isinstance(body, dict):
        raise _wrong(where, "request", "a JSON object", body)
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
    except ValueError:  # 1e999 is read as infinity
        raise BadInput(f"{where}: the request has a number without end; {MEND}.") from None
    if digest_of(body) != digest:
        raise BadInput(f"{where}: its digest is not that of its request; {MEND}.")
    return text


# --- writing ----------------------------------------------------------------------------------


def write(path: Path, answers: Iterable[Answer]) -> int:
    """Write a new file, JSON lines or Parquet by its name, all of it or nothing; how many they
    were. One row group is in memory at most."""
    writer = _by_suffix(path, WRITERS)
    if os.path.lexists(path):
        raise BadInput(f"{path} is there already; name another file, or delete it first.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            count = writer(file, answers)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written ({error.strerror or error}); make room or name another "
            "file, then give the same command again."
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count


def _write_lines(file: IO[bytes], answers: Iterable[Answer]) -> int:
    count = 0
    for count, answer in enumerate(answers, 1):  # noqa: B007
        row = answer.row()
        body = row.pop("request")  # JSON already
        line = json.dumps(row, ensure_ascii=False, allow_nan=False)
        file.write(f'{line[:-1]}, "request": {body}}}\n'.encode())
    return count


def _write_parquet(file: IO[bytes], answers: Iterable[Answer]) -> int:
    pyarrow, parquet = _pyarrow()
    kinds = dict.fromkeys(FIELDS, pyarrow.string()) | dict.fromkeys(COUNTS, pyarrow.int64())
    kinds |= {"schema": pyarrow.int16(), "dollars": pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds[name]) for name in FIELDS])
    rows, count = (answer.row() for answer in answers), 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(rows, GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


def _pyarrow() -> tuple[Any, Any]:
    from pvd.kit import need

    parquet = need("pyarrow.parquet", "parquet")
    return need("pyarrow", "parquet"), parquet


# --- reading ----------------------------------------------------------------------------------


def read(path: Path) -> Iterator[Answer]:
    """The answers of a file, one after another; BadInput at the first that does not fit."""
    reader = _by_suffix(path, READERS)
    empty = True
    for row, where in reader(path):
        empty = False
        yield checked(row, where)
    if empty:
        raise BadInput(f"{path} has no answers in it; bring a file that `pvd cache export` wrote.")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file; whatever the system says against reading it becomes one sentence."""
    try:
        with path.open("rb") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFile(f"There is no file {path}; check the path.") from None
    except IsADirectoryError:
        raise MissingFile(f"{path} is a folder; name a file.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}).") from None


def _read_lines(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    number = 0
    with _opened(path) as file:
        # Only \n ends a line: str.splitlines would also cut at U+2028 inside a string.
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            where = f"{path}, line {number}"
            if len(line) > LONGEST_LINE:
                raise BadInput(f"{where} has more than {LONGEST_LINE:,} bytes; {MEND}.")
            line = line.removeprefix(BOM).strip() if number == 1 else line.strip()
            if not line:
                continue
            try:
                text = line.decode()
            except UnicodeDecodeError:
                raise BadInput(f"{where} is not UTF-8; save the file as UTF-8.") from None
            row = parse_json(text, where)
            if not isinstance(row, dict):
                raise BadInput(f"{where} is no JSON object; write one object a line.")
            yield row, where


def _read_parquet(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    pyarrow, parquet = _pyarrow()
    number = 0
    with _opened(path) as file:
        try:
            with parquet.ParquetFile(file) as table:
                names = [name for name in FIELDS if name in table.schema_arrow.names]
                for batch in table.iter_batches(batch_size=BATCH, columns=names):
                    for row in batch.to_pylist():
                        number += 1
                        yield row, f"{path}, row {number}"
        # What pyarrow raises for files that are damaged, torn, or none of its kind.
        except (pyarrow.ArrowException, OSError, ValueError, MemoryError):
            raise BadInput(
                f"{path} cannot be read as Parquet; take it again from where it comes."
            ) from None


Writer = Callable[[IO[bytes], Iterable[Answer]], int]
Reader = Callable[[Path], Iterator[tuple[Mapping[str, Any], str]]]
WRITERS: dict[str, Writer] = {".jsonl": _write_lines, ".parquet": _write_parquet}
READERS: dict[str, Reader] = {".jsonl": _read_lines, ".parquet": _read_parquet}


def _by_suffix(path: Path, kinds: Mapping[str, T]) -> T:
    """What is for files of this name."""
    kind = kinds.get(path.suffix.lower())
    if kind is None or "\0" in path.name:
        raise BadInput(f"{path} must end in .jsonl or .parquet, which says in what format it is.")
    return kind

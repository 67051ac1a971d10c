"""What is in a store: counted, chosen, and published.

Nothing here makes or changes a store, and no transaction is longer than a page of answers: runs
that use the store meanwhile go on.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pvd.discovery import unknown
from pvd.errors import BadInput, MissingFile, UnknownName
from pvd.progress import Progress, Silent
from pvd.records import Tokens
from pvd.store import exchange
from pvd.store.database import BUSY, SCHEMA, chunks
from pvd.store.exchange import COUNTS, Answer, checked

PAGE = 500  # answers that are read in one transaction
NEEDED = ("digest", "teacher", "model", "date", "dollars", "reply", "request")
# Columns that older stores do not have.
DEFAULTS = {"finish": "''", **dict.fromkeys(COUNTS, "0")}
COLUMNS = (*NEEDED, *DEFAULTS)


@dataclass(frozen=True)
class Choice:
    """Which answers are meant. Dates are days such as 2026-12-31, in UTC."""

    teacher: str | None = None
    model: str | None = None
    since: str | None = None
    before: str | None = None

    def where(self) -> tuple[str, list[str]]:
        """As a condition with its parameters."""
        terms = {"teacher = ?": self.teacher, "model = ?": self.model, "date >= ?": self.since,
                 "date < ?": self.before}  # fmt: skip
        given = {term: value for term, value in terms.items() if value is not None}
        return " AND ".join(["1", *given]), list(given.values())


@dataclass(frozen=True)
class Group:
    """The answers of one teacher with one model. `dollars` is the sum of the prices that are known,
    None if none is."""

    teacher: str
    model: str
    answers: int
    finish: dict[str, int]  # how many did not end as they should: refused, truncated
    tokens: Tokens
    dollars: float | None
    unpriced: int
    first: str
    last: str


@dataclass(frozen=True)
class Pending:
    """A submission under way."""

    name: str
    teacher: str
    begun: str
    size: int
    waiting: int
    ticket: bool  # whether it is known to have arrived


@dataclass(frozen=True)
class Contents:
    """What `pvd cache info` shows."""

    path: str
    bytes: int
    groups: list[Group]
    pending: list[Pending]
    runs: int
    spent: float  # by all runs, what is put aside included


@dataclass
class Exported:
    """What was written, and how many answers were left out since they do not fit their digest."""

    answers: int = 0
    unfit: int = 0


# --- reading ----------------------------------------------------------------------------------


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that changes nothing; MissingFile if there is no such store."""
    if not os.path.isfile(path):
        raise MissingFile(f"There is no store {path}; name another with --store.")
    try:
        with closing(_connected(path)) as db:
            yield db
    except sqlite3.Error as error:
        raise BadInput(
            f"The store {path} cannot be read ({error}); mend it or name another."
        ) from None


def _connected(path: Path) -> sqlite3.Connection:
    name = quote(os.fsencode(path.absolute()))
    try:
        return _checked(path, f"file:{name}?mode=rw")
    except sqlite3.OperationalError as error:
        # WAL needs files beside it; on a disk for reading only, nobody writes them either.
        if error.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN or _has_wal(path):
            raise
        return _checked(path, f"file:{name}?immutable=1")


def _has_wal(path: Path) -> bool:
    """Whether answers may be in the file beside it."""
    return os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal") > 0


def _checked(path: Path, uri: str) -> sqlite3.Connection:
    """A connection to what is known to be a store that this pvd can read."""
    db = sqlite3.connect(uri, uri=True, timeout=BUSY / 1000, isolation_level=None)
    try:
        db.execute("PRAGMA query_only=ON")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise BadInput(
                f"The store {path} was written by a newer pvd (schema {version}); update "
                "pvd-distill or name another."
            )
        if not set(NEEDED) <= set(columns_of(db, "answers")):
            raise BadInput(f"{path} is no store of answers; name another.")
    except BaseException:
        db.close()
        raise
    return db


def columns_of(db: sqlite3.Connection, table: str) -> list[str]:
    """The names of a table's columns; none if there is no such table."""
    return [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]


def _rows_of(db: sqlite3.Connection, choice: Choice) -> Iterator[list[dict[str, Any]]]:
    """Pages of answers in the order of their digests, each read for itself."""
    have, (where, values), last = columns_of(db, "answers"), choice.where(), ""
    shown = ", ".join(n if n in have else f"{DEFAULTS[n]} AS {n}" for n in COLUMNS)
    while True:
        query = f"SELECT {shown} FROM answers WHERE {where} AND digest > ? ORDER BY digest LIMIT ?"
        page = db.execute(query, (*values, last, PAGE)).fetchall()
        yield [dict(zip(COLUMNS, row, strict=True), schema=exchange.SCHEMA) for row in page]
        if len(page) < PAGE:
            return
        last = page[-1][0]


def answers(path: Path) -> Iterator[Answer]:
    """The answers of a store, one after another; BadInput at the first that does not fit."""
    number = 0
    with reading(path) as db:
        for page in _rows_of(db, Choice()):
            for row in page:
                number += 1
                yield checked(row, f"{path}, answer {number}")


def replies(path: Path, digests: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The raw replies that are kept under these digests, word for word, each with how it ended."""
    with reading(path) as db:
        finish = "finish" if "finish" in columns_of(db, "answers") else "''"
        query = f"SELECT digest, reply, {finish} FROM answers WHERE digest IN"
        return {
            digest: (reply, end)
            for some in chunks(digests)
            for digest, reply, end in db.execute(f"{query} ({','.join('?' * len(some))})", some)
        }


def contents(path: Path) -> Contents:
    """What is in a store, in one look at each table."""
    with reading(path) as db:
        pending, runs, spent = [], 0, 0.0
        if columns_of(db, "spending"):
            runs, spent = db.execute("SELECT count(*), total(dollars) FROM spending").fetchone()
            rows = db.execute(
                "SELECT name, teacher, begun, size, (SELECT count(*) FROM submitted"
                " WHERE batch = name), ticket IS NOT NULL FROM batches ORDER BY begun, name"
            ).fetchall()
            pending = [
                Pending(name, teacher, begun, size, waiting, bool(ticket))
                for name, teacher, begun, size, waiting, ticket in rows
            ]
        return Contents(str(path), _size(path), _groups(db), pending, runs, spent)


def size(path: Path) -> int:
    """The bytes that a store has on the disk."""
    with reading(path):
        return _size(path)


def _size(path: Path) -> int:
    return sum(os.path.getsize(f) for f in (path, f"{path}-wal") if os.path.isfile(f))


def _groups(db: sqlite3.Connection) -> list[Group]:
    have = columns_of(db, "answers")
    finish = "finish" if "finish" in have else "''"
    counts = ", ".join(f"total({name})" if name in have else "0" for name in COUNTS)
    # The + keeps SQLite from the index, in whose order the table is read four times more slowly.
    rows = db.execute(
        f"SELECT teacher, model, {finish}, count(*), sum(dollars), sum(dollars IS NULL),"
        f" min(date), max(date), {counts} FROM answers GROUP BY +teacher, model, {finish}"
    ).fetchall()
    groups: dict[tuple[str, str], Group] = {}
    for teacher, model, end, count, dollars, unpriced, first, last, *tokens in rows:
        ends = {end: count} if end else {}
        one = Group(teacher, model, count, ends, Tokens(*map(int, tokens)), dollars, unpriced,
                    first, last)  # fmt: skip
        before = groups.get((teacher, model))
        groups[teacher, model] = one if before is None else _joined(before, one)
    return list(groups.values())


def _joined(a: Group, b: Group) -> Group:
    known = [group.dollars for group in (a, b) if group.dollars is not None]
    return replace(
        a,
        answers=a.answers + b.answers,
        finish=a.finish | b.finish,
        tokens=a.tokens + b.tokens,
        dollars=sum(known) if known else None,
        unpriced=a.unpriced + b.unpriced,
        first=min(a.first, b.first),
        last=max(a.last, b.last),
    )


# --- export -----------------------------------------------------------------------------------


def export(store: Path, file: Path, choice: Choice, progress: Progress | None = None) -> Exported:
    """Write the chosen answers into a new file; those that no import would take are left out."""
    done = Exported()

    def fitting() -> Iterator[Answer]:
        with reading(store) as db:
            for page in _rows_of(db, choice):
                for row in page:
                    try:
                        answer = checked(row, str(store))
                    except BadInput:
                        done.unfit += 1
                        continue
                    done.answers += 1
                    yield answer
                (progress or Silent()).advance(len(page))
            if not done.answers:
                check_names(db, choice)
                raise BadInput(f"No answer in {store} is like that; nothing was written.")

    exchange.write(file, fitting())
    return done


def check_names(db: sqlite3.Connection, choice: Choice) -> None:
    """UnknownName if the store has no such teacher or model."""
    for kind, name in (("teacher", choice.teacher), ("model", choice.model)):
        if name is not None:
            query = f"SELECT DISTINCT {kind} FROM answers ORDER BY {kind}"
            known = [row[0] for row in db.execute(query)]
            if name not in known:
                raise UnknownName(unknown(f"{kind} in the store", name, known))

"""The answers' database as a file: its tables, how it is opened, read and written."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pvd.errors import BadInput

SCHEMA = 4
CHUNK = 500  # digests in one statement; SQLite allows at least 999 parameters
BUSY = 2000  # milliseconds that one try waits for another process; Ctrl-C waits as long

TABLES = (
    # What is long stands last: who adds up the numbers need not walk over it.
    """CREATE TABLE IF NOT EXISTS answers (
    digest TEXT PRIMARY KEY, teacher TEXT NOT NULL, model TEXT NOT NULL,
    finish TEXT NOT NULL DEFAULT '', date TEXT NOT NULL, dollars REAL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    image_tokens INTEGER NOT NULL DEFAULT 0, cached_tokens INTEGER NOT NULL DEFAULT 0,
    written_tokens INTEGER NOT NULL DEFAULT 0, thought_tokens INTEGER NOT NULL DEFAULT 0,
    request TEXT NOT NULL, reply TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS answers_teacher ON answers (teacher)",
    # Who asks a question now, until when nobody else may, and what is put aside for it.
    """CREATE TABLE IF NOT EXISTS leases (
    digest TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL,
    run TEXT NOT NULL, aside REAL NOT NULL) WITHOUT ROWID""",
    # What each run has sent and spent, what is put aside included.
    """CREATE TABLE IF NOT EXISTS spending (
    run TEXT PRIMARY KEY, calls INTEGER NOT NULL, dollars REAL NOT NULL) WITHOUT ROWID""",
    # Submissions that a provider works on; without a ticket, it is not known whether it arrived.
    """CREATE TABLE IF NOT EXISTS batches (
    name TEXT PRIMARY KEY, teacher TEXT NOT NULL, owner TEXT NOT NULL, ticket TEXT,
    begun TEXT NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID""",
    # Their questions; they belong to no process, and so outlive it.
    """CREATE TABLE IF NOT EXISTS submitted (
    digest TEXT PRIMARY KEY, batch TEXT NOT NULL, run TEXT NOT NULL, aside REAL NOT NULL
    ) WITHOUT ROWID""",
)


def opened(path: Path) -> sqlite3.Connection:
    """A connection to the database of this path, which is made if it is not there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=60, isolation_level=None)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            db.close()
            raise BadInput(
                f"The store {path} was written by a newer pvd (schema {version}); "
                "update pvd-distill or name another with --store."
            )
        _use_wal(db)
        # A commit that was reported must survive a power cut: there is money on the row.
        db.execute("PRAGMA synchronous=FULL")
        if version < SCHEMA:  # else nothing is written: a full store can still be read
            _make(db)
        db.execute(f"PRAGMA busy_timeout={BUSY}")
    except (sqlite3.Error, OSError) as error:
        raise BadInput(
            f"The store {path} cannot be opened ({_reason(path, error)}); mend it or name another "
            "with --store."
        ) from None
    return db


def _reason(path: Path, error: Exception) -> str:
    """Why it cannot, in words about files."""
    if not isinstance(error, OSError):
        return str(error)
    for folder in path.parents:
        if folder.exists() and not folder.is_dir():
            return f"{folder} is no folder"
    return f"{error.strerror}: {error.filename}"


def _use_wal(db: sqlite3.Connection) -> None:
    """Readers and a writer at once; where WAL cannot work, SQLite answers "delete"."""
    deadline = time.monotonic() + 60
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # Here alone SQLite does not wait for a lock.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _make(db: sqlite3.Connection) -> None:
    """Make the tables, unless another process did meanwhile: its leases must stay. Answers of an
    older schema move over with the columns that it had."""
    db.execute("BEGIN IMMEDIATE")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version < SCHEMA:
        if version:
            db.execute("DROP TABLE IF EXISTS leases")
            db.execute("DROP INDEX IF EXISTS answers_teacher")
            db.execute("ALTER TABLE answers RENAME TO older")
        for table in TABLES:
            db.execute(table)
        if version:
            rows = db.execute("PRAGMA table_info(older)").fetchall()
            columns = ", ".join(row[1] for row in rows)
            db.execute(f"INSERT INTO answers ({columns}) SELECT {columns} FROM older")
            db.execute("DROP TABLE older")
        db.execute(f"PRAGMA user_version={SCHEMA}")
    db.execute("COMMIT")


class Unwritable(BadInput):
    """The database takes nothing now: its disk is full, or another process does not let go."""

    is_held = False  # by another process: more room would be of no use


class Database:
    """One connection, used by one thread. Whatever SQLite says against it becomes one sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = opened(path)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The connection, in one transaction: all of it or nothing. Keep it short, since runs wait
        for it."""
        with self._sentence("written"):
            if self._db.in_transaction:  # Ctrl-C came between a beginning and what ends it
                self._db.execute("ROLLBACK")
            self._db.execute("BEGIN IMMEDIATE")  # a deferred one fails when two processes claim
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _sentence(self, what: str) -> Iterator[None]:
        """Whatever SQLite says against a change becomes one sentence."""
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError) as error:  # waiting mends none
            raise BadInput(
                f"The store {self.path} cannot be {what}: what it was given is incomplete, or of "
                f"a type that it cannot keep ({error}); mend whoever made it."
            ) from error
        except sqlite3.Error as error:
            said = Unwritable(
                f"The store {self.path} cannot be {what} ({error}); make room, or end what holds "
                "it, then give the same command again."
            )
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what extends it
            said.is_held = code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            raise said from None

    def _read(self, query: str, *parameters: Any) -> list[Any]:
        try:
            return self._db.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise BadInput(
                f"The store {self.path} cannot be read ({error}); mend it or name another with "
                "--store."
            ) from None

    def _read_many(self, query: str, digests: Iterable[str]) -> Iterator[Any]:
        """The rows of a query that ends in `IN`, in pieces that SQLite takes."""
        for some in chunks(digests):
            yield from self._read(f"{query} ({','.join('?' * len(some))})", *some)

    def shrink(self) -> None:
        """Give back to the disk what deleted rows have left."""
        with self._sentence("made smaller now"):
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def chunks(digests: Iterable[str]) -> Iterator[list[str]]:
    """The distinct ones, in pieces that fit one statement."""
    wanted = list(dict.fromkeys(digests))
    for start in range(0, len(wanted), CHUNK):
        yield wanted[start : start + CHUNK]

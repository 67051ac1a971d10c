"""The answers' database: raw replies under their request's digest, shared by runs and processes.

Nothing that is in here is asked or paid again. A digest is leased before it is sent, so that two
processes never send it at the same time; a lease of a process that died runs out.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pvd.errors import BadInput
from pvd.records import Reply, Request, Tokens

SCHEMA = 3
LEASE_SECONDS = 900.0  # longer than one call may take, pauses aside
CLOCK = 5  # seconds by which a process's beginning may be told differently after a clock was set
BUSY = 2000  # milliseconds that one try waits for another process; Ctrl-C waits as long
CHUNK = 500  # digests in one SELECT; SQLite allows at least 999 parameters

Row = tuple[str, str, str, int, int, float, str, str]
TABLES = (
    """CREATE TABLE IF NOT EXISTS answers (
    digest TEXT PRIMARY KEY, teacher TEXT NOT NULL, model TEXT NOT NULL, request TEXT NOT NULL,
    reply TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    dollars REAL NOT NULL, date TEXT NOT NULL, finish TEXT NOT NULL DEFAULT '') WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS answers_teacher ON answers (teacher)",
    # Who asks a question now, and until when nobody else may.
    """CREATE TABLE IF NOT EXISTS leases (
    digest TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID""",
)


def default_path() -> Path:
    """`answers.sqlite` in PVD_CACHE_DIR, else in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("PVD_CACHE_DIR") or Path(cache) / "pvd") / "answers.sqlite"


class Unwritable(BadInput):
    """The database takes nothing now: its disk is full, or another process does not let go."""


class Store:
    """One connection to the database; used by one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owner = f"{platform.node()}/{os.getpid()}/{_began(os.getpid())}/{uuid.uuid4()}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA:
                self._db.close()
                raise BadInput(
                    f"The store {path} was written by a newer pvd (schema {version}); "
                    "update pvd-distill or name another with --store."
                )
            self._use_wal()
            # A commit that was reported must survive a power cut: there is money on the row.
            self._db.execute("PRAGMA synchronous=FULL")
            if version < SCHEMA:  # else nothing is written: a full store can still be read
                self._make()
            self._db.execute(f"PRAGMA busy_timeout={BUSY}")
        except (sqlite3.Error, OSError) as error:
            raise BadInput(
                f"The store {path} cannot be opened ({error}); "
                "mend it or name another with --store."
            ) from None

    def _use_wal(self) -> None:
        """Readers and a writer at once; where WAL cannot work, SQLite answers "delete"."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                # Here alone SQLite does not wait for a lock.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _make(self) -> None:
        """Make the tables, unless another process did meanwhile: its leases must stay."""
        self._db.execute("BEGIN IMMEDIATE")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version < SCHEMA:
            # A lease of version 1 does not say when its process began.
            self._db.execute("DROP TABLE IF EXISTS leases")
            for table in TABLES:
                self._db.execute(table)
            if 0 < version < 3:
                self._db.execute("ALTER TABLE answers ADD COLUMN finish TEXT NOT NULL DEFAULT ''")
            self._db.execute(f"PRAGMA user_version={SCHEMA}")
        self._db.execute("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # An interrupt may have come between a lease and what ends it; else a second try in the same
        # process (a notebook) would wait until it runs out.
        self._db.execute("PRAGMA busy_timeout=0")
        with suppress(Unwritable), self._transaction():
            self._db.execute("DELETE FROM leases WHERE owner = ?", (self._owner,))
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing; whatever SQLite says against it becomes one sentence."""
        try:
            self._db.execute("BEGIN IMMEDIATE")  # a deferred one fails when two processes claim
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise Unwritable(
                f"The store {self.path} cannot be written ({error}); make room, or end what holds "
                "it, then give the same command again."
            ) from None

    def get(self, digests: Iterable[str]) -> dict[str, tuple[Reply, str]]:
        """The replies that are here, each with its date, by digest."""
        wanted = list(dict.fromkeys(digests))
        found = {}
        for start in range(0, len(wanted), CHUNK):
            for row in self._select(wanted[start : start + CHUNK]):
                digest, text, model, tokens_in, tokens_out, dollars, date, finish = row
                reply = Reply(text, model, Tokens(tokens_in, tokens_out), dollars, finish)
                found[digest] = (reply, date)
        return found

    def knows(self, teacher: str) -> bool:
        """Whether there is any answer of this teacher."""
        return bool(
            self._db.execute(
                "SELECT 1 FROM answers WHERE teacher = ? LIMIT 1", (teacher,)
            ).fetchone()
        )

    def _select(self, digests: Sequence[str]) -> list[Row]:
        try:
            return self._db.execute(
                "SELECT digest, reply, model, input_tokens, output_tokens, dollars, date, finish"
                f" FROM answers WHERE digest IN ({','.join('?' * len(digests))})",
                digests,
            ).fetchall()
        except sqlite3.Error as error:
            raise BadInput(
                f"The store {self.path} cannot be read ({error}); mend it or name another with "
                "--store."
            ) from None

    def claim(self, digests: Sequence[str], seconds: float = LEASE_SECONDS) -> set[str]:
        """Lease those that are neither answered nor leased by somebody else; which they are."""
        now = time.time()
        mine = set()
        with self._transaction():
            self._bury(now)
            for digest in digests:
                claimed = self._db.execute(
                    "INSERT INTO leases SELECT ?1, ?2, ?3"
                    " WHERE NOT EXISTS (SELECT 1 FROM answers WHERE digest = ?1)"
                    " ON CONFLICT (digest) DO UPDATE SET until = ?3 WHERE owner = ?2",
                    (digest, self._owner, now + seconds),
                )
                if claimed.rowcount:
                    mine.add(digest)
        return mine

    def _bury(self, now: float) -> None:
        """End the leases that ran out, and those of processes that died on this machine."""
        self._db.execute("DELETE FROM leases WHERE until < ?", (now,))
        for (owner,) in self._db.execute("SELECT DISTINCT owner FROM leases").fetchall():
            host, pid, began, _ = owner.rsplit("/", 3)
            if host == platform.node() and not _alive(int(pid), int(began)):
                self._db.execute("DELETE FROM leases WHERE owner = ?", (owner,))

    def put(self, teacher: str, answered: Sequence[tuple[Request, Reply]]) -> str:
        """Keep the replies of one call in one commit, and end their leases; the date given."""
        date = datetime.now(UTC).isoformat(timespec="seconds")
        with self._transaction():
            self._db.executemany(
                "INSERT INTO answers VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (digest) DO NOTHING",
                [
                    (
                        request.digest,
                        teacher,
                        reply.model,
                        json.dumps(request.body, ensure_ascii=False),
                        # SQLite takes no half of a surrogate pair; models send it as "\ud83d".
                        reply.text and reply.text.encode("utf-8", "replace").decode(),
                        reply.tokens.input,
                        reply.tokens.output,
                        reply.dollars,
                        date,
                        reply.finish,
                    )
                    for request, reply in answered
                ],
            )
            self._release(request.digest for request, _ in answered)
        return date

    def release(self, digests: Iterable[str]) -> None:
        """End leases without an answer."""
        with self._transaction():
            self._release(digests)

    def _release(self, digests: Iterable[str]) -> None:
        self._db.executemany(
            "DELETE FROM leases WHERE digest = ? AND owner = ?",
            [(digest, self._owner) for digest in digests],
        )


def _began(pid: int) -> int:
    """When a process began, in seconds since 1970: its number alone may be somebody else's next."""
    import psutil

    return int(psutil.Process(pid).create_time())


def _alive(pid: int, began: int) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(_began(pid) - began) <= CLOCK
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # it runs, as another user

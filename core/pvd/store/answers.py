"""The answers' database: raw replies under their request's digest, shared by runs and processes.

Nothing that is in here is asked or paid again. A digest is leased before it is sent, so that two
processes never send it at the same time; a lease of a process that died runs out. What may be paid
for a question is put aside with its lease, and settled with its answer, each in one transaction:
whatever is killed when, what a run spent is never told too low.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from pvd.records import Reply, Request, Tokens
from pvd.store.ballast import Ballast
from pvd.store.database import Database, Unwritable, chunks
from pvd.store.owners import is_dead, this_process

LEASE_SECONDS = 900.0  # longer than one call may take, pauses aside
# In the order of `Tokens.counts()`.
TOKENS = "input_tokens, output_tokens, image_tokens, cached_tokens, written_tokens, thought_tokens"


def default_path() -> Path:
    """`answers.sqlite` in PVD_CACHE_DIR, else in the user's cache folder. A ~ is what it is to a
    shell, which leaves it alone in quotes."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("PVD_CACHE_DIR") or Path(cache) / "pvd")
    return Path(os.path.expanduser(folder)) / "answers.sqlite"


@dataclass(frozen=True)
class Spent:
    """What a run has sent, and what it has spent or put aside, in dollars."""

    calls: int = 0
    dollars: float = 0.0


@dataclass(frozen=True)
class Batch:
    """A submission; `ticket` is None while it is not known whether it arrived."""

    name: str
    teacher: str  # the digest of its settings: only the same teacher can collect it
    owner: str  # the process that handed it in
    ticket: str | None
    begun: datetime
    size: int


class Store(Database):
    """Answers, who asks what now, what each run has spent, and what providers work on."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._owner = this_process()
        self._ballast = Ballast(path.parent)

    def __enter__(self) -> Self:
        """Itself, for one thread."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the database, and of what this process had leased."""
        self.make_way()
        # An interrupt may have come between a lease and what ends it; else a second try in the same
        # process (a notebook) would wait until it runs out. What was put aside stays spent.
        self._db.execute("PRAGMA busy_timeout=0")
        with suppress(Unwritable), self.writing():
            self._db.execute("DELETE FROM leases WHERE owner = ?", (self._owner,))
            # Whether these submissions arrived is for the next one to find out.
            self._db.execute(
                "UPDATE batches SET owner = '' WHERE owner = ? AND ticket IS NULL", (self._owner,)
            )
        self._db.close()

    # --- answers ----------------------------------------------------------------------------

    def get(self, digests: Iterable[str]) -> dict[str, tuple[Reply, str]]:
        """The replies that are here, each with its date, by digest."""
        query = (
            f"SELECT digest, date, reply, model, dollars, finish, {TOKENS} FROM answers"
            " WHERE digest IN"
        )
        found = {}
        for digest, date, text, model, dollars, finish, *tokens in self._read_many(query, digests):
            found[digest] = (Reply(text, model, Tokens(*tokens), dollars, finish), date)
        return found

    def knows(self, teacher: str) -> bool:
        """Whether there is any answer of this teacher."""
        return bool(self._read("SELECT 1 FROM answers WHERE teacher = ? LIMIT 1", teacher))

    def put(self, teacher: str, answered: Sequence[tuple[Request, Reply]]) -> str:
        """Keep replies in one commit, end what was leased or submitted for them, and settle what
        was put aside; the date given."""
        date = datetime.now(UTC).isoformat(timespec="seconds")
        with self.writing():
            self._settle({request.digest: reply.dollars or 0.0 for request, reply in answered})
            self._db.executemany(
                f"INSERT INTO answers (digest, teacher, model, request, reply, dollars, date,"
                f" finish, {TOKENS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (digest) DO NOTHING",
                [
                    (
                        request.digest,
                        teacher,
                        reply.model,
                        json.dumps(request.body, ensure_ascii=False),
                        # SQLite takes no half of a surrogate pair; models send it as "\ud83d".
                        reply.text and reply.text.encode("utf-8", "replace").decode(),
                        reply.dollars,
                        date,
                        reply.finish,
                        *reply.tokens.counts(),
                    )
                    for request, reply in answered
                ],
            )
        return date

    def hold_room(self, answers: int) -> None:
        """Hold room on the disk for so many answers that will be under way; Unwritable if it has
        none, so that nothing is asked which could not be kept."""
        try:
            self._ballast.hold(answers)
        except OSError as error:
            raise Unwritable(
                f"The store {self.path} cannot be written (no room for the answers under way: "
                f"{error.strerror}); make room, then give the same command again."
            ) from None

    def make_way(self) -> bool:
        """Let what is written next have the room that was held; whether there was any."""
        return self._ballast.drop()

    # --- leases and money -------------------------------------------------------------------

    def claim(
        self, aside: Mapping[str, float], seconds: float = LEASE_SECONDS, run: str = ""
    ) -> set[str]:
        """Lease those that are neither answered nor leased nor submitted by somebody else; which
        they are. `aside` has the dollars that each digest may cost; the run has spent them now.
        """
        now = time.time()
        mine, new = set(), set()
        with self.writing():
            self._bury(now)
            for digest, dollars in aside.items():
                row = (digest, self._owner, now + seconds, run, dollars)
                if self._db.execute(
                    "INSERT INTO leases SELECT ?1, ?2, ?3, ?4, ?5"
                    " WHERE NOT EXISTS (SELECT 1 FROM answers WHERE digest = ?1)"
                    " AND NOT EXISTS (SELECT 1 FROM submitted WHERE digest = ?1 AND batch <> '')"
                    " ON CONFLICT (digest) DO NOTHING",
                    row,
                ).rowcount:
                    new.add(digest)
                elif self._db.execute(
                    "UPDATE leases SET until = ?3 WHERE digest = ?1 AND owner = ?2", row[:3]
                ).rowcount:
                    mine.add(digest)
            self._spend(run, len(new), sum(aside[digest] for digest in new))
        return mine | new

    def _bury(self, now: float) -> int:
        """End the leases that ran out, and those of processes that died on this machine; how many.
        Whether their answers were paid nobody knows: what was put aside stays spent."""
        count = self._db.execute("DELETE FROM leases WHERE until < ?", (now,)).rowcount
        for (owner,) in self._db.execute("SELECT DISTINCT owner FROM leases").fetchall():
            if owner != self._owner and is_dead(owner):
                gone = self._db.execute("DELETE FROM leases WHERE owner = ?", (owner,))
                count += gone.rowcount
        return count

    def bury(self) -> int:
        """End the leases that nobody holds any more; how many they were."""
        with self.writing():
            return self._bury(time.time())

    def release(self, digests: Iterable[str]) -> None:
        """End leases of questions that cost nothing, and give back what was put aside."""
        with self.writing():
            self._settle(dict.fromkeys(digests, 0.0), calls=-1)

    def forfeit(self, digests: Iterable[str]) -> None:
        """End leases of questions that may have cost what was put aside."""
        with self.writing():
            self._db.executemany(
                "DELETE FROM leases WHERE digest = ? AND owner = ?",
                [(digest, self._owner) for digest in digests],
            )

    def others_ask(self, run: str) -> bool:
        """Whether other processes have questions of this run under way, so that some of what is
        put aside may come back."""
        rows = self._read(
            "SELECT DISTINCT owner FROM leases WHERE run = ? AND owner <> ? AND until > ?",
            run, self._owner, time.time(),
        )  # fmt: skip
        return any(not is_dead(owner) for (owner,) in rows)

    def spent(self, run: str) -> Spent:
        """What a run has sent and spent so far, by all its processes."""
        for calls, dollars in self._read("SELECT calls, dollars FROM spending WHERE run = ?", run):
            return Spent(calls, max(dollars, 0.0))
        return Spent()

    def adopt(self, run: str, spent: Spent) -> None:
        """A run that comes from another store has spent this much; what is known here counts."""
        with self.writing():
            self._db.execute(
                "INSERT INTO spending VALUES (?, ?, ?) ON CONFLICT (run) DO NOTHING",
                (run, spent.calls, spent.dollars),
            )

    def again(self, aside: Mapping[str, float], seconds: float, run: str) -> None:
        """These leased questions are sent once more, and may cost as much once more."""
        with self.writing():
            self._db.executemany(
                "UPDATE leases SET until = ? WHERE digest = ? AND owner = ?",
                [(time.time() + seconds, digest, self._owner) for digest in aside],
            )
            self._spend(run, len(aside), sum(aside.values()))

    def _spend(self, run: str, calls: int, dollars: float) -> None:
        if calls or dollars:
            self._db.execute(
                "INSERT INTO spending VALUES (?1, ?2, ?3) ON CONFLICT (run) DO UPDATE"
                " SET calls = calls + ?2, dollars = dollars + ?3",
                (run, calls, dollars),
            )

    def _settle(self, costs: Mapping[str, float], calls: int = 0) -> None:
        """End what was leased or submitted, and replace what was put aside by what it cost."""
        # A statement for all of them: each one waits for its turn among the threads that ask.
        submitted = self._delete("submitted", costs)
        leased = self._delete("leases", costs, " AND owner = ?", self._owner)
        runs: dict[str, Spent] = {}
        for digest, (run, aside) in (submitted | leased).items():
            spent = runs.get(run, Spent())
            runs[run] = Spent(spent.calls + calls, spent.dollars + costs[digest] - aside)
        for run, spent in runs.items():
            self._spend(run, spent.calls, spent.dollars)

    def _delete(
        self, table: str, digests: Iterable[str], more: str = "", *words: str
    ) -> dict[str, tuple[str, float]]:
        """Remove rows; the run and what was put aside, by digest."""
        found: dict[str, tuple[str, float]] = {}
        for some in chunks(digests):
            rows = self._db.execute(
                f"DELETE FROM {table} WHERE digest IN ({','.join('?' * len(some))}){more}"
                " RETURNING digest, run, aside",
                (*some, *words),
            )
            found |= {digest: (run, aside) for digest, run, aside in rows.fetchall()}
        return found

    # --- submissions ------------------------------------------------------------------------

    def begin_batch(
        self, name: str, teacher: str, aside: Mapping[str, float], run: str = ""
    ) -> set[str]:
        """These questions are about to be submitted; those that are neither answered nor asked nor
        submitted by somebody else. They are no process's lease: they outlive this one."""
        begun = datetime.now(UTC).isoformat(timespec="seconds")
        mine = set()
        with self.writing():
            self._bury(time.time())
            for digest, dollars in aside.items():
                if self._db.execute(
                    "INSERT INTO submitted SELECT ?1, ?2, ?3, ?4"
                    " WHERE NOT EXISTS (SELECT 1 FROM answers WHERE digest = ?1)"
                    " AND NOT EXISTS (SELECT 1 FROM leases WHERE digest = ?1)"
                    " ON CONFLICT (digest) DO NOTHING",
                    (digest, name, run, dollars),
                ).rowcount:
                    mine.add(digest)
            self._spend(run, len(mine), sum(aside[digest] for digest in mine))
            self._db.execute(
                "INSERT INTO batches VALUES (?, ?, ?, NULL, ?, ?)",
                (name, teacher, self._owner, begun, len(mine)),
            )
        return mine

    def set_ticket(self, name: str, ticket: str | None) -> None:
        """The submission arrived; None: what was taken for it is another one."""
        with self.writing():
            self._db.execute("UPDATE batches SET ticket = ? WHERE name = ?", (ticket, name))

    def disown(self, name: str) -> None:
        """Whether the submission arrived is for the next one to find out."""
        with self.writing():
            self._db.execute("UPDATE batches SET owner = '' WHERE name = ?", (name,))

    def fail(self, digests: Collection[str]) -> None:
        """What was submitted and brought no answer costs nothing. It is asked directly now, also
        if that is left to another process: batches are not tried for it again."""
        with self.writing():
            self._settle(dict.fromkeys(digests, 0.0), calls=-1)
            self._db.executemany(
                "INSERT INTO submitted VALUES (?, '', '', 0)", zip(digests, strict=True)
            )

    def end_batch(self, name: str) -> None:
        """It is collected, or never arrived; what it still holds can be asked again in any way."""
        rows = self._read("SELECT digest FROM submitted WHERE batch = ?", name)
        with self.writing():
            self._settle(dict.fromkeys((digest for (digest,) in rows), 0.0), calls=-1)
            self._db.execute("DELETE FROM batches WHERE name = ?", (name,))

    def submitted(self, digests: Iterable[str]) -> dict[str, str]:
        """The names of the submissions that hold these questions, by digest; "" for those that
        failed in one."""
        query = "SELECT digest, batch FROM submitted WHERE digest IN"
        return dict(self._read_many(query, digests))

    def is_collected(self, name: str) -> bool:
        """Whether no question of the submission waits for its answer."""
        return not self._read("SELECT 1 FROM submitted WHERE batch = ? LIMIT 1", name)

    def batches(self) -> list[Batch]:
        """The submissions under way, the oldest first."""
        rows = self._read(
            "SELECT name, teacher, owner, ticket, begun, size FROM batches ORDER BY begun, name"
        )
        return [
            Batch(name, teacher, owner, ticket, datetime.fromisoformat(begun), size)
            for name, teacher, owner, ticket, begun, size in rows
        ]

"""Changing a store on purpose: answers of others come in, old ones are thrown away.

No transaction is longer than a page of answers: runs that use the store meanwhile go on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pvd.errors import MissingFile
from pvd.progress import Progress, Silent
from pvd.store import Store, exchange
from pvd.store.archive import COLUMNS, Choice, answers, check_names, columns_of, reading
from pvd.store.exchange import Answer

STORES = (".sqlite", ".sqlite3", ".db")
PAGE = 500  # answers that are written in one transaction
STALE = timedelta(days=30)  # a submission that old has no answers at the provider any more


@dataclass
class Added:
    """What became of answers that were to be added."""

    new: int = 0
    here: int = 0  # the same reply was here already
    other: int = 0  # another reply was here already, and stays


@dataclass
class Pruned:
    """What was deleted, or would be."""

    answers: int = 0
    dollars: float = 0.0
    unpriced: int = 0
    submissions: int = 0
    questions: int = 0  # of those submissions
    leases: int = 0


# --- import -----------------------------------------------------------------------------------


def bring(store: Path, file: Path, progress: Progress | None = None) -> Added:
    """Take the answers of a file, or of another store. All are checked before the first is taken:
    a file with one that does not fit brings nothing."""
    for _ in _arriving(file):
        pass
    with Store(store) as opened:
        return add(opened, _arriving(file), progress)


def _arriving(file: Path) -> Iterator[Answer]:
    if file.suffix.lower() not in STORES:
        return exchange.read(file)
    if not os.path.isfile(file):
        raise MissingFile(f"There is no file {file}; check the path.")
    return answers(file)


def add(store: Store, found: Iterable[Answer], progress: Progress | None = None) -> Added:
    """Add answers, a page in a transaction; one that is here stays. No run has spent anything."""
    done, page = Added(), list[Answer]()
    for answer in found:
        page.append(answer)
        if len(page) == PAGE:
            _add(store, page, done)
            (progress or Silent()).advance(len(page))
            page.clear()
    _add(store, page, done)
    return done


def _add(store: Store, page: list[Answer], done: Added) -> None:
    holes = ",".join("?" * len(page))
    row_holes = ",".join("?" * len(COLUMNS))
    new = []
    with store.writing() as db:
        query = f"SELECT digest, reply FROM answers WHERE digest IN ({holes})"
        here = dict(db.execute(query, [answer.digest for answer in page]).fetchall())
        for answer in page:
            if answer.digest not in here:
                here[answer.digest] = answer.reply
                new.append([answer.row()[name] for name in COLUMNS])
            elif here[answer.digest] == answer.reply:
                done.here += 1
            else:
                done.other += 1
        db.executemany(f"INSERT INTO answers ({', '.join(COLUMNS)}) VALUES ({row_holes})", new)
    done.new += len(new)


# --- pruning ----------------------------------------------------------------------------------


def prunable(path: Path, choice: Choice) -> Pruned:
    """What `prune` would delete, dead leases aside."""
    where, values = choice.where()
    with reading(path) as db:
        found = db.execute(
            f"SELECT count(*), total(dollars), total(dollars IS NULL) FROM answers WHERE {where}",
            values,
        ).fetchone()
        if not found[0]:
            check_names(db, choice)
        old = (0, 0)
        if columns_of(db, "batches"):
            old = db.execute(STALE_COUNT, (_stale(),)).fetchone()
        return Pruned(found[0], found[1], int(found[2]), *old)


STALE_COUNT = (
    "SELECT (SELECT count(*) FROM batches WHERE begun < ?1), (SELECT count(*) FROM submitted"
    " WHERE batch IN (SELECT name FROM batches WHERE begun < ?1))"
)


def _stale() -> str:
    return (datetime.now(UTC) - STALE).isoformat(timespec="seconds")


def prune(store: Store, choice: Choice, progress: Progress | None = None) -> Pruned:
    """Delete the chosen answers, submissions that nobody collected in time, and dead leases. What
    was put aside for those stays spent: they may have been charged."""
    done, (where, values), last = Pruned(), choice.where(), ""
    query = (
        f"SELECT digest, dollars FROM answers WHERE {where} AND digest > ? ORDER BY digest LIMIT ?"
    )
    while True:
        with store.writing() as db:
            page = db.execute(query, (*values, last, PAGE)).fetchall()
            db.executemany("DELETE FROM answers WHERE digest = ?", [(row[0],) for row in page])
        done.answers += len(page)
        done.dollars += sum(dollars or 0.0 for _, dollars in page)
        done.unpriced += sum(dollars is None for _, dollars in page)
        (progress or Silent()).advance(len(page))
        if len(page) < PAGE:
            break
        last = page[-1][0]
    stale = _stale()
    with store.writing() as db:
        done.submissions, done.questions = db.execute(STALE_COUNT, (stale,)).fetchone()
        old = "SELECT name FROM batches WHERE begun < ?"
        db.execute(f"DELETE FROM submitted WHERE batch IN ({old})", (stale,))
        db.execute("DELETE FROM batches WHERE begun < ?", (stale,))
    done.leases = store.bury()
    return done

"""The store: what is answered stays, what is leased is leased once, and the dead leave nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pvd import testing
from pvd.errors import BadInput
from pvd.records import Reply, Request, Tokens, digest_of
from pvd.store import LEASE_SECONDS, Spent, Store, database, default_path, owners
from pvd.store import answers as store
from pvd.store.database import SCHEMA, Unwritable

DIGESTS = [digest_of(number) for number in range(300)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "answers.sqlite"


def request(number: int = 0) -> Request:
    return Request(testing.slate(), {"number": number, "text": "größer\u2028"})


def claim(store: Store, digests: Iterable[str]) -> set[str]:
    """Lease them; nothing is put aside."""
    return store.claim(dict.fromkeys(digests, 0.0))


def reply(text: str = "A > B") -> Reply:
    return Reply(text, "model-7", Tokens(11, 5), 0.25)


HEAD = """
import sys, time
from pathlib import Path
from pvd.store import Store
def claim(store, digests):
    return store.claim(dict.fromkeys(digests, 0.0))
"""
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts Python in a process of its own; whatever happens, it ends with the test."""
    with ExitStack() as stack:

        def start(source: str, *words: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", HEAD + source, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def result(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


# --- answers ----------------------------------------------------------------------------------


def test_an_answer_comes_back_whole_also_in_another_process(path: Path) -> None:
    with Store(path) as first:
        date = first.put("teacher.x", [(request(1), reply("\u2028 \0 ü 🙂"))])
    assert abs((datetime.now(UTC) - datetime.fromisoformat(date)).total_seconds()) < 60
    with Store(path) as second:
        found = second.get([request(1).digest, request(2).digest])
    assert found == {request(1).digest: (reply("\u2028 \0 ü 🙂"), date)}


def test_the_question_is_kept_beside_the_answer(path: Path) -> None:
    with Store(path) as here:
        here.put("teacher.x", [(request(1), reply())])
    with sqlite3.connect(path) as db:
        (row,) = db.execute("SELECT teacher, request FROM answers").fetchall()
    db.close()
    assert row[0] == "teacher.x"
    assert json.loads(row[1]) == dict(request(1).body)


def test_more_digests_than_one_select_takes(path: Path) -> None:
    requests = [request(number) for number in range(1203)]
    with Store(path) as here:
        here.put("teacher.x", [(r, reply(str(n))) for n, r in enumerate(requests)])
        found = here.get([r.digest for r in requests] * 2)
    assert [found[r.digest][0].text for r in requests] == [str(n) for n in range(1203)]


def test_the_first_answer_stays(path: Path) -> None:
    with Store(path) as here:
        here.put("teacher.x", [(request(), reply("first"))])
        here.put("teacher.x", [(request(), reply("second"))])
        assert here.get([request().digest])[request().digest][0].text == "first"


def test_a_put_is_all_or_nothing(path: Path) -> None:
    bad = Request(testing.slate(), {"number": 2})
    with Store(path) as here:
        with pytest.raises(BadInput, match="NOT NULL") as caught:
            here.put("x", [(request(1), reply()), (bad, Reply(None))])  # type: ignore[arg-type]
        assert not isinstance(caught.value, Unwritable), "to make room would not help"
        assert here.get([request(1).digest]) == {}
        here.put("x", [(request(1), reply())])  # and it goes on working
        assert len(here.get([request(1).digest])) == 1


def test_an_interrupt_that_leaves_a_transaction_open_is_no_end(path: Path) -> None:
    """Ctrl-C may come right after SQLite has begun one, before anything here knows of it. What is
    under way is kept after that, through the same connection."""

    class Interrupting:
        def __init__(self, db: sqlite3.Connection) -> None:
            self.db, self.armed = db, True

        def __getattr__(self, name: str) -> object:
            return getattr(self.db, name)

        def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
            found = self.db.execute(statement, *values)
            if self.armed and statement.startswith("BEGIN"):
                self.armed = False
                raise KeyboardInterrupt
            return found

    with Store(path) as here:
        here._db = Interrupting(here._db)  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            claim(here, DIGESTS[:1])
        assert here._db.in_transaction
        here.put("t", [(request(1), reply())])
    with Store(path) as later:
        assert later.get([request(1).digest])
        assert claim(later, DIGESTS[:1]) == {DIGESTS[0]}


def test_half_a_surrogate_pair_loses_no_answer(path: Path) -> None:
    """Models send such text: JSON allows the escape \\ud83d alone."""
    with Store(path) as here:
        here.put("x", [(request(), reply("A > B \ud83d"))])
        assert here.get([request().digest])[request().digest][0].text.startswith("A > B")


def test_empty_questions_are_fine(path: Path) -> None:
    with Store(path) as here:
        assert here.get([]) == {}
        assert claim(here, []) == set()
        here.put("x", [])
        here.release([])


# --- leases -----------------------------------------------------------------------------------


def test_what_is_leased_or_answered_is_not_leased_again(path: Path) -> None:
    with Store(path) as one, Store(path) as two:
        assert claim(one, DIGESTS[:3]) == set(DIGESTS[:3])
        assert claim(two, DIGESTS[:5]) == set(DIGESTS[3:5])
        assert claim(one, DIGESTS[:5]) == set(DIGESTS[:3]), "its own leases are renewed"
        one.put("x", [(request(), reply())])
        assert claim(two, [request().digest]) == set()
        assert claim(one, [request().digest]) == set()


def test_release_and_put_end_a_lease(path: Path) -> None:
    asked = request()
    with Store(path) as one, Store(path) as two:
        claim(one, [*DIGESTS[:2], asked.digest])
        one.release(DIGESTS[:1])
        one.put("x", [(asked, reply())])
        assert claim(two, [*DIGESTS[:2], asked.digest]) == {DIGESTS[0]}
        with sqlite3.connect(path) as db:
            left = {digest for (digest,) in db.execute("SELECT digest FROM leases")}
        db.close()
        assert left == {DIGESTS[0], DIGESTS[1]}


def test_who_closes_the_store_leases_nothing_any_more(path: Path) -> None:
    """Else whoever is interrupted in a notebook waits for himself at the next try."""
    with Store(path) as two:
        with Store(path) as one:
            claim(one, DIGESTS[:2])
            claim(two, DIGESTS[2:3])
        assert claim(two, DIGESTS[:2]) == set(DIGESTS[:2])
    with Store(path) as three:
        assert claim(three, DIGESTS[:3]) == set(DIGESTS[:3])


def test_nobody_releases_what_somebody_else_leased(path: Path) -> None:
    with Store(path) as one, Store(path) as two:
        claim(one, DIGESTS[:1])
        two.release(DIGESTS[:1])
        assert claim(two, DIGESTS[:1]) == set()


def test_a_lease_runs_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(path) as one, Store(path) as two:
        claim(one, DIGESTS[:1])
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + LEASE_SECONDS - 5)
        assert claim(two, DIGESTS[:1]) == set()
        monkeypatch.setattr(time, "time", lambda: now + LEASE_SECONDS + 5)
        assert claim(two, DIGESTS[:1]) == set(DIGESTS[:1])
        assert claim(one, DIGESTS[:1]) == set(), "the first owner has lost it"


def test_a_lease_that_ran_out_takes_no_other_with_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(path) as one, Store(path) as two:
        claim(one, DIGESTS[:1])
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + LEASE_SECONDS - 5)
        claim(one, DIGESTS[1:2])
        monkeypatch.setattr(time, "time", lambda: now + LEASE_SECONDS + 5)
        assert claim(two, DIGESTS[:2]) == set(DIGESTS[:1])


CLAIM = """
path, seed, digests = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(",")
import random
random.Random(seed).shuffle(digests)
print("ready", flush=True)
sys.stdin.readline()
with Store(path) as store:
    pairs = [digests[start : start + 2] for start in range(0, len(digests), 2)]
    mine = [digest for pair in pairs for digest in claim(store, pair)]
    print(*mine, flush=True)
    sys.stdin.readline()  # nobody dies before all have claimed
"""


def test_four_processes_get_each_digest_once(spawn: Spawn, path: Path) -> None:
    with Store(path):  # made before; that many make it at once has a test of its own
        pass
    workers = [spawn(CLAIM, str(path), str(seed), ",".join(DIGESTS)) for seed in range(4)]
    claimed: list[list[str]] = []
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        assert worker.stdout is not None
        claimed.append(worker.stdout.readline().split())
    for worker in workers:
        result(worker)
    assert Counter(d for part in claimed for d in part) == dict.fromkeys(DIGESTS, 1)


HOLD = """
store = Store(Path(sys.argv[1]))
print(len(claim(store, sys.argv[2].split(","))), flush=True)
sys.stdin.readline()
"""


def test_the_leases_of_a_killed_process_are_free(spawn: Spawn, path: Path) -> None:
    process = spawn(HOLD, str(path), ",".join(DIGESTS[:9]))
    assert process.stdout is not None
    assert process.stdout.readline() == "9\n"
    with Store(path) as here:
        assert claim(here, DIGESTS[:9]) == set(), "it lives"
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert claim(here, DIGESTS[:9]) == set(DIGESTS[:9])


def test_the_leases_of_another_machine_are_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process number says nothing about a process elsewhere: its lease must run out."""
    monkeypatch.setattr(owners.platform, "node", lambda: "elsewhere")
    monkeypatch.setattr(store.os, "getpid", lambda: 2**22 + 1)  # above the largest of Linux
    monkeypatch.setattr(owners, "_began", lambda pid: 0)
    with Store(path) as there:
        claim(there, DIGESTS[:1])
        monkeypatch.undo()
        with Store(path) as here:
            assert claim(here, DIGESTS[:1]) == set()


def test_the_number_of_a_dead_process_may_be_given_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container every run has the same small number: when it began tells them apart."""
    began = owners._began(os.getpid())
    monkeypatch.setattr(owners, "_began", lambda pid: began - 3600)
    with Store(path) as earlier:
        claim(earlier, DIGESTS[:1])
        monkeypatch.undo()
        with Store(path) as here:
            assert claim(here, DIGESTS[:1]) == set(DIGESTS[:1])


def test_the_lease_of_a_zombie_is_free(spawn: Spawn, path: Path) -> None:
    """A killed process whose parent does not look stays in the table of processes."""
    process = spawn(HOLD, str(path), ",".join(DIGESTS[:1]))
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    with Store(path) as here:
        deadline = time.monotonic() + 10
        while claim(here, DIGESTS[:1]) != set(DIGESTS[:1]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    process.communicate()


OPEN = """
print("ready", flush=True)
for folder in sys.stdin.readline().split():
    with Store(Path(folder) / "answers.sqlite") as store:
        claim(store, ["a"])
"""


def test_a_new_store_that_somebody_writes_is_waited_for(path: Path) -> None:
    """What can happen when two processes make the store at the same time."""
    path.parent.mkdir()
    writer = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    writer.execute("CREATE TABLE other (x)")
    writer.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, writer.close)
    timer.start()
    try:
        with Store(path) as here:
            assert claim(here, ["a"]) == {"a"}
    finally:
        timer.join()


def test_who_makes_the_store_second_leaves_the_leases_of_the_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both saw that there were no tables; the first made them, and was asking already."""
    make, firsts = database._make, []

    def slowly(db: sqlite3.Connection) -> None:
        if not firsts:
            firsts.append(None)
            firsts[0] = Store(path)
            assert claim(firsts[0], DIGESTS[:1]) == set(DIGESTS[:1])
        make(db)

    monkeypatch.setattr(database, "_make", slowly)
    with Store(path) as second:
        assert claim(second, DIGESTS[:1]) == set()
    with firsts[0]:
        pass


def test_a_store_that_is_being_written_can_be_opened_and_read(path: Path) -> None:
    with Store(path) as here:
        here.put("x", [(request(1), reply())])
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with Store(path) as here:
        assert here.get([request(1).digest])
        writer.close()  # whoever had waited for it would have been told "database is locked"


def test_many_may_open_a_new_store_at_once(spawn: Spawn, tmp_path: Path) -> None:
    processes = [spawn(OPEN) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(" ".join(str(tmp_path / str(n)) for n in range(20)) + "\n")
        process.stdin.flush()
    for process in processes:
        result(process)


# --- what cannot be opened --------------------------------------------------------------------


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    with Store(path):
        pass
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={SCHEMA + 1}")
    db.close()
    with pytest.raises(BadInput, match=rf"written by a newer pvd \(schema {SCHEMA + 1}\)"):
        Store(path)
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA + 1,)
    db.close()


@pytest.mark.parametrize("data", [b"this is no database at all", b"SQLite format 3\0" + b"x" * 999])
def test_what_is_no_database_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "answers.sqlite"
    file.write_bytes(data)
    with pytest.raises(BadInput, match=r"The store .* cannot be opened \(.*--store") as caught:
        Store(file)
    assert str(file) in str(caught.value)
    assert file.read_bytes() == data


@pytest.mark.parametrize("name", ["", "file/answers.sqlite", "file/deeper/answers.sqlite"])
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BadInput, match=r"The store .* cannot be opened"):
        Store(tmp_path / name)


def test_a_folder_without_permission_is_one_sentence(spawn: Spawn, tmp_path: Path) -> None:
    source = """
import os
import psutil  # while the standard library can still be read
os.chmod(sys.argv[1], 0o555)
if os.getuid() == 0:
    os.setuid(65534)  # root may write anywhere
from pvd.errors import BadInput
try:
    Store(Path(sys.argv[1]) / "answers.sqlite")
except BadInput as error:
    print(error)
"""
    folder = Path("/tmp") / f"pvd-test-{os.getpid()}"  # pytest's own folders are root's alone
    folder.mkdir()
    try:
        out = result(spawn(source, str(folder)))
    finally:
        folder.chmod(0o755)
        folder.rmdir()
    assert "cannot be opened" in out


# --- where it lies ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "where"),
    [
        ({"PVD_CACHE_DIR": "/p", "XDG_CACHE_HOME": "/x"}, "/p/answers.sqlite"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/pvd/answers.sqlite"),
        ({"PVD_CACHE_DIR": "", "XDG_CACHE_HOME": ""}, "/home/me/.cache/pvd/answers.sqlite"),
        ({}, "/home/me/.cache/pvd/answers.sqlite"),
        ({"PVD_CACHE_DIR": "~/c"}, "/home/me/c/answers.sqlite"),
        ({"XDG_CACHE_HOME": "~/c"}, "/home/me/c/pvd/answers.sqlite"),
    ],
)
def test_the_default_place(
    environment: dict[str, str], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PVD_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/me"} | environment).items():
        monkeypatch.setenv(name, value)
    assert default_path() == Path(where)


@pytest.mark.parametrize("below", ["answers.sqlite", "pvd/answers.sqlite", "a/b/answers.sqlite"])
def test_a_store_below_a_file_is_told_which(tmp_path: Path, below: str) -> None:
    file = tmp_path / "cache"
    file.write_text("mine")
    said = f"The store {file / below} cannot be opened ({file} is no folder); mend it or name"
    with pytest.raises(BadInput, match=re.escape(said)):
        Store(file / below)


# --- what a run spends ------------------------------------------------------------------------


def test_what_is_put_aside_is_spent_until_it_is_settled(path: Path) -> None:
    digests = [request(number).digest for number in range(4)]
    with Store(path) as here:
        here.claim(dict.fromkeys(digests, 1.0), run="mine")
        assert here.spent("mine") == Spent(4, 4.0)
        here.claim(dict.fromkeys(digests, 1.0), run="mine")
        assert here.spent("mine") == Spent(4, 4.0), "to renew a lease costs nothing"
        here.put("x", [(request(0), reply())])
        assert here.spent("mine") == Spent(4, 3.25)
        here.release(digests[1:2])
        assert here.spent("mine") == Spent(3, 2.25), "it was never sent"
        here.forfeit(digests[2:3])
        assert here.spent("mine") == Spent(3, 2.25), "it may have been charged"
    with Store(path) as here:
        assert here.spent("mine") == Spent(3, 2.25), "of the last one nobody knows"
        assert here.spent("another") == Spent()


def test_a_killed_process_has_spent_what_it_put_aside(spawn: Spawn, path: Path) -> None:
    source = """
store = Store(Path(sys.argv[1]))
print(store.claim({"a": 0.5, "b": 0.5}, run="mine"), flush=True)
sys.stdin.readline()
"""
    process = spawn(source, str(path))
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.wait()
    with Store(path) as here:
        assert here.claim({"a": 0.5}, run="mine") == {"a"}
        assert here.spent("mine") == Spent(3, 1.5)


def test_a_run_brings_its_account_to_another_store(path: Path) -> None:
    with Store(path) as here:
        here.adopt("mine", Spent(10, 2.5))
        assert here.spent("mine") == Spent(10, 2.5)
        here.adopt("mine", Spent(40, 11.0))
        assert here.spent("mine") == Spent(10, 2.5), "what is known here is newer"


# --- submissions ------------------------------------------------------------------------------


def test_a_submission_outlives_its_process_and_is_nobodys_to_ask(path: Path) -> None:
    requests = [request(number) for number in range(3)]
    digests = [r.digest for r in requests]
    with Store(path) as here:
        claim(here, DIGESTS[:1])
        here.put("x", [(request(7), reply())])
        aside = dict.fromkeys([*digests, DIGESTS[0], request(7).digest], 1.0)
        assert here.begin_batch("b-1", "clerk", aside, "mine") == set(digests)
        assert [(b.name, b.ticket, b.size) for b in here.batches()] == [("b-1", None, 3)]
        here.set_ticket("b-1", "batch_abc")
    with Store(path) as later:
        assert [(b.teacher, b.ticket) for b in later.batches()] == [("clerk", "batch_abc")]
        assert later.submitted([*digests, "x"]) == dict.fromkeys(digests, "b-1")
        assert claim(later, [*digests, "x"]) == {"x"}
        assert later.begin_batch("b-2", "clerk", dict.fromkeys(digests, 1.0), "mine") == set()
        assert later.spent("mine") == Spent(3, 3.0)
        later.put("x", [(requests[0], reply())])
        assert later.submitted(digests) == dict.fromkeys(digests[1:], "b-1")
        assert later.spent("mine") == Spent(3, 2.25)
        later.end_batch("b-1")
        assert later.spent("mine") == Spent(1, 0.25), "what brought no answer costs nothing"
        assert later.submitted(digests) == {}
        assert claim(later, digests) == set(digests[1:])


def test_what_failed_in_a_submission_is_asked_directly_and_not_submitted_again(path: Path) -> None:
    aside = {request(0).digest: 1.0}
    with Store(path) as here:
        here.begin_batch("b-1", "clerk", aside, "mine")
        here.fail(list(aside))
        assert here.spent("mine") == Spent()
        assert here.submitted(aside) == dict.fromkeys(aside, "")
        assert here.is_collected("b-1")
        assert here.begin_batch("b-2", "clerk", aside, "mine") == set()
        assert here.claim(aside, run="mine") == set(aside)
        here.put("x", [(request(0), reply())])
        assert here.spent("mine") == Spent(1, 0.25)
        assert here.submitted(aside) == {}


def test_a_submission_without_a_ticket_is_left_to_the_next_command(path: Path) -> None:
    with Store(path) as here:
        here.begin_batch("lost", "clerk", {"a": 1.0}, "mine")
        here.begin_batch("there", "clerk", {"b": 1.0}, "mine")
        here.set_ticket("there", "ticket")
        owner = here.batches()[0].owner
        assert owner
    with Store(path) as later:
        owners_now = {batch.name: batch.owner for batch in later.batches()}
    assert owners_now == {"lost": "", "there": owner}


OLD = (
    "CREATE TABLE answers (digest TEXT PRIMARY KEY, teacher TEXT NOT NULL, model TEXT NOT NULL,"
    " request TEXT NOT NULL, reply TEXT NOT NULL, input_tokens INTEGER NOT NULL,"
    " output_tokens INTEGER NOT NULL, dollars REAL NOT NULL, date TEXT NOT NULL{}) WITHOUT ROWID",
    "CREATE TABLE leases (digest TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL)",
    "INSERT INTO answers (digest, teacher, model, request, reply, input_tokens, output_tokens,"
    " dollars, date) VALUES ('d', 't', 'm', '{{}}', 'A > B', 7, 2, 0.5, '2026-01-01')",
)


@pytest.mark.parametrize(("schema", "more"), [(2, ""), (3, ", finish TEXT NOT NULL DEFAULT ''")])
def test_answers_of_an_older_store_stay(path: Path, schema: int, more: str) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    for line in OLD:
        db.execute(line.format(more))
    db.execute(f"PRAGMA user_version={schema}")
    db.commit()
    db.close()
    for _ in range(2):
        with Store(path) as here:
            assert here.get(["d"]) == {"d": (Reply("A > B", "m", Tokens(7, 2), 0.5), "2026-01-01")}
            assert here.knows("t")

"""A store that others use: what somebody else holds is waited for, and nothing is asked twice."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from typing import Any

import pytest

from pvd.store.database import BUSY


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.0, BUSY / 1000 + 2])
def test_a_store_that_another_process_is_writing(
    seconds: float, place: Any, undisturbed: Any
) -> None:
    here = place("run")
    process = here.fork()
    assert process.until(lambda: len(here.sent()) >= 30)
    writer = sqlite3.connect(here.store, timeout=60, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    time.sleep(seconds)
    assert process.code() is None, process.said()
    writer.execute("ROLLBACK")
    writer.close()
    assert process.wait() == 0, process.said()
    assert process.said().count("database is locked") == (seconds > BUSY / 1000)
    assert here.result() == undisturbed.result
    assert len(here.sent()) == len(set(here.sent())) == len(here.kept())


@pytest.mark.slow
def test_a_store_that_is_never_let_go_ends_the_run(place: Any, undisturbed: Any) -> None:
    here = place("run")
    process = here.fork("-o", "ask.patience=1")
    assert process.until(lambda: len(here.sent()) >= 30)
    writer = sqlite3.connect(here.store, timeout=60, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert process.wait() == 5
    assert (
        process.said()
        .splitlines()[-1]
        .startswith(f"Error: The store {here.store} cannot be written (database is locked)")
    )
    assert "Traceback" not in process.said()
    writer.close()
    kept = here.kept()
    final = here.fork()
    assert final.wait() == 0
    assert set(here.sent_by(final)).isdisjoint(kept)
    assert here.result() == undisturbed.result


def beside(here: Any, other: Any) -> Any:
    """The other place with the store and the book of this one."""
    other.store, other.book = here.store, here.book
    return other


@pytest.mark.slow
def test_two_runs_at_once_on_a_new_store(place: Any, undisturbed: Any) -> None:
    alone = place("alone")
    assert alone.fork("--seed", "1").wait() == 0
    one = place("one")
    two = beside(one, place("two"))
    both = [one.fork(), two.fork("--seed", "1")]
    assert [process.wait() for process in both] == [0, 0], [p.said() for p in both]
    assert one.result() == undisturbed.result
    assert two.result() == alone.result()
    assert len(one.sent()) == len(set(one.sent())) == len(one.kept())


@pytest.mark.slow
def test_one_run_in_two_folders_at_once(place: Any, undisturbed: Any) -> None:
    one = place("one")
    two = beside(one, place("two"))
    both = [one.fork(), two.fork()]
    assert [process.wait() for process in both] == [0, 0], [p.said() for p in both]
    assert one.result() == two.result() == undisturbed.result
    assert sorted(one.sent()) == sorted(undisturbed.digests), "each once in all"


@pytest.mark.slow
def test_one_of_the_two_is_killed(place: Any, undisturbed: Any) -> None:
    """The other asks what it had leased, at once: it does not wait until the lease runs out."""
    one = place("one")
    two = beside(one, place("two"))
    moment = random.randint(12, 100)
    print(f"killed when {moment} slates were sent")
    doomed, other = one.fork(), two.fork()
    assert doomed.until(lambda: len(one.sent()) >= moment)
    doomed.signal(signal.SIGKILL)
    assert doomed.wait() == -signal.SIGKILL
    kept = one.kept()
    under_way = set(one.sent_by(doomed)) - kept
    assert other.wait() == 0
    assert two.result() == undisturbed.result
    sent = two.sent()
    again = [digest for digest in set(sent) if sent.count(digest) > 1]
    assert set(again) <= under_way
    assert len(sent) <= len(undisturbed.digests) + len(under_way)
    assert one.fork().wait() == 0
    assert one.sent() == sent, "everything was there"
    assert one.result() == undisturbed.result

"""Ctrl-C once keeps what is under way, twice gives it up; either way 130, and no traceback."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
WORKERS = 3  # of the clerk


def said_why(process: Any) -> str:
    """What the interrupted process said, which is no traceback."""
    said: str = process.said()
    assert "Traceback" not in said, said
    assert "Exception" not in said, said
    assert "Error" not in said, said
    assert "Aborted" not in said, said
    return said


@pytest.mark.slow
@SIGNALS
def test_once_keeps_the_calls_under_way(number: int, place: Any, undisturbed: Any) -> None:
    here = place("run")
    here.seconds = 1.5
    process = here.fork()
    assert process.until(lambda: len(here.sent()) >= 4 * WORKERS)
    process.signal(number)
    assert process.until(lambda: "Stopping; calls under way: " in process.said())
    under_way = here.sent()
    assert process.wait() == 130
    assert "Stopped; all answers are kept, the same command goes on" in said_why(process)
    assert here.sent() == under_way, "nothing is sent after that"
    assert here.kept() == set(under_way)
    here.seconds = 0.0
    assert here.fork().wait() == 0
    assert len(here.sent()) == len(here.kept())
    assert here.result() == undisturbed.result


@pytest.mark.slow
@SIGNALS
def test_twice_gives_the_calls_up(number: int, place: Any, undisturbed: Any) -> None:
    here = place("run")
    here.seconds = 60.0
    process = here.fork()
    assert process.until(lambda: len(here.sent()) >= 4 * WORKERS)
    process.signal(number)
    assert process.until(lambda: "Stopping; calls under way: 3." in process.said())
    process.signal(number)
    start = time.monotonic()
    assert process.wait() == 130
    assert time.monotonic() - start < 30, "the calls would have taken a minute"
    assert "Stopped at once; calls given up: 3." in said_why(process)
    given_up = here.sent()
    assert here.kept() == set()
    here.seconds = 0.0
    assert here.fork().wait() == 0
    assert len(here.sent()) == len(here.kept()) + len(given_up), "only those are sent again"
    assert here.result() == undisturbed.result


@pytest.mark.slow
def test_in_any_stage(place: Any, undisturbed: Any) -> None:
    """One run, interrupted in each stage that a fresh interpreter goes through."""
    here = place("run")
    for stage in (
        "catalogue", "preparing pictures", "embedding", "validation", "drawing", "training", "exam",
        "after exam",
    ):  # fmt: skip
        process = here.spawn()
        assert process.until(lambda process=process, stage=stage: stage in process.stages())
        process.signal(signal.SIGINT)
        assert process.wait() == 130, (stage, process.said())
        assert "the same command goes on from here" in said_why(process)
    assert here.fork().wait() == 0
    assert len(here.sent()) == len(here.kept())
    assert here.result() == undisturbed.result


def has_begun(pid: int) -> bool:
    """Whether the process is past the interpreter's own beginning: SIGTERM has a handler."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells when the command has begun")
def test_while_the_command_is_being_loaded(place: Any) -> None:
    seed = int(os.environ.get("PVD_TEST_SEED") or random.randrange(10**6))
    moments = [round(random.Random(seed + n).uniform(0, 1.5), 3) for n in range(8)]
    print(f"PVD_TEST_SEED={seed}: interrupted after {moments} seconds")
    here = place("run")
    for moment in moments:
        process = here.spawn(staged=False)
        assert process.until(lambda process=process: has_begun(process.pid))
        time.sleep(moment)
        process.signal(signal.SIGINT)
        assert process.wait() == 130, (moment, process.said())
        assert "Stopped; " in said_why(process)


IMPATIENT = """
import os, signal, sys
import pvd
os.kill(os.getpid(), signal.SIGINT)
print("loaded to its end", file=sys.stderr)
@pvd.hookimpl
def register_observers(register):
    import time
    time.sleep(5)
"""


def test_an_import_is_not_torn(place: Any, tmp_path: Path) -> None:
    """C++ that is interrupted there aborts the process (torch did)."""
    (tmp_path / "impatient.py").write_text(IMPATIENT)
    process = place("run").spawn("-p", str(tmp_path / "impatient.py"), staged=False)
    assert process.wait() == 130
    assert "loaded to its end" in said_why(process)

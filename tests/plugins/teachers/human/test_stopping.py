"""Whole commands with a person as judge: stopped, killed, and given again tomorrow."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pvd.store import Store

pytestmark = pytest.mark.slow

GROUPS = 8  # of the exam below: two personas, 12 items in groups of 5, so 3 groups and a final


class Command:
    """A `pvd run` that waits for a person."""

    def __init__(self, words: list[str], log: Path, until: Callable[..., Any], client: Any) -> None:
        self._log, self._until = log, until
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pvd", *words],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            )  # fmt: skip
        found = until(self._address, "the address")
        self.client = client(found)
        self.client.shown()

    def _address(self) -> str:
        assert self.process.poll() is None, self.said()
        found = re.search(r"http://127\.0\.0\.1:\d+/\S+/", self.said())
        return found[0] if found else ""

    def said(self) -> str:
        return self._log.read_text()

    def stop(self, number: int) -> int:
        """Send a signal; the exit code."""
        os.kill(self.process.pid, number)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.kill(self.process.pid, signal.SIGABRT)  # it writes down where it is
            self.process.wait()
            raise AssertionError(self.said()) from None

    def answer_all(self) -> int:
        """Answer until the command needs nobody; how many answers that were."""
        count = 0

        def over() -> bool:
            nonlocal count
            if self.process.poll() is not None:
                return True
            try:
                state = self.client.state()
            except OSError:
                return False
            if state["slate"]:
                self.client.answer()
                count += 1
            elif state["undo"]:
                self.client.post("done")
            return False

        self._until(over, "the command")
        return count


@pytest.fixture
def command(
    small_options: list[str], tmp_path: Path, until: Any, client: Any
) -> Iterator[Callable[..., Command]]:
    """Gives the command; whatever happens, its process ends with the test."""
    exam = ["exam.personas=2", "exam.items=12", "exam.repeats=0"]
    # One round of little training, and no threads of torch's that other tests wait for.
    words = ["run", *small_options, "--judge", "human", "-o", "judge.who=ann"]
    words += [word for setting in (*exam, "train.rounds=1") for word in ("-o", setting)]
    words += ["--out", str(tmp_path / "run"), "--store", str(tmp_path / "store/answers.sqlite")]
    with ExitStack() as stack:
        number = 0

        def given(*more: str) -> Command:
            nonlocal number
            number += 1
            here = Command([*words, *more], tmp_path / f"log-{number}", until, client)
            stack.callback(here.process.wait)
            stack.callback(here.process.kill)
            return here

        yield given


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], list[str]]:
    """The digests of the person's answers in the store."""

    def found() -> list[str]:
        with Store(tmp_path / "store/answers.sqlite") as store:
            rows = store._read("SELECT digest FROM answers WHERE teacher = ?", "human")
            return sorted(digest for (digest,) in rows)

    return found


def journal(tmp_path: Path) -> list[str]:
    return sorted(path.stem for path in (tmp_path / "store/human").glob("*.json"))


def test_ctrl_c_keeps_every_answer(command: Any, kept: Any, tmp_path: Path) -> None:
    """Also those that could still be taken back. Nobody is waited for."""
    first = command()
    said = sorted(first.client.answer() for _ in range(4))
    assert journal(tmp_path), "some can still be taken back"
    assert first.stop(signal.SIGINT) == 130, first.said()
    assert "Stopped; all answers are kept, the same command goes on from here." in first.said()
    assert "Traceback" not in first.said()
    assert "calls under way" not in first.said(), "who sits there is told nothing of calls"
    assert kept() == said
    assert journal(tmp_path) == []


def test_a_kill_loses_nothing(command: Any, kept: Any, tmp_path: Path) -> None:
    first = command()
    said = [first.client.answer() for _ in range(4)]
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    assert set(said) == {*kept(), *journal(tmp_path)}
    assert set(said[-3:]) <= set(journal(tmp_path))

    again = command()
    slate = again.client.shown()
    assert slate["id"] not in said
    assert again.client.post("undo")[1]["slate"]["id"] == said[-1], "it can still be taken back"
    assert again.answer_all() == GROUPS - 4 + 1
    assert again.process.wait(60) == 0, again.said()
    assert len(kept()) == GROUPS
    # Killed right after the store had an answer: its file may stay, and is never looked at again.
    assert set(journal(tmp_path)) <= {said[0]}


def test_a_skip_stops_nothing_and_is_seen(command: Any, tmp_path: Path) -> None:
    """The lot decides who goes on in the tournament, and the result says how often it did."""
    run = command("--quiet")
    slate = run.client.shown()
    assert run.client.post("skip", {"id": slate["id"], "order": []})[0] == 200
    assert run.answer_all() == GROUPS - 1
    assert run.process.wait(60) == 0, run.said()
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["answers"]["exam"]["silent"] == 1
    assert metrics["answers"]["exam"]["judgments"] == GROUPS
    assert metrics["answers"]["exam"]["models"] == ["ann"]
    assert metrics["answers"]["training"]["silent"] == 0
    assert metrics["exam"]["lost"] == 0
    assert "Without any preference: 1 of the judge's 8 answers" in " ".join(run.said().split())
    report = (tmp_path / "run/report.html").read_text()
    assert "(skipped, or all equal): 1 of the 8 answers of the exam; there the lot" in report

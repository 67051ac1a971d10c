"""Whole runs in processes of their own, and all that a test may look at from outside."""

from __future__ import annotations

import itertools
import json
import os
import runpy
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from forked import FORKS

HERE = Path(__file__).parent
NUMBERS = itertools.count()
LONG = 120.0  # seconds after which a process hangs; nothing here takes a tenth of it


class Process:
    """A `pvd run` that is under way, or was."""

    def __init__(self, stages: Path, output: Path) -> None:
        self._stages = stages
        self._output = output

    def start(self, inner: ForkServerProcess | subprocess.Popen[bytes]) -> None:
        self._inner = inner
        self.pid = inner.pid or 0

    def code(self) -> int | None:
        """The exit code; None while it runs."""
        if isinstance(self._inner, subprocess.Popen):
            return self._inner.poll()
        return self._inner.exitcode

    def wait(self, seconds: float = LONG) -> int:
        """Wait for the end; the exit code."""
        self.until(lambda: self.code() is not None, seconds)
        code = self.code()
        assert code is not None
        return code

    def until(self, true: Callable[[], object], seconds: float = LONG) -> bool:
        """Wait until it is so, or the process ended; whether it is so."""
        deadline = time.monotonic() + seconds
        while not true():
            if self.code() is not None:
                return bool(true())
            assert time.monotonic() < deadline, f"still waiting; it said: {self.said()}"
            time.sleep(0.002)
        return True

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.code() is None:
            os.kill(self.pid, number)

    def said(self) -> str:
        """What it wrote to stdout and stderr so far."""
        return self._output.read_text() if self._output.exists() else ""

    def stages(self) -> list[str]:
        """The stages so far: "exam", and "after exam" once it ended."""
        return self._stages.read_text().splitlines() if self._stages.exists() else []


@dataclass
class Place:
    """A run folder, a store, the book of all that was sent, and the command that makes the run."""

    root: Path
    words: list[str]
    stack: ExitStack
    folder: Path = field(init=False)
    store: Path = field(init=False)
    book: Path = field(init=False)
    seconds: float = 0.03  # that a call takes

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.folder = self.root / "run"
        self.store = self.root / "store" / "answers.sqlite"
        self.book = self.root / "book"

    def fork(self, *more: str) -> Process:
        """The command in a process that has torch loaded already."""
        process, stages, output = self._new()
        given = (str(stages), str(output), self._environment(), [*self._command(), *more])
        forked = FORKS.Process(
            target=runpy.run_path,
            args=(str(HERE / "child.py"), {"GIVEN": given}, "forked"),
            daemon=True,
        )
        forked.start()
        self.stack.callback(forked.kill)
        process.start(forked)
        return process

    def spawn(self, *more: str, staged: bool = True, before: tuple[str, ...] = ()) -> Process:
        """The command in an interpreter of its own; without stages it is `python -m pvd`."""
        process, stages, output = self._new()
        head = [str(HERE / "child.py"), str(stages)] if staged else ["-m", "pvd"]
        with output.open("wb") as out:
            child = subprocess.Popen(
                [*before, sys.executable, *head, *self._command(), *more],
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        self.stack.callback(child.wait)
        self.stack.callback(child.kill)
        process.start(child)
        return process

    def _new(self) -> tuple[Process, Path, Path]:
        number = next(NUMBERS)
        stages, output = self.root / f"stages-{number}", self.root / f"output-{number}"
        return Process(stages, output), stages, output

    def _command(self) -> list[str]:
        return ["run", "--out", str(self.folder), "--store", str(self.store), *self.words]

    def _environment(self) -> dict[str, str]:
        return {"CLERK_BOOK": str(self.book), "CLERK_SECONDS": str(self.seconds)}

    def sent(self) -> list[str]:
        """All digests that were ever sent from here, in their order."""
        return [digest for line in self._lines() for digest in line.split()[1:]]

    def sent_by(self, process: Process) -> list[str]:
        """What this process sent."""
        lines = [line.split() for line in self._lines()]
        return [d for pid, *digests in lines if int(pid) == process.pid for d in digests]

    def _lines(self) -> list[str]:
        return self.book.read_text().splitlines() if self.book.exists() else []

    def kept(self) -> set[str]:
        """The digests with an answer in the store, read from a copy: the store itself shall be
        found by the next process as the last one left it."""
        copy = self.root / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        if not self.store.exists():
            return set()
        copy.mkdir()
        for path in self.store.parent.glob(f"{self.store.name}*"):
            if not path.name.endswith("-shm"):  # SQLite makes it again
                shutil.copy(path, copy)
        db = sqlite3.connect(copy / self.store.name)
        made = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'answers'").fetchone()
        rows = db.execute("SELECT digest FROM answers").fetchall() if made else []
        db.close()
        return {digest for (digest,) in rows}

    def result(self) -> tuple[bytes, bytes]:
        """What must not depend on what happened on the way."""
        return tuple((self.folder / name).read_bytes() for name in ("metrics.json", VALUES))


VALUES = "exam/values.json"


@pytest.fixture
def words(small_options: list[str]) -> list[str]:
    """The smallest run with the slow teacher, and training that takes a moment."""
    steps = ["-o", "train.steps=25"]
    return [*small_options, *steps, "-p", str(HERE / "clerk.py"), "--teacher", "clerk"]


@pytest.fixture
def place(words: list[str], tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """Makes places; whatever happens, their processes end with the test."""
    with ExitStack() as stack:
        yield lambda name: Place(tmp_path / name, words, stack)


@dataclass(frozen=True)
class Undisturbed:
    """The run that nobody disturbed."""

    root: Path
    result: tuple[bytes, bytes]
    digests: set[str]
    sizes: dict[str, int]  # of its files
    seconds: float


@pytest.fixture
def undisturbed(place: Callable[[str], Place], cache: dict[str, Undisturbed]) -> Undisturbed:
    """Made once for all tests here."""
    if "run" not in cache:
        whole = place("undisturbed")
        assert whole.fork("--help").wait() == 0  # loads what the others find loaded
        start = time.monotonic()
        process = whole.fork()
        assert process.wait() == 0, process.said()
        seconds = time.monotonic() - start
        sent = whole.sent()
        assert len(sent) == len(set(sent)) > 100
        assert set(sent) == whole.kept()
        files = [path for path in whole.folder.rglob("*") if path.is_file()]
        sizes = {str(path.relative_to(whole.folder)): path.stat().st_size for path in files}
        cache["run"] = Undisturbed(whole.root, whole.result(), set(sent), sizes, seconds)
    return cache["run"]


@pytest.fixture(scope="session")
def cache() -> dict[str, Undisturbed]:
    """What is made once."""
    return {}


def is_whole(folder: Path) -> None:
    """Every file under its final name can be read to its end."""
    from safetensors.torch import load

    for path in folder.rglob("*"):
        if path.is_file() and not any(p.endswith(".tmp") for p in path.parts):
            if path.suffix == ".json" or path.name == "done":
                json.loads(path.read_text())
            elif path.suffix == ".jsonl":
                assert all(json.loads(line) for line in path.read_text().splitlines()), path
            elif path.suffix == ".safetensors":
                load(path.read_bytes())


@pytest.fixture
def check_whole() -> Callable[[Path], None]:
    """`is_whole`, for tests: with import mode importlib they cannot import it."""
    return is_whole

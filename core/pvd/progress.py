"""How far a command has come: the stages tell it here, and observers hear of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from pvd.displays import Live, Plain
from pvd.protocols import Observer
from pvd.records import Stage
from pvd.watching import Watchers


class Progress:
    """The stage under way and the seconds that each stage took, and everybody who watches: a
    display, if there is one, and the observers of the run that is open.
    """

    def __init__(self, display: Observer | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self.watchers: Watchers = Watchers([] if display is None else [display], self._note)
        self.said: set[str] = set()  # every line that was to stay
        self._display = display
        self._stage = Stage("")
        self._start = 0.0
        self._done = self._found = 0
        self._total, self._status = self._stage.total, ""

    @contextmanager
    def stage(
        self, name: str, total: int | None = None, unit: str = "", where: str = ""
    ) -> Iterator[None]:
        """One stage, from its beginning to its end; its seconds are added to those before.
        `where` is shown before the name: "round 2 of 6"."""
        start = self._start = time.monotonic()
        self._stage = Stage(name, where, unit, total)
        self._done = self._found = 0
        self._total, self._status = total, ""
        self.watchers.tell("on_stage", stage=self._stage)
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start
            self.watchers.tell("on_stage_end", stage=self._now())

    def advance(self, count: int = 1) -> None:
        """So many units of the stage are done."""
        self._done += count
        self.watchers.progress(self._now)

    def find(self, count: int) -> None:
        """So many units were done before the stage began: they tell nothing of how fast it is."""
        self._found += count
        self.advance(count)

    def extend(self, count: int) -> None:
        """So many units more than was thought."""
        if self._total:
            self._total += count
        self.watchers.progress(self._now)

    def show(self, status: str) -> None:
        """What stands beside this stage from now on: money, retries."""
        self._status = status
        self.watchers.progress(self._now)

    def say(self, line: str) -> None:
        """One line that stays."""
        self.said.add(line)
        self.watchers.tell("on_message", line=line, needed=False)

    def remark(self, line: str) -> None:
        """One line that stays, unless it was said before: several runs may find the same."""
        if line not in self.said:
            self.say(line)

    def insist(self, line: str) -> None:
        """One line without which the user cannot go on: shown also where nothing else is."""
        self.watchers.tell("on_message", line=line, needed=True)
        if self._display is None or not self.watchers.watches(self._display):
            _print(line)

    def _now(self) -> Stage:
        return replace(
            self._stage,
            total=self._total,
            done=self._done,
            status=self._status,
            seconds=time.monotonic() - self._start,
            found=self._found,
        )

    def _note(self, line: str) -> None:
        """That an observer is switched off; it may have been the display. Who named one needs to
        know that it writes no more, however quiet the rest shall be."""
        self.insist(line)


class Silent(Progress):
    """For programs, and for `--quiet`: no display."""

    def __init__(self) -> None:
        super().__init__()


def for_terminal(quiet: bool = False) -> Progress:
    """The progress that suits where stderr goes."""
    if quiet:
        return Silent()
    return Progress(Live() if sys.stderr.isatty() else Plain())


def _print(line: str) -> None:
    """For want of a display; where stderr is gone, it ends no run."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)

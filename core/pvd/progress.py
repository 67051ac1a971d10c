"""Progress on stderr: bars on a terminal, a plain line now and then elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pvd.money.amounts import pace

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

PLAIN_SECONDS = 10.0


class Progress:
    """The stage under way, how fast it goes, and the seconds that each stage took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._status = ""

    @contextmanager
    def stage(
        self, name: str, total: int | None = None, unit: str = "", where: str = ""
    ) -> Iterator[None]:
        """One stage, from its beginning to its end; its seconds are added to those before.
        `where` is shown before the name: "round 2 of 6"."""
        start = time.monotonic()
        self._status = ""
        self._begin(f"{where}, {name}" if where else name, total, unit)
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start
            self._end()

    def advance(self, count: int = 1) -> None:
        """So many units of the stage are done."""

    def extend(self, count: int) -> None:
        """So many units more than was thought."""

    def show(self, status: str) -> None:
        """What stands beside this stage from now on: money, retries."""
        self._status = status

    def say(self, line: str) -> None:
        """One line that stays."""

    def insist(self, line: str) -> None:
        """One line without which the user cannot go on."""
        self.say(line)

    def _begin(self, name: str, total: int | None, unit: str) -> None: ...

    def _end(self) -> None: ...


class Silent(Progress):
    """Says nothing but what it must; still takes the time of the stages."""

    def insist(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class Plain(Progress):
    """For logs: one line every ten seconds, with rate and time left."""

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def _begin(self, name: str, total: int | None, unit: str) -> None:
        self._name, self._total, self._unit, self._done = name, total, unit, 0
        self._start = self._last = time.monotonic()

    def extend(self, count: int) -> None:
        self._total = self._total and self._total + count

    def advance(self, count: int = 1) -> None:
        self._done += count
        now = time.monotonic()
        if self._done and now - self._last >= PLAIN_SECONDS:
            self._last = now
            rate = self._done / (now - self._start)
            left = f", {(self._total - self._done) / rate:.0f} s left" if self._total else ""
            status = f"; {self._status}" if self._status else ""
            done = f"{self._done}/{self._total or '?'}"
            self.say(f"{self._name}: {done}, {pace(rate)} {self._unit}/s{left}{status}")


class Live(Progress):
    """For terminals: one bar that names the stage, its rate and the time left."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console

        self._console = Console(stderr=True)
        self._bars: Bars | None = None
        self._task: TaskID | None = None
        self._unit = ""

    def say(self, line: str) -> None:
        self._console.print(line, highlight=False)

    def _begin(self, name: str, total: int | None, unit: str) -> None:
        from rich.console import RenderableType
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.text import Text

        live = self

        class Bars(Progress):
            """With the status in a line of its own: beside the bar it would not fit."""

            def get_renderables(self) -> Iterator[RenderableType]:
                yield from super().get_renderables()
                if live._status:
                    yield Text(live._status, no_wrap=True, overflow="ellipsis")

        self._unit, self._start, self._done, self._total = unit, time.monotonic(), 0, total
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn(
                "{task.completed:.0f}/{task.total:.0f}" if total else "{task.completed:.0f}"
            ),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            expand=True,
            transient=True,
        )
        self._task = self._bars.add_task(f"{name:<22}", total=total, rate="")
        self._bars.start()

    def extend(self, count: int) -> None:
        if self._bars is not None and self._task is not None and self._total:
            self._total += count
            self._bars.update(self._task, total=self._total)

    def advance(self, count: int = 1) -> None:
        if self._bars is None or self._task is None:
            return
        self._done += count
        elapsed = max(time.monotonic() - self._start, 1e-3)
        rate = f"{pace(self._done / elapsed)} {self._unit}/s"
        self._bars.update(self._task, advance=count, rate=rate)

    def _end(self) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars = self._task = None


def for_terminal(quiet: bool = False) -> Progress:
    """The progress that suits where stderr goes."""
    if quiet:
        return Silent()
    return Live() if sys.stderr.isatty() else Plain()

"""Progress on stderr: a bar on a terminal, a plain line now and then elsewhere. Displays are
observers like any other; core only chooses one of them by itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pvd.hookspecs import hookimpl
from pvd.money.amounts import pace
from pvd.protocols import Observer
from pvd.records import Stage

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars

PLAIN_SECONDS = 10.0
ECHO = 4  # columns at the right, where a terminal writes ^C: it must not wrap what is erased later


@dataclass(kw_only=True)
class Plain(Observer):
    """For logs: one line every ten seconds, with rate and time left."""

    name: ClassVar[str] = "observer.progress"

    @hookimpl
    def on_message(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    @hookimpl
    def on_stage(self, stage: Stage) -> None:
        self._last = time.monotonic()

    @hookimpl
    def on_progress(self, stage: Stage) -> None:
        now = time.monotonic()
        if not (stage.done or stage.status) or now - self._last < PLAIN_SECONDS:
            return
        self._last = now
        said = [f"{stage.done}/{stage.total or '?'}"]
        if stage.rate is not None:
            said.append(pace(stage.rate, stage.unit))
        if stage.seconds_left is not None:
            said.append(f"{stage.seconds_left:.0f} s left")
        status = f"; {stage.status}" if stage.status else ""
        self.on_message(f"{stage.title}: {', '.join(said)}{status}")


@dataclass(kw_only=True)
class Live(Observer):
    """For terminals: one bar that names the stage, its rate and the time left."""

    name: ClassVar[str] = "observer.progress"

    def __post_init__(self) -> None:
        from rich.console import Console

        self._console: Console = Console(stderr=True)
        self._bars: Bars | None = None
        self._status = ""

    def __exit__(self, *error: object) -> None:
        self._stop()

    @hookimpl
    def on_message(self, line: str) -> None:
        self._console.print(line, highlight=False)

    @hookimpl
    def on_stage(self, stage: Stage) -> None:
        from rich.console import RenderableType
        from rich.constrain import Constrain
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.text import Text

        live = self

        class Bars(Progress):
            """With the status in a line of its own: beside the bar it would not fit."""

            def get_renderables(self) -> Iterator[RenderableType]:
                width = max(live._console.width - ECHO, 1)
                for bar in super().get_renderables():
                    yield Constrain(bar, width)
                if live._status:
                    yield Constrain(Text(live._status, no_wrap=True, overflow="ellipsis"), width)

        self._stop()
        self._status = ""
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[done]}"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            expand=True,
            transient=True,
        )
        self._task = self._bars.add_task(f"{stage.title:<22}", total=stage.total, **_figures(stage))
        self._bars.start()

    @hookimpl
    def on_progress(self, stage: Stage) -> None:
        self._status = stage.status
        if self._bars is not None:
            figures = _figures(stage)
            self._bars.update(self._task, completed=stage.done, total=stage.total, **figures)

    @hookimpl
    def on_stage_end(self) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars = None


def _figures(stage: Stage) -> dict[str, Any]:
    """What stands beside the bar. Both come from one rate: a display's own would take what was
    found for work, and what ends together for haste."""
    rate = "" if stage.rate is None else pace(stage.rate, stage.unit)
    left = stage.seconds_left
    unknown = "--:--" if stage.total else ""
    return {
        "done": _counted(stage),
        "rate": rate,
        "left": unknown if left is None else _clock(left),
    }


def _clock(seconds: float) -> str:
    """Minutes and seconds, after hours where there are any: 00:09, 1:02:30."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def _counted(stage: Stage) -> str:
    """How much is done, and of how much; nothing of a stage that counts nothing."""
    if stage.total:
        return f"{stage.done:.0f}/{stage.total:.0f}"
    return f"{stage.done:.0f}" if stage.done else ""

"""Progress in logs, with a clock that the test turns."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from pvd import progress
from pvd.displays import Live, Plain
from pvd.money.amounts import pace
from pvd.progress import Progress
from pvd.records import Stage


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_every_ten_seconds_with_rate_and_time_left(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Progress(Plain())
    with shown.stage("asking", 100, "slates", "round 2 of 6"):
        for _ in range(4):
            clock[0] += 4
            shown.advance(10)
    # After 12 seconds 30 are done: 2.5 a second, and 70 are left.
    assert capsys.readouterr().err == "round 2 of 6, asking: 30/100, 2.5 slates/s, 28 s left\n"
    assert shown.seconds == {"asking": 16.0}


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (1250.4, "1250 runs/s"),
        (2.5, "2.5 runs/s"),
        (0.1, "0.1 runs/s"),
        (1 / 21, "2.9 runs/min"),
        (1 / 4, "0.2 runs/s"),
        (1 / 3600, "1.0 runs/h"),
    ],
)
def test_what_takes_minutes_has_no_rate_of_nothing_a_second(rate: float, said: str) -> None:
    assert pace(rate, "runs") == said


def test_nothing_done_yet_is_no_division_by_zero(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Progress(Plain())
    with shown.stage("asking", 100, "slates"):
        clock[0] += 60
        shown.advance(0)
    assert capsys.readouterr().err == ""


def test_the_seconds_of_a_stage_add_up(clock: list[float]) -> None:
    shown = progress.Silent()
    for _ in range(3):
        with shown.stage("training"):
            clock[0] += 2
    assert shown.seconds == {"training": 6.0}


def test_money_and_trouble_stand_beside_the_stage(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Progress(Plain())
    with shown.stage("asking", 100, "slates"):
        shown.show("$0.52 spent of $5.00, 3 retries")
        clock[0] += 20
        shown.advance(10)
    with shown.stage("training", 100, "steps"):
        clock[0] += 20
        shown.advance(10)
    asked, trained = capsys.readouterr().err.splitlines()
    assert asked == "asking: 10/100, 0.5 slates/s, 180 s left; $0.52 spent of $5.00, 3 retries"
    assert trained == "training: 10/100, 0.5 steps/s, 180 s left", "it is not the next one's"


def bars(total: int | None, *done: int) -> str:
    """What a terminal has shown of a stage when it ends."""
    screen = io.StringIO()
    live = Live()
    live._console = Console(file=screen, force_terminal=True, color_system=None, width=60)
    shown = Progress(live)
    with shown.stage("exam", total, "slates"):
        for count in done:
            shown.advance(count)
        assert live._bars is not None
        live._bars.refresh()
    return screen.getvalue()


def test_a_stage_that_counts_nothing_shows_no_number() -> None:
    bare = bars(None)
    assert "exam" in bare
    assert not re.search(r"\d", plain(bare))


def test_what_is_counted_is_shown_with_or_without_an_end() -> None:
    assert " 3/8 " in bars(8, 3)
    assert " 0/8 " in bars(8)
    unknown = bars(None, 7)
    assert " 7 " in unknown
    assert "7/" not in unknown


def test_what_was_found_tells_nothing_of_the_rate(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Progress(Plain())
    with shown.stage("asking", 45, "slates"):
        shown.find(25)
        clock[0] += 15
        shown.show("another process asks 20")
        clock[0] += 15
        shown.advance(5)
    waiting, asking = capsys.readouterr().err.splitlines()
    assert waiting == "asking: 25/45; another process asks 20"
    # Five in thirty seconds, and fifteen are left.
    assert asking == "asking: 30/45, 0.2 slates/s, 90 s left; another process asks 20"


@pytest.mark.parametrize(
    ("seconds", "done", "found", "said"),
    [
        (21.0, 2, 0, "2/4 5.7 runs/min 00:21"),
        (21.0, 3, 3, "3/4 --:--"),
        (7200.0, 3, 2, "3/4 0.5 runs/h 2:00:00"),
        (0.0, 4, 0, "4/4 4000 runs/s 00:00"),
    ],
)
def test_a_bar_has_its_time_left_from_the_rate_beside_it(
    seconds: float, done: int, found: int, said: str
) -> None:
    screen = io.StringIO()
    live = Live()
    live._console = Console(file=screen, force_terminal=True, color_system=None, width=100)
    live.on_stage(Stage("cells", unit="runs", total=4))
    # Both ended in the same look, as two runs of a comparison may.
    for _ in range(2):
        live.on_progress(Stage("cells", "", "runs", 4, done, "", seconds, found))
    assert live._bars is not None
    live._bars.refresh()
    live.on_stage_end()
    (*_, last) = [line for line in plain(screen.getvalue()).splitlines() if "cells" in line]
    assert " ".join(last.split()).endswith(said)


def plain(text: str) -> str:
    """Without what moves the cursor."""
    return re.sub(r"\x1b\[[0-9?]*[a-zA-Z]", "", text).replace("\r", "\n")


class Screen(io.StringIO):
    """A terminal of so many columns, as far as a bar needs one."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.lines, self._row, self._column, self._columns = [""], 0, 0, columns

    def write(self, text: str) -> int:
        for part in re.findall(r"\x1b\[[0-9?]*[a-zA-Z]|.", text, re.DOTALL):
            self._take(part)
        return len(text)

    def _take(self, part: str) -> None:
        if part == "\r":
            self._column = 0
        elif part == "\n":
            self._down()
        elif part == "\x1b[1A":
            self._row -= 1
        elif part == "\x1b[2K":
            self.lines[self._row] = ""
        elif len(part) == 1:
            if self._column == self._columns:  # only now: a full line alone does not wrap
                self._down()
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + part + line[self._column + 1 :]
            self._column += 1

    def _down(self) -> None:
        self._row, self._column = self._row + 1, 0
        self.lines += [""] * (self._row == len(self.lines))


@pytest.mark.parametrize(
    "status", ["", "seed 0: asking, 30/45 slates, and more than fits in a line"]
)
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_no_bar_behind(times: int, status: str) -> None:
    screen = Screen(60)
    live = Live()
    live._console = Console(file=screen, force_terminal=True, color_system=None, width=60)
    live.on_stage(Stage("cells", unit="runs", total=4))
    live.on_progress(Stage("cells", "", "runs", 4, 1, status, 2.0))
    assert live._bars is not None
    live._bars.refresh()
    assert "1/4" in "".join(screen.lines)
    screen.write("^C" * times)  # the terminal's echo
    live.on_stage_end()
    screen.write("Stopped.\n")
    assert [line for line in screen.lines if line] == ["Stopped."]

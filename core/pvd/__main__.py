"""The command `pvd`, and `python -m pvd`."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import warnings
from types import FrameType
from typing import TextIO

from pvd.errors import Interrupted

STOPS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C; what schedulers and containers send
AGAIN = 0.05  # seconds
PATIENCE = 3.0  # seconds that threads of plug-ins may take to end before it is said
ASKED = "_PVD_COMPLETE"  # what a shell sets to be offered words


def main() -> None:
    """Being told to stop is no error, not even while the command is still being loaded."""
    try:
        try:
            for number in STOPS:
                signal.signal(number, _interrupt)
            warnings.showwarning = _warn
            _set_aside()
            from pvd.cli import main as command

            if os.environ.get(ASKED):
                from pvd.cli.shells import Offered

                sys.stdout = Offered(sys.stdout)
            command(complete_var=ASKED)  # also as python -m pvd
        finally:
            _leave()
            for number in STOPS:  # from here on there is nothing to keep
                signal.signal(number, lambda number, frame: os._exit(Interrupted.exit_code))
    except (Interrupted, KeyboardInterrupt) as stop:
        said = str(stop) or "Stopped; the same command goes on from here."
        # Over the ^C, which a terminal has written where the cursor was.
        over = "\r" if sys.stderr is not None and sys.stderr.isatty() else ""
        print(f"{over}{said}", file=sys.stderr, flush=True)
        # Leaving the usual way would wait for the threads of calls that were given up.
        os._exit(Interrupted.exit_code)


def _set_aside() -> None:
    """Keep results apart from what C code and child processes write to descriptor 1: from here on
    that leads to stderr, and sys.stdout to a copy that no child inherits."""
    before = sys.__stdout__
    if before is None or sys.stderr is None or sys.stdout is not before:
        return  # closed by whoever started us, or not the process's own
    copy = os.dup(1)
    os.dup2(2, 1)
    binary = open(copy, "wb", buffering=0 if before.write_through else -1, closefd=False)  # noqa: SIM115
    sys.stdout = io.TextIOWrapper(
        binary,
        before.encoding,
        before.errors,
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )
    sys.__stdout__ = sys.stdout  # type: ignore[misc]  # which is asked how wide a terminal is


def _leave() -> None:
    """All results are out: what plug-ins print from here on, in threads that go on or at the exit,
    is none. Python waits for such threads; whoever waits for Python is told."""
    if os.environ.get(ASKED):
        return  # `Offered` drops it
    if sys.stdout is not None and sys.stderr is not None:
        sys.stdout = sys.stderr
        sys.__stdout__ = sys.stderr  # type: ignore[misc,assignment]
    waiting = threading.Timer(PATIENCE, _say_who_runs)
    waiting.daemon = True
    waiting.start()


def _say_who_runs() -> None:
    threads = [one for one in threading.enumerate() if not one.daemon]
    names = ", ".join(one.name for one in threads if one is not threading.main_thread())
    if names:
        print(f"Only threads of plug-ins run still ({names}); Ctrl-C ends them.", file=sys.stderr)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning as one sentence; users need not see which line of whose code it came from."""
    if not issubclass(category, DeprecationWarning | FutureWarning):
        print(f"Warning: {message}", file=sys.stderr, flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but not inside an import: C++ does not survive it there (torch
    aborts), and Python's locks of imports swallow it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            later = threading.Timer(AGAIN, signal.raise_signal, [number])
            later.daemon = True
            later.start()
            return
        frame = frame.f_back
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()

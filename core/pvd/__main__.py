"""The command `pvd`, and `python -m pvd`."""

from __future__ import annotations

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
ASKED = "_PVD_COMPLETE"  # what a shell sets to be offered words


def main() -> None:
    """Being told to stop is no error, not even while the command is still being loaded."""
    try:
        try:
            for number in STOPS:
                signal.signal(number, _interrupt)
            warnings.showwarning = _warn
            from pvd.cli import main as command

            if os.environ.get(ASKED):
                from pvd.cli.shells import Offered

                sys.stdout = Offered(sys.stdout)
            command(complete_var=ASKED)  # also as python -m pvd
        finally:
            for number in STOPS:  # from here on there is nothing to keep
                signal.signal(number, lambda number, frame: os._exit(Interrupted.exit_code))
    except (Interrupted, KeyboardInterrupt) as stop:
        said = str(stop) or "Stopped; the same command goes on from here."
        print(said, file=sys.stderr, flush=True)
        # Leaving the usual way would wait for the threads of calls that were given up.
        os._exit(Interrupted.exit_code)


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

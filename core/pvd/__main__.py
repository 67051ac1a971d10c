"""The command `pvd`, and `python -m pvd`."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Being told to stop is no error, not even while the command is still being loaded."""
    try:
        # What a scheduler or a container sends before it kills: the same as Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        from pvd.cli import main as command

        command()
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()

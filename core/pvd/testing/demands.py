"""What a check demands, and how it is left out where it cannot be made."""

from __future__ import annotations

from typing import NoReturn


def require(fits: object, message: str) -> None:
    """Raise AssertionError with this message unless it fits; `python -O` leaves it in."""
    __tracebackhide__ = True  # pytest shows the line of the check instead
    if not fits:
        raise AssertionError(message)


def skip(why: str) -> NoReturn:
    """End a check that cannot be made here; pytest, too, shows it as skipped."""
    from unittest import SkipTest  # only where something is skipped: it loads a good deal

    raise SkipTest(why)

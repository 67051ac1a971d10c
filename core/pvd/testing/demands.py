"""What a check demands, and how it is left out where it cannot be made."""

from __future__ import annotations

from typing import NoReturn

LIVE = "live = True in a test class that plays the provider on this machine asks it"
BRING = "bring what is missing, and check again"


def require(fits: object, message: str) -> None:
    """Raise AssertionError with this message unless it fits; `python -O` leaves it in."""
    __tracebackhide__ = True  # pytest shows the line of the check instead
    if not fits:
        raise AssertionError(message)


def skip(why: str, how: str = "") -> NoReturn:
    """End a check that cannot be made here; pytest, too, shows it as skipped. `how` says what makes
    it after all; without, there is nothing to check of this component."""
    from unittest import SkipTest  # only where something is skipped: it loads a good deal

    error = SkipTest(why)
    error.how = how  # type: ignore[attr-defined]
    raise error

"""How amounts are written for people."""

from __future__ import annotations


def money(amount: float) -> str:
    """Dollars, to the cent, or finer where a cent would hide them."""
    return f"${amount:,.4f}" if 0 < amount < 0.1 else f"${amount:,.2f}"


def short(count: int) -> str:
    """A number in at most five letters: 950, 12.3k, 4.5M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size:
            return f"{count / size:.1f}{unit}"
    return str(count)


def duration(hours: float) -> str:
    """Hours, or minutes where there are few."""
    if hours < 1:
        return f"{max(round(60 * hours), 1)} min"
    return f"{hours:.1f} hours"


def pace(rate: float, unit: str) -> str:
    """So many a second, a minute or an hour: 1250 images/s, 0.3 slates/s, 2.9 runs/min."""
    for per, seconds in (("s", 1), ("min", 60)):
        if rate * seconds >= 0.1:
            return f"{rate * seconds:.{0 if rate * seconds >= 10 else 1}f} {unit}/{per}"
    return f"{3600 * rate:.1f} {unit}/h"


def count(how_many: int, noun: str) -> str:
    """A number with its noun: 1 item, 2,000 items."""
    return f"{how_many:,} {noun}{'s' * (how_many != 1)}"

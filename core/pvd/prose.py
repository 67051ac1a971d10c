"""How numbers and names stand in a sentence or a table: true minus signs, "a, b and c"."""

from __future__ import annotations

from collections.abc import Iterable

MINUS, DASH, JOINED = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{NO-BREAK SPACE}"


def true_minus(number: str) -> str:
    """A number as Python writes it, with a minus sign for each hyphen."""
    return number.replace("-", MINUS)


def fixed(value: float, digits: int) -> str:
    """A number with so many decimals; what rounds to zero has no sign."""
    return true_minus(f"{value:z.{digits}f}")


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, or `a, b and c`; one name at least."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def with_article(noun: str) -> str:
    """`a teacher`, `an Estimate`, by the first letter."""
    return f"{'an' if noun[:1].lower() in [*'aeiou'] else 'a'} {noun}"

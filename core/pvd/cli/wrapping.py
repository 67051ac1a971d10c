"""Texts in lines as wide as the terminal, and no wider than one reads."""

from __future__ import annotations

import shutil
import textwrap

MOST = 100  # columns


def width() -> int:
    """Of a line; where nobody sees it, that of an old terminal."""
    return min(shutil.get_terminal_size((78, 24)).columns, MOST) - 1


def wrapped(text: str, first: str = "", then: str = "    ", columns: int = 0) -> str:
    """A text in lines of so many columns, or of `width`; long words, such as paths, are not cut in
    two."""
    return textwrap.fill(
        text, columns or width(), initial_indent=first, subsequent_indent=then,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def paragraphs(text: str) -> str:
    """A docstring's paragraphs, each wrapped anew; what is indented, or a list, stays as it is."""
    parts = [part for part in text.split("\n\n") if part.strip()]
    return "\n\n".join(_paragraph(part) for part in parts)


def _paragraph(part: str) -> str:
    lines = part.split("\n")
    kept = any(line.startswith((" ", "-", "*")) for line in lines)
    return part if kept else wrapped(" ".join(lines), then="")

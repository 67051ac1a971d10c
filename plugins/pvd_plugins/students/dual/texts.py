"""Texts that are longer than the window of the text tower: never cut off in silence."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Literal

from pvd import kit

Lengths = Callable[[Sequence[str]], list[int]]
Long = Literal["truncate", "error", "chunk"]


def pieces(texts: Sequence[str], lengths: Lengths, window: int, long: Long) -> list[list[str]]:
    """Each text as what the tower is to read of it: itself, or with `chunk` parts that fit.

    `truncate` leaves the cutting to the tower and warns with counts; `error` raises BadInput.
    """
    counts = lengths(texts)
    over = [place for place, count in enumerate(counts) if count > window]
    if not over or long == "chunk":
        whole = [[text] for text in texts]
        for place in over:
            whole[place] = _chunks(texts[place], lengths, window)
        return whole
    longest = max(over, key=lambda place: counts[place])
    many = len(over) > 1
    what = (
        f"{len(over)} of {len(texts)} texts {'are' if many else 'is'} longer than the {window} "
        f"tokens that the text tower reads; the longest has {counts[longest]}, and begins with "
        f"{texts[longest][:40]!r}"
    )
    if long == "error":
        raise kit.BadInput(f"{what}. Shorten {'them' if many else 'it'}, or set student.long.")
    cut = sum(counts[place] - window for place in over)
    warnings.warn(
        f"{what}. The ends are cut off: {cut} of {sum(counts)} tokens. student.long=chunk reads "
        "all of them.",
        stacklevel=2,
    )
    return [[text] for text in texts]


def _chunks(text: str, lengths: Lengths, window: int) -> list[str]:
    """Parts of whole words that fit, filled from left to right."""
    around, alone = lengths(["", "a"])  # the tokens that stand around every text
    words = [part for word in text.split() for part in _fitting(word, lengths, window)]
    # Some tokenizers spend more on a word that follows another: the space has a token.
    costs = [count - alone for count in lengths([f"a {word}" for word in words])]
    chunks: list[list[str]] = [[]]
    room = window - around
    for word, cost in zip(words, costs, strict=True):
        if cost > room and chunks[-1]:
            chunks.append([])
            room = window - around
        chunks[-1].append(word)
        room -= cost
    return [part for chunk in chunks for part in _halves(chunk, lengths, window)]


def _halves(words: list[str], lengths: Lengths, window: int) -> list[str]:
    """The words as one text, or as several where together they cost more than each by itself."""
    text, half = " ".join(words), len(words) // 2
    if half == 0 or lengths([text])[0] <= window:
        return [text]
    return [
        *_halves(words[:half], lengths, window),
        *_halves(words[half:], lengths, window),
    ]


def _fitting(word: str, lengths: Lengths, window: int) -> list[str]:
    """The word, or halves of it until each fits; some scripts write no spaces."""
    if lengths([word])[0] <= window or len(word) < 2:
        return [word]
    half = len(word) // 2
    return [*_fitting(word[:half], lengths, window), *_fitting(word[half:], lengths, window)]

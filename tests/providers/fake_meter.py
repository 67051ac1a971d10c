"""What a request costs in tokens, counted without anything of pvd's."""

from __future__ import annotations

import functools
import math
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from fake_protocols import Asked, Part, size

WORDS = re.compile(r"'(?:[sdmt]|ll|ve|re)\b| ?[^\W\d_]+|\d{1,3}| ?(?:[^\s\w]|_)+|\s+")
MESSAGE, PICTURE = 4, 4  # what frames a message and a picture
CACHED_FROM = 1024


@functools.lru_cache(maxsize=16384)
def text_tokens(text: str) -> int:
    """Near what real tokenizers find: words, at most three digits, runs of punctuation."""
    count = 0
    for word in WORDS.findall(text):
        letters = len(word.strip()) if word.strip().isalpha() else 0
        count += 3 if letters > 14 else 2 if letters > 8 else 1
    return count


def picture_tokens(protocol: str, model: str, wide: int, high: int, detail: str) -> int:
    """By the provider's published rule."""
    if protocol == "anthropic":
        return min(math.ceil(wide / 28) * math.ceil(high / 28), 1568)
    if protocol == "gemini":
        generation = re.match(r"gemini-(\d+)", model)
        if not generation or int(generation[1]) >= 3:
            return {"low": 280, "medium": 560}.get(detail, 1120)
        if detail in ("low", "medium"):
            return {"low": 64, "medium": 256}[detail]
        if max(wide, high) <= 384:
            return 258
        return 258 * math.ceil(wide / 768) * math.ceil(high / 768)
    if model.startswith(("gpt-4o", "gpt-4.1")) and "-mini" not in model:
        if detail == "low":
            return 85
        fit = min(1.0, 2048 / max(wide, high))
        fit *= min(1.0, 768 / (min(wide, high) * fit))
        wide, high = round(wide * fit), round(high * fit)
        return 85 + 170 * math.ceil(wide / 512) * math.ceil(high / 512)
    return math.ceil(math.ceil(wide / 32) * math.ceil(high / 32) * 1.2)


@dataclass(frozen=True)
class Read:
    """The tokens of a request; `input` has all the others in it."""

    input: int
    images: int = 0
    cached: int = 0
    written: int = 0


class Meter:
    """Counts requests, and remembers the beginnings of those that were answered."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._lock = threading.Lock()

    def read(self, asked: Asked, caches: bool = False) -> Read:
        """The tokens of this request, and what of them is in the cache."""
        images = sum(self._picture(asked, part) for part in asked.parts if part.picture)
        prefixes = list(self._prefixes(asked))
        whole = prefixes[-1][1]
        if not caches:
            return Read(whole, images)
        with self._lock:
            marks = [tokens for _, tokens, marked in prefixes if marked and tokens >= CACHED_FROM]
            last = max(marks, default=0) if asked.protocol == "anthropic" else whole
            known = [tokens for key, tokens, _ in prefixes if key in self._known and tokens <= last]
        cached = max(known, default=0)
        if cached < CACHED_FROM:
            cached = 0
        if asked.protocol == "openai":
            cached -= cached % 128
        return Read(whole, images, cached, last - cached if asked.protocol == "anthropic" else 0)

    def remember(self, asked: Asked) -> None:
        """It was answered. Anthropic's keeps only what was marked."""
        with self._lock:
            for key, tokens, marked in self._prefixes(asked):
                if asked.protocol != "anthropic" or (marked and tokens >= CACHED_FROM):
                    self._known.add(key)

    def _prefixes(self, asked: Asked) -> Iterator[tuple[int, int, bool]]:
        """A key, the tokens and whether it is marked, of each beginning, the shortest first."""
        key = hash((asked.protocol, asked.model, asked.schema, asked.system))
        tokens = text_tokens(asked.schema) + text_tokens(asked.system) + MESSAGE
        yield key, tokens, asked.system_marked
        tokens += MESSAGE
        for part in asked.parts:
            key = hash((key, part.text, part.picture, part.detail))
            tokens += (
                self._picture(asked, part) + PICTURE if part.picture else text_tokens(part.text)
            )
            yield key, tokens, part.marked

    @staticmethod
    def _picture(asked: Asked, part: Part) -> int:
        return picture_tokens(asked.protocol, asked.model, *size(part.picture), part.detail)

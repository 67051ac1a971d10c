"""What a question will cost in tokens, reckoned before it is asked.

Providers do not publish their tokenizers with their models, so that text is counted roughly;
pictures are counted by the published rules, from the size in which they are sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pvd
from pvd_plugins.teachers import models

PIECES = re.compile(r"[A-Za-z]+|[0-9]{1,3}|[!-/:-@\[-`{-~]+|[^\x00-\x7f]|\n+")
WORD = 8  # letters that one token of English may have
LONG = 6  # characters of a token on average, where they are long
FRAME = 4  # tokens around a picture, or around a turn
UNSURE = 1.1  # pictures may count for so much more than their rule says
THOUGHTS = 300  # tokens that a model of which nothing is known thinks in hiding
# Of a model whose rule is not known: patches without a cap, and at least, as expected and at most
# what services have that count every picture the same.
ANY = {"size": 28, "factor": 1.2}
SAME = (64, 280, 1120)


@lru_cache(maxsize=4096)
def text_tokens(text: str) -> int:
    """Words of English by their length, three digits, runs of punctuation; of other scripts, each
    letter."""
    pieces = PIECES.findall(text)
    return sum(math.ceil(len(piece) / WORD) if piece[0].isalpha() else 1 for piece in pieces)


def most_tokens(text: str) -> int:
    """More than any tokenizer makes of it: two ASCII characters a token, or one byte of others."""
    plain = sum(map(str.isascii, text))
    return math.ceil(plain / 2) + len(text.encode("utf-8", "replace")) - plain


def picture_tokens(rule: Mapping[str, float], wide: int, high: int) -> int:
    """The tokens of a picture of this size."""
    if "fixed" in rule:
        return int(rule["fixed"])
    if max(wide, high) <= rule.get("small", 0):
        return int(rule["base"] + rule["tile"])
    if "fit" in rule:
        wide, high = _shrunk(wide, high, rule["fit"] / max(wide, high))
        wide, high = _shrunk(wide, high, rule["short"] / min(wide, high))
    pieces = math.ceil(wide / rule["size"]) * math.ceil(high / rule["size"])
    if "tile" in rule:
        return int(rule["base"] + rule["tile"] * pieces)
    patches = math.ceil(pieces * rule["factor"])
    return min(patches, int(rule.get("most", patches)))


def _shrunk(wide: int, high: int, scale: float) -> tuple[int, int]:
    return (round(wide * scale), round(high * scale)) if scale < 1 else (wide, high)


def _pictures(
    rule: Mapping[str, float] | None, sizes: Sequence[tuple[int, int]]
) -> tuple[int, int, int]:
    """The tokens of these pictures: at least, as expected, and at most."""
    each = [picture_tokens(rule or ANY, *size) for size in sizes]
    if rule:
        return sum(each), sum(each), math.ceil(sum(each) * UNSURE)
    few, some, many = SAME
    return (
        sum(min(tokens, few) for tokens in each),
        sum(max(tokens, some) for tokens in each),
        sum(max(math.ceil(tokens * UNSURE), many) for tokens in each),
    )


@dataclass(frozen=True)
class Asked:
    """A question as far as its tokens go."""

    model: str
    detail: str
    text: str  # all that is said, labels included
    schema: str  # what the answer is bound to, as JSON
    sizes: Sequence[tuple[int, int]]  # of the pictures as they are sent
    answer: str  # one that would do
    thoughts: int  # tokens of hidden thinking, as far as one can guess
    most: int  # tokens that the answer may have with its thinking


def forecast(asked: Asked) -> pvd.Forecast:
    """Low, expected and high tokens of a question and its answer."""
    rules = models.table()["images"].get(models.find(asked.model).images or "", {})
    rule = rules.get(asked.detail) or next(iter(rules.values()), None)
    few, pictures, many = _pictures(rule, asked.sizes)
    frames = FRAME * (len(asked.sizes) + 2)
    said, answer = text_tokens(asked.text) + text_tokens(asked.schema), text_tokens(asked.answer)
    # As real tokenizers may take it: a permutation is no word, and falls into several pieces.
    at_most = most_tokens(asked.text) + most_tokens(asked.schema) + 2 * frames
    output = min(answer + asked.thoughts, asked.most)
    return pvd.Forecast(
        # Not every provider counts the schema.
        pvd.Tokens(len(asked.text) // LONG + few, min(round(answer * 0.8), asked.most), few),
        pvd.Tokens(
            said + frames + pictures,
            output,
            pictures,
            thoughts=max(output - answer, 0),
        ),
        pvd.Tokens(
            at_most + many,
            asked.most,
            many,
            thoughts=max(asked.most - answer, 0) if asked.thoughts else 0,
        ),
    )

"""The frozen text tower: every word has a direction of its own, a text is the sum of its words.

A word's direction comes from hashing the word and its beginnings, so that no word is unknown:
"gardener" and "gardening" are close, unrelated words nearly orthogonal. Because the sum is plain,
what the image tower learns of "a sailor who travels light" holds for both halves alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Vector = npt.NDArray[np.float32]

WIDTH = 256
STEMS = (4, 5, 6)  # lengths of the beginnings: most languages bend a word at its end
SHARE = 1.0  # length of the beginnings' sum beside the word's own unit vector
FAINT = 0.08  # weight of a function word: not 0, so that a text of nothing else has a direction
PALE = 0.4  # weight of a word that says little about what to choose

FUNCTION_WORDS = """
a about above after again against all also am among an and another any are as at be because been
before behind being below between both but by can could did do does doing down during each
either else ever every few for from had has have having he her hers herself him himself his how
i if in into is it its itself just many may me might more most much must my myself neither no
nor not now of off on once only onto or other our ours out over own per quite rather s same
shall she should since so some such t than that the their theirs them themselves then there
these they this those through to too toward towards under until up upon us very was we were what
when where whether which while who whom whose why will with within without would yet you your
yours
"""
VAGUE_WORDS = """
always buy buying buys choose choosing enjoy enjoys find finding finds get gets getting gift
give gives giving go goes going keen like liked likes look looking looks love loves loving need
needs never nice often one people perfect person present really searching shop shopping shops
somebody someone something somewhere spend spending spends thing things time times two usually
want wanting wants weekend weekends
"""
_FUNCTION = frozenset(FUNCTION_WORDS.split())
_VAGUE = frozenset(VAGUE_WORDS.split())
_WORD = re.compile(r"[^\W_]+")


def embed(texts: Sequence[str]) -> Tensor:
    """[P, WIDTH], unit length; the same bits for a text in whatever company it comes."""
    import torch

    return torch.from_numpy(np.stack([_text(text) for text in texts]))


def weight(word: str) -> float:
    """How much a word counts."""
    return FAINT if word in _FUNCTION else PALE if word in _VAGUE else 1.0


def _text(text: str) -> Vector:
    words = _WORD.findall(text.lower())
    total = _signs(" ") * 1e-3  # where a text has no word at all
    for word in words:
        total = total + weight(word) * direction(word)
    return _unit(total)


@lru_cache(maxsize=1 << 16)
def direction(word: str) -> Vector:
    """The unit vector of one word."""
    total = _signs(word)
    if stems := [word[:n] for n in STEMS if len(word) >= n]:
        # Marked, so that "gard" as a beginning is not "gard" as a word.
        total = total + SHARE * _unit(np.sum([_signs(stem + "-") for stem in stems], axis=0))
    return _unit(total)


@lru_cache(maxsize=1 << 16)
def _signs(key: str) -> Vector:
    """A corner of the cube for a string, by SHAKE-256: the same everywhere, for ever."""
    octets = np.frombuffer(hashlib.shake_256(key.encode()).digest(WIDTH // 8), np.uint8)
    return _unit(np.unpackbits(octets).astype(np.float32) * 2 - 1)


def _unit(vector: Vector) -> Vector:
    return (vector / np.linalg.norm(vector)).astype(np.float32)

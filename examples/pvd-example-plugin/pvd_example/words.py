"""Words by which people say what looks they like, and which statistics they are about."""

from __future__ import annotations

import re

COLOURS, CONTRAST, SHARP, EVEN = "colourfulness", "contrast", "sharpness", "symmetry"

# What a word adds to a statistic's weight, in units of the teacher's `emphasis`.
WORDS: dict[str, tuple[str, int]] = {
    **dict.fromkeys(
        ("colourful", "colorful", "vivid", "cheerful", "sunny", "lively"), (COLOURS, 1)
    ),
    **dict.fromkeys(("plain", "muted", "quiet", "subtle", "understated"), (COLOURS, -1)),
    **dict.fromkeys(("bold", "dramatic", "striking", "glamorous"), (CONTRAST, 1)),
    **dict.fromkeys(("soft", "gentle", "pastel", "dreamy"), (CONTRAST, -1)),
    **dict.fromkeys(("crisp", "detailed", "intricate", "patterned"), (SHARP, 1)),
    **dict.fromkeys(("smooth", "minimal", "minimalist", "simple"), (SHARP, -1)),
    **dict.fromkeys(("symmetric", "orderly", "classic", "formal", "tidy"), (EVEN, 1)),
    **dict.fromkeys(("asymmetric", "quirky", "playful", "bohemian"), (EVEN, -1)),
}


def heard(text: str) -> dict[str, int]:
    """How often a text asks for more of a statistic, less how often for less of it."""
    found: dict[str, int] = dict.fromkeys((COLOURS, CONTRAST, SHARP, EVEN), 0)
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in WORDS:
            statistic, sign = WORDS[word]
            found[statistic] += sign
    return found

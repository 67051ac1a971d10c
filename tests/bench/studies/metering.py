"""What the questions of an exam cost in tokens, at providers that remember beginnings of prompts.

The meter is the fake provider's of tests/providers, which knows nothing of pvd; here it is fed with
what a teacher says of each slate instead of with requests over HTTP, and with the size of pictures
instead of their bytes.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "providers"))

from fake_meter import Meter, picture_tokens
from fake_protocols import Asked, Part

import pvd
from pvd.kit import PromptedTeacher
from pvd.records import Tokens

PROTOCOLS = {"openai": "openai", "claude": "anthropic", "gemini": "gemini"}
SIDES = (384, 512)  # pixels of every picture


class SizedMeter(Meter):
    """Every picture has this size; a part names it by its digest."""

    @staticmethod
    def _picture(asked: Asked, part: Part) -> int:
        return picture_tokens(asked.protocol, asked.model, *SIDES, part.detail)


@dataclass(frozen=True)
class Bill:
    """Tokens that were read, and the same weighted by their price: what comes from the provider's
    cache costs a tenth, what is put there may cost more."""

    read: int
    priced: float


def bill(teacher: str, rounds: Sequence[Sequence[pvd.Slate]]) -> Bill:
    """Of these questions, asked round by round. Those of a round that show the same pictures are
    told that they do, and follow each other, as asking has it."""
    known: PromptedTeacher = pvd.load("teacher", teacher)
    meter, read, dollars, plain = SizedMeter(), 0, 0.0, 0.0
    for slates in rounds:
        often = Counter(shown(slate) for slate in slates)
        for slate in sorted(slates, key=shown):
            asked = said(teacher, known, slate, often[shown(slate)] > 1)
            found = meter.read(asked, caches=True)
            meter.remember(asked)
            read += found.input
            tokens = Tokens(found.input, 0, cached=found.cached, written=found.written)
            dollars += known.dollars(tokens) or 0.0
            plain += known.dollars(Tokens(found.input, 0)) or 0.0
    return Bill(read, read * dollars / plain)


def shown(slate: pvd.Slate) -> tuple[str, ...]:
    return tuple(item.id for item in slate.items)


def said(name: str, teacher: PromptedTeacher, slate: pvd.Slate, shared: bool) -> Asked:
    """A question as a provider of that protocol understands it."""
    prompt = teacher.prompt_for(slate)
    detail = "" if name == "claude" else str(getattr(teacher, "detail", ""))
    parts: list[Part] = []
    for letter, item in zip(prompt.letters, prompt.items, strict=True):
        parts += [Part(f"[{letter}]"), Part(picture=item.digest, detail=detail)]
    if shared and name == "claude":
        parts[-1] = Part(picture=parts[-1].picture, marked=True)
    return Asked(
        protocol=PROTOCOLS[name],
        model=teacher.model,
        key="",
        system=prompt.system,
        schema=json.dumps(prompt.schema, separators=(",", ":")),
        parts=(*parts, Part(prompt.question)),
        body={},
    )

"""Simulated teachers whose tastes are not quite the personas'.

    pvd run -p tests/bench/studies/other_tastes.py -o teacher.use=other-tastes \\
        -o teacher.other=0.5 -o teacher.people=personas.jsonl

Two ways to be wrong: to take a persona for another one (nobody can learn that from a held-out
persona's text), and to like something oneself, whoever asks (anybody can learn that).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

import pvd
from pvd_plugins.teachers.simulated import Simulated


@dataclass(kw_only=True)
class OtherTastes(Simulated):
    """Ranks like `simulated`, by tastes that are mixed with another persona's, and its own."""

    people: Annotated[Path, "the personas, JSON lines: who may be taken for whom"]
    other: Annotated[float, "share of the tastes' variance that is another persona's"] = 0.0
    likes: Annotated[tuple[str, ...], "what it likes itself, such as tone=dark"] = ()
    liking: Annotated[float, "utility of each of these"] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.other <= 1:
            raise ValueError(f"other must be from 0 to 1, not {self.other:g}")

    @cached_property
    def _instead(self) -> Mapping[str, Mapping[str, float]]:
        """By persona, the tastes of the one that it is taken for: the next in an order by lot."""
        rows = [json.loads(line) for line in self.people.read_text().splitlines() if line.strip()]
        rows.sort(key=lambda row: hashlib.sha256(row["id"].encode()).hexdigest())
        shifted = rows[1:] + rows[:1]
        return {one["id"]: other["tastes"] for one, other in zip(rows, shifted, strict=True)}

    def _mixed(self, persona: pvd.Persona) -> pvd.Persona:
        """The persona as this teacher takes it."""
        own, other = persona.attributes["tastes"], self._instead[persona.id]
        ours, theirs = math.sqrt(1 - self.other), math.sqrt(self.other)
        tastes = {
            name: ours * own.get(name, 0.0) + theirs * other.get(name, 0.0)
            for name in sorted({**own, **other})
        }
        return replace(persona, attributes={**persona.attributes, "tastes": tastes})

    def request(self, slate: pvd.Slate) -> pvd.Request:
        body = super().request(replace(slate, persona=self._mixed(slate.persona))).body
        likings = [self._liking(item) for item in slate.items]
        return pvd.Request(slate, {**body, "teacher": "other-tastes", "likings": likings})

    def utilities(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> Sequence[float]:
        known = super().utilities(self._mixed(persona), items)
        return [u + self._liking(item) for u, item in zip(known, items, strict=True)]

    def _liking(self, item: pvd.Item) -> float:
        pairs = (taste.partition("=") for taste in self.likes)
        return self.liking * sum(item.attributes.get(name) == value for name, _, value in pairs)


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("other-tastes", OtherTastes)

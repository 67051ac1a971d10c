"""A teacher that judges looks by arithmetic: free, offline, and the same every time.

pvd run --teacher aesthetic
pvd run --teacher gemini --judge aesthetic     # did the student learn anything beyond looks?
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pvd

from pvd_example import statistics, words


@dataclass(kw_only=True)
class Aesthetic(pvd.Teacher):
    """Ranks by a weighted sum of colourfulness, contrast, sharpness and symmetry of the picture.

    A persona that says what it likes ("something colourful and crisp") moves the weights by
    `emphasis` a word; with `emphasis = 0` all personas like the same. What each statistic is, and
    where it comes from, stands in `pvd_example.statistics`.
    """

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(
        batch=64, yields=frozenset({"utilities"})
    )

    colourfulness: Annotated[float, "weight of the colourfulness (0 to 1)"] = 1.0
    contrast: Annotated[float, "weight of the contrast (0 to 1)"] = 0.5
    sharpness: Annotated[float, "weight of the sharpness (0 to 1)"] = 0.5
    symmetry: Annotated[float, "weight of the symmetry from left to right (0 to 1)"] = 0.5
    emphasis: Annotated[float, "what one word of the persona adds to a weight, or takes"] = 1.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in self.options().values()):
            raise ValueError("weights must be finite")
        self._measured: dict[str, statistics.Statistics] = {}  # by the picture's digest

    def request(self, slate: pvd.Slate) -> pvd.Request:
        # Another formula is another question: the store must not answer with the old one.
        asked = super().request(slate)
        return pvd.Request(slate, {**asked.body, "statistics": statistics.VERSION})

    def rank(self, slates: Sequence[pvd.Slate]) -> list[pvd.Ranking]:
        return [
            pvd.Ranking.from_utilities(self.utilities(slate.persona, slate.items))
            for slate in slates
        ]

    def utilities(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> list[float]:
        weights = self.weights(persona)
        return [
            math.fsum(weight * getattr(found, name) for name, weight in weights.items())
            for found in map(self._measure, items)
        ]

    def weights(self, persona: pvd.Persona) -> dict[str, float]:
        """What each statistic counts for this persona."""
        return {
            name: getattr(self, name) + self.emphasis * count
            for name, count in words.heard(persona.text).items()
        }

    def _measure(self, item: pvd.Item) -> statistics.Statistics:
        if item.digest not in self._measured:
            self._measured[item.digest] = statistics.measure(item.open())
        return self._measured[item.digest]


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("aesthetic", Aesthetic)

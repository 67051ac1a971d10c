"""A teacher in one file. It looks for the colours that a persona likes, and sees nothing else.

python examples/own_teacher.py                     # does it teach as well as one that knows all?
pvd run -p examples/own_teacher.py --teacher colour-seeker --judge simulated
pvd plugins check -p examples/own_teacher.py teacher.colour-seeker
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pvd
from pvd import kit

COLOURS = (
    "red", "orange", "yellow", "green", "teal", "blue",
    "purple", "pink", "brown", "grey", "black", "white",
)  # fmt: skip


@dataclass(kw_only=True)
class ColourSeeker(pvd.Teacher):
    """Ranks by how much of each picture has a colour among the persona's `tastes`.

    The fields are the options: `-o teacher.tolerance=120`.
    """

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(
        batch=64, reads=frozenset({"tastes"}), yields=frozenset({"utilities"})
    )

    tolerance: Annotated[
        float, kit.Above(0), "largest distance from a colour, in RGB from 0 to 255"
    ] = 100.0

    def check(self, personas: Sequence[pvd.Persona], items: Sequence[pvd.Item]) -> None:
        for persona in personas:  # before anything is asked
            if not isinstance(persona.attributes.get("tastes"), Mapping):
                raise kit.BadInput(
                    f"The persona {persona.id!r} has no tastes; write them like "
                    '{"colour=green": 1.5}.'
                )

    def __post_init__(self) -> None:
        self._seen: dict[str, dict[str, float]] = {}  # by the picture's digest

    def rank(self, slates: Sequence[pvd.Slate]) -> list[pvd.Ranking]:
        return [
            pvd.Ranking.from_utilities([self._liking(slate.persona, item) for item in slate.items])
            for slate in slates
        ]

    def _liking(self, persona: pvd.Persona, item: pvd.Item) -> float:
        if item.digest not in self._seen:
            self._seen[item.digest] = self._look(item)
        tastes = persona.attributes["tastes"]
        return math.fsum(
            tastes.get(f"colour={name}", 0.0) * share
            for name, share in self._seen[item.digest].items()
        )

    def _look(self, item: pvd.Item) -> dict[str, float]:
        """The share of the product that is near each colour."""
        import numpy as np
        from PIL import ImageColor

        pixels = np.asarray(item.open().resize((24, 24)), dtype=np.float64).reshape(-1, 3)
        product = pixels[(pixels < 240).any(1)]  # what is not the white behind it
        if not len(product):
            return {}
        distances = {
            name: np.linalg.norm(product - ImageColor.getrgb(name), axis=1) for name in COLOURS
        }
        return {name: float((far < self.tolerance).mean()) for name, far in distances.items()}


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("colour-seeker", ColourSeeker)


def main(out: str = "runs/own-teacher", seeds: int = 2, **smaller: Any) -> None:
    """Teacher substitution: the same student by two teachers, examined by the one who knows."""
    settings: dict[str, Any] = {
        "catalog": {"use": "boutique", "size": 250},
        "personas": {"use": "boutique", "people": 100},
        "train": {"rounds": 1, "slates": 250, "steps": 60},
        "exam": {"personas": 20, "repeats": 0},
    }
    done = pvd.compare(
        vary={"teacher": ["simulated", "colour-seeker"]},
        judges=["simulated"],
        seeds=seeds,
        plugins=[__file__],
        out=Path(out),
        **settings | smaller,
    )
    for row in done.findings["comparisons"]:
        gap = row["difference"]
        print(
            f"{row['b']} minus {row['a']}, judged by {row['view']}: {gap['value']:+.1f} points "
            f"({gap['low']:+.1f} to {gap['high']:+.1f}, over {gap['over']}): {row['verdict']}"
        )
    print(f"Report: {done.report}")


if __name__ == "__main__":
    main()

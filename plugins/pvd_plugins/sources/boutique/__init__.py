"""A shop that draws itself: a product catalogue of any size from a seed, and its visitors.

For trying out everything without data, network or key; the visitors' tastes are made up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Annotated

import pvd
from pvd import kit

from .personas import most_people, visitors
from .vocabulary import Look, draw_look, title


@dataclass(kw_only=True)
class Boutique(pvd.Source):
    """Draws clothes, pottery and furniture, and makes up people who want them; needs no path."""

    size: Annotated[int, kit.AtLeast(1), "how many products"] = 1200
    people: Annotated[int, kit.AtLeast(1), kit.AtMost(most_people()), "how many personas"] = 240
    seed: Annotated[int, "another seed is another shop with other visitors"] = 0

    def catalog(self, path: str = "") -> pvd.Catalog:
        """The products; each is drawn when it is looked at."""
        _no_path(path, "-o catalog.size=5000")
        items = tuple(product(self.seed, index) for index in range(self.size))
        return pvd.Catalog(items, name=f"boutique of seed {self.seed}")

    def personas(self, path: str = "") -> list[pvd.Persona]:
        """The visitors, with the tastes that the simulated teacher reads."""
        _no_path(path, "-o personas.people=500")
        return visitors(self.seed, self.people)


def _no_path(path: str, instead: str) -> None:
    if path:
        raise kit.BadInput(f"The source boutique takes no path such as {path!r}; try {instead}.")


def product(seed: int, index: int) -> pvd.Item:
    """One product of a seed's endless shop, the same in a shop of any size."""
    look = draw_look(Random(f"boutique look {seed} {index}"))
    image = partial(_draw, look, f"boutique drawing {seed} {index}")
    return pvd.Item(f"b{index:05d}", image, title(look), look._asdict())


def _draw(look: Look, seed: str) -> bytes:
    from .drawing import draw  # brings Pillow along: only when a product is looked at

    return draw(look, seed)


@pvd.hookimpl
def register_sources(register: Callable[[str, type[pvd.Source]], None]) -> None:
    register("boutique", Boutique)

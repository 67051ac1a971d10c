"""Do hits match tastes better after training than before? For a run whose personas have `tastes`.

    python tests/bench/taste.py RUN [--people 10] [--seed 0] [-k 12]

The run's held-out items are indexed twice, by the trained student and by the untrained one, and
both are searched with the texts of held-out personas, chosen by lot. A hit is right if its utility
for the persona, by attributes, is in the top fifth of those items (with ties at the edge, so that
`chance` may be more than a fifth). Printed: precision at k, and the difference in pairs.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pvd
from pvd import catalog, estimates
from pvd.identity import configuration
from pvd.saving import save_student
from pvd.settings import resolve

SHARE = 0.2


def right(persona: pvd.Persona, items: Sequence[pvd.Item]) -> set[str]:
    """The ids of the items that this persona likes best."""
    utilities = pvd.load("teacher", "simulated").utilities(persona, items)
    least = sorted(utilities, reverse=True)[round(SHARE * len(items)) - 1]
    return {item.id for item, utility in zip(items, utilities, strict=True) if utility >= least}


def precisions(
    index: pvd.Index, people: Sequence[pvd.Persona], items: Sequence[pvd.Item], k: int
) -> list[float]:
    """Of each persona, in percent."""
    found = index.search([persona.text for persona in people], k)
    return [
        100 * len({hit.id for hit in hits} & right(persona, items)) / len(hits)
        for persona, hits in zip(people, found, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-k", type=int, default=12)
    given = parser.parse_args()
    settings = resolve(configuration(given.run / "run.toml"))
    data = catalog.divide(
        catalog.read(settings.catalog),
        catalog.read_personas(settings.personas),
        settings.split,
        settings.stream("split"),
    )
    everybody, items = list(data.people.test), data.items.test
    some = random.Random(given.seed).sample(everybody, min(given.people, len(everybody)))
    with tempfile.TemporaryDirectory() as place:
        settings.student.load("cpu")
        save_student(settings.student, Path(place) / "student")
        sources = {"untrained": Path(place) / "student", "trained": given.run / "student"}
        indexes = {}
        for name, source in sources.items():
            indexes[name] = pvd.Index.create(Path(place) / name, source)
            indexes[name].add(items)
        for people in (some, everybody):
            report(indexes, people, items, given.k, given.seed)


def report(
    indexes: dict[str, pvd.Index],
    people: Sequence[pvd.Persona],
    items: Sequence[pvd.Item],
    k: int,
    seed: int,
) -> None:
    """Print precision by each index, and their difference."""
    chance = 100 * sum(len(right(p, items)) for p in people) / len(people) / len(items)
    print(f"\n{len(people)} held-out personas, {len(items)} held-out items; precision at {k}, %")
    found = {
        name: estimates.mean(precisions(index, people, items, k), seed, "personas")
        for name, index in indexes.items()
    }
    gain = estimates.difference(found["trained"], found["untrained"], seed)
    for name, value in (*found.items(), ("difference, paired", gain)):
        print(f"  {name:<20}{value.value:6.1f}  ({value.low:.1f} to {value.high:.1f})")
    print(f"  {'chance':<20}{chance:6.1f}")


if __name__ == "__main__":
    main()

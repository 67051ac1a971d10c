"""Which items of the exam a persona's tournament is played among, when it is not all of them.

Who chooses them must not be the student under test: that caps how bad it can look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pvd
from pvd.folder import read_lines
from pvd.streams import stream

Grid = npt.NDArray[np.float64]
COLUMNS = ("category", "colour", "tone", "pattern")
STRENGTH, STEPS = 1e-3, 60  # of the penalty on squared weights; of L-BFGS


def narrowed(scores: Grid, first: int, rest: int, *key: int | str) -> list[list[int]]:
    """For each row of scores [P, N] the `first` best items, and `rest` others by lot."""
    found = []
    for number, row in enumerate(scores):
        order = np.argsort(-row, kind="stable").tolist()
        lot = stream("narrowed", number, *key)
        found.append(order[:first] + lot.sample(order[first:], rest))
    return found


class Attributes:
    """A ranker of another kind: it sees the items' attributes and the persona's words, never a
    picture, and knows a teacher's rankings. utility = words . W . attributes, by Bradley-Terry."""

    def __init__(
        self, judgments: Sequence[Path], people: Sequence[pvd.Persona], items: Sequence[pvd.Item]
    ) -> None:
        import torch

        self._words = sorted({word for persona in people for word in words(persona)})
        self._values = sorted({value for item in items for value in values(item)})
        persona_of = {persona.id: persona for persona in people}
        item_of = {item.id: item for item in items}
        rows = [row for file in judgments for row in read_lines(file)]
        who = torch.tensor(self._said([persona_of[row["persona"]] for row in rows]))
        what = torch.tensor(self._seen([item_of[id] for row in rows for id in ordered(row)]))
        what = what.reshape(len(rows), -1, len(self._values))
        weights = torch.zeros(len(self._words), len(self._values), dtype=what.dtype)
        weights.requires_grad_()
        above, below = torch.triu_indices(what.shape[1], what.shape[1], 1)
        optimizer = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

        def cost() -> Any:
            optimizer.zero_grad()
            scores = torch.einsum("sv,skv->sk", who @ weights, what)
            margins = scores[:, above] - scores[:, below]
            loss = torch.nn.functional.softplus(-margins).mean()
            loss = loss + STRENGTH * weights.square().sum() / len(rows)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(cost)  # type: ignore[no-untyped-call]
        self._weights: Grid = weights.detach().numpy()

    def scores(self, people: Sequence[pvd.Persona], items: Sequence[pvd.Item]) -> Grid:
        """[P, N]"""
        found: Grid = self._said(people) @ self._weights @ self._seen(items).T
        return found

    def _said(self, people: Sequence[pvd.Persona]) -> Grid:
        return _ones([words(persona) for persona in people], self._words)

    def _seen(self, items: Sequence[pvd.Item]) -> Grid:
        return _ones([values(item) for item in items], self._values)


def _ones(rows: Sequence[Sequence[str]], names: Sequence[str]) -> Grid:
    """[rows, names], 1 where a row has the name."""
    place = {name: number for number, name in enumerate(names)}
    found = np.zeros((len(rows), len(names)))
    for number, row in enumerate(rows):
        found[number, [place[name] for name in row if name in place]] = 1.0
    return found


def words(persona: pvd.Persona) -> list[str]:
    return sorted(set(re.findall(r"[a-z]+", persona.text.lower())))


def values(item: pvd.Item) -> list[str]:
    return [f"{column}={item.attributes[column]}" for column in COLUMNS]


def ordered(row: Mapping[str, Any]) -> list[str]:
    """The items of a judgment, best first."""
    return [row["items"][position] for tier in row["tiers"] for position in tier]

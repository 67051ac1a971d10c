"""Audits of a simulated teacher whose noise, bias and failures are known."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

import pvd
from pvd import Item, Persona
from pvd.asking import Desk, opened
from pvd.auditing.answers import Answers, counted
from pvd.auditing.asking import ask
from pvd.auditing.card import card
from pvd.auditing.questions import Design, draw
from pvd.auditing.teachers import Member, label
from pvd.settings import AskSettings
from pvd.store import Store

COLOURS = ("red", "green", "blue", "yellow", "white", "black")
SIZES = ("small", "large", "huge")


def items(count: int = 80) -> list[Item]:
    lot = random.Random(1)
    return [
        Item(f"i{n}", lambda: b"", f"Thing {n}",
             {"colour": lot.choice(COLOURS), "size": lot.choice(SIZES)})
        for n in range(count)
    ]  # fmt: skip


def people(count: int = 40) -> list[Persona]:
    lot = random.Random(2)
    return [
        Persona(
            f"p{n}",
            f"person {n}",
            {"tastes": {f"colour={lot.choice(COLOURS)}": lot.uniform(0.5, 2.5),
                        f"size={lot.choice(SIZES)}": lot.uniform(-1, 1)}},
        )
        for n in range(count)
    ]  # fmt: skip


ITEMS, PEOPLE = items(), people()


def answers(folder: Path, seed: int, design: Design, **options: Any) -> tuple[Member, Answers]:
    """What a simulated teacher with these options says, asked as an audit asks."""
    teacher = pvd.load("teacher", "simulated", **options)
    sheet = draw(PEOPLE, ITEMS, design, seed)
    with Store(folder / f"{seed}.sqlite") as store, opened(teacher, seed) as ready:
        said = ask(Desk(store, AskSettings(attempts=1)), ready, sheet.all())
    return Member(label(teacher), teacher), counted(sheet, said)


def audited(folder: Path, seed: int, design: Design, **options: Any) -> dict[str, Any]:
    """The card of such a teacher."""
    return card(*answers(folder, seed, design, **options), seed)


def covers(estimate: Any, truth: float) -> bool:
    return bool(estimate["low"] <= truth <= estimate["high"])


def expected_ranks(size: int, noise: float, bias: float, slates: int = 200_000) -> Any:
    """By brute force: the mean rank [size] of what such a teacher is shown at each place."""
    lot = np.random.default_rng(3)
    teacher = pvd.load("teacher", "simulated")
    table = np.array([teacher.utilities(person, ITEMS) for person in PEOPLE])
    person = lot.integers(len(PEOPLE), size=slates)
    chosen = lot.random((slates, len(ITEMS))).argpartition(size, axis=1)[:, :size]
    worth = table[person[:, None], chosen] + noise * lot.gumbel(size=(slates, size))
    worth += bias * (1 - np.arange(size) / (size - 1))
    return (worth[:, None, :] > worth[:, :, None]).sum(axis=2).mean(axis=0) + 1

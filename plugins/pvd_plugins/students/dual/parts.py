"""Which part of the image tower learns, and what of it can therefore be computed once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pvd import kit
from pvd_plugins.students.dual.network import Stage

FORM = re.compile(r"all|projection|last-[1-9]\d*|lora(-[1-9]\d*)?")

# Where nobody sets train.learning_rate: the fewer weights, the larger their steps may be. Those are
# the orders of magnitude that fine-tuning of CLIP commonly uses; nothing finer is claimed.
RATES = {"all": 1e-5, "last": 3e-5, "lora": 2e-4, "projection": 3e-4}


@dataclass(frozen=True)
class Part:
    """What the option `part` says: `kind`, and how many blocks from the top; None is all."""

    kind: str
    blocks: int | None = None


def part_of(text: str) -> Part:
    """The part that a text names; ValueError if it names none."""
    if not FORM.fullmatch(text):
        raise ValueError(f"part must be all, projection, last-N, lora or lora-N, not {text!r}")
    kind, _, number = text.partition("-")
    return Part(kind, int(number) if number else None)


def first_stage(part: Part, stages: Sequence[Stage], model: str) -> int:
    """The index of the first stage that learns; 0 if all of the tower is run for each step."""
    places = [place for place, stage in enumerate(stages) if stage.block]
    if part.kind == "all":
        return 0
    if not places:
        raise kit.BadInput(
            f"The image tower of {model} is no stack of blocks, so only student.part=all can "
            f"learn in it, not {part.kind}."
        )
    if part.kind == "projection":
        return max(place for place, stage in enumerate(stages) if list(stage.parameters()))
    if part.blocks is None:
        return 0
    if part.blocks > len(places):
        raise kit.BadInput(
            f"The image tower of {model} has {len(places)} blocks; student.part asks for the last "
            f"{part.blocks}."
        )
    # All blocks, and nothing below them, may learn; they are still the first stage that does.
    return places[-part.blocks]

"""What the studies teach, and how: each arm once, for whichever study uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cells import Arm, Place

PAPER = {"use": "four-bin", "by": "range", "fallback": "uniform"}
IN_BIN_ORDER = {**PAPER, "use": "bin-order"}
FIRST_PLACE = {"use": "simulated", "position_bias": 3.0}
# One step on all judgments so far. Without a warm-up, which would be all there is of training.
ONE_STEP = {"steps": 1, "batch": 3200, "warmup": 0}
# A run of its own, that no study examines: what narrows an exam must not be what sits it.
REFERENCE_SEED = 101
RATES = (0.003, 0.01, 0.03, 0.1)
TUNING_SEED = 100

SAMPLERS = {
    "uniform": Arm("uniform", {"sampler": {"use": "uniform"}}),
    "four-bin, range": Arm("four-bin, range", {"sampler": PAPER}),
    "four-bin, quantile": Arm(
        "four-bin, quantile", {"sampler": {"use": "four-bin", "by": "quantile"}}
    ),
    "within-bin": Arm("within-bin", {"sampler": {"use": "within-bin"}}),
}


def plain(label: str, **tables: Any) -> Arm:
    """The paper's sampler and the teacher with noise 1, unless a table says otherwise."""
    return Arm(label, {"sampler": PAPER, **tables})


def slips() -> dict[str, Arm]:
    """The baseline and each slip of the published code, but those with one step."""
    norm = {"use": "slate-normalised"}
    order, norms = ("bin_order.py",), ("slate_normalised.py",)
    return {
        "baseline": plain("baseline"),
        "normalised across the slate": Arm(
            "normalised across the slate", {"sampler": PAPER, "loss": norm}, norms
        ),
        "cosines, scale 1": plain("cosines, scale 1", loss={"scale": 1.0}),
        "bin order": Arm("bin order", {"sampler": IN_BIN_ORDER}, order),
        "biased teacher": plain("biased teacher", teacher=FIRST_PLACE),
        "biased teacher, bin order": Arm(
            "biased teacher, bin order", {"sampler": IN_BIN_ORDER, "teacher": FIRST_PLACE}, order
        ),
    }


def one_step(rate: float) -> Arm:
    """One optimiser step a round."""
    return plain(f"one step, rate {rate:g}", train={**ONE_STEP, "learning_rate": rate})


def all_slips(rate: float) -> Arm:
    """One step a round, features normalised across the slate, slates in the order of the bins."""
    tables = {
        "sampler": IN_BIN_ORDER,
        "loss": {"use": "slate-normalised"},
        "train": {**ONE_STEP, "learning_rate": rate},
    }
    return Arm(f"all slips, rate {rate:g}", tables, ("bin_order.py", "slate_normalised.py"))


def teachers(place: Place) -> dict[str, Mapping[str, Any]]:
    """Simulated teachers; the first one's noise-free utilities are the truth."""
    other = {"use": "other-tastes", "people": str(place.personas.resolve())}
    return {
        "true tastes": {"use": "simulated"},
        "noisy": {"use": "simulated", "noise": 3.0},
        "first place": FIRST_PLACE,
        "half another's tastes": {**other, "other": 0.5},
        "likes dark and plain": {
            **other, "likes": ["tone=dark", "pattern=plain"], "liking": 1.5
        },
    }  # fmt: skip


def taught_by(place: Place) -> dict[str, Arm]:
    """An arm for each of these teachers. The first and the third are those of the other studies."""
    shared = (teachers(place)["true tastes"], FIRST_PLACE)
    return {
        label: Arm(
            label,
            {"sampler": PAPER, "teacher": table},
            files_of(table),
            "" if table in shared else label,
        )
        for label, table in teachers(place).items()
    }


def files_of(table: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a teacher comes from."""
    return ("other_tastes.py",) if table["use"] == "other-tastes" else ()

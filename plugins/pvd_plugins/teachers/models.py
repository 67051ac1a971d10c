"""The dated table of models: what they cost, when they end, how they count pictures."""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pvd
from pvd import kit


@dataclass(frozen=True)
class Model:
    """One row; what is not known is None. Factors that no table states leave the price as it is."""

    input: float | None = None  # dollars a million tokens
    output: float | None = None
    cached: float = 1.0  # times the input's price, of what is read from the provider's cache
    written: float = 1.0  # and of what is written into it
    batch: float = 1.0  # times the price, of a question in a batch
    ends: date | None = None
    images: str | None = None
    effort: str | None = None  # of thinking, sent where the model would think by default
    thoughts: int | None = None  # tokens that it thinks in hiding for an answer: an assumption
    service: str = ""


@cache
def table() -> dict[str, Any]:
    """The bundled table, or the user's own."""
    own = os.environ.get("PVD_MODELS")
    text = kit.read_text(Path(own or bundled()), "table of models")
    try:
        found = tomllib.loads(text)
    except ValueError as error:
        raise kit.BadInput(f"{own} is no TOML: {error}.") from None
    _check(found, own)
    return found


def bundled() -> str:
    """Where the table is that comes with pvd."""
    return str(resources.files(__package__) / "models.toml")


NUMBER = (int, float)
KINDS: dict[str, Any] = {
    "input": NUMBER,
    "output": NUMBER,
    "cached": NUMBER,
    "written": NUMBER,
    "batch": NUMBER,
    "thoughts": int,
    "ends": date,
    "service": str,
}


def _check(found: dict[str, Any], where: str | None) -> None:
    """BadInput for a table of the user's own that lacks something."""
    for part in ("default", "images", "model"):
        if not isinstance(found.get(part), dict):
            raise kit.BadInput(f"{where} has no table [{part}]; begin with a copy of the bundled.")
    for part in ("service", "model"):
        for name, row in found.get(part, {}).items():
            _check_row(f"{part}.{name}", row, where)


def _check_row(name: str, row: Any, where: str | None) -> None:
    if not isinstance(row, dict):
        raise kit.BadInput(f"{where}: {name} must be a table, not {row!r}.")
    for key, kind in KINDS.items():
        if key in row and (not isinstance(row[key], kind) or isinstance(row[key], bool)):
            what = {"ends": "date", "service": "text"}.get(key, "number")
            raise kit.BadInput(f"{where}: {key} of {name} must be a {what}.")
        if isinstance(row.get(key), (int, float)) and not 0 <= row[key] < math.inf:
            raise kit.BadInput(f"{where}: {key} of {name} must not be negative, and finite.")


def default(service: str) -> str:
    """The model that a teacher uses if it is told none."""
    try:
        return str(table()["default"][service])
    except KeyError:
        raise kit.BadInput(
            f"{os.environ.get('PVD_MODELS')} names no default model for {service}; add one to its "
            "table [default], or name one with teacher.model."
        ) from None


def find(name: str, service: str = "") -> Model:
    """What is known of a model, of this service if one is named."""
    row = table()["model"].get(name, {})
    if service and row.get("service") != service:
        row = {}  # somebody else serves a model of that name
    known = table().get("service", {}).get(row.get("service"), {}) | row
    return Model(**{k: v for k, v in known.items() if k in Model.__dataclass_fields__})


def check_alive(name: str, service: str) -> str | None:
    """BadInput if the model has ended; a warning if it ends within 90 days."""
    ends = find(name, service).ends
    if ends is None:
        return None
    left = (ends - datetime.now(UTC).date()).days
    if left < 0:
        raise kit.BadInput(f"The model {name} ended on {ends}; name another with teacher.model.")
    return f"The model {name} ends on {ends}." if left <= 90 else None


def dollars(name: str, tokens: pvd.Tokens, batch: bool = False) -> float | None:
    """What they cost; None if the table has no price. An unknown price is no price of 0."""
    model = find(name)
    if model.input is None or model.output is None:
        return None
    plain = max(tokens.input - tokens.cached - tokens.written, 0)
    read = plain + tokens.cached * model.cached + tokens.written * model.written
    factor = model.batch if batch else 1.0
    return (read * model.input + tokens.output * model.output) * factor / 1e6


def prices(name: str, service: str = "") -> str:
    """The model and its price, what is assumed of it, where that comes from and of which day it is;
    or how to state a price."""
    own, day, model = (
        os.environ.get("PVD_MODELS"),
        table().get("date", "an unknown day"),
        find(name),
    )
    if model.input is None or model.output is None:
        return (
            f"The price of {name} is not in the table of {day}; copy {own or bundled()}, add the "
            "model, and name the copy with PVD_MODELS."
        )
    thinks = f", with {model.thoughts} hidden tokens an answer assumed" if model.thoughts else ""
    ends = f" {warning}" if (warning := check_alive(name, service)) else ""
    return (
        f"{name}: ${model.input:g} in and ${model.output:g} out a million tokens{thinks}; prices "
        f"of {day} from {own or 'the table of pvd'} (PVD_MODELS names another).{ends}"
    )

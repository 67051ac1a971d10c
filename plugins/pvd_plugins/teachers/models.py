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

LETTERS = 3.0  # bytes of a token, at the low end


@dataclass(frozen=True)
class Model:
    """One row; what is not known is None."""

    input: float | None = None  # dollars a million tokens
    output: float | None = None
    ends: date | None = None
    images: str | None = None
    effort: str | None = None  # of thinking, sent where the model would think by default
    service: str = ""


@cache
def table() -> dict[str, Any]:
    """The bundled table, or the user's own."""
    own = os.environ.get("PVD_MODELS")
    if own:
        text = kit.read_text(Path(own), "table of models")
    else:
        text = (resources.files(__package__) / "models.toml").read_text(encoding="utf-8")
    try:
        found = tomllib.loads(text)
    except ValueError as error:
        raise kit.BadInput(f"{own} is no TOML: {error}.") from None
    _check(found, own)
    return found


KINDS: dict[str, Any] = {
    "input": (int, float),
    "output": (int, float),
    "ends": date,
    "service": str,
}


def _check(found: dict[str, Any], where: str | None) -> None:
    """BadInput for a table of the user's own that lacks something."""
    for part in ("default", "images", "model"):
        if not isinstance(found.get(part), dict):
            raise kit.BadInput(f"{where} has no table [{part}]; begin with a copy of the bundled.")
    for name, row in found["model"].items():
        if not isinstance(row, dict):
            raise kit.BadInput(f"{where}: model.{name} must be a table, not {row!r}.")
        for key, kind in KINDS.items():
            if key in row and not isinstance(row[key], kind):
                what = {"ends": "date", "service": "text"}.get(key, "number")
                raise kit.BadInput(f"{where}: {key} of model.{name} must be a {what}.")


def default(service: str) -> str:
    """The model that a teacher uses if it is told none."""
    return str(table()["default"][service])


def find(name: str, service: str = "") -> Model:
    """What is known of a model, of this service if one is named."""
    row = table()["model"].get(name, {})
    if service and row.get("service") != service:
        row = {}  # somebody else serves a model of that name
    return Model(**{k: v for k, v in row.items() if k in Model.__dataclass_fields__})


def check_alive(name: str, service: str) -> str | None:
    """BadInput if the model has ended; a warning if it ends within 90 days."""
    ends = find(name, service).ends
    if ends is None:
        return None
    left = (ends - datetime.now(UTC).date()).days
    if left < 0:
        raise kit.BadInput(f"The model {name} ended on {ends}; name another with teacher.model.")
    return f"The model {name} ends on {ends}." if left <= 90 else None


def estimate(name: str, prompt: kit.Prompt, side: int, detail: str, most: int) -> pvd.Tokens:
    """The tokens of one question, at the high end; of the answer as many as are allowed."""
    rules = table()["images"].get(find(name).images or "", {})
    rule = rules.get(detail) or next(iter(rules.values()), {"size": 28, "factor": 1.2})
    # Bytes, not letters: of Chinese a letter is a token. The schema is counted too.
    words = len((prompt.system + prompt.question).encode()) + 1000
    text = math.ceil(words / LETTERS)
    return pvd.Tokens(text + len(prompt.items) * (image_tokens(rule, side) + 4), most)


def image_tokens(rule: dict[str, float], side: int) -> int:
    """The tokens of a square picture."""
    if "fixed" in rule:
        return int(rule["fixed"])
    across = math.ceil(side / rule["size"])
    if "tile" in rule:
        return int(rule["base"] + rule["tile"] * across**2)
    return math.ceil(across**2 * rule["factor"])


def dollars(name: str, tokens: pvd.Tokens) -> float:
    """What they cost. An unknown price is no price of 0: it is an error."""
    model = find(name)
    if model.input is None or model.output is None:
        raise kit.BadInput(
            f"The price of {name} is not in the table of {table()['date']}; copy the table, add "
            "the model, and name the copy with PVD_MODELS."
        )
    return (tokens.input * model.input + tokens.output * model.output) / 1e6

"""What plug-in authors need from us: bounds, failures, replies, pictures, secrets, intervals."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pvd.bounds import Above, AtLeast, AtMost, Below
from pvd.errors import BadInput, MissingFile, MissingPrerequisite, ProviderFailure
from pvd.estimates import difference, mean, percentage
from pvd.failures import (
    BatchFailed,
    Busy,
    Gone,
    Lost,
    Malformed,
    Refused,
    Rejected,
    check_url,
    http_failure,
    one_line,
    seconds,
)
from pvd.hub import (
    is_id,
    model_digest,
    model_folder,
    need,
    torchvision_fits,
    transformers,
)
from pvd.images import jpeg
from pvd.percentiles import percentile_ranks
from pvd.prompting import Prompt, PromptedTeacher
from pvd.reading import parse_json, read_text
from pvd.records import JSON, Persona, Ranking, digest_of
from pvd.streams import derive, generator, stream

__all__ = [
    "Above",
    "AtLeast",
    "AtMost",
    "BadInput",
    "BatchFailed",
    "Below",
    "Busy",
    "Gone",
    "Lost",
    "Malformed",
    "MissingFile",
    "MissingPrerequisite",
    "Prompt",
    "PromptedTeacher",
    "ProviderFailure",
    "Refused",
    "Rejected",
    "check_url",
    "derive",
    "difference",
    "digest_of",
    "generator",
    "http_failure",
    "image_path",
    "is_id",
    "jpeg",
    "mean",
    "model_digest",
    "model_folder",
    "need",
    "one_line",
    "parse_json",
    "percentage",
    "percentile_ranks",
    "persona_record",
    "read_json",
    "read_order",
    "read_text",
    "seconds",
    "secret",
    "stream",
    "torchvision_fits",
    "transformers",
]


LANGUAGE = re.compile(r'^[A-Za-z]+(?=[\s\[{"])')  # what stands after the opening fence


def read_json(text: str) -> Any:
    """The JSON in a reply, fenced or not; Malformed if there is none."""
    inner = text.strip()
    if inner.startswith("```") and inner.endswith("```"):
        inner = LANGUAGE.sub("", inner.strip("`"))
    try:
        return json.loads(inner)
    except (ValueError, RecursionError):
        raise Malformed(f"not JSON: {text[:80]!r}") from None


def read_order(labels: Sequence[Any], names: Sequence[str]) -> Ranking:
    """The strict ranking that lists every one of the slate's `names` once, best first."""
    if not isinstance(labels, list | tuple):
        raise Malformed(f"no list of {', '.join(names)}: {labels!r}")
    order = [str(label).strip().upper() for label in labels]
    known = [name.upper() for name in names]
    if sorted(order) != sorted(known):
        raise Malformed(f"no permutation of {', '.join(names)}: {list(labels)!r}")
    return Ranking.from_order([known.index(label) for label in order])


def secret(*names: str) -> str:
    """The first of these environment variables that is set: the only way that keys come in."""
    for name in names:
        value = os.environ.get(name, "").strip()
        if value:
            # SDKs print a key that cannot be a header in full in their traceback.
            if not value.isascii() or not value.isprintable() or " " in value:
                raise MissingPrerequisite(
                    f"The key in {name} has characters that no key has; copy it again."
                )
            return value
    raise MissingPrerequisite(f"No key: set the environment variable {' or '.join(names)}.")


def image_path(folder: Path, name: str, where: str) -> Path:
    """A picture's path below `folder`; BadInput if it leaves it, also through a symbolic link."""
    if "\0" in name or "://" in name or re.match(r"^[A-Za-z]:[\\/]", name):
        raise BadInput(f"{where}: {name!r} is no path below {folder}; write it relative to there.")
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        raise BadInput(f"{where}: the name {name!r} is not UTF-8; rename the file.")
    path = folder / name
    try:
        path.resolve().relative_to(folder.resolve())
    except (ValueError, OSError, RuntimeError):  # outside, no UTF-8, a loop of links
        raise BadInput(
            f"{where}: {name!r} leads out of {folder}; move the image into it."
        ) from None
    return path


MAX_TEXT = 20_000


def persona_record(id: str, text: str, attributes: JSON, where: str) -> Persona:
    """A checked Persona: with an id, and a text that is neither blank nor enormous."""
    if not id.strip():
        raise BadInput(f"{where}: the persona has no id; fill the column `id`.")
    if not text.strip():
        raise BadInput(f"{where}: the persona's text is blank; write one or leave the line out.")
    if len(text) > MAX_TEXT:
        raise BadInput(
            f"{where}: the persona's text has {len(text):,} characters; shorten it to at most "
            f"{MAX_TEXT:,}."
        )
    return Persona(id, text, attributes)

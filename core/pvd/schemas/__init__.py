"""JSON Schemas (draft 2020-12) of the files that people and programs read: `pvd schema`.

That of run.toml is made from the settings and the plug-ins that are installed. Those of results
stand in files beside this one, and the tests hold them to what runs really write.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from pvd.schemas.settings import run_schema

RESULTS = ("metrics", "usage", "compare", "audit")  # the name of the file, without .json


def result_schema(name: str) -> dict[str, Any]:
    """The schema of one of the `RESULTS`."""
    text = (resources.files("pvd.schemas") / f"{name}.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


__all__ = ["RESULTS", "result_schema", "run_schema"]

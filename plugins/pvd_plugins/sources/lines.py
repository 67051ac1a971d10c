"""A text file as personas, one a line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pvd
from pvd import kit


@dataclass(kw_only=True)
class Lines(pvd.Source):
    """Every line that is not blank is a persona; its id is a hash of the text."""

    def personas(self, path: str) -> list[pvd.Persona]:
        lines: dict[str, int] = {}
        # Only \n ends a line: str.splitlines would also cut at U+2028 inside a text.
        for number, line in enumerate(kit.read_text(Path(path)).split("\n"), 1):
            text = line.strip()
            if text in lines:
                raise kit.BadInput(
                    f"{path}, line {number} has the text of line {lines[text]}; write each persona "
                    "once."
                )
            if text:
                lines[text] = number
        if not lines:
            raise kit.BadInput(f"{path} has nothing in it; write one persona a line.")
        return [
            kit.persona_record(
                hashlib.sha256(text.encode()).hexdigest()[:12], text, {}, f"{path}, line {number}"
            )
            for text, number in lines.items()
        ]


@pvd.hookimpl
def register_sources(register: Callable[[str, type[pvd.Source]], None]) -> None:
    register("lines", Lines)

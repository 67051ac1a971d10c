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
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise kit.MissingFile(f"There is no file {path}; check the path.") from None
        except (UnicodeDecodeError, OSError) as error:
            raise kit.BadInput(f"{path} cannot be read as UTF-8 text: {error}.") from None
        # Only \n ends a line: str.splitlines would also cut at U+2028 inside a text.
        lines = [line.strip() for line in text.split("\n")]
        return [
            kit.persona_record(
                hashlib.sha256(line.encode()).hexdigest()[:12], line, {}, f"{path}, line {number}"
            )
            for number, line in enumerate(lines, 1)
            if line
        ]


@pvd.hookimpl
def register_sources(register: Callable[[str, type[pvd.Source]], None]) -> None:
    register("lines", Lines)

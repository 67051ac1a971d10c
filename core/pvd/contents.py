"""What is in the files that options of type `Path` name: a run, and a question, are about that.

A folder counts by its path alone: it may hold weights of many gigabytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pvd.errors import BadInput


def paths(value: Any, name: str = "") -> Iterator[tuple[str, Path]]:
    """The paths in an option, a list or table of options, or a component, by dotted name."""
    if isinstance(value, Path):
        yield name, value
        return
    inside: dict[str, Any] = {}
    if isinstance(value, tuple | list):
        inside = {str(number): member for number, member in enumerate(value)}
    elif isinstance(value, dict):
        inside = value
    elif is_dataclass(value) and not isinstance(value, type):
        inside = {f.name: getattr(value, f.name) for f in fields(value)}
    for key, member in inside.items():
        yield from paths(member, f"{name}.{key}".lstrip("."))


def digest(path: Path) -> str | None:
    """The SHA-256 of the file; None if there is none. A file that is as it was when it was last
    looked at is not read again."""
    try:
        if not path.is_file():
            return None
        seen = path.stat()
        return _digest(path, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    except (OSError, ValueError) as error:  # no permission; NUL in the name
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"The file {path} cannot be read ({why}); check its permissions.") from None


@lru_cache(maxsize=256)
def _digest(path: Path, *seen: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(value: Any) -> dict[str, str]:
    """The SHA-256 of each file that the options name, by the option's dotted name."""
    found = {name: digest(path) for name, path in paths(value)}
    return {name: one for name, one in found.items() if one is not None}


def plain(value: Any) -> Any:
    """The option as JSON: a path as text."""
    if isinstance(value, tuple | list):
        return [plain(member) for member in value]
    return str(value) if isinstance(value, Path) else value

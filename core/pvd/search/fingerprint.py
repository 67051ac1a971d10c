"""Whose vectors an index holds: a student's fingerprint, and its folder taken along."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pvd.folder import read_json, replaced
from pvd.records import digest_of

if TYPE_CHECKING:
    from pvd.protocols import Student


def identity(folder: Path, student: Student) -> dict[str, str]:
    """Who embeds: a digest of the weights, and of what happens to a picture before them."""
    name = read_json(folder / "pvd.json")["student"]
    return {"name": name, "weights": weights(folder), "prepare": student.prepare_key()}


def weights(folder: Path) -> str:
    """A digest of every safetensors file below a folder."""
    seen = {}
    for path in sorted(folder.rglob("*.safetensors")):
        with path.open("rb") as file:
            name = path.relative_to(folder).as_posix()
            seen[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digest_of(seen)


def carry(source: Path, target: Path) -> None:
    """Copy a student's folder; the weights, which are never edited in place, by hard links where
    they can be had."""
    with replaced(target) as fresh:
        for path in sorted(source.rglob("*")):
            there = fresh / path.relative_to(source)
            if path.is_dir():
                there.mkdir(exist_ok=True)
                continue
            if path.suffix == ".safetensors":
                with suppress(OSError):
                    os.link(path.resolve(), there)
            if not there.exists():
                shutil.copyfile(path, there)

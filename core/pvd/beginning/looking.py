"""What there is to begin with: data in a folder, keys in the environment, packages, devices."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import islice
from os.path import isdir, isfile  # those of Path raise where a folder is not ours
from pathlib import Path

from pvd import catalog, options
from pvd.discovery import registry
from pvd.errors import MissingPrerequisite, PvdError
from pvd.loading import check_device
from pvd.protocols import Component, Source, Teacher
from pvd.records import Item, Persona
from pvd.settings import Settings, components

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
TEXTS = (".txt", ".text")
PEOPLE = ("persona", "people", "customer", "user", "quer")  # what a text of personas is called
ENTRIES = 2000  # of a folder that are looked at
TRIED = 12  # tables that are read to see what is in them
LARGE = 50e6  # bytes; a larger table is not read for that, and taken for a catalogue


def files(folder: Path, role: str) -> list[Path]:
    """What may be a catalogue or personas, in the folder or in one inside it, the likeliest first:
    tables that can be read as such, then folders of pictures, or texts whose names speak of people.
    """
    everything, folders = _inside(folder)
    found = [path for path, why in _tables(everything, role) if not why]
    if role == "catalog":
        found += [folder] if _has_pictures(folder, False) else []
        found += [p for p in folders if _has_pictures(p)]
    else:
        texts = (p for p in everything if p.suffix.lower() in TEXTS and isfile(p))
        found += [p for p in texts if any(word in p.stem.lower() for word in PEOPLE)]
    return found


def passed_over(folder: Path, role: str) -> dict[Path, str]:
    """The tables there that cannot be read as such, and why; without those that are fine as the
    other."""
    other = "personas" if role == "catalog" else "catalog"
    tables = _tables(_inside(folder)[0], role)
    return {path: why for path, why in tables if why and _unread(path, other)}


def _inside(folder: Path) -> tuple[list[Path], list[Path]]:
    """What lies in the folder, and in those inside it; and those."""
    inside = sorted(islice(_entries(folder), ENTRIES))
    folders = [p for p in inside if isdir(p) and not p.name.startswith(".")]
    below = [p for f in folders[:TRIED] for p in sorted(islice(_entries(f), ENTRIES))]
    return [*inside, *below], folders


def _tables(paths: Iterable[Path], role: str) -> Iterator[tuple[Path, str]]:
    """The tables among them, with the reason if one cannot be read as such."""
    tables = (p for p in paths if p.suffix.lower() in TABLES and isfile(p))
    for path in islice(tables, TRIED):
        if path.stat().st_size <= LARGE:
            yield path, _unread(path, role)
        elif role == "catalog":
            yield path, ""


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:  # no folder yet, or not ours to read
        return


def _unread(path: Path, role: str) -> str:
    try:
        read(role, {"use": "table", "path": str(path)})
    except PvdError as error:
        return str(error)
    return ""


def _has_pictures(folder: Path, deeper: bool = True) -> bool:
    """Whether there are pictures in the folder, or in one inside it; a glance, no search."""
    inside = list(islice(_entries(folder), ENTRIES))
    if any((mimetypes.guess_type(p.name)[0] or "").startswith("image/") for p in inside):
        return True
    return deeper and any(_has_pictures(p, False) for p in islice(inside, TRIED) if isdir(p))


def read(role: str, table: options.Table) -> Sequence[Item] | Sequence[Persona]:
    """The items or personas that a source brings, by the run's own code; PvdError says why not."""
    source = options.build("source", table, role)
    assert isinstance(source, Source)
    return catalog.read(source) if role == "catalog" else catalog.read_personas(source)


def ready(names: Iterable[str]) -> list[str]:
    """The teachers whose key is in the environment."""
    return [name for name in names if any(os.environ.get(key) for key in keys(name))]


def keys(name: str) -> tuple[str, ...]:
    """The environment variables that may hold a teacher's key; none if it needs none."""
    try:
        cls = registry.get("teacher", name)
    except PvdError:  # whoever asks for it is told why
        return ()
    return cls.keys if issubclass(cls, Teacher) else ()


def lacking(component: type[Component]) -> str:
    """What must be installed before this plug-in works, with the command; nothing if all is."""
    row = next((row for row in registry.listing() if row.name == component.name), None)
    distribution = row.distribution.partition(" ")[0] if row else ""
    if not component.extra or not distribution:
        return ""
    missing = []
    for line in requires(distribution) or []:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([^'\"]+)", line)
        if extra and extra[1] == component.extra and not _is_installed(name):
            missing.append(name)
    if not missing:
        return ""
    return (
        f"{component.name.partition('.')[2]} needs {', '.join(missing)}, which "
        f"{'is' if len(missing) == 1 else 'are'} not installed; "
        f"type: pip install '{distribution}[{component.extra}]'"
    )


def all_lacking(settings: Settings) -> list[str]:
    """The same for all that a run uses, and for its device, a line each; BadInput for what is no
    device anywhere."""
    lines = {lacking(type(one)): None for one in components(settings)}
    try:
        check_device(settings.device)
    except MissingPrerequisite as error:
        lines[str(error)] = None
    return [line for line in lines if line]


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def devices() -> list[str]:
    """Where a student can run here, the fastest first."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [*(name for name, has in there.items() if has), "cpu"]

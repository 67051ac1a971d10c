"""Which package or file a plug-in is from: what must be there to repeat a run or open a student."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pvd.discovery import KINDS, registry
from pvd.errors import BadInput, MissingFile, MissingPrerequisite, UnknownName
from pvd.folder import read_object
from pvd.isolation.origin import place_known
from pvd.protocols import Component
from pvd.settings import Settings, components

AGAIN = "bring the student's files once more."
# What may stand in a sentence: pvd.json may be a stranger's.
WORD = re.compile(r"[A-Za-z0-9](?:[\w.+!-]{0,98}[A-Za-z0-9])?", re.ASCII)
FILE = re.compile(r"[\w.+-][\w.+ -]{0,98}")


def of(component: Component) -> dict[str, str]:
    """`distribution` and `version`, or `file` and `sha256` of a file of -p; nothing for a class of
    a program, or of a distribution whose metadata are damaged."""
    if file := registry.file_of(component):
        return {"file": file[0], "sha256": file[1]}
    name, _, version = place_known(component).rpartition(" ")
    if WORD.fullmatch(name) and WORD.fullmatch(version):
        return {"distribution": name, "version": version}
    return {}


def plugins(settings: Settings) -> dict[str, str]:
    """Where each component of the run is from, by its name."""
    return dict(sorted((_name(one), _said(one)) for one in components(settings)))


def _name(component: Component) -> str:
    kind = next(kind for kind, cls in KINDS.items() if isinstance(component, cls))
    return component.name or f"{kind}.{component.label}"


def _said(component: Component) -> str:
    found = of(component)
    if "file" in found:
        return f"{found['file']}, SHA-256 {found['sha256']}"
    if found:
        return f"{found['distribution']} {found['version']}"
    return f"the module {type(component).__module__}"


def read_card(folder: Path) -> dict[str, Any]:
    """A student's pvd.json, of which the student's name and its options are there."""
    path = folder / "pvd.json"
    card = read_object(path, again=AGAIN)
    if not (isinstance(card.get("student"), str) and isinstance(card.get("options"), dict)):
        raise BadInput(f"{path} does not say which student it is of, with its options; {AGAIN}")
    return card


def recorded(about: Mapping[str, Any]) -> dict[str, str]:
    """The same as a pvd.json tells it; nothing if it is older, or says what cannot be."""
    told = {key: about.get(key) for key in ("distribution", "version", "file", "sha256")}
    kept = {key: value for key, value in told.items() if isinstance(value, str)}
    if FILE.fullmatch(kept.get("file", "")):
        return {"file": kept["file"], "sha256": kept.get("sha256", "")}
    if all(WORD.fullmatch(kept.get(key, "")) for key in ("distribution", "version")):
        return {"distribution": kept["distribution"], "version": kept["version"]}
    return {}


def check_there(about: Mapping[str, Any], where: object) -> None:
    """MissingPrerequisite if the student that a pvd.json names cannot be had here, and the file
    says what brings it; older ones do not, and then whoever loads it complains."""
    name = str(about.get("student"))
    if WORD.fullmatch(name.partition(".")[2]):
        _check_brought(name, recorded(about), f"The student in {where} is {name}")


@contextmanager
def begun_with(folder: Path | None) -> Iterator[None]:
    """A name that nobody knows is that of a plug-in which is not here any more, if the run in the
    folder began with it: MissingPrerequisite says what brings it."""
    try:
        yield
    except UnknownName:
        for name, said in _environment(folder).items() if folder is not None else ():
            _check_brought(name, _told(said), f"The run in {folder} was begun with {name}")
        raise


def _environment(folder: Path) -> dict[str, str]:
    """What `plugins` said when the run began; nothing of an older or a damaged one."""
    try:
        found = read_object(folder / "environment.json").get("plugins")
    except (BadInput, MissingFile):
        return {}
    return {n: s for n, s in found.items() if isinstance(s, str)} if isinstance(found, dict) else {}


def _told(said: str) -> dict[str, str]:
    """The same as `of`, from one line of environment.json."""
    file, comma, digest = said.rpartition(", SHA-256 ")
    if comma:
        return {"file": file, "sha256": digest}
    distribution, _, version = said.rpartition(" ")
    return recorded({"distribution": distribution, "version": version})


def _check_brought(plugin: str, told: Mapping[str, str], sentence: str) -> None:
    """MissingPrerequisite if nobody here has this plug-in, and it is told what brings it."""
    kind, _, name = plugin.partition(".")
    if name in registry.names(kind) or not told:
        return
    if "file" in told:
        raise MissingPrerequisite(
            f"{sentence} of the plug-in file {told['file']}, which is not loaded; name it with -p."
        )
    distribution, version = told["distribution"], told["version"]
    here = _installed(distribution)
    lacks = f"and {distribution} {here} has none" if here else "which is not installed"
    exactly = f"=={version}" if here else ""
    raise MissingPrerequisite(
        f"{sentence} of {distribution} {version}, {lacks}; pip install {distribution}{exactly}."
    )


def _installed(distribution: str) -> str:
    from importlib.metadata import version

    try:
        return version(distribution)
    except Exception:  # not there, or damaged
        return ""

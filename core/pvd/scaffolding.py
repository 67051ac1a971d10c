"""A package for a plug-in of one's own: complete, and right from the first minute."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pvd
from pvd import pages
from pvd.discovery import KINDS, registry, unknown
from pvd.errors import BadInput, UnknownName
from pvd.folder import write_bytes

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 32  # letters of a name: a line of the source holds it twice

# What the component that comes with a package does, and how it is used.
SUMMARIES = {
    "teacher": "It ranks by how much the words of an item look like the persona's.",
    "student": "It learns one linear map from the colours of a picture's parts to words.",
    "sampler": "It draws most of a slate from the student's favourites, and the rest by lot.",
    "loss": "It wants a margin between each better item and each worse one.",
    "evaluator": "It measures the mean reciprocal rank of what the judge likes best.",
    "source": "It reads pictures with a JSON file beside each, and personas from text files.",
    "observer": "It keeps a table of the rounds, for a spreadsheet.",
}
USES = {
    "evaluator": 'pvd run -o \'evaluators=["mpr", "{name}"]\'',
    "source": "pvd run --catalog {name}:shop --personas {name}:people",
    "observer": "pvd run --observe {name}",
}


@dataclass(frozen=True)
class Package:
    """What was written, and the commands that come next."""

    folder: Path
    distribution: str  # what it is installed as
    files: tuple[str, ...]  # paths below the folder
    commands: tuple[str, ...]


def new(kind: str, name: str, folder: Path | None = None) -> Package:
    """Write the package of a plug-in `kind.name` into an empty folder, `pvd-NAME` by default.

    The component in it works as it stands; its comments say what to replace. Raises BadInput for a
    name that cannot be had, and for a folder that holds something.
    """
    check(kind, name)
    folder = folder or Path(f"pvd-{name}")
    _check_empty(folder)
    module = _module(name)
    use = USES.get(kind, f"pvd run --{kind} {{name}}").format(name=name)
    values = {
        "kind": kind,
        "name": name,
        "distribution": f"pvd-{name}",
        "module": module,
        "cls": class_name(kind, name),
        "article": "An" if kind[0] in "aeiou" else "A",
        "summary": SUMMARIES[kind],
        "use": use,
        "version": pvd.__version__,
    }
    templates = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        ".gitignore": "gitignore",
        ".github/workflows/check.yml": "check.yml",
        f"{module}.py": f"{kind}.py",
        f"tests/test_{module.removeprefix('pvd_')}.py": f"test_{kind}.py",
    }
    texts = {  # all of them, before the first is written
        path: pages.render(f"plugin/{template}.j2", **values)
        for path, template in templates.items()
    }
    begun = folder.exists()
    try:
        for path, text in texts.items():
            write_bytes(folder / path, text.encode())
    except BadInput:  # no room, perhaps; with what was written the same command would be refused
        _take_back(folder, texts, begun)
        raise
    there = shlex.quote(f"{folder}[test]")
    return Package(
        folder,
        values["distribution"],
        tuple(texts),
        (f"pip install --editable {there}", f"pvd plugins check {kind}.{name}", use),
    )


def check(kind: str, name: str) -> None:
    """Raise BadInput if there is no such kind, or nobody can have this name any more."""
    if kind not in KINDS:
        raise UnknownName(unknown("kind", kind, KINDS))
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise BadInput(
            f"{name!r} is no good name for a plug-in; use at most {LONGEST} small letters, digits "
            f"and single hyphens, beginning with a letter{_instead(name)}."
        )
    if name in registry.names(kind):
        raise BadInput(
            f"The name {kind}.{name} is taken by {_owner(f'{kind}.{name}')}; choose another."
        )
    distribution, module = f"pvd-{name}", _module(name)
    if _is_installed(distribution) or importlib.util.find_spec(module):
        raise BadInput(
            f"The package of {kind}.{name} would be {distribution}, with the module {module}, and "
            "one of the two is installed already; choose another name."
        )


def class_name(kind: str, name: str) -> str:
    """The class of a plug-in: `my-own` of the kind loss is MyOwnLoss."""
    words = name.split("-")
    return "".join(word.capitalize() for word in (*words, *([kind] * (words[-1] != kind))))


def _module(name: str) -> str:
    return "pvd_" + name.replace("-", "_")


def _instead(name: str) -> str:
    """A name like this one that would do, as the end of a sentence."""
    found = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:LONGEST].strip("-")
    return f", such as {found!r}" if NAME.fullmatch(found) else ""


def _owner(name: str) -> str:
    return " and ".join(row.distribution for row in registry.listing() if row.name == name)


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _take_back(folder: Path, paths: Iterable[str], begun: bool) -> None:
    """Remove files that were just written, and the folders that are empty without them."""
    for path in paths:
        with suppress(OSError):  # it was not written
            (folder / path).unlink()
    inside = {folder / parent for path in paths for parent in Path(path).parents}
    for parent in sorted(inside - ({folder} if begun else set()), reverse=True):
        with suppress(OSError):  # not there, or holds what is somebody else's
            parent.rmdir()


def _check_empty(folder: Path) -> None:
    """Raise BadInput unless the folder is empty, or can be made."""
    try:
        if not folder.exists():
            return
        if folder.is_dir() and not any(folder.iterdir()):
            return
    except OSError as error:
        raise BadInput(
            f"{folder} cannot be read ({error.strerror}); name another with --to."
        ) from None
    if not folder.is_dir():
        raise BadInput(f"{folder} is a file; name a new folder with --to.")
    raise BadInput(
        f"{folder} is not empty; name a new folder with --to. A package that is there already "
        "takes another plug-in as one more module and one more entry point in its pyproject.toml."
    )

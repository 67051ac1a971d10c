"""A package for a plug-in of one's own: complete, and right from the first minute."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pvd
from pvd import pages
from pvd.adding import Addition, Existing, existing
from pvd.discovery import KINDS, registry, unknown
from pvd.errors import BadInput, UnknownName
from pvd.folder import write_bytes
from pvd.prose import listed

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 32  # letters of a name: a line of the source holds it twice

# The files of a package beside its components and their tests.
TEMPLATES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    ".github/workflows/check.yml": "check.yml",
}

# What the component that comes with a package does.
SUMMARIES = {
    "teacher": "ranks by how much the words of an item look like the persona's",
    "student": "learns one linear map from the colours of a picture's parts to words",
    "sampler": "draws most of a slate from the student's favourites, and the rest by lot",
    "loss": "wants a margin between each better item and each worse one",
    "evaluator": "measures the mean reciprocal rank of what the judge likes best",
    "source": "reads pictures with a JSON file beside each, and personas from text files",
    "observer": "keeps a table of the rounds, for a spreadsheet",
}
# How a run is told to use it, if not as `--KIND NAME`.
USES = {
    "evaluator": '-o \'evaluators=["mpr", "{name}"]\'',
    "source": "--catalog {name}:FOLDER --personas {name}:FOLDER",
    "observer": "--observe {name}",
}


@dataclass(frozen=True)
class Component:
    """One plug-in of a package, as the templates name it."""

    kind: str
    name: str
    module: str
    file: str  # of the module, below the package's folder
    test: str

    @property
    def full(self) -> str:
        return f"{self.kind}.{self.name}"

    @property
    def cls(self) -> str:
        return class_name(self.kind, self.name)

    @property
    def a_kind(self) -> str:
        return f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}"

    @property
    def summary(self) -> str:
        return SUMMARIES[self.kind]

    @property
    def words(self) -> str:
        """What `pvd run` is told, to use it."""
        return USES.get(self.kind, f"--{self.kind} {{name}}").format(name=self.name)

    def texts(self) -> dict[str, str]:
        """The component and its tests, by file."""
        values = {"name": self.name, "module": self.module, "cls": self.cls}
        return {
            self.file: pages.render(f"plugin/{self.kind}.py.j2", **values),
            self.test: pages.render(f"plugin/test_{self.kind}.py.j2", **values),
        }


@dataclass(frozen=True)
class Package:
    """What was written, what its author has to add, and the commands that come next."""

    folder: Path
    distribution: str  # what it is installed as
    components: tuple[Component, ...]
    files: tuple[str, ...]  # paths below the folder
    additions: tuple[Addition, ...]  # if there was a package before

    @property
    def commands(self) -> tuple[str, ...]:
        there = shlex.quote(f"{self.folder}[test]")
        return (
            f"pip install --editable {there}",
            *(f"pvd plugins check {it.full}" for it in self.components),
            " ".join(["pvd run", *(it.words for it in self.components)]),
        )


def new(kinds: Sequence[str], name: str, folder: Path | None = None) -> Package:
    """Write a package with a plug-in `kind.name` of each of these kinds, `pvd-NAME` by default.

    Every component works as it stands; its comments say what to replace. One kind alone is a
    module, several are a folder of modules. A package that is in the folder already gets modules
    and tests beside its own, and nothing in it is changed. Raises BadInput for kinds and names that
    cannot be had, and for a folder that holds something else.
    """
    check(kinds, name)
    folder = folder or Path(f"pvd-{name}")
    if package := existing(folder):
        return _add(kinds, name, package)
    distribution, module = f"pvd-{name}", _module(name)
    if _is_installed(distribution) or importlib.util.find_spec(module):
        raise BadInput(
            f"The package of {listed(f'{kind}.{name}' for kind in kinds)} would be {distribution}, "
            f"with the module {module}, and one of the two is installed already; choose another "
            "name."
        )
    _check_empty(folder)
    if alone := len(kinds) == 1:
        test = f"tests/test_{module.removeprefix('pvd_')}.py"
        components = [Component(kinds[0], name, module, f"{module}.py", test)]
    else:
        components = [
            Component(
                kind, name, f"{module}.{kind}", f"{module}/{kind}.py", f"tests/test_{kind}.py"
            )
            for kind in kinds
        ]
    values = {
        "alone": alone,
        "components": components,
        "description": f"{listed(it.a_kind for it in components).capitalize()} for pvd",
        "source": "source" in kinds,
        "distribution": distribution,
        "module": module,
        "version": pvd.__version__,
    }
    texts = {
        path: pages.render(f"plugin/{template}.j2", **values)
        for path, template in TEMPLATES.items()
    }
    if not alone:  # the marker says to type checkers that the modules have types (PEP 561)
        texts |= {f"{module}/__init__.py": '"""Plug-ins for pvd."""\n', f"{module}/py.typed": ""}
    for component in components:
        texts |= component.texts()
    _write(folder, texts)
    return Package(folder, distribution, tuple(components), tuple(texts), ())


def check(kinds: Sequence[str], name: str) -> None:
    """Raise BadInput if there is no such kind, or nobody can have this name any more."""
    for kind in kinds:
        if kind not in KINDS:
            raise UnknownName(unknown("kind", kind, KINDS))
        if kinds.count(kind) > 1:
            raise BadInput(f"The kind {kind} is named twice; one command writes one of each.")
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise BadInput(
            f"{name!r} is no good name for a plug-in; use at most {LONGEST} small letters, digits "
            f"and single hyphens, beginning with a letter{_instead(name)}."
        )
    for kind in kinds:
        if name in registry.names(kind):
            raise BadInput(
                f"The name {kind}.{name} is taken by {_owner(f'{kind}.{name}')}; choose another."
            )


def _add(kinds: Sequence[str], name: str, package: Existing) -> Package:
    """Write components beside those that a package has; its author adds what names them."""
    places = {}
    for kind in kinds:
        if f"{kind}.{name}" in package.declared:
            raise BadInput(f"{package.folder} has {kind}.{name} already; choose another name.")
        places[kind] = package.place(kind, name)
    components = tuple(Component(kind, name, *place) for kind, place in places.items())
    texts = {path: text for it in components for path, text in it.texts().items()}
    added = {it.full: places[it.kind] for it in components}
    additions = tuple(package.additions(added))
    _write(package.folder, texts)
    return Package(package.folder, package.distribution, components, tuple(texts), additions)


# --- names and files ----------------------------------------------------------------------------


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


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    begun = folder.exists()
    try:
        for path, text in texts.items():
            write_bytes(folder / path, text.encode())
    except BadInput:  # no room, perhaps; with what was written the same command would be refused
        _take_back(folder, texts, begun)
        raise


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
        if folder.is_dir() and {file.name for file in folder.iterdir()} <= {".git"}:
            return
    except OSError as error:
        raise BadInput(
            f"{folder} cannot be read ({error.strerror}); name another with --to."
        ) from None
    if not folder.is_dir():
        raise BadInput(f"{folder} is a file; name a new folder with --to.")
    raise BadInput(
        f"{folder} is not empty, and no package of plug-ins (its pyproject.toml would have "
        "[project.entry-points.pvd]); name a new folder with --to."
    )

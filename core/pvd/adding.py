"""A package of plug-ins that is there already: where another goes in it, and what its author adds,
since nothing of theirs is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from pvd import options
from pvd.errors import BadInput, MissingFile
from pvd.reading import read_text

PROJECT = "pyproject.toml"
CHECK = "pvd plugins check"


class Place(NamedTuple):
    """Of a new component: its module, and the files of that and of its tests."""

    module: str
    file: str
    test: str


@dataclass(frozen=True)
class Addition:
    """Lines that an author has to add to a file, and where."""

    file: str  # below the package's folder
    where: str  # in words
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Existing:
    """A package that somebody wrote, by its pyproject.toml."""

    folder: Path
    distribution: str  # what it is installed as
    declared: Mapping[str, str]  # modules by the names of their plug-ins
    tool: Mapping[str, Any]  # the tables of whatever builds and checks it

    def place(self, kind: str, name: str) -> Place:
        """Where a new component goes: beside the package's own, first of all one of this kind. It
        is called after its kind or, if there is such a module, after both.
        """
        alike = [module for full, module in self.declared.items() if full.startswith(f"{kind}.")]
        module = str((alike or [*self.declared.values()])[0]).partition(":")[0]
        base, inside = self._home(module)
        parents = module.rpartition(".")[0].split(".") if "." in module else [module]
        if inside:
            tests, before, path = "tests/test_", f"{'.'.join(parents)}.", "/".join(parents) + "/"
        else:  # of a file alone
            tests, before, path = f"tests/test_{module.removeprefix('pvd_')}_", *[f"{module}_"] * 2
        for stem in (kind, f"{name.replace('-', '_')}_{kind}"):
            file, test = f"{base}{path}{stem}.py", f"{tests}{stem}.py"
            if not (self.folder / file).exists() and not (self.folder / test).exists():
                return Place(f"{before}{stem}", file, test)
        raise BadInput(
            f"{self.folder / file} or {self.folder / test} is there already; choose another name."
        )

    def _home(self, module: str) -> tuple[str, bool]:
        """The folder that a module's path starts in, and whether it is, or is in, a package."""
        for base in ("", "src/"):
            path = self.folder / base / module.replace(".", "/")
            if path.is_dir() or (path.with_name(f"{path.name}.py").is_file() and "." in module):
                return base, True
            if path.with_name(f"{path.name}.py").is_file():
                return base, False
        raise BadInput(
            f"{self.folder} has no module {module!r}, which its {PROJECT} names below "
            "[project.entry-points.pvd]; mend that, or name a new folder with --to."
        )

    def additions(self, added: Mapping[str, Place]) -> Iterator[Addition]:
        """What the author of this package has to add, for these components by their names."""
        entries = tuple(f'"{full}" = "{place.module}"' for full, place in added.items())
        yield Addition(PROJECT, "below [project.entry-points.pvd]", entries)
        left_out = [place for place in added.values() if not self._is_in_the_wheel(place.file)]
        if left_out and "setuptools" in self.tool:
            modules = tuple(f'"{place.module}",' for place in left_out)
            yield Addition(PROJECT, "to py-modules in [tool.setuptools]", modules)
        elif left_out:
            files = tuple(f'"/{place.file}",' for place in left_out)
            where = "to the files of the wheel, as in include of [tool.hatch.build.targets.wheel]"
            yield Addition(PROJECT, where, files)
        for workflow in sorted(self.folder.glob(".github/workflows/*.y*ml")):
            if CHECK in read_text(workflow):
                steps = tuple(f"- run: {CHECK} {full}" for full in added)
                name = workflow.relative_to(self.folder).as_posix()
                yield Addition(name, f"below its steps that run {CHECK}", steps)

    def _is_in_the_wheel(self, file: str) -> bool:
        """Whether a new file is built into the wheel as it is: of a package's folder, or by a
        pattern. One beside a file alone is not, as far as can be seen here."""
        wheel = _inside(self.tool, "hatch", "build", "targets", "wheel")
        patterns = [*_words(wheel, "include"), *_words(wheel, "only-include")]
        if patterns and not _words(wheel, "packages"):
            wanted = [f"/{pattern.strip('/')}" for pattern in patterns]
            return any(fnmatch(f"/{file}", it) or f"/{file}".startswith(f"{it}/") for it in wanted)
        return "/" in file.removeprefix("src/")


def existing(folder: Path) -> Existing | None:
    """The package of plug-ins in a folder; None if there is none. BadInput for a pyproject.toml
    that cannot be read."""
    try:
        table = options.read_toml(folder / PROJECT)
    except MissingFile:
        return None
    project = _inside(table, "project")
    declared = _inside(project, "entry-points", "pvd")
    if not declared:
        return None
    for name, value in declared.items():
        module, _, _ = str(value).partition(":")
        if not all(part.isidentifier() for part in module.split(".")):
            raise BadInput(
                f"{folder / PROJECT} has {name} = {value!r} below [project.entry-points.pvd], "
                "which is no module; mend that, or name a new folder with --to."
            )
    return Existing(folder, str(project.get("name", folder)), declared, _inside(table, "tool"))


def _inside(table: Any, *keys: str) -> Mapping[str, Any]:
    """The table under these keys; an empty one if there is none."""
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}


def _words(table: Mapping[str, Any], key: str) -> Sequence[str]:
    found = table.get(key)
    return [str(one) for one in found] if isinstance(found, list) else []

"""The contract of a source."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, ClassVar

from pvd.catalog import ALIASES, PARTS
from pvd.errors import MissingPrerequisite, PvdError
from pvd.isolation import catalogs
from pvd.protocols import Source
from pvd.records import Catalog, Item, Persona
from pvd.testing.contract import FAILED_BEFORE, Contract, called, check
from pvd.testing.demands import require, skip

SOME = 12  # items whose pictures are opened
RULES: dict[str, Callable[[Source, Any], Any]] = {
    "catalog": catalogs.items,
    "personas": catalogs.personas,
}
NEEDS_A_PATH = (
    "it needs a path: give one to `pvd plugins check` with -o source.path=PATH; in a test class "
    "define path(self, folder), which writes a file and returns its path"
)
ELSEWHERE = {
    "catalog": "-o source.path=PATH of `pvd plugins check`, or path() of a test class, says where",
    "personas": "check them with -o source.path=PATH of their own, or define personas_path(self, "
    "folder) in a test class",
}


class SourceContract(Contract[Source]):
    """A source brings a catalogue, personas, or both; one that reads a file or a folder also needs
    a `path` to one, which the test writes:

        def path(self, folder):
            file = folder / "shop.xml"
            file.write_text("...")
            return str(file)

    One that reads personas from another file than items has a `personas_path`, too. `path` is
    called once, in an empty folder, and then `personas_path`, if there is one. What is read there
    is shared by the checks, but for those of what happens while it is read.
    """

    kind: ClassVar[str] = "source"
    _shared: ClassVar[_Reading | None] = None

    def path(self, folder: Path) -> str:
        """Where the source reads; nothing for one that needs no path."""
        return self.component().path

    def personas_path(self, folder: Path) -> str | None:
        """Where it reads personas, if they lie elsewhere than items: `path` has written to this
        folder before."""
        return None

    def _reading(self) -> _Reading:
        """What it reads at its path, read when it is first asked for."""
        cls = type(self)
        found: _Reading | None = vars(cls).get("_shared")  # not that of a class above
        if found is None:
            found = cls._shared = _Reading(self)
        return found

    @classmethod
    def teardown_class(cls) -> None:
        if found := vars(cls).get("_shared"):
            found.close()
            cls._shared = None

    def use(self, component: Source) -> None:
        anew = self._reading().anew(component)
        for item in (anew.catalog() or ())[:SOME]:
            item.read()
        anew.personas()

    @check
    def test_brings_something(self) -> None:
        """has a catalogue or personas of its own"""
        source = self.component()
        require(
            brings(source, "catalog") or brings(source, "personas"),
            f"{type(source).__name__} brings nothing; define catalog(path), personas(path) or both",
        )

    @check
    def test_catalog(self) -> None:
        """brings a catalogue of items with ids, titles and attributes as text"""
        self._reading().needed("catalog")

    @check
    def test_pictures(self) -> None:
        """has pictures that open, again and again"""
        items = self._reading().catalog()
        if items is None:
            skip("it brings no catalogue here")
        for item in items[:SOME]:
            first, second = (called(f"to read {item.where}", item.read) for _ in range(2))
            item.digested(first)
            require(
                first == second and first,
                f"{item.where} has {len(first)} bytes at first and {len(second)} when it is "
                "read again; open the picture anew each time",
            )
            item.decoded(first)

    @check
    def test_personas(self) -> None:
        """brings personas with texts, each with an id of its own, and with JSON as attributes"""
        self._reading().needed("personas")

    @check
    def test_repeats(self) -> None:
        """brings the same each time that it is read"""
        shared = self._reading()
        first, second = (
            (
                [(i.id, i.title, dict(i.attributes)) for i in reading.catalog() or ()],
                [i.digest for i in (reading.catalog() or ())[:SOME]],
                [(p.id, p.text, dict(p.attributes)) for p in reading.personas() or ()],
            )
            for reading in (shared, shared.anew(self.component()))
        )
        for what, a, b in zip(("items", "pictures", "personas"), first, second, strict=True):
            require(
                a == b,
                f"its {what} differ from one reading to the next, so no run can go on or be "
                "repeated; sort them, and draw only from generators with a seed",
            )

    @check
    def test_split(self) -> None:
        """divides its records into train, validation and test, if it has a column `split`"""
        reading = self._reading()
        found: list[Sequence[Item | Persona]] = [
            reading.catalog() or (),
            reading.personas() or (),
        ]
        divided = [some for some in found if any("split" in one.attributes for one in some)]
        if not divided:
            skip("it has no column `split`")
        for some in divided:
            values = {str(one.attributes.get("split", "")).strip().lower() for one in some}
            parts = {ALIASES.get(value, value) for value in values}
            require(
                parts == set(PARTS),
                f"`split` says {', '.join(sorted(values))}; core divides by it into "
                f"{', '.join(PARTS)}, and each needs some. Give it another name if it means "
                "something else",
            )

    @check
    def test_wrong_paths(self) -> None:
        """says what is wrong with a path that is not there, or is something else"""
        source, paths = self.component(), self._reading().paths
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "empty").mkdir()
            for what in ("catalog", "personas"):
                ending = Path(paths[what]).suffix if paths[what] else ".csv"
                nonsense = folder / f"nonsense{ending}"
                nonsense.write_bytes(bytes(range(256)))
                nowhere = str(folder / f"nowhere{ending}")
                for path in (nowhere, str(nonsense), str(folder / "empty")):
                    if brings(source, what):
                        _refused(getattr(source, what), path, what, path == nowhere)


def brings(source: Source, what: str) -> bool:
    """Whether it has a `catalog` or `personas` of its own."""
    return getattr(type(source), what) is not getattr(Source, what)


def _refused(read: Callable[[str], object], path: str, what: str, must: bool) -> None:
    name = Path(path).name
    try:
        read(path)
    except (MissingPrerequisite, ImportError):  # of a package that is missing, perhaps
        raise
    except PvdError:
        return
    except Exception as error:
        raise AssertionError(
            f"{what}() of the path {name!r} raises {type(error).__name__}: {error}; raise "
            "pvd.kit.MissingFile or pvd.kit.BadInput with one sentence for the user"
        ) from error
    require(
        not must,
        f"{what}() of {name!r}, which is not there, raises nothing; raise pvd.kit.MissingFile (or "
        "pvd.kit.BadInput if it takes no path)",
    )


class _Others(Exception):
    """The only path leads to something else that the source reads."""


class _Reading:
    """What a source brings from its paths: read as a run reads it, once, when it is asked for."""

    def __init__(self, contract: SourceContract) -> None:
        self._source, self._found = contract.component(), dict[str, Any]()
        folder = Path(tempfile.mkdtemp())
        self.close = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        path = contract.path(folder)
        elsewhere = contract.personas_path(folder)
        self.paths = {"catalog": path, "personas": path if elsewhere is None else elsewhere}

    def anew(self, source: Source) -> _Reading:
        """The same paths, of which nothing was read yet."""
        other = copy(self)
        other._source, other._found = source, {}
        return other

    def catalog(self) -> Catalog | None:
        """Its catalogue, None if it brings none; skipped where `needed` fails."""
        found: Catalog | None = self._unblamed("catalog")
        return found

    def personas(self) -> list[Persona] | None:
        """Its personas, None if it brings none; skipped where `needed` fails."""
        found: list[Persona] | None = self._unblamed("personas")
        return found

    def needed(self, what: str) -> Any:
        """The catalogue or the personas, for the one check that says what is wrong with them."""
        try:
            found = self._read(what)
        except _Others as why:
            skip(str(why))
        if found is None:
            skip(f"it brings no {what}")
        return found

    def _unblamed(self, what: str) -> Any:
        try:
            return self._read(what)
        except _Others:
            return None
        except MissingPrerequisite:
            raise
        except (AssertionError, PvdError) as error:
            skip(f"{FAILED_BEFORE}: {error}")

    def _read(self, what: str) -> Any:
        """What it brings, None if nothing of its own; what was raised at first is raised again."""
        if what not in self._found:
            try:
                self._found[what] = self._brought(what)
            except Exception as error:
                self._found[what] = error
        if isinstance(found := self._found[what], Exception):
            raise found
        return found

    def _brought(self, what: str) -> Any:
        if not brings(self._source, what):
            return None
        path = self._source.path = self.paths[what]
        try:
            found = called(f"{what}()", getattr(self._source, what), path)
        except MissingPrerequisite:
            raise
        except PvdError as error:
            if not path:
                skip(f"{NEEDS_A_PATH} ({error})", "say with -o source.path=PATH where it reads")
            if self._is_the_others(what):
                why = f"there are no {what} at the path; {ELSEWHERE[what]} ({error})"
                raise _Others(why) from None
            raise
        return called(f"{what}()", RULES[what], self._source, found)

    def _is_the_others(self, what: str) -> bool:
        other = "personas" if what == "catalog" else "catalog"
        if self.paths[other] != self.paths[what] or not brings(self._source, other):
            return False
        try:
            getattr(self._source, other)(self.paths[other])
        except PvdError:
            return False
        return True

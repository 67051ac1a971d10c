"""The contract of a source."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from pvd.catalog import ALIASES, PARTS
from pvd.errors import MissingPrerequisite, PvdError
from pvd.protocols import Source
from pvd.records import Catalog, Item, Persona, check_distinct
from pvd.testing.contract import Contract, called, check
from pvd.testing.demands import require, skip

SOME = 12  # items whose pictures are opened
NEEDS_A_PATH = (
    "it needs a path: give one to `pvd plugins check` with -o source.path=PATH; in a test class "
    "define path(self, folder), which writes a file and returns its path"
)
ELSEWHERE = {
    "catalog": "-o source.path=PATH of `pvd plugins check`, or path() of a test class, says where",
    "personas": "check them with -o source.path=PATH of their own, or define personas_path(self, "
    "folder) in a test class",
}


class SourceContract(Contract):
    """A source brings a catalogue, personas, or both; one that reads a file or a folder also needs
    a `path` to one, which the test writes:

        def path(self, folder):
            file = folder / "shop.xml"
            file.write_text("...")
            return str(file)

    One that reads personas from another file than items has a `personas_path`, too. Each check
    calls `path` once, in an empty folder of its own, and then `personas_path`, if there is one.
    """

    kind: ClassVar[str] = "source"

    def component(self) -> Source:
        raise NotImplementedError(f"{type(self).__name__} must define component(self).")

    def path(self, folder: Path) -> str:
        """Where the source reads; nothing for one that needs no path."""
        return self.component().path

    def personas_path(self, folder: Path) -> str:
        """Where it reads personas, if they lie elsewhere than items: `path` has written to this
        folder before."""
        raise NotImplementedError  # never called where nobody defines another

    def use(self, component: Any) -> None:
        with _Reading(self, component) as reading:
            for item in (reading.catalog() or ())[:SOME]:
                item.read()
            reading.personas()

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
        with _Reading(self) as reading:
            catalog = reading.catalog(needed=True)
        require(
            isinstance(catalog, Catalog) and all(isinstance(item, Item) for item in catalog),
            f"catalog() returned a {type(catalog).__name__}; return pvd.Catalog(tuple(items))",
        )
        require(catalog, "its catalogue is empty; raise pvd.kit.BadInput that says what is missing")
        for item in catalog:
            require(
                isinstance(item.id, str) and item.id.strip(),
                f"an item has the id {item.id!r}; an id is text, and not blank",
            )
            require(
                item.title is None or isinstance(item.title, str),
                f"{item.where} has the title {item.title!r}; a title is text, or None",
            )
            for key, value in item.attributes.items():
                require(
                    isinstance(key, str) and isinstance(value, str),
                    f"{item.where} has the attribute {key!r}: {value!r}; both are text, str(...)",
                )

    @check
    def test_pictures(self) -> None:
        """has pictures that open, again and again"""
        with _Reading(self) as reading:
            for item in (reading.catalog(needed=True) or ())[:SOME]:
                first, second = (called(f"to read {item.where}", item.read) for _ in range(2))
                require(
                    isinstance(first, bytes),
                    f"the picture of {item.where} is a {type(first).__name__}; return the bytes of "
                    "the encoded file",
                )
                require(
                    first == second and first,
                    f"{item.where} has {len(first)} bytes at first and {len(second)} when it is "
                    "read again; open the picture anew each time",
                )
                item.decoded(first)

    @check
    def test_personas(self) -> None:
        """brings personas with texts, each with an id of its own"""
        with _Reading(self) as reading:
            personas = reading.personas(needed=True) or []
        require(
            isinstance(personas, Sequence) and all(isinstance(one, Persona) for one in personas),
            f"personas() returned a {type(personas).__name__}; return a list of pvd.Persona",
        )
        require(personas, "it has no personas; raise pvd.kit.BadInput that says what is missing")
        for one in personas:
            require(
                isinstance(one.id, str) and one.id.strip(),
                f"a persona has the id {one.id!r}; an id is text, and not blank",
            )
            require(
                isinstance(one.text, str) and one.text.strip(),
                f"the persona {one.id!r} has the text {one.text!r}; pvd.kit.persona_record says it "
                "to the user",
            )
            called(
                f"to write the attributes of the persona {one.id!r} as JSON",
                json.dumps,
                dict(one.attributes),
            )
        try:
            check_distinct((one.id for one in personas), "personas")
        except PvdError as error:
            raise AssertionError(str(error)) from None

    @check
    def test_repeats(self) -> None:
        """brings the same each time that it is read"""
        with _Reading(self) as reading:
            first, second = (
                (
                    [(i.id, i.title, dict(i.attributes)) for i in reading.catalog() or ()],
                    [i.digest for i in (reading.catalog() or ())[:SOME]],
                    [(p.id, p.text, dict(p.attributes)) for p in reading.personas() or ()],
                )
                for _ in range(2)
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
        with _Reading(self) as reading:
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
        source = self.component()
        with _Reading(self) as reading:
            folder = reading.folder
            (folder / "empty").mkdir()
            for what in ("catalog", "personas"):
                ending = Path(reading.paths[what]).suffix if reading.paths[what] else ".csv"
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


class _Reading:
    """A source at its path, while its folder exists."""

    def __init__(self, contract: SourceContract, source: Source | None = None) -> None:
        self._contract, self._source = contract, source or contract.component()

    def __enter__(self) -> _Reading:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            path = elsewhere = self._contract.path(self.folder)
            if type(self._contract).personas_path is not SourceContract.personas_path:
                elsewhere = self._contract.personas_path(self.folder)
            self.paths = {"catalog": path, "personas": elsewhere}
            self._stack = stack.pop_all()  # path() may have raised: nothing is left behind then
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def catalog(self, needed: bool = False) -> Any:
        """Its catalogue; None if it brings none, which skips the check if it is `needed`."""
        return self._read("catalog", needed)

    def personas(self, needed: bool = False) -> Any:
        """Its personas; None if it brings none, which skips the check if they are `needed`."""
        return self._read("personas", needed)

    def _read(self, what: str, needed: bool) -> Any:
        if not brings(self._source, what):
            if needed:
                skip(f"it brings no {what}")
            return None
        path = self._source.path = self.paths[what]
        try:
            return called(f"{what}()", getattr(self._source, what), path)
        except MissingPrerequisite:
            raise
        except PvdError as error:
            if not path:
                skip(f"{NEEDS_A_PATH} ({error})")
            if not self._is_the_others(what):
                raise
            if needed:
                skip(f"there are no {what} at the path; {ELSEWHERE[what]} ({error})")
            return None

    def _is_the_others(self, what: str) -> bool:
        """Whether the only path leads to something else that this source reads."""
        other = "personas" if what == "catalog" else "catalog"
        if self.paths[other] != self.paths[what] or not brings(self._source, other):
            return False
        try:
            getattr(self._source, other)(self.paths[other])
        except PvdError:
            return False
        return True

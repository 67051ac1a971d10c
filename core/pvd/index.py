"""An index: a folder with a student, and with the vectors that it gave to a catalogue's items.

index.json      the student's fingerprint, the vectors' width
student/        the student itself, so that the folder can be searched wherever it is taken
parts/          the vectors, with what they are of; see parts.py
skipped/        the pictures that could not be used, a file for each shard
graph.*         for approximate search, if it was asked for; see approximate.py
"""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import pvd
from pvd import exact, scoring
from pvd.errors import BadInput, MissingFile, UsageError
from pvd.folder import read_json, replaced, write_json
from pvd.indexing import WHOLE, Batch, Shard, alone, collected, embedded
from pvd.parts import SUFFIX, Part, Row, unit
from pvd.progress import Progress, Silent
from pvd.records import Item, digest_of

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.protocols import Student

CARD = "index.json"
SCHEMA = 1


@dataclass(frozen=True)
class Hit:
    """One answer: an item of the index, and the cosine of its vector and the query."""

    rank: int  # from 1
    id: str
    score: float
    title: str | None
    image: Path | None  # where the picture was when it was embedded, if it was a file
    attributes: dict[str, str] = field(default_factory=dict)


class Index:
    """Vectors of a catalogue's items, searched by text or by vector.

    What another process adds is seen when the index is opened again.
    """

    def __init__(self, folder: Path, card: dict[str, Any], device: str) -> None:
        self.folder = folder
        self.width: int = card["width"]
        self.card = card
        self._device = device
        self._fingerprint = digest_of(card["student"])
        self._refresh()

    @classmethod
    def open(cls, folder: str | Path, device: str = "cpu") -> Index:
        """The index in a folder; its student is loaded, on the device, when a text is searched."""
        folder = Path(folder)
        if not (folder / CARD).is_file():
            raise MissingFile(f"There is no index in {folder}; make one with `pvd index`.")
        card = read_json(folder / CARD)
        if not isinstance(card, dict) or card.get("schema") != SCHEMA:
            raise BadInput(
                f"{folder / CARD} is of another version of pvd; search with that one, or index "
                "again into another folder."
            )
        return cls(folder, card, device)

    @classmethod
    def create(
        cls,
        folder: str | Path,
        student: str | Path | None = None,
        *,
        width: int | None = None,
        device: str = "cpu",
    ) -> Index:
        """The index in `folder`, made if there is none: of the student in a folder, or, with
        `width` instead, of vectors from elsewhere. BadInput if it is there with another student.
        """
        folder = Path(folder)
        if (student is None) == (width is None):
            raise UsageError("An index needs either a student's folder or a width.")
        opened = None if student is None else pvd.open_student(student, device)
        if opened is not None and student is not None:
            whose: dict[str, str] | None = identity(Path(student), opened)
            width = scoring.embed_texts(opened, ["width"]).shape[1]
        else:
            whose = None
        with alone(folder, "making"):
            if not (folder / CARD).exists():
                _check_new(folder)
                if student is not None:
                    _carry(Path(student), folder / "student")
                write_json(
                    folder / CARD,
                    {
                        "schema": SCHEMA,
                        "width": width,
                        "student": whose,
                        "pvd": pvd.__version__,
                        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                    },
                )
        index = cls.open(folder, device)
        if index.card["student"] != whose or index.width != width:
            raise BadInput(
                f"{folder} holds vectors of another student; index into another folder, or delete "
                "that one first."
            )
        if opened is not None:
            index.student = opened
        return index

    # --- what is in it ----------------------------------------------------------------------

    def _refresh(self) -> None:
        paths = sorted((self.folder / "parts").glob(f"[0-9]*{SUFFIX}"))
        self.parts = [Part(path, self._fingerprint) for path in paths]
        for part in self.parts:
            if part.vectors.shape[1] != self.width:
                raise BadInput(f"{part.path} has vectors of another width; take it out.")
        self._ends = list(accumulate(map(len, self.parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def rows(self) -> Iterator[Row]:
        """What is known of each item, in the order of the vectors."""
        return (row for part in self.parts for row in part.rows())

    def ids(self) -> Iterator[str]:
        """The ids of all items."""
        return (row.id for row in self.rows())

    def row(self, position: int) -> Row:
        """What is known of one item."""
        from bisect import bisect_right

        number = bisect_right(self._ends, position)
        return self.parts[number].row(position - (self._ends[number] - len(self.parts[number])))

    @property
    def digest(self) -> str:
        """Changes when a vector or a row changes."""
        return digest_of([part.digest for part in self.parts])

    # --- searching --------------------------------------------------------------------------

    @cached_property
    def student(self) -> Student:
        """The index's own student; BadInput if it is not the one that embedded the items."""
        whose, folder = self.card["student"], self.folder / "student"
        if whose is None:
            raise UsageError(f"The index {self.folder} has no student; search it by vectors.")
        if weights(folder) != whose["weights"]:
            raise BadInput(
                f"The student in {folder} is not the one that embedded the items; restore it, or "
                "make the index again."
            )
        return pvd.open_student(folder, self._device)

    @overload
    def search(self, query: str, k: int = 12, *, approximate: bool = False) -> list[Hit]: ...
    @overload
    def search(
        self, query: Sequence[str] | Tensor, k: int = 12, *, approximate: bool = False
    ) -> list[list[Hit]]: ...
    def search(
        self, query: str | Sequence[str] | Tensor, k: int = 12, *, approximate: bool = False
    ) -> list[Hit] | list[list[Hit]]:
        """The k best hits for a text; for several texts, or vectors [Q, D], a list for each.

        Exact, unless `approximate` asks the graph. Equal scores stand in the order of their ids.
        """
        if isinstance(query, str):
            return self.search([query], k, approximate=approximate)[0]
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}.")
        if isinstance(query, Sequence):
            if not query:
                return []
            query = scoring.embed_texts(self.student, list(query))
        if query.ndim != 2 or query.shape[1] != self.width:
            raise BadInput(
                f"The vectors to search with have the shape {list(query.shape)}, and the index "
                f"has vectors of width {self.width}; give [Q, {self.width}] of the same student."
            )
        queries = unit(query).float().numpy()
        vectors = [part.vectors for part in self.parts]
        if approximate:
            raise NotImplementedError
        else:
            found = exact.nearest(vectors, queries, k, lambda n: self.row(n).id)
        return [[self._hit(*place, rank) for rank, place in enumerate(f, 1)] for f in found]

    def _hit(self, position: int, score: float, rank: int) -> Hit:
        row = self.row(position)
        image = None if row.image is None else Path(row.image)
        return Hit(rank, row.id, score, row.title, image, row.attributes)

    # --- changing ---------------------------------------------------------------------------

    def add(
        self, items: Sequence[Item], *, shard: Shard = WHOLE, progress: Progress | None = None
    ) -> tuple[int, list[tuple[Item, str]]]:
        """Embed the items that are not in it yet: how many were, and those whose pictures cannot
        be used, each with the reason. Up to 1 % may be bad. Killed, the same call goes on.
        """
        bad: list[tuple[Item, str]] = []
        with self._changing(shard):
            known = set(self.ids())
            mine = [item for item in items if shard.has(item.id)]
            missing = [item for item in mine if item.id not in known]
            batches = embedded(self.student, missing, len(mine), bad, progress or Silent())
            return self._extend(batches, shard), bad

    def add_vectors(self, batches: Iterable[Batch]) -> int:
        """Add items with vectors [n, D] of one's own, batch by batch; how many they were. BadInput
        for an id that is there already.
        """
        with self._changing(WHOLE):
            return self._extend(self._new(batches), WHOLE)

    def _new(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        known = set(self.ids())
        for items, vectors in batches:
            for item in items:
                if item.id in known:
                    raise BadInput(
                        f"The item {item.id!r} is in {self.folder} already; remove it first."
                    )
                known.add(item.id)
            yield items, vectors

    def _extend(self, batches: Iterable[Batch], shard: Shard) -> int:
        folder = self.folder / "parts"
        return collected(folder, shard, batches, self.width, self._fingerprint)

    def remove(self, ids: Iterable[str]) -> int:
        """Take items out, by id; how many there were. Only their parts are written again."""
        gone = set(ids)
        with self._changing(WHOLE):
            return sum(part.without(gone, self._fingerprint) for part in self.parts)

    @contextmanager
    def _changing(self, shard: Shard) -> Iterator[None]:
        with shard.locked(self.folder / "parts"):
            self._refresh()  # another process may have been here before the lock was ours
            try:
                yield
            finally:
                self._refresh()


def identity(folder: Path, student: Student) -> dict[str, str]:
    """Who embeds: a digest of the weights, and of what happens to a picture before them."""
    name = read_json(folder / "pvd.json")["student"]
    return {"name": name, "weights": weights(folder), "prepare": student.prepare_key()}


def weights(folder: Path) -> str:
    """A digest of every safetensors file below a folder."""
    seen = {}
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        with path.open("rb") as file:
            name = path.relative_to(folder).as_posix()
            seen[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digest_of(seen)


def _check_new(folder: Path) -> None:
    # A student alone was copied by a process that was killed before it wrote the card.
    if {p.name for p in folder.iterdir() if not p.name.startswith(".")} - {"student"}:
        raise BadInput(f"{folder} holds other files and no index; name an empty or a new folder.")


def _carry(source: Path, target: Path) -> None:
    """Copy a student's folder; by hard links where they can be had, since it never changes."""
    with replaced(target) as fresh:
        for path in sorted(source.rglob("*")):
            there = fresh / path.relative_to(source)
            if path.is_dir():
                there.mkdir(exist_ok=True)
                continue
            with suppress(OSError):
                os.link(path.resolve(), there)
            if not there.exists():
                shutil.copyfile(path, there)

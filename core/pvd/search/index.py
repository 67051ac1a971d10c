"""An index: a folder with a student, and with the vectors that it gave to a catalogue's items.

index.json      the student's fingerprint, the vectors' width
student/        the student itself, so that the folder can be searched wherever it is taken
parts/          the vectors, with what they are of; see parts.py
skipped/        the pictures that could not be used, a file for each shard
graph.*         for approximate search, if it was asked for; see graph.py
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import pvd
from pvd import scoring
from pvd.errors import BadInput, UsageError
from pvd.folder import read_json, write_json
from pvd.progress import Progress, Silent
from pvd.records import Item, check_distinct, digest_of
from pvd.search import exact, graph
from pvd.search.card import CARD, card_of, check_new, no_index, write_card
from pvd.search.exact import Found
from pvd.search.fingerprint import carry, identity, weights
from pvd.search.indexing import WHOLE, Batch, Shard, alone, collected, embedded
from pvd.search.parts import SUFFIX, Part, Row, normalized
from pvd.search.queries import (
    check_count,
    check_items,
    check_texts,
    check_vectors,
    checked_batch,
)

if TYPE_CHECKING:
    from numpy import ndarray
    from torch import Tensor

    from pvd.protocols import Student

Several: TypeAlias = "list[str] | tuple[str, ...] | Tensor | ndarray"


@dataclass(frozen=True)
class Hit:
    """One answer: an item of the index, and the cosine of its vector and the query."""

    rank: int  #: from 1
    id: str  #: of the item
    score: float  #: the cosine
    title: str | None  #: of the item, if it has one
    image: Path | None  #: where the picture was when it was embedded, if it was a file
    attributes: dict[str, str] = field(default_factory=dict)  #: of the item


Hits: TypeAlias = list[Hit]


class Index:
    """Vectors of a catalogue's items, searched by text or by vector.

    What another process adds is seen when the index is opened again.
    """

    def __init__(self, folder: Path, card: dict[str, Any], device: str) -> None:
        self.folder: Path = folder  #: where it is
        self.width: int = card["width"]  #: D, of its vectors
        self.card: dict[str, Any] = card  #: what index.json holds
        self._device = device
        self._fingerprint = digest_of(card["student"])
        self.told: list[str] = []  #: what the student warned of in the last texts
        self._refresh()

    @classmethod
    def open(cls, folder: str | Path, device: str = "cpu") -> Index:
        """The index in a folder; its student is loaded, on the device, when a text is searched."""
        folder = Path(folder)
        if not (folder / CARD).is_file():
            raise no_index(folder)
        return cls(folder, card_of(folder), device)

    @classmethod
    def create(
        cls,
        folder: str | Path,
        student: str | Path | None = None,
        *,
        width: int | None = None,
        origin: str = "",
        device: str = "cpu",
    ) -> Index:
        """The index in `folder`, made if there is none: of the student in a folder, or, with
        `width` instead, of vectors from elsewhere. `origin` is what people are told of where the
        student comes from. BadInput if it is there with another student.
        """
        folder = Path(folder)
        if (student is None) == (width is None):
            raise UsageError("An index needs either a student's folder or a width.")
        if width is not None and width < 1:
            raise UsageError(f"An index has a width of at least 1, not {width}.")
        if student is not None and folder.resolve().is_relative_to(Path(student).resolve()):
            raise UsageError(f"{folder} is in the student's own folder; put the index elsewhere.")
        opened, whose = None, None
        if student is not None:
            opened = pvd.open_student(student, device)
            whose = identity(Path(student), opened)
            width = scoring.embed_texts(opened, ["how wide?"]).shape[1]
        with alone(folder, "making"):
            if not (folder / CARD).exists():
                check_new(folder)
                if student is not None:
                    carry(Path(student), folder / "student")
                write_card(folder, {"width": width, "student": whose, "origin": origin})
        index = cls.open(folder, device)
        if (there := index.card["student"]) != whose or index.width != width:
            if there and whose and there["weights"] == whose["weights"]:
                raise index._prepared_otherwise()
            raise BadInput(
                f"{folder} holds vectors of another student; index into another folder, or delete "
                "that one first."
            )
        if opened is not None:
            index.student = opened
        return index

    # --- what is in it ----------------------------------------------------------------------

    def _refresh(self) -> None:
        self.parts: list[Part] = []  #: the files of its vectors
        for path in sorted((self.folder / "parts").glob(f"[0-9]*{SUFFIX}")):
            with suppress(FileNotFoundError):  # another process took its last item out just now
                self.parts.append(Part(path, self._fingerprint))
        for part in self.parts:
            if part.vectors.shape[1] != self.width:
                raise BadInput(f"{part.path} has vectors of another width; take it out.")
        self._graph: Any = None  # as long as nothing changes
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
        part, number = self.place(position)
        return part.row(number)

    def place(self, position: int) -> tuple[Part, int]:
        """The part that a vector is in, and where in it."""
        part = self.parts[number := bisect_right(self._ends, position)]
        return part, position - self._ends[number] + len(part)

    @property
    def digest(self) -> str:
        """Changes when a vector or a row changes."""
        return digest_of([part.digest for part in self.parts])

    def vectors(self) -> Iterator[tuple[list[Row], ndarray]]:
        """All vectors, for other engines, in blocks that follow each other: rows (`id`, `title`,
        `image`, `attributes`) and as many vectors [n, D], float32, of unit length. A block of at
        most 1024 is in memory at once. The product with a text's vector is the score of `search`.
        """
        for part in self.parts:
            rows = part.rows()
            for start in range(0, len(part), exact.BLOCK):
                try:
                    some = normalized(part.vectors[start : start + exact.BLOCK]).float().numpy()
                except BadInput:
                    raise part.damaged() from None
                yield list(islice(rows, len(some))), some

    def __repr__(self) -> str:
        whose, origin = self.card["student"], self.card.get("origin")
        student = f"student {whose['name'].partition('.')[2]}" if whose else "no student"
        said = (
            f"{len(self):,} items{', not whole' * self.unfinished}, width {self.width}, {student}"
        )
        return f"<pvd.Index {self.folder}: {said}{f' ({origin})' * bool(origin)}>"

    # --- searching --------------------------------------------------------------------------

    @cached_property
    def student(self) -> Student:
        """The index's own student; BadInput if it is not the one that embedded the items."""
        whose, folder = self.card["student"], self.folder / "student"
        if whose is None:
            raise UsageError(f"The index {self.folder} has no student; give it vectors.")
        if weights(folder) != whose["weights"]:
            raise BadInput(
                f"The student in {folder} is not the one that embedded the items; restore it, or "
                "make the index again."
            )
        return pvd.open_student(folder, self._device)

    @overload
    def search(self, query: str, k: int = 12, *, approximate: bool = False) -> list[Hit]: ...
    @overload
    def search(self, query: Several, k: int = 12, *, approximate: bool = False) -> list[Hits]: ...
    def search(
        self, query: str | Several, k: int = 12, *, approximate: bool = False
    ) -> list[Hit] | list[Hits]:
        """The k best hits for a text; for several texts, or vectors [Q, D], a list for each.

        Exact, unless `approximate` asks the graph. Equal scores stand in the order of their ids.
        """
        if isinstance(query, str):
            return self.search([query], k, approximate=approximate)[0]
        check_count(k)
        if isinstance(query, list | tuple):
            if not query:
                return []
            texts, self.told = check_texts(query), []
            query = scoring.embed_texts(self.student, texts, self.told)
        check_vectors(query, self.width)
        queries = normalized(query).float().numpy()
        found = self.positions(queries, k, approximate)
        return [[self._hit(*place, rank) for rank, place in enumerate(f, 1)] for f in found]

    def positions(self, queries: ndarray, k: int, approximate: bool = False) -> list[Found]:
        """Where the k best vectors stand, for queries [Q, D] in fp32 of unit length."""
        vectors = [part.vectors for part in self.parts]
        if approximate:
            if self._graph is None:
                self._graph = graph.opened(self.folder, self.digest)
            return graph.nearest(self._graph, vectors, queries, k, self._id)
        try:
            return exact.nearest(vectors, queries, k, self._id)
        except exact.NotUnit as error:
            raise self.place(error.position)[0].damaged() from None

    def _id(self, position: int) -> str:
        return self.row(position).id

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
        check_items(items, "add takes a list of items (pvd.Item)")
        check_distinct((item.id for item in items), "items")
        bad: list[tuple[Item, str]] = []
        with self._changing(shard):
            known = set(self.ids())
            mine = [item for item in items if shard.has(item.id)]
            missing = [item for item in mine if item.id not in known]
            if missing and self.student.prepare_key() != self.card["student"]["prepare"]:
                raise self._prepared_otherwise()
            batches = embedded(self.student, missing, len(mine), bad, progress or Silent())
            return self._extend(batches, shard), bad

    def add_vectors(self, batches: Iterable[Batch]) -> int:
        """Add items with vectors [n, D] of one's own, of torch or numpy, batch by batch; how many
        they were. BadInput for an id that is there already.
        """
        with self._changing(WHOLE):
            return self._extend(self._new(batches), WHOLE)

    def _new(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        known = set(self.ids())
        for batch in batches:
            items, vectors = checked_batch(batch)
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
        if isinstance(ids, str):
            raise UsageError(f"remove() takes a list of ids; write [{ids!r}].")
        gone = set(ids)
        with self._changing(WHOLE):
            return sum(part.without(gone, self._fingerprint) for part in self.parts)

    def build_graph(self, progress: Progress | None = None) -> dict[str, Any]:
        """Make what approximate search needs, unless it is there; its recall among the ten best
        against the exact search, and with which queries that was measured.
        """
        progress = progress or Silent()
        with self._changing(WHOLE):
            card = graph.card(self.folder, self.digest) or {}
            if "recall" not in card:
                vectors = [part.vectors for part in self.parts]
                graph.build(self.folder, vectors, self.digest, progress)
                with progress.stage("recall of the graph"):
                    card = read_json(self.folder / graph.CARD) | graph.measured(self)
                write_json(self.folder / graph.CARD, card)
        return {name: card[name] for name in ("items", "recall", "queries", "over")}

    @contextmanager
    def _changing(self, shard: Shard) -> Iterator[None]:
        mark = self.folder / "parts" / f".{shard}.unfinished"
        with shard.locked(self.folder / "parts"):
            mark.touch()
            self._refresh()  # another process may have been here before the lock was ours
            try:
                yield
                mark.unlink()
            finally:
                self._refresh()

    @property
    def unfinished(self) -> bool:
        """Whether the last change was interrupted, or is still under way."""
        return any((self.folder / "parts").glob(".*.unfinished"))

    def _prepared_otherwise(self) -> BadInput:
        return BadInput(
            f"The pictures in {self.folder} were prepared otherwise (by another version of pvd, or "
            "at another precision), so that nothing can be added; it can be searched, or made anew "
            "in another folder."
        )

"""Filling an index: embed, collect a few thousand vectors, write them as a part, go on."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pvd.errors import BadInput, UsageError
from pvd.folder import write_lines
from pvd.pictures import Kept, check_bad, prepared
from pvd.records import Item
from pvd.search import parts
from pvd.search.parts import SUFFIX, Row
from pvd.streams import derive

if TYPE_CHECKING:
    from numpy import ndarray
    from torch import Tensor

    from pvd.progress import Progress
    from pvd.protocols import Prepared, Student

ROWS = 4096  # of a part
SECONDS = 60.0  # a kill costs no more work than this
PATIENCE = 600.0  # seconds that one shard waits for another to copy the student
GLANCE = 1.0  # and that it waits for others which only look whether it is there

Batch: TypeAlias = "tuple[Sequence[Item], Tensor | ndarray]"


@dataclass(frozen=True)
class Shard:
    """One of several processes that fill an index at once; each takes items of its own."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`2/4`: the second of four."""
        match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
        shard = cls(int(match[1]), int(match[2])) if match else cls(0, 0)
        if not 1 <= shard.number <= shard.of:
            raise UsageError(f"{text!r} is no shard; write for example 1/4, 2/4, 3/4 and 4/4.")
        return shard

    def __str__(self) -> str:
        return f"{self.number}of{self.of}"

    def has(self, id: str) -> bool:
        """Whether an item is its own: by hash, so that it stays so when the catalogue grows."""
        return derive("shard", id) % self.of == self.number - 1

    @contextmanager
    def locked(self, folder: Path) -> Iterator[None]:
        """Keep others off these items: a second process for this shard, and shards of another
        number, among whose items ours could be."""
        with ExitStack() as stack:
            stack.enter_context(alone(folder, str(self), GLANCE))
            for path in folder.glob(".*of*.lock"):
                other = path.name[1:-5]
                if other.partition("of")[2] != str(self.of):
                    with alone(folder, other, GLANCE):
                        pass
            mine = ".*.tmp" if self == WHOLE else f".{self}-*.tmp"
            for path in folder.glob(mine):  # what a killed process had begun
                path.unlink()
            yield


WHOLE = Shard()


@contextmanager
def alone(folder: Path, name: str, patience: float = PATIENCE) -> Iterator[None]:
    """Hold a lock in a folder. That of a dead process is free again."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{name}.lock", timeout=patience)
        lock.acquire()
    except Timeout:
        raise BadInput(
            f"Another process is changing {folder.parent} ({name.replace('of', ' of ')}); wait for "
            "it, or give all of them the same number of shards."
        ) from None
    except OSError as error:
        raise BadInput(
            f"{folder} cannot be written to ({error.strerror or error}); name another --to."
        ) from None
    try:
        yield
    finally:
        lock.release()


def embedded(
    student: Student,
    items: Sequence[Item],
    of: int,
    bad: list[tuple[Item, str]],
    progress: Progress,
) -> Iterator[Batch]:
    """The items with their vectors, block by block; what cannot be used goes to `bad`, and is an
    error when it is more than 1 % of `of`.
    """
    kept = Kept.by(student)  # a catalogue may be too large to keep more
    with progress.stage("embedding", len(items), "images"):
        for block in prepared(student, items, kept):
            bad += block.bad
            check_bad(bad, of)
            if block.prepared is not None:
                yield block.items, _vectors(student, block.prepared)
            if block.known:
                places = kept.find([item.digest for item in block.known])
                yield block.known, _vectors(student, kept.take(places))
            progress.advance(len(block))


def _vectors(student: Student, prepared: Prepared) -> Tensor:
    import torch

    with torch.inference_mode():
        return student.embed_prepared(prepared)


def collected(
    folder: Path, shard: Shard, batches: Iterable[Batch], width: int, fingerprint: str
) -> int:
    """Write the batches as parts of a few thousand rows; how many items they were. Only for who
    holds the shard's lock."""
    shelf = _Shelf(folder, shard, width, fingerprint)
    try:
        for items, vectors in batches:
            shelf.put(items, vectors)
    finally:  # also before an error or a Ctrl-C: to embed them was the dear part
        shelf.write()
    return shelf.count


class _Shelf:
    """What is not yet in a part. Ctrl-C can come at any moment, and what is here is written then:
    rows never without their vectors, and what is in a part already into the same one again.
    """

    def __init__(self, folder: Path, shard: Shard, width: int, fingerprint: str) -> None:
        self._folder, self._shard = folder, shard
        self._width, self._fingerprint = width, fingerprint
        names = [path.name for path in folder.glob(f"{shard}-*{SUFFIX}")]
        self._number = max((int(name.partition("-")[2][:6]) for name in names), default=0) + 1
        self._held: list[tuple[list[Row], Tensor]] = []
        self._waiting = 0  # rows
        self._since = time.monotonic()
        self.count = 0

    def put(self, items: Sequence[Item], vectors: Tensor | ndarray) -> None:
        if vectors.shape != (len(items), self._width):
            raise BadInput(
                f"{len(items)} items came with vectors of the shape {list(vectors.shape)}; the "
                f"index needs [{len(items)}, {self._width}]."
            )
        for start in range(0, len(items), ROWS):
            some = slice(start, start + ROWS)
            rows = [Row.of(item) for item in items[some]]
            self._held.append((rows, parts.normalized(vectors[some]).bfloat16()))
            self._waiting += len(rows)
            late = time.monotonic() - self._since >= SECONDS
            if self._waiting >= ROWS or late:
                self.write()

    def write(self) -> None:
        import torch

        self._since = time.monotonic()
        if not self._held:
            return
        rows = [row for some, _ in self._held for row in some]
        path = self._folder / f"{self._shard}-{self._number:06d}{SUFFIX}"
        parts.write(path, rows, torch.cat([some for _, some in self._held]), self._fingerprint)
        self._held, self._waiting, self._number = [], 0, self._number + 1
        self.count += len(rows)


def write_skipped(folder: Path, shard: Shard, bad: Sequence[tuple[Item, str]]) -> Path:
    """A file of the items whose pictures cannot be used; none if there are none. Shards of another
    number lose theirs, since the items were shared out anew and tried again.
    """
    path = folder / "skipped" / f"{shard}.jsonl"
    for other in path.parent.glob("*of*.jsonl"):
        if not other.stem.endswith(f"of{shard.of}"):
            other.unlink(missing_ok=True)
    if bad:
        write_lines(path, [{"id": item.id, "why": why} for item, why in bad])
    else:
        path.unlink(missing_ok=True)
    return path

"""The prepared pictures of some items, wherever they are: in memory, on disk, made when taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from pvd.pictures.blocks import check_bad, prepared
from pvd.pictures.kept import Kept
from pvd.progress import Progress, Silent
from pvd.records import Item

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.protocols import Prepared, Student

PART = 512  # pictures in a file on disk
HELD = 2 * 10**9  # bytes in memory of what found no room there


class Source(Protocol):
    """Where prepared pictures come from."""

    def take(self, rows: Tensor) -> Prepared:
        """Those of these rows, in their order."""


class Pictures:
    """The prepared pictures of some items, in their order: `rows` of what a source has."""

    def __init__(self, items: Sequence[Item], source: Source, rows: Tensor | None = None) -> None:
        import torch

        self.items: tuple[Item, ...] = tuple(items)
        self.index: dict[str, int] = {item.id: number for number, item in enumerate(items)}
        self._source = source
        self._rows = torch.arange(len(items)) if rows is None else rows

    def take(self, indices: Tensor) -> Prepared:
        """The prepared pictures with these indices."""
        return self._source.take(self._rows[indices])

    def subset(self, items: Iterable[Item]) -> Pictures:
        """The pictures of these items; nothing is copied."""
        import torch

        chosen = tuple(items)
        rows = torch.tensor([self.index[item.id] for item in chosen], dtype=torch.long)
        return Pictures(chosen, self._source, self._rows[rows])

    def __len__(self) -> int:
        return len(self.items)


class Memory:
    """Prepared pictures as they are."""

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared

    def take(self, rows: Tensor) -> Prepared:
        """Those of these rows."""
        if isinstance(self._prepared, Mapping):
            return {name: tensor[rows] for name, tensor in self._prepared.items()}
        return self._prepared[rows]


class Disk:
    """Pictures that are kept on disk; others are in memory, and where that would be too much they
    are prepared whenever they are taken."""

    def __init__(self, kept: Kept, student: Student, items: Sequence[Item], held: _Held) -> None:
        import torch

        self._kept, self._student, self._items = kept, student, items
        self._places = kept.find([item.digest for item in items])
        index = {id: number for number, id in enumerate(held.ids)}
        self._held = torch.tensor([index.get(item.id, -1) for item in items], dtype=torch.long)
        self._memory = Memory(joined(held.prepared)) if held.prepared else None

    def take(self, rows: Tensor) -> Prepared:
        """Those of these rows."""
        import torch

        places, held = self._places[rows], self._held[rows]
        on_disk = places >= 0
        in_memory = ~on_disk & (held >= 0)
        nowhere = ~on_disk & ~in_memory
        found: list[Prepared] = []
        if bool(on_disk.any()):
            found.append(self._kept.take(places[on_disk]))
        if self._memory is not None and bool(in_memory.any()):
            found.append(self._memory.take(held[in_memory]))
        missing = [self._items[row] for row in rows[nowhere].tolist()]
        made = (block.prepared for block in prepared(self._student, missing))
        found += [one for one in made if one is not None]
        if len(found) == 1:
            return found[0]
        order = torch.cat([mask.nonzero()[:, 0] for mask in (on_disk, in_memory, nowhere)])
        return Memory(joined(found)).take(order.argsort())


class _Held:
    """What found no room on disk: in memory, up to a bound."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.prepared: list[Prepared] = []
        self._bytes = 0

    def add(self, items: Sequence[Item], prepared: Prepared) -> None:
        tensors = prepared.values() if isinstance(prepared, Mapping) else [prepared]
        self._bytes += sum(tensor.nbytes for tensor in tensors)
        if self._bytes <= HELD:
            self.ids += [item.id for item in items]
            self.prepared.append(prepared)


def prepare(
    student: Student,
    items: Sequence[Item],
    progress: Progress | None = None,
    kept: Kept | None = None,
) -> tuple[Pictures, list[tuple[Item, str]]]:
    """Decode and prepare every picture that is not kept yet; without `kept`, in memory. And the
    items left out, each with the reason: up to 1 % may be bad; more raises BadInput.
    """
    progress = progress or Silent()
    bad: list[tuple[Item, str]] = []
    made: list[Prepared] = []
    new: list[Item] = []
    held = _Held()

    def put_away() -> None:
        assert kept is not None
        block = joined(made)
        if not kept.add([item.digest for item in new], block):
            held.add(new, block)
        new.clear()
        made.clear()

    with progress.stage("preparing pictures", len(items), "images"):
        for block in prepared(student, items, kept):
            bad += block.bad
            if block.prepared is not None:
                new += block.items
                made.append(block.prepared)
            if kept is not None and len(new) >= PART:
                put_away()
            progress.find(len(block.known))
            progress.advance(len(block) - len(block.known))
    check_bad(bad, len(items))
    if kept is None:
        return Pictures(new, Memory(joined(made))), bad
    if new:
        put_away()
    kept.settle()
    left_out = {item.id for item, _ in bad}
    shelf = [item for item in items if item.id not in left_out]
    return Pictures(shelf, Disk(kept, student, shelf, held)), bad


def joined(blocks: Sequence[Prepared]) -> Prepared:
    """The blocks as one."""
    import torch

    # A student returns the one or the other, always; isinstance() tells mypy which.
    mappings = [block for block in blocks if isinstance(block, Mapping)]
    if mappings:
        return {name: torch.cat([block[name] for block in mappings]) for name in mappings[0]}
    return torch.cat([block for block in blocks if not isinstance(block, Mapping)])

"""Scoring in blocks: pictures are prepared once, embedded when the student changed, and compared
with the personas' texts by cosine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from pvd.errors import BadInput
from pvd.progress import Progress, Silent
from pvd.records import Item

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from pvd.protocols import Prepared, Student

BLOCK = 256  # images embedded at once
DECODED = 32  # pictures in a block; two blocks are in memory, one of 40 megapixels has 120 MB
BAD_SHARE = 0.01  # of the items; more bad pictures than this are an error


class Pictures:
    """The prepared pictures of some items, in their order."""

    def __init__(self, items: Sequence[Item], prepared: Prepared) -> None:
        self.items = tuple(items)
        self.index = {item.id: number for number, item in enumerate(items)}
        self._prepared = prepared

    def take(self, indices: Tensor) -> Prepared:
        """The prepared pictures with these indices."""
        if isinstance(self._prepared, Mapping):
            return {name: tensor[indices] for name, tensor in self._prepared.items()}
        return self._prepared[indices]

    def subset(self, items: Iterable[Item]) -> Pictures:
        """The pictures of these items."""
        import torch

        chosen = tuple(items)
        return Pictures(chosen, self.take(torch.tensor([self.index[item.id] for item in chosen])))

    def __len__(self) -> int:
        return len(self.items)


def prepare(
    student: Student, items: Sequence[Item], progress: Progress | None = None
) -> tuple[Pictures, list[tuple[Item, str]]]:
    """Decode and prepare every picture once; and the items left out, each with the reason.

    Up to 1 % may be bad; more raises BadInput.
    """
    progress = progress or Silent()
    good: list[Item] = []
    bad: list[tuple[Item, str]] = []
    blocks: list[Prepared] = []
    with progress.stage("preparing pictures", len(items), "images"):
        for block in prepared(student, items):
            good += block.items
            bad += block.bad
            if block.prepared is not None:
                blocks.append(block.prepared)
            progress.advance(len(block.items) + len(block.bad))
    check_bad(bad, len(items))
    return Pictures(good, _join(blocks)), bad


@dataclass(frozen=True)
class Block:
    """Some items in their order: the good ones with their prepared pictures (None if there are no
    good ones), and the bad ones, each with the reason."""

    items: list[Item]
    prepared: Prepared | None
    bad: list[tuple[Item, str]]


def prepared(student: Student, items: Sequence[Item]) -> Iterator[Block]:
    """Every picture, block by block; no block is kept.

    Decoding runs in threads, a block ahead of the student: Pillow lets them.
    """
    parts = [items[start : start + DECODED] for start in range(0, len(items), DECODED)]
    with ThreadPoolExecutor() as pool:
        ahead = pool.map(_open, parts[0] if parts else ())
        for part, following in zip_longest(parts, parts[1:], fillvalue=()):
            images = list(ahead)
            ahead = pool.map(_open, following)
            yield _block(student, part, images)


def _block(student: Student, part: Sequence[Item], opened: Sequence[Image | str]) -> Block:
    good, bad, images = [], [], []
    for item, image in zip(part, opened, strict=True):
        if isinstance(image, str):
            bad.append((item, image))
        else:
            good.append(item)
            images.append(image)
    return Block(good, student.prepare(images) if images else None, bad)


def check_bad(bad: Sequence[tuple[Item, str]], count: int) -> None:
    """Raise BadInput if more than 1 % of so many pictures are bad."""
    if len(bad) > BAD_SHARE * count:
        raise BadInput(
            f"{len(bad)} of {count} pictures cannot be used, and at most {BAD_SHARE:.0%} may "
            f"be left out. {bad[0][1]}"
        )


def _open(item: Item) -> Image | str:
    try:
        return item.open()
    except BadInput as error:
        return str(error)
    except FileNotFoundError:
        return f"There is no image of {item.where}; bring it, or take the item out."
    except OSError as error:
        return f"The image of {item.where} cannot be read ({error.strerror}); replace the file."


def _join(blocks: Sequence[Prepared]) -> Prepared:
    import torch

    # A student returns the one or the other, always; isinstance() tells mypy which.
    mappings = [block for block in blocks if isinstance(block, Mapping)]
    if mappings:
        return {name: torch.cat([block[name] for block in mappings]) for name in mappings[0]}
    return torch.cat([block for block in blocks if not isinstance(block, Mapping)])


def embed(student: Student, pictures: Pictures) -> Tensor:
    """[N, D], the student's embeddings as it is now."""
    import torch

    with torch.inference_mode():
        blocks = [
            student.embed_prepared(
                pictures.take(torch.arange(start, min(start + BLOCK, len(pictures))))
            )
            for start in range(0, len(pictures), BLOCK)
        ]
        return torch.cat(blocks).cpu()


def embed_texts(student: Student, texts: Sequence[str]) -> Tensor:
    """[P, D], the frozen embeddings of the texts."""
    import torch

    with torch.inference_mode():
        return student.embed_texts(texts).cpu()


def cosines(texts: Tensor, images: Tensor) -> Tensor:
    """[P, N]; both sides have unit length."""
    return texts @ images.T

"""Pictures, block by block: read and decoded in threads, prepared by the student."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING

from pvd.errors import BadInput
from pvd.isolation import checks
from pvd.pictures.kept import Kept
from pvd.records import Item

if TYPE_CHECKING:
    from PIL.Image import Image

    from pvd.protocols import Prepared, Student

DECODED = 32  # pictures in a block; two blocks are in memory, one of 40 megapixels has 120 MB
BAD_SHARE = 0.01  # of the items; more bad pictures than this are an error


@dataclass(frozen=True)
class Block:
    """Some items: the good ones with their prepared pictures (None if there are no good ones), the
    bad ones, each with the reason, and those that are kept already."""

    items: list[Item]
    prepared: Prepared | None
    bad: list[tuple[Item, str]]
    known: list[Item]

    def __len__(self) -> int:
        return len(self.items) + len(self.bad) + len(self.known)


def prepared(student: Student, items: Sequence[Item], kept: Kept | None = None) -> Iterator[Block]:
    """Every picture that is not kept, block by block; no block is held.

    Decoding runs in threads, a block ahead of the student: Pillow lets them.
    """
    parts = [items[start : start + DECODED] for start in range(0, len(items), DECODED)]
    opened = partial(_open, kept)
    with ThreadPoolExecutor() as pool:
        ahead = pool.map(opened, parts[0] if parts else ())
        for part, following in zip_longest(parts, parts[1:], fillvalue=()):
            images = list(ahead)
            ahead = pool.map(opened, following)
            yield _block(student, part, images)


def _block(student: Student, part: Sequence[Item], opened: Sequence[Image | str | None]) -> Block:
    good, bad, known, images = [], [], [], []
    for item, image in zip(part, opened, strict=True):
        if image is None:
            known.append(item)
        elif isinstance(image, str):
            bad.append((item, image))
        else:
            good.append(item)
            images.append(image)
    made = checks.prepared(student, student.prepare(images), len(images)) if images else None
    return Block(good, made, bad, known)


def check_bad(bad: Sequence[tuple[Item, str]], count: int) -> None:
    """Raise BadInput if more than 1 % of so many pictures are bad."""
    if len(bad) > BAD_SHARE * count:
        raise BadInput(
            f"{len(bad)} of {count} pictures cannot be used, and at most {BAD_SHARE:.0%} may "
            f"be left out. {bad[0][1]}"
        )


def _open(kept: Kept | None, item: Item) -> Image | str | None:
    """The picture, or what is wrong with it; None if what is prepared of it is kept."""
    try:
        data = item.read()
        if kept is not None and item.digested(data) in kept:
            return None
        return item.decoded(data)
    except BadInput as error:
        return str(error)
    except FileNotFoundError:
        return f"There is no image of {item.where}; bring it, or take the item out."
    except OSError as error:
        return f"The image of {item.where} cannot be read ({error.strerror}); replace the file."

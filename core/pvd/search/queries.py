"""What an index is asked with, or filled with, looked at before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from pvd.errors import BadInput, UsageError
from pvd.isolation.origin import shown
from pvd.records import Item

if TYPE_CHECKING:
    from pvd.search.indexing import Batch


def check_count(k: object) -> None:
    """UsageError if it is no number of hits."""
    if not isinstance(k, Integral) or isinstance(k, bool):
        raise UsageError(f"k must be a whole number, not {shown(k)}.")
    if int(k) < 1:
        raise UsageError(f"k must be at least 1, not {k}.")


def check_texts(texts: Sequence[object]) -> list[str]:
    """The texts, if they can be embedded."""
    for text in texts:
        if not isinstance(text, str):
            raise BadInput(
                f"search takes a text, a list of texts, or vectors [Q, D] of numpy or torch; in "
                f"the list is {shown(text)}."
            )
        if not text.strip():
            raise UsageError("A text is blank; write what is searched for.")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise UsageError(f"The text {text!r} is not UTF-8; set the terminal to UTF-8.")
    return [str(text) for text in texts]


def check_vectors(vectors: Any, width: int) -> None:
    """BadInput if they are no vectors of this width."""
    if not (hasattr(vectors, "shape") and hasattr(vectors, "ndim")):
        raise BadInput(
            f"search takes a text, a list of texts, or vectors [Q, {width}] of numpy or torch, not "
            f"{shown(vectors)}."
        )
    if vectors.ndim != 2 or vectors.shape[1] != width:
        raise BadInput(
            f"The vectors to search with have the shape {list(vectors.shape)}, and the index has "
            f"vectors of width {width}; give [Q, {width}] of the same student."
        )


def check_items(items: object, takes: str) -> None:
    """BadInput if they are no items, where a method `takes` some."""
    if isinstance(items, Item):
        raise BadInput(f"{takes}, not the item {items.id!r} alone; write [item].")
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise BadInput(f"{takes}, not {shown(items)}.")
    for one in items:
        if not isinstance(one, Item):
            raise BadInput(f"{takes}, and one of them is {shown(one)}.")


def checked_batch(batch: object) -> Batch:
    """Items with their vectors, of one batch of `add_vectors`."""
    takes = "add_vectors takes a list of pairs of items and vectors [n, D] of numpy or torch"
    if not (isinstance(batch, tuple | list) and len(batch) == 2) or isinstance(batch[0], Item):
        raise BadInput(f"{takes}, and one of them is {shown(batch)}; write [(items, vectors)].")
    items, vectors = batch
    check_items(items, takes)
    if not (hasattr(vectors, "shape") and hasattr(vectors, "ndim")):
        raise BadInput(f"{takes}, and with {len(items)} items came {shown(vectors)}.")
    return items, vectors

"""What a caller hands to a student, looked at before the student could be blamed for it.

A text alone is a sequence too, of its letters, and would be embedded letter by letter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from pvd.isolation.origin import shown
from pvd.records import Item

PREPARED = "write embed_prepared(prepare(images))"


def texts(given: object) -> str:
    """What is wrong with the texts of `embed_texts`, and how to mend it; nothing if they will do.
    None at all will do: the answer has no rows."""
    takes = "embed_texts takes a list of texts"
    if isinstance(given, str):
        return f"{takes}, not {_cited(given)}; write [{_cited(given)}]"
    if not _is_list(given):
        return f"{takes}, not {shown(given)}; write for example ['red shoes']"
    if odd := [one for one in given if not isinstance(one, str)]:
        one = shown(odd[0])
        return f"{takes}, and one of them is {one}; write text in its place, or leave it out"
    return ""


def pictures(given: object) -> str:
    """The same of the pictures of `prepare`, one at least."""
    from PIL.Image import Image

    takes = "prepare takes a list of pictures (PIL.Image)"
    if isinstance(given, (Image, Item, str, Path)):
        return f"{takes}, not {_named(given)}; write [{_opened(given)}]"
    if not _is_list(given):
        return f"{takes}, not {shown(given)}; write for example [item.open()]"
    if not len(given):
        return f"{takes}, one at least, and got none; leave the call out"
    if odd := [one for one in given if not isinstance(one, Image)]:
        one = odd[0]
        return f"{takes}, and one of them is {_named(one)}; write {_opened(one)} in its place"
    return ""


def prepared(given: object) -> str:
    """The same of what `embed_prepared` embeds."""
    if isinstance(given, Mapping) or hasattr(given, "shape"):
        return ""
    return f"embed_prepared takes what prepare returned, not {_named(given)}; {PREPARED}"


# By method: the name of the argument, and what looks at it.
LOOKS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "embed_texts": ("texts", texts),
    "prepare": ("images", pictures),
    "embed_prepared": ("prepared", prepared),
}


def _is_list(given: object) -> TypeGuard[Collection[object]]:
    """Whether it has a length and can be read more than once: not a generator, not a table."""
    return isinstance(given, Collection) and not isinstance(given, (bytes, Mapping))


def _named(given: object) -> str:
    if isinstance(given, Item):
        return f"the item {given.id!r}"
    if isinstance(given, (str, Path)):
        return f"the path {_cited(str(given))}"
    return "one picture" if hasattr(given, "getbands") else shown(given)


def _opened(given: object) -> str:
    if isinstance(given, Item):
        return "item.open()"
    if isinstance(given, (str, Path)):
        return f"PIL.Image.open({_cited(str(given))})"
    return "image"


def _cited(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")

"""Hits as a page: one file with the pictures in it, which loads nothing and runs nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from unicodedata import bidirectional, category

from pvd import pages
from pvd.errors import BadInput
from pvd.images import jpeg
from pvd.records import Item
from pvd.search.index import Hit, Index

SIDE = 320  # pixels of a thumbnail
ABOUT, EACH = 100, 32  # letters of what stands below a picture, and of one value there
TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def render(
    index: Index,
    texts: Sequence[str],
    found: Sequence[Sequence[Hit]],
    items: Mapping[str, Item] | None = None,
) -> tuple[str, list[str]]:
    """The page, and what is wrong with each picture that could not be shown. Pictures are taken
    from `items`, by id, or else from where they were when they were embedded.
    """
    thumbs: dict[str, str] = {}
    missing: list[str] = []
    for hit in {hit.id: hit for hits in found for hit in hits}.values():
        try:
            thumbs[hit.id] = _thumb(hit, items)
        except (BadInput, OSError) as error:
            missing.append(f"{hit.id}: {getattr(error, 'strerror', None) or error}")
    page = pages.render(
        "hits.html.j2",
        about,
        headline=headline(index),
        told=index.told,
        queries=list(zip(texts, found, strict=True)),
        thumbs=thumbs,
    )
    return page, missing


def headline(index: Index) -> str:
    """What was searched: how much, and with whose vectors."""
    whole = " (not whole)" * index.unfinished
    said = f"{len(index):,} items in {index.folder.resolve().name}{whole}"
    if not (student := index.card["student"]):
        return said
    origin = index.card.get("origin")
    name = student["name"].partition(".")[2]
    return f"{said}, embedded by the student {name}" + (f" ({origin})" if origin else "")


def printable(text: str) -> str:
    """Foreign text in one line that a terminal shows and does not obey: without control characters
    and what turns the direction of the text after it."""
    shown = " ".join(text.encode("utf-8", "replace").decode().split())
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if category(c) == "Cc" or bidirectional(c) in TURNS else c
        for c in shown
    )


def about(hit: Hit) -> str:
    """What is known of a hit but its title, in one short line, with the columns' names."""
    known = {name: value for name, value in hit.attributes.items() if value and name != "split"}
    return _cut(", ".join(f"{name}: {_cut(value, EACH)}" for name, value in known.items()), ABOUT)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _thumb(hit: Hit, items: Mapping[str, Item] | None) -> str:
    if items is not None:
        if hit.id not in items:
            raise BadInput("it is not in the catalogue")
        item = items[hit.id]
    elif hit.image is None:
        raise BadInput("its picture was no file; name it again, as in --catalog SOURCE:PATH")
    else:
        item = Item(hit.id, hit.image)
    picture = base64.b64encode(jpeg(item.open(), SIDE, quality=80)).decode()
    return f"data:image/jpeg;base64,{picture}"

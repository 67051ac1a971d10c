"""What sources bring, looked at once where core receives it, and by their contract: whatever reads
an id, a title or an attribute later, in a teacher or a table, finds text.

A catalogue may have a million items: nothing here costs more than a glance at each value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pvd.errors import BadInput
from pvd.images import no_image
from pvd.isolation.checks import check_type
from pvd.isolation.origin import broken, error_line, shortened, shown
from pvd.records import Catalog, Item, Persona, check_distinct


def items(source: Any, catalog: Catalog) -> Catalog:
    """What `catalog` returned: items with ids, one at least, each with a picture, and with text
    as its title and attributes."""
    check_type(source, "catalog", catalog)
    _some(source, catalog, "items")
    for number, item in enumerate(catalog.items):
        if not (
            isinstance(item, Item)
            and isinstance(item.id, str)
            and item.id.strip()
            and isinstance(item.attributes, Mapping)
        ):
            what = shown(item)
            if isinstance(item, Item):
                what = f"an item of id {item.id!r} and attributes {item.attributes!r}"
                what = shortened(what, 90)
            raise broken(
                source,
                f"returned {what} as item {number + 1} of its catalogue",
                "it must hold pvd.Item, each with text as its id and a mapping as its attributes",
            )
        if why := no_image(item.image):
            raise broken(source, f"returned item {item.id!r}, whose image {why[0]}", why[1])
        if not (item.title is None or isinstance(item.title, str)):
            title = shortened(repr(item.title))
            raise broken(
                source,
                f"returned item {item.id!r}, which has the title {title}",
                "a title is text, or None",
            )
        for key, value in item.attributes.items():
            if not (isinstance(key, str) and isinstance(value, str)):
                attribute = shortened(f"{key!r}: {value!r}")
                raise broken(
                    source,
                    f"returned item {item.id!r}, which has the attribute {attribute}",
                    "both are text, str(...)",
                )
    return catalog


def personas(source: Any, found: object) -> list[Persona]:
    """What `personas` returned: personas with texts and ids of their own, one at least, and with
    attributes that are JSON."""
    must = "it must return a list of pvd.Persona, each with an id and a text"
    if isinstance(found, str) or not isinstance(found, Iterable):
        raise broken(source, f"returned {shown(found)} from personas", must)
    people = list(found)
    for number, one in enumerate(people):
        if not isinstance(one, Persona):
            raise broken(source, f"returned {shown(one)} as persona {number + 1}", must)
        for what in (one.id, one.text):
            if not (isinstance(what, str) and what.strip()):
                raise broken(source, f"returned {shown(what)} in persona {number + 1}", must)
        try:  # as a run writes them where it labels
            if not isinstance(one.attributes, Mapping):
                raise TypeError(f"{shown(one.attributes)} is no mapping")
            json.dumps(dict(one.attributes), sort_keys=True)
        except (TypeError, ValueError, RecursionError) as error:
            raise broken(
                source,
                f"returned persona {one.id!r}, whose attributes are no JSON ({error_line(error)})",
                "they must be a mapping of text, numbers, lists and mappings alone",
            ) from error
    _some(source, people, "personas")
    check_distinct((one.id for one in people), f"personas in {source.path or source.label}")
    return people


def _some(source: Any, found: Sequence[object], what: str) -> None:
    """BadInput, not the plug-in's fault: the path may be that of an empty file."""
    if not len(found):
        raise BadInput(f"There are no {what} in {source.path or source.label}; a run needs some.")

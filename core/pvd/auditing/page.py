"""The audit's page: who can be trusted, how biased and how dear, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pvd import pages
from pvd.auditing import charts, wording
from pvd.errors import BadInput
from pvd.money.amounts import count
from pvd.pages import flat, show
from pvd.prose import JOINED
from pvd.records import Item
from pvd.summary import thumb

ONE = {1: "One teacher", 2: "Two teachers", 3: "Three teachers", 4: "Four teachers"}


def render(found: Mapping[str, Any], items: Mapping[str, Item]) -> str:
    """The page as one HTML file that loads nothing and runs nothing."""
    cards = found["teachers"]
    shown = {
        id: _picture(items[id])
        for one in found["disagreements"]
        for row in one["rows"]
        for id in row["items"]
    }
    pictures = [charts.by_place(cards), charts.reliability(cards)]
    return pages.render(
        "audit.html.j2",
        *(count, show, in_words, plain, dollars, seconds),
        wide=wording.plain,
        in_percent=wording.percent,
        audit=found,
        cards=cards,
        design=found["design"],
        headline=headline(found),
        favour=wording.favour,
        probability=wording.probability,
        rows=wording.rows(found),
        pictures=shown,
        charts=[chart for chart in pictures if chart],
        settings={card["label"]: list(flat(card["teacher"])) for card in cards},
        prompts=any(pair["prompt_only"] for pair in found["between"]),
    )


def headline(found: Mapping[str, Any]) -> str:
    """What was done, in one sentence."""
    cards, design = found["teachers"], found["design"]
    who = cards[0]["label"] if len(cards) == 1 else ONE.get(len(cards), f"{len(cards)} teachers")
    each = "" if len(cards) == 1 else ", the same for all"
    return (
        f"{who}, asked about {count(design['slates'], 'slate')} in {design['orders']} orders"
        f"{each}: how far can the answers be trusted?"
    )


def in_words(estimate: Mapping[str, Any]) -> str:
    """A share with its interval, whose percent sign stays with it."""
    return wording.in_words(estimate).replace(" %", f"{JOINED}%")


def plain(estimate: Mapping[str, Any] | None) -> str:
    """A number with its interval."""
    return str(wording.plain(estimate))


def dollars(estimate: Mapping[str, Any] | None) -> str:
    """An amount of money with its interval."""
    return str(wording.dollars(estimate))


def seconds(estimate: Mapping[str, Any] | None) -> str:
    """Seconds with their interval."""
    return str(wording.significant(estimate, 2))


def _picture(item: Item) -> dict[str, str]:
    """An item's name and its picture, as far as it can be opened."""
    try:
        small = thumb(item)
    except BadInput:  # a teacher that never looked at it may have ranked it all the same
        small = ""
    return {"title": item.title or item.id, "thumb": small}

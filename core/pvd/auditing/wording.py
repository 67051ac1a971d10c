"""The numbers of an audit in words, for the terminal and the page alike.

A sentence is worded by an interval, and an interval around zero is never called none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pvd.money.amounts import money
from pvd.prose import fixed

Found = Mapping[str, Any]  # an estimate, or a part of audit.json
NOTHING = "unknown"
LOG_ODDS = "logprob"  # the kind of utilities that promise a chance
SURE = 0.995  # a predicted chance that the next answer can hardly surpass


@dataclass(frozen=True)
class Cell:
    """A number and its interval, as text."""

    value: str
    interval: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.interval})" if self.interval else self.value


@dataclass(frozen=True)
class Row:
    """One figure of all teachers: what it is, in short and for who wants to know, and the cells."""

    title: str
    about: str
    cells: tuple[Cell, ...]


def percent(estimate: Found | None) -> Cell:
    """A share in percent, with one decimal."""
    return _cell(estimate, lambda value: fixed(100 * value, 1))


def in_words(estimate: Found) -> str:
    """A share in percent, within a sentence."""
    cell = percent(estimate)
    return f"{cell.value} % ({cell.interval})"


def plain(estimate: Found | None, decimals: int = 2) -> Cell:
    """A number as it is."""
    return _cell(estimate, lambda value: fixed(value, decimals))


def significant(estimate: Found | None, digits: int = 3) -> Cell:
    """A number of any size, with so many digits; its interval has the same decimals."""
    size = abs(estimate["value"] or estimate["high"]) if estimate else 0
    above = math.floor(math.log10(size)) + 1 if size else 1  # digits before the point
    return plain(estimate, max(digits - above, 0))


def dollars(estimate: Found | None) -> Cell:
    """An amount of money; nothing where the answers are free."""
    if estimate is not None and not estimate["high"]:
        return Cell("nothing")
    return _cell(estimate, money)


def _cell(estimate: Found | None, show: Any) -> Cell:
    if estimate is None:
        return Cell(NOTHING)
    return Cell(show(estimate["value"]), f"{show(estimate['low'])} to {show(estimate['high'])}")


def probability(p: float | None) -> str:
    """Of a test; from 9,999 permutations no more can be told than this."""
    if p is None:
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def favour(card: Found) -> str:
    """What the place does to a rank, as the end of a sentence about the teacher."""
    slope, p = card["place"]["ranks"], card["place"]["p"]
    if slope is None or p is None:
        return "has too few usable answers to tell what a place does"
    if slope["low"] > 0:
        return "favours what is shown first"
    if slope["high"] < 0:
        return "favours what is shown last"
    if p < 0.05:
        return "treats places differently, though not from first to last"
    return "shows no clear favour for a place"


def bias(card: Found) -> str:
    """The same with numbers."""
    slope, p = card["place"]["ranks"], card["place"]["p"]
    if slope is None or p is None:
        return favour(card)
    return f"{favour(card)} (the first gains {plain(slope)} ranks on the last; p {_equals(p)})"


def _equals(p: float) -> str:
    said = probability(p)
    return said if said.startswith("<") else f"= {said}"


def steadiness(card: Found) -> str:
    """How often the best item stays the best, as the end of a sentence about the teacher."""
    top, luck = card["itself"]["top"], card["itself"]["chance"]["top"]
    if top is None:
        return "gave too few usable answers to be compared with itself"
    said = f"in {in_words(top)} of cases, by luck {fixed(100 * luck, 0)} %"
    if top["low"] <= luck:
        return f"names the same best item in another order not clearly more often than luck: {said}"
    return f"names the same best item in another order {said}"


def ties(card: Found) -> str:
    """How often several items are the best, as the end of a sentence about the teacher; nothing
    where one always is."""
    tied = card["itself"].get("tied")  # not in what an older version wrote
    return (
        f"ties its best item in {in_words(tied)} of its answers" if tied and tied["value"] else ""
    )


def always(card: Found) -> bool:
    """Whether two items were never ordered otherwise than the utilities order them, however close
    they are: no slope is steep enough then."""
    found = card["calibration"]
    if found is None or found["slope"] is not None or found["error"] is None:
        return False
    return any(one["predicted"] > 0.5 for one in found["bins"])


def sureness(card: Found) -> str:
    """Whether the utilities say how sure the order is, as a sentence about the teacher; of scores
    in a unit of their own, by what they are log-odds."""
    label, slope = card["label"], (card["calibration"] or {}).get("slope")
    if always(card):
        chances = (one["predicted"] for one in card["calibration"]["bins"])
        less = min(chance for chance in chances if chance > 0.5) < SURE
        return f"{label} always decided the same way" + (
            ", so its differences promise too little" if less else ""
        )
    if slope is None:
        return f"{label} gave too little to tell how sure it is"
    if card["place"]["kind"] != LOG_ODDS:
        return f"{label}: its scores are log-odds if multiplied by {significant(slope, 2)}"
    sure = "surer than it should be" if slope["high"] < 1 else "not clearly too sure"
    sure = "less sure than it could be" if slope["low"] > 1 else sure
    return f"{label} is {sure} (slope {significant(slope, 2)})"


def _slope(card: Found) -> Cell:
    if always(card):
        return Cell("unbounded")
    return significant((card["calibration"] or {}).get("slope"))


def _error(card: Found) -> Cell:
    if card["place"]["kind"] != LOG_ODDS:  # a distance from chances that were never promised
        return Cell(NOTHING)
    return plain((card["calibration"] or {}).get("error"), 3)


def verdict(card: Found) -> str:
    """A teacher in one sentence."""
    unusable = card["answers"]["unusable"]
    lost = f"{in_words(unusable)} of its answers cannot be used" if unusable else ""
    price = card["cost"]["per_thousand"]
    cost = "its price is unknown" if price is None else f"a thousand answers cost {dollars(price)}"
    parts = [steadiness(card), *filter(None, [ties(card)]), bias(card), *filter(None, [lost]), cost]
    return f"{card['label']} {'; '.join(parts)}."


def comparison(pair: Found) -> str:
    """Whether two teachers have one taste, in a sentence."""
    a, b = pair["a"], pair["b"]
    missing, most = pair["tau_missing"], pair["tau_ceiling"]
    if pair["tau"] is None or missing is None or most is None:
        return f"{a} and {b}: too few slates with answers by both."
    agreed = f"tau {plain(pair['tau'])}, where their own noise would allow {plain(most)}"
    if missing["low"] > 0:
        what = "The prompt changes the order" if pair["prompt_only"] else "They differ in taste"
        return f"{a} and {b}: {agreed}. {what}: {plain(missing)} is missing."
    what = "the prompt changes the order" if pair["prompt_only"] else "they differ in taste"
    high = fixed(max(missing["high"], 0), 2)
    return f"{a} and {b}: {agreed}. Whether {what} is not resolved: at most {high} is missing."


def rows(found: Found) -> list[Row]:
    """The figures of all teachers side by side; what no teacher has is left out."""
    cards: Sequence[Found] = found["teachers"]
    times = [found["latency"][card["label"]] for card in cards]
    chance = fixed(100 * cards[0]["itself"]["chance"]["top"], 0)
    table = [
        _row("unusable, %", "answers that brought no ranking", cards,
             lambda c: percent(c["answers"]["unusable"])),
        *(
            _row(f"  {name}, %", about, cards, lambda c, n=name: percent(c["answers"][n]))
            for name, about in WRONG.items()
            if any((card["answers"][name] or {}).get("value") for card in cards)
        ),
        _row("same best item, %", f"in two orders of a slate; by luck {chance} %", cards,
             lambda c: percent(c["itself"]["top"])),
        _row("ties its best, %", "answers with several best items, which share the place", cards,
             lambda c: percent(c["itself"].get("tied"))),
        _row("tau with itself", "Kendall's tau-b of two orders; by luck 0", cards,
             lambda c: plain(c["itself"]["tau"])),
        _row("first place, ranks", "gained on the last place; without bias 0", cards,
             lambda c: plain(c["place"]["ranks"])),
        _row("place matters, p", "permutation test within slates", cards,
             lambda c: Cell(probability(c["place"]["p"]))),
        _row("first place, utility", "what it adds to the last, in units of utility", cards,
             lambda c: plain(c["place"]["utility"])),
        _row("noise, Gumbel scale", "of an item's utility from order to order", cards,
             lambda c: plain(c["noise"]["gumbel"])),
        _row("circular triples, %", "of comparisons of two; a coin makes 25 %", cards,
             lambda c: percent((c["pairs"] or {}).get("intransitive"))),
        _row("  by noise alone, %", "predicted from noise and utilities", cards,
             lambda c: percent((c["pairs"] or {}).get("noise_alone"))),
        _row("first of two wins, %", "without bias 50 %", cards,
             lambda c: percent((c["pairs"] or {}).get("first_wins"))),
        _row("calibration slope",
             "of differences of utility as log-odds; 1 is right; unbounded: never otherwise", cards,
             _slope),
        _row("calibration error", "of log-odds: predicted against observed, mean distance", cards,
             _error),
        _row("$ per 1,000 slates", "one answer each, readable or not", cards,
             lambda c: dollars(c["cost"]["per_thousand"])),
        _row("tokens in, a slate", "read by the teacher", cards,
             lambda c: plain(c["cost"]["tokens_in"], 0)),
        _row("tokens out, a slate", "written, hidden thinking included", cards,
             lambda c: plain(c["cost"]["tokens_out"], 0)),
        *(
            Row(f"seconds a call, {name}", about,
                tuple(significant(time[name], 2) for time in times))
            for name, about in (("p50", "half are faster"), ("p95", "one of twenty is slower"))
        ),
    ]  # fmt: skip
    empty = ("0 (0 to 0)", NOTHING)
    return [row for row in table if any(str(cell) not in empty for cell in row.cells)]


WRONG = {
    "malformed": "no ranking could be read",
    "refused": "the model would not answer",
    "rejected": "the provider did not take the question",
    "partial": "usable, but without a place for every item",
}


def _row(title: str, about: str, cards: Sequence[Found], cell: Any) -> Row:
    return Row(title, about, tuple(cell(card) for card in cards))

"""What an exam measures: which systems sit it, what its numbers are called, and how they are
written, so that terminal, pages and cards say the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pvd.prose import MINUS, fixed

Estimate = Mapping[str, Any]  # as metrics.json holds one

# Name before the "@": label, decimals, least and most, in the order shown. Others may come from
# plug-ins.
METRICS = {
    "mpr": ("MPR", 1, 0.0, 100.0),
    "mpr_true": ("true MPR", 1, 0.0, 100.0),
    "ndcg": ("nDCG", 3, 0.0, 1.0),
    "kendall": ("Kendall's tau", 2, -1.0, 1.0),
    "hit": ("hit", 1, 0.0, 100.0),
    "drift": ("drift", 3, 0.0, 2.0),
}
RANKS = ("mpr", "mpr_true")  # in points of percentile rank, which the words are about
# In the order shown; `text` sits in comparisons alone.
SYSTEMS = {
    "random": "the items in random order",
    "zero-shot": "the student before training",
    "persona-blind": "trained, but asked with the mean persona for everybody",
    "shuffled-persona": "trained, but asked with another persona",
    "distilled": "the student after training",
    "text": "the items' titles by the student's text tower",
    "oracle": "the judge's own utilities",
}


def measure(exam: Mapping[str, Any]) -> str:
    """The metric that the words are about: against the truth where it is known."""
    return "mpr_true" if "mpr_true" in exam["systems"]["distilled"] else "mpr"


def is_own(metric: str) -> bool:
    """Whether a plug-in brought it: we know neither its name nor its unit."""
    return metric.partition("@")[0] not in METRICS


def spanned(metric: str) -> tuple[float, float]:
    """The least and the most that it can be; without ends for what plug-ins bring."""
    known = METRICS.get(metric.partition("@")[0])
    return known[2:] if known else (-math.inf, math.inf)


def metric_place(metric: str) -> int:
    """Where it stands among others; what plug-ins bring comes last."""
    name = metric.partition("@")[0]
    return list(METRICS).index(name) if name in METRICS else len(METRICS)


def metric_label(metric: str) -> str:
    """What it is called: `MPR`, `hit@20`."""
    name, at, k = metric.partition("@")
    return f"{METRICS.get(name, (name,))[0]}{at}{k}"


def heading(metric: str) -> str:
    """What heads its column, where nothing else says that it is a percentage: `hit@20 %`."""
    return (
        f"{metric_label(metric)} %" if metric.partition("@")[0] == "hit" else metric_label(metric)
    )


def system_label(system: str) -> str:
    """What it is called on the terminal, where a long name may break between words."""
    return "shuffled persona" if system == "shuffled-persona" else system


def decimals(rows: Iterable[Mapping[str, Estimate]]) -> dict[str, int]:
    """By metric, those that all its numbers get, differences as well. Of one that we do not know
    the largest number in the rows has three digits, and one decimal at least."""
    largest: dict[str, float] = {}
    for row in rows:
        for name, found in row.items():
            ends = (abs(found[end]) for end in ("value", "low", "high"))
            largest[name] = max(largest.get(name, 0.0), *ends)
    return {name: _decimals(name, most) for name, most in largest.items()}


def _decimals(metric: str, largest: float) -> int:
    known = METRICS.get(metric.partition("@")[0])
    if known is not None:
        return known[1]
    return 1 if largest >= 10 or not largest else min(2 - math.floor(math.log10(largest)), 9)


def number(value: float, metric: str, places: Mapping[str, int] | None = None) -> str:
    """A metric's value with the decimals that it deserves; `places` is what `decimals` says of its
    table, else the value alone decides."""
    return fixed(value, (places or {}).get(metric, _decimals(metric, abs(value))))


def signed(value: float, metric: str, places: Mapping[str, int] | None = None) -> str:
    """A difference with its sign."""
    text = number(value, metric, places)
    return text if text.startswith(MINUS) else f"+{text}"


def between(estimate: Estimate, metric: str, places: Mapping[str, int] | None = None) -> str:
    """The interval of a value: `66.0 to 76.1`."""
    low, high = (number(estimate[end], metric, places) for end in ("low", "high"))
    return f"{low} to {high}"


def interval(
    estimate: Estimate | None, metric: str, places: Mapping[str, int] | None = None
) -> str:
    """A value with its interval, as short as may be: `71.2 (66.0-76.1)`, `0.1 (-0.2 to 0.4)`;
    nothing where there is none."""
    if estimate is None:
        return ""
    ends = between(estimate, metric, places)
    ends = ends if MINUS in ends else ends.replace(" to ", "-")
    return f"{number(estimate['value'], metric, places)} ({ends})"


def change(estimate: Estimate, metric: str, places: Mapping[str, int] | None = None) -> str:
    """A difference with its interval: `+4.1 (+1.5 to +6.7)`."""
    value, low, high = (signed(estimate[end], metric, places) for end in ("value", "low", "high"))
    return f"{value} ({low} to {high})"

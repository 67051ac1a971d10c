"""The HTML report of a run: one file that says what changed, for whom, and how sure that is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pvd import figures, pages
from pvd.money.amounts import count, money
from pvd.records import added

# Name before the "@": label and decimals, in the order shown. Others may come from plug-ins.
METRICS = {
    "mpr": ("MPR", 1),
    "mpr_true": ("true MPR", 1),
    "ndcg": ("nDCG", 3),
    "kendall": ("Kendall's tau", 2),
    "hit": ("hit", 1),
    "drift": ("drift", 3),
}
RANKS = ("mpr", "mpr_true")  # in points of percentile rank, which the words are about
SYSTEMS = {
    "random": "the items in random order",
    "zero-shot": "the student before training",
    "persona-blind": "trained, but asked with the mean persona for everybody",
    "shuffled-persona": "trained, but asked with another persona",
    "distilled": "the student after training",
    "oracle": "the judge's own utilities",
}
MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
THUMB = re.compile(r"data:image/(?:jpeg|png|webp|gif);base64,[A-Za-z0-9+/=]+")

Estimate = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows of cells under a head, for what has no figure."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


def render(metrics: Mapping[str, Any], usage: Mapping[str, Any], gallery: Mapping[str, Any]) -> str:
    """The report as one HTML page that loads nothing and runs nothing, from what metrics.json,
    usage.json and gallery.json of a run hold."""
    exam, rounds = metrics["exam"], metrics["rounds"]
    names = (*(name for name in SYSTEMS if name in exam["systems"]), *exam["systems"])
    systems = {name: exam["systems"][name] for name in names}
    measured = sorted({n: None for row in systems.values() for n in row}, key=_place)
    charts = [
        figures.percentiles(exam["people"], exam["items"]),
        figures.reach(exam["people"], exam["items"]),
        figures.learning(rounds, metrics["best_round"], metrics["validation"]),
        drawn := figures.bins(rounds),
    ]
    return pages.render(
        "report.html.j2",
        *(cost, count, dollars, number, show, signed, thumb),
        run=metrics,
        exam=exam,
        usage=usage,
        gallery=gallery,
        headline=headline(metrics),
        otherwise=otherwise(metrics),
        scope=scope(metrics),
        personal=personal(metrics),
        memory=memory(metrics),
        measure=measure(exam),
        systems=systems,
        metrics=[name for name in measured if not is_own(name)],
        own=[name for name in measured if is_own(name)],
        metric_label=metric_label,
        places=decimals(systems.values()),
        about_system=SYSTEMS,
        gain_of=lambda name: verdict(exam["gains"][name][measure(exam)], exam["personas"]),
        judge_is=same(metrics["components"]["teacher"], metrics["components"]["judge"]),
        charts=[chart for chart in charts if chart],
        time=figures.times(usage["seconds"]),
        notes=list(note_tables(rounds, drawn={"bins"} if drawn else set())),
        settings={kind: list(flat(c)) for kind, c in metrics["components"].items()},
    )


def measure(exam: Mapping[str, Any]) -> str:
    """The metric that the words are about: against the truth where it is known."""
    return "mpr_true" if "mpr_true" in exam["systems"]["distilled"] else "mpr"


def headline(metrics: Mapping[str, Any]) -> str:
    """The result in one sentence: by which measure, worded by whether its gain's interval excludes
    zero."""
    exam = metrics["exam"]
    name = measure(exam)
    gain = exam["gains"]["zero-shot"][name]
    before, after = (exam["systems"][system][name] for system in ("zero-shot", "distilled"))
    opening = {
        "better": "helped",
        "unclear": "made no clear difference",
        "worse": "made it worse",
    }[verdict(gain, exam["personas"])]
    judge = "the simulated judge's" if metrics["simulated"] else "the judge's"
    what = "favourites" if name == "mpr_true" else "winner"
    interval = "one persona gives no interval"
    if exam["personas"] > 1:
        interval = f"95 % interval {_interval(gain)}"
    short = luck(exam)
    return (
        f"Training the {metrics['components']['student']['use']} student {opening} in "
        f"{metric_label(name)}: it places {judge} {what} "
        f"at percentile {number(after['value'], name)}, before {number(before['value'], name)} "
        f"(gain {signed(gain['value'], name)} points, {interval}){short and f', and {short}'}."
    )


def otherwise(metrics: Mapping[str, Any]) -> str:
    """Which other measures clearly say something else than the headline; nothing if none does."""
    exam = metrics["exam"]
    gains, name = exam["gains"]["zero-shot"], measure(exam)
    told, places = verdict(gains[name], exam["personas"]), decimals(exam["systems"].values())
    found: dict[str, list[str]] = {"better": [], "worse": []}
    for other in sorted(gains, key=_place):
        side = verdict(gains[other], exam["personas"])
        if side not in (told, "unclear"):
            value, low, high = (
                signed(gains[other][end], other, places) for end in ("value", "low", "high")
            )
            found[side].append(
                f"{metric_label(other).removesuffix(' %')} {value} ({low} to {high})"
            )
    sides = [f"clearly {side} in {', '.join(of)}" for side, of in found.items() if of]
    it = f"By other measures it is {'; and '.join(sides)}"
    return f"{it}: each by its own interval, before and after training." if sides else ""


def luck(exam: Mapping[str, Any]) -> str:
    """What a gain may hide: that the student after training does not surely beat the lot. Nothing
    where it does, or where nobody knows what the lot gets."""
    name = measure(exam)
    by_lot = exam["chance"].get(name)
    if by_lot is None:
        return ""
    before, after = (exam["systems"][system][name] for system in ("zero-shot", "distilled"))
    over = {end: after[end] - by_lot for end in ("low", "high")}
    side = verdict(over, exam["personas"])
    if side == "better":
        return ""
    when = "still" if before["low"] <= by_lot else "now"
    than = "worse" if side == "worse" else "not clearly better"
    return f"is {when} {than} than luck, {number(by_lot, name)}"


def scope(metrics: Mapping[str, Any]) -> str:
    """What the headline is about, and what its interval covers."""
    exam = metrics["exam"]
    name = measure(exam)
    best = exam["systems"].get("oracle", {}).get(name)
    ends = f"the judge's own order gets {number(best['value'], name)}" if best else ""
    luck = f"luck {number(exam['chance'][name], name)}" if name in exam["chance"] else ""
    marks = ", ".join(mark for mark in (ends, luck) if mark)
    return (
        f"{count(exam['personas'], 'held-out persona')} and "
        f"{count(exam['items'], 'held-out item')}, one trained student, one seed: the interval "
        "says how sure this is for other personas, not for another seed. Percentile 100 is the top "
        f"of the list{f'; {marks}' if marks else ''}."
    )


def personal(metrics: Mapping[str, Any]) -> str:
    """Whether the student uses the persona, or learned only what everybody likes."""
    exam = metrics["exam"]
    name = measure(exam)
    gain = exam["gains"].get("shuffled-persona", {}).get(name)
    if not gain or exam["personas"] < 2:
        return ""
    other = number(exam["systems"]["shuffled-persona"][name]["value"], name)
    return (
        f"With another persona's text it gets {other}"
        + {
            "better": ": it uses what the persona says.",
            "unclear": ", not clearly less: what it learned may be only what most personas like.",
            "worse": ", which is more: it does not use what the persona says.",
        }[verdict(gain, exam["personas"])]
    )


def memory(metrics: Mapping[str, Any]) -> str:
    """What the forgetting guard found, in one sentence; nothing for a run that had none."""
    guard = metrics.get("forgetting")
    if guard is None:
        return ""
    asked = guard["queries"]
    if asked is None:
        return (
            "The held-out items have too few titles or attributes for that, so only how far the "
            "embeddings moved is known."
        )
    change = asked["change"]
    opening = {
        "better": "Training made it better at that",
        "unclear": "Training made no clear difference to that",
        "worse": "Training made it worse at that",
    }[verdict(change, asked["count"])]
    return (
        f"{opening}. Asked with the items' {asked['kind']}, it places those that are named at "
        f"percentile {number(asked['after']['value'], 'mpr')}, before "
        f"{number(asked['before']['value'], 'mpr')} (change {signed(change['value'], 'mpr')}, "
        f"95 % interval {_interval(change)})."
    )


def cost(metrics: Mapping[str, Any]) -> str:
    """What the answers behind the result cost, once."""
    parts = metrics["answers"].values()
    answers, paid = sum(part["judgments"] for part in parts), added(p["dollars"] for p in parts)
    if paid is None:
        return f"{count(answers, 'answer')}, at a price that nobody knows."
    price = "nothing, since a program made them up" if metrics["simulated"] and not paid else ""
    return f"{count(answers, 'answer')}, which cost {price or money(paid)}."


def verdict(gain: Estimate, personas: int) -> Literal["better", "unclear", "worse"]:
    """The side of zero that the whole interval lies on; one persona has no interval."""
    if personas < 2 or gain["low"] <= 0 <= gain["high"]:
        return "unclear"
    return "better" if gain["low"] > 0 else "worse"


def same(teacher: Mapping[str, Any], judge: Mapping[str, Any]) -> str:
    """How the judge is related to the teacher; an exam by one's own teacher is the easier one."""
    if teacher == judge:
        return "the teacher itself"
    return "the teacher with other settings" if teacher["use"] == judge["use"] else "another one"


def note_tables(rounds: Sequence[Mapping[str, Any]], drawn: set[str]) -> Iterator[Table]:
    """A table for each note of the sampler that no figure shows, as of the last round."""
    for name in dict.fromkeys(name for r in rounds for name in r["notes"] if name not in drawn):
        last = max((r for r in rounds if name in r["notes"]), key=lambda r: int(r["round"]))
        note = last["notes"][name]
        columns = list(dict.fromkeys(column for row in note.values() for column in row))
        rows = [[key, *(row.get(column) for column in columns)] for key, row in note.items()]
        yield Table(f"{name}, round {last['round']}", ["", *columns], rows)


def flat(component: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A component's options with their dotted paths, as `-o` takes them."""
    for name, value in component.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def metric_label(metric: str) -> str:
    """How the report heads a metric's column."""
    name, at, k = metric.partition("@")
    label = METRICS.get(name, (name,))[0]
    return f"{label}{at}{k} %" if name == "hit" else f"{label}{at}{k}"


def is_own(metric: str) -> bool:
    """Whether a plug-in brought it: we know neither its name nor its unit."""
    return metric.partition("@")[0] not in METRICS


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
    """A metric's value with the decimals that it deserves and a true minus sign; `places` is what
    `decimals` says of its table, else the value alone decides."""
    digits = (places or {}).get(metric, _decimals(metric, abs(value)))
    return f"{value:z.{digits}f}".replace("-", MINUS)


def signed(value: float, metric: str, places: Mapping[str, int] | None = None) -> str:
    """A difference with its sign."""
    text = number(value, metric, places)
    return text if text.startswith(MINUS) else f"+{text}"


def dollars(amount: float | None) -> str:
    """An amount of money; that of an unknown price is unknown."""
    return "unknown" if amount is None else money(amount)


def show(value: Any) -> str:
    """Any JSON value in a table: four digits of a float, long text cut (run.toml has it all)."""
    if value is None:
        return DASH
    if isinstance(value, float):
        grouped = 1000 <= abs(value) < 1e9
        return f"{value:{',.0f' if grouped else '.4g'}}".replace("-", MINUS)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}".replace("-", MINUS)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:159] + "…"


def thumb(item: Mapping[str, Any] | None) -> str:
    """The item's picture if it is one that was embedded, else nothing."""
    uri = (item or {}).get("thumb") or ""
    return uri if THUMB.fullmatch(uri) else ""


def _interval(estimate: Estimate) -> str:
    return f"{number(estimate['low'], 'mpr')} to {number(estimate['high'], 'mpr')}"


def _place(metric: str) -> int:
    name = metric.partition("@")[0]
    return list(METRICS).index(name) if name in METRICS else len(METRICS)

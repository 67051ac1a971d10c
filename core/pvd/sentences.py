"""What a run found, in sentences: on the terminal, on its page and on the card of its student.

What changed is worded by its interval: better or worse where that excludes zero, else unclear.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pvd.metrics import (
    Estimate,
    between,
    change,
    decimals,
    is_own,
    measure,
    metric_label,
    metric_place,
    number,
    signed,
)
from pvd.money.amounts import count, money
from pvd.records import added


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
        interval = f"95 % interval {between(gain, name)}"
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
    for other in sorted(gains, key=metric_place):
        having = exam["personas"] - gains[other].get("missing", 0)
        side = verdict(gains[other], having)
        if side not in (told, "unclear"):
            some = "" if having == exam["personas"] else f" over {count(having, 'persona')}"
            found[side].append(f"{metric_label(other)} {change(gains[other], other, places)}{some}")
    sides = [f"clearly {side} in {', '.join(of)}" for side, of in found.items() if of]
    it = f"By other measures it is {'; and '.join(sides)}"
    return f"{it}: each by its own interval, before and after training." if sides else ""


def missing(exam: Mapping[str, Any]) -> list[str]:
    """Of which measures of plug-ins some personas have no value, and which have no gain that could
    be paired, a sentence each; nothing of those that have one value for each persona."""
    everybody, gains, found = exam["personas"], exam["gains"]["zero-shot"], []
    before, after = (exam["systems"][system] for system in ("zero-shot", "distilled"))
    for name in sorted(filter(is_own, before.keys() & after.keys())):
        had, has = (everybody - row[name].get("missing", 0) for row in (before, after))
        label = metric_label(name)
        if name in gains:
            both = everybody - gains[name].get("missing", 0)
            if both == had == has == everybody:
                continue
            if both == had == has:
                said = f"{label} is over {has} of {everybody} personas: the others have no value."
            else:
                said = (
                    f"{label}: {had} of {everybody} personas have a value before training and "
                    f"{has} after; the gain is over {both} with both."
                )
        elif had == has == everybody:
            said = f"{label} has no gain: it has not one value for each persona, to be paired."
        else:
            said = f"{label} has no gain: no persona has a value both before and after training."
        found.append(said)
    return found


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
    moved = asked["change"]
    opening = {
        "better": "Training made it better at that",
        "unclear": "Training made no clear difference to that",
        "worse": "Training made it worse at that",
    }[verdict(moved, asked["count"])]
    return (
        f"{opening}. Asked with the items' {asked['kind']}, it places those that are named at "
        f"percentile {number(asked['after']['value'], 'mpr')}, before "
        f"{number(asked['before']['value'], 'mpr')} (change {signed(moved['value'], 'mpr')}, "
        f"95 % interval {between(moved, 'mpr')})."
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

"""What the findings say, in sentences. A verdict is worded by what its interval allows, never as
"equal" because an interval covers zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from pvd.comparing import plug_ins
from pvd.comparing.units import POINTS, own, percent
from pvd.comparing.verdicts import opposes, score, sentence, standing, tag
from pvd.crossed import FEW_SEEDS
from pvd.discovery import PLURAL
from pvd.money.amounts import count, money
from pvd.prose import listed

Row = Mapping[str, Any]
number: Callable[[float], str] = POINTS.number
signed: Callable[[float], str] = POINTS.signed
between: Callable[[Row], str] = POINTS.between


@dataclass(frozen=True)
class Answer:
    """What a factor came to: its levels under the first view, and how sure that is."""

    factor: str
    headline: str
    rest: tuple[str, ...]  # the other pairs, and other views that say something else
    cost: str


def answers(findings: Mapping[str, Any]) -> list[Answer]:
    """One for each factor, by the first view, which has no favourite if there is such a one."""
    return [_answer(findings, factor) for factor in findings["factors"]]


def _answer(findings: Mapping[str, Any], factor: Row) -> Answer:
    view = findings["views"][0]["label"]
    rows = [r for r in findings["comparisons"] if r["factor"] == factor["path"]]
    first = [row for row in rows if row["view"] == view]
    scores = {level: score(findings, factor["path"], level, view) for level in factor["labels"]}
    best = max(scores, key=lambda level: scores[level])
    about = [row for row in first if best in (row["a"], row["b"])]
    opening = sentence(about[0], findings)
    if len(factor["labels"]) > 2:
        opening = f"{best} comes out highest, at {number(scores[best])} points"
        opening += f"; {standing(about, best)}."
    elsewhere = [row for row in rows if row["view"] != view and best in (row["a"], row["b"])]
    measured = own(findings)
    opposite = [row["view"] for row in elsewhere if opposes(row, _twin(row, first))]
    says = "says" if len(opposite) == 1 else "say"
    against = f" {listed(opposite)} {says} the opposite." if opposite else ""
    said_by = "" if len(findings["views"]) == 1 else f"{_according(view)}: "
    by_plug_ins = plug_ins.lines(findings, factor)
    others = [
        f"{_according(row['view'])}: {sentence(row, findings)}"
        for row in elsewhere
        if row["view"] not in measured and tag(row) != tag(_twin(row, first))
    ]
    several, gains = len(scores) > 2, findings["gains"][factor["path"]]
    gained = [
        f"{level} {signed(g[view]['value'])} ({between(g[view])})" for level, g in gains.items()
    ]
    sure = [level for level, g in gains.items() if g[view]["low"] > 0]
    none = "; none of that is a sure gain" if not sure else ""
    rest = [sentence(row, findings) for row in first if several or row is not about[0]]
    return Answer(
        factor["path"],
        said_by + opening + against,
        (*by_plug_ins, f"Over the untrained student: {', '.join(gained)}{none}.", *rest, *others),
        _cost_of(findings, factor),
    )


def _according(view: str) -> str:
    """Who says so."""
    if view.startswith("truth"):
        return f"By the {view}" if view == "truth" else f"By the {view}'s tastes"
    return f"Judged by {view}"


def _twin(row: Row, rows: Sequence[Row]) -> Row:
    return next(one for one in rows if (one["a"], one["b"]) == (row["a"], row["b"]))


def substitution(findings: Mapping[str, Any]) -> list[str]:
    """What the matrix of teachers and judges says."""
    found = findings["substitution"]
    if found is None:
        return []
    by_judges = [row for row in found["carried"] if row["judged"] not in own(findings)]
    said = [_carried(row) for row in by_judges if row["value"] is not None]
    lacks = len(said) < len(by_judges)
    said += plug_ins.carried(findings)
    if lacks:
        said.append(
            "What share of a gain another teacher carries cannot be said where there is no sure "
            "gain to share."
        )
    advantage = found["own_judge"]
    if advantage is not None:
        sure = advantage["low"] > 0 or advantage["high"] < 0
        side = "less" if advantage["value"] < 0 else "more"
        said.append(
            f"Judged by their own teacher, students gain {number(abs(advantage['value']))} points "
            f"{side} than under the others (a difference of {between(advantage)})"
            + (
                "; where judges differ in noise and students in what they learned, that alone can "
                "do it."
                if sure
                else ", which is not told from nothing."
            )
        )
    for row in found["inflation"]:
        leads = f"{signed(row['own_lead']['value'])} ({between(row['own_lead'])})"
        there = f"{signed(row['reference_lead']['value'])} ({between(row['reference_lead'])})"
        said.append(
            f"{row['teacher']}'s student leads the others by {leads} under its own teacher, by "
            f"{there} under {row['reference']}, which taught nobody"
            + (
                f": its own exam inflates the lead by {signed(row['value'])} ({between(row)})."
                if row["inflates"]
                else "; no inflation is resolved."
            )
        )
    if advantage is not None and not found["inflation"]:
        said.append(
            "Whether that is inflation cannot be told without an independent reference: add a "
            "judge that taught nobody, such as a person (--judges ...,human)."
        )
    return said


def _carried(row: Row) -> str:
    who = f"Taught by {row['taught']} instead of {row['instead_of']}, judged by {row['judged']}"
    share = f"{percent(row['value'])} %"
    if not row["defined"]:
        return f"{who}, a student keeps {share} of the gain; {row['why']}."
    low, high = (percent(row[end]) for end in ("low", "high"))
    return f"{who}, a student keeps {share} of the gain ({low} to {high} %)."


def spent(findings: Mapping[str, Any]) -> str:
    """What everything together has cost."""
    cost = findings["cost"]
    together, used = cost["together"], cost["used"]
    saved = used - together["answers"]
    shared = f", {saved:,} of them used by several runs" if saved else ""
    return (
        f"{count(together['answers'], 'distinct answer')} in all{shared}; "
        f"{price(together['dollars'])}."
    )


def price(dollars: float | None) -> str:
    """Dollars, or that they are unknown, or nothing."""
    if dollars is None:
        return "at a price that nobody knows"
    return money(dollars) if dollars else "no dollars"


def _cost_of(findings: Mapping[str, Any], factor: Row) -> str:
    """What the answers of one run of each level cost."""
    found: dict[str, list[str]] = {}
    for level in factor["labels"]:
        runs = _runs(findings, factor["path"], level)
        dollars = [run["dollars"] for run in runs]
        cost = None if None in dollars else mean(dollars)
        text = f"{mean(run['answers'] for run in runs):,.0f} answers"
        found.setdefault(text + ("" if cost == 0 else f" ({price(cost)})"), []).append(level)
    if len(found) == 1:
        return f"A run of each takes {next(iter(found))}, for training and validation."
    parts = (f"of {listed(levels)} {text}" for text, levels in found.items())
    return f"A run takes, for training and validation: {'; '.join(parts)}."


def _runs(findings: Mapping[str, Any], path: str, level: str) -> list[Row]:
    arms = zip(findings["arms"], findings["cost"]["runs"], strict=True)
    return [run for arm, run in arms if arm["levels"][path] == level]


def scope(findings: Mapping[str, Any]) -> str:
    """What was compared, in one line."""
    arms = " x ".join(_levels(factor) for factor in findings["factors"])
    people = sorted({judge["personas"] for judge in findings["judges"]})
    sat = "-".join(str(n) for n in dict.fromkeys((people[0], people[-1])))
    student = f", student {findings['student']}" if findings["student"] else ""
    return (
        f"{arms} x {count(findings['seeds'], 'seed')}{student}; the exam is {sat} held-out "
        f"personas x {findings['items']:,} held-out items of {findings['catalog']}."
    )


def _levels(factor: Row) -> str:
    """How many of what: 2 teachers, 3 values of train.slates."""
    path, many = factor["path"], len(factor["labels"])
    return f"{many} {PLURAL[path]}" if path in PLURAL else f"{many} values of {path}"


def how_sure(findings: Mapping[str, Any]) -> str:
    """What points are, and what the intervals are over."""
    points = (
        "Points are percentile ranks: of the winner that a judge crowned, or, under truth, of what "
        "is truly best."
    )
    if findings["seeds"] < FEW_SEEDS:
        these = "this very seed" if findings["seeds"] == 1 else "these very seeds"
        return f"{points} Intervals are over personas, given {these}: others may turn them."
    each = " or by one measure" if (many := len(own(findings))) else ""
    one_of = f", not for there being {many} measures" if many > 1 else ""
    return (
        f"{points} Intervals are 95 %, over seeds and personas; verdicts are corrected for the "
        f"number of pairs under one judge{each} (Holm){one_of}."
    )


def at_equal(findings: Mapping[str, Any]) -> list[str]:
    """The differences by the first view where all runs had cost as much as the cheapest."""
    view, said = findings["views"][0]["label"], []
    for key in ("answers", "dollars"):
        if (equal := findings[f"equal_{key}"]) is not None:
            budget = equal["budget"]
            much = money(budget) if key == "dollars" else count(round(budget), "answer")
            rows = [row for row in equal["comparisons"] if row["view"] == view]
            pairs = (
                f"{row['b']} - {row['a']} {signed(row['difference']['value'])} "
                f"({between(row['difference'])})"
                for row in rows
            )
            said.append(f"When every run had cost {much}: {'; '.join(pairs)}.")
    return said


def made_up(findings: Mapping[str, Any]) -> str:
    """Whose preferences nobody has; nothing if all are somebody's."""
    if not findings["simulated"]:
        return ""
    if findings["simulated"] == findings["asked"]:
        return "These preferences are simulated: a made-up teacher, not people or a model."
    return (
        f"The preferences of {listed(findings['simulated'])} are simulated: a program made them up."
    )


def silent(findings: Mapping[str, Any]) -> list[str]:
    """How much chance is in the winners of each judge, where tournaments were played again."""
    return [
        f"{judge['label']} crowned the same item again in "
        f"{round(100 * judge['stability']['same'])} % of {judge['stability']['tournaments']} "
        "tournaments that were played twice."
        for judge in findings["judges"]
        if judge["stability"]
    ] + list(filter(None, [plug_ins.left_out(findings)]))

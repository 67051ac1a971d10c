"""A verdict on B against A in words: by what its interval allows, never "equal" because an interval
covers zero. And how a level of several stands among the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from pvd.comparing.units import POINTS, Unit, in_points
from pvd.prose import listed

Row = Mapping[str, Any]


def sentence(row: Row, findings: Mapping[str, Any], unit: Unit = POINTS) -> str:
    """The verdict on B against A, as one sentence."""
    a, b, difference = row["a"], row["b"], row["difference"]
    size, spread = unit.size(abs(difference["value"])), f"({unit.between(difference)})"
    signed = "+" * unit.signed(difference["value"]).startswith("+") + unit.size(difference["value"])
    margin = in_points(findings["margin"])
    match row["verdict"]:
        case "better":
            return f"{b} is better than {a} by {size} {spread}."
        case "worse":
            within = f", though surely by less than {margin}: it replaces {a}"
            return f"{b} is worse than {a} by {size} {spread}{within * row['b_replaces_a']}."
        case "same numbers":
            return f"{b} and {a} gave the same numbers in every run."
        case "too few seeds":
            these = (
                "this one seed" if findings["seeds"] == 1 else f"these {findings['seeds']} seeds"
            )
            return f"{b} minus {a} is {signed} in {these} {spread}; too few seeds for a verdict."
    if row["b_replaces_a"] and row["a_replaces_b"]:
        return f"{b} and {a} differ by less than {margin} {spread}: either will do."
    if row["b_replaces_a"]:
        return f"{b} replaces {a}: it is surely not {margin} worse {spread}."
    if row["a_replaces_b"]:
        back = {"low": -difference["high"], "high": -difference["low"]}
        return f"{a} replaces {b}: it is surely not {margin} worse ({unit.between(back)})."
    return f"{b} against {a} is not resolved: {signed} {spread}."


def brief(row: Row) -> str:
    """The verdict without its numbers, for several measures that agree."""
    a, b = row["a"], row["b"]
    match row["verdict"]:
        case "better" | "worse" as side:
            return f"{b} is {side} than {a}."
        case "same numbers":
            return f"{b} and {a} gave the same numbers in every run."
        case "too few seeds":
            return f"too few seeds for a verdict on {b} against {a}."
    return f"{b} against {a} is not resolved."


def tag(row: Row) -> str:
    """The verdict on B in a word or two."""
    if row["verdict"] == "worse" and row["b_replaces_a"]:
        return "worse, replaces"
    if row["verdict"] != "not resolved":
        return str(row["verdict"])
    if row["b_replaces_a"] and row["a_replaces_b"]:
        return "either will do"
    if row["a_replaces_b"]:
        return f"{row['a']} replaces it"
    return "replaces" if row["b_replaces_a"] else "not resolved"


def opposes(row: Row, twin: Row) -> bool:
    """Whether one calls better what the other calls worse."""
    return {row["verdict"], twin["verdict"]} == {"better", "worse"}


def score(findings: Mapping[str, Any], path: str, level: str, view: str) -> float:
    """The mean of a level's arms, by one view."""
    arms = [arm for arm in findings["arms"] if arm["levels"][path] == level]
    return float(mean(arm["score"][view]["value"] for arm in arms))


def standing(rows: Sequence[Row], best: str) -> str:
    """Against whom the best level is better, and against whom that is not resolved."""
    won = [other(row, best) for row in rows if row["verdict"] in ("better", "worse")]
    open_ = [other(row, best) for row in rows if row["verdict"] not in ("better", "worse")]
    parts = [f"better than {listed(won)}"] if won else []
    why = "too few seeds to tell it" if few(rows) else "not resolved"
    return ", ".join([*parts, *([f"{why} against {listed(open_)}"] if open_ else [])])


def few(rows: Sequence[Row]) -> bool:
    return any(row["verdict"] == "too few seeds" for row in rows)


def other(row: Row, one: str) -> str:
    return str(row["b"] if row["a"] == one else row["a"])

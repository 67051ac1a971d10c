"""What the measures of plug-ins say, in sentences: they have verdicts like other views, but each
has a unit of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pvd.comparing.units import own, percent, units
from pvd.comparing.verdicts import brief, score, sentence, standing
from pvd.prose import JOINED, listed


def lines(findings: Mapping[str, Any], factor: Mapping[str, Any]) -> list[str]:
    """What the measures of plug-ins say of a factor: a sentence each, and one without numbers for
    those that say the same; a table has them."""
    said: dict[str, list[tuple[str, str]]] = {}
    written, path = units(findings), factor["path"]
    for label in own(findings):
        scores = {level: score(findings, path, level, label) for level in factor["labels"]}
        best = max(scores, key=lambda level: scores[level])
        rows = [
            row
            for row in findings["comparisons"]
            if (row["view"], row["factor"]) == (label, path) and best in (row["a"], row["b"])
        ]
        if len(scores) > 2:
            high, stands = f"{best} comes out highest", standing(rows, best)
            short, long = f"{high}; {stands}.", f"{high}, at {written[label].size(scores[best])}; "
            long += f"{stands}."
        else:
            short, long = brief(rows[0]), sentence(rows[0], findings, written[label])
        gains = [gained[label]["low"] for gained in findings["gains"][path].values()]
        who = "Neither" if len(scores) == 2 else "None"
        none = f" {who} surely gained over the untrained student." * (max(gains) <= 0)
        said.setdefault(short + none, []).append((label, long + none))
    return [
        f"By {listed([label for label, _ in group])}: {group[0][1] if len(group) == 1 else short}"
        for short, group in said.items()
    ]


def carried(findings: Mapping[str, Any]) -> list[str]:
    """What share of a gain another teacher carries by each measure, a paragraph for two teachers;
    nothing for a measure by which there is no sure gain."""
    by_plug_ins, said = own(findings), dict[str, list[str]]()
    for row in findings["substitution"]["carried"]:
        if row["judged"] in by_plug_ins and row["value"] is not None:
            who = f"Taught by {row['taught']} instead of {row['instead_of']}"
            ends = f" ({percent(row['low'])} to {percent(row['high'])} %)" if row["defined"] else ""
            share = f"{percent(row['value'])} %{ends}".replace(" ", JOINED)
            said.setdefault(who, []).append(f"{share} by {row['judged']}")
    return [f"{who}, a student keeps of the gain {listed(shares)}." for who, shares in said.items()]


def left_out(findings: Mapping[str, Any]) -> str:
    """Which numbers cannot be compared, and why."""
    names = findings.get("left_out", ())  # none in comparisons of older versions
    if not names:
        return ""
    are, they = ("is", "it has") if len(names) == 1 else ("are", "they have")
    return (
        f"{listed(names)} {are} not compared: {they} not one value for each of the same personas "
        "in every run."
    )

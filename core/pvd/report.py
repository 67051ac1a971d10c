"""The HTML report of a run: one file that says what changed, for whom, and how sure that is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pvd import figures, pages, sentences
from pvd.metrics import (
    SYSTEMS,
    decimals,
    heading,
    is_own,
    measure,
    metric_place,
    number,
    signed,
)
from pvd.money.amounts import count
from pvd.pages import dollars, flat, show

THUMB = re.compile(r"data:image/(?:jpeg|png|webp|gif);base64,[A-Za-z0-9+/=]+")


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
    measured = sorted({n: None for row in systems.values() for n in row}, key=metric_place)
    charts = [
        figures.percentiles(exam["people"], exam["items"]),
        figures.reach(exam["people"], exam["items"]),
        figures.learning(rounds, metrics["best_round"], metrics["validation"]),
        drawn := figures.bins(rounds),
    ]
    return pages.render(
        "report.html.j2",
        *(sentences.cost, count, dollars, number, show, signed, thumb),
        run=metrics,
        exam=exam,
        usage=usage,
        gallery=gallery,
        headline=sentences.headline(metrics),
        otherwise=sentences.otherwise(metrics),
        scope=sentences.scope(metrics),
        personal=sentences.personal(metrics),
        memory=sentences.memory(metrics),
        measure=measure(exam),
        systems=systems,
        metrics=[name for name in measured if not is_own(name)],
        own=[name for name in measured if is_own(name)],
        missing=sentences.missing(exam),
        heading=heading,
        places=decimals(systems.values()),
        about_system=SYSTEMS,
        gain_of=lambda name: sentences.verdict(
            exam["gains"][name][measure(exam)], exam["personas"]
        ),
        judge_is=sentences.same(metrics["components"]["teacher"], metrics["components"]["judge"]),
        charts=[chart for chart in charts if chart],
        time=figures.times(usage["seconds"]),
        notes=list(note_tables(rounds, drawn={"bins"} if drawn else set())),
        settings={kind: list(flat(c)) for kind, c in metrics["components"].items()},
    )


def note_tables(rounds: Sequence[Mapping[str, Any]], drawn: set[str]) -> Iterator[Table]:
    """A table for each note of the sampler that no figure shows, as of the last round."""
    for name in dict.fromkeys(name for r in rounds for name in r["notes"] if name not in drawn):
        last = max((r for r in rounds if name in r["notes"]), key=lambda r: int(r["round"]))
        note = last["notes"][name]
        columns = list(dict.fromkeys(column for row in note.values() for column in row))
        rows = [[key, *(row.get(column) for column in columns)] for key, row in note.items()]
        yield Table(f"{name}, round {last['round']}", ["", *columns], rows)


def thumb(item: Mapping[str, Any] | None) -> str:
    """The item's picture if it is one that was embedded, else nothing."""
    uri = (item or {}).get("thumb") or ""
    return uri if THUMB.fullmatch(uri) else ""

"""The model card of an exported student: where it comes from, what it can do, how sure that is.

It is Markdown with a head that the Hugging Face hub reads. It names no path of the machine that
wrote it, and what came from a stranger's file is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pvd import pages, sentences
from pvd.hub import is_id
from pvd.isolation.origin import OURS
from pvd.metrics import (
    SYSTEMS,
    Estimate,
    between,
    decimals,
    heading,
    measure,
    number,
)
from pvd.metrics import change as changed
from pvd.money.amounts import count

MARKS = re.compile(r"([\\`*_\[\]<>|~#&$!])")
UNSEEN = re.compile(
    r"[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


@dataclass(frozen=True)
class Asked:
    """The ids of the models that answered, and the days of their first and last answer."""

    models: tuple[str, ...]
    first: str
    last: str


@dataclass(frozen=True)
class Facts:
    """What the card says that is not in metrics.json."""

    student: str
    about: Mapping[str, str]  # see Student.about
    plugin: str | None  # the file that the student's class is in, if it is no installed plug-in
    distribution: str  # the installed package that the student's class is in, if it is in one
    version: str  # of the distribution
    teacher: Asked
    judge: Asked
    interpolate: float | None


def render(metrics: Mapping[str, Any], mixed: Mapping[str, Any] | None, facts: Facts) -> str:
    """README.md. `metrics` are the run's, `mixed` those of the mixture that is exported."""
    shown = mixed or metrics  # whose numbers the words are about
    base = facts.about.get("base_model", "")
    systems = shown["exam"]["systems"]
    return pages.render(
        "card.md.j2",
        *(yaml, md, cell, change, count, number, pages.show),
        title=_title(metrics, facts),
        percent=f"{100 * (facts.interpolate or 1):g}",
        run=metrics,
        shown=shown,
        exam=shown["exam"],
        trained=metrics["exam"]["systems"]["distilled"] if mixed else None,
        unmeasured=facts.interpolate is not None and mixed is None,
        facts=facts,
        strange=facts.distribution not in ("", OURS),
        base=Path(base).name if base and not is_id(base) else base,  # a folder's path is nobody's
        base_id=base if is_id(base) else "",
        parts=metrics["components"],
        old=metrics.get("forgetting"),
        prompts={"teacher": {}, "judge": {}} | metrics.get("prompts", {}),
        about_system=SYSTEMS,
        judge_is=sentences.same(metrics["components"]["teacher"], metrics["components"]["judge"]),
        headline=sentences.headline(shown),
        otherwise=sentences.otherwise(shown),
        scope=sentences.scope(shown),
        personal=sentences.personal(shown),
        memory=sentences.memory(shown),
        cost=sentences.cost(metrics),
        names=list(systems["distilled"]),
        label=heading,
        places=decimals(systems.values()),
        measure=measure(shown["exam"]),
        brief=brief,
    )


def _title(metrics: Mapping[str, Any], facts: Facts) -> str:
    title = f"{facts.student} distilled from {metrics['components']['teacher']['use']}"
    if facts.interpolate is None:
        return title
    return f"{title}, mixed with {100 * (1 - facts.interpolate):g} % of what it was before"


def yaml(text: Any) -> str:
    """A value as YAML, in the form that is JSON as well; what YAML cannot hold is spelt out."""
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def md(text: str) -> str:
    """Text on one line of Markdown, with the letters that it has."""
    line = " ".join(UNSEEN.sub(" ", text).split())
    return MARKS.sub(r"\\\1", line)


def cell(estimate: Estimate | None, metric: str, places: Mapping[str, int] | None = None) -> str:
    """A number with its interval."""
    if estimate is None:
        return ""
    value = number(estimate["value"], metric, places)
    return f"{value} ({between(estimate, metric, places)})"


def change(estimate: Estimate | None, metric: str, places: Mapping[str, int] | None = None) -> str:
    """A difference with its interval."""
    return "" if estimate is None else changed(estimate, metric, places)


def brief(component: Mapping[str, Any]) -> str:
    """A component's name and those of its options that are numbers or words, no paths."""
    options = [
        f"{name} {value}"
        for name, value in pages.flat(component)
        if name != "use"
        and isinstance(value, int | float | str)
        and re.fullmatch(r"[\w.+-]+", str(value))
    ]
    return md(f"{component['use']} ({', '.join(options)})" if options else str(component["use"]))

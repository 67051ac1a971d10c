"""What a comparison will ask and cost: the plans of all its exams and cells, added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pvd.asking import Desk, opened
from pvd.catalog import Data
from pvd.comparing import transcripts
from pvd.comparing.design import Design
from pvd.money import planning
from pvd.money.budget import Budget
from pvd.money.plan import Dollars, Part, Plan
from pvd.progress import Progress
from pvd.records import Forecast, digest_of
from pvd.settings import Settings
from pvd.store import Store


def plan(
    design: Design,
    data: Data,
    out: Path,
    store: Store,
    budget: Budget,
    jobs: int,
    progress: Progress,
) -> Plan:
    """Each judge's exam once, and what each cell asks, `jobs` of them at the same time. What cells
    will have in common beyond their validation is not known before it is drawn, and counted in
    each: it costs that much at most."""
    exams, cells = [], []
    with progress.stage("plan", len(design.judges) + len(design.cells), "parts"):
        for judge in design.judges:
            settings, folder = design.examining(judge), design.exam_folder(out, judge)
            exams.append(_plan(settings, data, store, budget, folder, ("exam",)))
            progress.advance()
        known: set[str] = set()
        for cell in design.cells:
            settings, folder = design.settings(cell), design.folder(out, cell)
            parts = ["validation", "training"]
            if (same := _validates(settings)) in known:
                parts.remove("validation")
            known.add(same)
            if not transcripts.is_written(folder):
                cells.append(_plan(settings, data, store, budget, folder, parts))
            progress.advance()
    beside = min(jobs, len(cells))
    return _together([*exams, *(_beside(one, beside) for one in cells)])


def _beside(plan: Plan, cells: int) -> Plan:
    """A cell's plan, when so many cells ask at once: each has calls of its own under way. (Limits a
    minute are for all of them together.)"""
    parts = (replace(part, at_once=part.at_once * cells) for part in plan.parts)
    return replace(plan, parts=tuple(parts))


def _validates(settings: Settings) -> str:
    """Cells that are equal in this validate by the same slates and the same teacher."""
    train = settings.train
    table, seeds = settings.table(), (settings.stream("draw"), settings.stream("teacher"))
    what = (train.validate, train.validation_slates, train.size)
    return digest_of([table["teacher"], *seeds, *what])


def _plan(
    settings: Settings,
    data: Data,
    store: Store,
    budget: Budget,
    folder: Path,
    parts: Sequence[str],
) -> Plan:
    with (
        opened(settings.teacher, settings.stream("teacher")),
        opened(settings.judge, settings.stream("judge")),
    ):
        desk = Desk(store, settings.ask, budget=budget)
        return planning.plan(settings, data, desk, folder, parts)


def _together(plans: Sequence[Plan]) -> Plan:
    """One plan: parts of the same name and teacher are one part."""
    parts: dict[tuple[str, str], Part] = {}
    for part in (part for one in plans for part in one.parts):
        key = (part.name, part.teacher)
        parts[key] = _added(parts[key], part) if key in parts else part
    prices = (line for one in plans for line in one.prices)
    return replace(
        plans[0],
        parts=tuple(parts.values()),
        prices=tuple(dict.fromkeys(prices)),
        has_batches=any(one.has_batches for one in plans),
        paid=any(one.paid for one in plans),
        what="comparison",
    )


def _added(one: Part, other: Part) -> Part:
    return Part(
        name=one.name,
        teacher=one.teacher,
        questions=one.questions + other.questions,
        stored=one.stored + other.stored,
        waiting=one.waiting + other.waiting,
        forecast=sum((one.forecast, other.forecast), Forecast()),
        dollars=_sum(one.dollars, other.dollars),
        batch_dollars=_sum(one.batch_dollars, other.batch_dollars),
        submissions=max(one.submissions, other.submissions),  # cells hand in side by side
        away=one.away + other.away,
        at_once=min(filter(None, (one.at_once, other.at_once)), default=0),
    )


def _sum(one: Dollars | None, other: Dollars | None) -> Dollars | None:
    if one is None or other is None:
        return None
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]

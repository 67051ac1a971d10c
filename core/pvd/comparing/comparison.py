"""The order of a comparison's steps; nothing else knows it.

plan -> exam questions of each judge -> cells -> marks -> findings -> report
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pvd
from pvd import exam, loading, pipeline
from pvd.catalog import Data
from pvd.comparing import (
    cells,
    findings,
    marking,
    outlook,
    pricing,
    spending,
    substitution,
    transcripts,
)
from pvd.comparing import report as pages
from pvd.comparing.design import Design, Judge, make
from pvd.discovery import registry
from pvd.exam import Paper
from pvd.folder import locked, read_json, write_bytes, write_json
from pvd.money import account
from pvd.money.plan import Plan
from pvd.progress import Progress, Silent
from pvd.session import opened_session
from pvd.settings import recipe as read_recipe
from pvd.store import Store, default_path

RESULT, REPORT, USAGE = "compare.json", "report.html", "usage.json"
SCHEMA = 1
JOBS = 4  # at most, where nobody says how many


@dataclass(frozen=True)
class Compared:
    """A finished comparison: what compare.json holds, and where it all is."""

    findings: dict[str, Any]
    folder: Path
    report: Path


def compare(
    *,
    vary: Mapping[str, Sequence[Any]],
    out: str | Path,
    judges: Sequence[Any] = (),
    seeds: int = 5,
    margin: float = 1.0,
    jobs: int | None = None,
    recipe: str = "default",
    plugins: Iterable[str | Path] = (),
    progress: Progress | None = None,
    **tables: Any,
) -> Compared:
    """`pvd compare` for programs: other keywords are what a TOML file holds."""
    for file in plugins:
        registry.load_file(Path(file))
    made = make((read_recipe(recipe), tables), vary, judges, seeds, margin)
    return execute(made, Path(out), jobs=jobs, progress=progress)


def plan(design: Design, out: Path, progress: Progress | None = None) -> tuple[Plan, list[str]]:
    """What the comparison would ask and cost, and what it can see."""
    shown = progress or Silent()
    data = _read(design, shown)
    with Store(design.base.store or default_path()) as store:
        budget = account.budget_of(design.base, out, store)
        priced = pricing.plan(design, data, out, store, budget, shown)
    return priced, outlook.lines(design, _sitting(design, data))


def execute(
    design: Design, out: Path, *, jobs: int | None = None, progress: Progress | None = None
) -> Compared:
    """All of it, or the rest of it, or the result of a finished comparison."""
    digest, shown = design.digest(), progress or Silent()
    if (out / RESULT).exists() and read_json(out / RESULT)["design"] == digest:
        return finished(out)
    with locked(out):
        number = _agreed(design, out, shown)
        try:
            papers = [_asked(design, judge, out, number, shown) for judge in design.judges]
            donor = design.exam_folder(out, design.judges[0])
            cells.run(design, out, number, jobs or _jobs(design), donor, shown)
        finally:
            with Store(design.base.store or default_path()) as store:
                budget = account.budget_of(design.base, out, store)
                spending.save(out / USAGE, budget)
                spending.say(budget, shown)
        found = _found(design, out, digest, papers, shown)
        write_bytes(out / REPORT, pages.render(found).encode())
        write_json(out / RESULT, found)  # last: then the report is there too
    return finished(out)


def finished(out: Path) -> Compared:
    """The result that lies in a comparison's folder."""
    return Compared(read_json(out / RESULT), out, out / REPORT)


def _jobs(design: Design) -> int:
    """On a processor a run uses one core well; a GPU is not shared."""
    on_processor = design.base.device == "cpu"
    return min(os.cpu_count() or 1, JOBS, len(design.cells)) if on_processor else 1


def _read(design: Design, progress: Progress) -> Data:
    """The data that all cells share, after every teacher has looked at them."""
    everything, personas, data = loading.read(design.base, progress)
    for teacher in design.teachers:
        loading.check_teacher(teacher, personas, everything)
    return data


def _sitting(design: Design, data: Data) -> int:
    """How many personas sit the exam."""
    settings = design.base
    seed = settings.stream("exam")
    return len(exam.chosen(data.people.test, data.items.test, settings.exam, seed)[0])


def _agreed(design: Design, out: Path, progress: Progress) -> str:
    """The account that all runs of the comparison charge. Whoever pays has seen the plan."""
    settings = design.base
    data = _read(design, progress)
    with Store(settings.store or default_path()) as store:
        budget = account.budget_of(settings, out, store)
        spending.save(out / USAGE, budget)
        for line in outlook.lines(design, _sitting(design, data)):
            progress.say(line)
        if any(teacher.capabilities.paid for teacher in design.teachers):
            priced = pricing.plan(design, data, out, store, budget, progress)
            account.agree(settings, priced, progress, design.teachers)
        return budget.run


def _asked(design: Design, judge: Judge, out: Path, number: str, progress: Progress) -> Paper:
    """Play one judge's tournaments; they depend on no student."""
    progress.say(f"Exam by {judge.label}")
    settings = design.examining(judge, account=number)
    with opened_session(settings, design.exam_folder(out, judge), progress) as session:
        return pipeline.ask_exam(session)


def _found(
    design: Design, out: Path, digest: str, papers: Sequence[Paper], progress: Progress
) -> dict[str, Any]:
    settings = design.base
    seed = settings.stream("exam")
    folders = [[design.folder(out, cell) for cell in row] for row in design.rows]
    with progress.stage("marking", len(papers), "judges"):
        written = [[transcripts.read(folder) for folder in row] for row in folders]
        sheets = []
        for paper in papers:
            sheets.append(marking.mark(paper, written, settings.evaluators, seed))
            progress.advance()
    views = marking.views(design.judges, sheets)
    with progress.stage("findings"):
        return {
            "schema": SCHEMA,
            "pvd": pvd.__version__,
            "design": digest,
            **_about(design, papers),
            **findings.find(design, sheets, views, seed),
            "substitution": substitution.find(design, views, seed),
            "cost": spending.cost(design, out, folders, written),
        }


def _about(design: Design, papers: Sequence[Paper]) -> dict[str, Any]:
    base, items = design.base, len(papers[0].items)
    judges = [
        {
            "label": judge.label,
            "taught": judge.taught,
            "personas": len(paper.personas),
            "lost": paper.lost,
        }
        for judge, paper in zip(design.judges, papers, strict=True)
    ]
    return {
        "factors": [{"path": f.path, "labels": list(f.labels)} for f in design.factors],
        "judges": judges,
        "seeds": design.seeds,
        "margin": design.margin,
        "items": items,
        "student": base.student.label,
        "catalog": Path(base.catalog.path).name or base.catalog.label,
        "chance": {k: v for one in base.evaluators for k, v in one.chance(items).items()},
        "simulated": any(teacher.capabilities.simulated for teacher in design.teachers),
    }

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
from pvd import catalog, exam, loading, pipeline
from pvd.asking import Desk, opened
from pvd.catalog import Data
from pvd.comparing import (
    cells,
    continuing,
    findings,
    marking,
    outlook,
    pricing,
    spending,
    substitution,
    transcripts,
    viewing,
)
from pvd.comparing import report as pages
from pvd.comparing.design import Cell, Design, Judge, make
from pvd.comparing.marking import Mark
from pvd.discovery import registry
from pvd.errors import BadInput
from pvd.exam import Paper
from pvd.folder import check_holds_only, locked, read_json, write_bytes, write_json
from pvd.money import account
from pvd.money.plan import Plan
from pvd.progress import Progress, Silent
from pvd.protocols import Teacher
from pvd.session import opened_session
from pvd.settings import Settings
from pvd.settings import recipe as read_recipe
from pvd.store import Store, default_path

RESULT, REPORT, USAGE = "compare.json", "report.html", "usage.json"
OURS = {RESULT, REPORT, USAGE, "cells", "exams"}
SCHEMA = 2
JOBS = 4  # at most, where nobody says how many


@dataclass(frozen=True)
class Compared:
    """A finished comparison: what compare.json holds, and where it all is."""

    findings: dict[str, Any]  #: what compare.json holds: arms, comparisons, substitution, cost
    folder: Path  #: where it all is, each run in a folder of its own
    report: Path  #: the page with all of it


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
    registry.load_files(plugins)
    made = make((read_recipe(recipe), tables), vary, judges, seeds, margin)
    return execute(made, Path(out), jobs=jobs, progress=progress)


def plan(
    design: Design, out: Path, *, jobs: int | None = None, progress: Progress | None = None
) -> tuple[Plan, list[str]]:
    """What the comparison would ask and cost, how long that takes, and what it could see."""
    shown = progress or Silent()
    check_holds_only(out, OURS, "comparison")
    data = _read(design, out, shown)
    with Store(design.base.store or default_path()) as store:
        budget = account.budget_of(design.base, out, store)
        priced = pricing.plan(design, data, out, store, budget, jobs or _jobs(design), shown)
    return priced, outlook.lines(design, _sitting(design, data))


def execute(
    design: Design, out: Path, *, jobs: int | None = None, progress: Progress | None = None
) -> Compared:
    """All of it, or the rest of it, or the result of a finished comparison."""
    digest, shown = design.digest(), progress or Silent()
    check_holds_only(out, OURS, "comparison")
    if _is_finished(out, digest):
        return finished(out)
    with locked(out):
        jobs = jobs or _jobs(design)
        charged = _agreed(design, out, jobs, shown)
        try:
            papers = [_asked(design, judge, out, charged, shown) for judge in design.judges]
            donor = design.exam_folder(out, design.judges[0])
            cells.run(design, out, charged, jobs, donor, shown)
        finally:
            with Store(design.base.store or default_path()) as store:
                budget = account.budget_of(design.base, out, store)
                spending.save(out / USAGE, budget)
                spending.say(budget, shown)
        write_json(out / RESULT, _found(design, out, digest, papers, shown))
    return finished(out)


def finished(out: Path) -> Compared:
    """The result that lies in a comparison's folder; the report is made from it anew."""
    found = read_json(out / RESULT)
    write_bytes(out / REPORT, pages.render(found).encode())
    return Compared(found, out, out / REPORT)


def _is_finished(out: Path, digest: str) -> bool:
    """Whether the result of this very design is there, as this version writes it."""
    if not (out / RESULT).exists():
        return False
    found = read_json(out / RESULT)
    return bool(found.get("design") == digest and found.get("schema") == SCHEMA)


def _jobs(design: Design) -> int:
    """On a processor a run uses one core well; a GPU, a local model and a person are not shared."""
    alone = design.base.device != "cpu" or any(
        teacher.capabilities.local or teacher.capabilities.person for teacher in design.teachers
    )
    return 1 if alone else min(os.cpu_count() or 1, JOBS, len(design.cells))


def _read(design: Design, out: Path, progress: Progress) -> Data:
    """The data that all cells share, after every arm was held against them."""
    continuing.check(design, out, out / RESULT)
    everything, personas, data = loading.read(design.base, progress)
    for teacher in design.teachers:
        loading.check_teacher(teacher, personas, everything)
    for number in range(len(design.arms)):
        settings = design.settings(Cell(number, 0))
        catalog.check_sizes(data, settings.train.size, settings.exam)
    if (sitting := _sitting(design, data)) < 2:
        raise BadInput(
            f"The exam has {sitting} persona, and intervals over personas need two at least; "
            "raise exam.personas, or bring more."
        )
    return data


def _sitting(design: Design, data: Data) -> int:
    """How many personas sit the exam."""
    settings = design.base
    seed = settings.stream("exam")
    return len(exam.chosen(data.people.test, data.items.test, settings.exam, seed)[0])


def _agreed(design: Design, out: Path, jobs: int, progress: Progress) -> str:
    """The account that all runs of the comparison charge. Whoever pays has seen the plan, and
    every key is there."""
    settings = design.base
    data = _read(design, out, progress)
    with Store(settings.store or default_path()) as store:
        budget = account.budget_of(settings, out, store)
        spending.save(out / USAGE, budget)
        for line in outlook.lines(design, _sitting(design, data)):
            progress.say(line)
        paid = [teacher for teacher in design.teachers if teacher.capabilities.paid]
        if paid:
            priced = pricing.plan(design, data, out, store, budget, jobs, progress)
            account.agree(settings, priced, progress, design.teachers)
            _prepare(design, paid, Desk(store, settings.ask, progress, budget))
        return budget.run


def _prepare(design: Design, paid: Sequence[Teacher], desk: Desk) -> None:
    """Find a missing key, package or model of any arm before another one is paid."""
    for teacher in paid:
        with opened(teacher, 0):
            desk.prepare(teacher)
    students: dict[str, Settings] = {}
    for number in range(len(design.arms)):
        settings = design.settings(Cell(number, 0))
        students.setdefault(str(settings.table()["student"]), settings)
    if len(students) > 1:  # else the exam loads the only one before it asks
        for settings in students.values():
            settings.student.load(settings.device)


def _asked(design: Design, judge: Judge, out: Path, charged: str, progress: Progress) -> Paper:
    """Play one judge's tournaments; they depend on no student."""
    progress.say(f"Exam by {judge.label}")
    settings, folder = design.examining(judge), design.exam_folder(out, judge)
    with opened_session(settings, folder, progress, charged=charged) as session:
        return pipeline.ask_exam(session)


def _found(
    design: Design, out: Path, digest: str, papers: Sequence[Paper], progress: Progress
) -> dict[str, Any]:
    settings = design.base
    seed = settings.stream("exam")
    folders = [[design.folder(out, cell) for cell in row] for row in design.rows]
    marks: list[list[Mark]] = [[] for _ in papers]
    with progress.stage("marking", len(folders), "arms"):
        for row in folders:  # one arm in memory at a time
            written = [transcripts.read(folder) for folder in row]
            for paper, own in zip(papers, marks, strict=True):
                own.append(marking.marked(paper, written, settings.evaluators, seed))
            progress.advance()
    sheets = [marking.sheet(paper, own) for paper, own in zip(papers, marks, strict=True)]
    ends = [[curve.stops[-1] for curve in mark.curves] for mark in marks[0]]
    views = viewing.views(design.judges, sheets)
    with progress.stage("findings"):
        return {
            "schema": SCHEMA,
            "pvd": pvd.__version__,
            "design": digest,
            **_about(design, papers),
            **findings.find(design, sheets, views, seed),
            "substitution": substitution.find(design, views, seed),
            "cost": spending.cost(design, out, folders, ends),
        }


def _about(design: Design, papers: Sequence[Paper]) -> dict[str, Any]:
    base, items = design.base, len(papers[0].items)
    judges = [
        {
            "label": judge.label,
            "teaches": judge.teaches,
            "independent": judge.independent,
            "personas": len(paper.personas),
            "lost": paper.lost,
            "stability": paper.stability,
        }
        for judge, paper in zip(design.judges, papers, strict=True)
    ]
    return {
        "factors": [{"path": f.path, "labels": list(f.labels)} for f in design.factors],
        "judges": judges,
        "seeds": design.seeds,
        "margin": design.margin,
        "items": items,
        "student": "" if any(f.path == "student" for f in design.factors) else base.student.label,
        "catalog": Path(base.catalog.path).name or base.catalog.label,
        "chance": exam.chance(base.evaluators, items),
        "simulated": sorted({t.label for t in design.teachers if t.capabilities.simulated}),
        "asked": sorted({teacher.label for teacher in design.teachers}),
    }

"""The order of the stages; nothing else knows it.

exam questions -> ( drawing -> asking -> training -> validation ) x rounds -> exam -> report
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pvd
from pvd import exam, options, report, rounds, scoring, summary, validation
from pvd.discovery import registry
from pvd.errors import UsageError
from pvd.exam import Paper
from pvd.folder import read_json, write_bytes, write_json, write_lines
from pvd.ledger import judgment_row
from pvd.progress import Progress, Silent
from pvd.protocols import Student
from pvd.session import Session, opened_session, record
from pvd.settings import Settings, recipe, resolve
from pvd.validation import Test


@dataclass(frozen=True)
class Run:
    """A finished run: the numbers of metrics.json, the distilled student, and where it all is."""

    metrics: dict[str, Any]
    student: Student
    folder: Path
    report: Path


def run(
    *,
    recipe: str = "default",
    plugins: Iterable[str | Path] = (),
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
    **tables: Any,
) -> Run:
    """`pvd run` for programs: keywords are what a TOML file holds, `plugins` are files of `-p`."""
    for file in plugins:
        registry.load_file(Path(file))
    settings = resolve(_recipe(recipe), tables)
    folder = Path(out) if out is not None else default_folder(settings)
    return execute(settings, folder, fresh=fresh, progress=progress)


_recipe = recipe


def default_folder(settings: Settings) -> Path:
    """`runs/<teacher>-<student>-<digest>`: the same command finds its own run."""
    names = (settings.teacher.label, settings.student.label, settings.digest()[:8])
    return Path("runs") / "-".join(names)


def execute(
    settings: Settings, folder: Path, *, fresh: bool = False, progress: Progress | None = None
) -> Run:
    """All of it, or the rest of it, or the result of a finished run."""
    progress = progress or Silent()
    if fresh and folder.exists():
        if any(folder.iterdir()) and not (folder / "run.toml").exists():
            raise UsageError(f"{folder} is no run folder, so --fresh will not empty it.")
        shutil.rmtree(folder)
    if (folder / "metrics.json").exists():
        record(settings, folder)  # is it this run's?
        return finished(folder)
    with opened_session(settings, folder, progress) as session:
        try:
            check_budget(session)
            paper = ask_exam(session)
            test = ask_validation(session)
            rounds.validate_start(session, test)
            while not rounds.is_over(session):
                rounds.label(session)
                rounds.learn(session, test)
            examine(session, paper)
        except BaseException:
            save_usage(session)
            raise
    return finished(folder)


def finished(folder: Path) -> Run:
    """The result that lies in a run folder."""
    metrics = read_json(folder / "metrics.json")
    return Run(metrics, open_student(folder / "student"), folder, folder / "report.html")


def open_student(folder: Path, device: str = "cpu") -> Student:
    """The student that a run saved."""
    card = read_json(folder / "pvd.json")
    kind, _, name = card["student"].partition(".")
    student: Student = pvd.load(kind, name, **card["options"])
    student.load(device)
    student.open(folder)
    return student


# --- money ----------------------------------------------------------------------------------


def check_budget(session: Session) -> None:
    """Nothing that costs money is asked without a catalogue of one's own and a limit."""
    settings, data = session.settings, session.data
    if not (settings.teacher.capabilities.paid or settings.judge.capabilities.paid):
        return
    if settings.max_cost is not None:
        return
    train = settings.train
    asked = train.rounds * train.slates + train.validation_slates
    judged = exam.questions(len(data.people.test), len(data.items.test), settings.exam)
    raise UsageError(
        f"This run would ask at most {asked:,} slates for training and {judged:,} for the exam; "
        "it costs money, so add --max-cost with the dollars that it may cost."
    )


# --- the stages -----------------------------------------------------------------------------


def ask_exam(session: Session, part: str = "test") -> Paper:
    """Play the tournaments of a part; they are independent of any student."""
    settings = session.settings.exam
    personas, items = getattr(session.data.people, part), getattr(session.data.items, part)
    total = exam.questions(len(personas), len(items), settings)
    with session.progress.stage("exam questions", total, "slates"):
        paper, brackets = exam.prepare(
            session.desk,
            session.judge,
            personas,
            items,
            settings,
            session.settings.stream("exam"),
            session.settings.ask.failures,
        )
    rows = [judgment_row(j) for bracket in brackets for j in bracket.judgments]
    write_lines(session.folder / "exam" / f"{part}.jsonl", rows)
    return paper


def ask_validation(session: Session) -> Test:
    """Ask what chooses the round, before the first one."""
    settings, seed = session.settings.train, session.settings.stream("exam")
    if settings.validate == "mpr":
        return validation.winners_test(ask_exam(session, "validation"), session.texts, seed)
    draw = session.settings.stream("draw")
    people, items = session.data.people.validation, session.data.items.validation
    slates = validation.slates(people, items, settings.validation_slates, settings.size, draw)
    with session.progress.stage("validation questions", len(slates), "slates"):
        judged = session.desk.judgments(
            session.teacher, len(slates), lambda n, attempt: slates[n].shown(draw, attempt)
        )
    answered = [judgment for judgment in judged if judgment is not None]
    return validation.pairs_test(answered, items, session.texts, seed)


def examine(session: Session, paper: Paper) -> None:
    """The best round's student sits the exam; write the student, the numbers and the report."""
    import torch

    settings, folder, seed = session.settings, session.folder, session.settings.stream("exam")
    best = rounds.best_round(session)
    rounds.load_round(session, best)
    with session.progress.stage("exam"):
        shelf = session.pictures.subset(paper.items)
        rows = torch.tensor([session.pictures.index[item.id] for item in paper.items])
        people = [session.texts[p.id] for p in session.data.people.train]
        scores = exam.systems(
            paper,
            texts=torch.stack([session.texts[p.id] for p in paper.personas]),
            before=session.base[rows],
            after=scoring.embed(session.student, shelf),
            mean_persona=torch.nn.functional.normalize(torch.stack(people).mean(0), dim=0),
            seed=seed,
        )
        results = exam.evaluate(paper, scores, settings.evaluators, seed)
    save_student(session.student, folder / "student")
    metrics = summary.metrics(session, paper, scores, results, best)
    gallery = summary.gallery(paper, scores, settings.exam.gallery, seed)
    save_usage(session)
    write_json(folder / "gallery.json", gallery)
    page = report.render(metrics, read_json(folder / "usage.json"), gallery)
    write_bytes(folder / "report.html", page.encode())
    session.watchers.tell("on_report", metrics=copy.deepcopy(metrics))
    write_json(folder / "metrics.json", metrics)  # last: a run with metrics is finished


def save_student(student: Student, folder: Path) -> None:
    """The student as its library publishes it, and pvd.json to open it again."""
    folder.mkdir(parents=True, exist_ok=True)
    student.save(folder)
    card = {
        "student": student.name,
        "version": pvd.__version__,
        "options": {k: v for k, v in options.dump(student).items() if k != "use"},
    }
    write_json(folder / "pvd.json", card)


def save_usage(session: Session) -> None:
    """What this invocation used; `run_dollars` is the sum over all invocations."""
    path = session.folder / "usage.json"
    earlier = read_json(path)["run_dollars"] if path.exists() else 0.0
    used = asdict(session.desk.usage)
    seconds = {name: round(value, 2) for name, value in session.progress.seconds.items()}
    write_json(path, {**used, "run_dollars": earlier + used["dollars"], "seconds": seconds})

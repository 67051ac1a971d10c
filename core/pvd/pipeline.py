"""The order of the stages; nothing else knows it.

exam questions -> ( drawing -> asking -> training -> validation ) x rounds -> exam -> report
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pvd import exam, forgetting, provenance, report, rounds, scoring, summary, validation
from pvd.discovery import registry
from pvd.errors import BadInput, PluginError
from pvd.exam import Paper
from pvd.folder import locked, read_object, sweep, write_bytes, write_json, write_lines
from pvd.identity import FRESH, after_mending, check_same_run, no_result
from pvd.ledger import Ledger, judgment_row
from pvd.money.plan import Plan
from pvd.outcome import METRICS, Run, read_metrics
from pvd.progress import Progress, Silent
from pvd.protocols import Teacher
from pvd.records import RoundResult
from pvd.saving import finished, save_student, saved
from pvd.session import Session, opened_session, planned
from pvd.settings import ExamSettings, Settings, recipe, resolve
from pvd.team import Team
from pvd.validation import Test


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
    registry.load_files(plugins)
    with provenance.begun_with(Path(out) if out is not None else None):
        settings = resolve(_recipe(recipe), tables)
    folder = Path(out) if out is not None else default_folder(settings)
    try:
        return execute(settings, folder, fresh=fresh, progress=progress)
    except BadInput as error:
        error.args = (str(error).replace(FRESH, "fresh=True"),)
        raise


_recipe = recipe


def plan(
    settings: Settings,
    folder: Path | None = None,
    progress: Progress | None = None,
    fresh: bool = False,
) -> Plan:
    """What a run would ask and cost, as `pvd run --dry-run` says it."""
    return planned(settings, folder or default_folder(settings), progress or Silent(), fresh)


def default_folder(settings: Settings) -> Path:
    """`runs/<teacher>-<student>-<digest>`: the same command finds its own run."""
    names = (settings.teacher.label, settings.student.label, settings.digest()[:8])
    return Path("runs") / "-".join(names)


def execute(
    settings: Settings,
    folder: Path,
    *,
    fresh: bool = False,
    progress: Progress | None = None,
    team: Team | None = None,
) -> Run:
    """All of it, or the rest of it, or the result of a finished run."""
    if not fresh and is_finished(settings, folder):
        check_same_run(settings, folder)
        with (
            suppress(BadInput),
            locked(folder),
        ):  # a kill in the last moment may have left something
            sweep(folder)
        return finished(settings, folder)
    try:
        with opened_session(settings, folder, progress or Silent(), fresh, team) as session:
            go_through(session)
        return saved(settings, folder)
    except PluginError as error:
        if folder != default_folder(settings):  # another version has another
            said = after_mending(str(error), settings, folder, f"start over with {FRESH}")
            error.args = (said,)
        raise


def go_through(session: Session) -> Paper:
    """All stages, each as far as it is not done; the exam that was sat."""
    paper = ask_exam(session)
    if not session.ledger.has(0, "done"):
        try_evaluators(session, paper)
    test = ask_validation(session)
    rounds.validate_start(session, test)
    while not rounds.is_over(session):
        rounds.label(session)
        rounds.learn(session, test)
    examine(session, paper)
    return paper


def label(
    settings: Settings, folder: Path, progress: Progress, team: Team | None = None
) -> tuple[int, Path, int]:
    """Draw and ask the next round: its number, the file of its judgments, and how many they are."""
    with opened_session(settings, folder, progress, team=team) as session:
        number = rounds.label(session)
        made = len(session.ledger.judgments(number))
        return number, session.ledger.path(number, "judgments.jsonl"), made


def train(
    settings: Settings,
    folder: Path,
    progress: Progress,
    judgments: Path | None = None,
    team: Team | None = None,
) -> RoundResult:
    """Train on all judgments so far and end the round; a file may bring the round's judgments."""
    if judgments is None:
        rounds.check_labelled(Ledger(folder / "rounds", (), ()))  # before pictures are prepared
    with opened_session(settings, folder, progress, team=team) as session:
        if judgments is not None:
            rounds.bring(session, judgments)
        test = ask_validation(session)
        rounds.validate_start(session, test)
        return rounds.learn(session, test)


def evaluate(settings: Settings, folder: Path, progress: Progress, team: Team | None = None) -> Run:
    """The best round's student so far sits the exam."""
    with opened_session(settings, folder, progress, team=team) as session:
        rounds.validate_start(session, ask_validation(session))
        examine(session, ask_exam(session))
    return saved(settings, folder)


def is_finished(settings: Settings, folder: Path) -> bool:
    """Whether the folder's result is that of all rounds, not of an exam in between."""
    if not (folder / METRICS).exists():
        return False
    metrics = read_metrics(folder)
    done, best = len(metrics["rounds"]) - 1, metrics["best_round"]
    return validation.enough(done, best, settings.train)


# --- the stages -----------------------------------------------------------------------------


def ask_exam(session: Session) -> Paper:
    """Play the exam's tournaments; they are independent of any student."""
    return _play(session, session.judge, "test", session.settings.exam)


def _play(session: Session, judge: Teacher, part: str, settings: ExamSettings) -> Paper:
    personas, items = getattr(session.data.people, part), getattr(session.data.items, part)
    total = exam.questions(len(personas), len(items), settings)
    with session.progress.stage("exam questions", total, "slates"):
        paper, brackets = exam.prepare(
            session.desk,
            judge,
            personas,
            items,
            settings,
            session.settings.stream("exam"),
            session.settings.ask.failures,
        )
    rows = [judgment_row(j) for bracket in brackets for j in bracket.judgments]
    write_lines(session.folder / "exam" / f"{part}.jsonl", rows)
    return paper


def try_evaluators(session: Session, paper: Paper) -> None:
    """Measure the untrained student once: an evaluator that is broken says so before anything else
    is asked, and hours are spent in training."""
    import torch

    texts = torch.stack([session.texts[p.id] for p in paper.personas])
    untrained = {"zero-shot": scoring.cosines(texts, session.embed(paper.items, 0))}
    settings = session.settings
    exam.evaluate(paper, untrained, settings.evaluators, settings.stream("exam"))


def ask_validation(session: Session) -> Test:
    """Ask what chooses the round, before the first one; what was asked once stays."""
    settings, seed = session.settings.train, session.settings.stream("exam")
    people, items = session.data.people.validation, session.data.items.validation
    if settings.validate == "mpr":
        # By the teacher: a judge that chose the round would examine its own choice.
        exam_settings = replace(session.settings.exam, repeats=0)
        paper = _play(session, session.teacher, "validation", exam_settings)
        return validation.winners_test(paper, items, session.texts, seed)
    path = session.folder / "exam" / "validation.jsonl"
    judged = session.ledger.whole(path)
    if judged is None:
        draw = session.settings.stream("draw")
        slates = validation.slates(people, items, settings.validation_slates, settings.size, draw)
        with session.progress.stage("validation questions", len(slates), "slates"):
            answers = session.desk.judgments(
                session.teacher, len(slates), lambda n, attempt: slates[n].shown(draw, attempt)
            )
        judged = [judgment for judgment in answers if judgment is not None]
        rounds.check_failures(session, len(slates) - len(judged), len(slates), "validation")
        write_lines(path, [judgment_row(judgment) for judgment in judged])
    return validation.pairs_test(judged, items, session.texts, seed)


def examine(session: Session, paper: Paper) -> None:
    """The best round's student sits the exam; write the student, the numbers and the report."""
    import torch

    settings, folder, seed = session.settings, session.folder, session.settings.stream("exam")
    best = rounds.best_round(session)
    rounds.load_round(session, best)
    with session.progress.stage("exam"):
        people = [session.texts[p.id] for p in session.data.people.train]
        before, after = (session.embed(paper.items, round) for round in (0, best))
        scores = exam.systems(
            paper,
            texts=torch.stack([session.texts[p.id] for p in paper.personas]),
            before=before,
            after=after,
            mean_persona=torch.nn.functional.normalize(torch.stack(people).mean(0), dim=0),
            seed=seed,
        )
        results = exam.evaluate(paper, scores, settings.evaluators, seed)
        embed_texts = partial(scoring.embed_texts, session.student)
        guard = forgetting.measure(paper.items, before, after, embed_texts, seed)
    (folder / METRICS).unlink(missing_ok=True)  # a result without its student would be a lie
    save_student(session.student, folder / "student")
    metrics = summary.metrics(session, paper, scores, results, guard, best)
    gallery = summary.gallery(paper, scores, settings.exam.gallery, seed)
    session.save_usage()
    write_json(folder / "exam" / "values.json", summary.values(paper, results))
    write_json(folder / "gallery.json", gallery)
    write_report(folder, metrics)
    session.watchers.tell("on_report", metrics=metrics)
    write_json(folder / METRICS, metrics)  # last: a run with metrics has everything else


def write_report(folder: Path, metrics: dict[str, Any]) -> Path:
    """report.html, from the files of the run alone."""
    usage, gallery = (read_object(folder / name) for name in ("usage.json", "gallery.json"))
    path = folder / "report.html"
    write_bytes(path, report.render(metrics, usage, gallery).encode())
    return path


def make_report(folder: Path) -> Path:
    """The report of a finished run once more; nothing is asked, loaded or computed."""
    if not (folder / METRICS).exists():
        raise no_result(folder)
    return write_report(folder, read_metrics(folder))

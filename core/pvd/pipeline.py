"""The order of the stages; nothing else knows it.

exam questions -> ( drawing -> asking -> training -> validation ) x rounds -> exam -> report
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pvd
from pvd import drawing, exam, options, report, scoring, summary, validation
from pvd.drawing import Drawn, Shop
from pvd.errors import PartialResult, UsageError
from pvd.exam import Paper
from pvd.folder import read_json, write_bytes, write_json, write_lines
from pvd.progress import Progress, Silent
from pvd.protocols import Student
from pvd.records import Estimate, Judgment, RoundResult
from pvd.rounds import judgment_row
from pvd.session import Session, opened_session, record
from pvd.settings import Settings, recipe, resolve
from pvd.training import Aged, Lesson, train_round
from pvd.validation import Test

SPARES = 2  # other slates for a slot whose slate brought no answer


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
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
    **tables: Any,
) -> Run:
    """`pvd run` for programs: keywords are what a TOML file holds."""
    settings = resolve(_recipe(recipe), tables)
    folder = Path(out) if out is not None else default_folder(settings)
    return execute(settings, folder, fresh=fresh, progress=progress)


_recipe = recipe


def default_folder(settings: Settings) -> Path:
    """`runs/<teacher>-<student>-<digest>`: the same command finds its own run."""
    names = (settings.teacher.name, settings.student.name)
    return Path("runs") / "-".join([*(n.partition(".")[2] for n in names), settings.digest()[:8]])


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
            validate_start(session, test)
            while not is_over(session):
                label(session)
                learn(session, test)
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


def label(session: Session) -> int:
    """Draw and ask the next round, as far as that is not done; its number."""
    settings, rounds = session.settings, session.rounds
    round = rounds.finished() + 1
    if rounds.has(round, "judgments.jsonl"):
        return round
    where = f"round {round} of {settings.train.rounds}"
    draw = settings.stream("draw")
    history = [j for earlier in range(1, round) for j in rounds.judgments(earlier)]
    load_round(session, round - 1)
    with session.progress.stage("drawing", settings.train.slates, "slates", where):
        shop = _shop(session)
        common: Any = {
            "round": round,
            "size": settings.train.size,
            "seed": draw,
            "history": history,
        }
        if not rounds.has(round, "slates.jsonl"):
            drawn, notes = drawing.draw_round(
                settings.sampler,
                shop,
                slots=settings.train.slates,
                earlier=[d for earlier in range(1, round) for d in rounds.drawn(earlier)],
                **common,
            )
            rounds.write_drawn(round, drawn, notes)
        drawn = rounds.drawn(round)
    with session.progress.stage("asking", len(drawn), "slates", where):
        judged = _ask(session, drawn)
        failed = [d for d in drawn if d.slot not in judged]
        if len(failed) > settings.ask.failures * len(drawn):
            raise PartialResult(
                f"{len(failed)} of {len(drawn)} slates of round {round} brought no answer that can "
                "be read, more than ask.failures allows; look at the replies in the store."
            )
        for spare in range(1, SPARES + 1):
            others = [
                drawing.draw_spare(settings.sampler, shop, d, spare=spare, **common) for d in failed
            ]
            judged |= _ask(session, others)
            failed = [d for d in failed if d.slot not in judged]
    rounds.write_judgments(round, judged)
    for judgment in rounds.judgments(round):
        session.watchers.tell("on_judgment", judgment=judgment)
    return round


def _ask(session: Session, drawn: Sequence[Drawn]) -> dict[int, Judgment]:
    seed = session.settings.stream("draw")
    answers = session.desk.judgments(
        session.teacher, len(drawn), lambda n, attempt: drawn[n].shown(seed, attempt)
    )
    return {d.slot: j for d, j in zip(drawn, answers, strict=True) if j is not None}


def _shop(session: Session) -> Shop:
    import torch

    people = session.data.people.train
    pictures, base = session.embedded("train")
    return Shop(
        personas=people,
        items=pictures.items,
        texts=torch.stack([session.texts[p.id] for p in people]),
        embeddings=scoring.embed(session.student, pictures),
        base=base,
    )


def learn(session: Session, test: Test) -> RoundResult:
    """Train on all judgments so far, validate, and end the round."""
    settings, rounds = session.settings, session.rounds
    round = rounds.finished() + 1
    where = f"round {round} of {settings.train.rounds}"
    load_round(session, round - 1)
    made = [(number, j) for number in range(1, round + 1) for j in rounds.judgments(number)]
    pictures, base = session.embedded("train")
    lesson = Lesson(
        [Aged(j, round - number) for number, j in made],
        pictures,
        session.texts,
        base,
        settings.train.replay,
    )
    seen = settings.train.steps * min(settings.train.batch, len(lesson))
    with session.progress.stage("training", seen, "slates", where):
        loss = train_round(
            session.student,
            settings.loss,
            lesson,
            settings.train,
            round=round,
            seed=settings.stream("train"),
            progress=session.progress,
            on_step=lambda step: session.watchers.tell("on_step", step=step),
        )
    rounds.write_weights(round, session.student, settings.loss)
    before = {j.digest for number, j in made if number < round}
    here = [j for number, j in made if number == round]
    drawn = rounds.drawn(round) if rounds.has(round, "slates.jsonl") else []
    sets = {d.slot: frozenset(i.id for i in d.items) for d in drawn}
    result = RoundResult(
        round=round,
        slates=len(drawn) or len(here),
        answered=len(here),
        fresh=len({j.digest for j in here} - before),
        replaced=sum(frozenset(i.id for i in j.slate.items) not in sets.values() for j in here)
        if drawn
        else 0,
        loss=loss,
        validation=_validated(session, test),
        notes=rounds.notes(round) if drawn else {},
    )
    return finish_round(session, result)


def validate_start(session: Session, test: Test) -> None:
    """Round 0: the student before any training."""
    if session.rounds.has(0, "done"):
        return
    session.rounds.write_weights(0, session.student, session.settings.loss)
    result = RoundResult(0, 0, 0, 0, 0, None, _validated(session, test))
    finish_round(session, result)


def finish_round(session: Session, result: RoundResult) -> RoundResult:
    """Write the round's end, and tell about it what was written."""
    session.rounds.write_done(result)
    result = session.rounds.result(result.round)
    session.watchers.tell("on_round", result=result)
    unit = "MPR" if session.settings.train.validate == "mpr" else "pairs ordered alike"
    value = result.validation
    session.progress.say(
        f"round {result.round}: validation {value.value:.1f} % {unit} "
        f"({value.low:.1f} to {value.high:.1f})"
        + (f", loss {result.loss:.3f}" if result.loss is not None else "")
    )
    return result


def _validated(session: Session, test: Test) -> Estimate:
    pictures, _ = session.embedded("validation")
    with session.progress.stage("validation"):
        return test(scoring.embed(session.student, pictures))


def load_round(session: Session, round: int) -> None:
    """Put the weights of a finished round into the student."""
    session.rounds.load_weights(round, session.student, session.settings.loss)


def best_round(session: Session) -> int:
    """The round with the best validation; of equals the earliest."""
    values = [
        session.rounds.result(n).validation.value for n in range(session.rounds.finished() + 1)
    ]
    return values.index(max(values))


def is_over(session: Session) -> bool:
    """All rounds are done, or the best one was too long ago."""
    done, train = session.rounds.finished(), session.settings.train
    return done >= train.rounds or done - best_round(session) >= train.patience


def examine(session: Session, paper: Paper) -> None:
    """The best round's student sits the exam; write the student, the numbers and the report."""
    import torch

    settings, folder, seed = session.settings, session.folder, session.settings.stream("exam")
    best = best_round(session)
    load_round(session, best)
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

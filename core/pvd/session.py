"""A run in its folder: data, student and desk, made ready for any stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pvd import exam, loading, scoring
from pvd.asking import Desk, opened
from pvd.catalog import Data
from pvd.errors import BadInput, MissingPrerequisite
from pvd.folder import locked, sweep
from pvd.identity import (
    FRESH,
    check_ours,
    check_same_data,
    check_same_run,
    empty,
    is_blank,
    record,
    remove,
    renew,
)
from pvd.isolation import checks
from pvd.ledger import VIEW, WEIGHTS, Ledger
from pvd.money import account, planning
from pvd.money.plan import Plan
from pvd.pictures import Pictures
from pvd.progress import Progress
from pvd.protocols import Student, Teacher
from pvd.records import Item
from pvd.settings import Settings
from pvd.store import Store, default_path
from pvd.team import Team
from pvd.watching import Watchers

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Session:
    """What the stages of one run share. `base` and `texts` do not change: they are the untrained
    student's item embeddings [N, D] and the frozen persona embeddings by persona id.
    """

    settings: Settings
    folder: Path
    data: Data
    student: Student
    teacher: Teacher
    judge: Teacher
    desk: Desk
    pictures: Pictures
    base: Tensor
    texts: Mapping[str, Tensor]
    told: Sequence[str]  # what the student warned of when it read them
    ledger: Ledger
    progress: Progress
    team: Team

    @property
    def watchers(self) -> Watchers:
        """Who is told what happens in this run."""
        return self.progress.watchers

    def embedded(self, part: str) -> tuple[Pictures, Tensor]:
        """The pictures of a part of the items, and their embeddings before any training."""
        return loading.part(getattr(self.data.items, part), self.pictures, self.base)

    def embed(self, items: Sequence[Item], round: int, into: Tensor | None = None) -> Tensor:
        """[n, D], items as the student sees them after this round, whose weights it has now."""
        import torch

        rows = torch.tensor([self.pictures.index[item.id] for item in items])
        if round == 0:
            return self.base[rows]
        return _embed(self.team, self.student, self.pictures, rows, round, into)

    def save_usage(self) -> None:
        """What this invocation used so far, and what the run did over all its invocations."""
        account.save_usage(self.folder, self.desk, self.progress)


@contextmanager
def opened_session(
    settings: Settings,
    folder: Path,
    progress: Progress,
    fresh: bool = False,
    team: Team | None = None,
    charged: str | None = None,
) -> Iterator[Session]:
    """Lock the folder, load what the run is about, open teacher, judge and store; at the end,
    write down what was used. `fresh` empties the folder first. `charged` is the account of a
    comparison that this run is part of: whoever pays has seen the plan of all of it.
    """
    import torch

    team = team or Team()
    loading.check_device(settings.device)
    exam.chance(settings.evaluators, 2)  # two with one name are refused before anybody is asked
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        if (folder / "run.toml").exists():  # any other folder's files are not ours to remove
            sweep(folder)
        other = ""
        if fresh:
            check_ours(folder)
        else:
            other = check_same_run(settings, folder)
        everything, personas, data = loading.read(settings, progress)
        stack.enter_context(progress.watchers.joined_by(settings.observers))
        store = stack.enter_context(Store(settings.store or default_path()))
        budget = account.budget_of(settings, folder, store, fresh, charged)
        desk = Desk(store, settings.ask, progress, budget)
        teacher = stack.enter_context(opened(settings.teacher, settings.stream("teacher")))
        judge = stack.enter_context(opened(settings.judge, settings.stream("judge")))
        paid = teacher.capabilities.paid or judge.capabilities.paid
        if paid and charged is None:
            plan = _plan(settings, data, desk, folder, fresh or bool(other))
            account.agree(settings, plan, progress)
        for one in (teacher, judge):
            desk.prepare(one)
        if fresh:  # only now: a command that is refused must not cost a run
            empty(folder)
        elif other:
            progress.say(f"{folder} {other}; nothing of that is lost, and it begins anew.")
            renew(folder)
        progress.watchers.begin(folder)
        with progress.stage("student"):
            settings.student.load(team.device(settings.device))
        pictures, data = loading.shelve(
            settings, everything, personas, data, progress, folder / "skipped.jsonl"
        )
        check_same_data(data, folder, anew=True)
        record(settings, folder)  # only now: a mistake in the data must not need --fresh
        told: list[str] = []
        with progress.stage("texts"):
            texts = scoring.embed_texts(settings.student, [p.text for p in personas], told)
        ledger = Ledger(folder / "rounds", pictures.items, personas)
        for path in ledger.mend():
            progress.say(f"{path} cannot be read; it is made again.")
        some = texts[: loading.SEEN], loading.glance(settings.student, everything, pictures)
        checks.same_width(settings.student, *some)
        began = ledger.has(0, WEIGHTS)
        if began and not (ledger.began_with(settings.student) and ledger.saw(*some)):
            # Other runs of a comparison began with the same one.
            if charged is not None or not is_blank(folder):
                raise BadInput(
                    f"The student is not the one that the run in {folder} began with; bring its "
                    f"weights back, use another folder, or start over with {FRESH}."
                )
            remove(folder, {"rounds"})
            began = False
        if not began:
            ledger.write_seen(*some)
            ledger.write_weights(0, settings.student, settings.loss)
        if team.size > 1:
            ledger.write_texts(texts)
        if not ledger.has(0, VIEW):
            with (
                progress.stage("embedding", len(pictures), "images"),
                ledger.new_view(0, (len(pictures), texts.shape[1])) as rows,
            ):
                everywhere = torch.arange(len(pictures))
                _embed(team, settings.student, pictures, everywhere, 0, rows)
        session = Session(
            settings=settings,
            folder=folder,
            data=data,
            student=settings.student,
            teacher=teacher,
            judge=judge,
            desk=desk,
            pictures=pictures,
            base=ledger.view(0),
            texts=dict(zip((p.id for p in personas), texts, strict=True)),
            told=told,
            ledger=ledger,
            progress=progress,
            team=team,
        )
        for number in range(1, ledger.finished() + 1):
            desk.remember(teacher, ledger.judgments(number))
        session.save_usage()  # before anything is asked: an account that nobody finds is lost
        desk.post.account = session.save_usage
        done = [ledger.result(n) for n in range(ledger.finished() + 1) if ledger.has(n, "done")]
        session.watchers.tell("on_ready", settings=settings.whole(), rounds=done)
        try:
            yield session
        except BaseException:
            with suppress(BadInput):  # on a full disk, what else could not be written matters more
                session.save_usage()
            account.say_spent(desk, progress)
            raise
        session.save_usage()
        account.say_spent(desk, progress)


def planned(settings: Settings, folder: Path, progress: Progress, fresh: bool = False) -> Plan:
    """What the run in this folder will ask and cost. Nothing is asked, and no key is needed."""
    with suppress(MissingPrerequisite):  # it may be done on another machine
        loading.check_device(settings.device)
    other = "" if fresh else check_same_run(settings, folder)
    _, _, data = loading.read(settings, progress)
    with ExitStack() as stack:
        store = stack.enter_context(Store(settings.store or default_path()))
        for one, name in ((settings.teacher, "teacher"), (settings.judge, "judge")):
            stack.enter_context(opened(one, settings.stream(name)))
        budget = account.budget_of(settings, folder, store, fresh)
        desk = Desk(store, settings.ask, progress, budget)
        return _plan(settings, data, desk, folder, fresh or bool(other))


def _plan(settings: Settings, data: Data, desk: Desk, folder: Path, anew: bool) -> Plan:
    # A run that begins anew finds nothing of what is in the folder.
    return planning.plan(settings, data, desk, folder / "none" if anew else folder)


def _embed(
    team: Team,
    student: Student,
    pictures: Pictures,
    rows: Tensor,
    round: int,
    into: Tensor | None,
) -> Tensor:
    """[n, D], by all processes: the others load the round's weights."""
    with team.at_work(do="embed", round=round):
        return scoring.embed(student, pictures, team.spread(rows), team=team, into=into)

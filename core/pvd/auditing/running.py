"""An audit in its folder: priced, asked, counted, written down; or the finished one once more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pvd import catalog, contents, loading, options
from pvd.asking import Desk, opened
from pvd.auditing import pricing
from pvd.auditing.answers import counted
from pvd.auditing.asking import ask, watched
from pvd.auditing.page import render
from pvd.auditing.questions import Design, Sheet, draw
from pvd.auditing.results import results
from pvd.auditing.teachers import Member
from pvd.discovery import registry
from pvd.errors import BadInput, UsageError
from pvd.folder import check_holds_only, locked, read_json, sweep, write_bytes, write_json
from pvd.money import account
from pvd.money.plan import Plan
from pvd.progress import Progress
from pvd.records import Catalog, digest_of
from pvd.settings import OPERATIONAL, Settings, flat
from pvd.store import Store, default_path

RESULT, RECORD, REPORT = "audit.json", "audit.toml", "report.html"
OURS = {RESULT, RECORD, REPORT, "usage.json"}


@dataclass(frozen=True)
class Audit:
    """A finished audit: the numbers of audit.json, and where it all is."""

    numbers: dict[str, Any]  #: what audit.json holds, by teacher and pair of teachers
    folder: Path  #: where it all is
    report: Path  #: the page with all of it


@dataclass(frozen=True)
class Task:
    """What is audited, how, and where."""

    settings: Settings
    members: tuple[Member, ...]
    design: Design
    folder: Path

    def record(self) -> options.Table:
        """All that can change a question or a number."""
        settings = self.settings
        files = [registry.file_of(member.teacher) for member in self.members]
        named = contents.digests({"teachers": [member.teacher for member in self.members]})
        read = {k: v for k, v in named.items() if not k.endswith(OPERATIONAL)}
        return {
            **({"files": read} if read else {}),
            "plugins": dict(file for file in files if file is not None),
            "seed": settings.seed,
            "slates": self.design.slates,
            "orders": self.design.orders,
            "size": self.design.size,
            "pairs": self.design.paired,
            "streams": {name: settings.stream(name) for name in ("split", "teacher", "draw")},
            "catalog": options.dump(settings.catalog),
            "personas": options.dump(settings.personas),
            "split": options.dump(settings.split),
            "teachers": [options.dump(member.teacher) for member in self.members],
        }


def task(
    settings: Settings, members: Sequence[Member], design: Design, folder: Path | None
) -> Task:
    """The task, checked as far as no data is needed; its folder if none is named."""
    design.check()
    made = Task(settings, tuple(members), design, folder or Path())
    if folder is not None:
        return made
    names = "-".join(dict.fromkeys(member.teacher.label for member in members))
    return Task(settings, made.members, design, Path("audits") / f"{names}-{_digest(made)}")


def _digest(task: Task) -> str:
    return digest_of(_comparable(task.record()))[:8]


def _comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without how teachers ask, which may differ when an audit goes on."""

    def kept(table: Mapping[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in flat(table).items() if not f".{k}".endswith(OPERATIONAL)}

    return flat(record) | {"teachers": [kept(one) for one in record.get("teachers", ())]}


def plan(task: Task, progress: Progress) -> Plan:
    """What the audit would ask and cost. Nothing is asked, and no key is needed."""
    _check_same(task)
    with _ready(task, progress) as (sheet, desk, _):
        return pricing.plan(task.settings, task.members, sheet, desk)


def execute(task: Task, progress: Progress) -> Audit:
    """All of it, or the rest of it, or the result of a finished audit."""
    folder = task.folder
    other = _check_same(task)
    if (folder / RESULT).exists():
        return finished(folder)
    with locked(folder):
        if other:
            progress.say(other)
        if (folder / RECORD).exists():  # any other folder's files are not ours to remove
            sweep(folder)
        with _ready(task, progress) as (sheet, desk, everything):
            _agree(task, sheet, desk, progress)
            for member in task.members:
                desk.prepare(member.teacher)
            _write_record(task)
            save = partial(account.save_usage, folder, desk, progress)
            save()  # before anything is asked: an account that nobody finds is lost
            desk.post.account = save
            try:
                _audit(task, sheet, desk, everything, progress)
            except BaseException:
                with suppress(BadInput):  # on a full disk, what could not be written matters more
                    save()
                account.say_spent(desk, progress)
                raise
            save()
            account.say_spent(desk, progress)
    return finished(folder)


def finished(folder: Path) -> Audit:
    """The result of a finished audit."""
    return Audit(read_json(folder / RESULT), folder, folder / REPORT)


def _audit(task: Task, sheet: Sheet, desk: Desk, everything: Catalog, progress: Progress) -> None:
    questions, answers, watches = sheet.all(), [], []
    for number, member in enumerate(task.members, 1):
        where = f"teacher {number} of {len(task.members)}" if len(task.members) > 1 else ""
        with (
            progress.stage(member.teacher.label, len(questions), "slates", where),
            watched(member.teacher) as watch,
        ):
            answers.append(counted(sheet, ask(desk, member.teacher, questions)))
        watches.append(watch)
    with progress.stage("counting"):
        found = results(task.settings, task.design, task.members, sheet, answers, watches)
        page = render(found, {item.id: item for item in everything})
    write_bytes(task.folder / REPORT, page.encode())
    write_json(task.folder / RESULT, found)  # last: an audit with numbers has everything else


@contextmanager
def _ready(task: Task, progress: Progress) -> Iterator[tuple[Sheet, Desk, Catalog]]:
    """The questions, the desk where they are asked, and all items; teachers and store are open.

    Only the training part is asked about: whoever is chosen by an audit has not seen the exam.
    """
    settings = task.settings
    with progress.stage("catalogue"):
        everything = catalog.read(settings.catalog)
        personas = catalog.read_personas(settings.personas)
        for member in task.members:
            loading.check_teacher(member.teacher, personas, everything)
        data = catalog.divide(everything, personas, settings.split, settings.stream("split"))
        people, items = data.people.train, data.items.train
        sheet = draw(people, items, task.design, settings.stream("draw"))
    with ExitStack() as stack:
        store = stack.enter_context(Store(settings.store or default_path()))
        budget = account.budget_of(settings, task.folder, store)
        for member in task.members:
            stack.enter_context(opened(member.teacher, settings.stream("teacher")))
        yield sheet, Desk(store, replace(settings.ask, attempts=1), progress, budget), everything


def _agree(task: Task, sheet: Sheet, desk: Desk, progress: Progress) -> None:
    teachers = [member.teacher for member in task.members]
    if any(teacher.capabilities.paid for teacher in teachers):
        found = pricing.plan(task.settings, task.members, sheet, desk)
        account.agree(task.settings, found, progress, teachers)


def _check_same(task: Task) -> str:
    """Raise BadInput if the folder holds another audit, UsageError if it holds a run. Of one that
    has no result, all answers are in the store: by what it was another, if it was."""
    folder = task.folder
    if (folder / "run.toml").exists():
        raise UsageError(f"{folder} holds a run; name another --out for the audit.")
    check_holds_only(folder, OURS, "audit")
    if not (folder / RECORD).exists():
        return ""
    here, there = (_comparable(one) for one in (task.record(), options.read_toml(folder / RECORD)))
    differ = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    if not differ:
        return ""
    table, _, name = differ[0].partition(".")
    what = {"plugins": f"another version of the plug-in {name}", "files": f"another file of {name}"}
    said = f"{folder} holds an audit with {what.get(table, f'other {differ[0]}')}"
    if (folder / RESULT).exists():
        raise BadInput(f"{said}; give the same again, or name another --out.")
    return f"{said}; nothing of that is lost, and it begins anew."


def _write_record(task: Task) -> None:
    import tomli_w

    write_bytes(task.folder / RECORD, tomli_w.dumps(task.record()).encode())

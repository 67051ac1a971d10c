"""A run in its folder: data, student and desk, made ready for any stage."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pvd
from pvd import catalog, options, scoring
from pvd.asking import Desk, opened
from pvd.catalog import Data
from pvd.discovery import registry
from pvd.errors import BadInput, MissingPrerequisite, UsageError
from pvd.folder import locked, read_json, sweep, write_bytes, write_json, write_lines
from pvd.ledger import WEIGHTS, Ledger
from pvd.money import account, planning
from pvd.money.plan import Plan
from pvd.pictures import Kept, Pictures, prepare
from pvd.progress import Progress
from pvd.protocols import Student, Teacher
from pvd.records import Catalog, Item, Persona
from pvd.settings import Settings, flat, unrecorded
from pvd.store import Store, default_path
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
    watchers: Watchers
    progress: Progress

    def embedded(self, part: str) -> tuple[Pictures, Tensor]:
        """The pictures of a part of the items, and their embeddings before any training."""
        import torch

        items = getattr(self.data.items, part)
        rows = torch.tensor([self.pictures.index[item.id] for item in items])
        return self.pictures.subset(items), self.base[rows]

    def save_usage(self) -> None:
        """What this invocation used so far, and what the run did over all its invocations."""
        account.save_usage(self.folder, self.desk, self.progress)


@contextmanager
def opened_session(
    settings: Settings, folder: Path, progress: Progress, fresh: bool = False
) -> Iterator[Session]:
    """Lock the folder, load what the run is about, open teacher, judge and store; at the end,
    write down what was used. `fresh` empties the folder first.
    """
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        if (folder / "run.toml").exists():  # any other folder's files are not ours to remove
            sweep(folder)
        if fresh:
            _check_ours(folder)
        else:
            check_same_run(settings, folder)
        everything, personas, data = _load(settings, progress)
        store = stack.enter_context(Store(settings.store or default_path()))
        desk = Desk(
            store, settings.ask, progress, account.budget_of(settings, folder, store, fresh)
        )
        teacher = stack.enter_context(opened(settings.teacher, settings.stream("teacher")))
        judge = stack.enter_context(opened(settings.judge, settings.stream("judge")))
        if teacher.capabilities.paid or judge.capabilities.paid:
            account.agree(settings, _plan(settings, data, desk, folder, fresh), progress)
        for one in (teacher, judge):
            desk.prepare(one)
        if fresh:  # only now: a command that is refused must not cost a run
            _empty(folder)
        watchers = Watchers(settings.observers, progress.say)
        watchers.begin(folder)
        with progress.stage("student"):
            check_device(settings.device)
            settings.student.load(settings.device)
        room = int(settings.prepared_gb * 1e9)
        kept = Kept.by(settings.student, room) if room else None
        pictures, bad = prepare(settings.student, everything, progress, kept)
        if kept is not None and kept.closed:
            progress.say(f"Not all prepared pictures are kept: {kept.closed}.")
        write_lines(folder / "skipped.jsonl", [{"id": i.id, "why": why} for i, why in bad])
        if bad:
            data = _divided(settings, pictures.items, personas, len(bad))
            progress.say(
                f"Pictures left out: {len(bad)} of {len(everything)}; see "
                f"{folder / 'skipped.jsonl'}. {bad[0][1]}"
            )
        _same_data(data, folder)
        record(settings, folder)  # only now: a mistake in the data must not need --fresh
        with progress.stage("embedding", len(pictures), "images"):
            base = scoring.embed(settings.student, pictures)
            told: list[str] = []
            texts = scoring.embed_texts(settings.student, [p.text for p in personas], told)
        ledger = Ledger(folder / "rounds", pictures.items, personas)
        for path in ledger.mend():
            progress.say(f"{path} cannot be read; it is made again.")
        some = texts[:SEEN], base[:SEEN]
        if not ledger.has(0, WEIGHTS):
            ledger.write_seen(*some)
            ledger.write_weights(0, settings.student, settings.loss)
        elif not (ledger.began_with(settings.student) and ledger.saw(*some)):
            raise BadInput(
                f"The student is not the one that the run in {folder} began with; bring its "
                "weights back, use another folder, or start over with `pvd run --fresh`."
            )
        session = Session(
            settings=settings,
            folder=folder,
            data=data,
            student=settings.student,
            teacher=teacher,
            judge=judge,
            desk=desk,
            pictures=pictures,
            base=base,
            texts=dict(zip((p.id for p in personas), texts, strict=True)),
            told=told,
            ledger=ledger,
            watchers=watchers,
            progress=progress,
        )
        for number in range(1, ledger.finished() + 1):
            desk.remember(teacher, ledger.judgments(number))
        session.save_usage()  # before anything is asked: an account that nobody finds is lost
        desk.post.account = session.save_usage
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
    if not fresh:
        check_same_run(settings, folder)
    _, _, data = _load(settings, progress)
    with ExitStack() as stack:
        store = stack.enter_context(Store(settings.store or default_path()))
        for one, name in ((settings.teacher, "teacher"), (settings.judge, "judge")):
            stack.enter_context(opened(one, settings.stream(name)))
        budget = account.budget_of(settings, folder, store, fresh)
        return _plan(settings, data, Desk(store, settings.ask, progress, budget), folder, fresh)


def _plan(settings: Settings, data: Data, desk: Desk, folder: Path, fresh: bool) -> Plan:
    # A fresh run finds nothing of what is in the folder.
    return planning.plan(settings, data, desk, folder / "none" if fresh else folder)


def _load(settings: Settings, progress: Progress) -> tuple[Catalog, Sequence[Persona], Data]:
    """Items, personas and their parts; mistakes in them are found here, before pictures are
    prepared."""
    with progress.stage("catalogue"):
        everything = catalog.read(settings.catalog)
        personas = catalog.read_personas(settings.personas)
        _check_teachers(settings, personas, everything)
        data = _divided(settings, everything, personas)
        if warning := catalog.check_sizes(data, settings.train.size, settings.exam):
            progress.say(warning)
    return everything, personas, data


def _divided(
    settings: Settings, items: Sequence[Item], personas: Sequence[Persona], skipped: int = 0
) -> Data:
    return catalog.divide(items, personas, settings.split, settings.stream("split"), skipped)


SEEN = 8  # texts and items by which another student is noticed
FIRST = ("run.toml", "data.json", "skipped.jsonl")  # what a run folder has before anything else


def _is_ours(folder: Path) -> bool:
    """Whether files in the folder may be removed: it holds a run, or nothing but our beginnings."""
    seen = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    return not seen or not seen.isdisjoint(FIRST)


def _check_ours(folder: Path) -> None:
    if not _is_ours(folder):
        raise UsageError(f"{folder} is no run folder, so --fresh will not empty it.")


def _empty(folder: Path) -> None:
    """Remove a run, but not the lock that is held on it. Killed in between, the same command finds
    a run that it may remove; never are rounds of one run left under the settings of another.
    """
    inside = [path for path in folder.iterdir() if path.name not in (".lock", *FIRST)]
    for path in sorted(inside, key=lambda path: path.name != "metrics.json"):
        path.rename(path.with_name(f".{path.name}.gone.tmp"))
    sweep(folder)
    for name in FIRST:
        (folder / name).unlink(missing_ok=True)


def check_same_run(settings: Settings, folder: Path) -> None:
    """Raise BadInput if the folder holds a run with other settings."""
    path = folder / "run.toml"
    if not path.exists():
        return
    here, there = flat(_table(settings)), flat(options.read_toml(path))
    differ = [n for n in {**here, **there} if not unrecorded(n) and here.get(n) != there.get(n)]
    if not differ:
        return
    # Another component has other options: say that it is another one.
    name = min(differ, key=lambda name: not name.endswith(".use"))
    was, now, label = there.get(name), here.get(name), name.removesuffix(".use")
    begun = f"without {label}" if was is None else f"with {label} {was}"
    said = "gives none" if now is None else f"says {now}"
    what = f"was begun {begun}, and this command {said}"
    if name.startswith("plugins."):
        what = f"was begun with another version of the plug-in {name.removeprefix('plugins.')}"
    elif isinstance(was, list) or isinstance(now, list):  # of components with all their options
        what = f"was begun with other {label}"
    raise BadInput(
        f"{folder} {what}; give the same again, use another folder, or start over with "
        "`pvd run --fresh`."
    )


def record(settings: Settings, folder: Path) -> None:
    """Write run.toml and environment.json."""
    import tomli_w

    write_bytes(folder / "run.toml", tomli_w.dumps(_table(settings)).encode())
    write_json(
        folder / "environment.json",
        {
            "python": sys.version.split()[0],
            "platform": platform.platform(),
            "device": settings.device,
            "pvd": pvd.__version__,
            "packages": {name: version(name) for name in ("torch", "numpy", "pillow", "pluggy")},
        },
    )


def _table(settings: Settings) -> options.Table:
    return {"plugins": settings.files(), **settings.table()}


def configuration(path: Path) -> options.Table:
    """The tables of a TOML file, after the plug-in files that it names were loaded."""
    table = options.read_toml(path)
    for file, digest in table.pop("plugins", {}).items():
        if registry.load_file(Path(file)) != digest:
            raise BadInput(
                f"The plug-in file {file} changed since {path} was written; restore it, or name it "
                "with -p and start over with --fresh."
            )
    return table


def check_device(name: str) -> None:
    """Raise BadInput for what torch does not know, MissingPrerequisite for what is not here."""
    import torch

    try:
        kind = torch.device(name).type
    except RuntimeError:
        raise BadInput(f"{name!r} is no device; name cpu, cuda, cuda:1 or mps.") from None
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(kind, False):
        raise MissingPrerequisite(f"There is no device {name!r} here; leave --device out.")


def _check_teachers(settings: Settings, personas: Sequence[Persona], items: Sequence[Item]) -> None:
    """What teacher and judge read must be there before anything is asked."""
    for teacher in (settings.teacher, settings.judge):
        for name in sorted(teacher.capabilities.reads):
            lacking = [p.id for p in personas if not p.attributes.get(name)]
            if lacking:
                of = f"{len(lacking)} of {len(personas)}, such as {lacking[0]!r}"
                if len(lacking) == len(personas):
                    of = f"all {len(personas)}"
                raise BadInput(
                    f"The teacher {teacher.label} needs `{name}` for each persona, and they are "
                    f"missing from {of}; add them, or choose another teacher."
                )
        teacher.check(personas, items)


def _same_data(data: Data, folder: Path) -> None:
    """A run that goes on must find the data that it began with."""
    path = folder / "data.json"
    now = {
        "digest": data.digest(),
        "items": data.items.counts(),
        "personas": data.people.counts(),
    }
    if not ((folder / "run.toml").exists() and path.exists()):
        write_json(path, now)
    elif read_json(path) != now:
        raise BadInput(
            f"The catalogue or the personas changed since the run in {folder} began; restore them, "
            "or start over with --fresh."
        )

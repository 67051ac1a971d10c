"""A run in its folder: data, student and desk, made ready for any stage."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pvd
from pvd import catalog, options, scoring
from pvd.asking import Desk, opened
from pvd.catalog import Data
from pvd.discovery import registry
from pvd.errors import BadInput
from pvd.folder import locked, read_json, write_bytes, write_json, write_lines
from pvd.ledger import WEIGHTS, Ledger
from pvd.progress import Progress
from pvd.protocols import Student, Teacher
from pvd.scoring import Pictures
from pvd.settings import UNRECORDED, Settings, resolve
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
    ledger: Ledger
    watchers: Watchers
    progress: Progress

    def embedded(self, part: str) -> tuple[Pictures, Tensor]:
        """The pictures of a part of the items, and their embeddings before any training."""
        import torch

        items = getattr(self.data.items, part)
        rows = torch.tensor([self.pictures.index[item.id] for item in items])
        return self.pictures.subset(items), self.base[rows]


@contextmanager
def opened_session(settings: Settings, folder: Path, progress: Progress) -> Iterator[Session]:
    """Lock the folder, load what the run is about, open teacher, judge and store."""
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        record(settings, folder)
        watchers = Watchers(settings.observers, progress.say)
        watchers.begin(folder)
        with progress.stage("catalogue"):
            everything = catalog.read(settings.catalog)
            personas = catalog.read_personas(settings.personas)
            _check_tastes(settings, personas)
        with progress.stage("student"):
            settings.student.load(settings.device)
        pictures, bad = scoring.prepare(settings.student, everything, progress)
        write_lines(folder / "skipped.jsonl", [{"id": i.id, "why": why} for i, why in bad])
        data = catalog.divide(
            pictures.items, personas, settings.split, settings.stream("split"), len(bad)
        )
        _same_data(data, folder)
        with progress.stage("embedding", len(pictures), "images"):
            base = scoring.embed(settings.student, pictures)
            texts = scoring.embed_texts(settings.student, [p.text for p in personas])
        ledger = Ledger(folder / "rounds", pictures.items, personas)
        if not ledger.has(0, WEIGHTS):
            ledger.write_weights(0, settings.student, settings.loss)
        spent = 0.0
        if (folder / "usage.json").exists():
            spent = read_json(folder / "usage.json")["run_dollars"]
        store = stack.enter_context(Store(settings.store or default_path()))
        yield Session(
            settings=settings,
            folder=folder,
            data=data,
            student=settings.student,
            teacher=stack.enter_context(opened(settings.teacher, settings.stream("teacher"))),
            judge=stack.enter_context(opened(settings.judge, settings.stream("judge"))),
            desk=Desk(store, settings.ask, progress, settings.max_cost, spent),
            pictures=pictures,
            base=base,
            texts=dict(zip((p.id for p in personas), texts, strict=True)),
            ledger=ledger,
            watchers=watchers,
            progress=progress,
        )


def record(settings: Settings, folder: Path) -> None:
    """Write run.toml and environment.json, or check that the folder's run is this one."""
    import tomli_w

    path = folder / "run.toml"
    table = {"plugins": dict(registry.files), **settings.table()}
    if path.exists():
        old = options.read_toml(path)
        for key in sorted({*old, *table} - set(UNRECORDED)):
            here, there = _flat({key: table.get(key)}), _flat({key: old.get(key)})
            for name in sorted({*here, *there}):
                if here.get(name) != there.get(name):
                    raise BadInput(
                        f"{folder} holds another run: {name} is {there.get(name)!r} there and "
                        f"{here.get(name)!r} here; name another --out, or start over with --fresh."
                    )
        return
    write_bytes(path, tomli_w.dumps(table).encode())
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


def from_folder(folder: Path) -> Settings:
    """The settings of the run that a folder holds."""
    return resolve(configuration(folder / "run.toml"))


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


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            found[prefix + key] = value
    return found


def _check_tastes(settings: Settings, personas: list[pvd.Persona]) -> None:
    """What a teacher reads must be there before anything is asked."""
    for teacher in (settings.teacher, settings.judge):
        for name in sorted(teacher.capabilities.reads):
            lacking = [p.id for p in personas if not p.attributes.get(name)]
            if lacking:
                raise BadInput(
                    f"The teacher {teacher.label} needs `{name}` for each "
                    f"persona, and {len(lacking)} of {len(personas)} have none, the first "
                    f"{lacking[0]!r}; add them, or choose another teacher."
                )


def _same_data(data: Data, folder: Path) -> None:
    """A run that goes on must find the data that it began with."""
    path = folder / "data.json"
    now = {
        "digest": data.digest(),
        "items": data.items.counts(),
        "personas": data.people.counts(),
    }
    if not path.exists():
        write_json(path, now)
    elif read_json(path) != now:
        raise BadInput(
            f"The catalogue or the personas changed since the run in {folder} began; restore them, "
            "or start over with --fresh."
        )

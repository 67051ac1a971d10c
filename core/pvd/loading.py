"""What a run is about: items and personas in their parts, the student, its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pvd import catalog, contents, scoring
from pvd.catalog import PARTS, Data
from pvd.errors import BadInput, MissingPrerequisite
from pvd.folder import write_lines
from pvd.pictures import Kept, Pictures, prepare
from pvd.progress import Progress
from pvd.protocols import Student, Teacher
from pvd.records import Catalog, Item, Persona
from pvd.settings import Settings, unrecorded

if TYPE_CHECKING:
    from torch import Tensor

SEEN = 8  # texts and items by which another student is noticed


def read(settings: Settings, progress: Progress) -> tuple[Catalog, Sequence[Persona], Data]:
    """Items, personas and their parts; mistakes in them are found here, before pictures are
    prepared."""
    with progress.stage("catalogue"):
        everything = catalog.read(settings.catalog)
        personas = catalog.read_personas(settings.personas)
        _check_teachers(settings, personas, everything)
        data = _divided(settings, everything, personas)
        if warning := catalog.check_sizes(data, settings.train.size, settings.exam):
            progress.remark(warning)
        _say_missing(settings, progress)
    return everything, personas, data


def _say_missing(settings: Settings, progress: Progress) -> None:
    """Which files that options name are not there. A plug-in may be about to write one, so that
    only it can refuse; but that may come after hours."""
    named = {file: name for name, file in reversed([*contents.paths(settings)])}  # not the judge's
    for file, name in named.items():
        if not (unrecorded(name) or file.exists()):
            progress.remark(f"There is no {file}, which {name} names.")


def shelve(
    settings: Settings,
    everything: Catalog,
    personas: Sequence[Persona],
    data: Data,
    progress: Progress,
    skipped: Path | None = None,
) -> tuple[Pictures, Data]:
    """The loaded student's pictures, those of a part side by side, and the data without the items
    whose pictures are bad; these are listed in the file `skipped`."""
    room = int(settings.prepared_gb * 1e9)
    kept = Kept.by(settings.student, room) if room else None
    pictures, bad = prepare(settings.student, everything, progress, kept)
    if kept is not None and kept.closed:
        progress.say(f"Not all prepared pictures are kept: {kept.closed}.")
    if skipped is not None:
        write_lines(skipped, [{"id": item.id, "why": why} for item, why in bad])
    if bad:
        data = _divided(settings, pictures.items, personas, len(bad))
        progress.say(
            f"Pictures left out: {len(bad)} of {len(everything)}; see {skipped}. {bad[0][1]}"
        )
    return pictures.subset(item for part in PARTS for item in getattr(data.items, part)), data


def glance(student: Student, everything: Catalog, pictures: Pictures) -> Tensor:
    """How the first items of the catalogue look, by which another student is noticed."""
    first = islice((item for item in everything if item.id in pictures.index), SEEN)
    return scoring.embed(student, pictures.subset(first))


def part(items: Sequence[Item], pictures: Pictures, base: Tensor) -> tuple[Pictures, Tensor]:
    """The pictures of a part's items, and their rows of `base`, which has a row a picture."""
    first = pictures.index[items[0].id] if len(items) else 0
    # A part's items lie side by side: of a large catalogue nothing is copied.
    return pictures.subset(items), base[first : first + len(items)]


def _divided(
    settings: Settings, items: Sequence[Item], personas: Sequence[Persona], skipped: int = 0
) -> Data:
    return catalog.divide(items, personas, settings.split, settings.stream("split"), skipped)


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
    number = torch.device(name).index or 0
    if not there.get(kind, False) or (kind == "cuda" and number >= torch.cuda.device_count()):
        raise MissingPrerequisite(f"There is no device {name!r} here; leave --device out.")


def _check_teachers(settings: Settings, personas: Sequence[Persona], items: Sequence[Item]) -> None:
    """What teacher and judge read must be there before anything is asked."""
    for teacher in (settings.teacher, settings.judge):
        check_teacher(teacher, personas, items)


def check_teacher(teacher: Teacher, personas: Sequence[Persona], items: Sequence[Item]) -> None:
    """Raise BadInput if this teacher cannot rank these items for these personas."""
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

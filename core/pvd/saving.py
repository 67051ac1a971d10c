"""The student of a run as files: written, and opened again."""

from __future__ import annotations

from pathlib import Path

import pvd
from pvd import options, provenance
from pvd.errors import BadInput, PluginError
from pvd.folder import replaced, write_json
from pvd.isolation.origin import broken
from pvd.outcome import METRICS, Run
from pvd.protocols import Student
from pvd.settings import Settings


def save_student(student: Student, folder: Path) -> None:
    """The student as its library publishes it, and pvd.json to open it again."""
    from safetensors import SafetensorError

    source = provenance.of(student)
    if "file" in source:
        source["file"] = Path(source["file"]).name  # an export is given away
    card = {
        "student": student.name,
        **source,
        "pvd": pvd.__version__,
        "options": {k: v for k, v in options.dump(student).items() if k != "use"},
    }
    with replaced(folder) as fresh:
        try:
            student.save(fresh)
        except SafetensorError as error:  # how its writer tells of a full disk
            raise OSError(str(error)) from None
        write_json(fresh / "pvd.json", card)


def finished(settings: Settings, folder: Path) -> Run:
    """The result that lies in a run folder."""
    try:
        return _opened(settings, folder)
    except _unreadable() as error:
        raise BadInput(
            f"The student in {folder / 'student'} cannot be opened ({error}); delete "
            f"{folder / METRICS}, and the same command makes both again."
        ) from None


def saved(settings: Settings, folder: Path) -> Run:
    """The result that was just written. Nobody can have damaged it: a student that cannot be
    opened now was never whole, and the run is not finished."""
    try:
        return _opened(settings, folder)
    except PluginError:
        (folder / METRICS).unlink(missing_ok=True)
        raise
    except _unreadable() as error:
        (folder / METRICS).unlink(missing_ok=True)
        raise broken(
            settings.student,
            f"saved what it cannot open ({error})",
            "`open` must make the student from what `save` wrote",
        ) from error


def _opened(settings: Settings, folder: Path) -> Run:
    student = settings.student
    student.open(folder / "student", settings.device)
    return Run(folder, settings.device, student, (settings.catalog, settings.personas))


def _unreadable() -> tuple[type[Exception], ...]:
    """What a student's `open` may raise of files that are damaged."""
    from safetensors import SafetensorError

    return SafetensorError, OSError, EOFError, ValueError, KeyError


def open_student(folder: Path, device: str = "cpu") -> Student:
    """The student that a run saved."""
    from safetensors import SafetensorError

    card = provenance.read_card(folder)
    provenance.check_there(card, folder)
    kind, _, name = card["student"].partition(".")
    student: Student = pvd.load(kind, name, **card["options"])
    try:
        student.open(folder, device)
    except (SafetensorError, OSError, EOFError) as error:
        raise BadInput(
            f"The student in {folder} is damaged ({error}); bring its files once more."
        ) from None
    return student

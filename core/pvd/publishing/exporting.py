"""A finished run's student as a folder to give away: its published layout, and a model card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pvd
from pvd import provenance
from pvd.errors import BadInput, MissingFile, MissingPrerequisite, UsageError
from pvd.folder import read_json, read_lines, replaced, write_bytes, write_json
from pvd.identity import configuration, no_result
from pvd.ledger import Ledger
from pvd.loading import check_device
from pvd.options import Table
from pvd.outcome import read_metrics
from pvd.progress import Progress, Silent
from pvd.protocols import Student
from pvd.publishing import card, mixing
from pvd.publishing.resitting import resit
from pvd.scoring import embed_texts
from pvd.settings import resolve

METRICS, STUDENT, README = "metrics.json", "pvd.json", "README.md"


@dataclass(frozen=True)
class Export:
    """What was written. `mixed` are the metrics of a mixture, if it was measured."""

    folder: Path
    interpolate: float | None
    metrics: Mapping[str, Any]  # the run's
    mixed: Mapping[str, Any] | None


def export(
    run: Path,
    to: Path,
    *,
    interpolate: float | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Export:
    """Write the student of a finished run, and its model card, to a folder of their own.

    With `interpolate` the weights stand that share of the way from those before training to the
    trained ones. Such a mixture sits the run's exam itself, if the run's data are there.
    """
    if interpolate is not None and not 0 < interpolate < 1:
        raise UsageError(
            f"--interpolate must be above 0, the untrained student, and below 1, the trained one; "
            f"not {interpolate:g}."
        )
    result = _result(run)
    _check_free(to, run)
    table = configuration(run / "run.toml")  # loads the run's plug-in files
    metrics, about = read_metrics(run), provenance.read_card(run / "student")
    provenance.check_there(about, run / "student")
    mixing.check_whole(run / "student")
    with TemporaryDirectory(prefix="pvd-export-") as scratch:
        weights, mixed = run / "student", None
        if interpolate is not None:
            weights = Path(scratch) / "mixed"
            base = _mix(run / "student", about, interpolate, weights, device)
            mixed = _measured(run, metrics, table, base, weights, device, progress or Silent())
        page = card.render(metrics, mixed, _facts(run, metrics, about, interpolate))
        with replaced(to.resolve()) as fresh:
            _copy(weights, fresh)
            write_bytes(fresh / README, page.encode())
            files = {STUDENT, *(str(file.relative_to(fresh)) for file in _files(fresh))}
            made = {"interpolate": interpolate, "files": sorted(files)}
            options = {name: _placeless(value) for name, value in about["options"].items()}
            write_json(fresh / STUDENT, about | {"options": options, "export": made})
            # metrics.json is deleted before a run's student is written, and written after it.
            if _result(run) != result:
                raise BadInput(f"{run} changed while it was exported; give the same command again.")
    return Export(to, interpolate, metrics, mixed)


def _result(run: Path) -> bytes:
    """The bytes of the run's numbers."""
    if not (run / "run.toml").exists():
        raise MissingFile(f"There is no run in {run}; name the folder of a finished run.")
    try:
        return (run / METRICS).read_bytes()
    except FileNotFoundError:
        raise no_result(run) from None


def _check_free(to: Path, run: Path) -> None:
    """Nothing but an export may be written over, and no file that another program put there."""
    try:
        inside = to.resolve().is_relative_to(run.resolve())
    except (OSError, RuntimeError):  # a loop of links
        raise UsageError(f"{to} leads nowhere; name another folder.") from None
    if inside:
        raise UsageError(f"{to} is inside the run, and would go with it; name a folder outside.")
    if not to.exists():
        return
    if not to.is_dir():
        raise UsageError(f"{to} is a file; name a folder.")
    there = {str(file.relative_to(to)) for file in _files(to)}
    if strange := sorted(there - (_written(to) if STUDENT in there else set())):
        raise UsageError(
            f"{to} holds what no export wrote, such as {strange[0]}; name another folder, or empty "
            "it first."
        )


def _written(to: Path) -> set[str]:
    """The files that an earlier export says it wrote; none if it was no export."""
    try:
        return set(map(str, read_json(to / STUDENT)["export"]["files"]))
    except (BadInput, KeyError, TypeError):  # pvd.json of somebody else
        return set()


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.rglob("*") if not path.is_dir()]
    except OSError as error:
        raise BadInput(
            f"{error.filename} cannot be read ({error.strerror}); name another folder."
        ) from None


def _placeless(option: Any) -> Any:
    """The option, of a path of this machine only the name: `open` needs no other files."""
    if not isinstance(option, str):
        return option
    kind, colon, place = option.rpartition(":")  # as in local-dir:/home/me/model
    ours = place.startswith(("/", "~")) and not place.startswith("//")
    return f"{kind}{colon}{Path(place).name}" if ours else option


def _copy(folder: Path, to: Path) -> None:
    for file in _files(folder):
        target = to / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


# --- mixtures -------------------------------------------------------------------------------


def _student(about: Mapping[str, Any]) -> Student:
    """The student that a pvd.json names, not yet loaded."""
    kind, _, name = about["student"].partition(".")
    made: Student = pvd.load(kind, name, **about["options"])
    return made


def _mix(trained: Path, about: Mapping[str, Any], share: float, to: Path, device: str) -> Student:
    """Write the mixture of the trained student with the one before training, which is returned."""
    from safetensors import SafetensorError

    check_device(device)
    base = _student(about)
    base.load(device)
    try:
        with TemporaryDirectory(prefix="pvd-export-") as scratch:
            base.save(Path(scratch))
            _copy(trained, to)
            mixing.average(Path(scratch), trained, share, to)
    except (OSError, SafetensorError) as error:
        raise BadInput(
            f"The mixture cannot be written to {to.parent} ({error}); make room there, or name "
            "another place for temporary files with TMPDIR."
        ) from None
    return base


def _measured(
    run: Path,
    metrics: Mapping[str, Any],
    table: Table,
    base: Student,
    weights: Path,
    device: str,
    progress: Progress,
) -> dict[str, Any] | None:
    """The run's metrics with the mixture in place of the distilled student; None, and a line that
    says why, where the data of the run cannot be read."""
    mixture = _student(read_json(weights / STUDENT))
    mixture.open(weights, device)
    _check_base(run, base, mixture)
    try:
        with provenance.begun_with(run):
            settings = resolve(table)
        return resit(run, metrics, settings, base, mixture, progress)
    except (BadInput, MissingFile, MissingPrerequisite, OSError) as error:
        progress.say(f"The mixture could not be measured, and its card says so: {error}")
        return None


def _check_base(run: Path, base: Student, mixture: Student) -> None:
    """BadInput if the model was replaced since: what began the run is in its round 0, and texts
    are embedded before training as after it, so as by any mixture of the two."""
    import torch

    same = Ledger(run / "rounds", (), ()).began_with(base)
    before, after = (embed_texts(student, ["a gift", "boots"]) for student in (base, mixture))
    if not same or not torch.allclose(before, after, atol=1e-5):
        raise BadInput(
            f"The student before training is not the one that the run in {run} began with; bring "
            "its weights back, or leave --interpolate out."
        )


# --- what the card is told ------------------------------------------------------------------


def _facts(
    run: Path, metrics: Mapping[str, Any], about: Mapping[str, Any], interpolate: float | None
) -> card.Facts:
    student = _student(about)
    source = provenance.recorded(about) or provenance.of(student)  # an old pvd.json says nothing
    rounds = [f"rounds/{row['round']:03d}/judgments.jsonl" for row in metrics["rounds"][1:]]
    validation, tests = ["exam/validation.jsonl"], ["exam/test.jsonl"]
    pairs = metrics["validation"] == "pairs"  # asked of the teacher; tournaments of the judge
    return card.Facts(
        student=student.label,
        about=student.about(),
        plugin=Path(source["file"]).name if "file" in source else None,
        distribution=source.get("distribution", ""),
        version=source.get("version", ""),
        teacher=_asked(run, rounds + validation * pairs),
        judge=_asked(run, tests + validation * (not pairs)),
        interpolate=interpolate,
    )


def _asked(run: Path, files: list[str]) -> card.Asked:
    """Who answered, and when, in these files of judgments."""
    rows = [row for file in files for row in read_lines(run / file)]
    dates = sorted(row["date"][:10] for row in rows if row.get("date"))
    return card.Asked(
        models=tuple(sorted({row.get("model") or "unknown" for row in rows})),
        first=dates[0] if dates else "",
        last=dates[-1] if dates else "",
    )

"""Cells run in processes of their own, each an ordinary run in an ordinary folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pvd.comparing import transcripts
from pvd.comparing.design import Cell, Design
from pvd.errors import ERRORS, BadInput, Interrupted, MemoryFull, PvdError
from pvd.folder import write_bytes
from pvd.identity import after_mending, changed, difference, is_other_version, toml_of
from pvd.judge import with_judge
from pvd.ledger import SEEN, VIEW, WEIGHTS
from pvd.options import Table, read_toml
from pvd.progress import Progress
from pvd.settings import AskSettings, Settings

LOOK = 0.2  # seconds between looks at the processes
# Whoever sat in a cell's own exam: others may judge it all the same, by its transcript.
EXAMINED = ("judge.", "streams.judge")
# By what ended a run from outside: what that is, and what is to be said of it. Others are bugs.
ENDED: dict[int, tuple[type[PvdError], str]] = {
    signal.SIGKILL: (
        MemoryFull,
        ", as systems do when memory is short (then a lower --jobs helps)",
    ),
    signal.SIGHUP: (Interrupted, ""),
}
BEFORE_TRAINING = (WEIGHTS, SEEN, VIEW)  # what the untrained student is and sees


@dataclass
class _Job:
    cell: Cell
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> Path:
        return _beside(self.folder, ".log")


def check(design: Design, out: Path) -> None:
    """Raise BadInput if a run that is there was begun with other settings, by an earlier design."""
    for cell in design.cells:
        folder = design.folder(out, cell)
        begun = design.settings(cell), folder, EXAMINED
        what = difference(*begun) or changed(*begun)
        if what and not is_other_version(*begun):  # which the run itself begins anew
            raise BadInput(
                f"{folder} {what}; give the same again, or compare in another --out: of runs that "
                "were taught differently nothing can be said together."
            )


def run(
    design: Design, out: Path, account: str, jobs: int, donor: Path, progress: Progress
) -> None:
    """Run every cell that has no transcript yet, `jobs` at once. The first one that fails ends the
    others as a Ctrl-C would; what they have done stays, and the same command goes on from there.

    `donor` is the folder of an exam: cells with its student take over how it sees the catalogue
    before training, instead of embedding it once more.
    """
    waiting = [c for c in design.cells if not transcripts.is_written(design.folder(out, c))]
    running: list[_Job] = []
    with progress.stage("cells", len(design.cells), "runs"):
        progress.find(len(design.cells) - len(waiting))
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(_start(design, out, waiting.pop(0), account, jobs, donor))
                time.sleep(LOOK)
                for job in [job for job in running if job.process.poll() is not None]:
                    running.remove(job)
                    if job.process.returncode:
                        raise _failure(job, design, out)
                    progress.advance()
                progress.show(_status(running, design, progress.said))
        except BaseException as error:
            _stop(running)
            if isinstance(error, KeyboardInterrupt):
                raise Interrupted(
                    "Stopped; all answers are kept, the same command goes on from here."
                ) from None
            raise


def _start(design: Design, out: Path, cell: Cell, account: str, jobs: int, donor: Path) -> _Job:
    folder = design.folder(out, cell)
    settings = design.settings(cell, _judged(folder))
    settings.ask = _shared(settings.ask, jobs)
    if not (folder / "rounds").exists() and settings.table()["student"] == _student_of(design):
        _lend(settings, donor, folder)
    config = _beside(folder, ".toml")
    write_bytes(config, toml_of(settings).encode())
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    command = [sys.executable, "-m", "pvd", "compare-cell", str(config), str(folder)]
    with _beside(folder, ".log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--account", account, "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            # Whom a person can find only if its address is shown.
            stderr=None if settings.teacher.capabilities.person else log,
            start_new_session=True,  # Ctrl-C comes to us alone, and we pass it on
            env={"OMP_NUM_THREADS": threads, **os.environ},
        )
    return _Job(cell, folder, process)


def _shared(ask: AskSettings, jobs: int) -> AskSettings:
    """A provider's limit a minute is one for all cells that ask at once."""
    limits = {name: getattr(ask, name) for name in ("requests_per_minute", "tokens_per_minute")}
    shares = {name: max(limit // jobs, 1) for name, limit in limits.items() if limit is not None}
    return replace(ask, **shares)


def _judged(folder: Path) -> Table | None:
    """Who judges the run that was begun there; its exam was asked before."""
    path = folder / "run.toml"
    if not path.exists():
        return None
    begun = with_judge(read_toml(path))
    return {"judge": begun["judge"], "streams": {"judge": begun["streams"]["judge"]}}


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(folder.name + suffix)


def _student_of(design: Design) -> object:
    return design.base.table()["student"]


def _lend(settings: Settings, donor: Path, folder: Path) -> None:
    """Link the files of round 0; the run looks whether its student is really the same."""
    if any(True for _ in settings.loss.parameters()):
        return  # a loss's own weights lie among them
    for name in BEFORE_TRAINING:
        theirs, ours = (one / "rounds" / "000" / name for one in (donor, folder))
        ours.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # no links here: the run embeds for itself
            os.link(theirs, ours)


def _failure(job: _Job, design: Design, out: Path) -> PvdError:
    """The sentence that the cell ended with, as an error with its exit code."""
    code = job.process.returncode
    where = f"{design.arms[job.cell.arm].label}, seed {job.cell.seed}"
    if code < 0:
        kind, hint = ENDED.get(-code, (PvdError, ""))
        return kind(
            f"A run of the comparison stopped ({where}): it was ended by "
            f"{signal.Signals(-code).name}{hint}; the same command goes on from there."
        )
    lines = job.log.read_text(errors="replace").strip().splitlines() or [f"exit code {code}"]
    why = lines[-1].removeprefix("Error: ")
    for cell in design.cells:
        begun = design.settings(cell), design.folder(out, cell)
        why = after_mending(why, *begun, "compare in another --out, where kept answers count")
    return ERRORS.get(code, PvdError)(f"A run of the comparison stopped ({where}): {why}")


def _stop(running: Sequence[_Job]) -> None:
    """Tell them to stop, and wait: what is under way is paid for, and kept."""
    for job in running:
        with suppress(ProcessLookupError):
            job.process.send_signal(signal.SIGINT)
    for job in running:
        job.process.wait()


def _status(running: Sequence[_Job], design: Design, known: Set[str]) -> str:
    """What the runs said last, without what the comparison said itself."""
    said = []
    for job in running:
        with suppress(OSError, IndexError):
            lines = job.log.read_text(errors="replace").strip().splitlines()
            last = [line for line in lines if line not in known][-1]
            said.append(f"{design.arms[job.cell.arm].label}, seed {job.cell.seed}: {last}")
    return "; ".join(said)

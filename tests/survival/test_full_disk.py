"""A disk that is full, for real: nothing half is left, nothing is lost, and the run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pvd.store.ballast import ANSWER, Ballast

pytestmark = pytest.mark.slow

SIZE = 4 * 2**20  # bytes of the disk
PAGE = 4096


class Disk:
    """A disk of a few megabytes, and the ballast that fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes."""
        self.empty()
        file = os.open(self._ballast, os.O_WRONLY | os.O_CREAT)
        try:
            for block in (2**16, PAGE):
                while self.free() >= leave + block:
                    os.write(file, b"x" * block)
        finally:
            os.close(file)

    def free(self) -> int:
        space = os.statvfs(self.folder)
        return space.f_bavail * space.f_frsize

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk can be mounted by root only, or in a namespace of its own")
    yield Disk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root needs no namespace")
def test_all_of_these_where_the_user_is_root() -> None:
    try:
        subprocess.run(["unshare", "-rm", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no namespaces here")
    words = ["unshare", "-rm", sys.executable, "-m", "pytest", "-q", __file__]
    subprocess.run(words, check=True)


# --- the store ------------------------------------------------------------------------------------


def with_store_on(disk: Disk, here: Any) -> Any:
    here.store = disk.folder / "answers.sqlite"
    return here


def until_it_asks(process: Any, here: Any, count: int) -> None:
    assert process.until(lambda: len(here.sent()) >= count), process.said()


def test_a_full_store_is_waited_for(disk: Disk, place: Any, undisturbed: Any) -> None:
    here = with_store_on(disk, place("run"))
    process = here.fork()
    until_it_asks(process, here, 30)
    disk.fill()
    assert process.until(lambda: "make room" in process.said())
    asked = len(here.sent())
    time.sleep(3)  # it tries again every second
    assert process.code() is None
    assert len(here.sent()) == asked, "nothing is asked that could not be kept"
    disk.empty()
    assert process.wait() == 0, process.said()
    assert process.said().count("make room") == 1, process.said()
    assert here.result() == undisturbed.result
    assert len(here.sent()) == len(set(here.sent())) == len(here.kept())


def test_a_store_that_stays_full_ends_the_run(disk: Disk, place: Any, undisturbed: Any) -> None:
    here = with_store_on(disk, place("run"))
    process = here.fork("-o", "ask.patience=2")
    until_it_asks(process, here, 30)
    disk.fill()
    assert process.wait() == 5
    said = process.said().splitlines()
    assert [line for line in said if line.startswith("Error: ")] == [said[-1]]
    assert said[-1].startswith(f"Error: The store {here.store} cannot be written (")
    assert said[-1].endswith("then give the same command again.")
    assert "Traceback" not in process.said()
    kept, sent = here.kept(), here.sent()
    assert len(sent) == len(set(sent))
    assert set(sent) == kept, "what three workers had under way, too"
    assert "no room for" not in "".join(said[:-2]), said
    # Still full, it says so before it asks anything.
    again = here.fork("-o", "ask.patience=0")
    assert again.wait() == 5
    assert "cannot be written" in again.said()
    assert here.sent() == sent
    disk.empty()
    final = here.fork()
    assert final.wait() == 0, final.said()
    assert here.result() == undisturbed.result
    assert set(here.sent_by(final)).isdisjoint(kept)
    assert len(here.sent()) == len(set(here.sent())) == len(here.kept())


def test_room_that_is_held_is_nobody_elses(disk: Disk) -> None:
    ballast = Ballast(disk.folder)
    before = disk.free()
    ballast.hold(4)
    assert before - disk.free() >= 4 * ANSWER
    assert not list(disk.folder.iterdir()), "whatever ends the process, nothing stays behind"
    disk.fill(leave=ANSWER)
    ballast.hold(4)  # which it has
    assert ballast.drop()
    assert disk.free() >= 4 * ANSWER
    disk.fill(leave=ANSWER)
    with pytest.raises(OSError, match="No space left"):
        ballast.hold(4)
    assert not ballast.drop()
    assert disk.free() >= ANSWER, "a part of it is not held either"


GROW = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_store_that_may_not_grow(place: Any, undisturbed: Any) -> None:
    """The same without a disk to mount: no file of this process may have more than 64 KiB."""
    here = place("run")
    process = here.spawn("-o", "ask.patience=0", before=(sys.executable, "-c", GROW))
    assert process.wait() == 5
    said = process.said().splitlines()
    assert said[-1].startswith(f"Error: The store {here.store} cannot be written (")
    assert "Traceback" not in process.said()
    kept = here.kept()
    final = here.fork()
    assert final.wait() == 0, final.said()
    assert here.result() == undisturbed.result
    assert set(here.sent_by(final)).isdisjoint(kept)


# --- the run folder -------------------------------------------------------------------------------

# The file that finds no room; the one after which the disk is filled; those that still fit.
BEFORE_ITEMS = ("rounds/000/seen.safetensors", "rounds/000/student.safetensors")
BEFORE_REPORT = ("student", "usage.json", "exam/values.json", "gallery.json")
FILES = [
    ("data.json", "", ()),
    ("rounds/000/items.npy", "environment.json", BEFORE_ITEMS),
    ("usage.json", "environment.json", (*BEFORE_ITEMS, "rounds/000/items.npy")),
    ("exam/test.jsonl", "usage.json", ()),
    ("rounds/001/slates.jsonl", "rounds/000/done", ("rounds/001/notes.json",)),
    ("rounds/001/judgments.jsonl", "rounds/001/slates.jsonl", ()),
    ("rounds/001/student.safetensors", "rounds/001/judgments.jsonl", ()),
    ("rounds/001/items.npy", "rounds/001/done", ()),
    ("rounds/002/done", "rounds/002/judgments.jsonl", ("rounds/002/student.safetensors",)),
    ("student", "rounds/003/done", ()),
    ("report.html", "rounds/003/done", BEFORE_REPORT),
    ("metrics.json", "rounds/003/done", (*BEFORE_REPORT, "report.html")),
]


def room_for(names: tuple[str, ...], sizes: dict[str, int]) -> int:
    """What these files take on the disk, in whole pages. The report shows seconds and figures of
    this invocation, and so may be a page longer than the undisturbed one."""
    found = {path: size for path, size in sizes.items() if names and path.startswith(names)}
    return sum(-(-size // PAGE) * PAGE for size in found.values()) + PAGE * ("report.html" in found)


@pytest.mark.parametrize(("name", "after", "fits"), FILES, ids=[row[0] for row in FILES])
def test_a_full_run_folder(
    name: str,
    after: str,
    fits: tuple[str, ...],
    disk: Disk,
    place: Any,
    undisturbed: Any,
    check_whole: Callable[[Path], None],
) -> None:
    leave = room_for(fits, undisturbed.sizes)
    for attempt in range(20):  # until the disk is full in time
        here = place(f"run-{attempt}")
        here.folder = disk.folder / f"run-{attempt}"
        if not after:
            disk.fill()
        process = here.fork()
        if after:
            assert process.until((here.folder / after).exists)
            process.signal(signal.SIGSTOP)
            disk.fill(leave)
            first = here.folder / (fits or (name,))[0]  # not there, nor begun
            in_time = not list(first.parent.glob(f"*{first.name}*"))
            process.signal(signal.SIGCONT if in_time else signal.SIGKILL)
            if not in_time:
                process.wait()
                disk.empty()
                continue
        break
    assert process.wait() == 5, process.said()
    said = process.said()
    assert "Traceback" not in said, said
    (sentence,) = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert sentence.startswith(f"Error: {here.folder / name} cannot be written (")
    assert "No space left on device" in sentence
    assert sentence.endswith(
        "make room or choose another folder, then give the same command again."
    )
    assert not (here.folder / name).exists()
    check_whole(here.folder)
    assert not list(here.folder.rglob(".*.tmp"))
    disk.empty()
    assert here.fork().wait() == 0
    assert here.result() == undisturbed.result
    assert len(here.sent()) == len(set(here.sent()))

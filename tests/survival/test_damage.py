"""Torn lines and half files: the run mends itself, or says in a sentence what to delete."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

TORN = pytest.mark.parametrize("cut", [9, -1], ids=["end", "nearly all"])


@pytest.fixture
def back_in(place: Any, undisturbed: Any) -> Any:
    """A run that was interrupted in a round, after its training and before its `done`."""

    def make(round: int) -> Any:
        here = place("run")
        for name in ("run", "store"):
            shutil.copytree(undisturbed.root / name, here.root / name)
        (here.folder / "metrics.json").unlink()
        shutil.rmtree(here.folder / "student")
        (here.folder / f"rounds/{round:03d}/done").unlink()
        for later in range(round + 1, 4):
            shutil.rmtree(here.folder / f"rounds/{later:03d}")
        return here

    return make


@pytest.fixture
def finished(place: Any, undisturbed: Any) -> Any:
    """A finished run."""
    here = place("run")
    for name in ("run", "store"):
        shutil.copytree(undisturbed.root / name, here.root / name)
    return here


def goes_on(here: Any, undisturbed: Any) -> str:
    """The same command ends like the undisturbed run and asks nothing; what it said."""
    process = here.fork()
    assert process.wait() == 0, process.said()
    assert here.result() == undisturbed.result
    assert here.sent() == []
    said: str = process.said()
    return said


def tear(path: Path, cut: int) -> None:
    """Take so many bytes from the last line; -1 leaves one."""
    data = path.read_bytes()
    last = len(data) - (data.rstrip(b"\n").rfind(b"\n") + 1)
    path.write_bytes(data[: len(data) - (cut if cut > 0 else last - 1)])


@pytest.mark.slow
@TORN
@pytest.mark.parametrize(
    "name",
    ["rounds/002/slates.jsonl", "rounds/002/judgments.jsonl", "exam/validation.jsonl",
     "exam/test.jsonl"],
)  # fmt: skip
def test_a_torn_last_line(name: str, cut: int, back_in: Any, undisturbed: Any) -> None:
    here = back_in(2)
    tear(here.folder / name, cut)
    goes_on(here, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize(("round", "data"), [(0, b""), (1, b'{"round": 1, "sla'), (2, b"")])
def test_a_done_that_says_nothing(round: int, data: bytes, back_in: Any, undisturbed: Any) -> None:
    here = back_in(2)
    path = here.folder / f"rounds/{round:03d}/done"
    path.write_bytes(data)
    said = goes_on(here, undisturbed)
    assert f"{path} cannot be read; it is made again." in said


@pytest.mark.slow
def test_a_half_checkpoint_without_done(back_in: Any, undisturbed: Any) -> None:
    here = back_in(2)
    half(here.folder / "rounds/002/student.safetensors")
    goes_on(here, undisturbed)


def test_half_a_checkpoint_of_the_student_before_training(back_in: Any, undisturbed: Any) -> None:
    here = back_in(0)
    half(here.folder / "rounds/000/student.safetensors")
    goes_on(here, undisturbed)


def half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.slow
@pytest.mark.parametrize("round", [0, 1])
def test_a_half_checkpoint_of_a_finished_round(round: int, back_in: Any, undisturbed: Any) -> None:
    """It was whole once, so the disk is bad; what depends on it is not guessed."""
    here = back_in(round + 1)
    path = here.folder / f"rounds/{round:03d}/student.safetensors"
    half(path)
    sentence = refused(here)
    assert sentence.startswith(f"Error: The checkpoint {path} is damaged (")
    assert "delete it and the `done` beside it, and the same command makes it again." in sentence
    path.unlink()
    (path.parent / "done").unlink()
    goes_on(here, undisturbed)


def refused(here: Any) -> str:
    """The one sentence of a command that ends with exit code 5."""
    process = here.fork()
    assert process.wait() == 5, process.said()
    assert "Traceback" not in process.said()
    (sentence,) = [line for line in process.said().splitlines() if line.startswith("Error: ")]
    return sentence


@pytest.mark.parametrize("name", ["metrics.json", "usage.json", "data.json"])
def test_half_a_json_file(name: str, finished: Any, undisturbed: Any) -> None:
    here = finished
    if name != "metrics.json":
        (here.folder / "metrics.json").unlink()
    half(here.folder / name)
    sentence = refused(here)
    assert f"{here.folder / name} cannot be read as JSON" in sentence
    assert "delete it to make it again." in sentence
    (here.folder / name).unlink()
    goes_on(here, undisturbed)


def test_half_a_distilled_student(finished: Any, undisturbed: Any) -> None:
    here = finished
    half(here.folder / "student/model.safetensors")
    sentence = refused(here)
    assert sentence.startswith(f"Error: The student in {here.folder / 'student'} cannot be opened")
    assert f"delete {here.folder / 'metrics.json'}, and the same command makes" in sentence
    (here.folder / "metrics.json").unlink()
    goes_on(here, undisturbed)


def test_what_a_killed_process_had_begun_to_write_is_removed(
    back_in: Any, undisturbed: Any
) -> None:
    here = back_in(2)
    for name in (".run.toml.77.tmp", "rounds/002/.student.safetensors.77.tmp", "exam/.test.tmp"):
        (here.folder / name).write_bytes(b"half")
    for name in (".student.new.tmp", ".student.old.tmp"):
        (here.folder / name).mkdir()
        (here.folder / name / "model.safetensors").write_bytes(b"half")
    goes_on(here, undisturbed)
    assert not list(here.folder.rglob(".*.tmp"))


def test_a_strangers_folder_is_left_alone(place: Any) -> None:
    """--out may be a folder with other things in it."""
    here = place("run")
    here.folder.mkdir()
    for name in ("letter.txt", ".letter.txt.tmp"):
        (here.folder / name).write_text("mine")
    assert here.fork().wait() == 0
    assert (here.folder / "letter.txt").read_text() == "mine"
    assert (here.folder / ".letter.txt.tmp").read_text() == "mine"

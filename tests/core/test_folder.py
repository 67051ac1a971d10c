"""The run folder: files are whole or not there, and one process works in it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pvd import folder
from pvd.errors import BadInput, MissingFile
from pvd.folder import (
    locked,
    read_json,
    read_lines,
    read_tensors,
    write_bytes,
    write_json,
    write_lines,
    write_tensors,
)

HEAD = "import sys\nfrom pathlib import Path\n"
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts Python in a process of its own; whatever happens, it ends with the test."""
    with ExitStack() as stack:

        def start(source: str, *words: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", HEAD + source, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def result(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


# --- writing ----------------------------------------------------------------------------------


def test_a_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    file = tmp_path / "rounds" / "003" / "done"
    write_bytes(file, b"one")
    write_bytes(file, b"two")
    assert file.read_bytes() == b"two"
    assert [path.name for path in file.parent.iterdir()] == ["done"], "nothing is left beside it"


def test_what_gets_the_name_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut after the renaming leaves a file of zeros; no kill of a process shows it."""
    events: list[object] = []
    sync, rename = os.fsync, os.replace

    def synced(file: int) -> None:
        sync(file)
        events.append(os.fstat(file).st_size)

    def renamed(old: Path, new: Path) -> None:
        rename(old, new)
        events.append((old.parent, old.name != new.name, new.name))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    write_bytes(tmp_path / "done", b"seven..")
    assert events == [7, (tmp_path, True, "done")]


def test_a_reader_keeps_what_it_opened(tmp_path: Path) -> None:
    """The new content is another file under the old name, so nobody sees a half."""
    file = tmp_path / "metrics.json"
    write_bytes(file, b"old" * 100_000)
    with file.open("rb") as reader:
        head = reader.read(3)
        write_bytes(file, b"new")
        assert head + reader.read() == b"old" * 100_000


FULL = """
import resource
from pvd.errors import BadInput
from pvd.folder import write_bytes, write_lines, write_tensors
folder, what = Path(sys.argv[1]), sys.argv[2]
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # as a full disk, for files above 4 KiB
try:
    if what == "bytes":
        write_bytes(folder / "file", b"x" * 9999)
    elif what == "lines":
        write_lines(folder / "file", [{"row": n} for n in range(999)])
    else:
        import torch
        write_tensors(folder / "file", {"w": torch.zeros(9999)})
except BadInput as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["bytes", "lines", "tensors"])
def test_a_write_that_fails_leaves_the_old_file(spawn: Spawn, tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_text("old")
    said = result(spawn(FULL, str(tmp_path), what))
    assert said.startswith(f"{tmp_path / 'file'} cannot be written (")
    assert "make room or choose another folder" in said
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"], "no temporary file stays"


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_file(
    spawn: Spawn, tmp_path: Path
) -> None:
    write_bytes(tmp_path / "file", b"0" * 100_000)
    source = (
        "from pvd.folder import write_bytes\n"
        "print('ready', flush=True)\n"
        "n = 0\n"
        "while True:\n"
        "    n = (n + 1) % 10\n"
        "    write_bytes(Path(sys.argv[1]), str(n).encode() * 100_000)\n"
    )
    for _ in range(3):
        process = spawn(source, str(tmp_path / "file"))
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(20):
            data = (tmp_path / "file").read_bytes()
            assert len(data) == 100_000
            assert len(set(data)) == 1
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert len((tmp_path / "file").read_bytes()) == 100_000


@pytest.mark.parametrize("place", ["file/below", "file/deep/below", "folder"])
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("I am no folder")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"cannot be written \("):
        write_bytes(tmp_path / place, b"x")
    assert (tmp_path / "file").read_text() == "I am no folder"


def test_json_is_readable_and_depends_on_the_value_alone(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "größe", "value": 0.1, "list": [1, None]})
    assert (tmp_path / "a.json").read_bytes() == (
        b'{\n "name": "gr\xc3\xb6\xc3\x9fe",\n "value": 0.1,\n "list": [\n  1,\n  null\n ]\n}\n'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_does_not_know_is_never_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", {"mpr": value})
    assert list(tmp_path.iterdir()) == []


# --- reading ----------------------------------------------------------------------------------

STRANGE = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\r\nh\ti\0j🙂"


def test_only_newlines_end_a_line(tmp_path: Path) -> None:
    rows = [{"text": STRANGE}, {"text": "next"}]
    write_lines(tmp_path / "x.jsonl", rows)
    assert read_lines(tmp_path / "x.jsonl") == rows
    raw = json.dumps({"text": "a\u2028b"}, ensure_ascii=False)
    (tmp_path / "y.jsonl").write_bytes(f"{raw}\r\n\n  \n{raw}".encode())
    assert read_lines(tmp_path / "y.jsonl") == [{"text": "a\u2028b"}] * 2


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("äb\u2028"), inner),
    max_leaves=5,
)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.dictionaries(st.text("abc\u2028"), JSON, max_size=3), max_size=4))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write_lines(folder / "x.jsonl", rows)
    write_json(folder / "x.json", rows)
    assert read_lines(folder / "x.jsonl") == rows
    assert read_json(folder / "x.json") == rows


@pytest.mark.parametrize("cut", [1, 2, 5, 9, 12, 15])
def test_a_torn_last_line_is_named(tmp_path: Path, cut: int) -> None:
    line = '{"id": 1, "t": "é"}'.encode()
    file = tmp_path / "judgments.jsonl"
    file.write_bytes(line + b"\n" + line + b"\n" + line[:-cut])
    with pytest.raises(BadInput) as caught:
        read_lines(file)
    assert str(caught.value).startswith(f"{file}, line 3 is no valid JSON: ")


def test_a_line_torn_inside_a_letter_is_named(tmp_path: Path) -> None:
    file = tmp_path / "judgments.jsonl"
    file.write_bytes(b"{}\n" + '{"t": "é'.encode()[:-1])
    with pytest.raises(BadInput, match="line 2 is no valid JSON"):
        read_lines(file)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{}\n[1]\n", "line 2 is no JSON object"),
        (b"{}\n\n3\n", "line 3 is no JSON object"),
        (b"{}\nnull", "line 2 is no JSON object"),
        (b"\xff\xfe{}\n", "line 1 is no valid JSON"),
        (b"[" * 100_000, "line 1 is no valid JSON"),
    ],
)
def test_what_is_no_line_of_json_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(data)
    with pytest.raises(BadInput, match=message):
        read_lines(tmp_path / "x.jsonl")


@pytest.mark.parametrize("data", [b"", b'{"a": ', b"\xff\xfe", b"{} {}"])
def test_damaged_json_says_which_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "done").write_bytes(data)
    with pytest.raises(BadInput, match=r"done cannot be read as JSON: .*delete it"):
        read_json(tmp_path / "done")


@pytest.mark.parametrize("read", [read_json, read_lines, read_tensors])
def test_a_file_that_is_not_there_is_exit_code_4(tmp_path: Path, read: Any) -> None:
    with pytest.raises(MissingFile, match=r"There is no .*nothing\.x") as caught:
        read(tmp_path / "nothing.x")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("read", [read_json, read_lines])
def test_a_folder_in_place_of_a_file_is_one_sentence(tmp_path: Path, read: Any) -> None:
    with pytest.raises(BadInput, match=r"cannot be read"):
        read(tmp_path)


def test_tensors_come_back_and_damage_is_named(tmp_path: Path) -> None:
    import torch

    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor([True])}
    write_tensors(tmp_path / "w.safetensors", tensors)
    found = read_tensors(tmp_path / "w.safetensors")
    assert set(found) == {"a", "b"}
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    data = (tmp_path / "w.safetensors").read_bytes()
    for damaged in (b"", data[:10], data[:-4]):
        (tmp_path / "w.safetensors").write_bytes(damaged)
        with pytest.raises(BadInput, match=r"w\.safetensors is damaged"):
            read_tensors(tmp_path / "w.safetensors")


# --- the lock ---------------------------------------------------------------------------------

HOLD = """
from pvd.errors import BadInput
from pvd.folder import locked
try:
    with locked(Path(sys.argv[1])):
        print("in", flush=True)
        sys.stdin.readline()
except BadInput as error:
    print(error)
"""


def test_a_second_process_stays_out_until_the_first_is_done(spawn: Spawn, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = spawn(HOLD, str(folder))
    assert first.stdout is not None
    assert first.stdout.readline() == "in\n"
    said = result(spawn(HOLD, str(folder)))
    assert said.startswith(f"Another process is working in {folder}; ")
    result(first)
    with locked(folder):
        pass


def test_the_lock_of_a_killed_process_is_free(spawn: Spawn, tmp_path: Path) -> None:
    first = spawn(HOLD, str(tmp_path))
    assert first.stdout is not None
    assert first.stdout.readline() == "in\n"
    with pytest.raises(BadInput, match="Another process"), locked(tmp_path):
        pass
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    with locked(tmp_path):
        pass


def test_an_error_inside_frees_the_lock(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(tmp_path):
            raise ZeroDivisionError


def test_two_folders_do_not_lock_each_other(tmp_path: Path) -> None:
    with locked(tmp_path / "a"), locked(tmp_path / "b"):
        pass


@pytest.mark.parametrize("below", ["", "run", "runs/run"])
@pytest.mark.parametrize("link", [False, True])
def test_what_is_no_folder_is_named(tmp_path: Path, below: str, link: bool) -> None:
    """A file, or a link that leads nowhere: in the folder's place, or on the way there."""
    there = tmp_path / "there"
    there.symlink_to("nowhere") if link else there.write_text("x")
    with pytest.raises(BadInput) as told, locked(there / below):
        pass
    assert str(told.value) == f"{there} is no folder; name another place."
    assert not (tmp_path / "nowhere").exists()


# --- arrays that are mapped -----------------------------------------------------------------------


def test_an_array_is_filled_in_its_file(tmp_path: Path) -> None:
    wanted = torch.randn(7, 3)
    with folder.new_array(tmp_path / "rows.npy", (7, 3)) as rows:
        rows.copy_(wanted)
        assert not (tmp_path / "rows.npy").exists(), "it is not whole yet"

    assert torch.equal(folder.read_array(tmp_path / "rows.npy"), wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]


def test_where_the_system_cannot_reserve_room_zeros_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS has no posix_fallocate, some file systems refuse it."""

    def refused(*args: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(folder, "CHUNK", 100)
    for number, how in enumerate((None, refused)):
        if how is None:
            monkeypatch.delattr(os, "posix_fallocate")
        else:
            monkeypatch.setattr(os, "posix_fallocate", how, raising=False)
        path = tmp_path / f"{number}.npy"
        with folder.new_array(path, (50, 3)) as rows:
            assert path.with_name(f".{path.name}.{os.getpid()}.tmp").stat().st_blocks > 0
            rows.fill_(number + 1)
        assert bool((folder.read_array(path) == number + 1).all())


def test_what_goes_wrong_while_it_is_filled_is_told_as_it_is(tmp_path: Path) -> None:
    for error in (FileNotFoundError("a picture"), KeyboardInterrupt()):
        with (
            pytest.raises(type(error)) as caught,
            folder.new_array(tmp_path / "rows.npy", (7, 3)),
        ):
            raise error
        assert caught.value is error
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("left", [0, 20, 150])
def test_an_array_that_is_not_whole_is_named(tmp_path: Path, left: int) -> None:
    path = tmp_path / "rows.npy"
    with pytest.raises(MissingFile, match="There is no"):
        folder.read_array(path)
    with folder.new_array(path, (7, 3)) as rows:
        rows.fill_(1)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(BadInput, match=r"rows.npy is damaged .* delete it"):
        folder.read_array(path)

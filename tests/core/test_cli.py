"""The command line as a user meets it: what is printed where, and the exit codes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from strangers import COLOURS

from pvd import testing
from pvd.cli import main


def pvd(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_a_run_prints_its_table_to_stdout_and_fits_80_columns(
    small_options: list[str], tmp_path: Path
) -> None:
    result = pvd("run", "--out", str(tmp_path / "run"), *small_options)
    assert result.exit_code == 0, result.output
    for system in ("random", "zero-shot", "persona-blind", "distilled", "oracle", "chance"):
        assert system in result.stdout
    assert "N = 6 held-out personas" in result.stdout
    assert "simulated" in result.stdout
    lines = [line for line in result.stdout.splitlines() if not line.startswith("Report:")]
    assert max(map(len, lines)) <= 80
    assert "round 1" in result.stderr
    assert "round 1:" not in result.stdout


def test_json_is_one_object_and_nothing_else(small_options: list[str], tmp_path: Path) -> None:
    result = pvd("run", "--json", "--out", str(tmp_path / "run"), *small_options)
    assert json.loads(result.stdout)["metrics"]["schema"] == 1
    assert result.stderr == ""


def test_the_same_command_finds_its_own_run(
    small_options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = pvd("run", *small_options)
    assert first.exit_code == 0, first.output
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("simulated-colours-")
    again = pvd("run", "--device", "cpu", "-o", "ask.workers=3", *small_options)
    assert again.stdout == first.stdout
    assert "round" not in again.stderr
    assert len(list((tmp_path / "runs").iterdir())) == 1


@pytest.mark.slow
def test_run_toml_repeats_the_run(small_options: list[str], tmp_path: Path) -> None:
    assert pvd("run", "--out", str(tmp_path / "a"), *small_options).exit_code == 0
    result = pvd("run", "--config", str(tmp_path / "a/run.toml"), "--out", str(tmp_path / "b"))
    assert result.exit_code == 0, result.output
    both = [(tmp_path / name / "metrics.json").read_bytes() for name in ("a", "b")]
    assert both[0] == both[1]


def test_plugins_are_listed_without_being_imported() -> None:
    seen = subprocess.run(
        [sys.executable, "-m", "pvd", "plugins", "--json"], capture_output=True, check=True
    )
    rows = json.loads(seen.stdout)
    assert {"teacher.simulated", "student.tiny", "sampler.four-bin", "loss.bradley-terry"} <= {
        row["name"] for row in rows
    }
    assert {row["status"] for row in rows} == {"installed"}


def test_options_show_names_defaults_and_help() -> None:
    text = pvd("options", "teacher.simulated").stdout
    assert "-o teacher.noise=<float>  (at least 0; default: 1.0)" in text
    assert "scale of the Gumbel noise" in text
    assert "-o train.rounds=<int>" in pvd("options", "train").stdout
    assert "-o seed=<int>" in pvd("options", "run").stdout
    # as a run takes them: a source by what it is read as, evaluators and observers in a list
    table = pvd("options", "source.table").stdout
    assert "-o catalog.image=<str>, -o personas.image=<str>  (default: image)" in table
    assert "-o personas" not in pvd("options", "source.folder").stdout
    hits = pvd("options", "evaluator.hits").stdout
    assert 'in the list evaluators: {use = "hits", at = <list of int>}' in hits


def test_options_of_a_kind_or_of_nothing_show_what_there_is() -> None:
    teachers = pvd("options", "teacher").stdout
    assert "teacher.consistent" in teachers
    assert "sampler.uniform" not in teachers
    everything = pvd("options")
    assert everything.exit_code == 0
    for name in ("train", "streams", "KIND.NAME", "sampler.four-bin", "source.table"):
        assert name in everything.stdout


def test_doctor_finds_this_environment_in_order() -> None:
    result = pvd("doctor")
    assert result.exit_code == 0, result.output
    assert "torch" in result.stdout
    (key,) = [line for line in result.stdout.splitlines() if "OPENAI_API_KEY" in line]
    assert key.split() == ["note", "OPENAI_API_KEY", "not", "set"]


def test_a_key_that_is_set_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    (key,) = [line for line in pvd("doctor").stdout.splitlines() if "OPENAI_API_KEY" in line]
    assert key.split() == ["ok", "OPENAI_API_KEY", "set"]


def test_a_run_that_is_refused_leaves_no_folder(
    small_options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for item in testing.items(60):
        Path(f"{item.id}.png").write_bytes(item.read())
    Path("people.txt").write_text("".join(f"{p.text}\n" for p in testing.personas(40)))
    before, paid = sorted(tmp_path.iterdir()), ["--teacher", "openai", "--max-cost", "1"]
    own = ["-p", str(COLOURS), "--student", "colours", "--catalog", ".", "--personas", "people.txt"]
    for place in ([], ["--out", "a/b"]):
        assert "No key: set" in pvd("run", *own, *paid, *place).stderr
        drawn = pvd("run", *small_options, *paid, *place)
        assert "only serves to try things out" in drawn.stderr
        assert sorted(tmp_path.iterdir()) == before
    Path("mine").mkdir()
    pvd("run", *own, *paid, "--out", "mine")
    assert not list(Path("mine").iterdir()), "what was there stays, as it was"


def test_help_says_what_each_command_is_for_by_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = pvd("--help").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    listed = [line for line in lines[lines.index("Begin:") :] if line.startswith("  ")]
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)
    shown = {name for name, command in main.commands.items() if not command.hidden}
    assert sorted(line.split()[0] for line in listed) == sorted(shown), "each one once"


def test_check_reports_a_broken_contract(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(
        """
from dataclasses import dataclass
import pvd

@dataclass(kw_only=True)
class Same(pvd.Sampler):
    def draw(self, pool, size, rng):
        import torch
        return torch.zeros(len(pool.personas), size, dtype=torch.long)

@pvd.hookimpl
def register_samplers(register):
    register("same", Same)
"""
    )
    result = pvd("plugins", "check", "-p", str(file), "sampler.same")
    assert result.exit_code == 1
    assert "FAIL  draws one row of distinct items" in result.stdout
    assert "it drew the row [0, 0, 0, 0, 0]; it must" in " ".join(result.stdout.split())


def test_train_before_label_says_what_to_do(small_options: list[str], tmp_path: Path) -> None:
    folder = str(tmp_path / "run")
    assert pvd("label", folder, *small_options).exit_code == 0
    assert pvd("train", folder).exit_code == 0
    result = pvd("train", folder)
    assert result.exit_code == 2
    assert "pvd label" in result.stderr


@pytest.mark.slow
def test_a_second_process_is_kept_out(small_options: list[str], tmp_path: Path) -> None:
    from pvd.folder import locked

    with locked(tmp_path / "run"):
        words = [sys.executable, "-m", "pvd", "run", "--out", str(tmp_path / "run")]
        second = subprocess.run([*words, *small_options], capture_output=True, text=True)
    assert second.returncode == 5
    assert "Another process is working" in second.stderr


PAID = """
from dataclasses import dataclass
import socket
import pvd

@dataclass(kw_only=True)
class Dear(pvd.Teacher):
    "Costs money."
    capabilities = pvd.Capabilities(paid=True)
    def rank(self, slates):
        raise AssertionError("asked, and paid for")
    def estimate(self, slate):
        return pvd.Forecast(high=pvd.Tokens(1000, 10))
    def dollars(self, tokens, batch=False):
        return tokens.input / 1e6

@dataclass(kw_only=True)
class Far(pvd.Teacher):
    def rank(self, slates):
        socket.create_connection(("192.0.2.1", 80), timeout=1)

@pvd.hookimpl
def register_teachers(register):
    register("dear", Dear)
    register("far", Far)
"""


def test_check_never_pays_and_never_leaves_this_machine(tmp_path: Path) -> None:
    import socket

    before = socket.getaddrinfo
    file = tmp_path / "paid.py"
    file.write_text(PAID)
    dear = pvd("plugins", "check", "-p", str(file), "teacher.dear")
    assert dear.exit_code == 0, dear.output
    assert "skip  answers slates of 2 and of 5 items" in dear.stdout
    assert "an answer of this teacher costs money" in dear.stdout
    far = pvd("plugins", "check", "-p", str(file), "teacher.far")
    assert far.exit_code == 1
    said = " ".join(far.stdout.split())
    assert "192.0.2.1 is not looked up: a check never uses the network" in said
    assert socket.getaddrinfo is before, "what was taken away is given back"


def test_what_would_be_sent_is_shown_word_by_word() -> None:
    assert pvd("prompt").stdout.split() == ["brief", "default"]
    simple = pvd("prompt", "render", "--teacher", "gemini")
    assert simple.exit_code == 0, simple.output
    for part in ("--- system", "[E] item", "<person>", '"ABCDE"', "max_tokens", "--- key in the"):
        assert part in simple.stdout
    pairs = pvd("prompt", "render", "--teacher", "pairwise", "-o", "teacher.of=gemini")
    assert "pairwise asks 20 questions about a slate; the first:" in pairs.stdout
    assert "[B] item" in pairs.stdout
    assert "[C] item" not in pairs.stdout
    assert '"persona"' in pvd("prompt", "render").stdout, "a teacher without words: its request"
    nobody = pvd("prompt", "render", "--persona", "nobody")
    assert nobody.exit_code == 5
    said = nobody.stderr
    assert "There is no persona 'nobody'" in said
    assert "There are 240, such as " in said
    assert len(said.split(" such as ")[1].split(", ")) == 5, "not all of them"


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_results_that_find_no_room_are_said_in_one_sentence() -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pvd", "plugins"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.endswith("; make room, then give the same command again.\n")


def test_a_closed_stdout_is_no_error() -> None:
    line = 'exec "$0" -m pvd plugins >&-'
    done = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable], stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_init_asks_nobody_where_a_stream_is_closed(tmp_path: Path, closed: str) -> None:
    line = f'exec "$0" -m pvd init shop {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("Error: Nobody can be asked here") or "2>" in closed
    assert not any(tmp_path.iterdir())


NOISY = """
from dataclasses import dataclass
import ctypes, os, subprocess, sys
import pvd

def noise():
    os.write(1, b"from a descriptor\\n")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    libc = ctypes.CDLL(None)
    libc.puts(b"from C")
    libc.fflush(None)
    print("from the stream of old", file=sys.__stdout__)

noise()

@dataclass(kw_only=True)
class Noisy(pvd.Sampler):
    def __post_init__(self):
        noise()
    def draw(self, pool, size, rng):
        return None

@pvd.hookimpl
def register_samplers(register):
    register("noisy", Noisy)
"""


def test_what_passes_by_python_is_no_result_either(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    shop = ["--catalog", "boutique", "--personas", "boutique"]
    words = ["init", "--yes", *shop, "-p", "noisy.py", "--sampler", "noisy"]
    done = subprocess.run(
        [sys.executable, "-m", "pvd", *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    written, following = done.stdout.splitlines()
    assert (written, following.partition(":")[0]) == ("Written: run.toml", "Next")
    for what in ("a descriptor", "a child", "C", "the stream of old"):
        assert done.stderr.count(f"from {what}\n") > 1, "at import and when it is made"


def test_a_library_leaves_the_descriptors_alone() -> None:
    """In a notebook, descriptor 1 belongs to the notebook, even if it calls commands."""
    source = """
import os, sys
import pvd
from click.testing import CliRunner
from pvd.cli import main
before = sys.stdout
assert CliRunner().invoke(main, ["plugins"]).exit_code == 0
assert sys.stdout is before
os.write(1, b"mine")
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("mine", "")


def test_the_width_is_that_of_the_terminal_where_results_are_shown(tmp_path: Path) -> None:
    """Though messages go elsewhere."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 45, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pvd", "plugins"], stdout=theirs, stderr=log, env=environment
        )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65_536):
            shown += part
    except OSError:  # how Linux says that nobody writes any more
        pass
    os.close(ours)
    assert process.wait() == 0
    lines = shown.decode().split("\r\n")
    assert max(map(len, lines)) <= 45
    assert "    installed" in lines, "below the name, where a line has no room"


def test_at_a_terminal_what_stops_a_command_stands_alone_in_its_line() -> None:
    stopped = (
        "import os, pvd.cli, pvd.__main__\n"
        "def main(**_: object) -> None:\n"
        "    os.write(2, b'^C')\n"  # as the terminal does, when the key is pressed
        "    raise KeyboardInterrupt\n"
        "pvd.cli.main = main\n"
        "pvd.__main__.main()\n"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", stopped], stdout=theirs, stderr=theirs)
    os.close(theirs)
    assert process.wait() == 130
    assert os.read(ours, 65_536).decode() == (
        "^C\rStopped; the same command goes on from here.\r\n"
    )
    os.close(ours)


def without_end() -> None:
    without_end()


def from_torch() -> None:
    import torch

    torch.empty(2**55)


def from_cuda() -> None:
    import torch

    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has ...")


def from_python() -> None:
    raise MemoryError


@pytest.mark.parametrize("ask", [from_torch, from_cuda, from_python])
def test_a_full_memory_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[], None]
) -> None:
    monkeypatch.setattr("pvd.pipeline.execute", lambda *args, **named: ask())
    result = pvd("run")
    assert result.exit_code == 5
    said = result.stderr.splitlines()[-1]
    assert said.startswith("Error: The memory is full")
    assert ("when it asked for" in said) == (ask is not from_python)
    assert ("; free some, or choose another device" in said) == (ask is from_cuda)
    assert "train.chunk" not in said


def test_memory_that_training_fills_is_saved_by_embedding_fewer_at_once(
    monkeypatch: pytest.MonkeyPatch, small_options: list[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("pvd.training.gradients._go_back", lambda *args: from_python())
    result = pvd("run", "--out", str(tmp_path / "run"), *small_options)
    assert result.exit_code == 5
    said = result.stderr.splitlines()[-1]
    assert "memory is full; free some, or embed fewer pictures at once with -o train.chunk" in said


def test_another_error_is_not_taken_for_a_full_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pvd.pipeline.execute", lambda *args, **named: without_end())
    result = pvd("run")
    assert result.exit_code == 1
    assert isinstance(result.exception, RecursionError)


ENDLESS = """
from dataclasses import dataclass
import pvd

@dataclass(kw_only=True)
class Endless(pvd.Sampler):
    def __post_init__(self):
        self.__post_init__()
    def draw(self, pool, size, rng):
        return None

@pvd.hookimpl
def register_samplers(register):
    register("endless", Endless)
"""


def test_a_plug_in_that_calls_itself_without_end_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "endless.py"
    file.write_text(ENDLESS)
    result = pvd("run", "-p", str(file), "--sampler", "endless")
    assert result.exit_code == 5
    (said,) = result.stderr.splitlines()
    assert f"sampler.endless of {file} failed in __init__: RecursionError: maximum" in said


@pytest.mark.parametrize("words", [["train"], ["report"], ["search", "-k", "1"]])
def test_a_name_that_is_too_long_is_one_sentence(words: list[str]) -> None:
    result = pvd(words[0], "a" * 300, *(["a text"] if words[0] == "search" else []), *words[1:])
    assert result.exit_code == 5
    assert result.stderr.startswith("Error: aaa")
    assert result.stderr.endswith("cannot be used (File name too long); give it a shorter name.\n")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_place_that_may_not_be_written_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*args: object, **named: object) -> None:
        raise OSError(number, os.strerror(number), "runs/one/rounds")

    monkeypatch.setattr("pvd.pipeline.execute", refuse)
    result = pvd("run")
    assert result.exit_code == 5
    said = result.stderr.splitlines()[-1]
    assert said.startswith(f"Error: runs/one/rounds cannot be used ({os.strerror(number)}); ")
    assert said.endswith("name another place.")
    assert ("change its permissions" in said) == (number == errno.EACCES)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_what_else_the_system_refuses_is_not_taken_for_a_file(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*args: object, **named: object) -> None:
        raise OSError(number, os.strerror(number))  # of a port, a signal, a device

    monkeypatch.setattr("pvd.pipeline.execute", refuse)
    result = pvd("run")
    assert result.exit_code == 1
    assert isinstance(result.exception, PermissionError)
    assert "permissions" not in result.stderr


@pytest.mark.parametrize("columns", [60, 120])
@pytest.mark.parametrize("about", ["", "run", "teacher.gpt-4o", "source.table"])
def test_options_keep_within_the_window(
    about: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    result = CliRunner().invoke(main, ["options", *about.split()])
    assert result.exit_code == 0
    assert max(map(len, result.output.split("\n"))) < columns

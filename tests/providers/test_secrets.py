"""Keys: they come in through the environment, and go out to their provider only."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from asked import KEY, KEYS, TEACHERS, TINY, Counter, options, question, teacher, words
from click.testing import CliRunner
from fake import Fake

from pvd import kit
from pvd.cli import main
from pvd.errors import BadInput, PvdError

Make = Callable[..., Counter]

# What a curious user may do to find out what goes on: a plug-in file that switches on every log.
CURIOUS = """
import logging, sys, warnings
from dataclasses import dataclass

import pvd

@dataclass(kw_only=True)
class Curious(pvd.Observer):
    def begin(self, folder): ...

@pvd.hookimpl
def register_observers(register):
    register("curious", Curious)

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
for name in ("openai", "anthropic", "google_genai", "httpx", "httpx2", "httpcore", "httpcore2"):
    logging.getLogger(name).setLevel(logging.DEBUG)
warnings.simplefilter("always")
"""


def found_in(folder: Path, text: str) -> list[str]:
    """The files below the folder that hold it, as bytes or in base64."""
    import base64

    # In base64, what follows depends on where it begins.
    forms = [text.encode()]
    forms += [base64.b64encode(b"." * n + text.encode())[4:-4] for n in range(3)]
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms)
    ]


@pytest.fixture
def runs(shop: Path, tmp_path: Path) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """One run for each teacher, all under way, each in a process and at a provider of its own."""
    curious = tmp_path / "curious.py"
    curious.write_text(CURIOUS)
    with ExitStack() as stack:
        started = {}
        for name in TEACHERS:
            fake = stack.enter_context(Fake())
            probes = [""] * (4 if name == "openai-compatible" else 0)
            fake.script([*probes, "500", "echo", "", "dropped", "garbage", "string", "", "fenced"])
            given = [*words(name, fake, shop, **TINY), "-p", str(curious), "--max-cost", "5"]
            # What is rejected is no failure of the run here: the exam is small.
            given += ["-o", "ask.failures=0.5", "--out", str(tmp_path / name)]
            env = {"OPENAI_LOG": "debug", "ANTHROPIC_LOG": "debug", "PYTHONWARNINGS": "default",
                   "PVD_CACHE_DIR": str(tmp_path / f"cache-{name}"), KEYS[name]: KEY,
                   # A proxy at which nobody listens: the way out of this machine.
                   "https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}  # fmt: skip
            process = subprocess.Popen(
                [sys.executable, "-m", "pvd", *given],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **env},
            )
            started[name] = stack.enter_context(process)
            stack.callback(process.kill)
        yield started


@pytest.mark.slow
def test_a_run_leaves_the_key_nowhere(
    runs: dict[str, subprocess.Popen[str]], tmp_path: Path
) -> None:
    """Not even one with every log switched on, at a provider that repeats it in its messages."""
    for name, process in runs.items():
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, f"{name}: {err[-3000:]}"
        assert "DEBUG" in err, "the logs were on"
        assert KEY not in out + err, name
        assert (tmp_path / name / "metrics.json").exists()
        assert (tmp_path / f"cache-{name}" / "answers.sqlite").exists()
    assert found_in(tmp_path, KEY) == []


def test_what_is_looked_for_would_be_found(tmp_path: Path) -> None:
    import base64

    (tmp_path / "plain").write_bytes(b"\x00" + KEY.encode() + b"\xff")
    for before in ("", "x", "xy"):
        coded = base64.b64encode(f"{before}Bearer {KEY}, and more".encode())
        (tmp_path / f"coded{before}").write_bytes(coded)
    (tmp_path / "other").write_text("nothing")
    assert sorted(found_in(tmp_path, KEY)) == ["coded", "codedx", "codedxy", "plain"]


@pytest.mark.parametrize("name", TEACHERS)
def test_a_run_that_fails_repeats_the_provider_without_the_key(
    name: str, fake: Fake, shop: Path, tmp_path: Path, keys: None, own_cache: Path
) -> None:
    fake.script([*[""] * (4 if name == "openai-compatible" else 0), "401-echo"])
    given = [*words(name, fake, shop, **TINY), "--max-cost", "5", "--out", str(tmp_path / "run")]

    result = CliRunner().invoke(main, given)

    assert result.exit_code == 6, result.output
    last = result.stderr.splitlines()[-1]
    assert "the key [key] may not do that" in last
    assert "check the key" in last
    assert KEY not in result.output + result.stderr
    assert found_in(tmp_path, KEY) == found_in(own_cache, KEY) == []


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Everything that anybody logs, with what belongs to it."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name} {record.getMessage()} {record.__dict__}")

    root, keep = logging.getLogger(), Keep(level=logging.DEBUG)
    level = root.level
    root.addHandler(keep)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(keep)
    root.setLevel(level)


@pytest.mark.parametrize("fault", ["401", "401-echo", "echo", "quota", "503", "dropped", "garbage"])
@pytest.mark.parametrize("name", TEACHERS)
def test_no_failure_holds_the_key(
    name: str, fault: str, counter: Make, fake: Fake, logged: list[str]
) -> None:
    made = counter(name).teacher
    with made as ready:
        ready.connect()
        fake.script([fault])
        with pytest.raises((PvdError, kit.Busy, kit.Rejected)) as caught:  # ours, no SDK's
            ready.answer([ready.request(question(0))])

    error = caught.value
    assert KEY not in str(error) + repr(error)
    assert KEY.encode() not in pickle.dumps(error)
    assert KEY not in "".join(traceback.format_exception(error))
    assert error.__suppress_context__
    assert not any(KEY in line for line in logged)


@pytest.mark.parametrize("name", TEACHERS)
def test_a_teacher_that_is_connected_shows_no_key(name: str, counter: Make) -> None:
    made = counter(name).teacher
    with made as ready:
        ready.connect()
        for seen in (repr(ready), str(ready.options()), str(ready.request(question(0)).body)):
            assert KEY not in seen
        # It cannot be pickled, since its connections cannot; if it can be one day, then without.
        for shape in (pickle.dumps, lambda made: pickle.dumps(copy.copy(made))):
            with suppress(TypeError, AttributeError, pickle.PicklingError):
                assert KEY.encode() not in shape(ready)


# --- keys that are none ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "sk-one\nsk-two",
        "sk-one\r\nX-Header: 1",
        "sk-o ne",
        "sk-öne",
        "sk-one\u200b",  # invisible, as some pages put behind what one copies
        "“sk-one”",
        "sk-\x07one",
        "sk-one\tsk-two",
    ],
)
@pytest.mark.parametrize("name", TEACHERS)
def test_what_cannot_be_a_key_is_refused_and_not_shown(
    name: str,
    value: str,
    fake: Fake,
    shop: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(KEYS[name], value)
    given = [*words(name, fake, shop), "--max-cost", "5", "--out", str(tmp_path / "run")]

    result = CliRunner().invoke(main, given)

    assert result.exit_code == 3, result.output
    assert f"The key in {KEYS[name]} has characters that no key has" in result.stderr
    assert "sk-" not in result.output + result.stderr
    assert fake.asked == []


@pytest.mark.parametrize("name", TEACHERS)
def test_space_around_a_key_is_no_part_of_it(
    name: str, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEYS[name], f"  {KEY}\n")
    with teacher(name, fake) as ready:
        ready.connect()
        ready.answer([ready.request(question(0))])
    assert {asked.key for asked in fake.asked} == {KEY}


def test_gemini_takes_the_other_variable_too(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    with teacher("gemini", fake) as ready:
        ready.connect()
        ready.answer([ready.request(question(0))])
    assert fake.asked[0].key == KEY


# --- addresses that hold one ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{KEY}@127.0.0.1/v1",
        f"https://{KEY}@127.0.0.1/v1",
        f"https://127.0.0.1/v1?key={KEY}",
        f"https://127.0.0.1/v1#{KEY}",
        f"user:{KEY}@127.0.0.1/v1",
        f"http://[user:{KEY}@127.0.0.1",
    ],
)
@pytest.mark.parametrize("name", TEACHERS)
def test_an_address_that_holds_a_key_is_refused_and_not_shown(
    name: str, url: str, fake: Fake, shop: Path, tmp_path: Path, keys: None
) -> None:
    given = words(name, fake, shop, teacher={"base_url": url})
    result = CliRunner().invoke(main, [*given, "--max-cost", "5", "--out", str(tmp_path / "run")])

    assert result.exit_code == 5, result.output
    assert "must hold no user, password or query" in result.stderr
    assert KEY not in result.output + result.stderr
    assert found_in(tmp_path, KEY) == []


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000/v1",
        "localhost:8000",
        "ftp://127.0.0.1",
        "http://",
        "",
        "http://[::1",
        "http://127.0.0.1:x/v1",
        "http://127.0.0.1:99999",
    ],
)
@pytest.mark.parametrize("name", TEACHERS)
def test_an_address_that_is_none_is_refused(name: str, url: str, fake: Fake) -> None:
    with pytest.raises(BadInput, match="base_url"):
        teacher(name, fake, base_url=url)
    assert options(name, fake)["base_url"].startswith("http://")


@pytest.mark.parametrize("message", [f"key {KEY} is bad", f"{'x' * 190} {KEY}", KEY, f"\n{KEY}\n"])
def test_a_message_is_cut_only_after_the_key_is_out_of_it(message: str) -> None:
    line = kit.one_line(message, KEY)
    assert "canary" not in line
    assert len(line) <= 200
    assert "\n" not in line

"""Completion: what click is asked by a shell, and bash itself. Nothing heavy is loaded for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner
from strangers import COLOURS, component, installed

from pvd import options
from pvd.cli import main, shells
from pvd.cli.completing import OPEN
from pvd.discovery import KINDS, registry
from pvd.settings import Settings

HEAVY = {"torch", "numpy", "PIL", "transformers", "matplotlib", "rich", "sqlite3"}
PVD = [sys.executable, "-m", "pvd"]


def asked(*words: str, shell: str = "bash", monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a shell gets for these words, of which the last is being typed: as it wrote them into
    its environment."""
    typed = ["pvd", *words]
    monkeypatch.setenv("COMP_WORDS", "\n".join(typed))
    monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words)))
    script = get_completion_class(shell)
    assert script is not None
    return script(main, {}, "pvd", "_PVD_COMPLETE").complete().split("\n")


class Ask:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def __call__(self, *words: str) -> list[str]:
        """The words that bash may put in, whatever their type."""
        found = asked(*words, monkeypatch=self.monkeypatch)
        return [line.partition(",")[2] for line in found if line]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    return Ask(monkeypatch)


# --- what is offered --------------------------------------------------------------------------


def test_commands_and_options_are_offered(ask: Ask) -> None:
    assert {"run", "init", "schema", "completion", "plugins"} <= set(ask(""))
    assert "compare-cell" not in ask("")  # nobody types it
    assert ask("eval") == ["evaluate"]
    assert {"--teacher", "--max-cost", "--dry-run"} <= set(ask("run", "--"))
    assert set(ask("plugins", "")) >= {"check", "new"}
    assert ask("schema", "m") == ["metrics"]
    assert ask("completion", "") == ["bash", "zsh", "fish"]


@pytest.mark.parametrize(
    ("option", "kind"),
    [("--teacher", "teacher"), ("--judge", "teacher"), ("--student", "student"),
     ("--sampler", "sampler"), ("--loss", "loss"), ("--observe", "observer")],
)  # fmt: skip
@pytest.mark.parametrize("command", ["run", "label", "compare", "init"])
def test_names_are_those_of_the_kind(ask: Ask, command: str, option: str, kind: str) -> None:
    assert ask(command, option, "") == registry.names(kind)
    first = registry.names(kind)[0]
    assert ask(command, option, first[:-1]) == [first]
    assert ask(command, option, "=", first[:-1]) == [first]  # as bash cuts --option=first


def test_evaluators_and_sources_are_offered_where_they_are_used(ask: Ask) -> None:
    assert ask("run", "--catalog", "bou") == ["boutique", "bou"]  # the second: or a file
    evaluators = [f"evaluator.{name}" for name in registry.names("evaluator")]
    assert ask("options", "evaluator.") == evaluators
    assert ask("plugins", "check", "evaluator.") == evaluators
    assert set(ask("options", "")) >= {"run", "train", "exam", *KINDS}
    assert ask("plugins", "new", "t") == ["teacher"]
    assert ask("plugins", "new", "teacher,s") == [
        "teacher,student",
        "teacher,sampler",
        "teacher,source",
    ]
    assert ask("plugins", "new", "student,s") == ["student,sampler", "student,source"]  # each once
    assert ask("audit", "simulated", "gem") == ["gemini"]
    assert ask("compare", "--judges", "simulated,gem") == ["simulated,gemini"]
    assert ask("run", "--recipe", "") == ["default", "paper"]
    assert ask("cache", "prune", "--teacher", "gem") == ["gemini"]


def test_run_folders_are_offered_and_the_way_to_them(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("runs/one", "runs/two", "alone", "runs/deep/three"):
        Path(name).mkdir(parents=True)
        Path(name, "run.toml").write_text("")
    for name in ("empty", ".hidden/run"):
        Path(name).mkdir(parents=True)
    Path("note.txt").write_text("")
    for command in ("label", "train", "evaluate", "report", "export"):
        assert ask(command, "") == ["alone", "runs/"]
        assert ask(command, "runs/") == ["runs/deep/", "runs/one", "runs/two"]
    assert ask("report", "runs/o") == ["runs/one"]
    assert ask("report", f"{tmp_path}/al") == [f"{tmp_path}/alone"]
    assert ask("report", "nowhere/") == []
    types = asked("report", "", monkeypatch=monkeypatch)
    assert types == ["plain,alone", f"{OPEN},runs/"]


# --- what -o sets -----------------------------------------------------------------------------


def test_keys_are_sections_settings_and_options_of_what_is_chosen(ask: Ask) -> None:
    top = ask("run", "-o", "")
    for option in options.describe(Settings):
        assert any(key.rstrip("=.") == option.name for key in top), option.name
    assert ask("run", "-o", "train.ro") == ["train.rounds="]
    assert "exam.group=" in ask("run", "-o", "exam.")
    assert "teacher.noise=" in ask("run", "-o", "teacher.")  # of the recipe's
    given = ask("run", "--teacher", "gemini", "-o", "teacher.")
    assert "teacher.detail=" in given
    assert "teacher.noise=" not in given
    assert "judge.detail=" in ask("run", "--teacher", "gemini", "-o", "judge.")
    assert "judge.noise=" in ask(
        "run", "--teacher", "gemini", "--judge", "simulated", "-o", "judge."
    )
    inner = ["run", "--teacher", "consistent", "-o", "teacher.of=gemini", "-o"]
    assert "teacher.of.detail=" in ask(*inner, "teacher.of.")
    assert "teacher.of." in ask(*inner, "teacher.")
    assert {"catalog.path=", "catalog.use="} <= set(ask("run", "-o", "catalog."))
    assert "teacher.detail=" in ask("audit", "gemini", "-o", "teacher.")
    assert ask("run", "-o", "nothing.") == []
    assert ask("run", "-o", "train.rounds.") == []
    assert ask("run", "--teacher", "nobody", "-o", "teacher.") == []


def test_values_are_offered_where_they_can_be_counted(ask: Ask) -> None:
    assert ask("run", "-o", "train.replay=") == [
        "train.replay=all", "train.replay=last", "train.replay=decay",
    ]  # fmt: skip
    assert ask("run", "-o", "train.replay", "=", "l") == ["last"]  # as bash cuts it
    assert ask("run", "-o", "train.replay", "=") == ["all", "last", "decay"]
    assert ask("run", "-o", "ask.batch", "=", "") == ["true", "false"]
    assert ask("run", "-o", "sampler", "=", "w") == ["within-bin"]
    assert ask("run", "-o", "sampler.use", "=", "w") == ["within-bin"]
    assert ask("run", "-o", "train.rounds=") == []
    assert ask("run", "-o", "train.chunk=") == ["train.chunk=none"]
    observers = registry.names("observer")
    assert ask("run", "-o", "observers=") == [f"observers={name}" for name in observers]
    assert ask("run", "-o", "observers", "=", "ten") == ["tensorboard"]
    assert ask("run", "-o", "evaluators=") == []  # of which one alone would be refused
    assert ask("options", "evaluator.hits", "-o", "evaluator.at=") == []
    assert ask("plugins", "check", "evaluator.hits", "-o", "evaluator.at=") == []
    assert ask("compare", "--vary", "tra") == ["train."]
    assert ask("compare", "--vary", "sampler=uniform,w") == ["sampler=uniform,within-bin"]
    assert ask("compare", "--vary", "sampler", "=", "uniform,w") == ["uniform,within-bin"]


def test_the_check_of_a_plugin_offers_its_own_options(ask: Ask) -> None:
    assert ask("plugins", "check", "loss.bradley-terry", "-o", "") == ["loss."]
    own = [f"loss.{o.name}=" for o in options.describe(registry.get("loss", "bradley-terry"))]
    assert ask("plugins", "check", "loss.bradley-terry", "-o", "loss.") == own
    assert ask("plugins", "check", "loss.bradley-terry", "-o", "teacher.") == []


def test_a_run_folder_says_what_is_chosen(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('[teacher]\nuse = "gemini"\n')
    assert "teacher.detail=" in ask("train", str(tmp_path), "-o", "teacher.")
    config = tmp_path / "run.toml"
    assert "teacher.detail=" in ask("run", "--config", str(config), "-o", "teacher.")


def test_plugins_from_files_and_broken_ones(ask: Ask, tmp_path: Path) -> None:
    assert "colours" in ask("run", "-p", str(COLOURS), "--student", "")
    assert "student.width=" in ask(
        "run", "-p", str(COLOURS), "--student", "colours", "-o", "student."
    )
    site = tmp_path / "site"
    installed(site, "torn", "print('hello')\nraise RuntimeError\n", "teacher.torn")
    installed(
        site, "loud", component("loss", "loud", "print('hello')\nlimit: int = 3"), "loss.loud"
    )

    def shown(*words: str) -> tuple[str, str]:
        env = {"PYTHONPATH": str(site), "_PVD_COMPLETE": "bash_complete"}
        env |= {"COMP_WORDS": "\n".join(["pvd", *words]), "COMP_CWORD": str(len(words))}
        seen = subprocess.run(
            PVD, capture_output=True, text=True, check=True, env={**os.environ, **env}
        )
        return seen.stdout, seen.stderr

    assert shown("run", "--teacher", "to") == ("plain,torn\n", "")
    assert shown("run", "--teacher", "torn", "-o", "teacher.") == ("\n", "")
    assert "open,loss.limit=\n" in shown("run", "--loss", "loud", "-o", "loss.")[0]
    assert "hello" not in "".join(shown("run", "--loss", "loud", "-o", "loss."))


LATE = """
import threading, time
def greet():
    time.sleep(0.3)
    print("plain,late")
print("plain,early")
threading.Thread(target=greet).start()
"""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_file_prints_is_not_offered(tmp_path: Path, shell: str) -> None:
    """Neither while -p loads it, nor from a thread, however late."""
    file = tmp_path / "loud.py"
    file.write_text(component("loss", "loud", "limit: int = 3") + LATE)
    words = ["pvd", "run", "-p", str(file), "--loss", "lou"]
    cwords = {"bash": "\n".join(words), "zsh": " ".join(words), "fish": " ".join(words)}
    env = {"_PVD_COMPLETE": f"{shell}_complete", "COMP_WORDS": cwords[shell]}
    env["COMP_CWORD"] = "lou" if shell == "fish" else "5"
    seen = subprocess.run(
        PVD, capture_output=True, text=True, check=True, env={**os.environ, **env}
    )
    assert "loud" in seen.stdout
    assert "early" not in seen.stdout
    assert "late" not in seen.stdout
    assert seen.stderr == ""


@pytest.mark.parametrize(
    ("words", "at"),
    [("pvd\nrun\n", "x"), ("pvd\nrun\n", ""), ("pvd", "-3"), ("pvd", "999999999999"), (None, "1")],
)  # fmt: skip
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_what_no_shell_would_ask_offers_nothing(words: str | None, at: str, shell: str) -> None:
    env = {"_PVD_COMPLETE": f"{shell}_complete", "COMP_CWORD": at}
    env |= {"COMP_WORDS": words} if words is not None else {}
    seen = subprocess.run(
        PVD, capture_output=True, text=True, check=False, env={**os.environ, **env}
    )
    assert "Traceback" not in seen.stderr
    if shell == "bash" or at in ("x", "", "1"):
        assert seen.stdout.strip() == ""


# --- how shells are spoken with ---------------------------------------------------------------


WHOLE = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from pvd.__main__ import main
main()
"""


def loaded(*words: str) -> set[str]:
    """The modules of a process that completes these words."""
    env = {"_PVD_COMPLETE": "bash_complete", "COMP_WORDS": "\n".join(["pvd", *words])}
    seen = subprocess.run(
        [sys.executable, "-c", WHOLE],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **env, "COMP_CWORD": str(len(words))},
    )
    assert seen.stdout.strip()
    return set(seen.stderr.split())


def test_names_come_without_a_plugin() -> None:
    for words in (["run", "--teacher", ""], ["options", "sampler."], ["run", "-o", "train."]):
        modules = loaded(*words)
        assert "pvd.cli" in modules
        assert not HEAVY & modules
        assert not {m for m in modules if m.startswith("pvd_plugins")}


def test_an_option_loads_the_one_plugin_that_has_it() -> None:
    modules = loaded("run", "--loss", "plackett-luce", "-o", "loss.")
    assert not HEAVY & modules
    plugins = {m for m in modules if m.count(".") == 2 and m.startswith("pvd_plugins")}
    assert plugins == {"pvd_plugins.losses.plackett_luce"}


@pytest.mark.parametrize("shell", shells.PLACES)
def test_a_script_says_where_it_goes_and_knows_every_type(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0, result.output
    assert shells.PLACES[shell] in result.stdout.splitlines()[0]
    assert "_PVD_COMPLETE" in result.stdout
    assert f"{shell}_complete" in result.stdout
    assert "%(" not in result.stdout
    if shell != "fish":
        assert OPEN in result.stdout


def test_zsh_and_fish_get_help_and_the_whole_word(monkeypatch: pytest.MonkeyPatch) -> None:
    zsh = asked("run", "-o", "train.rou", shell="zsh", monkeypatch=monkeypatch)
    assert zsh == [OPEN, "train.rounds=", "rounds at most"]
    fish = asked("run", "-o", "train.rou", shell="fish", monkeypatch=monkeypatch)
    assert fish == ["plain,train.rounds=\trounds at most"]
    zsh = asked("run", "--teacher=gem", shell="zsh", monkeypatch=monkeypatch)
    assert zsh == ["plain", "--teacher=gemini", "_"]
    fish = asked("run", "--teacher=gem", shell="fish", monkeypatch=monkeypatch)
    assert fish == ["plain,--teacher=gemini"]


BASH = shutil.which("bash")


@pytest.mark.skipif(BASH is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (["run", "--teacher", "gem"], ["gemini"]),
        (["run", "--teacher", "=", "gem"], ["gemini"]),
        (["run", "-o", "train.rou"], ["train.rounds="]),
        (["run", "-o", "train.replay", "=", ""], ["all", "last", "decay"]),
        (["run", "-o", "train.replay", "="], ["all", "last", "decay"]),
        (["run", "-o", "train.replay", "=", "la"], ["last"]),
        (["run", "-o", "train.rounds", "=", "3", "-o", "exam.gr"], ["exam.group="]),
        (["report", "my"], ["my run"]),
    ],
)
def test_bash_completes(
    tmp_path: Path, words: list[str], replies: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own function, given the words as bash cuts them."""
    assert BASH
    monkeypatch.chdir(tmp_path)
    Path("my run").mkdir()
    Path("my run/run.toml").write_text("")
    script = tmp_path / "completion.bash"
    script.write_text(CliRunner().invoke(main, ["completion", "bash"]).stdout)
    command = tmp_path / "pvd"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m pvd "$@"\n')
    command.chmod(0o755)
    test = """
    compopt() { printf 'compopt %s %s\\n' "$@" >&2; }  # bash has it only while a key is pressed
    source "$1"
    complete -p pvd >&2
    shift
    COMP_WORDS=(pvd "$@")
    COMP_CWORD=$#
    _pvd_completion ./pvd
    printf '%s\\n' "${COMPREPLY[@]}"
    """
    seen = subprocess.run(
        [BASH, "--norc", "-c", test, "bash", str(script), *words],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.splitlines() == replies, seen.stderr
    assert "-F _pvd_completion pvd" in seen.stderr
    goes_on = replies[0].endswith("=")
    assert ("compopt -o nospace" in seen.stderr) == goes_on

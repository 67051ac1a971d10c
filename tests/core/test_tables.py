"""What a command line comes to: its tables, and what helps where a word of it is another's."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from strangers import component

from pvd.cli import main
from pvd.cli.tables import as_setting, source_table
from pvd.discovery import Registry, registry
from pvd.errors import MissingFile


def said(*words: str) -> tuple[int, str]:
    """The exit code, and the last line on stderr."""
    result = CliRunner().invoke(main, words)
    return result.exit_code, result.stderr.strip().splitlines()[-1]


# --- settings that are taken for options ------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "setting"),
    [
        ("--evaluator", """-o 'evaluators=["mpr", "hits", "grades", "NAME"]'"""),
        ("--evaluators", """-o 'evaluators=["mpr", "hits", "grades", "NAME"]'"""),
        ("--rounds", "-o train.rounds=VALUE"),
        ("--learning-rate", "-o train.learning_rate=VALUE"),
        ("--prepared-gb", "-o prepared_gb=VALUE"),
        ("--noise", "-o teacher.noise=VALUE"),
        ("--group", "-o split.group=VALUE or -o exam.group=VALUE"),
        ("--split", "-o split.NAME=VALUE"),
        ("--catalgo", ""),
    ],
)
def test_a_setting_that_is_taken_for_an_option_is_one_of_o(option: str, setting: str) -> None:
    assert as_setting(option) == setting
    code, sentence = said("run", option, "3")
    assert code == 2
    if setting:
        assert sentence == f"Error: No such option {option!r}; write {setting}."
    else:
        assert sentence == "Error: No such option '--catalgo'. Did you mean '--catalog'?"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["run", "--observer", "x"], "(Did you mean one of: '--observe', '--seed'?)"),
        (["index", "runs", "--rounds", "3"], "Did you mean '--prune'?"),  # has other settings
    ],
)
def test_what_has_a_better_hint_keeps_it(words: list[str], hint: str) -> None:
    code, sentence = said(*words)
    assert code == 2
    assert sentence == f"Error: No such option {words[-2]!r}. {hint}"


def test_a_setting_without_its_section_is_named_with_it() -> None:
    for words, meant in (
        (["-o", "rounds=3"], "'train.rounds'"),
        (["-o", "noise=1"], "'teacher.noise' or 'judge.noise'"),
    ):
        code, sentence = said("run", "--dry-run", *words)
        key = words[-1].partition("=")[0]
        assert code == 5
        assert f"has no option {key!r}; did you mean {meant}? It has: teacher, " in sentence


# --- sources ----------------------------------------------------------------------------------


@pytest.fixture
def crate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source of this name."""
    monkeypatch.setattr(registry, "__dict__", Registry().__dict__)
    monkeypatch.chdir(tmp_path)
    Path("crate.py").write_text(component("source", "crate", ""))
    registry.load_file(Path("crate.py"))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("lamps.crate", "; check the path, and write crate:PATH."),
        ("lamps.csv", "; check the path."),
        ("shop/crate", "; check the path."),
        ("crates", "; did you mean 'crate'?"),
        ("zzz", "; check the path."),
    ],
)
def test_a_path_is_no_name_of_a_source(crate: None, text: str, end: str) -> None:
    with pytest.raises(MissingFile) as caught:
        source_table(text, "catalog")
    assert str(caught.value) == f"There is no file or folder {text} for --catalog{end}"


def test_a_file_of_another_source_says_how_to_name_it(crate: None) -> None:
    Path("lamps.crate").write_text("lamps")
    code, sentence = said("run", "--dry-run", "--catalog", "lamps.crate", "--personas", "boutique")
    assert code == 5
    assert sentence.endswith("or name its source, as in SOURCE:lamps.crate.")
    assert source_table("crate:lamps.crate", "catalog") == {"use": "crate", "path": "lamps.crate"}

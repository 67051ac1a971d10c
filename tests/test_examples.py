"""The examples run as they are, made small."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from newcomer import check, environment, python

from pvd import options
from pvd.cli import main as command
from pvd.settings import flat, recipe, resolve
from pvd.testing import items

EXAMPLES = Path(__file__).parents[1] / "examples"
PACKAGE = EXAMPLES / "pvd-example-plugin"
SMALL: dict[str, Any] = {
    "catalog": {"use": "boutique", "size": 80},
    "personas": {"use": "boutique", "people": 60},
    "train": {"rounds": 1, "slates": 16, "steps": 2, "validation_slates": 12},
    "exam": {"personas": 4, "items": 20, "repeats": 0},
}
SYSTEMS = ["random", "zero-shot", "persona-blind", "shuffled-persona", "distilled", "oracle"]


def example(name: str) -> ModuleType:
    """The file as a module; `main` is what it does as a script."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


def words(line: str) -> str:
    return line.split()[0] if line else ""


@pytest.mark.slow
def test_a_first_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("first_run").main(items=80, people=60, slates=20, out=str(tmp_path / "first"))
    lines = capsys.readouterr().out.splitlines()
    assert [words(line) for line in lines[1:7]] == SYSTEMS
    assert re.search(r"\d \(\d+\.\d to \d+\.\d\)$", lines[5].replace("  ", " "))  # an interval
    assert (tmp_path / "first/report.html").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
@pytest.mark.parametrize(
    ("name", "compared"),
    [("own_teacher", "colour-seeker minus simulated"), ("own_loss", "top-one minus bradley-terry")],
)
def test_an_own_component_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, compared: str
) -> None:
    example(name).main(out=str(tmp_path / "own"), seeds=1, **SMALL)
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{compared}, judged by truth:")
    assert last == f"Report: {tmp_path}/own/report.html"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("own_teacher.py", "teacher.colour-seeker"),
        ("own_loss.py", "loss.top-one"),
        ("own_student.py", "student.colours"),
    ],
)
def test_an_own_component_passes_its_contract(file: str, name: str) -> None:
    result = CliRunner().invoke(command, ["plugins", "check", "-p", str(EXAMPLES / file), name])
    assert result.exit_code == 0, result.output
    assert "FAIL" not in result.output
    assert result.output.count("ok  ") >= 5


def test_the_stages_run_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    example("stage_by_stage").main(items=80, people=60, rounds=2, slates=20)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[:2]] == [
        "round 1: 20 judgments so far",
        "round 2: 40 judgments so far",
    ]
    assert [words(line) for line in lines[2:]] == SYSTEMS


# --- the configuration --------------------------------------------------------------------------


def test_the_configuration_of_a_shop_resolves() -> None:
    given = options.read_toml(EXAMPLES / "fashion.toml")
    settings = resolve(recipe("default"), given)
    assert (settings.teacher.label, settings.student.label) == ("gemini", "fashionclip")
    assert settings.judge.label == "gemini"
    assert Path(settings.catalog.path).name == "shop.csv"
    # Each line is what the run will have, at its place.
    resolved = flat(settings.table())
    for key, value in flat(given).items():
        assert Path(str(resolved[key])).name == str(value) or resolved[key] == value, key


def test_the_configuration_is_priced_below_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLES / "fashion.toml", tmp_path)
    rows = ["id,image,title"]
    for item in items(120):
        Path(f"{item.id}.png").write_bytes(item.read())
        rows.append(f"{item.id},{item.id}.png,{item.title}")
    Path("shop.csv").write_text("\n".join(rows) + "\n")
    people = [f'{{"id": "{n}", "text": "Somebody who lives at number {n}."}}' for n in range(120)]
    Path("people.jsonl").write_text("\n".join(people) + "\n")
    result = CliRunner().invoke(command, ["run", "--config", "fashion.toml", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "--max-cost 40: enough" in result.output


# --- the package of a third party ---------------------------------------------------------------


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the package, installed from a copy: building leaves nothing in ours."""
    folder = tmp_path_factory.mktemp("stranger")
    shutil.copytree(PACKAGE, folder / "package", ignore=shutil.ignore_patterns(".*", "__pycache__"))
    environment(folder, [folder / "package"])
    return folder


@pytest.mark.slow
def test_the_package_passes_its_own_tests(stranger: Path) -> None:
    done = python(stranger, "-m", "pytest", "-q", "-p", "no:cacheprovider", "package")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 30


@pytest.mark.slow
def test_the_package_passes_the_checks(stranger: Path) -> None:
    check(stranger, ["teacher.aesthetic", "sampler.close-calls", "loss.lambda-rank"])


@pytest.mark.slow
def test_the_package_is_used_as_its_readme_says(stranger: Path) -> None:
    readme = (PACKAGE / "README.md").read_text()
    (line,) = re.findall(r"^    pvd (run .*--sampler .*--loss .*)$", readme, re.MULTILINE)
    small = [
        word
        for section, values in SMALL.items()
        for key, value in values.items()
        if key != "use"
        for word in ("-o", f"{section}.{key}={value}")
    ]
    done = python(stranger, "-m", "pvd", *shlex.split(line), *small, "--out", "looks", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    config = (stranger / "looks/run.toml").read_text()
    for name in ("aesthetic", "close-calls", "lambda-rank"):
        assert f'use = "{name}"' in config


def test_every_example_is_in_the_table() -> None:
    listed = set(re.findall(r"\]\(([\w.-]+?)/?\)", (EXAMPLES / "README.md").read_text()))
    there = {path.name for path in EXAMPLES.iterdir() if not path.name.startswith(("__", "."))}
    assert listed == there - {"README.md"}

"""`pvd plugins new`: a package of each kind is installed as a stranger would, and used."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from newcomer import check, environment, python

from pvd import scaffolding
from pvd.cli import main
from pvd.discovery import KINDS
from pvd.errors import BadInput, UnknownName
from pvd.testing import items, personas

NAMES = {kind: f"my-{kind}" for kind in KINDS}
RUFF = Path(sys.executable).with_name("ruff")


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, ["plugins", "new", *words])


# --- a new environment with one package of each kind --------------------------------------------


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package of each kind, and an environment that has all of them."""
    folder = tmp_path_factory.mktemp("workshop")
    for kind, name in NAMES.items():
        scaffolding.new(kind, name, folder / f"pvd-{name}")
    environment(folder, [folder / f"pvd-{name}" for name in NAMES.values()])
    return folder


@pytest.mark.slow
def test_the_packages_pass_their_own_tests(workshop: Path) -> None:
    folders = [f"pvd-{name}/tests" for name in NAMES.values()]
    done = python(workshop, "-m", "pytest", "-q", "-p", "no:cacheprovider", *folders)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    # Those of the contract, and the at least two of its own that each package has.
    assert int(passed[1]) > 4 * len(NAMES)


@pytest.mark.slow
def test_the_packages_pass_the_check(workshop: Path) -> None:
    check(workshop, [f"{kind}.{name}" for kind, name in NAMES.items()])


@pytest.mark.slow
def test_one_run_uses_all_seven(workshop: Path) -> None:
    shop = workshop / "shop"
    shop.mkdir()
    for item in items(80):
        (shop / f"{item.id}.png").write_bytes(item.read())
        values = {"title": item.title, **item.attributes}
        (shop / f"{item.id}.json").write_text(json.dumps(values))
    for persona in personas(40):
        (shop / f"{persona.id}.txt").write_text(persona.text)
    small = {
        "train.rounds": 1, "train.slates": 12, "train.steps": 2, "train.validation_slates": 12,
        "exam.personas": 4, "exam.repeats": 0,
    }  # fmt: skip
    words = [word for key, value in small.items() for word in ("-o", f"{key}={value}")]
    done = python(
        workshop, "-m", "pvd", "run", "--out", "result", "--catalog", "my-source:shop",
        "--personas", "my-source:shop", "--teacher", "my-teacher", "--student", "my-student",
        "--sampler", "my-sampler", "--loss", "my-loss", "--observe", "my-observer",
        "-o", 'evaluators=["mpr", "my-evaluator"]', *words,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = json.loads((workshop / "result/metrics.json").read_text())
    used = {kind: table["use"] for kind, table in metrics["components"].items()}
    named = NAMES | {"judge": NAMES["teacher"]}
    assert used == {kind: named[kind] for kind in used}
    distilled = metrics["exam"]["systems"]["distilled"]
    assert distilled["mrr@10"]["low"] <= distilled["mrr@10"]["value"] <= 1
    assert metrics["rounds"][1]["notes"]["drawn from"]["favourites"]["items"] == 3 * 12
    assert (workshop / "result/rounds.csv").read_text().startswith("round,slates,answered")


# --- what is written ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["x", "top-2", "a23456789-123456789-123456789-12"])
@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed here; .ci/run has it")
def test_the_package_is_in_style_whatever_its_name(tmp_path: Path, kind: str, name: str) -> None:
    scaffolding.new(kind, name, tmp_path / "new")
    for words in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [RUFF, *words, "--no-cache", "."], cwd=tmp_path / "new", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_declares_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(kind, "my-own")
    assert result.exit_code == 0, result.output
    folder = Path("pvd-my-own")
    declared = tomllib.loads((folder / "pyproject.toml").read_text())
    assert declared["project"]["name"] == "pvd-my-own"
    assert declared["project"]["entry-points"]["pvd"] == {f"{kind}.my-own": "pvd_my_own"}
    assert [need.partition(">")[0] for need in declared["project"]["dependencies"]] == [
        "pvd-distill"
    ]
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {
        "pyproject.toml", "README.md", ".gitignore", ".github/workflows/check.yml",
        "pvd_my_own.py", "tests/test_my_own.py",
    }  # fmt: skip
    for path in there:
        text = (folder / path).read_text()
        assert "{{" not in text.replace("${{ matrix.python }}", ""), path
        assert not re.search(r"install (-\S+ )*pvd(?![-\w])", text), path


def test_the_next_three_commands_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = invoke("loss", "hinge", "--to", "my place").output.splitlines()
    assert lines[0] == "The package pvd-hinge of loss.hinge is in my place:"
    assert [line.strip() for line in lines[-3:]] == [
        "pip install --editable 'my place[test]'",
        "pvd plugins check loss.hinge",
        "pvd run --loss hinge",
    ]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert scaffolding.new("loss", "hinge", tmp_path).folder == tmp_path
    assert (tmp_path / "pvd_hinge.py").exists()


@pytest.mark.parametrize(
    ("kind", "name", "cls"),
    [
        ("loss", "hinge", "HingeLoss"),
        ("loss", "hinge-loss", "HingeLoss"),
        ("teacher", "teacher", "Teacher"),
        ("sampler", "top-2", "Top2Sampler"),
    ],
)
def test_the_class_is_called_after_name_and_kind(kind: str, name: str, cls: str) -> None:
    assert scaffolding.class_name(kind, name) == cls


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "error", "said"),
    [
        ("los", "hinge", UnknownName, "There is no kind 'los'; did you mean 'loss'?"),
        ("loss", "My Hinge", BadInput, "such as 'my-hinge'."),
        ("loss", "2nd", BadInput, "such as 'nd'."),
        ("loss", "a--b", BadInput, "such as 'a-b'."),
        ("loss", "hinge.py", BadInput, "such as 'hinge-py'."),
        ("loss", "../up", BadInput, "such as 'up'."),
        ("loss", "a" * 33, BadInput, "at most 32 small letters"),
        ("loss", "größe", BadInput, "such as 'gr-e'."),
        ("loss", "愛", BadInput, "beginning with a letter."),
        ("loss", "", BadInput, "beginning with a letter."),
        ("loss", "bradley-terry", BadInput, "is taken by pvd-distill"),
        # Its distribution or its module would take the place of ours.
        ("loss", "distill", BadInput, "would be pvd-distill"),
        ("loss", "plugins", BadInput, "would be pvd-plugins"),
    ],
)
def test_a_name_that_cannot_be_had(
    tmp_path: Path, kind: str, name: str, error: type[BadInput], said: str
) -> None:
    with pytest.raises(error) as caught:
        scaffolding.new(kind, name, tmp_path / "new")
    assert said in str(caught.value)
    assert not (tmp_path / "new").exists()


def full(folder: Path) -> None:
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")


@pytest.mark.parametrize(
    ("setup", "to", "said"),
    [
        (full, "there", "there is not empty; name a new folder with --to. A package"),
        (lambda folder: folder.write_text("mine"), "there", "there is a file"),
        (lambda folder: folder.write_text("mine"), "there/below", "there/below"),
        (lambda folder: None, "a" * 300, "cannot be"),
    ],
)
def test_a_folder_that_cannot_be_had(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setup: Callable[[Path], Any],
    to: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    setup(Path("there"))
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    result = invoke("loss", "hinge", "--to", to)
    assert result.exit_code == BadInput.exit_code, result.output
    assert said in result.output
    assert len(result.output.splitlines()) == 1
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("there", [False, True])
def test_without_room_nothing_is_left_and_the_same_command_works_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    folder = tmp_path / "mine"
    if there:
        folder.mkdir()
    real = scaffolding.write_bytes

    def full(path: Path, data: bytes) -> None:
        if path.parent.name == "tests":
            raise BadInput(f"{path} cannot be written (No space left on device).")
        real(path, data)

    monkeypatch.setattr(scaffolding, "write_bytes", full)
    assert invoke("loss", "hinge", "--to", str(folder)).exit_code == BadInput.exit_code
    assert list(tmp_path.rglob("*")) == [folder] * there
    monkeypatch.setattr(scaffolding, "write_bytes", real)
    result = invoke("loss", "hinge", "--to", str(folder))
    assert result.exit_code == 0, result.output

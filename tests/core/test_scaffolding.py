"""`pvd plugins new`: packages are installed as a stranger would, and used together."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from newcomer import check, environment, python

from pvd import scaffolding
from pvd.cli import main
from pvd.discovery import KINDS
from pvd.errors import BadInput, UnknownName
from pvd.testing import items, personas

RUFF = Path(sys.executable).with_name("ruff")
# How the commands of a package's workflow are found here; nothing is fetched.
COMMANDS = """
set -e
pip() { python -m pip "$@" -q --no-index --no-build-isolation --disable-pip-version-check; }
pytest() { python -m pytest "$@" -p no:cacheprovider; }
pvd() { python -m pvd "$@"; }
"""


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, ["plugins", "new", *words])


def workflow(package: Path) -> list[str]:
    """What the package's own CI runs: a script a step."""
    (job,) = yaml.safe_load((package / ".github/workflows/check.yml").read_text())["jobs"].values()
    return [step["run"] for step in job["steps"] if "run" in step]


def run_step(workshop: Path, script: str, wanted: str) -> subprocess.CompletedProcess[str]:
    """One step, in the folder of pvd-mine and the workshop's environment; pvd is called so."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP", "VIRTUAL"))}
    path = f"{workshop / 'venv/bin'}:{RUFF.parent}:{kept['PATH']}"
    return subprocess.run(
        ["bash", "-c", COMMANDS + script],
        env=kept | {"PATH": path, "PVD": wanted, "OMP_NUM_THREADS": "1"},
        cwd=workshop / "pvd-mine",
        capture_output=True,
        text=True,
        check=False,
    )


def declare(package: scaffolding.Package) -> None:
    """Add the lines that its author is told to add."""
    path, heading = package.folder / "pyproject.toml", "[project.entry-points.pvd]\n"
    before, after = path.read_text().split(heading)
    entries, workflow = package.additions
    assert (entries.file, workflow.file) == ("pyproject.toml", ".github/workflows/check.yml")
    path.write_text(before + heading + "\n".join([*entries.lines, after]))


# --- a new environment with packages in it ------------------------------------------------------


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package of all kinds, one of a single kind, to which another was added, and
    an environment that has both: the first is installed as its own workflow does it.
    """
    folder = tmp_path_factory.mktemp("workshop")
    scaffolding.new(list(KINDS), "mine", folder / "pvd-mine")
    scaffolding.new(["loss"], "hinge", folder / "pvd-hinge")
    declare(scaffolding.new(["sampler"], "hinge", folder / "pvd-hinge"))
    environment(folder, [folder / "pvd-hinge"])
    for script in workflow(folder / "pvd-mine"):
        if "$PVD" in script or "[test]" in script:  # torch is there
            done = run_step(folder, script, "pvd-distill")
            assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_workflow_of_a_package_passes(workshop: Path) -> None:
    scripts = workflow(workshop / "pvd-mine")
    checks = [f"pvd plugins check {kind}.mine" for kind in KINDS]
    assert scripts[-len(checks) :] == checks  # run below, all in one process
    style = ["ruff format --check .", "ruff check ."] if RUFF.exists() else []
    assert {"mypy", "pytest", *style} < set(scripts)  # mypy, which takes a minute: in .ci/run
    for script in [*style, "pytest"]:
        done = run_step(workshop, script, "pvd-distill")
        assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    # Those of the contract, and the at least two of its own that each kind has.
    assert int(passed[1]) > 4 * len(KINDS)


@pytest.mark.slow
def test_the_workflow_says_what_to_do_where_pvd_cannot_be_had(workshop: Path) -> None:
    (script,) = [script for script in workflow(workshop / "pvd-mine") if "$PVD" in script]
    done = run_step(workshop, script, "pvd-of-nobody")
    assert done.returncode == 1
    assert "::error::pip cannot install 'pvd-of-nobody'. Say where" in done.stdout


@pytest.mark.slow
def test_the_packages_pass_the_check(workshop: Path) -> None:
    check(workshop, [*(f"{kind}.mine" for kind in KINDS), "loss.hinge", "sampler.hinge"])


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
        workshop, "-m", "pvd", "run", "--out", "result", "--catalog", "mine:shop",
        "--personas", "mine:shop", "--teacher", "mine", "--student", "mine", "--sampler", "mine",
        "--loss", "mine", "--observe", "mine", "-o", 'evaluators=["mpr", "mine"]', *words,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = json.loads((workshop / "result/metrics.json").read_text())
    used = {kind: table["use"] for kind, table in metrics["components"].items()}
    assert {"teacher", "student", "sampler", "loss", "judge"} <= used.keys()
    assert set(used.values()) == {"mine"}
    distilled = metrics["exam"]["systems"]["distilled"]
    assert distilled["mrr@10"]["low"] <= distilled["mrr@10"]["value"] <= 1
    assert metrics["rounds"][1]["notes"]["drawn from"]["favourites"]["items"] == 3 * 12
    assert (workshop / "result/rounds.csv").read_text().startswith("round,slates,answered")


# --- what is written ----------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [*([kind] for kind in KINDS), list(KINDS)], ids=",".join)
@pytest.mark.parametrize("name", ["x", "top-2", "a23456789-123456789-123456789-12", "a" * 32])
@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed here; .ci/run has it")
def test_the_package_is_in_style_whatever_its_name(
    tmp_path: Path, kinds: list[str], name: str
) -> None:
    scaffolding.new(kinds, name, tmp_path / "new")
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
    assert files(folder) == SHARED | {"pvd_my_own.py", "tests/test_my_own.py"}
    assert_whole(folder)


def test_a_package_of_several_kinds_has_a_module_and_tests_of_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("teacher,sampler, evaluator", "my-own")
    assert result.exit_code == 0, result.output
    folder, kinds = Path("pvd-my-own"), ("teacher", "sampler", "evaluator")
    declared = tomllib.loads((folder / "pyproject.toml").read_text())
    assert declared["project"]["description"] == "A teacher, a sampler and an evaluator for pvd"
    assert declared["project"]["entry-points"]["pvd"] == {
        f"{kind}.my-own": f"pvd_my_own.{kind}" for kind in kinds
    }
    of_each = {
        file for kind in kinds for file in (f"pvd_my_own/{kind}.py", f"tests/test_{kind}.py")
    }
    assert files(folder) == SHARED | {"pvd_my_own/__init__.py", "pvd_my_own/py.typed"} | of_each
    assert_whole(folder)
    readme = (folder / "README.md").read_text()
    for kind in kinds:  # what it does, and where it is
        assert readme.count(f"| `{kind}.my-own` |") == 2
    together = """
    pvd run --teacher my-own \\
      --sampler my-own \\
      -o 'evaluators=["mpr", "my-own"]'
"""
    assert together in readme


SHARED = {"pyproject.toml", "README.md", ".gitignore", ".github/workflows/check.yml"}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def assert_whole(folder: Path) -> None:
    """Nothing of the templates is left, and nothing installs the stranger that is called pvd."""
    for path in files(folder):
        text = (folder / path).read_text()
        assert "{{" not in text.replace("${{ matrix.python }}", ""), path
        assert "{%" not in text, path
        assert "\n\n\n\n" not in text, path
        assert not text.endswith("\n\n"), path
        assert not re.search(r"install (-\S+ )*pvd(?![-\w])", text), path


def test_the_next_commands_are_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = invoke("loss", "hinge", "--to", "my place").output.splitlines()
    assert lines[0] == "The package pvd-hinge of loss.hinge is in my place:"
    assert [line.strip() for line in lines[-3:]] == [
        "pip install --editable 'my place[test]'",
        "pvd plugins check loss.hinge",
        "pvd run --loss hinge",
    ]
    lines = invoke("loss,evaluator,source", "soft").output.splitlines()
    assert lines[0] == (
        "The package pvd-soft of loss.soft, evaluator.soft and source.soft is in pvd-soft:"
    )
    assert lines[-1].strip() == (
        'pvd run --loss soft -o \'evaluators=["mpr", "soft"]\' '
        "--catalog soft:FOLDER --personas soft:FOLDER"
    )


@pytest.mark.parametrize("git", [False, True])
def test_an_empty_folder_is_filled(tmp_path: Path, git: bool) -> None:
    if git:  # as `git init` leaves it
        (tmp_path / ".git").mkdir()
    assert scaffolding.new(["loss"], "hinge", tmp_path).folder == tmp_path
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


# --- a package that is there already ------------------------------------------------------------


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("begun", "kinds", "name", "entries", "written"),
    [
        (
            "loss", "sampler,source", "hinge",
            {"sampler.hinge": "pvd_hinge_sampler", "source.hinge": "pvd_hinge_source"},
            ["pvd_hinge_sampler.py", "tests/test_hinge_sampler.py",
             "pvd_hinge_source.py", "tests/test_hinge_source.py"],
        ),
        (
            "loss,teacher", "sampler", "hinge",
            {"sampler.hinge": "pvd_hinge.sampler"},
            ["pvd_hinge/sampler.py", "tests/test_sampler.py"],
        ),
        (  # another of a kind that is there
            "loss,teacher", "loss", "very-soft",
            {"loss.very-soft": "pvd_hinge.very_soft_loss"},
            ["pvd_hinge/very_soft_loss.py", "tests/test_very_soft_loss.py"],
        ),
    ],
)  # fmt: skip
def test_a_package_gets_another_kind_and_nothing_in_it_is_changed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begun: str,
    kinds: str,
    name: str,
    entries: dict[str, str],
    written: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("pvd-hinge")
    assert invoke(begun, "hinge").exit_code == 0
    before = contents(folder)
    result = invoke(kinds, name, "--to", "pvd-hinge")
    assert result.exit_code == 0, result.output
    lines = [f'  "{full}" = "{module}"' for full, module in entries.items()]
    heading = "Add to pvd-hinge/pyproject.toml, below [project.entry-points.pvd]:"
    steps = [f"  - run: pvd plugins check {full}" for full in entries]
    below = (
        "Add to pvd-hinge/.github/workflows/check.yml, below its steps that run pvd plugins check:"
    )
    told = "\n".join([*lines, below, *steps, "Next"])
    assert result.output.split(heading + "\n")[1].startswith(told)
    after = contents(folder)
    assert before.items() <= after.items()
    assert {str(path.relative_to(folder)) for path in after.keys() - before.keys()} == set(written)


def project(folder: Path, entries: str, more: str = "", *modules: str) -> Path:
    """Somebody's package: its entry points, other tables of its pyproject.toml, and its modules."""
    for module in modules:
        (folder / module).parent.mkdir(parents=True, exist_ok=True)
        (folder / module).touch()
    declared = f'[project]\nname = "f"\nentry-points.pvd = {{{entries}}}\n{more}'
    (folder / "pyproject.toml").write_text(declared)
    return folder


@pytest.mark.parametrize(
    ("entries", "modules", "module", "file"),
    [
        (  # a module of a package inside another: beside it, where its relative imports lead
            '"loss.thorn" = "florist.deep.thorn"', ["src/florist/deep/thorn.py"],
            "florist.deep.sampler", "src/florist/deep/sampler.py",
        ),
        (  # a plug-in that is a package itself
            '"loss.thorn" = "florist.deep.thorn"', ["florist/deep/thorn/__init__.py"],
            "florist.deep.sampler", "florist/deep/sampler.py",
        ),
        (  # several places: that of its kind
            '"loss.thorn" = "florist.losses.thorn", "sampler.by-lot" = "florist.draws.lot:x"',
            ["florist/losses/thorn.py", "florist/draws/lot.py"],
            "florist.draws.sampler", "florist/draws/sampler.py",
        ),
        (
            '"loss.thorn" = "florist"', ["florist/__init__.py"],
            "florist.sampler", "florist/sampler.py",
        ),
        (
            '"loss.thorn" = "florist"', ["src/florist.py"],
            "florist_sampler", "src/florist_sampler.py",
        ),
    ],
)  # fmt: skip
def test_where_an_author_put_the_modules_new_ones_go(
    tmp_path: Path, entries: str, modules: list[str], module: str, file: str
) -> None:
    package = scaffolding.new(["sampler"], "rose", project(tmp_path, entries, "", *modules))
    assert package.additions[0].lines == (f'"sampler.rose" = "{module}"',)
    assert package.files[0] == file
    assert (tmp_path / file).is_file()


HATCH = "[tool.hatch.build.targets.wheel]\n"


@pytest.mark.parametrize(
    ("file", "table", "told"),
    [
        ("florist.py", HATCH + 'include = ["/florist.py"]', '"/florist_sampler.py",'),
        ("florist.py", HATCH + 'include = ["/florist*.py"]', ""),
        ("florist.py", HATCH + 'only-include = ["florist.py"]', '"/florist_sampler.py",'),
        ("florist.py", '[tool.setuptools]\npy-modules = ["florist"]', '"florist_sampler",'),
        ("florist.py", "", '"/florist_sampler.py",'),
        ("florist/__init__.py", HATCH + 'packages = ["florist"]', ""),
        ("florist/__init__.py", HATCH + 'include = ["/florist/a.py"]', '"/florist/sampler.py",'),
        ("florist/__init__.py", HATCH + 'include = ["florist"]', ""),
        ("florist/__init__.py", "[tool.setuptools]", ""),
    ],
)  # fmt: skip
def test_its_author_is_told_what_the_wheel_lacks(
    tmp_path: Path, file: str, table: str, told: str
) -> None:
    folder = project(tmp_path, '"loss.thorn" = "florist"', table, file)
    _, *others = scaffolding.new(["sampler"], "rose", folder).additions
    assert [addition.lines for addition in others] == ([(told,)] if told else [])
    if told:
        assert others[0].file == "pyproject.toml"
        assert ("py-modules" in others[0].where) == ("setuptools" in table)


def test_a_workflow_that_checks_no_plugins_is_left_alone(tmp_path: Path) -> None:
    folder = project(tmp_path, '"loss.thorn" = "florist"', "", "florist/__init__.py")
    workflow = folder / ".github/workflows/lint.yaml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("on: push\njobs: {}\n")
    assert len(scaffolding.new(["sampler"], "rose", folder).additions) == 1
    workflow.write_text("steps:\n  - run: pvd plugins check loss.thorn\n")
    _, steps = scaffolding.new(["source"], "rose", folder).additions
    assert steps.file == ".github/workflows/lint.yaml"
    assert steps.lines == ("- run: pvd plugins check source.rose",)


@pytest.mark.parametrize(
    ("project", "said"),
    [
        ('{"loss.hinge" = "gone"}', "has no module 'gone'"),
        ('{"loss.hinge" = "here", "sampler.hinge" = "here"}', "has sampler.hinge already"),
        ('{"loss.hinge" = "full"}', "full_hinge_sampler.py or "),
        ('{"loss.hinge" = ""}', "has loss.hinge = '' below"),
        ('{"loss.hinge" = "."}', "which is no module"),
        ('{"loss.hinge" = ":x"}', "which is no module"),
        ('{"loss.hinge" = "../up"}', "which is no module"),
        # No package of plug-ins.
        ("{}", "is not empty"),
        ("3", "is not empty"),
        # Nobody knows whether it is one.
        (
            '{"loss.hinge" = ]}',
            "pyproject.toml cannot be read as TOML: Invalid value (at line 4, column 23).",
        ),
        (
            "{}\n[project]",
            "pyproject.toml cannot be read as TOML: Cannot declare ('project',) twice",
        ),
    ],
)
def test_a_package_that_cannot_get_another(tmp_path: Path, project: str, said: str) -> None:
    for file in ("here.py", "full.py", "full_sampler.py", "full_hinge_sampler.py"):
        (tmp_path / file).touch()
    declared = f'[project]\nname = "mine"\n[project.entry-points]\npvd = {project}'
    (tmp_path / "pyproject.toml").write_text(declared)
    before = contents(tmp_path)
    result = invoke("sampler", "hinge", "--to", str(tmp_path))
    assert result.exit_code == BadInput.exit_code, result.output
    assert said in result.output
    assert len(result.output.splitlines()) == 1
    assert contents(tmp_path) == before


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "error", "said"),
    [
        ("los", "hinge", UnknownName, "There is no kind 'los'; did you mean 'loss'?"),
        ("loss,los", "hinge", UnknownName, "There is no kind 'los'; did you mean 'loss'?"),
        ("loss,", "hinge", UnknownName, "There is no kind ''."),
        ("loss,teacher,loss", "hinge", BadInput, "The kind loss is named twice"),
        ("teacher,loss", "bradley-terry", BadInput, "The name loss.bradley-terry is taken"),
        ("loss,teacher", "distill", BadInput, "of loss.distill and teacher.distill would be"),
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
        scaffolding.new(kind.split(","), name, tmp_path / "new")
    assert said in str(caught.value)
    assert not (tmp_path / "new").exists()


def full(folder: Path) -> None:
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")


@pytest.mark.parametrize(
    ("setup", "to", "said"),
    [
        (full, "there", "there is not empty, and no package of plug-ins"),
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


@pytest.mark.parametrize("kinds", ["loss", "loss,teacher"])
@pytest.mark.parametrize("there", [False, True])
def test_without_room_nothing_is_left_and_the_same_command_works_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool, kinds: str
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
    assert invoke(kinds, "hinge", "--to", str(folder)).exit_code == BadInput.exit_code
    assert list(tmp_path.rglob("*")) == [folder] * there
    monkeypatch.setattr(scaffolding, "write_bytes", real)
    result = invoke(kinds, "hinge", "--to", str(folder))
    assert result.exit_code == 0, result.output

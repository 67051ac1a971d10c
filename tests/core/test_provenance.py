"""Which package or file each plug-in of a run is from, and what a student needs to be opened."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from importlib import invalidate_caches
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from strangers import component, installed

import pvd
from pvd import contents, provenance
from pvd.cli import main
from pvd.discovery import Registry, registry
from pvd.errors import MissingPrerequisite, UnknownName
from pvd.folder import read_json, write_json
from pvd.progress import Progress
from pvd.publishing.exporting import export

Tables = dict[str, Any]
SKETCH = component("student", "sketch", "")


class Told(Progress):
    """What is said, in lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on Python's path, for distributions of this test alone."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    known = set(sys.modules)
    forget(monkeypatch)
    yield site
    for module in {m for m in sys.modules if m.startswith("pvd_darkroom")} - known:
        del sys.modules[module]


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process: what is installed is looked up again."""
    invalidate_caches()
    monkeypatch.setattr(registry, "__dict__", Registry().__dict__)


def removed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(place)
    place.mkdir()
    sys.modules.pop("pvd_darkroom", None)
    forget(monkeypatch)


@pytest.fixture
def run(place: Path, small: Tables, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pvd.Run:
    """A run whose student is of a stranger's distribution."""
    forget(monkeypatch)
    installed(place, "pvd-darkroom", SKETCH, "student.sketch", version="0.1.0")
    train = small["train"] | {"rounds": 1}
    return pvd.run(out=tmp_path / "run", **small | {"student": "sketch", "train": train})


def test_the_run_says_where_each_plugin_is_from(run: pvd.Run) -> None:
    plugins = read_json(run.folder / "environment.json")["plugins"]
    ours = f"pvd-distill {version('pvd-distill')}"
    assert plugins.pop("student.sketch") == "pvd-darkroom 0.1.0"
    assert plugins["teacher.simulated"] == plugins["source.boutique"] == ours
    assert set(plugins.values()) == {ours}
    named = {f"{kind}.{run.settings[kind]['use']}" for kind in ("sampler", "loss", "teacher")}
    assert named <= plugins.keys()
    about = read_json(run.folder / "student/pvd.json")
    assert about["student"] == "student.sketch"
    assert (about["distribution"], about["version"]) == ("pvd-darkroom", "0.1.0")
    assert about["pvd"] == pvd.__version__


def test_the_card_says_what_must_be_installed(run: pvd.Run, tmp_path: Path) -> None:
    out = pvd.export(run.folder, tmp_path / "out")
    text = (out / "README.md").read_text()
    assert "which has to be installed beside `pvd-distill`: `pip install pvd-darkroom`" in text
    assert "what the student sketch of pvd-darkroom 0.1.0 begins with" in text
    assert read_json(out / "pvd.json")["distribution"] == "pvd-darkroom"


def test_a_bundled_student_needs_pvd_alone(small: Tables, tmp_path: Path) -> None:
    run = pvd.run(out=tmp_path / "run", **small | {"student": "tiny"})
    text = (pvd.export(run.folder, tmp_path / "out") / "README.md").read_text()
    assert "beside `pvd-distill`" not in text
    about = read_json(run.folder / "student/pvd.json")
    assert (about["distribution"], about["version"]) == ("pvd-distill", version("pvd-distill"))


def test_a_student_that_is_not_installed_is_named_with_its_package(
    run: pvd.Run, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = run.folder / "student"
    out = pvd.export(run.folder, tmp_path / "out")
    removed(place, monkeypatch)
    said = "student.sketch of pvd-darkroom 0.1.0, which is not installed; pip install pvd-darkroom."
    for opened in (folder, out):
        with pytest.raises(MissingPrerequisite) as caught:
            pvd.open_student(opened)
        assert str(caught.value) == f"The student in {opened} is {said}"
    with pytest.raises(MissingPrerequisite, match="pip install pvd-darkroom"):
        pvd.export(run.folder, tmp_path / "out")

    # Another version, which has given the name up.
    other = component("student", "etching", "")
    installed(place, "pvd-darkroom", other, "student.etching", version="2.0")
    forget(monkeypatch)
    with pytest.raises(
        MissingPrerequisite,
        match=r"of pvd-darkroom 0\.1\.0, and pvd-darkroom 2\.0 has none; "
        r"pip install pvd-darkroom==0\.1\.0\.",
    ):
        pvd.open_student(out)

    # The one that it was trained with.
    removed(place, monkeypatch)
    installed(place, "pvd-darkroom", SKETCH, "student.sketch", version="0.1.0")
    forget(monkeypatch)
    assert pvd.open_student(out).embed_texts(["a gift"]).shape[0] == 1


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--out", "run", "-o", "evaluators=['mpr', 'standout']"],
        ["run", "--out", "run", "--config", "run/run.toml"],
        ["evaluate", "run"],
        ["label", "run"],
        "from Python",
        "to mix",
    ],
    ids=str,
)
def test_a_run_names_what_is_not_installed_any_more(
    words: Any, place: Path, small: Tables, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    standout = component("evaluator", "standout", "")
    installed(place, "pvd-darkroom", standout, "evaluator.standout", version="0.1.0")
    forget(monkeypatch)
    small |= {"train": small["train"] | {"rounds": 1}, "student": "tiny"}
    small |= {"evaluators": ["mpr", "standout"]}
    pvd.run(out="run", **small)
    removed(place, monkeypatch)
    told = (
        "The run in run was begun with evaluator.standout of pvd-darkroom 0.1.0, which is not "
        "installed; pip install pvd-darkroom."
    )
    if words == "from Python":
        with pytest.raises(MissingPrerequisite) as caught:
            pvd.run(out="run", **small)
        assert str(caught.value) == told
        with pytest.raises(UnknownName, match="There is no evaluator 'standout'"):
            pvd.run(out="another", **small)
    elif words == "to mix":
        said = Told()
        assert export(Path("run"), tmp_path / "out", interpolate=0.5, progress=said).mixed is None
        assert any(told in line for line in said.lines), said.lines
    else:
        result = CliRunner().invoke(main, words)
        assert (result.exit_code, result.stderr) == (3, f"Error: {told}\n")
        Path("run/environment.json").write_text("damaged")  # then nobody knows
        assert "There is no evaluator 'standout'" in CliRunner().invoke(main, words).stderr


def test_a_run_names_the_file_that_is_not_loaded(
    small: Tables, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pvd.run(out=tmp_path / "run", **small)
    forget(monkeypatch)
    with pytest.raises(
        MissingPrerequisite,
        match=r"begun with student\.colours of the plug-in file /.*own_student\.py, which is not",
    ):
        pvd.run(out=tmp_path / "run", **small)


def test_a_student_of_a_file_names_the_file_and_no_place(
    small: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pvd.run(out=tmp_path / "run", **small)
    file, digest = registry.file_of(run.student) or ("", "")
    assert contents.digest(Path(file)) == digest
    plugins = read_json(run.folder / "environment.json")["plugins"]
    assert plugins["student.colours"] == f"{file}, SHA-256 {digest}"
    about = read_json(run.folder / "student/pvd.json")
    assert (about["file"], about["sha256"]) == (Path(file).name, digest)
    out = pvd.export(run.folder, tmp_path / "out")
    text = (out / "README.md").read_text()
    assert "what the student colours of the file own\\_student.py begins with" in text
    assert str(Path(file).parent) not in text + (out / "pvd.json").read_text()
    forget(monkeypatch)
    with pytest.raises(MissingPrerequisite, match=r"file own_student\.py, which is not loaded"):
        pvd.open_student(out)
    assert pvd.Run.open(run.folder).student.label == "colours"  # loads the file


def test_an_old_pvd_json_still_opens_its_student(
    run: pvd.Run, place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = run.folder / "student/pvd.json"
    about = read_json(file)
    old = {k: about[k] for k in ("student", "options")} | {"version": about["pvd"]}
    write_json(file, old)
    assert pvd.open_student(file.parent).label == "sketch"
    card = (pvd.export(run.folder, tmp_path / "out") / "README.md").read_text()
    assert "what the student sketch of pvd-darkroom 0.1.0 begins with" in card
    removed(place, monkeypatch)
    with pytest.raises(UnknownName, match="There is no student 'sketch'"):
        pvd.open_student(file.parent)


@pytest.mark.parametrize(
    "told",
    [
        {"distribution": "evil; rm -rf ~", "version": "1"},
        {"distribution": "--index-url=evil", "version": "1"},
        {"distribution": "evil\x1b[2J", "version": "1"},
        {"distribution": "evil", "version": "1\nsecond line"},
        {"distribution": ["evil"], "version": 1},
        {"file": "../evil.py"},
        {"file": "evil\x1b.py"},
    ],
    ids=lambda told: json.dumps(told),
)
def test_what_no_package_is_called_is_not_told_on(told: Tables) -> None:
    assert provenance.recorded(told) == {}
    provenance.check_there({"student": "student.nobody"} | told, "here")


def test_a_class_of_a_program_is_of_no_package(run: pvd.Run) -> None:
    class Own(type(run.student)):  # type: ignore[misc]
        pass

    assert provenance.of(Own()) == {}

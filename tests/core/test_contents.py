"""What is in a file that an option names is part of the question, and of the run."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

import pvd
from pvd import catalog, contents, identity
from pvd.auditing.questions import Design
from pvd.auditing.running import task
from pvd.auditing.teachers import Member
from pvd.cli import main
from pvd.comparing.design import make
from pvd.discovery import Registry, registry
from pvd.errors import BadInput
from pvd.folder import read_json
from pvd.pipeline import default_folder
from pvd.schemas.settings import run_schema
from pvd.settings import recipe, resolve
from pvd.testing import slate

Tables = dict[str, Any]

LISTED = """
from dataclasses import dataclass
from pathlib import Path
import json, pvd

@dataclass(kw_only=True)
class Listed(pvd.Teacher):
    words: Path | None = None
    more: tuple[Path, ...] = ()
    port: Path | None = None

    def table(self):
        return json.loads(self.words.read_text())

    def utilities(self, persona, items):
        return [self.table()[item.attributes["colour"]] for item in items]

    def rank(self, slates):
        return [pvd.Ranking.from_utilities(self.utilities(s.persona, s.items)) for s in slates]

@pvd.hookimpl
def register_teachers(register):
    register("listed", Listed)
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "__dict__", Registry().__dict__)
    (tmp_path / "listed.py").write_text(LISTED)
    registry.load_file(tmp_path / "listed.py")
    return tmp_path / "listed.py"


def made(**options: Any) -> pvd.Teacher:
    return pvd.load("teacher", "listed", **options)


@pytest.fixture
def words(plugin: Path, small: Tables) -> Path:
    """The utility of each colour of the shop."""
    colours = sorted({item.attributes["colour"] for item in shop(small)})
    assert len(colours) > 3
    file = plugin.with_name("words.json")
    file.write_text(json.dumps({colour: float(n) for n, colour in enumerate(colours)}))
    return file


def shop(small: Tables) -> list[pvd.Item]:
    return list(catalog.read(resolve(recipe("default"), small).catalog))


def turn(file: Path) -> None:
    """Every number's sign, so that what was best is worst."""
    table = json.loads(file.read_text())
    file.write_text(json.dumps({colour: -number for colour, number in table.items()}))


# --- the question -------------------------------------------------------------------------------


def test_a_question_is_about_what_is_in_the_file(words: Path) -> None:
    before = made(words=words).request(slate())
    assert made(words=words).request(slate()).digest == before.digest
    turn(words)
    after = made(words=words).request(slate())
    assert after.digest != before.digest
    turn(words)  # restored: asked and answered before
    assert made(words=words).request(slate()).digest == before.digest
    json.dumps(after.body)


def test_a_file_of_the_same_size_and_time_is_another_file(words: Path) -> None:
    seen, before = words.stat(), contents.digest(words)
    text = words.read_text()
    words.write_text(text[::-1])
    os.utime(words, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert words.stat().st_size == seen.st_size
    assert contents.digest(words) != before


def test_lists_of_files_count_and_folders_do_not(words: Path, tmp_path: Path) -> None:
    plain = made().request(slate())
    assert "files" not in plain.body
    listed = made(more=[words, tmp_path, tmp_path / "nothing"]).request(slate())
    assert listed.body["files"] == {"more.0": contents.digest(words)}
    assert listed.body["options"]["more"] == [
        str(p) for p in (words, tmp_path, tmp_path / "nothing")
    ]


def test_a_file_that_changes_while_the_teacher_is_asked_ends_it(words: Path) -> None:
    teacher = made(words=words)
    teacher.request(slate())
    os.utime(words)  # nothing in it changed
    teacher.request(slate())
    turn(words)
    with pytest.raises(BadInput, match=r"The file .*words\.json changed while .* listed was asked"):
        teacher.request(slate())
    words.unlink()
    with pytest.raises(BadInput, match=r"words\.json changed while the teacher listed was asked"):
        teacher.request(slate())


# --- the run ------------------------------------------------------------------------------------


def tables(small: Tables, words: Path) -> Tables:
    small["train"] |= {"rounds": 1}
    return small | {"teacher": {"use": "listed", "words": str(words)}}


def test_a_changed_file_is_another_run_with_questions_of_its_own(
    words: Path, small: Tables, tmp_path: Path
) -> None:
    given = tables(small, words)
    name = default_folder(resolve(recipe("default"), given))
    first = pvd.run(out=tmp_path / "one", **given)
    winners, bytes_ = first.winners, (first.folder / "metrics.json").read_bytes()
    turn(words)
    with pytest.raises(
        BadInput, match=r"was begun before .*words\.json \(teacher\.words\) changed"
    ):
        pvd.run(out=first.folder, **given)
    (first.folder / "metrics.json").rename(tmp_path / "kept.json")  # nor does a run go on
    with pytest.raises(BadInput, match="restore it, use another folder, or start over"):
        pvd.run(out=first.folder, **given)
    assert default_folder(resolve(recipe("default"), given)) != name

    second = pvd.run(out=tmp_path / "two", **given)
    used = read_json(second.folder / "usage.json")
    assert used["calls"]
    assert not used["cached"]
    assert second.winners != winners

    turn(words)
    again = pvd.run(out=first.folder, **given)
    assert (again.folder / "metrics.json").read_bytes() == bytes_
    words.unlink()
    with pytest.raises(BadInput, match=r"was begun before .*words\.json .* was removed"):
        pvd.run(out=first.folder, **given)


def test_run_toml_says_what_was_in_the_file(
    words: Path, plugin: Path, small: Tables, tmp_path: Path
) -> None:
    given = tables(small, words)
    settings = resolve(recipe("default"), given)
    run = pvd.run(out=tmp_path / "run", **given)
    record = tomllib.loads((run.folder / "run.toml").read_text())
    digest = contents.digest(words)
    assert record["files"] == {"teacher.words": digest, "judge.words": digest}
    jsonschema.validate(record, run_schema().schema)
    assert "files" not in run.settings
    again = pvd.run(out=tmp_path / "again", **run.settings)
    assert (again.folder / "metrics.json").read_bytes() == (
        run.folder / "metrics.json"
    ).read_bytes()

    plain = tomllib.loads(identity.toml_of(resolve(recipe("default"), small)))
    assert "files" not in plain  # a run that reads none is recorded as ever

    turn(words)
    words_ = ["run", "--config", str(run.folder / "run.toml"), "--out", str(tmp_path / "new")]
    found = CliRunner().invoke(main, words_)
    assert found.exit_code == 5
    assert f"The file {words} of teacher.words changed since " in found.stderr
    found = CliRunner().invoke(main, ["evaluate", str(run.folder)])
    assert found.exit_code == 5
    assert f"was begun before {words} (teacher.words) changed; restore it" in found.stderr
    assert not identity.changed(settings, run.folder, ("teacher.", "judge."))
    # What is finished is still opened, shown and given away; only what would ask it again is not.
    assert pvd.Run.open(run.folder).student.embed_texts(["a gift"]).shape[0] == 1
    pvd.export(run.folder, tmp_path / "out")
    pvd.export(run.folder, tmp_path / "mixed", interpolate=0.5)
    assert "**The mixture itself was not measured.**" in (tmp_path / "mixed/README.md").read_text()


def test_how_a_teacher_asks_is_no_part_of_the_run(words: Path, small: Tables) -> None:
    given = small | {"teacher": {"use": "listed", "port": str(words)}}
    assert resolve(recipe("default"), given).contents() == {}


def test_an_audit_is_about_what_is_in_the_file(words: Path, small: Tables) -> None:
    settings = resolve(recipe("default"), tables(small, words))

    def folder() -> Path:
        teacher = made(words=words)
        return task(settings, [Member("listed", teacher)], Design(), None).folder

    before = folder()
    assert folder() == before
    turn(words)
    assert folder() != before


def test_a_comparison_is_about_what_is_in_the_file(words: Path, small: Tables) -> None:
    def digest() -> str:
        given = [recipe("default"), tables(small, words)]
        return make(given, {"train.rounds": [1, 2]}, seeds=1).digest()

    before = digest()
    assert digest() == before
    turn(words)
    assert digest() != before

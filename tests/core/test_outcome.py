"""A run in its folder: what `pvd.run` returned is found again, and what is gone is said."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import pvd
import pvd.pipeline
import pvd.testing
from pvd.cli import main
from pvd.errors import BadInput, MissingFile
from pvd.progress import Silent
from pvd.settings import recipe, resolve

Tables = dict[str, Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("finished") / "run"


@pytest.fixture
def done(small: Tables, place: Path, tmp_path: Path) -> pvd.Run:
    """A run that is made once, as every test finds it in a folder of its own."""
    pvd.run(out=place, seed=7, **small)
    shutil.copytree(place, tmp_path / "run")
    return pvd.Run.open(tmp_path / "run")


@pytest.fixture
def own(small: Tables, tmp_path: Path) -> Tables:
    """The small run on a shop and people of its own, as files that can go away."""
    (tmp_path / "images").mkdir()
    rows = ["id,image,title,colour,size"]
    for item in pvd.testing.items(100):
        (tmp_path / "images" / f"{item.id}.png").write_bytes(item.read())
        colour = item.attributes["colour"]
        rows.append(f"{item.id},images/{item.id}.png,A thing in {colour},{colour},large")
    (tmp_path / "shop.csv").write_text("\n".join(rows) + "\n")
    people = [{"id": p.id, "text": p.text, **p.attributes} for p in pvd.testing.personas(60)]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in people))
    return small | {
        "catalog": {"use": "table", "path": str(tmp_path / "shop.csv")},
        "personas": {"use": "table", "path": str(tmp_path / "people.jsonl")},
    }


def test_a_run_is_found_again_in_its_folder(small: Tables, tmp_path: Path) -> None:
    made = pvd.run(out=tmp_path / "run", **small)
    found = pvd.Run.open(str(tmp_path / "run"))
    assert type(made) is type(found) is pvd.Run
    assert found.finished
    assert found.metrics == made.metrics == json.loads((made.folder / "metrics.json").read_text())
    assert [result.round for result in found.rounds] == [0, 1, 2, 3]
    assert found.usage["asked"] > 0
    assert found.report.read_text().startswith("<!DOCTYPE html>")
    assert found.student.embed_texts(["a gift"]).equal(made.student.embed_texts(["a gift"]))
    asked = {judgment.slate.persona.id for judgment in found.judgments("exam")}
    assert set(found.winners) == asked
    items = {item.id for judgment in found.judgments("exam") for item in judgment.slate.items}
    assert set(found.winners.values()) <= items


@pytest.mark.slow
def test_its_settings_repeat_it(done: pvd.Run, tmp_path: Path) -> None:
    again = pvd.run(out=tmp_path / "again", **done.settings)
    assert again.metrics == done.metrics
    assert again.settings == done.settings


def as_older_versions_wrote(run: Path) -> dict[str, Any]:
    """The run's record with the judge that nobody had set; and without it."""
    import tomli_w

    path = run / "run.toml"
    table = tomllib.loads(path.read_text())
    path.write_text(tomli_w.dumps(table | {"judge": table["teacher"]}))
    return table


def test_a_judge_that_nobody_set_is_not_in_the_record(
    done: pvd.Run, small: Tables, tmp_path: Path
) -> None:
    assert "judge" not in done.settings
    as_older_versions_wrote(done.folder)
    old = pvd.Run.open(done.folder)
    assert old.settings == done.settings, "nor in what a folder of an older version comes to"
    # The same run goes on there, and `--config` with another teacher has another judge.
    assert pvd.run(out=done.folder, seed=7, **small).metrics == done.metrics
    runner, file = CliRunner(), str(done.folder / "run.toml")
    words = ["run", "--config", file, "--teacher", "human", "--out", str(tmp_path / "b")]
    plan = runner.invoke(main, [*words, "--dry-run", "--json"])
    assert {part["teacher"] for part in json.loads(plan.stdout)["parts"]} == {"human"}
    # One that was set stays, and is said.
    plan = runner.invoke(main, [*words, "--judge", "simulated", "--dry-run"])
    said = "The judge is simulated, another than the teacher, human; --judge changes it."
    assert said in plan.stderr, plan.output
    # Also one of the same name with other options: another model, say.
    words[words.index("human")] = "simulated"
    plan = runner.invoke(main, [*words, "-o", "judge.noise=2", "--dry-run"])
    assert "The judge is simulated (noise=2), another than the teacher, simu" in plan.stderr


def test_the_table_has_every_number_with_its_interval(done: pvd.Run) -> None:
    exam = done.metrics["exam"]
    rows = {(row["system"], row["measure"]): row for row in done.table()}
    assert len(rows) == sum(map(len, exam["systems"].values()))
    row = rows["distilled", "mpr"]
    assert row["low"] <= row["value"] <= row["high"]
    assert (row["value"], row["chance"]) == (
        exam["systems"]["distilled"]["mpr"]["value"],
        exam["chance"]["mpr"],
    )


def test_judgments_come_back_as_they_were_made(own: Tables, tmp_path: Path) -> None:
    """Round by round, with items and personas of the catalogue and the raw replies of the store."""
    run = pvd.run(out=tmp_path / "run", **own)
    found = pvd.Run.open(run.folder)
    rounds = [list(found.judgments(round)) for round in (1, 2, 3)]
    assert [len(judgments) for judgments in rounds] == [30, 30, 30]
    assert [j for judgments in rounds for j in judgments] == list(found.judgments())
    for judgment in [*found.judgments(), *found.judgments("validation")]:
        assert judgment.slate.persona.text
        assert all(item.title.startswith("A thing in") for item in judgment.slate.items)
        assert judgment.slate.items[0].open().size
        # What the simulated teacher said, word for word, has these very utilities.
        assert judgment.ranking.utilities == tuple(json.loads(judgment.reply.text)["utilities"])
        assert (judgment.teacher, judgment.reply.model) == ("simulated", "simulated")
    with pytest.raises(MissingFile, match=r"rounds/004/judgments.jsonl: round 4 of this run was"):
        found.judgments(4)
    with pytest.raises(BadInput, match="A run has no 'test'; name a round"):
        found.judgments("test")


def test_when_the_catalogue_is_gone_ids_are_left(own: Tables, tmp_path: Path) -> None:
    folder = pvd.run(out=tmp_path / "run", **own).folder
    want = [
        (j.slate.persona.id, [item.id for item in j.slate.items], j.ranking)
        for j in pvd.Run.open(folder).judgments()
    ]
    (tmp_path / "people.jsonl").unlink()
    lines = (tmp_path / "shop.csv").read_text().splitlines(keepends=True)
    (tmp_path / "shop.csv").write_text("".join(lines[:2]))  # of all items the first one stays
    judgments = list(pvd.Run.open(folder).judgments())
    got = [(j.slate.persona.id, [i.id for i in j.slate.items], j.ranking) for j in judgments]
    assert got == want
    assert {judgment.slate.persona.text for judgment in judgments} == {""}
    items = {item.id: item for judgment in judgments for item in judgment.slate.items}
    gone = next(item for item in items.values() if item.id != "item-0000")
    with pytest.raises(MissingFile, match="the id alone is known: the catalogue has it no more"):
        gone.open()
    (folder / "run.toml").write_text("")
    gone = next(pvd.Run.open(folder).judgments()).slate.items[0]
    with pytest.raises(MissingFile, match=r"run\.toml names no catalog; restore the file"):
        gone.read()


def test_when_the_table_is_gone_ids_are_left(own: Tables, tmp_path: Path) -> None:
    folder = pvd.run(out=tmp_path / "run", **own).folder
    (tmp_path / "shop.csv").unlink()
    gone = next(pvd.Run.open(folder).judgments()).slate.items[0]
    with pytest.raises(MissingFile, match=r"the id alone is known: There is no .*shop\.csv"):
        gone.read()


def test_without_the_store_raw_replies_are_empty(
    small: Tables, tmp_path: Path, own_cache: Path
) -> None:
    run = pvd.run(out=tmp_path / "run", **small)
    assert all(judgment.reply.text for judgment in run.judgments())
    for file in own_cache.glob("answers.sqlite*"):
        file.unlink()
    again = list(pvd.Run.open(run.folder).judgments())
    assert len(again) == 90
    assert {judgment.reply.text for judgment in again} == {""}
    assert not list(own_cache.glob("answers.sqlite*"))  # looking makes no store


def test_a_run_that_is_under_way(small: Tables, tmp_path: Path) -> None:
    pvd.pipeline.label(resolve(recipe("default"), small), tmp_path / "run", Silent())
    run = pvd.Run.open(tmp_path / "run")
    assert not run.finished
    assert run.rounds == []
    assert len(list(run.judgments(1))) == 30
    assert "no result yet" in repr(run)
    assert "no result yet" in run._repr_html_()
    for read in (lambda: run.metrics, lambda: run.winners, run.table, lambda: run.student):
        with pytest.raises(
            MissingFile, match=r"no result in .* yet; give the same `pvd run` again"
        ):
            read()
    words = [
        ["report"],
        ["export", "--to", str(tmp_path / "a")],
        ["index", "--to", str(tmp_path / "b")],
    ]
    for command, *more in words:
        more += ["--catalog", "boutique"] * (command == "index")
        result = CliRunner().invoke(main, [command, str(run.folder), *more])
        assert result.exit_code == 4
        assert f"no result in {run.folder} yet; give the same `pvd run` again" in result.stderr
    (tmp_path / "run" / "rounds" / "001" / "done").touch()
    with pytest.raises(MissingFile, match=rf"; `pvd evaluate {run.folder}` examines what was"):
        run.metrics  # noqa: B018
    with pytest.raises(
        MissingFile, match=r"exam/test\.jsonl: the exam of this run was not asked yet"
    ):
        run.judgments("exam")


def test_a_folder_that_is_no_run(done: pvd.Run, tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"no run in nowhere; name the folder that `pvd run`"):
        pvd.Run.open("nowhere")
    with pytest.raises(MissingFile, match=rf"no run in .*student; open {done.folder}\."):
        pvd.Run.open(done.folder / "student")
    (tmp_path / "run.toml").write_text("seed = 1\n")  # settings alone are no run yet
    with pytest.raises(MissingFile, match=r"begin it with `pvd run --config .*run\.toml --out"):
        pvd.Run.open(tmp_path)


def test_a_damaged_student_is_one_sentence(done: pvd.Run) -> None:
    weights = done.folder / "student" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(BadInput, match=r"student in .* is damaged \("):
        _ = done.student
    weights.unlink()
    with pytest.raises(BadInput, match=r"student in .* is damaged \("):
        _ = pvd.Run.open(done.folder).student


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "is no JSON object; delete it, then give the same command again"),
        ("[]", "is no JSON object; delete it, then"),
        ("null", "is no JSON object; delete it, then"),
        ("{}", "says no schema; delete it, then"),
        ('{"schema": true}', "says no schema; delete it, then"),
        ('{"schema": 99}', r"was written by a newer pvd \(schema 99\); update pvd-distill"),
    ],
)
def test_numbers_that_are_none_are_one_sentence(done: pvd.Run, text: str, said: str) -> None:
    (done.folder / "metrics.json").write_text(text)
    with pytest.raises(BadInput, match=rf"metrics\.json {said}"):
        pvd.Run.open(done.folder)
    with pytest.raises(BadInput, match=rf"metrics\.json {said}"):
        pvd.export(done.folder, done.folder.parent / "export")
    with pytest.raises(BadInput, match=rf"metrics\.json {said}"):
        pvd.pipeline.make_report(done.folder)


@pytest.mark.parametrize("text", ["null", "5", "[]"])
def test_a_usage_that_is_none_is_one_sentence(done: pvd.Run, text: str) -> None:
    (done.folder / "usage.json").write_text(text)
    with pytest.raises(BadInput, match=r"usage\.json is no JSON object; delete it, then give"):
        _ = done.usage


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "is no JSON object; bring the student's files once more"),
        ("{}", "does not say which student it is of, with its options; bring"),
        ('{"student": "student.tiny"}', "does not say which student it is of"),
        ('{"student": 3, "options": {}}', "does not say which student it is of"),
    ],
)
def test_a_card_that_is_none_is_one_sentence(done: pvd.Run, text: str, said: str) -> None:
    (done.folder / "student" / "pvd.json").write_text(text)
    with pytest.raises(BadInput, match=rf"pvd\.json {said}"):
        _ = done.student
    with pytest.raises(BadInput, match=rf"pvd\.json {said}"):
        pvd.export(done.folder, done.folder.parent / "export")


def test_another_process_needs_the_folder_alone(done: pvd.Run) -> None:
    """The student comes from a file of `-p`, which run.toml names; until it is asked for, no torch
    is loaded."""
    code = """
import sys, pvd
run = pvd.Run.open(sys.argv[1])
print(len(run.table()) > 0, len(run.rounds), run.settings["seed"], "torch" in sys.modules)
shape = run.student.embed_texts(["a gift"]).shape
print(len(list(run.judgments())), *shape, "torch" in sys.modules)
"""
    words = [sys.executable, "-c", code, str(done.folder)]
    seen = subprocess.run(words, capture_output=True, text=True, check=True)
    assert seen.stdout.splitlines() == ["True 4 7 False", "90 1 64 True"]


def test_a_notebook_shows_a_table(done: pvd.Run, tmp_path: Path) -> None:
    run = pvd.Run.open(done.folder.rename(tmp_path / "a<b"))
    assert repr(run).startswith(f"<pvd.Run {run.folder}: 3 rounds, zero-shot MPR ")
    page = run._repr_html_()
    assert page.count("<tr>") == 1 + len(run.metrics["exam"]["systems"])
    assert "a&lt;b" in page
    assert "a<b" not in page

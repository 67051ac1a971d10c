"""`pvd init`: what it finds, what it asks, and that its file says what was meant, in every line."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from fcntl import ioctl
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from strangers import COLOURS

from pvd import options
from pvd.beginning import looking, writing
from pvd.beginning.proposing import about, simple
from pvd.cli import beginning, main
from pvd.discovery import KINDS, registry
from pvd.errors import PvdError, UsageError
from pvd.identity import configuration
from pvd.settings import Settings, recipe, resolve

LONG = 120.0  # seconds after which a test has hung
DATACLASS = "import dataclasses\n\n\n@dataclasses.dataclass(kw_only=True)\nclass "
BOUTIQUE = ["--catalog", "boutique", "--personas", "boutique"]


def init(*words: str) -> Result:
    return CliRunner().invoke(main, ["init", *words])


def read(path: Path) -> Settings:
    return resolve(recipe("default"), configuration(path))


def bare(text: str) -> str:
    """The text with every default as a setting."""
    return re.sub(r"(?m)^# (?=[a-z_]+ = |\[)", "", text)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of pictures and one of people, where the commands are given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    rows = ["id,image,colour"]
    for number, colour in enumerate(["red", "green", "blue", "yellow"] * 20):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"images/{number}.png")
        rows.append(f"{number},images/{number}.png,{colour}")
    (tmp_path / "shop.csv").write_text("\n".join(rows) + "\n")
    people = [{"id": f"p{n}", "text": f"Somebody at number {n}."} for n in range(60)]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in people))
    return tmp_path


# --- the file ---------------------------------------------------------------------------------

CASES: dict[str, list[str]] = {
    "as proposed": ["--teacher", "simulated", "--student", "tiny"],
    "another recipe": ["--teacher", "gemini", "--student", "clip", "--recipe", "paper"],
    "with limits": ["--teacher", "claude", "--student", "siglip", "--max-cost", "3", "--seed", "7",
                    "--device", "cuda", "--store", "answers.sqlite", "--batch"],
    "teachers inside teachers": [
        "--teacher", "ensemble", "--student", "tiny",
        "-o", 'teacher.members=["gemini", {use="consistent", of="claude", orders=3}]',
    ],
    "another judge": ["--teacher", "simulated", "--student", "tiny", "--judge", "human"],
    "lists and none": [
        "--teacher", "simulated", "--student", "tiny", "--observe", "jsonl",
        "-o", 'evaluators=["mpr", {use="hits", at=[1, 3]}]', "-o", "exam.personas=none",
        "-o", "train.learning_rate=1e-5", "-o", "streams.draw=4",
    ],
    "strange names": [
        "--teacher", "gemini", "--student", "clip",
        "-o", 'teacher.model="a \\"b\\" \\\\ # é\\u007f"',
    ],
}  # fmt: skip


@pytest.mark.parametrize("words", CASES.values(), ids=CASES)
def test_the_file_says_what_was_meant_with_defaults_as_comments_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = init(*BOUTIQUE, *words)
    assert result.exit_code == 0, result.output
    text = Path("run.toml").read_text()
    meant = read(Path("run.toml"))
    assert meant.teacher.label == words[1]
    Path("bare.toml").write_text(bare(text))
    assert len(configuration(Path("bare.toml"))["train"]) == len(
        options.describe(type(meant.train))
    )
    assert read(Path("bare.toml")).table() == meant.table()
    assert max(len(line) for line in text.splitlines() if line.startswith("#")) <= writing.WIDTH


def test_options_are_kept_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    init(*BOUTIQUE, *CASES["lists and none"])
    meant = read(Path("run.toml"))
    assert [type(one).__name__ for one in meant.evaluators] == ["MeanPercentileRank", "Hits"]
    assert meant.exam.personas is None
    assert (meant.train.learning_rate, meant.streams.draw) == (1e-5, 4)
    text = Path("run.toml").read_text()
    assert 'evaluators = ["mpr", {use = "hits", at = [1, 3]}]\n' in text
    assert re.search(r'(?m)^personas = "none" +# personas at most; all held-out', text)
    init("paper.toml", *BOUTIQUE, *CASES["another recipe"])
    assert read(Path("paper.toml")).table()["train"] == resolve(recipe("paper")).table()["train"]


def test_every_setting_stands_there_with_its_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    init(*BOUTIQUE, "--teacher", "gemini", "--student", "clip")
    text = Path("run.toml").read_text()
    words = " ".join(text.replace("\n# ", " ").split())
    settings = read(Path("run.toml"))
    owners: list[Any] = [settings]
    for name in ("train", "exam", "ask", "split", "streams"):
        owners.append(getattr(settings, name))
    for name in ("teacher", "student", "sampler", "loss", "catalog", "personas"):
        owners.append(getattr(settings, name))
    seen = 0
    for option in (option for owner in owners for option in options.describe(type(owner))):
        assert re.search(rf"(?m)^(# )?(\[{option.name}\]|{option.name} = )", text), option.name
        assert " ".join(option.help.split()) in words
        seen += 1
    assert seen > 70


def test_a_default_that_is_taken_out_of_its_comment_and_changed_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    init(*BOUTIQUE, "--teacher", "simulated", "--student", "tiny")
    path = Path("run.toml")
    text = path.read_text()
    assert "# rounds = 6 " in text
    path.write_text(
        text.replace("# rounds = 6 ", "rounds = 2 ").replace("# noise = 1.0", "noise = 3")
    )
    assert read(path).train.rounds == 2
    assert read(path).table()["teacher"]["noise"] == 3.0
    assert read(path).whole()["judge"]["noise"] == 3.0  # the teacher again


def test_a_run_goes_at_once(small_options: list[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    words = [*small_options, "-o", "train.rounds=1"]
    result = init(str(file), *BOUTIQUE, "--teacher", "simulated", "--student", "colours", *words)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"Next: pvd run --config {file} --dry-run"
    assert str(COLOURS) in configuration_text(file)
    assert "[judge]" not in [line for line in file.read_text().splitlines() if line[0:1] != "#"]
    runner = CliRunner()
    plan = runner.invoke(main, ["run", "--config", str(file), "--dry-run"])
    assert plan.exit_code == 0, plan.output
    out = tmp_path / "run"
    done = runner.invoke(main, ["run", "-q", "--config", str(file), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert (out / "report.html").exists()


def configuration_text(file: Path) -> str:
    return file.read_text().partition("[plugins]")[2].partition("[catalog]")[0]


def test_data_below_the_file_is_found_from_anywhere_and_after_a_move(
    shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    words = ["--teacher", "gemini", "--student", "clip", "--catalog", "shop.csv"]
    assert init(*words, "--personas", "people.jsonl").exit_code == 0
    assert 'path = "shop.csv"\n' in (shop / "run.toml").read_text()
    monkeypatch.chdir(elsewhere)
    assert read(shop / "run.toml").catalog.path == str(shop / "shop.csv")
    moved = shop.rename(elsewhere / "moved")
    assert read(moved / "run.toml").catalog.path == str(moved / "shop.csv")
    # Data that lies elsewhere is named in full.
    monkeypatch.chdir(moved)
    other = ["--personas", "people.jsonl", "sub/run.toml", *words]
    assert init(*other).exit_code == 0
    assert f'path = "{moved}/shop.csv"\n' in Path("sub/run.toml").read_text()


def test_nothing_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.toml"
    file.write_text("mine")
    result = init(str(tmp_path), "--yes")
    assert result.exit_code == 2
    assert "nothing is overwritten" in result.output
    assert file.read_text() == "mine"

    # Nor what appears while the questions are answered.
    late = tmp_path / "late.toml"

    def check(draft: Path) -> options.Table:
        late.write_text("theirs")
        return configuration(draft)

    monkeypatch.setattr(writing, "configuration", check)
    with pytest.raises(UsageError, match=r"late\.toml is there already"):
        writing.write(resolve(recipe("default")), late)
    assert late.read_text() == "theirs"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["late.toml", "run.toml"]


def test_a_file_that_would_say_something_else_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "text_of", lambda settings, path: "[train]\nrounds = 2\n")
    with pytest.raises(PvdError, match="something else than was meant"):
        writing.write(resolve(recipe("default")), tmp_path / "run.toml")
    assert not list(tmp_path.iterdir())


def test_the_schema_is_named_where_it_is(tmp_path: Path) -> None:
    words = [*BOUTIQUE, "--teacher", "simulated", "--student", "tiny"]
    init(str(tmp_path / "one.toml"), *words)
    assert not (tmp_path / "one.toml").read_text().startswith("#:schema")
    (tmp_path / writing.SCHEMA).write_text("{}")
    init(str(tmp_path / "two.toml"), *words)
    assert (tmp_path / "two.toml").read_text().startswith("#:schema ./run.schema.json\n")


# --- what is found ----------------------------------------------------------------------------


def test_what_lies_in_a_folder_is_told_apart(shop: Path) -> None:
    (shop / "README.txt").write_text("Read me.\n")
    (shop / "our customers.txt").write_text("Somebody who sails.\n")
    (shop / "sales.csv").write_text("day,amount\nMonday,3\n")
    (shop / "broken.jsonl").write_text("{\n")
    (shop / ".hidden").mkdir()
    (shop / ".hidden/a.png").write_bytes(b"")
    (shop / "notes").mkdir()
    (shop / "deep/inside").mkdir(parents=True)
    (shop / "deep/inside/b.jpg").write_bytes(b"")
    names = {role: [p.name for p in looking.files(shop, role)] for role in ("catalog", "personas")}
    assert names["catalog"] == ["shop.csv", "deep", "images"]
    assert names["personas"] == ["people.jsonl", "our customers.txt"]
    assert looking.files(shop / "images", "catalog") == [shop / "images"]
    (shop / "outer/data").mkdir(parents=True)
    (shop / "people.jsonl").rename(shop / "outer/data/people.jsonl")
    assert looking.files(shop / "outer", "personas") == [shop / "outer/data/people.jsonl"]
    assert looking.files(shop / "nowhere", "catalog") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("id;image\n1;images/1.png\n", "shop.csv has semicolons between its columns; save it"),
        ("1,images/1.png\n2,images/2.png\n", "shop.csv has no column 'id', only 1, images/1.png;"),
    ],
    ids=["semicolons", "no header"],
)
def test_why_a_table_was_passed_over_is_said(
    shop: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    (shop / "shop.csv").write_text(text)
    words = ["--yes", "--teacher", "human", "--student", "tiny"]
    pictures = init("one.toml", *words)  # which are there, and proposed
    assert f"--catalog: Passed over: {shop}/{why}" in pictures.stderr
    assert "people.jsonl" not in pictures.stderr
    for picture in (shop / "images").iterdir():
        picture.unlink()
    drawn = init("two.toml", *words, "--personas", "boutique")
    said = "None was found in .; boutique is made up, to try things out. Passed over: "
    assert f"{said}{shop}/{why}" in drawn.stderr
    monkeypatch.setattr(beginning, "_somebody_is_there", lambda: True)
    asked = CliRunner().invoke(main, ["init"], input="")
    assert why in " ".join(asked.stderr.split())


def test_a_newline_in_a_name_is_shown_in_one_line(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginning, "_somebody_is_there", lambda: True)
    (shop / "b\nc").mkdir()
    (shop / "people.jsonl").rename("b\nc/people\n.jsonl")
    (shop / "shop.csv").rename("b\nc/shop.csv")
    (shop / "images").rename("b\nc/images")
    words = ["init", "b\nc", "--teacher", "human", "--student", "tiny", "--device", "cpu"]
    result = CliRunner().invoke(main, words, input="\n\n")
    assert result.exit_code == 0, result.output
    assert "Catalogue [b\\nc/shop.csv]: " in result.stderr
    assert "Personas [b\\nc/people\\n.jsonl]: " in result.stderr
    assert "  b\\nc/people\\n.jsonl\n" in result.stderr
    assert result.stdout.startswith("Written: b\\nc/run.toml\n")


def test_a_huge_table_is_not_read_to_be_found(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LARGE", 1)
    monkeypatch.setattr(looking, "read", lambda role, table: pytest.fail("it was read"))
    assert looking.files(shop, "catalog")[:2] == [shop / "people.jsonl", shop / "shop.csv"]
    assert looking.files(shop, "personas") == []


def test_with_yes_what_is_found_is_taken(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setattr(looking, "lacking", lambda cls: "")
    result = init("--yes", "--max-cost", "4")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "Written: run.toml"
    assert "key" not in result.stdout
    settings = read(Path("run.toml"))
    assert settings.teacher.label == "gemini"
    assert settings.max_cost == 4.0
    assert Path(settings.catalog.path).name == "shop.csv"
    assert Path(settings.personas.path).name == "people.jsonl"
    assert type(settings.student).extra  # no student for drawings, for photographs
    assert "k" not in re.findall(r'"([^"]*)"', Path("run.toml").read_text())


def test_where_nothing_is_proposed_enter_is_told_so(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginning, "_somebody_is_there", lambda: True)
    words = ["init", "--student", "tiny", "--device", "cpu"]
    result = CliRunner().invoke(main, words, input="\n\n\nhuman\n")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stderr.split())
    why = "Choose one; none is proposed, since no key is in the environment. The teacher simulated"
    assert f"{why} needs `tastes` for each persona" in said
    assert "Teacher: Nothing is proposed here: type one." in said
    assert read(Path("run.toml")).teacher.label == "human"


@pytest.mark.parametrize("width", range(40, 101, 6))
def test_a_command_to_copy_stays_on_one_line(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    command = "pip install 'pvd-distill[hf]'"
    beginning._say(f"One with published weights needs a package that is missing: {command}.")
    lines = capsys.readouterr().err.splitlines()
    assert sum(command in line for line in lines) == 1
    assert max(map(len, lines)) <= width


def test_what_the_recipe_says_is_a_default_like_any_other(shop: Path) -> None:
    init("--yes", "--teacher", "human", "--student", "tiny")
    text = Path("run.toml").read_text()
    assert '\n# evaluators = ["mpr", "hits", "grades"]' in text
    assert [one.label for one in read(Path("run.toml")).evaluators] == ["mpr", "hits", "grades"]


def test_without_a_key_nobody_is_proposed_who_could_not_know(shop: Path) -> None:
    result = init("--yes")
    assert result.exit_code == 2
    assert "No teacher can be proposed here; add --teacher NAME." in result.output
    # But the simulated one, where the personas say what they like.
    rows = [json.loads(line) for line in Path("people.jsonl").read_text().splitlines()]
    likes = [row | {"tastes": {"colour=green": 1.5}} for row in rows]
    Path("people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in likes))
    assert init("--yes").exit_code == 0
    assert read(Path("run.toml")).teacher.label == recipe("default")["teacher"]["use"]


def test_with_nothing_there_it_is_the_drawn_shop_and_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "k")  # no reason to pay for drawings
    assert init("new", "--yes").exit_code == 0
    default = resolve(recipe("default"))
    made = read(Path("new/run.toml"))
    assert made.table() | {"device": "cpu"} == default.table()


def test_pictures_and_lines_of_text_are_enough(shop: Path) -> None:
    (shop / "shop.csv").unlink()
    (shop / "people.jsonl").unlink()
    (shop / "personas.txt").write_text("Somebody who sails.\nSomebody who does not.\n")
    assert init("--yes", "--teacher", "human").exit_code == 0
    table = configuration(Path("run.toml"))
    assert table["catalog"] == {"use": "folder", "path": "images"}
    assert table["personas"] == {"use": "lines", "path": "personas.txt"}


def test_what_is_missing_is_said(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package in ("transformers", "sentencepiece"):
            raise PackageNotFoundError(package)
        return "1"

    monkeypatch.setattr(looking, "version", version)
    result = init("--yes", "--teacher", "gemini", "--student", "siglip")
    assert result.exit_code == 0, result.output
    assert (
        "Before the run: siglip needs sentencepiece, transformers, which are not installed; "
        "type: pip install 'pvd-distill[hf]'\n"
        "Before the run: the key of gemini is read from GOOGLE_API_KEY or GEMINI_API_KEY, which "
        "is not set\n"
    ) in result.stdout


def test_students_that_work_here_are_proposed_first(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(name for name in simple("student") if registry.get("student", name).extra)
    monkeypatch.setattr(looking, "lacking", lambda cls: f"student.{first}" == cls.name and "much")
    assert init("--yes", "--teacher", "human").exit_code == 0
    proposed = read(Path("run.toml")).student
    assert proposed.label != first
    assert proposed.extra
    # And none whose packages are missing.
    monkeypatch.setattr(looking, "lacking", lambda cls: cls.extra and f"{cls.name} lacks much")
    result = init("two.toml", "--yes", "--teacher", "human")
    assert result.exit_code == 0, result.output
    assert read(Path("two.toml")).student.label == "tiny"
    assert f"with published weights: student.{first} lacks much." in result.stderr
    assert "Before the run" not in result.stdout


def test_a_plan_says_what_is_missing(
    small_options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "lacking", lambda cls: f"{cls.name} lacks much" * bool(cls.extra))
    words = ["run", "--dry-run", "--out", str(tmp_path / "run"), *small_options]
    result = CliRunner().invoke(main, [*words, "-o", "student=siglip"])
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines()[-1] == "Before the run: student.siglip lacks much"
    assert "lacks" not in CliRunner().invoke(main, [*words, "-o", "student=tiny"]).stderr


def test_a_device_of_another_machine_is_a_line_and_one_of_none_an_error(
    small_options: list[str], tmp_path: Path
) -> None:
    """A configuration may be written, and planned, where it does not run."""
    plan = ["run", "--dry-run", "--out", str(tmp_path / "run"), *small_options]
    for words in (plan, ["init", str(tmp_path / "new"), "--yes"]):
        nowhere = CliRunner().invoke(main, [*words, "--device", "tpu"])
        assert nowhere.exit_code == 5
        assert "'tpu' is no device" in nowhere.stderr
        there = CliRunner().invoke(main, [*words, "--device", "meta"])
        assert there.exit_code == 0, there.output
        assert "Before the run: There is no device 'meta' here" in there.output


def test_a_device_is_looked_for_before_anybody_is_asked(
    small_options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pvd.asking import Desk

    monkeypatch.setattr(Desk, "prepare", lambda *args: pytest.fail("a probe, which may be paid"))
    words = ["run", "--out", str(tmp_path / "run"), *small_options, "--device", "meta"]
    result = CliRunner().invoke(main, words)
    assert (result.exit_code, "There is no device 'meta' here" in result.stderr) == (3, True)


@pytest.mark.parametrize("kind", KINDS)
def test_extras_are_those_of_the_package(kind: str) -> None:
    extras = set(metadata("pvd-distill").get_all("Provides-Extra") or [])
    found = [registry.get(kind, name).extra for name in registry.names(kind)]
    assert set(found) - {""} <= extras
    if kind in ("teacher", "student"):
        assert any(found)
        assert all(about(kind, name) for name in simple(kind))


# --- without a terminal -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ([], "--catalog, --personas, --teacher, --student"),
        (["--teacher", "human", "--catalog", "shop.csv"], "--personas, --student"),
    ],
)
def test_who_cannot_be_asked_is_told_what_to_add(
    shop: Path, words: list[str], missing: str
) -> None:
    result = init(*words)
    assert result.exit_code == 2
    assert f"add {missing}, or --yes to take what is found." in result.output
    assert not Path("run.toml").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--teacher", "simulated"], 5, "needs `tastes` for each persona"),
        (["--teacher", "nobody"], 5, "There is no teacher 'nobody'"),
        (["--teacher", "openai-compatible"], 5, "add -o teacher.model=VALUE"),
        (["--teacher", "human", "--personas", "nowhere.txt"], 4, "no file or folder nowhere.txt"),
        (["--teacher", "human", "-o", "train.rounds=0"], 5, "train.rounds must be at least 1"),
        (["--teacher", "human", "--catalog", "people.jsonl"], 5, "has no column 'image'"),
        (["--teacher", "human", "--judge", "simulated"], 5, "needs `tastes` for each persona"),
        (["--teacher", "human", "--device", "tpu"], 5, "'tpu' is no device"),
        (["--teacher", "human", "--store", "images"], 5, "The store"),
    ],
)
def test_what_will_not_do_is_found_before_anything_is_written(
    shop: Path, words: list[str], code: int, said: str
) -> None:
    result = init("--yes", *words)
    assert result.exit_code == code, result.output
    assert said in result.output
    assert not list(shop.glob("*.toml"))
    assert not list(shop.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("place", "words", "said"),
    [
        (
            "a" * 300,
            ["--catalog", "shop.csv"],
            "cannot be written (File name too long); name another folder",
        ),
        ("new", ["--catalog", "g\udcffn"], "g\\udcff' has a letter that is not UTF-8"),
    ],
)
def test_what_cannot_be_a_file_is_one_sentence(
    shop: Path, place: str, words: list[str], said: str
) -> None:
    (shop / "images").rename("g\udcffn")
    result = init(place, "--yes", "--teacher", "human", "--personas", "people.jsonl", *words)
    assert result.exit_code == 5, result.output
    assert said in result.stderr.splitlines()[-1]
    assert not list(shop.rglob("*.toml"))
    assert not list(shop.rglob(".*.tmp"))


def test_what_is_not_ours_to_look_into_is_passed_over(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.stat

    def stat(path: Any, **more: Any) -> os.stat_result:
        if "closed" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path, **more)

    (shop / "closed").mkdir()
    (shop / "closed.csv").write_text("id\n")
    monkeypatch.setattr(os, "stat", stat)
    assert looking.files(shop, "catalog")[0] == shop / "shop.csv"


def test_a_drawn_shop_is_for_itself(shop: Path) -> None:
    """Its people do not fit anybody's items, nor its items anybody's people."""
    (shop / "people.jsonl").rename(shop.parent / "people.jsonl")
    words = ["my place", "--yes", "--teacher", "human"]
    result = init(*words, "--catalog", "shop.csv")
    assert result.exit_code == 2
    assert "No personas can be proposed here for your items; add --personas [SOURCE:]PATH." in (
        result.stderr
    )
    result = init(*words, "--personas", str(shop.parent / "people.jsonl"))
    assert result.exit_code == 2
    assert "No catalog can be proposed here; add --catalog [SOURCE:]PATH." in result.stderr
    result = init(*words)
    assert result.exit_code == 0, result.output
    assert result.stderr == (
        "--catalog: None was found in my place; boutique is made up, to try things out.\n"
    )
    assert result.stdout.endswith("Next: pvd run --config 'my place/run.toml' --dry-run\n")


ALBUM = """
from pathlib import Path

import pvd
from pvd.testing import items, personas


class Album(pvd.Source):
    \"\"\"An album of both.\"\"\"

    def catalog(self, path):
        return pvd.Catalog(tuple(items(60)))

    def personas(self, path):
        return personas(60)


class Half(pvd.Source):
    \"\"\"An album of items alone.\"\"\"

    def catalog(self, path):
        return pvd.Catalog(tuple(items(60)))


@pvd.hookimpl
def register_sources(register):
    register("album", Album)
    register("half", Half)
"""


@pytest.mark.parametrize("with_others", [False, True])
def test_a_source_that_brings_both_is_proposed_for_both(
    tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch, with_others: bool
) -> None:
    if not with_others:
        (shop / "people.jsonl").unlink()
    (shop / "album.py").write_text(ALBUM.replace("class ", DATACLASS))
    (shop / "album.txt").write_text("")
    monkeypatch.setattr(beginning, "_somebody_is_there", lambda: True)
    words = ["-p", "album.py", "--teacher", "human", "--student", "tiny", "--device", "cpu"]
    result = CliRunner().invoke(main, ["init", *words], input="album:album.txt\n\n")
    assert result.exit_code == 0, result.output
    assert "or SOURCE:PATH" in result.stderr
    catalogue, people = result.stderr.split("Personas: ")
    assert re.search(r"(?m)^  album:PATH  +An album of both\.$", catalogue)
    assert "half:PATH" in catalogue
    assert "lines:PATH" not in catalogue
    assert "half:PATH" not in people
    assert "lines:PATH" in people
    assert "Personas [album:album.txt]: " in people
    personas = read(Path("run.toml")).personas
    assert (personas.label, Path(personas.path).name) == ("album", "album.txt")


def test_a_source_of_items_alone_asks_for_personas(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop / "people.jsonl").rename(shop.parent / "people.jsonl")
    (shop / "album.py").write_text(ALBUM.replace("class ", DATACLASS))
    (shop / "album.txt").write_text("")
    monkeypatch.setattr(beginning, "_somebody_is_there", lambda: True)
    words = ["-p", "album.py", "--teacher", "human", "--student", "tiny", "--device", "cpu"]
    people = str(shop.parent / "people.jsonl")
    result = CliRunner().invoke(main, ["init", *words], input=f"half:album.txt\n\n{people}\n")
    assert result.exit_code == 0, result.output
    assert "boutique is made up, and does not fit data of your own" in result.stderr
    assert read(Path("run.toml")).personas.path == people


# --- at a terminal ----------------------------------------------------------------------------


class Terminal:
    """`pvd init` at a terminal of so many columns, answered as its questions come."""

    def __init__(self, columns: int, *words: str, **more: str) -> None:
        self.own, theirs = pty.openpty()
        ioctl(self.own, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pvd", "init", *words],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")} | more,
        )  # fmt: skip
        os.close(theirs)
        self.seen = ""

    def until(self, text: str) -> None:
        """Read on until this was shown, after what was answered last."""
        end = time.monotonic() + LONG
        start = len(self.seen)
        while text not in plain(self.seen[start:]):
            assert time.monotonic() < end, f"no {text!r} in {self.seen}"
            if select.select([self.own], [], [], 1.0)[0]:
                try:
                    self.seen += os.read(self.own, 65536).decode()
                except OSError:  # it ended
                    assert text in plain(self.seen[start:]), self.seen
                    return

    def answer(self, question: str, text: str) -> None:
        self.until(question)
        os.write(self.own, f"{text}\n".encode())

    def end(self, text: str) -> int:
        self.until(text)
        return self.process.wait(LONG)


def plain(text: str) -> str:
    """As it is read: without colours, and a line written over an empty one is one."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r\n", "\n").replace("\n\r", "\n")


@pytest.mark.slow
@pytest.mark.parametrize("columns", [50, 140])
def test_five_questions_are_asked_and_a_wrong_answer_again(shop: Path, columns: int) -> None:
    terminal = Terminal(columns, ANTHROPIC_API_KEY="k")
    terminal.answer("Catalogue [shop.csv]: ", "")
    terminal.answer("Personas [people.jsonl]: ", "nowhere.txt")
    terminal.answer("Personas [people.jsonl]: ", "")
    terminal.answer("Teacher [claude]: ", "simulated")  # which does not know these personas
    terminal.answer("Teacher [claude]: ", "openai-compatible")
    terminal.answer("teacher.model: ", "mine")
    terminal.answer("teacher.base_url: ", "nowhere")  # which is none
    terminal.answer("Teacher [claude]: ", "consistent")
    terminal.answer("teacher.of: ", "claude")
    terminal.answer("Student [", "tiny")
    terminal.answer("Dollars [5.0]: ", "$2.50")
    assert terminal.end("Next: pvd run --config run.toml --dry-run") == 0
    settings = read(Path("run.toml"))
    assert options.dump(settings.teacher)["of"]["use"] == "claude"
    assert (settings.student.label, settings.max_cost) == ("tiny", 2.5)
    shown = plain(terminal.seen)
    assert "80 items" in shown
    assert "missing from all 60" in " ".join(shown.split())
    assert "* claude" in shown
    assert max(map(len, shown.splitlines())) <= columns


def test_a_server_of_ones_own_is_asked_for(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginning, "_somebody_is_there", lambda: True)
    answers = "\n\nopenai-compatible\nmine\nhttp://localhost:8000/v1\ntiny\n"
    result = CliRunner().invoke(main, ["init", "--device", "cpu"], input=answers)
    assert result.exit_code == 0, result.output
    teacher = options.dump(read(Path("run.toml")).teacher)
    assert (teacher["model"], teacher["base_url"]) == ("mine", "http://localhost:8000/v1")


@pytest.mark.parametrize(
    ("answers", "device", "cost"),
    [
        ("\n\nsimulated\n\n\n", "cuda", None),  # which is proposed
        ("\n\nsimulated\n\nquantum\ncpu\n", "cpu", None),
        ("\n\nclaude\n\nnan\n-1\n3\n", "cuda", 3.0),
        ("\n\nclaude\n\n\n", "cuda", 5.0),  # it costs money: that is the question, not the device
    ],
)
def test_the_fifth_question_is_what_it_may_cost_or_where_it_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: str,
    device: str,
    cost: float | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(beginning, "_somebody_is_there", lambda: True)
    monkeypatch.setattr(looking, "devices", lambda: ["cuda", "cpu"])
    result = CliRunner().invoke(main, ["init"], input=answers)
    assert result.exit_code == 0, result.output
    settings = read(Path("run.toml"))
    assert (settings.device, settings.max_cost) == (device, cost)
    assert settings.catalog.label == recipe("default")["catalog"]["use"]
    assert "None was found in .;" in result.stderr
    assert result.stdout.startswith("Written: run.toml\n")


def test_home_is_known_as_a_shell_knows_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginning, "_somebody_is_there", lambda: True)
    monkeypatch.setenv("HOME", str(shop))
    answers = "~/shop.csv\n~/people.jsonl\nhuman\n\n"
    result = CliRunner().invoke(main, ["init", "new", "--device", "cpu"], input=answers)
    assert result.exit_code == 0, result.output
    assert configuration(Path("new/run.toml"))["catalog"]["path"] == str(shop / "shop.csv")


def test_what_an_option_gives_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(beginning, "_somebody_is_there", lambda: True)
    words = [*BOUTIQUE, "--teacher", "gemini", "--max-cost", "9", "--device", "cpu"]
    result = CliRunner().invoke(main, ["init", *words], input="tiny\n")
    assert result.exit_code == 0, result.output
    assert "Student" in result.stderr
    for word in ("Catalogue", "Personas", "Teacher", "Limit", "Device"):
        assert word not in result.stderr
    again = CliRunner().invoke(main, ["init", "b.toml", "--config", "run.toml", "--seed", "4"])
    assert again.exit_code == 0, again.output
    assert again.stderr == ""
    assert read(Path("b.toml")).table() == read(Path("run.toml")).table() | {"seed": 4}


def test_ctrl_c_leaves_nothing(shop: Path) -> None:
    terminal = Terminal(80)
    terminal.answer("Catalogue [shop.csv]: ", "")
    terminal.until("Personas [people.jsonl]: ")
    while terminal.process.poll() is None:  # what comes right before it reads, Python does not see
        terminal.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            terminal.process.wait(2.0)
    assert terminal.end("\nStopped; nothing was written") == 130, terminal.seen
    assert not list(shop.glob("*.toml"))

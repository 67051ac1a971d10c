"""Every row of docs/mistakes.md, through the command line: its exit code and its very words.

A case without a row, and a row without a case, fails: the page and the program cannot drift apart.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from strangers import component, installed

import pvd
from pvd.cli import main
from pvd.discovery import Registry, registry
from pvd.errors import BadInput, MissingFile, PvdError

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/mistakes.md"
COLOURS = ROOT / "examples/own_student.py"
NAMES = ("red", "green", "blue", "yellow")

# As small as can be: every mistake is to be found before, or soon.
SMALL = [
    "-p", str(COLOURS), "--student", "colours", "-o", "train.slates=12", "-o", "train.steps=2",
    "-o", "train.rounds=1", "-o", "exam.personas=3", "-o", "train.validation_slates=12",
]  # fmt: skip
RUN = ["run", "--out", "RUN", *SMALL]
BOUTIQUE = ["--catalog", "boutique", "--personas", "boutique",
            "-o", "catalog.size=80", "-o", "personas.people=60"]  # fmt: skip
SHOP, PEOPLE = ["--catalog", "shop.csv"], ["--personas", "people.jsonl"]

Setup = Callable[[], object]


# --- the files that the cases begin with ------------------------------------------------------


def picture(colour: str = "red", format: str = "PNG", **how: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, format, **how)
    return buffer.getvalue()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


PICTURES = {name: picture(name) for name in NAMES}
SIZE = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
BOMB = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", SIZE) + _chunk(b"IDAT", b"") + _chunk(b"IEND", b"")


def write(name: str, content: str | bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def shop(count: int = 60, line: Callable[[int, str], str] = lambda number, text: text) -> None:
    """A good table of pictures; `line` spoils some of its lines, counted as in the file."""
    rows = ["id,image,colour"]
    for number in range(count):
        colour = NAMES[number % 4]
        write(f"images/{number}.png", PICTURES[colour])
        rows.append(f"{number},images/{number}.png,{colour}")
    rows = [line(number, text) for number, text in enumerate(rows, 1)]
    write("shop.csv", "\n".join(rows) + "\n")


def people(tastes: Any = {"colour=green": 1.5}, count: int = 60) -> None:  # noqa: B006
    rows = [
        {"id": f"p{number}", "text": f"Somebody who lives at number {number}.", "tastes": tastes}
        for number in range(count)
    ]
    write("people.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def spoilt(number: int, text: str) -> Setup:
    """A shop with another text on one line."""
    return lambda: shop(line=lambda n, good: text if n == number else good)


def table(text: str | bytes, name: str = "shop.csv") -> Setup:
    return lambda: write(name, text)


def bad_picture(content: bytes | None) -> Setup:
    """A shop whose first picture is something else, or nothing."""

    def setup() -> None:
        shop()
        Path("images/0.png").unlink()
        if content is not None:
            write("images/0.png", content)

    return setup


def split(*names: str) -> Setup:
    """A shop with a column `split`, of these values again and again."""

    def line(number: int, text: str) -> str:
        return f"{text},{'split' if number == 1 else names[(number - 2) % len(names)]}"

    return lambda: shop(line=line)


def tastes(value: Any) -> Setup:
    return lambda: (shop(), people(value))


def link() -> None:
    shop()
    write("../secret.png", PICTURES["red"])
    Path("images/0.png").unlink()
    Path("images/0.png").symlink_to("../../secret.png")


def linked_folder() -> None:
    write("elsewhere/1.png", PICTURES["red"])
    write("pictures/2.png", PICTURES["red"])
    Path("pictures/1.png").symlink_to("../elsewhere/1.png")


def invoked(*words: str) -> None:
    """A command that works, before the one that does not."""
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output


def begun() -> None:
    shutil.copytree(os.environ["PVD_TEST_RUN"], "RUN")


def judged(**changes: Any) -> dict[str, Any]:
    """A judgment that fits the run, but for these changes; None takes something out."""
    lines = Path("RUN/exam/train.jsonl").read_text().splitlines()
    row = {key: json.loads(lines[0])[key] for key in ("persona", "items", "tiers")}
    return {key: value for key, value in (row | changes).items() if value is not None}


def judgments(**changes: Any) -> Setup:
    """A run that waits for its first round, and a file whose third line does not fit."""

    def setup() -> None:
        begun()
        Path("RUN/metrics.json").unlink()
        Path("RUN/rounds/001").rename("RUN/exam/first")
        Path("RUN/exam/first/judgments.jsonl").rename("RUN/exam/train.jsonl")
        rows = [json.dumps(judged()), "", json.dumps(judged(**changes))]
        write("mine.jsonl", "\n".join(rows) + "\n")

    return setup


def held_out() -> None:
    judgments()()
    write("mine.jsonl", Path("RUN/exam/test.jsonl").read_bytes())


def changed_data() -> None:
    shop()
    people()
    invoked("label", "RUN", *SMALL, *SHOP, *PEOPLE)
    people({"colour=red": 1})


PLUGIN = """
from dataclasses import dataclass
import pvd

@dataclass(kw_only=True)
class Mine(pvd.Teacher):
    def rank(self, slates):
        return [pvd.Ranking.from_order(range(len(slate.items))) for slate in slates]

@pvd.hookimpl
def register_teachers(register):
    register("NAME", Mine)
"""


def plugin_that_changed() -> None:
    source = PLUGIN.replace("NAME", "edited")
    write("edited.py", source)
    invoked("label", "RUN", *SMALL, *BOUTIQUE, "-p", "edited.py", "--teacher", "edited")
    write("edited.py", source + "# another version\n")


# --- the cases, by what is wrong --------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A command, and what is done before it is given."""

    words: list[str]
    setup: Setup = lambda: None


def catalog(setup: Setup, *more: str, name: str = "shop.csv") -> Case:
    """A run with people that are in order, and a catalogue that is not."""
    return Case([*RUN, "--catalog", name, *PEOPLE, *more], lambda: (people(), setup()))


def personas(setup: Setup, *more: str, name: str = "people.jsonl") -> Case:
    """A run with a shop that is in order, and personas that are not."""
    return Case([*RUN, *SHOP, "--personas", name, *more], lambda: (shop(), setup()))


def option(*words: str, setup: Setup = lambda: None) -> Case:
    return Case([*RUN, *BOUTIQUE, *words], setup)


def brought(setup: Setup) -> Case:
    return Case(["train", "RUN", "--judgments", "mine.jsonl"], setup)


def broken(kind: str, body: str, base: str = "Good") -> Case:
    """A run with a plug-in from a file that is good but for this body."""
    source = component(kind, "broken", body, base)
    return option("-p", "broken.py", f"--{kind}", "broken", setup=table(source, "broken.py"))


def distribution(source: str, name: str = "acme", **more: str) -> Case:
    """A run with a sampler that is installed, of this module."""
    return option(
        "--sampler", name,
        setup=lambda: installed(Path("site"), "acme", source, f"sampler.{name}", **more),
    )  # fmt: skip


def kept(*words: str) -> Case:
    """`pvd cache`, where there are answers and an export of them."""
    return Case(["cache", "--store", "answers.sqlite", *words], answered)


def student(name: str, *words: str, setup: Setup = lambda: None) -> Case:
    """A run with another student than the others have."""
    return Case([*RUN, *BOUTIQUE, "--student", name, *words], setup)


def model(config: dict[str, str]) -> Setup:
    """The folder of a model that is described, and has weights in no safe format."""
    return lambda: (
        write("mine/config.json", json.dumps(config)),
        write("mine/pytorch_model.bin", b"\x80\x02."),
    )


def index(student: str, *words: str, setup: Setup = lambda: None) -> Case:
    """An index of a shop that is in order, unless `setup` changes that."""
    command = ["index", student, "-p", str(COLOURS), "--catalog", "shop.csv"]
    to = [] if "--to" in words else ["--to", "found"]
    return Case([*command, *to, *words], lambda: (shop(), setup()))


def indexed(*words: str, fill: bool = True) -> None:
    if fill:
        shop()
    invoked(
        "index", "colours", "-p", str(COLOURS), "--catalog", "shop.csv", "--to", "found", *words
    )


def labels(**changes: Any) -> Case:
    """An import of two answers, of which the second does not fit."""

    def setup() -> None:
        answered()
        good = Path("labels.jsonl").read_text(encoding="utf-8").split("\n")[0]
        bad = json.dumps(json.loads(good) | changes)
        write("labels.jsonl", good + "\n" + (bad if changes else bad[:280]) + "\n")

    return Case(["cache", "import", "labels.jsonl"], setup)


def answered() -> None:
    from pvd.records import Reply, Request
    from pvd.store import Store
    from pvd.store.archive import Choice, export
    from pvd.testing import slate

    with Store(Path("answers.sqlite")) as store:
        store.put("simulated", [(Request(slate(), {"n": 1}), Reply("A > B"))])
    export(Path("answers.sqlite"), Path("labels.jsonl"), Choice())


def brings(text: str | bytes, name: str = "labels.jsonl") -> Case:
    return Case(["cache", "import", name], table(text, name))


def store_of(setup: Setup) -> Case:
    return Case(["cache", "info", "--store", "other.sqlite"], setup)


def anothers() -> None:
    with closing(sqlite3.connect("other.sqlite")) as db, db:
        db.execute("CREATE TABLE songs (title)")


ITEM = '{"id": "1", "image": "images/1.png"'
JSONL = "shop.jsonl"

SAMPLERS = ("--vary", "sampler=uniform,four-bin")


def compares(*words: str, setup: Setup = lambda: None) -> Case:
    """A comparison as small as can be."""
    return Case(["compare", "--out", "FOLDER", *SMALL, *BOUTIQUE, *words], setup)


CASES: dict[str, Case] = {
    # files
    "`--catalog` names a file that is not there": catalog(lambda: None, name="nowhere.csv"),
    "`--catalog` nearly names a source": catalog(lambda: None, name="boutiqe"),
    "`--catalog table:` without a path": catalog(lambda: None, name="table:"),
    "a folder where a table should be": catalog(shop, name="table:images"),
    "a folder of pictures that is not there": catalog(lambda: None, name="folder:nowhere"),
    "a folder without pictures": catalog(table("a", "notes/a.txt"), name="notes"),
    "a table in another format": catalog(table(b"PK", "shop.xlsx"), name="shop.xlsx"),
    "an empty table": catalog(table("")),
    "a header and nothing below": catalog(table("id,image\n")),
    "semicolons instead of commas": catalog(table("id;image\n1;a.png\n")),
    "tabs instead of commas": catalog(table("id\timage\n1\ta.png\n")),
    "a column is missing": catalog(table("sku,image,colour\n1,a.png,red\n")),
    "a column has nearly the right name": catalog(table("id,images\n1,a.png\n")),
    "two columns of one name": catalog(spoilt(1, "id,image,image")),
    "a comma too many": catalog(spoilt(3, "1,images/1.png,red, or so")),
    "a quote that is left open": catalog(spoilt(61, '59,images/59.png,"red')),
    "an endless cell": catalog(spoilt(3, f"1,images/1.png,{'x' * 140_000}")),
    "an item without an id": catalog(spoilt(3, " ,images/1.png,red")),
    "an id that occurs twice": catalog(spoilt(9, "1,images/7.png,red")),
    "a file that is not UTF-8": catalog(table("id,image\n1,größe.png\n".encode("latin-1"))),
    "a NUL character": catalog(spoilt(3, "1,images/1.png,re\0d")),
    "a line that is no JSON": catalog(table(ITEM + "}\n" + ITEM, JSONL), name=JSONL),
    "a line that is no JSON object": catalog(table("[1, 2]\n", JSONL), name=JSONL),
    "one JSON list instead of lines": catalog(table(f"[\n{ITEM}}}\n]\n", JSONL), name=JSONL),
    "JSON lines without a line": catalog(table("\n \n", JSONL), name=JSONL),
    "NaN in JSON": catalog(table(ITEM + ', "price": NaN}\n', JSONL), name=JSONL),
    "half a surrogate pair in JSON": catalog(
        table(ITEM + ', "note": "\\ud83d"}\n', JSONL), name=JSONL
    ),
    "brackets without end": catalog(table("[" * 100_000, JSONL), name=JSONL),
    "a number without end": catalog(table(ITEM + f', "n": {"9" * 5000}}}', JSONL), name=JSONL),
    "a column missing from one line": catalog(table('{"id": "1"}\n', JSONL), name=JSONL),
    "a list where text should be": catalog(
        table('{"id": ["a"], "image": "a.png"}\n', JSONL), name=JSONL
    ),
    "a file that is no Parquet": catalog(table(b"PAR1", "shop.parquet"), name="shop.parquet"),
    "an unknown value in the column `split`": catalog(split("train", "tset", "validation")),
    "the column `split` leaves a part empty": catalog(split("train", "test")),
    "too few items to divide": catalog(lambda: (shop(1), people({"colour=red": 1}))),
    "fewer training items than a slate": catalog(shop, "-o", "train.size=50"),
    "one item for the exam": catalog(
        lambda: shop(60, lambda n, text: text + (",split" if n == 1 else _mostly_train(n)))
    ),
    "a source that brings no catalogue": catalog(people, name="lines:people.jsonl"),
    "a catalogue without personas": Case([*RUN, *SHOP], shop),
    "personas without a catalogue": Case([*RUN, *PEOPLE], people),
    "the data changed since the run began": Case([*RUN, *SHOP, *PEOPLE], changed_data),
    # pictures
    "a picture that is not there": catalog(bad_picture(None)),
    "an empty picture": catalog(bad_picture(b"")),
    "a truncated picture": catalog(bad_picture(picture("red", "JPEG")[:500])),
    "a web page instead of a picture": catalog(bad_picture(b"<html>404</html>")),
    "a picture in another format": catalog(bad_picture(picture("red", "BMP"))),
    "a picture of 100 megapixels": catalog(bad_picture(BOMB)),
    "a picture of 65 MB": catalog(bad_picture(PICTURES["red"] + bytes(65 * 2**20))),
    "a path that climbs out of the folder": catalog(spoilt(3, "1,../secret.png,red")),
    "an absolute path": catalog(spoilt(3, "1,/etc/passwd,red")),
    "an address instead of a path": catalog(spoilt(3, "1,https://example.org/a.png,red")),
    "a symbolic link that leads out": catalog(link),
    "a symbolic link that leads out of a folder of pictures": catalog(
        linked_folder, name="pictures"
    ),
    "an item without an image path": catalog(spoilt(3, "1,,red")),
    # personas
    "a file of personas that is not there": personas(lambda: None, name="nowhere.txt"),
    "a folder as personas": personas(lambda: None, name="images"),
    "an empty file of lines": personas(table("\n", "people.txt"), name="people.txt"),
    "the same line twice": personas(table("A nurse.\nA cook.\nA nurse.\n", "p.txt"), name="p.txt"),
    "a blank text": personas(table('{"id": "p1", "text": " "}\n', "people.jsonl")),
    "an enormous text": personas(
        table(json.dumps({"id": "p1", "text": "x" * 20_001}), "people.jsonl")
    ),
    "two personas of one id": personas(
        table('{"id": "p1", "text": "a"}\n{"id": "p1", "text": "b"}\n', "people.jsonl")
    ),
    "nobody has tastes, and the teacher is `simulated`": personas(
        table("Somebody who sails.\nSomebody who reads.\n", "people.txt"), name="people.txt"
    ),
    "somebody has no tastes": personas(
        table(
            '{"id": "p1", "text": "a", "tastes": {"colour=red": 1}}\n{"id": "p2", "text": "b"}\n',
            "people.jsonl",
        )
    ),
    "tastes in CSV that are no JSON": personas(
        table("id,text,tastes\np1,a,{red: 1}\n", "people.csv"), name="people.csv"
    ),
    "tastes that are a list": personas(lambda: people(["colour=green"])),
    "a weight that is text": personas(lambda: people({"colour=green": "1.5"})),
    "a taste for a column that nearly exists": personas(lambda: people({"color=green": 1.5})),
    "a taste for a column that does not exist": personas(lambda: people({"price=low": 1})),
    "tastes for a folder of pictures without columns": catalog(shop, name="images"),
    "tastes that no item matches": personas(lambda: people({"colour=gren": 1})),
    "`split.group` is no attribute": option("-o", "split.group=rol"),
    "whole groups leave a part empty": personas(people, "-o", "split.group=tastes"),
    # names and options
    "an unknown plug-in": option("--teacher", "simulatd"),
    "an unknown plug-in that is like none": option("--teacher", "zzz"),
    "an unknown source": catalog(lambda: None, name="nosuch:thing"),
    "a path for a source that takes none": Case([*RUN, "--catalog", "boutique:5000"]),
    "a path where a source's name should be": option("-o", "catalog=shops/shop.csv"),
    "an unknown option": option("-o", "train.round=3"),
    "an unknown option of a plug-in": option("-o", "teacher.nose=3"),
    "an unknown section": option("-o", "trian.rounds=3"),
    "an unknown recipe": option("--recipe", "papr"),
    "an option without `=`": option("-o", "noequals"),
    "a value for a section": option("-o", "train=3"),
    "text for a whole number": option("-o", "train.rounds=many"),
    "a fraction for a whole number": option("-o", "train.rounds=1.5"),
    "text for a number": option("-o", "teacher.noise=loud"),
    "a value that is none of the choices": option("-o", "sampler.by=rang"),
    "a number that is too small": option("-o", "train.rounds=0"),
    "an enormous number": option("-o", "train.rounds=9" + "0" * 30),
    "a negative seed": option("--seed", "-1"),
    "a negative limit of the costs": option("--max-cost", "-1"),
    "a limit of the costs that is no number": option("--max-cost", "nan"),
    "a share that is none": option("-o", "split.test=0"),
    "an endless limit of the costs": option("--max-cost", "inf"),
    "a negative limit of the calls": option("--max-calls", "-1"),
    "no request a minute": option("-o", "ask.requests_per_minute=0"),
    "shares that leave nothing to train on": option("-o", "split.test=0.95"),
    "a number that a plug-in's option does not take": option("-o", "loss.scale=0"),
    "noise that is no number": option("-o", "teacher.noise=nan"),
    "a value that the plug-in refuses": option("-o", "teacher.position_bias=nan"),
    "an option that a plug-in requires": option("--teacher", "consistent"),
    "an option for one of the evaluators": option("-o", "evaluators[1].at=3"),
    "an option that one of several teachers requires": option(
        "-o", 'teacher={use="ensemble", members=[{use="consistent"}, "simulated"]}'
    ),
    "evaluators without `mpr`": option("-o", "evaluators=hits"),
    "an unknown device": option("--device", "gpu"),
    "an unknown kind for `pvd options`": Case(["options", "techer.simulated"]),
    "an unknown kind for `pvd plugins check`": Case(["plugins", "check", "techer.simulated"]),
    "an unknown option for `pvd options`": Case(["options", "train.round"]),
    "a plug-in without its kind for `pvd options`": Case(["options", "tiny"]),
    "an unknown plug-in for `pvd options`": Case(["options", "teacher.simulatd"]),
    "an unknown plug-in for `pvd plugins check`": Case(["plugins", "check", "teacher.simulatd"]),
    "a kind alone for `pvd plugins check`": Case(["plugins", "check", "sampler"]),
    "an option of something else for `pvd plugins check`": Case(
        ["plugins", "check", "sampler.uniform", "-o", "train.rounds=3"]
    ),
    "a plug-in file that is not there": option("-p", "nowhere.py"),
    "a plug-in file that is no Python": option(
        "-p", "mine.txt", setup=table("not Python", "mine.txt")
    ),
    "a plug-in file that raises": option("-p", "raises.py", setup=table("1 / 0", "raises.py")),
    "a plug-in file that needs a package": option(
        "-p", "hungry.py", setup=table("import nowhere_to_be_found", "hungry.py")
    ),
    "a plug-in file with a name that is taken": option(
        "-p", "thief.py", setup=table(PLUGIN.replace("NAME", "simulated"), "thief.py")
    ),
    # plug-ins
    "a plug-in file that registers nothing": option(
        "-p", "bare.py", setup=table("import pvd", "bare.py")
    ),
    "a plug-in file with a name that is none": option(
        "-p", "mine.py", setup=table(PLUGIN.replace("NAME", "My Teacher"), "mine.py")
    ),
    "a plug-in file with a misspelt hook": option(
        "-p", "odd.py", setup=table(PLUGIN.replace("_teachers(", "_teacher("), "odd.py")
    ),
    "a plug-in with an option of a name that is taken": broken("sampler", "label: str = 'a'"),
    "a plug-in that lacks a method": broken("sampler", "", base="pvd.Sampler"),
    "a plug-in that raises when it is made": broken("loss", "def __post_init__(self): 1 / 0"),
    "a plug-in that raises in a run": broken("sampler", "def draw(self, pool, size, rng): 1 / 0"),
    "a plug-in that asks for more memory than there is": broken(
        "sampler", "def draw(self, pool, size, rng):\n    import numpy\n    numpy.empty(2**55)"
    ),
    "a plug-in that does so in training": broken(
        "loss", "def __call__(self, batch):\n    import numpy\n    numpy.empty(2**55)"
    ),
    "a teacher that ranks too few slates": broken(
        "teacher", "def rank(self, slates): return []", base="pvd.Teacher"
    ),
    "a sampler that draws an item twice": broken(
        "sampler",
        "def draw(self, pool, size, rng):\n    import torch\n"
        "    return torch.zeros(len(pool.personas), size, dtype=int)",
    ),
    "a loss that returns no tensor": broken("loss", "def __call__(self, batch): return 0.5"),
    "a student whose embeddings have another length": broken(
        "student", "def embed_texts(self, texts): return 2 * Colours.embed_texts(self, texts)"
    ),
    "a student without a gradient in training": broken(
        "student",
        "def embed_prepared(self, prepared, train=False):\n"
        "    return Colours.embed_prepared(self, prepared, train=train).detach()",
    ),
    "a student that saves what it cannot open": broken("student", "def save(self, folder): pass"),
    "an evaluator whose number is called as another's": option(
        "-p",
        "broken.py",
        "-o",
        "evaluators=['mpr', 'broken']",
        setup=table(
            component(
                "evaluator",
                "broken",
                "def evaluate(self, exam):\n"
                "    return {'mpr': pvd.Estimate(5, 5, 5, 'all', (5,) * len(exam.personas))}",
            ),
            "broken.py",
        ),
    ),
    "an installed plug-in that raises": distribution("1 / 0"),
    "an installed plug-in that needs a package": distribution("import nowhere_to_be_found"),
    "an installed plug-in whose module is not there": distribution("", value="acme.nowhere"),
    "an installed plug-in for a newer pvd": distribution("", requires="pvd-distill>=99"),
    "two installed plug-ins of one name": Case(
        distribution("").words,
        lambda: [installed(Path("site"), dist, "", "sampler.acme") for dist in ("acme", "rival")],
    ),
    "an installed plug-in with a bundled name": Case(
        ["plugins", "--load"], distribution("", name="uniform").setup
    ),
    "`pvd plugins --load` with one that cannot be loaded": Case(
        ["plugins", "--load"], distribution("1 / 0").setup
    ),
    "`pvd plugins new --to` without a name": Case(["plugins", "new", "loss", "hinge", "--to", ""]),
    "an unknown kind for `pvd plugins new`": Case(["plugins", "new", "los", "mine"]),
    "a kind twice for `pvd plugins new`": Case(["plugins", "new", "loss,loss", "mine"]),
    "a name that no plug-in may have": Case(["plugins", "new", "loss", "My Loss"]),
    "a name that a plug-in has already": Case(["plugins", "new", "loss", "bradley-terry"]),
    "a name whose package is installed already": Case(["plugins", "new", "loss", "distill"]),
    "`pvd plugins new` into a folder that is not empty": Case(
        ["plugins", "new", "loss", "hinge", "--to", "mine"], lambda: write("mine/a.txt", "mine")
    ),
    "`pvd plugins new` of what a package has already": Case(
        ["plugins", "new", "loss", "hinge", "--to", "mine"],
        table('[project.entry-points.pvd]\n"loss.hinge" = "hinge"', "mine/pyproject.toml"),
    ),
    "`pvd plugins new` into a file": Case(
        ["plugins", "new", "loss", "hinge", "--to", "mine"], table("mine", "mine")
    ),
    # configurations, folders, judgments
    "a configuration that is not there": option("--config", "nowhere.toml"),
    "a folder as configuration": option("--config", "settings", setup=table("", "settings/a.toml")),
    "a configuration that is no TOML": option("--config", "a.toml", setup=table("a = ", "a.toml")),
    "a configuration that is not UTF-8": option(
        "--config", "a.toml", setup=table(b"a = 1\nb = '\xff'", "a.toml")
    ),
    "`pvd init` where a file is": Case(["init", "--yes"], table("seed = 1", "run.toml")),
    "`pvd init` for a table": Case(["init", "shop.csv"], shop),
    "`pvd init` below a file": Case(["init", "shop.csv/run.toml", "--yes"], table("a file")),
    "`pvd init` without a terminal": Case(["init"]),
    "`pvd init --yes` without any key": Case(["init", "--yes"], lambda: (shop(), people(None))),
    "`pvd init` for a device that is none": Case(["init", "--yes", *BOUTIQUE, "--device", "tpu"]),
    "`pvd init` with a store that is none": Case(
        ["init", "--yes", *BOUTIQUE, "--store", "other.sqlite"], table("no store", "other.sqlite")
    ),
    "a folder that was removed meanwhile": Case(["run"], lambda: Path.cwd().rmdir()),
    "`--store` without a name": Case(["run", "--store", ""]),
    "`--catalog` without a name": Case(["run", "--catalog", "", *PEOPLE], people),
    "another value in the folder of a run": option("-o", "teacher.noise=0.5", setup=begun),
    "another component in the folder of a run": option("--sampler", "uniform", setup=begun),
    "a setting that the run did not have": option("-o", "exam.items=30", setup=begun),
    "other evaluators in the folder of a run": option(
        "-o", "evaluators=['mpr', 'hits']", setup=begun
    ),
    "a plug-in file that changed, for the same command": Case(
        [*RUN, *BOUTIQUE, "-p", "edited.py", "--teacher", "edited"], plugin_that_changed
    ),
    "a plug-in file that changed, for a run that goes on": Case(
        ["train", "RUN"], plugin_that_changed
    ),
    "`--fresh` for a folder that is no run": option(
        "--fresh", setup=table("dear to me", "RUN/letter.txt")
    ),
    "`--out` names a file": option(setup=table("a file", "RUN")),
    "`--out` leads through a file": option("--out", "shop.csv/RUN", setup=lambda: shop()),
    "`pvd label` is given a file": Case(["label", *RUN[2:], *BOUTIQUE], table("a file", "RUN")),
    "`pvd train` where no run is": Case(["train", "nowhere"]),
    "`pvd evaluate` where no run is": Case(["evaluate", "nowhere"]),
    "`pvd export` where no run is": Case(["export", "nowhere", "--to", "out"]),
    "`pvd export` before the exam": Case(
        ["export", "RUN", "--to", "out"], lambda: (begun(), Path("RUN/metrics.json").unlink())
    ),
    "`pvd export` into the run": Case(["export", "RUN", "--to", "RUN/out"], begun),
    "`pvd export` where other files are": Case(
        ["export", "RUN", "--to", "out"], lambda: (begun(), write("out/mine.txt", "mine"))
    ),
    "`pvd export` of a student whose weights are gone": Case(
        ["export", "RUN", "--to", "out"],
        lambda: (begun(), Path("RUN/student/model.safetensors").unlink()),
    ),
    "`pvd export` to a file": Case(
        ["export", "RUN", "--to", "shop.csv"], lambda: (begun(), shop())
    ),
    "a mixture that is none": Case(["export", "RUN", "--to", "out", "--interpolate", "1"]),
    "`pvd train` before `pvd label`": Case(["train", "RUN"], begun),
    "`pvd label` after the last round": Case(["label", "RUN"], begun),
    "judgments for a round that has its own": brought(
        lambda: (begun(), Path("RUN/rounds/001/done").unlink())
    ),
    "a file of judgments that is not there": Case(
        ["train", "RUN", "--judgments", "nowhere.jsonl"], judgments()
    ),
    "a file of judgments without any": brought(lambda: (judgments()(), write("mine.jsonl", "\n"))),
    "a judgment of an unknown persona": brought(judgments(persona="nobody")),
    "a judgment of an unknown item": brought(judgments(items=["b00001", "b77777"])),
    "a judgment without tiers": brought(judgments(tiers=None)),
    "a judgment of the wrong shape": brought(judgments(tiers=[0, 1])),
    "a judgment whose tiers do not fit": brought(judgments(tiers=[[0], [0]])),
    "judgments about held-out personas": brought(held_out),
    # students
    "a part of the student that is none": student("clip", "-o", "student.part=last"),
    "weights named twice": student(
        "open-clip", "-o", "student.model=hf-hub:a/b", "-o", "student.pretrained=openai"
    ),
    "a model that is not there": student("clip", "-o", "student.model=./mine"),
    "a revision of a folder": student(
        "clip", "-o", "student.model=mine", "-o", "student.revision=v2", setup=model({})
    ),
    "a model of another kind": student(
        "clip", "-o", "student.model=mine", setup=model({"model_type": "siglip"})
    ),
    "a model whose weights are a pickle": student(
        "clip", "-o", "student.model=mine", setup=model({"model_type": "clip"})
    ),
    "a tokenizer without a vocabulary": student(
        "clip",
        "-o",
        "student.model=mine",
        setup=lambda: (model({"model_type": "clip"})(), write("mine/model.safetensors", b"")),
    ),
    "a model that open_clip does not know": student(
        "open-clip", "-o", "student.model=local-dir:mine", setup=model({})
    ),
    # indexes and searches
    "`pvd index` of a student whose name is misspelt": index("colors"),
    "`pvd index` of a folder without a student": index("images"),
    "`pvd index` without a catalogue": Case(["index", "tiny", "--to", "found"]),
    "`--to` names a file": index("colours", "--to", "shop.csv"),
    "`--to` names a folder of other files": index("colours", "--to", "images"),
    "`--to` names a folder inside the student's": Case(
        ["index", "found/student", "--catalog", "shop.csv", "--to", "found/student/mine"], indexed
    ),
    "a shard that is none": index("colours", "--shard", "3/2"),
    "`--prune` for a shard": index("colours", "--shard", "1/2", "--prune"),
    "`--prune` with most of the catalogue gone": index(
        "colours", "--prune", setup=lambda: (indexed(), shop(20))
    ),
    "a setting of a run for `pvd index`": index("colours", "-o", "train.rounds=3"),
    "an option for a student that is trained": index(
        "found/student", "-o", "student.width=8", setup=indexed
    ),
    "another student for an index": index("colours", "-o", "student.width=8", setup=indexed),
    "an index with too many bad pictures": index("colours", setup=bad_picture(b"")),
    "`pvd search` where no index is": Case(["search", "nowhere", "red"]),
    "a blank text to search for": Case(["search", "found", " "], indexed),
    "a text that is not UTF-8": Case(["search", "found", "gr\udcfcn"], indexed),
    "no hits wanted": Case(["search", "found", "red", "-k", "0"], indexed),
    "`--approximate` without a graph": Case(["search", "found", "red", "--approximate"], indexed),
    "a graph of an index that changed since": Case(
        ["search", "found", "red", "--approximate"],
        lambda: (indexed("--approximate"), shop(70), indexed(fill=False)),
    ),
    "a damaged part of an index": Case(
        ["search", "found", "red"],
        lambda: (indexed(), write("found/parts/1of1-000001.safetensors", "nothing like it")),
    ),
    "an index.json that is damaged": Case(
        ["search", "found", "red"], lambda: (indexed(), write("found/index.json", '{"schema": 1'))
    ),
    "a student that was changed inside an index": Case(
        ["search", "found", "red"],
        lambda: (indexed(), write("found/student/other.safetensors", "more weights")),
    ),
    # kept answers
    "a store that is not there, for `pvd cache info`": Case(
        ["cache", "info", "--store", "nowhere.sqlite"]
    ),
    "a store that is another program's database": store_of(anothers),
    "a store that is no database": store_of(table("x" * 999, "other.sqlite")),
    "an export into a file that is there": kept("export", "labels.jsonl"),
    "an export into another format": kept("export", "labels.csv"),
    "an export into a folder that is not there": kept("export", "nowhere/labels.jsonl"),
    "an export of a teacher that was never asked": kept("export", "a.jsonl", "--teacher=simulatd"),
    "an export of answers from days to come": kept("export", "a.jsonl", "--since=9999-01-01"),
    "a day that is no date": kept("export", "a.jsonl", "--since=monday"),
    "a file of answers that is not there": Case(["cache", "import", "nowhere.jsonl"]),
    "a file of answers without any": brings("\n \n"),
    "a file of answers with a torn line": labels(),
    "lines that are no answers": brings(ITEM + "}\n"),
    "a file of answers of a newer pvd": labels(schema=2),
    "an answer whose request was changed": labels(request={"n": 2}),
    "an answer with negative tokens": labels(input_tokens=-1),
    "an answer that cost NaN dollars": labels(dollars=float("nan")),
    "an answer whose date is none": labels(date="today"),
    "answers in a file that is no Parquet": brings("PAR1", "labels.parquet"),
    "`pvd cache prune` without saying what": kept("prune"),
    # comparisons and audits
    "a comparison in which nothing varies": compares(),
    "`--vary` without values": compares("--vary", "sampler"),
    "`--vary` with one value": compares("--vary", "sampler=uniform"),
    "a value twice in `--vary`": compares("--vary", "sampler=uniform,uniform"),
    "a sampler in `--vary` that is not there": compares("--vary", "sampler=uniform,fuor-bin"),
    "an exam that varies": compares("--vary", "exam.items=20,30"),
    "how a run is done in `--vary`": compares("--vary", "ask.workers=1,2"),
    "a table in `--vary` that is none": compares("--vary", "teacher={use=simulated,simulated"),
    "no seeds": compares(*SAMPLERS, "--seeds", "0"),
    "a negative margin": compares(*SAMPLERS, "--margin", "-1"),
    "one persona in a comparison's exam": compares(*SAMPLERS, "-o", "exam.personas=1"),
    "a comparison in a folder with other files": compares(
        *SAMPLERS, setup=lambda: write("FOLDER/notes.txt", "mine")
    ),
    "an audit of nobody": Case(["audit", "--out", "FOLDER"]),
    "a teacher twice in an audit": Case(["audit", "simulated", "simulated", "--out", "FOLDER"]),
    "an audit in a folder with other files": Case(
        ["audit", "simulated", "--out", "FOLDER", *BOUTIQUE],
        lambda: write("FOLDER/notes.txt", "mine"),
    ),
}


def _mostly_train(number: int) -> str:
    return {2: ",test", 3: ",validation", 4: ",validation"}.get(number, ",train")


# --- the page ---------------------------------------------------------------------------------


def rows(width: int) -> dict[str, list[str]]:
    """The rows of the page's tables with so many columns, by their first cell."""
    found: dict[str, list[str]] = {}
    for block in PAGE.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        for line in lines[2:]:  # below the heads and the rule
            what, *cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if len(cells) + 1 == width:
                assert what not in found, f"{what} stands twice on the page"
                found[what] = cells
    return found


MISTAKES, KINDNESSES = rows(3), rows(2)


def test_every_case_has_a_row_and_every_row_a_case() -> None:
    assert set(CASES) == set(MISTAKES)
    assert set(FINE) == set(KINDNESSES)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that is done, for the cases that go on from one."""
    place = tmp_path_factory.mktemp("finished")
    words = [*RUN, *BOUTIQUE, "--out", str(place / "RUN"), "--store", str(place / "answers.sqlite")]
    invoked(*words)
    return place / "RUN"


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages list what is installed: not what other tests loaded from files, nor these."""
    monkeypatch.setattr(registry, "__dict__", Registry().__dict__)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Path) -> Path:
    """Where a case's command is given."""
    monkeypatch.setenv("PVD_TEST_RUN", str(finished))
    (tmp_path / "place").mkdir()
    monkeypatch.chdir(tmp_path / "place")
    monkeypatch.syspath_prepend(tmp_path / "place/site")  # where cases install distributions
    monkeypatch.delitem(sys.modules, "acme", raising=False)
    return tmp_path / "place"


def error(stderr: str, place: Path) -> str:
    """The one line that says what is wrong, with paths as the page writes them."""
    assert "Traceback" not in stderr
    (line,) = [line for line in stderr.splitlines() if line.startswith("Error: ")]
    return line.removeprefix("Error: ").replace(f"{place}/", "").replace(str(place), "FOLDER")


@pytest.mark.parametrize("what", CASES)
def test_a_mistake_gets_its_sentence_and_its_exit_code(what: str, place: Path) -> None:
    code, message = MISTAKES.get(what, ["?", "?"])
    CASES[what].setup()
    result = CliRunner().invoke(main, CASES[what].words)
    said = error(result.stderr, place)
    assert (str(result.exit_code), said) == (code, message)
    assert said.endswith((".", "?"))
    assert not re.search(r"[0-9a-f]{12}|0x[0-9a-f]+|Error\b(?!: division)", said), "internal words"


@pytest.mark.parametrize(
    "what",
    [
        "an unknown plug-in",
        "a plug-in file that needs a package",
        "`pvd train` where no run is",
        "a catalogue without personas",
    ],
)
def test_the_installed_command_says_the_same(what: str, place: Path) -> None:
    CASES[what].setup()
    words = [sys.executable, "-m", "pvd", *CASES[what].words]
    done = subprocess.run(words, capture_output=True, text=True)
    assert [str(done.returncode), error(done.stderr, place)] == MISTAKES[what]


def test_an_unknown_option_of_the_command_itself_is_usage() -> None:
    result = CliRunner().invoke(main, ["run", "--nosuch"])
    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_parquet_without_its_package(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    write("shop.parquet", b"PAR1")
    people()
    result = CliRunner().invoke(main, [*RUN, "--catalog", "shop.parquet", *PEOPLE])
    assert result.exit_code == 3
    assert error(result.stderr, place) == (
        "pyarrow.parquet is not installed; type: pip install 'pvd-distill[parquet]'"
    )


def test_cheap_mistakes_are_found_before_pictures_are_opened(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(item: pvd.Item) -> None:
        raise AssertionError(f"{item.where} was opened")

    monkeypatch.setattr(pvd.Item, "open", opened)
    for what in (
        "too few items to divide",
        "fewer training items than a slate",
        "`split.group` is no attribute",
        "a taste for a column that nearly exists",
    ):
        CASES[what].setup()
        result = CliRunner().invoke(main, CASES[what].words)
        assert str(result.exit_code) == MISTAKES[what][0], result.output


# --- from Python ------------------------------------------------------------------------------


def test_a_path_for_a_sources_name_says_what_to_write(place: Path) -> None:
    with pytest.raises(BadInput, match=r'write catalog = {"use": "table", "path": "nope\.csv"}'):
        pvd.run(catalog="nope.csv", personas="boutique")


def test_a_run_folder_is_no_students_folder(place: Path) -> None:
    begun()
    with pytest.raises(MissingFile, match=r"^There is no student in RUN; open RUN/student\.$"):
        pvd.open_student("RUN")
    with pytest.raises(MissingFile, match=r"in nowhere; name the folder RUN/student of a run\.$"):
        pvd.open_student("nowhere")


def test_a_message_is_one_line_whatever_a_file_is_called() -> None:
    assert str(PvdError("There is no file a\nb\u2028c.")) == "There is no file a b c."


# --- what is no mistake -----------------------------------------------------------------------


@dataclass(frozen=True)
class Fine:
    """A run on everything that looks wrong and is not."""

    stderr: str
    folder: Path
    items: dict[str, pvd.Item]
    people: list[pvd.Persona]

    def colour(self, id: str) -> Any:
        return self.items[id].open().getpixel((2, 2))


@pytest.fixture(scope="module")
def fine(tmp_path_factory: pytest.TempPathFactory) -> Fine:
    folder = tmp_path_factory.mktemp("fine")
    turned = Image.Exif()
    turned[0x0112] = 6
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    deep = Image.new("I;16", (8, 8), 65_535)
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    tall = Image.new("RGB", (8, 4), "red")

    def saved(image: Image.Image, format: str, **how: Any) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, format, **how)
        return buffer.getvalue()

    odd: dict[str, bytes | None] = {
        "animated": saved(red, "GIF", save_all=True, append_images=[blue]),
        "cmyk": saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"),
        "deep": saved(deep, "PNG"),
        "clear": saved(clear, "PNG"),
        "turned": saved(tall, "JPEG", exif=turned),
        "gone": None,
        "line\u2028separator": PICTURES["red"],
    }
    lines = []
    for number in range(120):
        id = [*odd, *map(str, range(120))][number]
        data = odd.get(id, PICTURES[NAMES[number % 4]])
        file = folder / "images" / f"{number}.image"
        file.parent.mkdir(exist_ok=True)
        if data is not None:
            file.write_bytes(data)
        path = str(file) if number % 2 else f"images/{number}.image"
        row = {"id": id, "image": path, "title": "a\u2028b", "colour": NAMES[number % 4]}
        lines.append(json.dumps(row, ensure_ascii=False))
    (folder / "shop.jsonl").write_bytes(("\ufeff" + "\r\n\r\n".join(lines)).encode())
    likes = '"{""colour=green"": 1.5, ""colour=purple"": 2}"'
    texts = "".join(f"{n},p{n},Number {n}\u2028in two lines,{likes}\n" for n in range(60))
    (folder / "people.csv").write_text(",id,text,tastes\n" + texts, encoding="utf-8")
    catalog, personas = str(folder / "shop.jsonl"), str(folder / "people.csv")
    words = [*SMALL, "--catalog", catalog, "--personas", personas, "--out", str(folder / "RUN")]
    result = CliRunner().invoke(main, ["run", "--store", str(folder / "answers.sqlite"), *words])
    assert result.exit_code == 0, result.output
    items = pvd.load("source", "table").catalog(catalog)
    return Fine(
        " ".join(result.stderr.split()),
        folder / "RUN",
        {item.id: item for item in items},
        pvd.load("source", "table").personas(personas),
    )


def _left_out(fine: Fine) -> None:
    (row,) = map(json.loads, (fine.folder / "skipped.jsonl").read_text().splitlines())
    assert row["id"] == "gone"
    assert "Pictures left out: 1 of 120; see " in fine.stderr
    assert "There is no image of item 'gone'" in fine.stderr


def _begins(fine: Fine) -> None:
    folder = fine.folder.with_name("another")
    result = CliRunner().invoke(main, ["label", str(folder), *SMALL, *BOUTIQUE])
    assert result.exit_code == 0, result.output
    assert f"There is no run in {folder} yet: a new one begins there." in result.stderr


FINE: dict[str, Callable[[Fine], object]] = {
    "an animated GIF, WebP or PNG": lambda fine: _same(fine.colour("animated"), (255, 0, 0)),
    "a CMYK JPEG": lambda fine: _same(fine.colour("cmyk"), (255, 0, 0)),
    "a PNG of 16 bits a channel": lambda fine: _same(fine.colour("deep"), (255, 255, 255)),
    "transparency": lambda fine: _same(fine.colour("clear"), (255, 255, 255)),
    "EXIF rotation": lambda fine: _same(fine.items["turned"].open().size, (4, 8)),
    "pictures that cannot be used, up to 1 % of all": _left_out,
    "an absolute path to a picture inside the folder": lambda fine: _same(
        fine.items["cmyk"].open().size, (8, 8)
    ),
    "a line separator such as U+2028 inside a string": lambda fine: _same(
        (fine.items["line\u2028separator"].title, fine.people[0].text),
        ("a\u2028b", "Number 0\u2028in two lines"),
    ),
    "a byte order mark, Windows line ends, blank lines": lambda fine: _same(len(fine.items), 120),
    "a column without a name": lambda fine: _same(set(fine.people[0].attributes), {"tastes"}),
    "a taste that no item matches, beside one that some do": lambda fine: _same(
        len(fine.people[0].attributes["tastes"]), 2
    ),
    "an exam of fewer than 20 items or 10 personas": lambda fine: _same(
        "The exam is small (3 personas, " in fine.stderr, True
    ),
    "`pvd label` on a folder without a run": _begins,
}


def _same(found: Any, want: Any) -> None:
    assert found == pytest.approx(want, abs=6) if isinstance(want, tuple) else found == want


@pytest.mark.parametrize("what", FINE)
def test_what_looks_wrong_and_is_not(what: str, fine: Fine) -> None:
    counts = json.loads((fine.folder / "metrics.json").read_text())["data"]["items"]
    assert sum(counts[part] for part in ("train", "validation", "test")) == 119
    FINE[what](fine)

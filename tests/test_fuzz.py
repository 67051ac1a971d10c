"""Whatever a file or an option holds, a value comes out, or one line that says what is wrong."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

import pvd
from pvd import catalog, kit, options
from pvd.cli import main
from pvd.cli.tables import source_table
from pvd.errors import PvdError
from pvd.folder import read_lines
from pvd.images import decode
from pvd.ledger import Ledger
from pvd.settings import SplitSettings, recipe, resolve
from pvd.testing import items, personas


def some(count: int) -> settings:
    return settings(
        deadline=None,
        derandomize=True,  # the same examples everywhere: a failure here is a failure there
        max_examples=count,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


def outcome(call: Callable[[], Any]) -> Any:
    """What the call returns, or None after an error of ours that is put as it should be."""
    try:
        return call()
    except PvdError as error:
        proper(str(error))
        return None


def proper(message: str) -> None:
    assert message.splitlines() == [message], repr(message)
    assert message.endswith((".", "?")), repr(message)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- files --------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
COLUMNS = ("id", "image", "text", "title", "split", "tastes", "colour")
ROWS = st.dictionaries(st.sampled_from(COLUMNS), JSON).map(lambda row: json.dumps(row).encode())
MARKS = (b'"', b",", b"\n", b"\r", b"\xff", b"\0", b"\xef\xbb\xbf", b"\xe2\x80\xa8")
HEADS = (b"id,image,text", b"1,red.png,x", b"id;image", b"id\timage", b"id,id", b"../a,b,c")
CSV = st.sampled_from((*MARKS, *HEADS))
OBJECTS = (b'{"id": 1, "image": "a", "text": "x"}', b'{"id": "\\ud800"}', b"[]", b"NaN", b"[")
LINES = st.sampled_from((*MARKS, *OBJECTS, b"9" * 5000, b"[" * 5000))


def bytes_like(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.binary() | st.lists(st.one_of(*parts, st.binary(max_size=4))).map(b"".join)


def read_both(source: pvd.Source) -> None:
    outcome(lambda: catalog.read(source))
    outcome(lambda: catalog.read_personas(source))


@pytest.mark.slow
@some(500)
@example("csv", b"id,image,text\n" + b"x" * 200_000)
@example("csv", b'id,text\n1,"\x0b\n')
@given(st.sampled_from(["csv", "jsonl"]), bytes_like(CSV, LINES, ROWS))
def test_any_table(here: Path, suffix: str, data: bytes) -> None:
    file = here / f"any.{suffix}"
    file.write_bytes(data)
    read_both(pvd.load("source", "table", path=str(file)))


@some(200)
@given(bytes_like(CSV, LINES))
def test_any_lines(here: Path, data: bytes) -> None:
    (here / "any.txt").write_bytes(data)
    read_both(pvd.load("source", "lines", path=str(here / "any.txt")))


NAMES = st.binary(min_size=1, max_size=40).map(lambda name: re.sub(rb"[/\0]", b"_", name))


@some(60)
@example([b"a\nb", b"\xff\xfe"])
@given(st.lists(NAMES, max_size=4))
def test_any_names_of_pictures(here: Path, names: list[bytes]) -> None:
    folder = here / "pictures"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in names:
        with suppress(OSError):  # some systems take UTF-8 only
            Path(os.fsdecode(bytes(folder) + b"/" + name + b".png")).write_bytes(b"")
    found = outcome(lambda: catalog.read(pvd.load("source", "folder", path=str(folder))))
    for item in found or ():
        item.id.encode()
        outcome(item.open)
    if found:
        outcome(lambda: catalog.divide(found, personas(60), SplitSettings(), 0))


@some(100)
@given(st.text(max_size=300) | st.sampled_from(["..", "/etc/passwd", "a\0", "C:\\a", "x" * 5000]))
def test_any_path_of_an_image(here: Path, name: str) -> None:
    found = outcome(lambda: kit.image_path(here, name, "shop.csv, line 2"))
    assert found is None or found.resolve().is_relative_to(here.resolve())


SHOP, PEOPLE = items(6), personas(4)
IDS = st.sampled_from([item.id for item in SHOP]) | JSON
JUDGED = st.fixed_dictionaries(
    {"persona": st.sampled_from([p.id for p in PEOPLE]) | JSON, "items": st.lists(IDS) | JSON},
    optional={
        "tiers": st.lists(st.lists(st.integers(-1, 3), max_size=3), max_size=3) | JSON,
        "utilities": st.lists(st.floats() | JSON, max_size=3),
        "rest": st.sampled_from(["worse", "unknown"]) | JSON,
        "tokens": JSON,
        "digest": JSON,
    },
).map(lambda row: json.dumps(row).encode())
GOOD = json.dumps({"persona": PEOPLE[0].id, "items": [SHOP[0].id, SHOP[1].id], "tiers": [[1], [0]]})


@pytest.mark.slow
@some(400)
@example(b'{"persona": "persona-0", "items": ["item-0"], "tiers": [[0]], "utilities": [1e999]}')
@given(bytes_like(JUDGED, LINES, st.sampled_from([GOOD.encode(), b"\n"])))
def test_any_judgments(here: Path, data: bytes) -> None:
    file = here / "any.jsonl"
    file.write_bytes(data)
    outcome(lambda: read_lines(file))
    ledger = Ledger(here / "RUN/rounds", SHOP, PEOPLE)
    for judgment in outcome(lambda: ledger.read_judgments(file)) or ():
        assert judgment.ranking.check(len(judgment.slate.items)).ranks(len(judgment.slate.items))


SECTIONS = (b"[train]\n", b"[teacher.of]\n", b"rounds = 3\n", b"seed = -1\n", b"max_cost = nan\n")
PARTS = (b"teacher = ", b"use = ", b'"simulated"\n', b"1979-05-27", b"9" * 5000, b"[" * 5000)
TOML = st.sampled_from((*MARKS, *SECTIONS, *PARTS))


@some(300)
@given(bytes_like(TOML))
def test_any_configuration(here: Path, data: bytes) -> None:
    (here / "any.toml").write_bytes(data)
    table = outcome(lambda: options.read_toml(here / "any.toml"))
    if table is not None:
        outcome(lambda: resolve(recipe("default"), table))


# --- pictures -----------------------------------------------------------------------------------


def _seeds() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = 6, 72.0
    noise = Image.effect_noise((24, 24), 80).convert("RGB")
    frames = {"save_all": True, "append_images": [noise.rotate(90)]}
    how: list[tuple[str, dict[str, Any]]] = [
        ("JPEG", {"exif": exif}), ("JPEG", {"progressive": True}), ("PNG", {"exif": exif}),
        ("PNG", frames), ("GIF", frames), ("WEBP", {"exif": exif}), ("WEBP", frames),
    ]  # fmt: skip
    found = []
    for format, more in how:
        buffer = io.BytesIO()
        noise.save(buffer, format, **more)
        found.append(buffer.getvalue())
    return found


SEEDS = _seeds()


CHANGES = st.integers(0, 12)


@pytest.mark.filterwarnings("ignore")  # Pillow warns of damaged EXIF; that is its job
@some(500)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False), CHANGES, st.binary())
def test_any_picture(seed: bytes, rng: random.Random, changes: int, tail: bytes) -> None:
    data = bytearray(seed)
    for _ in range(changes):
        # Most of what can go wrong is said in the first bytes.
        data[rng.randrange(min(len(data), rng.choice((40, 400, 40_000))))] = rng.randrange(256)
    cut = rng.randrange(len(data)) if rng.random() < 0.3 else len(data)
    for damaged in (bytes(data[:cut]) + tail, tail):
        image = outcome(lambda damaged=damaged: decode(damaged, "item 'x'"))  # type: ignore[misc]
        assert image is None or image.mode == "RGB"


# --- options ------------------------------------------------------------------------------------

PLACES = """seed max_cost device store teacher judge teacher.use teacher.of teacher.noise student
    sampler sampler.by loss.scale catalog catalog.use catalog.path catalog.size personas.people
    evaluators observers streams.split split.test split.group ask.workers train train.rounds
    train.replay exam.items exam.personas nosuch teacher.nosuch"""
WORDS = """simulated consistent boutique table none true nan -1 0 1e999 [] {} {use=1} ['mpr'] a/b
    . 2024-05-13"""
KEYS = st.sampled_from(PLACES.split())
ODD = ("", "9" * 400, "-" + "9" * 400, "9" * 5000, "[" * 2000, "x" * 5000, "a\nb", "\0", "\u2028")
VALUES = st.sampled_from((*WORDS.split(), *ODD))
ASSIGNMENTS = st.builds("{}={}".format, KEYS, VALUES | st.text(max_size=8)) | st.text(max_size=12)


@some(500)
@given(st.lists(ASSIGNMENTS, max_size=4))
def test_any_options(here: Path, words: list[str]) -> None:
    over: options.Table = {}
    for word in words:
        over = options.merge(over, outcome(lambda word=word: options.assignment(word)) or {})  # type: ignore[misc]
    made = outcome(lambda: resolve(recipe("default"), over))
    if made is not None:
        assert made.digest() == resolve(made.table()).digest()


@some(150)
@given(st.lists(ASSIGNMENTS, max_size=2))
def test_any_options_of_the_command(here: Path, words: list[str]) -> None:
    flags = [flag for word in [*words, "train.rounds=0"] for flag in ("-o", word)]
    refused(["run", *flags])


@some(150)
@given(st.text(max_size=20) | st.builds("{}.{}".format, KEYS, VALUES))
def test_any_name_for_options_and_check(here: Path, name: str) -> None:
    result = CliRunner().invoke(main, ["options", "--", name])
    if result.exit_code:
        refused(["options", "--", name])
    refused(["plugins", "check", "--", f"{name}!"])


def refused(words: list[str]) -> None:
    """The command ends with one proper line and the code of a mistake."""
    result = CliRunner().invoke(main, words)
    assert result.exit_code in (2, 4, 5), (words, result.output, result.exception)
    (line,) = [line for line in result.stderr.split("\n") if line.startswith("Error: ")]
    proper(line)


@some(200)
@example("x" * 5000)
@example("a\0b")
@example("table:")
@given(st.text(max_size=30) | st.builds("{}:{}".format, st.text(max_size=5), VALUES))
def test_any_catalog_or_personas(here: Path, text: str) -> None:
    for role in ("catalog", "personas"):
        table = outcome(lambda role=role: source_table(text, role))  # type: ignore[misc]
        if table is not None:
            source = outcome(lambda table=table: options.build("source", table, "x"))  # type: ignore[misc]
            if source is not None and source.label in ("table", "lines"):
                read_both(source)  # not a folder: "/" is one, too

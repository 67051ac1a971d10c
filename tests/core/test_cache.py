"""`pvd cache`: what is in a store, published, taken from others and thrown away."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import pvd
from pvd import testing
from pvd.cli import main
from pvd.folder import read_json
from pvd.records import Reply, Request, Tokens
from pvd.store import Spent, Store, archive, database, default_path, exchange, upkeep
from pvd.store.database import SCHEMA

FORMATS = ("jsonl", "parquet", "sqlite")


@pytest.fixture
def path(own_cache: Path) -> Path:
    """The store that commands take by default."""
    return default_path()


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Another store."""
    return tmp_path / "other.sqlite"


def request(number: int = 0) -> Request:
    return Request(testing.slate(), {"number": number, "text": "größer\u2028", "x": [1, 2.0]})


def reply(text: str = "A > B", **changes: Any) -> Reply:
    values = {"model": "m-1", "tokens": Tokens(1100, 50, 900, 300, 20, 7), "dollars": 0.25}
    return Reply(text, **values | changes)


def fill(path: Path, *numbers: int, teacher: str = "openai", **changes: Any) -> None:
    with Store(path) as store:
        store.put(teacher, [(request(n), reply(f"\u2028 {n}", **changes)) for n in numbers])


def change(path: Path, query: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(query, values).fetchall()


def rows(path: Path) -> list[Any]:
    return change(path, f"SELECT {', '.join(archive.COLUMNS)} FROM answers ORDER BY digest")


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["cache", *map(str, words)])


def done(*words: str | Path) -> str:
    result = call(*words)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def refused(code: int, *words: str | Path) -> str:
    result = call(*words)
    assert result.exit_code == code, (result.output, result.exception)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert line.endswith((".", "?", "]'"))
    return line.removeprefix("Error: ")


# --- info ---------------------------------------------------------------------------------------


def test_what_is_in_a_store_adds_up(path: Path) -> None:
    fill(path, 1, 2, 3)
    fill(path, 4, finish="refused")
    fill(path, 5, 6, finish="truncated", dollars=None)
    fill(path, 7, teacher="simulated", model="", tokens=Tokens(), dollars=0.0)
    change(path, "UPDATE answers SET date = '2026-01-02T03:04:05+00:00' WHERE finish = 'refused'")
    with Store(path) as store:
        store.adopt("one", Spent(3, 2.5))
    found = json.loads(done("info", "--json"))
    today = max(row[3] for row in rows(path))[:10]
    assert found["path"] == str(path)
    assert found["bytes"] == path.stat().st_size
    assert (found["runs"], found["spent"]) == (1, 2.5)
    hosted, simulated = found["groups"]
    assert (hosted["teacher"], hosted["model"], hosted["answers"]) == ("openai", "m-1", 6)
    assert hosted["finish"] == {"refused": 1, "truncated": 2}
    assert list(hosted["tokens"].values()) == [6600, 300, 5400, 1800, 120, 42]
    assert (hosted["dollars"], hosted["unpriced"]) == (1.0, 2)
    assert (hosted["first"][:10], hosted["last"][:10]) == ("2026-01-02", today)
    assert (simulated["teacher"], simulated["answers"]) == ("simulated", 1)
    assert simulated["finish"] == {}
    change(path, "UPDATE answers SET dollars = NULL WHERE teacher = 'openai'")
    assert [group["dollars"] for group in json.loads(done("info", "--json"))["groups"]] == [None, 0]


@pytest.mark.parametrize("width", [60, 130])
def test_every_number_is_there_at_any_width(
    path: Path, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    fill(path, *range(1200), teacher="openai-compatible", model="Qwen/Qwen3-VL-8B-Instruct")
    fill(path, 2000, finish="refused", dollars=None)
    out = done("info")
    first, *lines = out.splitlines()
    assert first.startswith(f"Store: {path}, ")
    assert all(len(line) <= width for line in lines), out
    for text in ("Instruct", "1,200", "$300.00", "1 unknown", "1.3M", "pictures 1.1M", "out",
                 "thoughts 8.4k", "1 refused"):  # fmt: skip
        assert text in out, (text, out)
    assert "$0" not in out


@pytest.mark.parametrize(("width", "tables"), [(60, 2), (80, 1)])
def test_a_table_that_fits_is_one(
    path: Path, width: int, tables: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    fill(path, 1, teacher="cheap", model="cheap")
    out = done("info")
    assert out.count("teacher, model") == tables
    assert out.count("cheap") == tables, "a model that is called like its teacher is named once"


def test_a_store_of_free_answers_shows_no_tokens(path: Path) -> None:
    fill(path, 1, teacher="simulated", model="", tokens=Tokens(), dollars=0.0)
    out = done("info")
    assert "tokens" not in out
    assert "$0.00" in out  # it is known


def test_names_are_shown_as_they_are(path: Path) -> None:
    fill(path, 1, teacher="[red]me[/red]")
    assert "[red]me[/red]" in done("info")


def test_submissions_under_way_are_shown(path: Path) -> None:
    digests = [request(number).digest for number in range(5)]
    with Store(path) as store:
        store.begin_batch("b-1", "openai", dict.fromkeys(digests, 1.0), "mine")
        store.set_ticket("b-1", "batch_123")
        store.begin_batch("b-2", "claude", {})
        store.put("openai", [(request(0), reply())])
    (first, second) = json.loads(done("info", "--json"))["pending"]
    assert (first["name"], first["teacher"], first["size"]) == ("b-1", "openai", 5)
    assert (first["waiting"], first["ticket"], second["ticket"]) == (4, True, False)
    out = done("info")
    assert "4 of 5" in out
    assert "not known" in out
    assert "Runs: 1, which spent $4.25, " in out


def test_looking_makes_no_store_and_changes_none(path: Path, there: Path) -> None:
    for words in (["info"], ["prune", "--teacher", "x"], ["prune", "--teacher", "x", "--yes"],
                  ["export", there.with_suffix(".jsonl")]):  # fmt: skip
        assert refused(4, *words) == f"There is no store {path}; name another with --store."
        assert not path.exists()
        assert list(there.parent.iterdir()) == []


OLDER = (
    "CREATE TABLE answers (digest TEXT PRIMARY KEY, teacher TEXT NOT NULL, model TEXT NOT NULL,"
    " request TEXT NOT NULL, reply TEXT NOT NULL, input_tokens INTEGER NOT NULL,"
    " output_tokens INTEGER NOT NULL, dollars REAL NOT NULL, date TEXT NOT NULL) WITHOUT ROWID",
    f"INSERT INTO answers VALUES ('{request().digest}', 't', 'm', '"
    + json.dumps(request().body)
    + "', 'A > B', 7, 2, 0.5, '2026-01-01')",
    "PRAGMA user_version=2",
)


def test_an_older_store_is_read_as_it_is(there: Path, path: Path, tmp_path: Path) -> None:
    for query in OLDER:
        change(there, query)
    before = there.read_bytes()
    (group,) = json.loads(done("info", "--json", "--store", there))["groups"]
    assert list(group["tokens"].values()) == [7, 2, 0, 0, 0, 0]
    assert "answers: 1\n" in done("--store", there, "export", tmp_path / "a.jsonl")
    assert "taken: 1," in done("import", there)
    assert there.read_bytes() == before
    with Store(path) as store:
        found, date = store.get([request().digest])[request().digest]
    assert found == Reply("A > B", "m", Tokens(7, 2), 0.5)
    assert date == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("words", [["info"], ["prune", "--teacher", "x", "--yes"],
                                   ["export", "a.jsonl"], ["import"]])  # fmt: skip
def test_what_is_no_store_is_left_alone(
    there: Path, tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = [*words, there] if words == ["import"] else ["--store", there, *words]
    change(there, "CREATE TABLE mine (x)")
    before = there.read_bytes()
    assert refused(5, *named) == f"{there} is no store of answers; name another."
    assert there.read_bytes() == before
    there.write_bytes(b"no database at all, and long enough to be looked at")
    assert "cannot be read (file is not a database)" in refused(5, *named)
    there.unlink()
    change(there, f"PRAGMA user_version={SCHEMA + 1}")
    assert f"was written by a newer pvd (schema {SCHEMA + 1})" in refused(5, *named)
    assert sorted(os.listdir(tmp_path)) == [there.name]


def test_a_store_on_a_disk_for_reading_only(path: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    fill(disk / "answers.sqlite", 1, 2)
    bind = ["mount", "--bind", str(disk), str(disk)]
    try:
        subprocess.run(bind, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk can be mounted by root only")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(disk)], check=True)
        assert "2" in done("--store", disk / "answers.sqlite", "info")
        assert "taken: 2," in done("import", disk / "answers.sqlite")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# --- there and back -----------------------------------------------------------------------------


def published(path: Path, file: Path) -> Path:
    """The store as a file of this format."""
    if file.suffix == ".sqlite":
        return path
    done("--store", path, "export", file)
    return file


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_brings_every_row_as_it_was(
    path: Path, there: Path, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (archive, upkeep):
        monkeypatch.setattr(module, "PAGE", 3)
    fill(there, *range(7))
    fill(there, 7, finish="refused", dollars=None, teacher="claude")
    with Store(there) as store:
        store.put("x", [(request(8), reply("\0 🙂 \ud83d", tokens=Tokens()))])
    file = published(there, tmp_path / f"a.{format}")
    assert done("import", file) == f"{file}: answers taken: 9, here already: 0\n"
    assert rows(path) == rows(there)
    assert done("import", file, file) == f"{file}: answers taken: 0, here already: 9\n" * 2
    assert rows(path) == rows(there)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_a_run_on_published_answers_asks_nothing(
    small: dict[str, Any], tmp_path: Path, there: Path, format: str
) -> None:
    first = pvd.run(out=tmp_path / "a", store=str(there), **small)
    assert read_json(first.folder / "usage.json")["asked"] > 0
    done("import", published(there, tmp_path / f"labels.{format}"))
    second = pvd.run(out=tmp_path / "b", **small)
    assert read_json(second.folder / "usage.json")["asked"] == 0
    metrics = [(run.folder / "metrics.json").read_bytes() for run in (first, second)]
    assert metrics[0] == metrics[1]


def test_only_what_was_chosen_is_exported(path: Path, tmp_path: Path) -> None:
    for number, (teacher, model, day) in enumerate(
        [("a", "m-1", 1), ("a", "m-2", 2), ("b", "m-1", 3), ("b", "m-2", 4)]
    ):
        fill(path, number, teacher=teacher, model=model)
        date = f"2026-03-0{day}T00:00:00+00:00"
        change(path, "UPDATE answers SET date = ? WHERE digest = ?", date, request(number).digest)

    def chosen(*words: str) -> set[tuple[str, str, int]]:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        done("export", file, *words)
        return {(a.teacher, a.model, int(a.date[8:10])) for a in exchange.read(file)}

    assert len(chosen()) == 4
    assert chosen("--teacher", "a") == {("a", "m-1", 1), ("a", "m-2", 2)}
    assert chosen("--model", "m-2") == {("a", "m-2", 2), ("b", "m-2", 4)}
    assert chosen("--since", "2026-03-03") == {("b", "m-1", 3), ("b", "m-2", 4)}
    assert chosen("--teacher", "a", "--since", "2026-03-02") == {("a", "m-2", 2)}
    before = sorted(os.listdir(tmp_path))
    said = refused(5, "export", tmp_path / "no.jsonl", "--since", "2026-03-05")
    assert said == f"No answer in {path} is like that; nothing was written."
    said = refused(5, "export", tmp_path / "no.jsonl", "--model", "m-3")
    assert said == (
        "There is no model in the store 'm-3'; did you mean 'm-2'? There are: m-1, m-2."
    )
    assert sorted(os.listdir(tmp_path)) == before


def test_a_damaged_answer_is_not_published(path: Path, tmp_path: Path) -> None:
    fill(path, 1, 2, 3)
    for query in ("reply = reply, request = '{}'", "dollars = -1"):
        change(path, f"UPDATE answers SET {query} WHERE digest = ?",
               request(1 + ("dollars" in query)).digest)  # fmt: skip
    result = call("export", tmp_path / "a.jsonl")
    assert result.exit_code == 0
    assert result.stdout.endswith("answers: 1\n")
    assert "no import would take them: 2." in result.stderr
    assert len(list(exchange.read(tmp_path / "a.jsonl"))) == 1


def test_parquet_without_its_package(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    fill(path, 1)
    said = "pyarrow.parquet is not installed; type: pip install 'pvd-distill[parquet]'"
    assert refused(3, "export", tmp_path / "a.parquet") == said
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    assert refused(3, "import", tmp_path / "a.parquet") == said


# --- import -------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["jsonl", "sqlite"])
def test_one_wrong_answer_and_the_file_brings_nothing(
    path: Path, there: Path, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PAGE", 2)
    fill(there, *range(9))
    good = published(there, tmp_path / "good.jsonl")
    bad = tmp_path / f"bad.{format}"
    if format == "jsonl":
        lines = good.read_text().split("\n")  # not at U+2028, as splitlines would
        bad.write_text("\n".join([*lines[:8], lines[8].replace("größer", "kleiner"), ""]))
        where = f"{bad}, line 9"
    else:
        bad.write_bytes(there.read_bytes())
        last = max(row[0] for row in rows(bad))
        change(bad, "UPDATE answers SET request = '{}' WHERE digest = ?", last)
        where = f"{bad}, answer 9"
    assert refused(5, "import", bad) == (
        f"{where}: its digest is not that of its request; take the file again from where it "
        "comes, or take this one out."
    )
    assert not path.exists()
    result = call("import", good, bad)
    assert result.exit_code == 5
    assert result.stdout == f"{good}: answers taken: 9, here already: 0\n"
    assert rows(path) == rows(there)


def test_what_is_here_stays_and_nothing_is_spent(path: Path, there: Path, tmp_path: Path) -> None:
    fill(there, 1, 2, 3)
    with Store(there) as store:
        store.adopt("theirs", Spent(3, 0.75))
    file = published(there, tmp_path / "a.jsonl")
    fill(path, 1)
    with Store(path) as store:
        store.claim({request(2).digest: 0.5, request(9).digest: 0.5}, run="mine")
        store.put("me", [(request(3), reply("mine"))])
        result = call("import", file)
        assert result.stdout == f"{file}: answers taken: 1, here already: 1\n"
        assert "replies that were here stay: 1." in result.stderr
        found = store.get([request(n).digest for n in (1, 2, 3)])
        assert [found[request(n).digest][0].text for n in (1, 2, 3)] == [
            "\u2028 1", "\u2028 2", "mine"
        ]  # fmt: skip
        assert found[request(2).digest][0].dollars == 0.25
        assert store.spent("mine") == Spent(2, 1.0)
        assert store.spent("theirs") == Spent()
        store.put("me", [(request(2), reply("mine, later"))])  # what was under way comes back
        assert store.spent("mine") == Spent(2, 0.75)
        assert store.get([request(2).digest])[request(2).digest][0].text == "\u2028 2"


def test_the_same_question_twice_in_one_file(path: Path, tmp_path: Path) -> None:
    fill(path, 1)
    (one,) = archive.answers(path)
    file = tmp_path / "a.jsonl"
    exchange.write(file, [one, one, exchange.Answer(**vars(one) | {"reply": "another"})])
    store = tmp_path / "new.sqlite"
    assert upkeep.bring(store, file) == upkeep.Added(new=1, here=1, other=1)


def test_a_file_that_is_not_there_makes_no_store(path: Path, tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.parquet", "a.sqlite"):
        said = refused(4, "import", tmp_path / name)
        assert said == f"There is no file {tmp_path / name}; check the path."
    assert "must end in .jsonl or .parquet" in refused(5, "import", tmp_path / "a.csv")
    assert not path.exists()


# --- prune --------------------------------------------------------------------------------------


@pytest.fixture
def full(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Answers of two teachers and days."""
    monkeypatch.setattr(upkeep, "PAGE", 2)
    fill(path, *range(5), teacher="a", dollars=0.5)
    fill(path, *range(5, 12), teacher="b", model="m-2", dollars=None)
    change(path, "UPDATE answers SET date = '2026-03-04T00:00:00+00:00'")
    old = [request(number).digest for number in (0, 1, 5)]
    change(path, "UPDATE answers SET date = '2026-03-03T23:59:59+00:00' WHERE digest IN (?,?,?)",
           *old)  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("words", "gone", "said"),
    [
        (["--teacher", "a"], range(5), "Answers: 5, which cost $2.50."),
        (["--model", "m-2"], range(5, 12), "Answers: 7, whose cost nobody knows."),
        (
            ["--before", "2026-03-04"],
            (0, 1, 5),
            "Answers: 3, which cost $1.00, 1 of unknown cost left aside.",
        ),
        (
            ["--before", "2026-03-04", "--teacher", "b"],
            (5,),
            "Answers: 1, whose cost nobody knows.",
        ),
        (["--before", "2026-03-03"], (), "Answers: 0, which cost $0.00."),
    ],
)
def test_only_what_was_chosen_is_deleted(
    full: Path, words: list[str], gone: Any, said: str
) -> None:
    before = rows(full)
    out = done("prune", *words)
    assert said in out
    assert out.endswith("Nothing was deleted; --yes does it.\n")
    assert rows(full) == before
    assert f"Deleted. {said}" in done("prune", *words, "--yes")
    lost = {request(number).digest for number in gone}
    assert rows(full) == [row for row in before if row[0] not in lost]
    assert "Answers: 0," in done("prune", *words, "--yes")


def test_a_prune_names_what_it_means(full: Path) -> None:
    for words in ([], ["--yes"]):
        said = refused(2, "prune", *words)
        assert said == "Say which answers: --teacher, --model or --before."
    assert "did you mean" not in refused(5, "prune", "--teacher", "openai")
    assert "There are: a, b." in refused(5, "prune", "--teacher", "openai")
    refused(2, "prune", "--before", "yesterday")
    assert len(rows(full)) == 12


def test_a_prune_makes_the_file_smaller(path: Path) -> None:
    fill(path, *range(2000))
    fill(path, 5000, teacher="other")
    before = json.loads(done("info", "--json"))["bytes"]
    done("prune", "--teacher", "openai", "--yes")
    assert json.loads(done("info", "--json"))["bytes"] < before / 10


def test_what_nobody_collected_goes_and_stays_spent(full: Path) -> None:
    digests = [request(number).digest for number in range(100, 106)]
    with Store(full) as store:
        store.begin_batch("old", "a", dict.fromkeys(digests[:2], 1.0), "mine")
        store.begin_batch("young", "a", dict.fromkeys(digests[2:4], 1.0), "mine")
        store.claim(dict.fromkeys(digests[4:], 1.0), run="mine")
        change(full, "UPDATE batches SET begun = '2026-01-01T00:00:00+00:00' WHERE name = 'old'")
        change(full, "UPDATE leases SET until = 0 WHERE digest = ?", digests[4])
        out = done("prune", "--before", "2026-01-01")
        assert (
            "older than 30 days, whose answers no provider has any more: 1, with 2 questions" in out
        )
        assert len(store.batches()) == 2
        out = done("prune", "--before", "2026-01-01", "--yes")
        assert "1, with 2 questions." in out
        assert "Leases of processes that are no more: 1." in out
        assert [one.name for one in store.batches()] == ["young"]
        assert set(store.submitted(digests)) == set(digests[2:4])
        assert store.spent("mine") == Spent(6, 6.0)
        assert change(full, "SELECT digest FROM leases") == [(digests[5],)]
    assert len(rows(full)) == 12


# --- a store that others use --------------------------------------------------------------------


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program is writing, and does not end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def test_a_store_that_another_program_holds(
    full: Path, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY", 50)
    fill(there, 100, 101)
    file = published(there, tmp_path / "a.jsonl")
    before = rows(full)
    why = "cannot be written (database is locked); make room, or end what holds it"
    with held(full):
        assert why in refused(5, "import", file)
        assert why in refused(5, "prune", "--teacher", "a", "--yes")
        assert "Answers: 5, " in done("prune", "--teacher", "a")
        assert json.loads(done("info", "--json"))["groups"]
        assert "answers: 12\n" in done("export", tmp_path / "b.jsonl")
    assert rows(full) == before
    assert "taken: 2," in done("import", file)


def test_a_store_that_cannot_be_made_smaller_now(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY", 50)
    shrink: Callable[[Store], None] = Store.shrink

    def with_another(store: Store) -> None:
        with held(full):
            shrink(store)

    monkeypatch.setattr(Store, "shrink", with_another)
    result = call("prune", "--teacher", "a", "--yes")
    assert result.exit_code == 5
    assert "Deleted. Answers: 5, which cost $2.50." in result.stdout
    assert "cannot be made smaller now (database is locked)" in result.stderr
    assert len(rows(full)) == 7


def test_a_run_goes_on_beside_all_of_it(path: Path, there: Path, tmp_path: Path) -> None:
    """A process that keeps answers all the time loses none, and is never told to wait in vain."""
    fill(path, *range(1000, 1400))
    fill(there, *range(2000, 2400))
    file = published(there, tmp_path / "a.jsonl")
    stop, kept, errors = threading.Event(), list[int](), list[BaseException]()

    def asks() -> None:
        try:
            with Store(path) as store:
                while not stop.is_set():
                    mine = request(10_000 + len(kept))
                    assert store.claim({mine.digest: 0.25}, run="mine") == {mine.digest}
                    store.put("run", [(mine, reply())])
                    kept.append(len(kept))
                    time.sleep(0.01)  # a hundred answers a second
        except BaseException as error:  # it is the test's to raise
            errors.append(error)

    thread = threading.Thread(target=asks)
    thread.start()
    try:
        for turn in range(4):
            done("info")
            done("export", tmp_path / f"{turn}.jsonl")
            done("import", file)
            done("prune", "--teacher", "openai", "--yes")
    finally:
        stop.set()
        thread.join()
    assert not errors
    assert len(kept) > 4
    assert {row[0] for row in rows(path)} == {request(10_000 + n).digest for n in kept}
    with Store(path) as store:
        assert store.spent("mine") == Spent(len(kept), pytest.approx(len(kept) / 4))

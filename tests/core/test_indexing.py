"""`pvd index` in processes of its own: killed, in shards, and with pictures that cannot be used."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from filelock import FileLock

import pvd
from pvd import pictures, testing
from pvd.cli import main
from pvd.discovery import registry
from pvd.saving import save_student
from pvd.search.index import Index
from pvd.search.indexing import WHOLE, Shard

COLOURS = Path(__file__).parents[2] / "examples/own_student.py"
STUDENT = ["index", "colours", "-p", str(COLOURS), "--catalog", "shop.csv"]

# Parts of 40 rows instead of 4096, and a student that takes its time: what a kill needs to hit.
SLOWLY = """
import sys, time
from pvd.search import indexing
from pvd.__main__ import main
indexing.ROWS = 40
prepared = indexing.prepared
def slowly(*about):
    for block in prepared(*about):
        time.sleep(0.15)
        yield block
indexing.prepared = slowly
main()
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    registry.load_file(COLOURS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shop(count: int, start: int = 0) -> None:
    """A table of small pictures, with titles."""
    Path("images").mkdir(exist_ok=True)
    lines = ["id,image,title,colour"]
    for item in testing.items(start + count)[start:]:
        path = Path(f"images/{item.id}.png")
        if not path.exists():
            path.write_bytes(item.read())
        lines.append(f'{item.id},{path},"{item.title}, größer",{item.attributes["colour"]}')
    Path("shop.csv").write_text("\n".join(lines) + "\n")


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, [*words])


def done(*words: str) -> dict[str, Any]:
    """What the command prints as JSON."""
    result = invoke(*words, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def process(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def vectors(folder: str) -> dict[str, list[float]]:
    index = Index.open(folder)
    stored = torch.cat([part.vectors for part in index.parts]).float().tolist()
    found = dict(zip(index.ids(), stored, strict=True))
    assert len(found) == len(index)  # no id twice
    return found


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_index_goes_on(how: signal.Signals) -> None:
    shop(400)
    killed = process(*STUDENT, "--to", "killed", "-q")
    deadline = time.monotonic() + 60
    while not list(Path("killed/parts").glob("*.safetensors")):
        assert time.monotonic() < deadline
        assert killed.poll() is None, killed.stderr.read()  # type: ignore[union-attr]
        time.sleep(0.01)
    killed.send_signal(how)
    _, errors = killed.communicate(timeout=30)
    assert killed.returncode == {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130}[how]
    kept = len(Index.open("killed"))
    assert 0 < kept < 400
    if how is signal.SIGINT:
        assert "the same command goes on from here" in errors
    done(*STUDENT, "--to", "undisturbed")
    again = done(*STUDENT, "--to", "killed")
    assert again["added"] == 400 - kept
    assert again["items"] == 400
    assert vectors("killed") == vectors("undisturbed")


def test_a_process_that_died_while_it_wrote_leaves_nothing() -> None:
    shop(30)
    done(*STUDENT, "--to", "index")
    torn = [Path(f"index/parts/.{s}-000002.safetensors.4711.tmp") for s in ("1of1", "2of4")]
    for path in torn:
        path.write_bytes(b"half of it")
    assert done(*STUDENT, "--to", "index")["added"] == 0
    assert not any(path.exists() for path in torn)


@pytest.mark.slow
def test_shards_fill_one_index_at_once() -> None:
    shop(200)
    both = [process(*STUDENT, "--to", "index", "--shard", f"{n}/2", "--json") for n in (1, 2)]
    added = []
    for shard in both:
        out, errors = shard.communicate(timeout=60)
        assert shard.returncode == 0, errors
        added.append(json.loads(out)["added"])
    assert sum(added) == 200
    assert min(added) > 60
    done(*STUDENT, "--to", "alone")
    assert vectors("index") == vectors("alone")
    shop(260)  # an item's shard does not depend on what else is there
    assert done(*STUDENT, "--to", "index", "--shard", "2/2")["added"] < 60
    assert done(*STUDENT, "--to", "index")["items"] == 260


def test_shards_of_another_number_are_kept_out() -> None:
    shop(20)
    done(*STUDENT, "--to", "index", "--shard", "1/2")
    with FileLock("index/parts/.1of2.lock"):
        done(*STUDENT, "--to", "index", "--shard", "2/2")
        for words in ([], ["--shard", "1/3"], ["--shard", "1/2"]):
            result = invoke(*STUDENT, "--to", "index", *words)
            assert result.exit_code == 5
            assert "Another process is changing index (1 of 2); wait for it" in result.stderr
    done(*STUDENT, "--to", "index")


def test_shards_that_start_at_one_moment_do_not_hinder_each_other() -> None:
    """Each looks whether somebody holds the lock of another number, and holds it itself then."""
    with WHOLE.locked(Path("index/parts")):
        pass

    def held(number: int) -> int:
        for _ in range(100):
            with Shard(number, 2).locked(Path("index/parts")):
                pass
        return 100

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(held, (1, 2))) == [100, 100]


@pytest.mark.parametrize("of", [1, 2, 7])
def test_every_item_is_in_one_shard(of: int) -> None:
    shards = [Shard.parse(f"{number}/{of}") for number in range(1, of + 1)]
    counts = [sum(shard.has(str(n)) for n in range(1000)) for shard in shards]
    assert sum(counts) == 1000
    assert all(sum(shard.has(str(n)) for shard in shards) == 1 for n in range(1000))
    assert min(counts) > 0.7 * 1000 / of


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3"])
def test_what_is_no_shard(text: str) -> None:
    shop(3)
    result = invoke(*STUDENT, "--to", "index", "--shard", text)
    assert result.exit_code == 2
    assert f"{text!r} is no shard; write for example 1/4" in result.stderr


def test_prune_takes_out_what_the_catalogue_no_longer_has() -> None:
    shop(60)
    done(*STUDENT, "--to", "index")
    shop(50, start=20)
    assert done(*STUDENT, "--to", "index")["items"] == 70
    found = done(*STUDENT, "--to", "index", "--prune")
    assert (found["added"], found["removed"], found["items"]) == (0, 20, 50)
    assert set(vectors("index")) == {item.id for item in testing.items(70)[20:]}


def test_bad_pictures_are_left_out_and_listed_up_to_one_in_a_hundred() -> None:
    shop(150)
    Path("images/item-7.png").write_bytes(b"no picture")
    found = done(*STUDENT, "--to", "index")
    assert (found["items"], found["skipped"]) == (149, 1)
    (line,) = Path("index/skipped/1of1.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == "item-7"
    assert "convert it or leave it out" in json.loads(line)["why"]
    Path("images/item-9.png").unlink()
    Path("images/item-99.png").unlink()
    result = invoke(*STUDENT, "--to", "other")
    assert result.exit_code == 5
    assert "pictures cannot be used, and at most 1% may be left out" in result.stderr
    shop(150)  # the missing ones are made again
    Path("images/item-7.png").write_bytes(testing.items(8)[7].read())
    assert done(*STUDENT, "--to", "other")["items"] == 150
    for shard in ("1/2", "2/2"):
        last = done(*STUDENT, "--to", "index", "--shard", shard)
    assert last["items"] == 150
    assert not list(Path("index/skipped").iterdir())  # nor what the index as a whole had left out


def test_another_students_index_is_refused(workplace: Path) -> None:
    shop(10)
    done(*STUDENT, "--to", "index")
    result = invoke(*STUDENT, "--to", "index", "-o", "student.width=32")
    assert result.exit_code == 5
    assert "index holds vectors of another student; index into another folder" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["index", "colors", "--to", "i", "--catalog", "shop.csv"], 4, "did you mean 'colours'?"),
        (["index", "images", "--to", "i", "--catalog", "shop.csv"], 4, "no student in images"),
        (["index", "colours", "--to", "i"], 2, "Say what is to be embedded: --catalog PATH."),
        (["index", "colours", "--to", "i", "--catalog", "sho.csv"], 4, "sho.csv for --catalog"),
        ([*STUDENT, "--to", "i", "-o", "train.rounds=1"], 2, "student.KEY or catalog.KEY here"),
        ([*STUDENT, "--to", "i", "-o", "student.with=1"], 5, "did you mean 'width'?"),
        ([*STUDENT, "--to", "i", "--shard", "1/2", "--prune"], 2, "without --shard, when all"),
        ([*STUDENT, "--to", "shop.csv"], 5, "shop.csv cannot be written to"),
        ([*STUDENT, "--to", "images"], 5, "images holds other files and no index"),
        ([*STUDENT, "--to", "i", "--device", "gpu"], 5, "'gpu' is no device"),
    ],
    ids=lambda value: " ".join(value[-3:]) if isinstance(value, list) else None,
)
def test_mistakes_get_one_sentence(words: list[str], code: int, said: str) -> None:
    shop(3)
    result = invoke(*words)
    assert result.exit_code == code, result.output
    assert said in " ".join(result.stderr.split())


def test_a_runs_own_catalogue_and_plug_ins(small_options: list[str]) -> None:
    assert invoke("run", "--out", "run", *small_options, "-o", "train.rounds=1").exit_code == 0
    assert done("index", "run", "--to", "index")["items"] == 100
    hits = pvd.Index.open("index").search("red shoes", 3)
    student = pvd.open_student("run/student")
    image = next(
        i for i in pvd.load("source", "boutique", size=100).catalog() if i.id == hits[0].id
    )
    block = student.embed_prepared(student.prepare([image.open()]))
    assert hits[0].score == pytest.approx(
        float((student.embed_texts(["red shoes"]) @ block.T).detach()), abs=4e-3
    )


def test_a_catalogue_is_read_as_the_run_read_its_own() -> None:
    """The run's options of the source hold for another catalogue of that source, and are said."""
    for path, column in (("shop.csv", "sku"), ("more.csv", "sku"), ("other.csv", "id")):
        shop(60 if path == "more.csv" else 50)
        lines = Path("shop.csv").read_text()
        Path(path).write_text(lines.replace("id,", f"{column},", 1))
    folder = Path("run")
    save_student(loaded(), folder / "student")
    table = Path("shop.csv").resolve()
    (folder / "run.toml").write_text(
        f'[catalog]\nuse = "table"\npath = "{table}"\nid = "sku"\nimage = "image"\n'
    )
    shop(50)
    Path("shop.csv").write_text(Path("shop.csv").read_text().replace("id,", "sku,", 1))

    assert done("index", "run", "--to", "own")["items"] == 50
    more = invoke("index", "run", "--catalog", "more.csv", "--to", "more")
    assert more.exit_code == 0, more.output
    assert "60 items (60 added)" in more.stdout
    assert "As in run: catalog.id=sku; -o sets another one." in more.stderr
    other = ["index", "run", "--catalog", "other.csv", "--to", "other"]
    refused = invoke(*other)
    assert refused.exit_code == 5
    assert "As in run: catalog.id=sku" in refused.stderr
    assert "has no column 'sku'" in " ".join(refused.stderr.split())
    told = invoke(*other, "-o", "catalog.id=id")
    assert told.exit_code == 0, told.output
    assert "As in run" not in told.stderr
    folders = invoke("index", "run", "--catalog", "images", "--to", "folders")
    assert folders.exit_code == 0, folders.output
    assert "As in run" not in folders.stderr  # another source has options of its own


def loaded() -> pvd.Student:
    student = pvd.load("student", "colours")
    student.load("cpu")
    return student


def test_drawn_items_have_no_file(tmp_path: Path) -> None:
    index = Index.create("index", width=4)
    item = pvd.Item("a", partial(bytes))
    index.add_vectors([([item], torch.eye(4)[:1])])
    assert next(index.rows()).image is None
    assert os.listdir("index/parts")


def test_pictures_are_decoded_a_block_ahead_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = pvd.Item.decoded

    def counted(item: pvd.Item, data: bytes) -> Any:
        opened.append(item.id)
        return real(item, data)

    monkeypatch.setattr(pvd.Item, "decoded", counted)
    student = pvd.load("student", "colours")
    student.load("cpu")
    items = testing.items(200)
    blocks = pictures.prepared(student, items)
    seen = [item.id for item in next(blocks).items]
    assert len(opened) <= 2 * pictures.blocks.DECODED
    seen += [item.id for block in blocks for item in block.items]
    assert seen == [item.id for item in items]
    assert sorted(opened) == sorted(seen)


MEMORY = """
import sys
from pathlib import Path
import torch
import pvd
def own():
    lines = Path("/proc/self/status").read_text().split("\\n")
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1e3
index = pvd.Index.open(sys.argv[1])
index.search(torch.ones(1, 512), 12)  # what libraries allocate once
before = own()
index = pvd.Index.open(sys.argv[1])
index.search(torch.randn(16, 512), 12)
print(own() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_searching_needs_a_fraction_of_the_vectors() -> None:
    count = 60_000  # 61 MB in bf16
    index = Index.create("index", width=512)
    nothing = Path("none.jpg")
    index.add_vectors(
        ([pvd.Item(str(n), nothing) for n in range(s, s + 4000)], torch.randn(4000, 512))
        for s in range(0, count, 4000)
    )
    words = [sys.executable, "-c", MEMORY, "index"]
    grown = float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert grown < 20

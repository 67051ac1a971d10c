"""`pvd search` as it is typed: the table, the page, JSON, the graph, and what is refused."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import sys
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch.nn.functional import normalize

import pvd
from pvd import testing
from pvd.cli import main, searching
from pvd.discovery import registry
from pvd.errors import BadInput, MissingFile, UsageError
from pvd.search import graph, hits
from pvd.search.index import Hit, Index

COLOURS = Path(__file__).parents[2] / "examples/own_student.py"
TITLE = '<script>alert("1")</script> größer & 花 [bold]'


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop of forty pictures in a table, and its index."""
    registry.load_file(COLOURS)
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    rows = [{"id": i.id, "image": f"images/{i.id}.png", "title": TITLE, **i.attributes}
            for i in testing.items(40)]  # fmt: skip
    for item in testing.items(40):
        Path(f"images/{item.id}.png").write_bytes(item.read())
    Path("shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = invoke("index", "colours", "--catalog", "shop.jsonl", "--to", "index")
    assert made.exit_code == 0, made.output
    assert made.stdout == "Index: index, 40 items (40 added)\n"
    return tmp_path


def invoke(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(main, [*words], env=environment)


@pytest.mark.parametrize("width", [60, 120])
def test_the_table_fits_the_terminal(width: int) -> None:
    result = invoke("search", "index", "a blue thing", "red", "-k", "3", COLUMNS=str(width))
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.split("\n"))) <= width
    for place, text in enumerate(("a blue thing", "red")):
        hits = Index.open("index").search(text, 3)
        part = result.stdout.partition(text)[2] if place else result.stdout.partition("\nred")[0]
        for hit in hits:
            assert re.search(rf"{hit.rank} +{hit.score:.3f} +{hit.id} +<script>", part), part


def test_titles_are_seen_in_a_narrow_terminal() -> None:
    index = Index.create("long", width=3)
    index.add_vectors([([pvd.Item("L" * 30, Path("a.jpg"), "A title")], torch.eye(3)[:1])])
    for width in (40, 60):
        shown = shown_at(width, index.search(torch.eye(3)[:1])[0])
        assert "A title" in shown
        assert max(map(len, shown.split("\n"))) <= width


def shown_at(width: int, hits: list[Hit]) -> str:
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setattr(sys, "stdout", written)
        searching._show("a text", hits)
    return written.getvalue()


def test_a_title_gives_the_terminal_no_orders() -> None:
    title = "a\x1b[2J\x9b31m\x07 \u202egnp.exe"  # clears it, colours it, rings, turns the text
    item = pvd.Item("odd\x1bid\n", Path("none.jpg"), title)
    index = Index.create("odd", width=3)
    index.add_vectors([([item], torch.eye(3)[:1])])
    shown = shown_at(80, index.search(torch.eye(3)[:1])[0])
    assert not set("\x1b\x9b\x07\u202e") & set(shown)
    assert "a\ufffd[2J\ufffd31m\ufffd \ufffdgnp.exe" in shown
    assert "花 👩‍🔬 سلام" in shown_at(
        80, [replace(index.search(torch.eye(3)[:1])[0][0], title="花 👩‍🔬 سلام")]
    )


def test_as_json() -> None:
    result = invoke("search", "index", "blue", "red", "-k", "2", "--json")
    found = json.loads(result.stdout)
    assert (found["index"], found["items"]) == ("index", 40)
    assert [query["text"] for query in found["queries"]] == ["blue", "red"]
    (first, second) = found["queries"][0]["hits"]
    (hit, _) = Index.open("index").search("blue", 2)
    assert first == {
        "rank": 1,
        "id": hit.id,
        "score": hit.score,
        "title": TITLE,
        "image": str(Path(f"images/{hit.id}.png").absolute()),
        "attributes": hit.attributes,
    }
    assert second["rank"] == 2


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def pictures(self) -> list[str]:
        return [str(attributes["src"]) for tag, attributes in self.tags if tag == "img"]


def test_the_page_shows_pictures_and_runs_nothing() -> None:
    result = invoke("search", "index", "blue", "<b>red</b>", "-k", "5", "--html", "out/hits.html")
    assert result.exit_code == 0, result.output
    assert "Page: out/hits.html" in result.stdout
    assert result.stderr == ""
    page = Page(Path("out/hits.html"))
    assert not {"script", "link", "b"} & {tag for tag, _ in page.tags}
    assert page.text.count(TITLE) == 10
    assert "<b>red</b>" in page.text
    assert len(page.pictures()) == 10
    for source in page.pictures():
        kind, _, data = source.partition(",")
        assert kind == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (48, 48)
    (best,) = Index.open("index").search("blue", 1)
    red, green, blue = (
        Image.open(io.BytesIO(base64.b64decode(page.pictures()[0].partition(",")[2])))
        .resize((1, 1))
        .getpixel((0, 0))
    )
    shown = Image.open(best.image).convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert all(abs(a - b) < 25 for a, b in zip((red, green, blue), shown, strict=True))


def test_missing_pictures_leave_a_place_and_a_line() -> None:
    hits = Index.open("index").search("blue", 3)
    hits[1].image.unlink()
    result = invoke("search", "index", "blue", "-k", "3", "--html", "hits.html")
    assert result.exit_code == 0
    assert f"Pictures missing: 1, such as {hits[1].id}: No such file" in result.stderr
    page = Page(Path("hits.html"))
    assert len(page.pictures()) == 2
    assert "no picture" in page.text


def test_pictures_that_are_no_files_come_from_the_catalogue() -> None:
    made = invoke(
        "index", "colours", "--catalog", "boutique", "-o", "catalog.size=30", "--to", "drawn"
    )
    assert made.exit_code == 0, made.output
    without = invoke("search", "drawn", "red", "-k", "2", "--html", "hits.html")
    assert "Pictures missing: 2" in without.stderr
    assert "as in --catalog SOURCE:PATH" in without.stderr
    given = invoke(
        "search", "drawn", "red", "-k", "2", "--html", "hits.html", "--catalog", "boutique"
    )
    assert given.stderr == ""
    assert len(Page(Path("hits.html")).pictures()) == 2
    other = invoke(
        "search", "index", "red", "-k", "2", "--html", "hits.html", "--catalog", "boutique"
    )
    assert "it is not in the catalogue" in other.stderr


def test_what_is_known_of_a_hit_has_its_columns_names() -> None:
    hit = Hit(1, "a", 0.5, None, None, {"colour": "red", "split": "test", "price": "44", "fit": ""})
    assert hits.about(hit) == "colour: red, price: 44"
    long = {"text": "word " * 30, "colour": "red"} | {f"size{n}": "wide" for n in range(9)}
    said = hits.about(replace(hit, attributes=long))
    assert said.startswith("text: word word")
    assert "…, colour: red, size0: wide, " in said
    assert len(said) == hits.ABOUT
    assert said[-1] == "…"
    invoke("search", "index", "blue", "-k", "1", "--html", "hits.html")
    (best,) = Index.open("index").search("blue", 1)
    for name, value in best.attributes.items():
        assert f"{name}: {value}" in Page(Path("hits.html")).text


def test_a_hit_without_a_title_is_named_by_its_id() -> None:
    rows = [json.loads(line) for line in Path("shop.jsonl").read_text().splitlines()]
    untitled = [{k: v for k, v in row.items() if k != "title"} for row in rows]
    Path("shop.jsonl").write_text("".join(json.dumps(row) + "\n" for row in untitled))
    invoke("index", "colours", "--catalog", "shop.jsonl", "--to", "untitled")
    invoke("search", "untitled", "blue", "-k", "1", "--html", "hits.html")
    (best,) = Index.open("untitled").search("blue", 1)
    page = Page(Path("hits.html"))
    assert f"1. {best.id}" in page.text
    assert page.text.count(best.id) == 1
    (alt,) = (attributes["alt"] for tag, attributes in page.tags if tag == "img")
    assert alt == hits.about(best) != ""
    assert hits.about(best) in page.text


def test_a_catalogue_of_other_columns_is_read_for_the_pictures() -> None:
    rows = [json.loads(line) for line in Path("shop.jsonl").read_text().splitlines()]
    renamed = [{"sku": row.pop("id"), **row} for row in rows]
    Path("other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in renamed))
    words = ["search", "index", "red", "-k", "2", "--html", "hits.html", "--catalog", "other.jsonl"]
    refused = invoke(*words)
    assert "say which one it is with -o catalog.id=" in " ".join(refused.stderr.split())
    read = invoke(*words, "-o", "catalog.id=sku")
    assert read.exit_code == 0, read.output
    assert read.stderr == ""
    assert len(Page(Path("hits.html")).pictures()) == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere", "red"], 4, "There is no index in nowhere; make one with `pvd index`."),
        (["index"], 2, "Missing argument 'TEXT...'"),
        (["index", "red", "-k", "0"], 2, "k must be at least 1, not 0"),
        (["index", "red", "--approximate"], 4, "There is no graph in index; give `pvd index`"),
        (["index", " "], 2, "A text is blank; write what is searched for."),
        (["index", "gr\udcfcn"], 2, "The text 'gr\\udcfcn' is not UTF-8; set the terminal to"),
        (["run", "red"], 4, "There is no index in run, it is a run; make one of it with `pvd index "
                            "run --to found`."),
        (["index/student", "red"], 4, "There is no index in index/student; open index."),
        (["away", "red"], 4, "it is a student; make one of it with `pvd index away --catalog PATH"),
        (["index", "red", "-o", "catalog.size=3"], 2, "-o says how --catalog is read; name one."),
        (["index", "red", "-o", "student.width=3", "--catalog", "boutique"], 2,
         "-o sets catalog.KEY here, not student."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_mistakes_get_one_sentence(words: list[str], code: int, said: str) -> None:
    Path("run").mkdir()
    Path("run/run.toml").touch()
    shutil.copytree("index/student", "away")
    result = invoke("search", *words)
    assert result.exit_code == code, result.output
    assert said in " ".join(result.stderr.split())


# --- the graph --------------------------------------------------------------------------------


def grouped(count: int, width: int = 32) -> torch.Tensor:
    """Vectors in tight groups, where usearch's own settings miss many."""
    rng = torch.Generator().manual_seed(0)
    centres = torch.randn(40, width, generator=rng)
    return normalize(
        centres[torch.arange(count) % 40] + 0.05 * torch.randn(count, width, generator=rng)
    )


def drawn(folder: Path, count: int = 4000) -> Index:
    pytest.importorskip("usearch")
    index = Index.create(folder, width=32)
    items = [pvd.Item(str(n), Path("none.jpg")) for n in range(count)]
    index.add_vectors([(items, grouped(count))])
    return index


@pytest.mark.slow
def test_the_graph_finds_nearly_everything(tmp_path: Path) -> None:
    index = drawn(tmp_path / "drawn")
    said = index.build_graph()
    assert (said["queries"], said["over"]) == (200, "stored vectors")
    assert 0.97 <= said["recall"] <= 1
    queries = grouped(200)
    for k in (1, 10, 100):
        exactly = index.search(queries, k)
        nearly = Index.open(index.folder).search(queries, k, approximate=True)
        shares = [len({h.id for h in a} & {h.id for h in b}) / k
                  for a, b in zip(exactly, nearly, strict=True)]  # fmt: skip
        assert sum(shares) / len(shares) > 0.97
        for a, b in zip(exactly, nearly, strict=True):  # what is found has its exact score
            scores = {hit.id: hit.score for hit in a}
            assert all(hit.score == scores[hit.id] for hit in b if hit.id in scores)
        assert all(len(hits) == k for hits in nearly)
        assert all([h.rank for h in hits] == list(range(1, k + 1)) for hits in nearly)


def test_recall_counts_what_is_missing() -> None:
    best = [[(0, 1.0), (1, 0.9), (2, 0.8)], [(5, 1.0), (6, 0.5), (7, 0.4)]]
    assert graph.recall(best, best, [None, None]) == 1
    assert graph.recall(best, [best[0][:2], best[1]], [None, None]) == pytest.approx(
        (2 / 3 + 1) / 2
    )
    equal = [[(0, 1.0), (1, 0.9), (9, 0.8)], best[1]]  # another one that is as good
    assert graph.recall(best, equal, [None, None]) == 1
    assert graph.recall(best, [[(0, 1.0)], [(5, 1.0)]], [0, 5]) == 0  # itself only


@pytest.mark.slow
def test_a_graph_of_titles_is_measured_with_titles(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    words = ["--catalog", "boutique", "-o", "catalog.size=600", "--to", "drawn", "--approximate"]
    result = invoke("index", "colours", *words)
    assert result.exit_code == 0, result.output
    last = result.stdout.strip().split("\n")[-1]
    assert re.fullmatch(
        r"Graph: recall@10 (0\.9\d\d|1\.000) against the exact search, over 200 titles as queries",
        last,
    )
    before = Path("drawn/graph.usearch").stat().st_mtime_ns
    assert invoke("index", "colours", *words).stdout.strip().split("\n")[-1] == last
    assert Path("drawn/graph.usearch").stat().st_mtime_ns == before  # nothing had changed
    found, exactly = (
        {hit["id"]: hit for hit in json.loads(result.stdout)["queries"][0]["hits"]}
        for result in (
            invoke("search", "drawn", "red shoes", "--approximate", "--json"),
            invoke("search", "drawn", "red shoes", "--json"),
        )
    )
    both = found.keys() & exactly.keys()  # threads build the graph: one may be missed
    assert len(found) == 12
    assert len(both) >= 11
    assert all(found[id]["score"] == exactly[id]["score"] for id in both)


def test_a_graph_of_another_state_is_refused(tmp_path: Path) -> None:
    index = drawn(tmp_path / "drawn", 500)
    index.build_graph()
    index.remove(["7"])
    index.add_vectors([([pvd.Item("7", Path("none.jpg"))], grouped(500)[8:9])])
    with pytest.raises(BadInput, match=r"changed since its graph was built; give `pvd index` with"):
        index.search(grouped(1), approximate=True)
    index.build_graph()
    assert index.search(grouped(1), approximate=True)
    path = index.folder / "graph.usearch"
    data = path.read_bytes()
    for spoilt in (b"no graph", data[: len(data) // 2], b"x" * len(data), data + b"x"):
        path.write_bytes(spoilt)
        with pytest.raises(BadInput, match="is damaged; delete it, and give `pvd index`"):
            Index.open(index.folder).search(grouped(1), approximate=True)
    (index.folder / "graph.usearch").unlink()
    with pytest.raises(MissingFile, match="There is no graph"):
        Index.open(index.folder).search(grouped(1), approximate=True)


def test_without_usearch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usearch", None)
    monkeypatch.delitem(sys.modules, "usearch.index", raising=False)
    again = ["index", "colours", "--catalog", "shop.jsonl", "--to", "index", "--approximate"]
    result = invoke(*again)
    assert result.exit_code == 3
    assert "pip install 'pvd-distill[search]'" in result.stderr


def test_a_graph_of_nothing(tmp_path: Path) -> None:
    pytest.importorskip("usearch")
    with pytest.raises(BadInput, match="holds no items"):
        Index.create(tmp_path / "drawn", width=32).build_graph()
    assert Index.create(tmp_path / "drawn", width=32).search(grouped(1)) == [[]]


def test_what_was_searched_is_said(tmp_path: Path) -> None:
    """How much, with whose vectors, and whether that is all."""
    headline = "40 items in index, embedded by the student colours (as published, not trained)"
    result = invoke("search", "index", "red", COLUMNS="200")
    assert result.stdout.startswith(headline + "\n")
    assert result.stderr == ""
    (Path("index/parts/.1of1.unfinished")).touch()  # what a killed process leaves
    result = invoke("search", "index", "red", "--html", "hits.html", COLUMNS="200")
    headline = headline.replace("index,", "index (not whole),")
    assert result.stdout.startswith(headline + "\n")
    assert result.stderr == "index is not whole: `pvd index` was interrupted, or is at work.\n"
    assert f"<header>{headline}</header>" in Path("hits.html").read_text()
    assert json.loads(invoke("search", "index", "red", "--json").stdout)["unfinished"] is True
    invoke("index", "colours", "--catalog", "shop.jsonl", "--to", "index")
    assert json.loads(invoke("search", "index", "red", "--json").stdout)["unfinished"] is False


def test_what_the_catalogue_lacks_is_said_and_not_taken_out_by_accident() -> None:
    rows = Path("shop.jsonl").read_text().splitlines(keepends=True)
    words = ["index", "colours", "--catalog", "shop.jsonl", "--to", "index"]
    Path("shop.jsonl").write_text("".join(rows[:25]))
    result = invoke(*words)
    assert "15 items of index are not in the catalogue; --prune takes them out." in result.stderr
    assert "40 items (0 added)" in result.stdout
    Path("shop.jsonl").write_text("".join(rows[:10]))
    result = invoke(*words, "--prune")
    assert result.exit_code == 2
    assert "--prune would take out 30 of 40 items, more than half; check" in result.stderr
    assert len(Index.open("index")) == 40
    Path("shop.jsonl").write_text("".join(rows[:25]))
    assert "25 items (0 added, 15 removed)" in invoke(*words, "--prune").stdout
    with pytest.raises(UsageError, match="takes a list of ids"):
        Index.open("index").remove("item-1")


def test_a_run_that_is_misspelt_is_said_first() -> None:
    result = invoke("index", "runs/shopp", "--to", "other")
    assert result.exit_code == 4
    assert "There is no run, folder or student 'runs/shopp'; check the path." in result.stderr


@pytest.mark.filterwarnings("ignore:a text was cut off")
def test_what_the_student_says_of_a_text_goes_with_the_hits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = registry.get("student", "colours")
    real = kind.embed_texts

    def warns(student: pvd.Student, texts: list[str]) -> torch.Tensor:
        warnings.warn("a text was cut off <i>", stacklevel=2)
        found: torch.Tensor = real(student, texts)
        return found

    assert json.loads(invoke("search", "index", "red", "--json").stdout)["notes"] == []
    monkeypatch.setattr(kind, "embed_texts", warns)
    said = json.loads(invoke("search", "index", "red", "--json").stdout)
    assert said["notes"] == ["a text was cut off <i>"]
    invoke("search", "index", "red", "--html", "hits.html")
    assert "a text was cut off &lt;i&gt;" in Path("hits.html").read_text()

"""The index through Python: exact search against brute force, and what may change in a folder."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

import pvd
from pvd import testing
from pvd.discovery import registry
from pvd.errors import BadInput, MissingFile, UsageError
from pvd.pipeline import save_student
from pvd.search import exact
from pvd.search.index import Index

COLOURS = Path(__file__).parents[2] / "examples/colours.py"
WIDTH = 48


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a student."""
    return saved(tmp_path_factory.mktemp("colours") / "student", 1.0)


def saved(folder: Path, scale: float) -> Path:
    registry.load_file(COLOURS)
    student = pvd.load("student", "colours")
    student.load("cpu")
    student.weight.data[0] *= scale
    save_student(student, folder)
    return folder


def things(names: list[str]) -> list[pvd.Item]:
    return [pvd.Item(name, partial(bytes), f"Thing {name}") for name in names]


def rows(count: int, seed: int = 0, width: int = WIDTH) -> Tensor:
    return normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(seed)))


def filled(folder: Path, vectors: Tensor, batch: int = 1000) -> Index:
    """An index of these vectors; ids count from "0"."""
    index = Index.create(folder, width=vectors.shape[1])
    names = [str(n) for n in range(len(vectors))]
    for start in range(0, len(vectors), batch):  # each call leaves a part of its own
        some = slice(start, start + batch)
        index.add_vectors([(things(names[some]), vectors[some])])
    return index


def by_brute_force(index: Index, queries: Tensor, k: int) -> list[list[str]]:
    """The ids of the best, in fp64 from the stored vectors; equal ones by id."""
    stored = torch.cat([part.vectors for part in index.parts]).double()
    ids = list(index.ids())
    scores = normalize(queries.double()).float().double() @ stored.T
    return [
        [name for _, name in sorted(zip((-row).tolist(), ids, strict=True))[:k]] for row in scores
    ]


# --- exact search -----------------------------------------------------------------------------


def spread(count: int) -> Tensor:
    return rows(count)


def clustered(count: int) -> Tensor:
    """So tight that products in bf16 cannot tell members of one group apart."""
    return normalize(rows(5)[torch.arange(count) % 5] + 1e-3 * rows(count, 1))


def nearly_equal(count: int) -> Tensor:
    """One vector, of which a single number differs by the least that bf16 can tell."""
    vectors = rows(1).repeat(count, 1).bfloat16()
    places = torch.arange(count) % WIDTH
    bits = vectors.view(torch.int16)
    bits[torch.arange(count), places] ^= 1
    return vectors.float()


@pytest.mark.parametrize("vectors", [spread, clustered, nearly_equal], ids=lambda f: f.__name__)
@pytest.mark.parametrize("k", [1, 12, 500, 9999])
def test_search_is_exact(tmp_path: Path, vectors, k: int) -> None:
    index = filled(tmp_path / "index", vectors(2500))
    assert len(index.parts) == 3
    queries = torch.cat([rows(18, 2), rows(5)])  # more than are scored at once
    found = [[hit.id for hit in hits] for hits in index.search(queries, k)]
    assert found == by_brute_force(index, queries, k)


def test_what_rounding_hides_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The bound on the first pass is what makes the answer exact: with errors as large as it
    allows, all against the truth, nothing changes; with larger ones, the search does fail."""
    index = filled(tmp_path / "index", clustered(2000))
    query = rows(5)[:1]
    wanted = by_brute_force(index, query, 50)[0]
    ranks = {int(name): rank for rank, name in enumerate(wanted)}
    products, bound = exact.products, WIDTH * 2.0**-24

    def off(by: float) -> list[str]:
        def wrong(blocks, queries, threads):
            scores = products(blocks, queries, threads)
            for position in range(scores.shape[1]):
                scores[0, position] += -by if position in ranks else by
            return scores

        monkeypatch.setattr(exact, "products", wrong)
        return [hit.id for hit in index.search(query, 50)[0]]

    assert off(0.9 * bound) == wanted
    assert off(1e-4) != wanted


def test_the_bound_holds_for_what_is_stored(tmp_path: Path) -> None:
    index = filled(tmp_path / "index", rows(3000, width=512))
    queries = rows(16, 3, 512).float().numpy()
    blocks = [part.vectors for part in index.parts]
    truth = torch.from_numpy(queries).double() @ torch.cat(blocks).double().T
    error = (torch.from_numpy(exact.products(blocks, queries)).double() - truth).abs().max()
    assert 0 < error <= exact.LENGTHS * 512 * exact.UNIT
    assert torch.cat(blocks).double().norm(dim=1).max() <= exact.LENGTHS


def test_a_search_leaves_torch_as_it_was(tmp_path: Path) -> None:
    index = filled(tmp_path / "index", rows(3000))
    one = index.search(rows(4, 9), 7)
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    try:
        torch.set_num_threads(3)
        torch.set_float32_matmul_precision("medium")
        assert index.search(rows(4, 9), 7) == one
        assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (3, "medium")
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)


def test_equal_vectors_stand_by_id_however_they_came(tmp_path: Path) -> None:
    names = ["b", "a", "d", "c", "é", "10", "9"]
    one = rows(1)
    orders = []
    for number, order in enumerate((names, names[::-1])):
        index = Index.create(tmp_path / str(number), width=WIDTH)
        for name in order:
            index.add_vectors([(things([name]), one)])
        orders.append([hit.id for hit in index.search(one, 4)[0]])
    assert orders[0] == orders[1] == sorted(names)[:4]


def test_an_empty_index_has_no_hits(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "index", width=WIDTH)
    assert len(index) == 0
    assert index.search(rows(2), 5) == [[], []]


def test_searching_leaves_the_vectors_on_the_disk(tmp_path: Path) -> None:
    index = filled(tmp_path / "index", rows(9000, width=512), batch=9000)
    index.search(rows(1, 1, 512))
    maps = Path("/proc/self/maps").read_text()
    assert [len(part) for part in index.parts] == [4096, 4096, 808]
    assert all(str(part.path) in maps for part in index.parts)


# --- what is in it ----------------------------------------------------------------------------


def test_hits_say_what_the_catalogue_said(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "index", width=WIDTH)
    title = 'Größe "38" \u2028 <script>alert(1)</script> 花'
    file = pvd.Item("odd id\n", tmp_path / "a.jpg", title, {"colour": "grün"})
    index.add_vectors([([file, *things(["drawn"])], rows(2))])
    first, second = index.search(rows(2)[:1], 9)[0]
    assert (first.rank, second.rank) == (1, 2)
    assert first.score == pytest.approx(1, abs=4e-3)
    assert (first.id, first.title, first.attributes) == (file.id, title, {"colour": "grün"})
    assert first.image == tmp_path / "a.jpg"
    assert second.image is None
    assert list(Index.open(tmp_path / "index").ids()) == [file.id, "drawn"]


def test_an_index_with_a_student_is_searched_by_text_wherever_it_lies(
    tmp_path: Path, colours: Path
) -> None:
    source = tmp_path / "student"
    shutil.copytree(colours, source)
    index = Index.create(tmp_path / "here", source)
    assert index.add(testing.items(40)) == (40, [])
    before = index.search("something green", 7)
    shutil.rmtree(source)
    (tmp_path / "here").rename(tmp_path / "there")
    moved = pvd.Index.open(tmp_path / "there")
    assert moved.search("something green", 7) == before
    assert moved.search(["a", "something green"], 7)[1] == before
    texts = pvd.open_student(colours).embed_texts(["something green"])
    assert moved.search(texts, 7)[0] == before


def test_adding_again_embeds_only_what_is_new(tmp_path: Path, colours: Path) -> None:
    index = Index.create(tmp_path / "index", colours)
    assert index.add(testing.items(10))[0] == 10
    assert index.add(testing.items(25))[0] == 15
    assert list(index.ids()) == [item.id for item in testing.items(25)]
    other = Index.create(tmp_path / "at once", colours)
    other.add(testing.items(25))
    assert torch.equal(*(torch.cat([p.vectors for p in i.parts]) for i in (index, other)))


def test_removing_writes_only_the_parts_concerned(tmp_path: Path) -> None:
    index = filled(tmp_path / "index", rows(30), batch=10)
    before = [(part.path, part.path.stat().st_mtime_ns) for part in index.parts]
    kept = index.search(rows(1, 5), 30)[0]
    gone = {"3", *(str(n) for n in range(20, 30)), "nobody"}
    assert index.remove(gone) == 11
    assert len(index) == len(index.parts[0]) + len(index.parts[1]) == 19
    assert index.parts[1].path.stat().st_mtime_ns == before[1][1]
    assert not before[2][0].exists()
    scores = {hit.id: hit.score for hit in kept}
    for hit in index.search(rows(1, 5), 30)[0]:
        assert hit.id not in gone
        assert hit.score == scores[hit.id]
    assert index.add_vectors([(things(["3"]), rows(1))]) == 1


def test_an_open_index_is_not_disturbed_by_a_removal(tmp_path: Path) -> None:
    index = filled(tmp_path / "index", rows(30), batch=10)
    other = Index.open(tmp_path / "index")
    wanted = other.search(rows(1), 30)
    index.remove([str(n) for n in range(25)])
    assert other.search(rows(1), 30) == wanted
    assert len(Index.open(tmp_path / "index")) == 5


# --- what is refused --------------------------------------------------------------------------


def test_another_student_is_refused(tmp_path: Path, colours: Path) -> None:
    Index.create(tmp_path / "index", colours)
    other = saved(tmp_path / "other", 2.0)
    with pytest.raises(BadInput, match="holds vectors of another student; index into another"):
        Index.create(tmp_path / "index", other)
    shutil.copyfile(
        other / "model.safetensors", tmp_path / "index/student/.new"
    )  # as a hard link must not be written through
    (tmp_path / "index/student/.new").replace(tmp_path / "index/student/model.safetensors")
    with pytest.raises(BadInput, match="is not the one that embedded the items; restore it"):
        Index.open(tmp_path / "index").search("a")


def test_the_students_own_folder_is_left_as_it_is(tmp_path: Path, colours: Path) -> None:
    before = {path.name: path.read_bytes() for path in colours.iterdir()}
    index = Index.create(tmp_path / "index", colours)
    index.add(testing.items(3))
    shutil.rmtree(tmp_path / "index")
    assert {path.name: path.read_bytes() for path in colours.iterdir()} == before


def test_a_part_of_another_index_is_refused(tmp_path: Path, colours: Path) -> None:
    ours = Index.create(tmp_path / "ours", colours)
    theirs = Index.create(tmp_path / "theirs", saved(tmp_path / "student", 2.0))
    theirs.add(testing.items(3))
    (ours.folder / "parts").mkdir()
    shutil.copyfile(theirs.parts[0].path, ours.folder / "parts/1of1-000009.safetensors")
    with pytest.raises(BadInput, match="vectors of another student than its index; take it out"):
        Index.open(ours.folder)


@pytest.mark.parametrize("spoil", ["cut", "empty", "rows"])
def test_a_damaged_part_is_one_sentence(tmp_path: Path, spoil: str) -> None:
    index = filled(tmp_path / "index", rows(20))
    path = index.parts[0].path
    data = path.read_bytes()
    spoilt = {
        "cut": data[:-100],
        "empty": b"",
        "rows": data.replace(b'"id": ', b'"id"; '),
    }[spoil]
    path.with_suffix(".new").write_bytes(spoilt)
    path.with_suffix(".new").replace(path)
    with pytest.raises(BadInput, match="is damaged; delete it, and `pvd index` embeds") as e:
        Index.open(index.folder).search(rows(1))
    assert str(path) in str(e.value)
    path.unlink()
    assert len(Index.open(index.folder)) == 0


def test_vectors_that_are_none_are_refused(tmp_path: Path) -> None:
    index = filled(tmp_path / "index", rows(3))
    for bad in (torch.zeros(1, WIDTH), torch.full((1, WIDTH), torch.nan)):
        with pytest.raises(BadInput, match="zero or not finite"):
            index.add_vectors([(things(["x"]), bad)])
        with pytest.raises(BadInput, match="zero or not finite"):
            index.search(bad)
    with pytest.raises(BadInput, match=r"shape \[1, 7\]; the index needs \[1, 48\]"):
        index.add_vectors([(things(["x"]), rows(1, width=7))])
    with pytest.raises(BadInput, match=r"shape \[48\]"):
        index.search(rows(1)[0])
    with pytest.raises(BadInput, match=r"'2' is in .* already; remove it first"):
        index.add_vectors([(things(["2"]), rows(1))])
    with pytest.raises(UsageError, match="k must be at least 1, not 0"):
        index.search(rows(1), 0)
    with pytest.raises(UsageError, match="has no student; give it vectors"):
        index.search("a text")
    with pytest.raises(UsageError, match="has no student; give it vectors"):
        index.add(things(["x"]))
    assert len(index) == 3


def test_what_came_before_an_error_is_kept(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "index", width=WIDTH)
    good = (things(["a", "b"]), rows(2))
    with pytest.raises(BadInput, match="'a' is in"):
        index.add_vectors([good, good])
    assert list(index.ids()) == ["a", "b"]


def test_folders_that_are_none(tmp_path: Path, colours: Path) -> None:
    with pytest.raises(MissingFile, match=r"There is no index in .*; make one with `pvd index`"):
        Index.open(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="holds other files and no index"):
        Index.create(tmp_path, colours)
    (tmp_path / "old").mkdir()
    (tmp_path / "old/index.json").write_text('{"schema": 99}')
    with pytest.raises(BadInput, match="another version of pvd"):
        Index.open(tmp_path / "old")

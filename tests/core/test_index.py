"""The index through Python: exact search against brute force, and what may change in a folder."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

import pvd
from pvd import testing
from pvd.discovery import registry
from pvd.errors import BadInput, MissingFile, UsageError
from pvd.saving import save_student
from pvd.search import exact, parts
from pvd.search.index import Index
from pvd.search.parts import Row

COLOURS = Path(__file__).parents[2] / "examples/own_student.py"
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
    lengths = stored.norm(dim=1)  # which rounding to bf16 moved a little
    scores = normalize(queries.double()).float().double() @ stored.T / lengths
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
    assert off(0.006) != wanted


def test_the_bound_holds_for_what_is_stored(tmp_path: Path) -> None:
    index = filled(tmp_path / "index", rows(3000, width=512))
    queries = rows(16, 3, 512).float().numpy()
    blocks = [part.vectors for part in index.parts]
    truth = torch.from_numpy(queries).double() @ torch.cat(blocks).double().T
    error = (torch.from_numpy(exact.products(blocks, queries)).double() - truth).abs().max()
    assert 0 < error <= exact.LENGTHS * 512 * exact.UNIT
    lengths = torch.cat(blocks).double().norm(dim=1)
    assert lengths.max() <= exact.LENGTHS
    assert 0 < (lengths - 1).abs().max() <= exact.LENGTH


def test_a_vector_has_cosine_one_with_itself(tmp_path: Path) -> None:
    index = filled(tmp_path / "index", rows(500))
    stored = torch.cat([part.vectors for part in index.parts]).double()
    found = [hits[0] for hits in index.search(stored, 1)]
    assert [hit.id for hit in found] == list(index.ids())
    assert all(abs(hit.score - 1) < 1e-6 for hit in found)


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


@pytest.mark.parametrize("setting", ["autocast", "dtype", "device", "precision"])
def test_a_programs_settings_of_torch_change_no_hit(tmp_path: Path, setting: str) -> None:
    index = filled(tmp_path / "index", clustered(2000))
    queries = rows(3)
    wanted, threads = index.search(queries, 9), torch.get_num_threads()
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    if setting == "precision" and matmul is None:
        pytest.skip("this torch has no setting of its own for processors")
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, threads)
        torch.set_num_threads(1)  # so that no thread of its own keeps the search from a setting
        if setting == "autocast":
            stack.enter_context(torch.autocast("cpu", dtype=torch.bfloat16))
        elif setting == "dtype":
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float64)
        elif setting == "device":
            stack.enter_context(torch.device("meta"))
        else:
            stack.callback(setattr, matmul, "fp32_precision", matmul.fp32_precision)
            matmul.fp32_precision = "bf16"
        assert index.search(queries, 9) == wanted
        if setting == "precision":
            assert matmul.fp32_precision == "bf16"


def test_vectors_of_numpy_are_taken(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "numpy", width=WIDTH)
    index.add_vectors([(things([str(n) for n in range(9)]), rows(9).numpy())])
    of_torch = filled(tmp_path / "torch", rows(9)).search(rows(2), 5)
    assert index.search(rows(2).numpy(), 5) == of_torch


def test_queries_of_any_scale_find_the_same(tmp_path: Path) -> None:
    index = filled(tmp_path / "index", rows(200))
    wanted = [[hit.id for hit in hits] for hits in index.search(rows(3, 1), 9)]
    for scale in (1e300, 1e-300, 3.0):  # their squares are infinite, or zero
        found = index.search(rows(3, 1).double() * scale, 9)
        assert [[hit.id for hit in hits] for hits in found] == wanted


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


@pytest.mark.parametrize("batch", [7, 1500, 4000])
def test_the_vectors_come_out_in_blocks(tmp_path: Path, batch: int) -> None:
    """In the order of the rows, at unit length: their products are what a search finds."""
    count = 4000 if batch > 7 else 40
    index = filled(tmp_path / "index", clustered(count), batch)
    blocks = list(index.vectors())
    assert all(len(some) == len(block) <= exact.BLOCK for some, block in blocks)
    assert [row for some, _ in blocks for row in some] == list(index.rows())
    everything = np.concatenate([block for _, block in blocks])
    assert (everything.dtype, everything.shape) == (np.float32, (count, WIDTH))
    assert np.abs(np.linalg.norm(everything.astype(np.float64), axis=1) - 1).max() < 1e-6
    query = rows(1, 5)
    products = dict(zip(index.ids(), (everything @ query[0].numpy()).tolist(), strict=True))
    for hit in index.search(query, count)[0]:
        assert hit.score == pytest.approx(products[hit.id], abs=1e-6)


def test_the_vectors_of_one_block_are_in_memory_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = filled(tmp_path / "index", rows(3000))
    asked: list[int] = []

    def counted(vectors: Tensor) -> Tensor:
        asked.append(len(vectors))
        return parts.normalized(vectors)

    monkeypatch.setattr("pvd.search.index.normalized", counted)
    for number, (some, _) in enumerate(index.vectors(), 1):
        assert len(asked) == number
        assert len(some) == asked[-1]
    assert sum(asked) == 3000


def test_vectors_go_on_while_the_index_changes(tmp_path: Path) -> None:
    index = filled(tmp_path / "index", rows(30), batch=10)
    names = list(index.ids())
    blocks = index.vectors()
    found = [row.id for row in next(blocks)[0]]
    index.remove(names[5:])
    found += [row.id for some, _ in blocks for row in some]
    assert found == names
    assert [row.id for some, _ in index.vectors() for row in some] == names[:5]
    assert list(Index.create(tmp_path / "empty", width=WIDTH).vectors()) == []


def test_an_index_says_what_it_is(tmp_path: Path, colours: Path) -> None:
    index = Index.create(tmp_path / "index", colours, origin="first")
    index.add(testing.items(12))
    width = index.width
    said = f"<pvd.Index {tmp_path / 'index'}: 12 items, width {width}, student colours (first)>"
    assert repr(index) == said
    (tmp_path / "index/parts/.1of1.unfinished").touch()
    assert "12 items, not whole, width" in repr(index)
    bare = Index.create(tmp_path / "bare", width=4)
    assert repr(bare) == f"<pvd.Index {tmp_path / 'bare'}: 0 items, width 4, no student>"


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


def test_an_edit_of_the_students_folder_does_not_reach_the_index(
    tmp_path: Path, colours: Path
) -> None:
    source = tmp_path / "student"
    shutil.copytree(colours, source)
    index = Index.create(tmp_path / "index", source)
    index.add(testing.items(3))
    with (source / "pvd.json").open("r+") as file:  # in place, as some editors do
        file.truncate(0)
    assert Index.open(index.folder).search("a red one", 1)


def test_another_preparation_of_pictures_is_refused(
    tmp_path: Path, colours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Index.create(tmp_path / "index", colours).add(testing.items(3))
    kind = type(pvd.load("student", "colours"))
    monkeypatch.setattr(kind, "prepare_key", lambda self: "colours 6")
    again = Index.open(tmp_path / "index")
    assert len(again.search("a red one", 3)) == 3, "a text is embedded as before"
    with pytest.raises(BadInput, match=r"were prepared otherwise .* it can be searched"):
        again.add(testing.items(5))
    with pytest.raises(BadInput, match="were prepared otherwise"):
        Index.create(tmp_path / "index", colours)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (3, f"search takes a text, a list of texts, or vectors [Q, {WIDTH}] of numpy or torch, not "
            "3."),
        (None, "of numpy or torch, not None."),
        ((text for text in "ab"), "of numpy or torch, not a generator."),
        ([0.1, 0.2], "of numpy or torch; in the list is 0.1."),
        (["red", ["a"]], "of numpy or torch; in the list is a list of 1."),
        (torch.eye(WIDTH)[0], f"have the shape [{WIDTH}], and the index has vectors of width"),
        (torch.eye(3), "have the shape [3, 3], and the index has vectors of width"),
    ],
    ids=lambda value: repr(value)[:9],
)  # fmt: skip
def test_what_cannot_be_searched(tmp_path: Path, query: Any, said: str) -> None:
    index = filled(tmp_path / "index", rows(3))
    with pytest.raises(BadInput) as caught:
        index.search(query)
    assert said in str(caught.value)


@pytest.mark.parametrize("k", ["3", 2.5, None, True])
def test_k_is_a_number_of_hits(tmp_path: Path, k: Any) -> None:
    index = filled(tmp_path / "index", rows(3))
    with pytest.raises(UsageError, match="k must be a whole number, not "):
        index.search(rows(1), k)
    assert len(index.search(rows(1), np.int64(2))[0]) == 2


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (pvd.Item("scarf", Path("a.png")), "not the item 'scarf' alone; write [item]."),
        ("scarf", "not 'scarf'."),
        (["scarf"], "and one of them is 'scarf'."),
        (None, "not None."),
    ],
    ids=lambda value: repr(value)[:9],
)
def test_what_is_no_list_of_items(tmp_path: Path, items: Any, said: str) -> None:
    index = Index.create(tmp_path / "index", width=WIDTH)
    with pytest.raises(BadInput) as caught:
        index.add(items)
    assert str(caught.value) == f"add takes a list of items (pvd.Item), {said}"
    with pytest.raises(BadInput, match="add_vectors takes a list of pairs of items and vectors"):
        index.add_vectors([(items, rows(1))])


@pytest.mark.parametrize(
    "batches", [(things(["a", "b", "c"]), rows(3)), "ab", [(things(["a"]), [[1.0] * WIDTH])]],
    ids=["no list of pairs", "a text", "no array"],
)  # fmt: skip
def test_what_are_no_batches(tmp_path: Path, batches: Any) -> None:
    index = Index.create(tmp_path / "index", width=WIDTH)
    with pytest.raises(BadInput, match=r"add_vectors takes a list of pairs .* of numpy or torch, "):
        index.add_vectors(batches)
    assert len(index) == 0


def test_an_item_goes_in_once(tmp_path: Path, colours: Path) -> None:
    index = Index.create(tmp_path / "index", colours)
    with pytest.raises(BadInput, match="Two items have the id 'item-0'; give each an id of its"):
        index.add(testing.items(5) + testing.items(2))
    assert len(index) == 0


def test_an_index_inside_its_students_folder_is_refused(tmp_path: Path, colours: Path) -> None:
    shutil.copytree(colours, tmp_path / "student")
    with pytest.raises(UsageError, match="is in the student's own folder; put the index else"):
        Index.create(tmp_path / "student/index", tmp_path / "student")


@pytest.mark.parametrize("count", [2, 15])  # fewer and more than there are hits
def test_stored_vectors_that_are_no_numbers_are_damage(tmp_path: Path, count: int) -> None:
    index = filled(tmp_path / "index", rows(40), batch=20)
    path = index.parts[1].path
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    start += json.loads(data[8:start])["vectors"]["data_offsets"][0]
    data[start : start + 2 * WIDTH * count] = b"\xff" * (2 * WIDTH * count)
    path.with_suffix(".new").write_bytes(data)
    path.with_suffix(".new").replace(path)
    with pytest.raises(BadInput, match=r"1of1-000002\.safetensors is damaged; delete it"):
        Index.open(index.folder).search(rows(1), 9)
    with pytest.raises(BadInput, match=r"1of1-000002\.safetensors is damaged; delete it"):
        list(Index.open(index.folder).vectors())


def test_a_part_that_is_taken_away_while_an_index_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process removes its last item between the listing and the opening."""
    index = filled(tmp_path / "index", rows(20), batch=10)
    listed = Path.glob

    def then_removed(self: Path, pattern: str) -> list[Path]:
        found = list(listed(self, pattern))
        if len(found) == 2:
            found[1].unlink()
        return found

    monkeypatch.setattr(Path, "glob", then_removed)
    assert list(Index.open(index.folder).ids()) == [str(n) for n in range(10)]


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


def test_ctrl_c_while_rows_are_taken_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written then has as many rows as vectors."""
    index, real, calls = Index.create(tmp_path / "index", width=WIDTH), Row.of, count()

    def interrupted(item: pvd.Item) -> Row:
        if next(calls) == 7:
            raise KeyboardInterrupt
        return real(item)

    monkeypatch.setattr(Row, "of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.add_vectors((things([f"{b}{n}" for n in range(5)]), rows(5)) for b in "abc")
    assert list(Index.open(index.folder).ids()) == [f"a{n}" for n in range(5)]


def test_ctrl_c_when_a_part_was_just_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows are not written into another part."""
    index, real, calls = Index.create(tmp_path / "index", width=WIDTH), parts.write, count()

    def interrupted(*given: Any) -> None:
        real(*given)
        if next(calls) == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(parts, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.add_vectors([(things(["a", "b"]), rows(2))])
    assert list(Index.open(index.folder).ids()) == ["a", "b"]


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
    with pytest.raises(UsageError, match="a width of at least 1, not 0"):
        Index.create(tmp_path / "new", width=0)


@pytest.mark.parametrize("change", [{"width": "64"}, {"width": None}, {"student": {}}, "{"])
def test_a_damaged_card_is_one_sentence(tmp_path: Path, colours: Path, change) -> None:
    card = Index.create(tmp_path / "index", colours).folder / "index.json"
    text = change if isinstance(change, str) else json.dumps(json.loads(card.read_text()) | change)
    card.write_text(text)
    with pytest.raises(BadInput, match=r"index\.json is damaged; restore it, or index again into"):
        Index.open(card.parent)

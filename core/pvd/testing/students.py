"""The clauses of a student's contract."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvd.protocols import Student
from pvd.testing.material import items

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.pictures import Pictures

PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt")


def _prepared(student: Student, count: int = 6) -> Pictures:
    from pvd.pictures import Memory, Pictures

    shelf = items(count)
    return Pictures(shelf, Memory(student.prepare([item.open() for item in shelf])))


def _embedded(student: Student, pictures: Pictures, rows: list[int], train: bool = False) -> Tensor:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # what is left out by lot is the same in the same place
        taken = pictures.take(torch.tensor(rows))
        return student.embed_prepared(taken, train=train).detach().clone()


def _parameters(student: Student) -> list[Tensor]:
    return [p for group in student.parameter_groups() for p in group["params"]]


@contextmanager
def _moved(student: Student, by: float) -> Iterator[None]:
    """Every learning weight a little elsewhere, as after some training."""
    import torch

    before = [parameter.detach().clone() for parameter in _parameters(student)]
    with torch.no_grad():
        for parameter in _parameters(student):
            parameter.mul_(1 + by).add_(by / 10)
    yield
    with torch.no_grad():
        for parameter, value in zip(_parameters(student), before, strict=True):
            parameter.copy_(value)


def _unit_length(student: Student) -> None:
    """embeds texts and images into one space, at unit length"""
    import torch

    student.load("cpu")
    texts = student.embed_texts(["a lamp", "somebody who sails"])
    images = _embedded(student, _prepared(student), list(range(6)))
    assert texts.shape == (2, images.shape[1]), f"{tuple(texts.shape)} and {tuple(images.shape)}"
    assert images.shape[0] == 6, f"{images.shape[0]} rows for 6 images"
    for rows in (texts, images):
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows)), atol=1e-4, rtol=0)


def _rows_alone(student: Student) -> None:
    """row i depends on image i alone, in training too"""
    import torch

    student.load("cpu")
    pictures = _prepared(student, 12)
    here = list(range(6))
    for train in (False, True):
        whole = _embedded(student, pictures, here, train)
        for row in (0, 5):
            among = [row if place == row else place + 6 for place in here]
            other = _embedded(student, pictures, among, train)
            torch.testing.assert_close(other[row], whole[row], atol=1e-5, rtol=0)
    # A batch of another size is rounded in other places, in bf16 from the third digit on.
    alone = _embedded(student, pictures, [5])
    torch.testing.assert_close(alone[0], _embedded(student, pictures, here)[5], atol=0.02, rtol=0)


def _tells_apart(student: Student) -> None:
    """embeds different images differently, and the same one alike each time"""
    import torch

    student.load("cpu")
    pictures = _prepared(student)
    first = _embedded(student, pictures, list(range(6)))
    assert torch.equal(first, _embedded(student, pictures, list(range(6)))), "other numbers now"
    assert bool((first != first[0]).any()), "all images have one embedding"


def _prepares_once(student: Student) -> None:
    """prepares an image alike under one key, whatever has been learned since"""
    import torch

    student.load("cpu")
    key, before = student.prepare_key(), _prepared(student)
    rows = torch.arange(6)
    with _moved(student, 0.1):
        assert student.prepare_key() == key, "prepare_key() depends on what learns"
        first, second = before.take(rows), _prepared(student).take(rows)
        assert _alike(first, second), "prepare() depends on what learns"
    student.load("cpu")
    assert student.prepare_key() == key, "prepare_key() differs from one load to the next"


def _alike(first: Any, second: Any) -> bool:
    import torch

    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    return all(torch.equal(first[name], second[name]) for name in first)


def _learns(student: Student) -> None:
    """has parameters that gradients reach through embed_prepared, and texts that stay"""
    import torch

    student.load("cpu")
    before = student.embed_texts(["a lamp"])
    parameters = _parameters(student)
    assert parameters, "parameter_groups() is empty"
    prepared = student.augment(
        _prepared(student).take(torch.arange(6)), torch.Generator().manual_seed(0)
    )
    student.embed_prepared(prepared, train=True)[:, 0].sum().backward()  # type: ignore[no-untyped-call]
    reached = [p for p in parameters if p.grad is not None and bool(p.grad.abs().sum() > 0)]
    assert reached, "no parameter gets a gradient"
    torch.optim.SGD(parameters, lr=0.1).step()
    for parameter in parameters:
        parameter.grad = None
    assert torch.equal(before, student.embed_texts(["a lamp"])), "training moved the texts"
    assert student.learning_rate() > 0, "learning_rate() is what AdamW begins with"


def _saves(student: Student) -> None:
    """gives the same embeddings after save and open, and after state and load_state"""
    import torch

    student.load("cpu")
    pictures, rows = _prepared(student), list(range(6))
    fresh = _embedded(student, pictures, rows)
    with _moved(student, 0.1), tempfile.TemporaryDirectory() as folder:
        student.save(Path(folder))
        files = list(Path(folder).rglob("*"))
        assert not [f for f in files if f.suffix in PICKLES], "a pickle"
        state = {name: tensor.clone() for name, tensor in student.state().items()}
        want = _embedded(student, pictures, rows)
        assert not torch.equal(want, fresh), "the embeddings do not depend on what learns"
        texts = student.embed_texts(["a lamp"])
        other = type(student)(**student.options())
        other.open(Path(folder), "cpu")
        again = _embedded(other, _prepared(other), rows)
        # Not equal to the last bit: changes that were kept apart may be added to the weights, which
        # bf16 rounds elsewhere.
        off = 1 - float((again * want).sum(1).min())
        assert off < 1e-4, f"save and open turn an embedding by 1 - cosine = {off:.1g}"
        assert torch.equal(other.embed_texts(["a lamp"]), texts), "texts after save and open differ"
    student.load("cpu")
    student.load_state(state)
    assert torch.equal(want, _embedded(student, pictures, rows)), "load_state differs"


STUDENT: tuple[Callable[[Any], None], ...] = (
    _unit_length,
    _rows_alone,
    _tells_apart,
    _prepares_once,
    _learns,
    _saves,
)

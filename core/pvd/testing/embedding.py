"""What a student is made to do in its checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pvd.isolation import checks
from pvd.protocols import Student
from pvd.records import Item
from pvd.testing.demands import require

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.pictures import Pictures

PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt", ".pickle")
# In no order that somebody would bring them into: by letters, by length, equal ones together.
TEXTS = ["somebody who sails", "a lamp", "a gift for a gardener, in green", "a lamp", "wine"]
SIZES = ((64, 48), (48, 64), (96, 40), (48, 48), (40, 96), (80, 80))  # in no order, either
HERE = list(range(6))
TURNED = [3, 0, 5, 1, 4, 2]
NEAR = 0.02  # by how much a number of an embedding moves where it is rounded otherwise


def prepared_of(
    student: Student, shelf: Sequence[Item], block: int = 32, sizes: Sequence[tuple[int, int]] = ()
) -> Pictures:
    """These items, prepared so many at once; of these sizes, if some are given."""
    from pvd.pictures import Memory, Pictures
    from pvd.pictures.shelf import joined

    images = [item.open() for item in shelf]
    if sizes:
        images = [image.resize(size) for image, size in zip(images, sizes, strict=True)]
    parts = [images[start : start + block] for start in range(0, len(shelf), block)]
    made = [checks.prepared(student, student.prepare(part), len(part)) for part in parts]
    return Pictures(shelf, Memory(joined(made)))


def embedded(
    student: Student,
    pictures: Pictures,
    rows: Sequence[int] = HERE,
    train: bool = False,
    seed: int = 0,
) -> Tensor:
    """[n, D], the embeddings of these rows."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # what is left out by lot is the same in the same place
        taken = pictures.take(torch.tensor(rows))
        return student.embed_prepared(taken, train=train).detach().clone()


def learning(student: Student) -> list[Tensor]:
    """All that learns."""
    groups = checks.groups(student, student.parameter_groups())
    return [parameter for group in groups for parameter in group["params"]]


def optimizer(student: Student) -> Any:
    """The optimiser that a round begins with."""
    import torch

    groups = [dict(group) for group in student.parameter_groups()]
    for group in groups:
        group.pop("lr_scale", None)
    return torch.optim.AdamW(groups, lr=0.1, fused=True)


@contextmanager
def moved(student: Student, by: float) -> Iterator[None]:
    """Every learning weight a little elsewhere, as after some training."""
    import torch

    before = [parameter.detach().clone() for parameter in learning(student)]
    with torch.no_grad():
        for parameter in learning(student):
            parameter.mul_(1 + by).add_(by / 10)
    yield
    set_back(student, before)


def set_back(student: Student, weights: Sequence[Tensor]) -> None:
    """Put copies of all that learns back where they came from."""
    import torch

    with torch.no_grad():
        for parameter, value in zip(learning(student), weights, strict=True):
            parameter.copy_(value)
            parameter.grad = None


def apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


def require_in_place(what: str, rows: Tensor, alone: Tensor) -> None:
    """AssertionError if a row is what another one is `alone`."""
    for place, row in enumerate(rows):
        if apart(row, alone[place]) > NEAR:
            for other, one in enumerate(alone):
                require(
                    apart(row, one) > NEAR,
                    f"{what} returns in row {place} what belongs into row {other}; return the rows "
                    "in the order in which texts or pictures are handed in",
                )


def alike(first: Any, second: Any) -> bool:
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(first[n].equal(second[n]) for n in first)
    return bool(first.shape == second.shape and first.equal(second))

"""What a student is made to do in its checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pvd.isolation import checks
from pvd.protocols import Student
from pvd.testing.material import items

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.pictures import Pictures

PICKLES = (".pt", ".pth", ".bin", ".pkl", ".ckpt", ".pickle")
TEXTS = ["a lamp", "somebody who sails", "a gift for a gardener, in green"]
HERE = list(range(6))


def pictures_of(student: Student, count: int = 6, block: int = 32) -> Pictures:
    """The first items, prepared so many at once."""
    from pvd.pictures import Memory, Pictures
    from pvd.pictures.shelf import joined

    shelf = items(count)
    images = [item.open() for item in shelf]
    parts = [images[start : start + block] for start in range(0, count, block)]
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


def alike(first: Any, second: Any) -> bool:
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(first[n].equal(second[n]) for n in first)
    return bool(first.shape == second.shape and first.equal(second))

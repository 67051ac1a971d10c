"""A bookmark: how far the training of a round has come, so that it goes on exactly from there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pvd.errors import BadInput, MissingFile
from pvd.folder import read_tensors, write_tensors
from pvd.protocols import Loss, Student

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

SECONDS = 60.0  # between two of them, at least
SHARE = 0.05  # of the time, at most, goes into writing them


@dataclass(frozen=True)
class Mark:
    """What the next step depends on; what is random depends on its number alone."""

    tensors: Mapping[str, Tensor]

    @property
    def losses(self) -> list[float]:
        """Of the steps that are done."""
        return [float(value) for value in self.tensors["losses"]]

    def restore(self, student: Student, loss: Loss) -> None:
        """Put the weights back; before an optimiser is made of them."""
        student.load_state(self._below("student."))
        for number, tensor in enumerate(loss.parameters()):
            tensor.data.copy_(self.tensors[f"loss.{number}"])

    def resume(self, optimizer: Optimizer) -> None:
        """Put the optimiser's averages back."""
        found: dict[int, dict[str, Tensor]] = {}
        for name, tensor in self._below("optimizer.").items():
            number, _, what = name.partition(".")
            found.setdefault(int(number), {})[what] = tensor
        optimizer.load_state_dict(
            {"state": found, "param_groups": optimizer.state_dict()["param_groups"]}
        )

    def _below(self, prefix: str) -> dict[str, Tensor]:
        found = self.tensors.items()
        return {n.removeprefix(prefix): tensor for n, tensor in found if n.startswith(prefix)}


class Bookmark:
    """The file of a mark, written now and then, and removed when the round is done."""

    def __init__(
        self, path: Path, writes: bool = True, say: Callable[[str], None] = lambda line: None
    ) -> None:
        self._path, self._writes, self._say = path, writes, say
        self._wait, self._last = SECONDS, time.monotonic()

    def read(self, about: str) -> Mark | None:
        """The mark, if there is one that is about the same lesson and settings."""
        try:
            mark = Mark(read_tensors(self._path))
        except (BadInput, MissingFile):
            return None  # the round begins anew
        return mark if bytes(mark.tensors["about"].tolist()) == about.encode() else None

    def write(
        self, student: Student, loss: Loss, optimizer: Optimizer, losses: list[float], about: str
    ) -> None:
        """Write it, if the last time is long enough ago."""
        import torch

        begun = time.monotonic()
        if not self._writes or begun - self._last < self._wait:
            return
        tensors = {
            "about": torch.tensor(list(about.encode()), dtype=torch.uint8),
            "losses": torch.tensor(losses, dtype=torch.float64),
        }
        tensors |= {f"student.{name}": tensor for name, tensor in student.state().items()}
        tensors |= {f"loss.{n}": tensor for n, tensor in enumerate(loss.parameters())}
        for number, averages in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": one for name, one in averages.items()}
        try:
            write_tensors(self._path, tensors)
        except BadInput as error:  # it only saves work: the round may well find room for its end
            self._writes = False
            self._say(f"Should it be interrupted, this round begins anew. {error}")
        self._last = time.monotonic()
        self._wait = max(SECONDS, (self._last - begun) / SHARE)

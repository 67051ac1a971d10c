"""Several processes that share the work of one run, as torchrun starts them.

The first process leads: it alone asks, writes and decides, exactly as it would without the others.
Whenever pictures are to be embedded or a round is to be trained, it orders the others to join in.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pvd.errors import MissingPrerequisite, PvdError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

UNLIKE = "A process of this run does not see {}, as the first one does; all need the same files."
WAIT = timedelta(days=30)  # for the next order: a teacher may take its time
WORK = timedelta(days=1)  # for the others: they may have a million pictures to open first


class Team:
    """This process among `size` of them; alone unless it says otherwise."""

    def __init__(self, rank: int = 0, size: int = 1, orders: Any = None) -> None:
        self.rank: int = rank
        self.size: int = size
        self._orders = orders  # the group in which orders are given
        self._at_work = False

    @property
    def leads(self) -> bool:
        """Whether this is the process that asks, writes and decides."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """The device of that name, or this process's own where there are several."""
        return str(_device()) if name == "cuda" and self.size > 1 else name

    def share(self, count: int) -> slice:
        """This process's share of so many things; it may be empty."""
        return self._share(self.rank, count)

    def _share(self, rank: int, count: int) -> slice:
        return slice(count * rank // self.size, count * (rank + 1) // self.size)

    # --- orders -----------------------------------------------------------------------------

    @contextmanager
    def at_work(self, **order: Any) -> Iterator[None]:
        """Order the others to do something with this process; for the first one."""
        if self.size > 1:
            self._tell(order)
        self._at_work = True
        yield
        self._at_work = False  # after an error the others still wait for what will not come

    def orders(self) -> Iterator[dict[str, Any]]:
        """What the first process orders, until it has no more to do; for the others."""
        while order := self._tell({}):
            yield order

    def dismiss(self) -> None:
        """There is nothing more to do; for the first process."""
        if self.size > 1 and not self._at_work:
            with suppress(PvdError):  # whoever is gone need not be told
                self._tell({})

    def _tell(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """The first process's order, in every process."""
        import torch

        text = torch.tensor(list(json.dumps(order).encode()), dtype=torch.uint8)
        length = torch.tensor([len(text)])
        self._broadcast(length, 0, self._orders)
        text = text if self.leads else torch.empty(int(length), dtype=torch.uint8)
        self._broadcast(text, 0, self._orders)
        return dict(json.loads(bytes(text.tolist())))

    # --- tensors ----------------------------------------------------------------------------

    def spread(self, numbers: Tensor | None = None) -> Tensor:
        """The first process's numbers [n], in every process."""
        import torch

        if self.size == 1:
            assert numbers is not None
            return numbers
        length = torch.tensor([0 if numbers is None else len(numbers)])
        self._broadcast(length, 0, None)
        if numbers is None:
            numbers = torch.empty(int(length), dtype=torch.long)
        self._broadcast(numbers, 0, None)
        return numbers

    def check_alike(self, number: int, what: str) -> None:
        """Raise PvdError in a process that has another number than the first one."""
        import torch

        if int(self.spread(torch.tensor([number]))) != number:
            raise PvdError(UNLIKE.format(what))

    def gathered(self, own: Tensor, rows: Tensor | None) -> None:
        """Fill `rows`, which the first process has, with every process's share."""
        from torch import distributed

        with _others():
            if rows is None:
                distributed.send(own, 0)
                return
            for rank in range(1, self.size):
                distributed.recv(rows[self._share(rank, len(rows))], rank)

    def filled(self, rows: Tensor) -> Tensor:
        """`rows`, of which this process filled in its share, with what the others did in theirs."""
        for rank in range(self.size if self.size > 1 else 0):
            self._broadcast(rows[self._share(rank, len(rows))], rank, None)
        return rows

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Add up each parameter's gradient over all processes."""
        if self.size == 1:
            return
        import torch
        from torch import distributed

        # One that no process has a gradient for must stay without: AdamW leaves it alone then.
        have = torch.tensor([p.grad is not None for p in parameters], dtype=torch.uint8)
        with _others():
            distributed.all_reduce(have, distributed.ReduceOp.MAX)
            learning = [p for p, here in zip(parameters, have.tolist(), strict=True) if here]
            for parameter in learning:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            works = [distributed.all_reduce(p.grad, async_op=True) for p in learning]
            for work in works:
                work.wait()

    def _broadcast(self, tensor: Tensor, rank: int, group: Any) -> None:
        from torch import distributed

        if tensor.numel():
            with _others():
                distributed.broadcast(tensor, rank, group=group)


def alone() -> bool:
    """Whether no launcher has started other processes with this one."""
    return int(os.environ.get("WORLD_SIZE", "1")) == 1 or "MASTER_ADDR" not in os.environ


def check_alone(command: str) -> None:
    """UsageError under a launcher, whose processes would do the same thing beside one another."""
    if not alone():
        raise UsageError(
            f"pvd {command} takes no launcher; give the command alone, without torchrun or "
            "accelerate launch."
        )


@contextmanager
def assembled(device: str = "cpu") -> Iterator[Team]:
    """This process's team; torchrun and accelerate say in the environment who belongs to it."""
    if alone():
        yield Team()
        return
    import torch
    from torch import distributed

    gpu = device == "cuda" and torch.cuda.is_available()
    if gpu:
        own = _device()
        if own.index >= torch.cuda.device_count():
            raise MissingPrerequisite(
                f"There are {torch.cuda.device_count()} GPUs for more processes than that; lower "
                "--nproc-per-node."
            )
        torch.cuda.set_device(own)
    with _others():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=WORK)
        orders = distributed.new_group(backend="gloo", timeout=WAIT)
    team = Team(distributed.get_rank(), distributed.get_world_size(), orders)
    try:
        yield team
    finally:
        if team.leads:
            team.dismiss()
        distributed.destroy_process_group()


def _device() -> Any:
    """This process's own GPU."""
    import torch

    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


@contextmanager
def _others() -> Iterator[None]:
    """torch says in pages that somebody has gone; one sentence will do."""
    try:
        yield
    except RuntimeError as error:
        said = re.sub(r"^\[[^]]*\] *", "", str(error).splitlines()[0])[:100]
        raise PvdError(
            f"The other processes of this run cannot be reached ({said}); see what they said, then "
            "give the same command again."
        ) from None

"""What belongs to the whole process is as it was before, once no plug-in's code runs: the working
folder, and what torch assumes (gradients, the type and device of new tensors).

Gradients and the device are settings of a thread: they are put back after each piece of code. The
folder and the type are everybody's, and another thread's plug-in may need them otherwise for a
moment; so they are put back when the last of those that run at once is done.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple


class OfThread(NamedTuple):
    """Settings of torch in one thread."""

    gradients: bool
    device: Any  # a torch.device


class OfProcess(NamedTuple):
    """What all threads share."""

    folder: str | None  # None where it was deleted
    dtype: Any  # a torch.dtype


class _Shared:
    """What all threads share, as it was before any plug-in's code ran."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0  # pieces of code, in whatever threads
        self._given_up = False
        self._before = OfProcess(None, None)

    def begin(self) -> None:
        with self._lock:
            if not self._running:
                self._before = of_process()
            self._running += 1

    def end(self) -> None:
        with self._lock:
            self._running -= 1
            if not (self._running or self._given_up):
                _put_back(self._before)

    def give_up(self) -> None:
        with self._lock:
            if self._running:
                _put_back(self._before)
            self._given_up = True


Before = tuple[_Shared, OfThread]
_shared = _Shared()


def begin() -> Before:
    """A plug-in's code runs in this thread from here on; what `end` needs."""
    shared, before = _shared, of_thread()
    shared.begin()
    return shared, before


def end(before: Before) -> None:
    """That code is done."""
    shared, (gradients, device) = before
    if (torch := _torch()) is not None:
        if torch.is_grad_enabled() != gradients:
            torch.set_grad_enabled(gradients)
        if torch.empty(0).device != (device or torch.device("cpu")):
            # Who sets the CPU pays for that at each call of torch, and nothing is the same.
            torch.set_default_device(None if device is None or device.type == "cpu" else device)
    shared.end()


@contextmanager
def kept() -> Iterator[None]:
    """While this lasts, a plug-in's code runs."""
    before = begin()
    try:
        yield
    finally:
        end(before)


def given_up() -> None:
    """Nobody waits for the code that runs now: what it does later is no reason to put anything
    back, which might be somebody else's by then."""
    global _shared
    _shared.give_up()
    _shared = _Shared()


def of_thread() -> OfThread:
    """How it is in this thread."""
    if (torch := _torch()) is None:
        return OfThread(True, None)  # as torch begins
    return OfThread(torch.is_grad_enabled(), torch.empty(0).device)


def of_process() -> OfProcess:
    """How it is for all."""
    folder = None
    with suppress(OSError):  # it was deleted, and cannot be gone back to
        folder = os.getcwd()
    torch = _torch()
    return OfProcess(folder, torch and torch.get_default_dtype())


def _put_back(before: OfProcess) -> None:
    now = of_process()
    if before.folder is not None and now.folder != before.folder:
        with suppress(OSError):  # the plug-in deleted it: who needs it says so
            os.chdir(before.folder)
    if (torch := _torch()) is not None and now.dtype != (before.dtype or torch.float32):
        torch.set_default_dtype(before.dtype or torch.float32)


def _torch() -> Any:
    """torch, if somebody loaded it; that nobody did is no reason to."""
    if sys.modules.get("torch") is None:
        return None
    import torch  # waits for another thread that is loading it

    return torch

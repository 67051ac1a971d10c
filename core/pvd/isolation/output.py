"""Standard output is for results: what a plug-in prints there goes to stderr, and is said once.

What C code or another program writes to the file descriptor goes to stderr unsaid, from where the
command line begins (`pvd.__main__`).
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from pvd.isolation.guard import plugin_at_work

WRITES = ("buffer", "write", "writelines")
_replaced: list[object] = []  # streams that plug-ins put in; one that is collected closes ours


class Results:
    """Stands for sys.stdout. It leads to stderr while a plug-in's code runs, and in every thread
    but the main one: pvd's own results come from there."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        plugin = plugin_at_work()
        if plugin is None and threading.current_thread() is threading.main_thread():
            return getattr(self._stream, name)
        if name in WRITES:
            who = str(plugin or "A plug-in, from a thread of its own,")
            if who not in self._said:
                self._said.add(who)
                sys.stderr.write(f"{who} prints to stdout, which is for results; it comes here:\n")
        if name in ("buffer", "detach"):
            return _Bytes() if name == "buffer" else _Bytes
        return _nothing if name == "close" else getattr(sys.stderr, name)


class _Bytes(io.BufferedIOBase):
    """Stands for `sys.stdout.buffer`. Whatever is put around that closes it when it is collected;
    this closes nothing else."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return sys.stderr.isatty()

    def fileno(self) -> int:
        return sys.stderr.fileno()

    def write(self, data: Any) -> int:
        binary = getattr(sys.stderr, "buffer", None)
        if binary is None:  # a program's own stream, of text alone
            sys.stderr.write(bytes(data).decode(errors="replace"))
            return len(bytes(data))
        sys.stderr.flush()  # what was written as text comes first
        return int(binary.write(data))

    def flush(self) -> None:
        if sys.stderr and not sys.stderr.closed:
            sys.stderr.flush()


def _nothing() -> None:
    """What closing a stream that belongs to everybody does."""


@contextmanager
def results_only() -> Iterator[None]:
    """While this lasts, only results go to stdout."""
    before, original = sys.stdout, sys.__stdout__
    if before is None:  # closed by whoever started us: nobody wants results
        yield
        return
    results = Results(before)
    sys.stdout = results
    if original is before:
        sys.__stdout__ = results  # type: ignore[misc,assignment]
    try:
        yield
    finally:
        sys.__stdout__ = original  # type: ignore[misc]
        if sys.stdout is results:
            sys.stdout = before


@contextmanager
def streams_kept() -> Iterator[None]:
    """A plug-in that is imported and puts another stream into the place of sys.stdout, around the
    one that it found there, would take all results along: afterwards the old ones are back."""
    before = sys.stdout, sys.stderr
    try:
        yield
    finally:
        if (sys.stdout, sys.stderr) != before:
            _replaced.extend((sys.stdout, sys.stderr))
            sys.stdout, sys.stderr = before

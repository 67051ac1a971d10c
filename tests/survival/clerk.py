"""The teacher of these tests: the simulated one, slow, with a book of all that it is ever sent.

Book and pace come from the environment: as options they would be part of the run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pvd

Simulated = type(pvd.load("teacher", "simulated"))


@dataclass(kw_only=True)
class Clerk(Simulated):
    """Writes down every call before it answers."""

    capabilities = replace(Simulated.capabilities, batch=4, workers=3)

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        line = " ".join([str(os.getpid()), *(request.digest for request in requests)])
        book = os.open(os.environ["CLERK_BOOK"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(book, f"{line}\n".encode())  # one write, so that no two lines mix
        os.close(book)
        time.sleep(float(os.environ["CLERK_SECONDS"]))
        return super().answer(requests)


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("clerk", Clerk)

"""The command `pvd`, and beside it a file that says which stage it is in.

`python child.py STAGES WORDS...`; or by runpy in a forked process, with GIVEN in the globals.
"""

from __future__ import annotations

import os
import sys

import pvd.progress
from pvd.__main__ import main


def tell_stages(path: str) -> None:
    """Append each stage's name as it begins and ends."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    plain = pvd.progress.Plain
    begin, end = plain._begin, plain._end

    def tell_begin(self: pvd.progress.Plain, name: str, total: int | None, unit: str) -> None:
        begin(self, name, total, unit)
        self._told = name.rpartition(", ")[2]
        os.write(file, f"{self._told}\n".encode())

    def tell_end(self: pvd.progress.Plain) -> None:
        os.write(file, f"after {self._told}\n".encode())
        end(self)

    plain._begin, plain._end = tell_begin, tell_end


if "GIVEN" in globals():
    stages, output, environment, words = globals()["GIVEN"]
    os.environ.update(environment)
    out = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
else:
    _, stages, *words = sys.argv
sys.argv = ["pvd", *words]
tell_stages(stages)
main()

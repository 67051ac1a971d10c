"""The command `pvd`, and beside it a file that says which stage it is in.

`python child.py STAGES WORDS...`; or by runpy in a forked process, with GIVEN in the globals.
"""

from __future__ import annotations

import os
import sys

import pvd.progress
from pvd.__main__ import main
from pvd.displays import Plain
from pvd.hookspecs import hookimpl
from pvd.records import Stage


class Telling(Plain):
    """The display, which writes each stage's name into a file as it begins and ends."""

    @hookimpl
    def on_stage(self, stage: Stage) -> None:
        super().on_stage(stage)
        os.write(file, f"{stage.name}\n".encode())

    @hookimpl
    def on_stage_end(self, stage: Stage) -> None:
        os.write(file, f"after {stage.name}\n".encode())


if "GIVEN" in globals():
    stages, output, environment, words = globals()["GIVEN"]
    os.environ.update(environment)
    out = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
else:
    _, stages, *words = sys.argv
sys.argv = ["pvd", *words]
file = os.open(stages, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
pvd.progress.Plain = Telling
main()

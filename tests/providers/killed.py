"""The command `pvd` in a process of its own, which is killed at a moment of its life.

`python killed.py MOMENT SHARD WORDS...`, where MOMENT is one of

- `submitting 2`: the provider has the second batch, and its ticket is on the way;
- `submitted`: everything is handed in, nothing is answered;
- `collecting 250`: so many answers are kept;
- `asking 3`: the third question goes out that no batch brought an answer for;
- `never`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from pvd.__main__ import main
from pvd.asking import collecting, submitting
from pvd.store import Store
from pvd_plugins.teachers.batched import Batched
from pvd_plugins.teachers.claude import Claude
from pvd_plugins.teachers.gemini import Gemini
from pvd_plugins.teachers.openai import OpenAI

_, moment, shard, *words = sys.argv
what, _, number = moment.partition(" ")
count = 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def passed(so_many: int = 1) -> bool:
    """Whether the number of the moment is reached."""
    global count
    count += so_many
    return count >= int(number)


def watch(owner: Any, name: str, before: Any = None, after: Any = None) -> None:
    """Look at each call of a method."""
    method = getattr(owner, name)

    def watched(*given: Any, **more: Any) -> Any:
        if before:
            before(*given)
        found = method(*given, **more)
        if after:
            after(*given)
        return found

    setattr(owner, name, watched)


def put(store: Store, teacher: str, answered: Sequence[Any]) -> None:
    if passed(len(answered)):
        die()


collecting.CHUNK = 50
submitting.GRACE = collecting.GRACE = 1.0
Batched.batch_requests = int(shard)
if what == "submitting":
    for owner in (Claude, Gemini, OpenAI):
        watch(owner, "submit", after=lambda *_: passed() and die())
elif what == "submitted":
    watch(submitting._Submitting, "_wait", before=lambda *_: die())
elif what == "collecting":
    watch(Store, "put", after=put)
elif what == "asking":
    watch(Batched, "answer", after=lambda *_: passed() and die())
sys.argv = ["pvd", *words]
main()

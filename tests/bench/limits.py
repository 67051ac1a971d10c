"""How pvd keeps a provider's limits a minute, told of them and not: how much is refused.

    python tests/bench/limits.py [--questions 350] [--teacher openai]

The provider takes 100 requests in any 60 seconds, or the tokens of 100, and refuses the others with
429. In real time; all cases run at once, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pvd
from pvd import testing
from pvd.asking import Desk, opened
from pvd.records import Slate
from pvd.settings import AskSettings
from pvd.store import Store

sys.path.insert(0, str(Path(__file__).parents[1] / "providers"))
from asked import KEY, KEYS, TEACHERS, options
from fake import Fake

LIMIT, WINDOW, DELAY = 100, 60.0, 0.3
# What the provider limits, and whether pvd is told.
CASES = {
    "requests, told": ("requests_per_minute", True),
    "requests, not told": ("requests_per_minute", False),
    "tokens, told": ("tokens_per_minute", True),
    "tokens, not told": ("tokens_per_minute", False),
}


def measure(name: str, case: str, questions: int) -> dict[str, float]:
    """One case, in this process."""
    what, told = CASES[case]
    people, items = testing.personas(questions), tuple(testing.items(5))
    slates = [Slate(person, items) for person in people]
    with (
        Fake() as fake,
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "answers.sqlite") as store,
        opened(pvd.load("teacher", name, **options(name, fake)), 1) as teacher,
    ):
        fake.delay = DELAY
        limit = LIMIT
        if what == "tokens_per_minute":
            teacher.connect()
            teacher.answer([teacher.request(slates[0])])
            limit *= fake.metered[-1].input + fake.metered[-1].output
            fake.accepted.clear()
        setattr(fake, what, limit)
        known: dict[str, Any] = {what: limit} if told else {}
        desk = Desk(store, AskSettings(**known))
        start = time.monotonic()
        judgments = desk.judgments(teacher, questions, lambda number, attempt: slates[number])
        seconds = time.monotonic() - start
        late = [at for at in fake.limited if at > start + WINDOW]
        taken = [at for at in fake.accepted if at > start + WINDOW]
        return {
            "seconds": seconds,
            "answered": sum(judgment is not None for judgment in judgments),
            "refused": len(fake.limited),
            "refused_later": len(late),
            "share_later": len(late) / max(len(late) + len(taken), 1),
            "a_minute": 60 * len(taken) / max(seconds - WINDOW, 1),
        }


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--questions", type=int, default=350)
    parser.add_argument("--teacher", default="openai", choices=TEACHERS)
    parser.add_argument("--case", choices=list(CASES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(given.teacher, given.case, given.questions)))
        return
    words = [sys.executable, __file__, "--teacher", given.teacher]
    words += ["--questions", str(given.questions), "--case"]
    environment = {**os.environ, **dict.fromkeys(KEYS.values(), KEY), "NO_PROXY": "127.0.0.1"}
    running = {
        case: subprocess.Popen([*words, case], env=environment, stdout=subprocess.PIPE, text=True)
        for case in CASES
    }
    for case, process in running.items():
        said, _ = process.communicate()
        if process.returncode:
            print(f"{case:<19} failed")
            continue
        found = json.loads(said)
        print(
            f"{case:<19} {found['seconds']:5.0f} s, {found['answered']} answered; refused "
            f"{found['refused']}, after the first minute {found['refused_later']} "
            f"({found['share_later']:.1%}); then {found['a_minute']:.1f} a minute"
        )


if __name__ == "__main__":
    main()

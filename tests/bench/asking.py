"""Asking at scale: 64 calls in flight, one in twenty with a fault.

    python tests/bench/asking.py [--slates 20000]

Each size runs in a process of its own. It says how long the asking took, what the process held at
its peak, and whether anything was lost, or asked again after it was answered.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pvd
from pvd import kit, testing
from pvd.asking import Desk, opened
from pvd.records import Slate
from pvd.settings import AskSettings
from pvd.store import Store

# No 429: it says that 64 in flight are too many, and then there are fewer.
FAULTS = ("500", "503", "lost", "cut off", "no JSON")
SHARE = 0.05
ITEMS, PEOPLE, SIZE = 1000, 300, 5


@dataclass(kw_only=True)
class Scripted(kit.PromptedTeacher):
    """Answers in 40 to 120 ms; which question meets which fault, its digest says."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(workers=64)
    service: ClassVar[str] = "scripted"
    model: str = "scripted-1"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.sent: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.in_flight = self.most = 0
        self.lock = threading.Lock()

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        (request,) = requests
        lot = random.Random(request.digest)
        fault = lot.choice(FAULTS) if lot.random() < SHARE else ""
        with self.lock:
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            first = not self.sent[request.digest]
            self.sent[request.digest] += 1
        time.sleep(lot.uniform(0.04, 0.12))
        with self.lock:
            self.in_flight -= 1
            if first and fault == "lost":
                raise kit.Lost("the connection broke")
            if first and fault in ("500", "503"):
                raise kit.Busy(fault)
            self.answered[request.digest] += 1
        if fault == "cut off":
            return [pvd.Reply('{"rank', "scripted-1", finish="truncated")]
        letters = [label for label, _ in request.body["pictures"]]
        lot.shuffle(letters)
        text = "Sorry." if fault == "no JSON" else json.dumps({"ranking": "".join(letters)})
        return [pvd.Reply(text, "scripted-1", pvd.Tokens(1500, 12))]

    def ask(self, prompt: kit.Prompt) -> pvd.Reply:
        raise AssertionError("answer() does it")


def measure(slates: int) -> dict[str, float]:
    """Ask so many questions in this process."""
    items, people = testing.items(ITEMS), testing.personas(PEOPLE)
    lot = random.Random(0)
    chosen = [lot.sample(range(ITEMS), SIZE) for _ in range(slates)]

    def show(number: int, attempt: int) -> Slate:
        order = chosen[number][attempt:] + chosen[number][:attempt]
        return Slate(people[number % PEOPLE], tuple(items[place] for place in order))

    teacher = Scripted()
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "answers.sqlite") as store,
        opened(teacher, 1) as ready,
    ):
        desk = Desk(store, AskSettings(workers=64))
        start = time.perf_counter()
        judgments = desk.judgments(ready, slates, show)
        seconds = time.perf_counter() - start
        kept = len(store.get(teacher.answered))
    return {
        "slates": slates,
        "seconds": seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "most_in_flight": teacher.most,
        "judged": sum(judgment is not None for judgment in judgments),
        "failed": desk.usage.failed,
        "answered": len(teacher.answered),
        "kept": kept,
        "retries": desk.usage.retries,
        "asked_again_after_success": sum(count > 1 for count in teacher.answered.values()),
        "requests_per_second": sum(teacher.sent.values()) / seconds,
    }


def in_a_process_of_its_own(slates: int) -> dict[str, float]:
    """What `measure` says."""
    words = [sys.executable, __file__, "--slates", str(slates), "--alone"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Print both sizes, and the difference that matters."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--slates", type=int, default=20_000)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        print(json.dumps(measure(given.slates)))
        return
    small, large = (in_a_process_of_its_own(n) for n in (given.slates // 10, given.slates))
    for name in large:
        print(f"{name:<26} {small[name]:>10,.1f} {large[name]:>10,.1f}")
    print(f"The larger one holds {large['peak_mb'] - small['peak_mb']:.1f} MB more at its peak.")


if __name__ == "__main__":
    main()

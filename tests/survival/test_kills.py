"""Kill -9 at any moment of any stage: the same command again ends like an undisturbed run."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

KILLS = 50
MOST = 90  # kills, if the random moments miss a stage so often
EACH = 8  # kills of one run at most, so that several runs get to their end

# Where a kill may fall: what the process said last, and what that counts as.
STAGES = {
    "": "start", "catalogue": "start", "student": "start", "preparing pictures": "start",
    "texts": "start", "embedding": "start", "exam questions": "exam questions",
    "validation questions": "validation", "validation": "validation",
    "drawing": "drawing and asking", "asking": "drawing and asking", "training": "training",
    "exam": "exam and report", "after exam": "exam and report",
}  # fmt: skip
AIMS = [stage for stage in STAGES if stage not in ("", "catalogue", "student", "texts")]


def stage_of(said: list[str]) -> str:
    last = said[-1] if said else ""
    return STAGES[last if last in STAGES else last.removeprefix("after ")]


def moments(rng: random.Random, length: float) -> Iterator[tuple[str, float]]:
    """Half of them at any time, half soon after a stage began, each stage in its turn."""
    for number in itertools.count():
        if number % 2:
            aim = AIMS[number // 2 % len(AIMS)]
            yield aim, round(rng.choice([0.01, 0.1, 0.4]) * rng.random(), 4)
        else:
            yield "", round(rng.uniform(0, length), 3)


def strike(process: Any, aim: str, delay: float) -> bool:
    """Kill so many seconds after the stage began; whether it was still running."""
    if not process.until(lambda: not aim or aim in process.stages()):
        return False
    deadline = time.monotonic() + delay
    process.until(lambda: time.monotonic() > deadline)
    process.signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


@pytest.mark.timeout(900)
def test_fifty_kills_change_nothing(
    place: Any, undisturbed: Any, check_whole: Callable[[Path], None]
) -> None:
    seed = int(os.environ.get("PVD_TEST_SEED") or random.randrange(10**6))
    print(f"PVD_TEST_SEED={seed}; an undisturbed run takes {undisturbed.seconds:.1f} s")
    start = time.monotonic()
    rng = random.Random(seed)
    hit: Counter[str] = Counter()
    again = 0
    when = moments(rng, undisturbed.seconds)
    for run in itertools.count():
        if hit.total() >= KILLS and (set(hit) == set(STAGES.values()) or hit.total() >= MOST):
            break
        here = place(f"run-{run}")
        kept: set[str] = set()  # at the last kill
        for _ in range(rng.randint(3, EACH)):
            aim, delay = next(when)
            process = here.fork()
            killed = strike(process, aim, delay)
            mine = here.sent_by(process)
            assert len(mine) == len(set(mine)), "nothing is sent twice by one process"
            assert kept.isdisjoint(mine), "what the store had at a kill is never sent again"
            if not killed:
                assert process.wait() == 0, process.said()
                break
            fell = stage_of(process.stages())
            hit[fell] += 1
            print(f"run {run}: killed {delay} s after {aim or 'its beginning'!r}, in {fell!r}")
            kept = here.kept()
            check_whole(here.folder)
        process = here.fork()
        assert process.wait() == 0, process.said()
        assert kept.isdisjoint(here.sent_by(process))
        assert here.result() == undisturbed.result
        sent = here.sent()
        assert set(sent) == here.kept() == undisturbed.digests
        again += len(sent) - len(set(sent))
        left = [path for path in here.folder.rglob("*") if path.name.endswith(".tmp")]
        assert not left
    print(
        f"{hit.total()} kills of {run} runs in {time.monotonic() - start:.0f} s: {dict(hit)}; "
        f"{again} slates were under way at a kill, and were sent again"
    )
    assert set(hit) == set(STAGES.values()), "no stage is left out"


def test_a_fresh_start_may_be_killed_too(place: Any, undisturbed: Any) -> None:
    """The old run is gone or whole: its rounds never become those of the new one."""
    here = place("run")
    assert here.fork("--seed", "1").wait() == 0
    rng = random.Random()
    for name in ("metrics.json", "rounds", "run.toml", "run.toml"):
        process = here.fork("--fresh")
        assert process.until(lambda gone=here.folder / name: not gone.exists())
        time.sleep(rng.choice([0, 0.001, 0.01]))
        process.signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    plain = here.fork()  # what a user may try
    assert plain.wait() in (0, 5), plain.said()
    assert here.fork("--fresh").wait() == 0
    assert here.result() == undisturbed.result
    assert len(here.kept()) == len(set(here.sent()))

"""Batches whose process is killed: nothing is submitted twice, and the same command ends it."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from subprocess import CompletedProcess

import forked
import pytest
from asked import KEY, KEYS, words
from fake import Fake

pytestmark = pytest.mark.slow

SHARD = 100
SIZE = {
    "train": {"rounds": 1, "slates": 400, "steps": 2, "batch": 8, "validation_slates": 40},
    "exam": {"personas": 4, "items": 6, "repeats": 0, "gallery": 1},
}
FAULTS = ("500", "expired", "refusal", "truncated", "badjson")


class Killable:
    """A run with batches, whose command is given again and again."""

    def __init__(self, name: str, fake: Fake, shop: Path, folder: Path) -> None:
        self.folder = folder / "run"
        given = words(name, fake, shop, **SIZE)
        self._words = [*given, "--batch", "--max-cost", "5", "-o", "ask.poll=0.1"]
        self._words += ["-o", "ask.failures=0.2", "--out", str(self.folder)]
        self._environment = {
            **os.environ,
            **dict.fromkeys(KEYS.values(), KEY),
            "PVD_CACHE_DIR": str(folder),
            "NO_PROXY": "127.0.0.1",
        }

    def until(self, moment: str, shard: int = SHARD) -> CompletedProcess[str]:
        script = Path(__file__).parent / "killed.py"
        command = [sys.executable, str(script), moment, str(shard), *self._words]
        return forked.run(command, self._environment)


@pytest.fixture
def killable(fake: Fake, shop: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Killable:
    return Killable(request.param, fake, shop, tmp_path)


def check(fake: Fake, run: Killable) -> None:
    """What holds after any number of kills."""
    assert (run.folder / "report.html").exists()
    submitted = Counter(digest for batch in fake.submissions for digest in batch)
    assert set(submitted.values()) == {1}, "nothing is submitted twice"
    usage = json.loads((run.folder / "usage.json").read_text())
    assert usage["run_dollars"] <= 5


@pytest.mark.parametrize("killable", ["openai", "claude", "gemini"], indirect=True)
def test_killed_at_every_stage_of_a_batch(killable: Killable, fake: Fake) -> None:
    # One answer in twenty of the batches is none, or cannot be read.
    fake.batch_faults = [FAULTS[n // 20 % len(FAULTS)] if n % 20 == 7 else "" for n in range(9999)]
    fake.batch_seconds = 0.3
    moments = (
        "submitting 1",  # of the exam
        "submitted",
        "collecting 3",
        "submitting 3",  # of the first round of training
        "collecting 150",
        "collecting 150",
        "asking 1",
        "asking 3",
    )
    for moment in moments:
        done = killable.until(moment)
        assert done.returncode == -9, (moment, done.stderr)
    done = killable.until("never")
    assert done.returncode == 0, done.stderr
    check(fake, killable)
    assert fake.files == {}, "nothing of ours stays at the provider"
    directly = Counter(
        asked.question + str(asked.letters) for asked in fake.asked if not asked.custom_id
    )
    assert len(directly) > 10

"""What providers' prompt caches save: the exam's questions against a server with a token meter.

    python tests/bench/prompt_cache.py

Each teacher is asked the same tournaments three times: with first rounds of each persona's own
(the default), with a shared first round whose questions come as they fall, and with a shared one
in which those that show the same pictures follow each other.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1] / "providers"))

from asked import KEY, KEYS, options
from fake import Fake
from PIL import Image

import pvd
from pvd import testing, tournament
from pvd.asking import Desk, opened
from pvd.asking.questions import Questions
from pvd.settings import AskSettings
from pvd.store import Store

ITEMS, PEOPLE, SIDE = 50, 40, 384


def catalogue(folder: Path) -> list[pvd.Item]:
    """Grainy pictures of the usual size."""
    lot = random.Random(0)
    found = []
    for number in range(ITEMS):
        small = Image.frombytes("RGB", (12, 16), lot.randbytes(12 * 16 * 3))
        small.resize((SIDE * 3 // 4, SIDE)).save(folder / f"{number}.jpg")
        found.append(pvd.Item(f"item-{number:02}", folder / f"{number}.jpg"))
    return found


def ask(name: str, items: list[pvd.Item], shared: bool, following: bool) -> dict[str, float]:
    """Play the tournaments, and read the meter."""
    with Fake() as fake, tempfile.TemporaryDirectory() as folder:
        fake.prompt_cache, fake.delay = True, 0.05
        teacher = pvd.load("teacher", name, **options(name, fake))
        with Store(Path(folder) / "answers.sqlite") as store, opened(teacher, 1) as judge:
            desk = Desk(store, AskSettings())
            with patch.object(Questions, "followers", Questions.followers if following else _none):
                tournament.play(
                    desk, judge, testing.personas(PEOPLE), items, group=5, seed=0, shared=shared
                )
            read = sum(one.input for one in fake.metered)
            cached = sum(one.cached for one in fake.metered)
            return {"read": read, "cached": cached / read, "dollars": desk.usage.dollars}


def _none(self: Questions, digests: object) -> dict[str, list[str]]:
    return {}


def main() -> None:
    """A row for each teacher and way of asking."""
    os.environ |= dict.fromkeys(KEYS.values(), KEY)
    ways = {"own": (False, True), "shared, as they fall": (True, False), "shared": (True, True)}
    with tempfile.TemporaryDirectory() as folder:
        items = catalogue(Path(folder))
        for name in ("openai", "claude", "gemini"):
            first = 0.0
            for way, (shared, following) in ways.items():
                found = ask(name, items, shared, following)
                first = first or found["dollars"]
                print(
                    f"{name:<8} {way:<20} {found['read']:>10,} tokens read, "
                    f"{found['cached']:>4.0%} from the cache, ${found['dollars']:.4f}, "
                    f"{found['dollars'] / first:.2f} of the first"
                )


if __name__ == "__main__":
    main()

"""The teachers that speak through SDKs, each set up to ask a fake provider."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from fake import Fake
from PIL import Image

import pvd
from pvd import testing
from pvd.asking import Desk, opened
from pvd.asking.clerk import Usage
from pvd.kit import PromptedTeacher
from pvd.records import Judgment, Reply, Slate
from pvd.settings import AskSettings
from pvd.store import Store

# The variable from which each takes its key.
KEYS = {
    "openai": "OPENAI_API_KEY",
    "claude": "ANTHROPIC_API_KEY",
    "gemini": "GOOGLE_API_KEY",
    "openai-compatible": "OPENAI_COMPATIBLE_API_KEY",
}
TEACHERS = tuple(KEYS)
KEY = "sk-canary-0123456789abcdef"

PEOPLE = testing.personas(40)
ITEMS = tuple(testing.items(5))


def options(name: str, fake: Fake, **more: Any) -> dict[str, Any]:
    """What the teacher needs to find the fake provider."""
    found: dict[str, Any] = {"base_url": fake.url}
    if name in ("openai", "gpt-4o", "openai-compatible"):
        found["base_url"] += "/v1"
    if name == "openai-compatible":
        found["model"] = "fake-model"
    return found | more


def teacher(name: str, fake: Fake, **more: Any) -> PromptedTeacher:
    made: PromptedTeacher = pvd.load("teacher", name, **options(name, fake, **more))
    return made


def question(number: int, attempt: int = 0) -> Slate:
    """Another persona for each number, another order for each attempt."""
    return Slate(PEOPLE[number], ITEMS[attempt:] + ITEMS[:attempt])


class Counter:
    """A desk with a store, where one teacher is asked."""

    def __init__(self, asked: pvd.Teacher, fake: Fake, path: Path) -> None:
        self.teacher, self.fake, self.path = asked, fake, path

    def ask(self, count: int = 1, faults: Any = (), **settings: Any) -> list[Judgment | None]:
        """The judgments of so many questions; the first requests meet these faults."""
        with Store(self.path) as store, opened(self.teacher, 1) as ready:
            desk = Desk(store, AskSettings(**settings))
            self.fake.script(())
            desk.post.connect(ready)  # its probes are not what is tested here
            self.fake.asked.clear()
            self.fake.script(faults)
            try:
                return desk.judgments(ready, count, question)
            finally:
                self.usage: Usage = desk.usage

    def kept(self, number: int = 0, attempt: int = 0) -> Reply | None:
        """The reply to a question that is in the store."""
        digest = self.teacher.request(question(number, attempt)).digest
        with Store(self.path) as store:
            found = store.get([digest])
        return found[digest][0] if digest in found else None


# --- whole runs -----------------------------------------------------------------------------------

COLOURS = Path(__file__).parents[2] / "examples/own_student.py"
LOVES = ("red", "green", "blue")
ROLES = ("nurse", "cook", "sailor", "judge", "clown", "baker", "tailor", "poet", "pilot", "monk")


def draw_shop(folder: Path, items: int = 90, people: int = 60) -> None:
    """A catalogue of coloured squares, and personas who love a colour each."""
    rng = random.Random(0)
    rows = ["id,image"]
    for number in range(items):
        # One colour each, and grainy: what is learned of a colour must reach those beside it.
        colour = [rng.randrange(256) for _ in range(3)]
        grains = [min(max(c + rng.randrange(-60, 61), 0), 255) for _ in range(576) for c in colour]
        Image.frombytes("RGB", (24, 24), bytes(grains)).save(folder / f"{number}.png")
        rows.append(f"square-{number},{number}.png")
    (folder / "catalog.csv").write_text("\n".join(rows) + "\n")
    lines = [
        {"id": f"p{n}", "text": f"{ROLES[n // 3 % len(ROLES)]} loves {LOVES[n % 3]} things"}
        for n in range(people)
    ]
    (folder / "people.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


SMALL = {
    "train": {"rounds": 2, "slates": 40, "steps": 12, "batch": 16, "validation_slates": 12},
    "exam": {"personas": 12, "repeats": 0, "gallery": 2},
}
# As small as a run can be.
TINY = {
    "train": {"rounds": 1, "slates": 12, "steps": 2, "batch": 8, "validation_slates": 6},
    "exam": {"personas": 4, "items": 6, "repeats": 0, "gallery": 1},
}


def words(name: str, fake: Fake, shop: Path, **more: Any) -> list[str]:
    """The command line of a small run with this teacher; tables become `-o`."""
    tables: dict[str, Any] = {"teacher": options(name, fake)}
    for key, value in {**SMALL, **more}.items():
        tables[key] = {**tables.get(key, {}), **value} if isinstance(value, dict) else value
    found = ["run", "-p", str(COLOURS), "--student", "colours", "--teacher", name]
    found += ["--catalog", str(shop / "catalog.csv"), "--personas", str(shop / "people.jsonl")]
    return [*found, *assignments(tables)]


def assignments(tables: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in tables.items():
        if isinstance(value, dict):
            found += assignments(value, f"{prefix}{key}.")
        else:
            found += ["-o", f"{prefix}{key}={value}"]
    return found

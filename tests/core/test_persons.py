"""What core does for teachers that take as long as they take."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

import pvd
from pvd import kit, testing
from pvd.asking import Desk, opened
from pvd.discovery import registry
from pvd.progress import Silent
from pvd.settings import AskSettings
from pvd.store import Store
from pvd.testing import slate

SLATES = [slate(size) for size in (2, 3, 4, 5)]


@dataclass(kw_only=True)
class Sitter(pvd.Teacher):
    """Answers slates of 2 items at once, waits with those of 3 and 4 until it is told to hurry,
    and then has an answer for those of 3; those of 5 break the connection."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(workers=4, person=True)

    def __post_init__(self) -> None:
        self.told: list[object] = []
        self.hurried, self.waiting = threading.Event(), threading.Semaphore(0)
        self.patient = True  # nothing breaks

    def connect(self) -> Sequence[str]:
        self.told.append(self.store_folder)
        return ["open the door"]

    def expect(self, questions: int, stored: int) -> None:
        self.told.append((questions, stored))

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        (request,) = requests
        size = len(request.slate.items)
        if size in (3, 4) and not self.patient:
            self.waiting.release()
            assert self.hurried.wait(60)
            if size == 4:
                raise kit.Busy("nobody said anything")
        elif size == 5 and not self.patient:
            assert self.waiting.acquire(timeout=60)
            assert self.waiting.acquire(timeout=60)
            raise kit.ProviderFailure("The door fell shut.")
        return super().answer(requests)

    def rank(self, slates: Sequence[pvd.Slate]) -> Sequence[pvd.Ranking]:
        return [pvd.Ranking.from_order(range(len(one.items))) for one in slates]

    def kept(self, digests: Sequence[str]) -> None:
        self.told.append(list(digests))

    def hurry(self) -> None:
        self.told.append("hurry")
        self.hurried.set()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "answers.sqlite") as here:
        yield here


def ask(store: Store, teacher: Sitter, progress: Silent | None = None) -> list[object]:
    with opened(teacher, 0) as ready:
        desk = Desk(store, AskSettings(), progress)
        return list(desk.judgments(ready, len(SLATES), lambda n, attempt: SLATES[n]))


def test_it_is_told_what_comes_and_what_is_kept(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = Sitter()
    digests = [teacher.request(one).digest for one in SLATES]
    store.put(
        "before", [(teacher.request(SLATES[0]), teacher.answer([teacher.request(SLATES[0])])[0])]
    )

    assert all(ask(store, teacher, Silent()))
    assert teacher.told[:2] == [tmp_path, (4, 1)]
    kept = [digest for told in teacher.told[2:] for digest in told]  # type: ignore[attr-defined]
    assert sorted(kept) == sorted(digests[1:])
    assert capsys.readouterr().err == "open the door\n", "said though nothing else is"


def test_it_is_told_to_hurry_before_it_is_waited_for(store: Store) -> None:
    """One call breaks: the two that wait come back, and the one that has an answer is kept."""
    teacher = Sitter()
    teacher.patient = False
    digests = [teacher.request(one).digest for one in SLATES]
    with pytest.raises(kit.ProviderFailure, match="The door fell shut"):
        ask(store, teacher)

    assert teacher.told.count("hurry") == 1
    assert set(store.get(digests)) == set(digests[:2])
    assert store.claim(dict.fromkeys(digests[2:], 0.0)) == set(digests[2:]), "nobody has them"


def test_a_check_bothers_nobody() -> None:
    found = dict(testing.check(Sitter(), live=False))
    skipped = [why for why in found.values() if isinstance(why, testing.Skipped)]
    assert sum("nobody is bothered" in why for why in skipped) >= 2
    assert all(why is None for why in found.values() if why not in skipped)


GREEDY = """
from dataclasses import dataclass
import pvd

@dataclass(kw_only=True)
class Greedy(pvd.Teacher):
    store_folder: str = "mine"

@pvd.hookimpl
def register_teachers(register):
    register("greedy", Greedy)
"""


def test_a_name_that_core_needs_is_no_option(tmp_path: Path) -> None:
    file = tmp_path / "greedy.py"
    file.write_text(GREEDY)
    with pytest.raises(kit.BadInput, match="option 'store_folder', a name that core needs"):
        registry.load_file(file)

"""The board: who waits, what is shown, what can be taken back, what a kill leaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pvd
from pvd import kit
from pvd_plugins.teachers.human import board as boards
from pvd_plugins.teachers.human.board import HELD, Board, Stale
from pvd_plugins.teachers.human.journal import Journal


class Clock:
    """Stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """A board, and the threads that wait at it."""

    def __init__(self, folder: Path | None, until: Callable[..., Any]) -> None:
        self.clock, self.until = Clock(), until
        self.board = Board("Which?", Journal(folder), self.clock)
        self.replies: dict[str, str] = {}
        self.errors: dict[str, BaseException] = {}
        self.teacher = pvd.load("teacher", "human")
        self.threads: list[threading.Thread] = []

    def ask(self, slate: pvd.Slate) -> str:
        """One more thread waits for this slate; its digest, once it is on the board."""
        request = self.teacher.request(slate)

        def work() -> None:
            try:
                self.replies[request.digest] = self.board.ask(request)
            except BaseException as error:
                self.errors[request.digest] = error

        def waiting() -> int:
            sheet = self.board._sheets.get(request.digest)
            return sheet.waiting if sheet else 0

        before = waiting()
        self.threads.append(threading.Thread(target=work, daemon=True))
        self.threads[-1].start()
        self.until(lambda: waiting() > before)
        return request.digest

    def say(self, reply: str = "{}") -> str:
        """Answer the slate that is shown."""
        digest = str(self.board.view()["slate"]["id"])
        self.board.answer(digest, [1, 0], reply)
        return digest

    def shown(self) -> str | None:
        slate = self.board.view()["slate"]
        return slate and str(slate["id"])


@pytest.fixture
def asked(tmp_path: Path, until: Callable[..., Any]) -> Iterator[Asked]:
    here = Asked(tmp_path / "human", until)
    yield here
    here.board.stop()
    for thread in here.threads:
        thread.join(10)
        assert not thread.is_alive()


def test_the_latest_answers_are_held_back(asked: Asked, slates: Any) -> None:
    digests = [asked.ask(slate) for slate in slates(HELD + 2)]
    said = [asked.say(f'"{n}"') for n in range(HELD + 1)]

    assert said == digests[: HELD + 1]
    asked.until(lambda: asked.replies == {said[0]: '"0"'})
    assert asked.board.view()["undo"] == HELD
    assert asked.shown() == digests[-1]


def test_an_answer_is_taken_back(asked: Asked, slates: Any) -> None:
    first, second = (asked.ask(slate) for slate in slates(2))
    asked.say()
    assert asked.shown() == second
    asked.board.undo()

    slate = asked.board.view()["slate"]
    assert (slate["id"], slate["order"]) == (first, [1, 0])
    assert asked.board.view()["done"] == 0
    assert asked.replies == {}
    with pytest.raises(Stale, match="no answer left"):
        asked.board.undo()


def test_who_has_answered_everything_can_take_it_back_for_a_moment(
    asked: Asked, slates: Any
) -> None:
    digest = asked.ask(slates(1)[0])
    asked.say()

    assert asked.board.view()["pause"] == boards.PAUSE
    asked.board.undo()
    assert asked.board.view()["pause"] is None
    assert asked.shown() == digest
    asked.say("1")
    asked.clock.now += boards.PAUSE
    asked.board.expect(1, 0)  # whatever happens wakes those who wait
    asked.until(lambda: asked.replies == {digest: "1"})


def test_what_is_held_goes_in_by_itself(
    asked: Asked, slates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "PAUSE", 0.0)
    digest = asked.ask(slates(1)[0])
    asked.say("1")
    asked.until(lambda: asked.replies == {digest: "1"})


def test_another_question_ends_the_pause(asked: Asked, slates: Any) -> None:
    first, other = slates(2)
    asked.ask(first)
    asked.say()
    asked.ask(other)

    assert asked.board.view()["pause"] is None
    asked.clock.now += 2 * boards.PAUSE
    asked.board.expect(2, 0)
    assert asked.board.view()["undo"] == 1


def test_handing_in(asked: Asked, slates: Any) -> None:
    digests = [asked.ask(slate) for slate in slates(3)]
    asked.say("1")
    asked.say("2")
    asked.board.hand_in()

    asked.until(lambda: asked.replies == {digests[0]: "1", digests[1]: "2"})
    assert asked.board.view()["undo"] == 0
    assert asked.shown() == digests[2]


def test_stopping_keeps_what_was_said(asked: Asked, slates: Any) -> None:
    said, not_said = (asked.ask(slate) for slate in slates(2))
    asked.say("1")
    asked.board.stop()

    asked.until(lambda: asked.replies and asked.errors)
    assert asked.replies == {said: "1"}
    assert isinstance(asked.errors[not_said], kit.Busy)
    with pytest.raises(kit.Busy):
        asked.board.ask(asked.teacher.request(slates(3)[2]))


def test_a_slate_is_answered_once(asked: Asked, slates: Any) -> None:
    first, second = (asked.ask(slate) for slate in slates(2))
    asked.say()

    for act in (asked.board.answer, asked.board.draft):
        with pytest.raises(Stale, match="answered in another window"):
            act(first, [0], "x")
    with pytest.raises(Stale):
        asked.board.size(first)
    assert asked.board.size(second) == 5
    asked.board.stop()
    with pytest.raises(Stale, match="ended"):
        asked.board.size(second)


def test_a_slate_that_is_shown_stays_until_it_is_answered(asked: Asked, slates: Any) -> None:
    """And then the persona goes on, if it does."""
    alike, other = slates(2)[0], slates(4)[3]
    assert alike.persona != other.persona
    first = asked.ask(slates(2)[1])
    between = asked.ask(other)
    assert asked.shown() == first
    again = asked.ask(alike)
    assert asked.shown() == first
    asked.say()
    assert asked.shown() == again
    asked.say()
    assert asked.shown() == between


def test_two_threads_may_ask_the_same(asked: Asked, slates: Any) -> None:
    (slate,) = slates(1)
    digest = asked.ask(slate)
    asked.ask(slate)
    asked.say("1")
    asked.board.hand_in()
    for thread in asked.threads:
        thread.join(10)
        assert not thread.is_alive()
    assert asked.replies == {digest: "1"}
    assert not asked.errors


# --- the journal --------------------------------------------------------------------------------


def test_what_was_said_survives_a_kill(
    asked: Asked, slates: Any, tmp_path: Path, until: Callable[..., Any]
) -> None:
    """Another board on the same folder is what the next command has."""
    for slate in slates(3):
        asked.ask(slate)
    said = [asked.say("1"), asked.say("2")]

    later = Asked(tmp_path / "human", until)
    left = [later.ask(slate) for slate in reversed(slates(3))]
    later.until(lambda: later.board.view()["undo"] == 2)
    assert later.shown() == next(digest for digest in left if digest not in said)
    assert later.board.view()["done"] == 2
    later.board.undo()
    assert later.shown() == said[1], "the latest of them, whatever came first"
    later.board.hand_in()
    later.until(lambda: later.replies == {said[0]: "1"})
    later.board.stop()


def test_the_journal_ends_where_the_store_begins(asked: Asked, slates: Any, tmp_path: Path) -> None:
    asked.ask(slates(1)[0])
    digest = asked.say("1")
    path = tmp_path / "human" / f"{digest}.json"
    assert json.loads(path.read_text())["reply"] == "1"
    asked.board.hand_in()
    asked.until(lambda: digest in asked.replies)
    assert path.exists(), "it is not in the store yet"
    asked.board.kept([digest])
    assert not path.exists()
    asked.board.kept([digest])


def test_what_is_taken_back_is_in_no_journal(asked: Asked, slates: Any, tmp_path: Path) -> None:
    asked.ask(slates(1)[0])
    digest = asked.say()
    asked.board.undo()
    assert not (tmp_path / "human" / f"{digest}.json").exists()


def test_an_answer_that_cannot_be_kept_is_none(asked: Asked, slates: Any, tmp_path: Path) -> None:
    digest = asked.ask(slates(1)[0])
    (tmp_path / "human").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="human"):
        asked.say()
    assert asked.shown() == digest
    assert asked.board.view()["done"] == 0


def test_a_damaged_journal_is_said(asked: Asked, slates: Any, tmp_path: Path) -> None:
    (slate,) = slates(1)
    request = asked.teacher.request(slate)
    (tmp_path / "human").mkdir()
    path = tmp_path / "human" / f"{request.digest}.json"
    path.write_text('{"when": ')
    with pytest.raises(kit.BadInput, match="delete it to be asked again"):
        asked.board.ask(request)
    path.unlink()
    assert asked.ask(slate) == request.digest, "nothing of it is left on the board"


def test_nothing_is_kept_where_nobody_said(until: Callable[..., Any], slates: Any) -> None:
    here = Asked(None, until)
    digest = here.ask(slates(1)[0])
    here.say("1")
    here.board.stop()
    here.until(lambda: here.replies == {digest: "1"})


# --- what is told -------------------------------------------------------------------------------


def test_how_much_is_left(asked: Asked, slates: Any) -> None:
    asked.board.expect(128, 3)
    for slate in slates(6):
        asked.ask(slate)
    for seconds in (4.0, 60.0, 6.0):
        assert asked.board.view()["seconds"] is None
        asked.clock.now += seconds
        asked.say()
    view = asked.board.view()
    assert (view["done"], view["of"]) == (6, 128)
    assert view["seconds"] == 6.0 * 122, "the median, by what is left"
    asked.board.view()
    asked.clock.now += boards.BREAK + 1
    asked.say()
    assert asked.board.view()["seconds"] == 6.0 * 121, "a break tells nothing"


def test_news_are_waited_for(asked: Asked, slates: Any) -> None:
    version = asked.board.view()["version"]
    found: list[dict[str, Any]] = []
    watcher = threading.Thread(
        target=lambda: found.append(asked.board.view(version, wait=60)), daemon=True
    )
    watcher.start()
    digest = asked.ask(slates(1)[0])
    watcher.join(30)
    assert found
    assert found[0]["slate"]["id"] == digest
    assert asked.board.view(found[0]["version"], wait=0.0) == found[0]

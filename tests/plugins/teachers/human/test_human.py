"""The teacher `human`: keys, rankings, and what the store has in the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import pvd
from pvd import kit, testing
from pvd.cli import main
from pvd.displays import Live, Plain
from pvd.progress import Progress, Silent
from pvd.settings import recipe, resolve
from pvd.store import Store
from pvd.testing import slate
from pvd_plugins.teachers.human import board, handler


def human(**options: Any) -> Any:
    return pvd.load("teacher", "human", **options)


# --- keys ---------------------------------------------------------------------------------------


def test_what_a_key_depends_on() -> None:
    asked = slate()
    key = human().request(asked).digest
    people = [human(who="ann").request(asked), human(who="bob").request(asked)]
    other = replace(asked, persona=replace(asked.persona, text="Somebody else."))
    turned = replace(asked, items=asked.items[::-1])
    again = replace(asked, repeat=1)
    keys = {key, *(request.digest for request in people)}
    keys |= {human().request(one).digest for one in (other, turned, again)}
    assert len(keys) == 6


def test_what_it_does_not_depend_on() -> None:
    """Not on what nobody sees, nor on where the page is, nor on the run and the role."""
    asked = slate()
    renamed = tuple(
        pvd.Item(f"x{n}", item.image, "another title", {"colour": "other"})
        for n, item in enumerate(asked.items)
    )
    unseen = pvd.Slate(replace(asked.persona, id="x", attributes={}), renamed)
    judge = human(port=8123)
    judge.seed = 99
    assert judge.request(unseen).digest == human().request(asked).digest


def test_another_port_is_the_same_run() -> None:
    def digest(**options: Any) -> str:
        return resolve(recipe("default"), {"judge": {"use": "human", **options}}).digest()

    assert digest() == digest(port=8123)
    assert digest() != digest(who="ann")


@pytest.mark.parametrize(
    "options", [{"port": -1}, {"port": 65536}, {"who": "x" * 41}, {"who": "two\nlines"}]
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(kit.BadInput, match="must be"):
        human(**options)


# --- rankings -----------------------------------------------------------------------------------


def read(text: str, size: int = 5) -> pvd.Ranking:
    teacher = human()
    return teacher.read(teacher.request(slate(size)), pvd.Reply(text)).check(size)  # type: ignore[no-any-return]


def test_replies_are_read() -> None:
    assert read('{"ranking": [[2], [0], [4], [1], [3]]}').tiers == ((2,), (0,), (4,), (1,), (3,))
    few = read('{"ranking": [[2], [0], [1, 3, 4]]}')
    assert few.tiers == ((2,), (0,), (1, 3, 4))
    assert len(few.pairs(5)) == 4 + 3, "nothing about those that were not placed"


def test_a_skip_states_nothing() -> None:
    assert read('{"skipped": true}').pairs(5) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"ranking": 3}', '{"ranking": [["x"]]}', "null"])
def test_what_is_no_reply_is_malformed(text: str) -> None:
    with pytest.raises(kit.Malformed):
        read(text)


# --- what is stored -----------------------------------------------------------------------------


def test_what_was_ordered_is_stored(sit: Callable[..., Any], slates: Any) -> None:
    sitting = sit(slates(12), who="ann")
    orders = [[4, 2, 0, 1, 3], [1], [3, 0], [0, 1, 2, 3], [2, 1, 0, 4, 3]]
    wanted: dict[str, Any] = {}
    while len(wanted) < 12:
        order = orders[len(wanted) % len(orders)]
        rest = [p for p in range(5) if p not in order]
        tiers = [[p] for p in order] + ([rest] if rest else [])
        wanted[sitting.client.answer(order)] = {"ranking": tiers}
    assert sitting.client.post("done")[0] == 200

    judgments = sitting.end()
    assert [j.digest for j in judgments] == sitting.digests()
    for judgment in judgments:
        tiers = wanted[judgment.digest]["ranking"]
        assert [list(tier) for tier in judgment.ranking.tiers] == tiers
        assert (judgment.teacher, judgment.reply.model) == ("human", "ann")
        assert judgment.reply.dollars == 0.0
    assert sitting.stored() == wanted
    assert sitting.journal() == []


def test_each_answer_is_stored_as_soon_as_it_is_final(
    sit: Callable[..., Any], slates: Any, until: Any
) -> None:
    sitting = sit(slates(12))
    said = [sitting.client.answer() for _ in range(5)]
    until(lambda: set(sitting.stored()) == set(said[:2]))
    # Stored first, and only then no longer put aside: for a moment it is both.
    until(lambda: sitting.journal() == sorted(said[2:]))
    assert sitting.client.state()["undo"] == 3


def test_undo(sit: Callable[..., Any], slates: Any) -> None:
    sitting = sit(slates(3))
    first = sitting.client.answer([0, 1, 2, 3, 4])
    sitting.client.answer([0, 1, 2, 3, 4])
    for _ in range(2):
        assert sitting.client.post("undo")[0] == 200
    assert sitting.client.shown()["id"] == first
    assert sitting.client.shown()["order"] == [0, 1, 2, 3, 4]
    for _ in range(3):
        sitting.client.answer([4, 3, 2, 1, 0])
    sitting.client.post("done")
    backwards = ((4,), (3,), (2,), (1,), (0,))
    assert [judgment.ranking.tiers for judgment in sitting.end()] == [backwards] * 3


def test_a_skip_is_an_answer(sit: Callable[..., Any], slates: Any) -> None:
    """It is stored, not asked again, and no failure."""
    sitting = sit(slates(2))
    client = sitting.client
    skipped = client.shown()["id"]
    assert client.post("skip", {"id": skipped, "order": [1]})[0] == 200
    client.answer()
    client.post("done")
    judgments = {judgment.digest: judgment for judgment in sitting.end()}
    assert judgments[skipped].ranking.tiers == ((0, 1, 2, 3, 4),)
    assert sitting.stored()[skipped] == {"skipped": True}


def test_tomorrow_goes_on(sit: Callable[..., Any], slates: Any) -> None:
    today = sit(slates(9))
    said = [today.client.answer() for _ in range(4)]
    today.teacher.hurry()
    with pytest.raises(kit.ProviderFailure):
        today.end()
    assert set(today.stored()) == set(said)

    tomorrow = sit(slates(9))
    client = tomorrow.client
    client.shown()
    assert (client.state()["done"], client.state()["of"]) == (4, 9)
    later = [client.answer() for _ in range(5)]
    assert not set(later) & set(said)
    client.post("done")
    assert all(tomorrow.end())


def test_a_deadline_waits_for_nobody(sit: Callable[..., Any], slates: Any) -> None:
    sitting = sit(slates(3), ask={"deadline": 2.0})
    said = sitting.client.answer()
    with pytest.raises(kit.ProviderFailure, match=r"ask\.deadline allows"):
        sitting.end()
    assert set(sitting.stored()) == {said}


def test_one_call_at_a_time_is_enough(
    sit: Callable[..., Any], slates: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `ask.workers` of 1 nothing is next while an answer is held: it goes in by itself."""
    monkeypatch.setattr(board, "PAUSE", 0.0)
    sitting = sit(slates(3), ask={"workers": 1})
    said = [sitting.client.answer() for _ in range(3)]
    assert [judgment.digest for judgment in sitting.end()] == said


def test_nobody_else_may_ask_for_a_day(sit: Callable[..., Any], slates: Any) -> None:
    sitting = sit(slates(2))
    sitting.client.shown()
    with Store(sitting.store) as store:
        (until,) = store._read("SELECT min(until) FROM leases")
    assert until[0] > time.time() + 80_000


def test_two_windows(sit: Callable[..., Any], slates: Any) -> None:
    """What one answers the other cannot, and is told."""
    sitting = sit(slates(5))
    client = sitting.client
    slate = client.shown()
    client.post("draft", {"id": slate["id"], "order": [3, 1], "window": "left"})
    assert (client.shown()["order"], client.shown()["by"]) == ([3, 1], "left")
    assert client.answer([3, 1, 0, 2, 4]) == slate["id"]
    for act in ("draft", "answer", "skip"):
        status, said = client.post(act, {"id": slate["id"], "order": [0, 1, 2, 3, 4]})
        assert status == 409
        assert "answered in another window" in said["why"]
    assert client.state()["done"] == 1


def test_the_next_slates_are_ready(sit: Callable[..., Any], slates: Any, until: Any) -> None:
    sitting = sit(slates(30))
    until(lambda: len(sitting.client.state()["next"]) >= 5 * 5)


# --- pages --------------------------------------------------------------------------------------


def test_teacher_and_judge_share_a_page_and_two_people_do_not(tmp_path: Path) -> None:
    pages = []
    people = [human(who="ann"), human(who="ann"), human(who="bob")]
    try:
        for teacher in people:
            teacher.store_folder = tmp_path
            lines = teacher.connect()
            assert ("ann" in lines[0]) == (teacher.who == "ann")
            pages.append(lines[1])
        assert pages[0] == pages[1] != pages[2]
        people[0].__exit__(None, None, None)
        assert people[1].connect()[1] == pages[0], "the other one still has it"
    finally:
        for teacher in people:
            teacher.__exit__(None, None, None)
    with human() as later:
        assert later.connect()[1] not in pages


def test_the_address_is_said_however_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    for progress in (Silent(), Progress(Plain()), Progress(Live())):
        progress.insist("http://127.0.0.1:1234/token/")
        said = capsys.readouterr()
        assert said.err == "http://127.0.0.1:1234/token/\n"
        assert said.out == ""


def test_the_page_is_in_the_package() -> None:
    package = resources.files("pvd_plugins.teachers.human")
    for name in (name for name, _ in handler.FILES.values()):
        assert (package / name).is_file()


# --- contract -----------------------------------------------------------------------------------


def person(teacher: Any, client: Any, stop: threading.Event) -> None:
    """Answers whatever is shown, until it is over."""
    while not stop.is_set():
        page = teacher._page
        if page is None:
            stop.wait(0.01)
            continue
        here = client(page.address)
        try:
            state = here.state()
            if state["slate"]:
                order = list(range(len(state["slate"]["pictures"])))[::-1]
                here.post("answer", {"id": state["slate"]["id"], "order": order})
            else:
                here.post("done")
        except OSError:  # the page closed
            stop.wait(0.01)


def test_the_contract(client: Any) -> None:
    teacher, stop = human(), threading.Event()
    thread = threading.Thread(target=person, args=(teacher, client, stop), daemon=True)
    thread.start()
    try:
        testing.assert_contract(teacher)
    finally:
        stop.set()
        thread.join(30)


def test_a_check_bothers_nobody() -> None:
    result = CliRunner().invoke(main, ["plugins", "check", "teacher.human"])
    assert result.exit_code == 0, result.output
    assert "skip  answers slates of 2 and of 5 items" in result.output
    said = " ".join(result.output.split())
    assert "is a person's, and nobody is bothered in a check" in said
    assert "FAIL" not in said


def test_a_composite_around_a_person_is_one() -> None:
    assert pvd.load("teacher", "consistent", of=human()).capabilities.person
    assert not pvd.load("teacher", "consistent", of="simulated").capabilities.person

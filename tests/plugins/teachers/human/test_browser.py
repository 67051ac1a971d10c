"""The page in a real browser: by mouse, by keyboard, by finger; nothing of it is lost."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

BIG = {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def browser(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if chromium.find() is None:
        pytest.skip(f"none of {', '.join(chromium.NAMES)} is installed")
    with chromium.Chromium(tmp_path_factory.mktemp("chromium") / "profile") as running:
        yield running


class Person:
    """Somebody who wants each slate in an order of their own, made up by lot."""

    def __init__(self, browser: Any, sitting: Any, seed: int, **window: Any) -> None:
        self.browser, self.sitting, self.lot = browser, sitting, random.Random(seed)
        self.tab = browser.open(sitting.address, **(window or BIG))
        self.wanted: dict[str, list[list[int]]] = {}
        self.errors = len(browser.said)

    def look(self) -> tuple[str, list[int]]:
        """The slate that is shown, with its pictures, and the order that it shall have."""
        self.tab.until(
            "state.slate && !busy && document.querySelectorAll('.tile img.there').length"
            " === state.slate.pictures.length"
        )
        digest, size = self.tab.value("[state.slate.id, state.slate.pictures.length]")
        order = list(range(size))
        self.lot.shuffle(order)
        self.wanted[digest] = [[position] for position in order]
        return str(digest), order

    def order(self) -> list[int]:
        """What the page has placed so far, as it is read from the badges."""
        found: list[int] = self.tab.value(
            "[...document.querySelectorAll('.tile[aria-pressed=true]')]"
            ".sort((a, b) => a.querySelector('.badge').textContent"
            " - b.querySelector('.badge').textContent).map((tile) => +tile.dataset.position)"
        )
        return found

    def gone(self, digest: str) -> None:
        """Wait until this slate is answered."""
        self.tab.until(f"!busy && (state.slate || {{}}).id !== '{digest}'")

    def undone(self, digest: str) -> None:
        """Wait until this slate is shown again."""
        self.tab.until(f"!busy && (state.slate || {{}}).id === '{digest}'")

    def end(self) -> None:
        """Hand the last ones in, and compare what is stored with what was wanted."""
        self.tab.until("document.querySelector('#resting h1').checkVisibility()")
        if self.tab.value("!document.querySelector('#on').hidden"):
            self.tab.click("#on")
        judgments = self.sitting.end()
        # A window that is slow to look again finds nobody there.
        self.tab.until("state.over || lost")
        assert "is kept" in self.tab.text()
        found = {j.digest: [list(tier) for tier in j.ranking.tiers] for j in judgments}
        assert found == self.wanted
        raw = {d: reply.get("ranking", "skipped") for d, reply in self.sitting.stored().items()}
        assert set(raw) == set(self.wanted)
        for digest, tiers in self.wanted.items():
            assert raw[digest] == (tiers if len(tiers) > 1 else "skipped")
        assert self.sitting.journal() == []
        assert self.browser.said[self.errors :] == []
        self.tab.close()


@pytest.fixture
def person(browser: Any, sit: Callable[..., Any], slates: Any) -> Callable[..., Person]:
    """Opens the page of an asking of so many slates."""

    def begin(count: int, size: int = 5, seed: int = 0, **window: Any) -> Person:
        return Person(browser, sit(slates(count, size)), seed, **window)

    return begin


def tile(position: int) -> str:
    return f".tile[data-position='{position}']"


def click_in_order(who: Person) -> None:
    """Click the photographs, the best first; the last one has its place then."""
    digest, order = who.look()
    for position in order[:-1]:
        who.tab.click(tile(position))
    assert who.order() == order[:-1]
    who.tab.click("#next")
    who.gone(digest)


def drag_in_order(who: Person) -> None:
    """Drag each photograph to the place that it has among those before it."""
    digest, order = who.look()
    placed: list[int] = []
    for position in who.lot.sample(order, len(order)):
        placed = [p for p in order if p in (*placed, position)]
        who.tab.drag(tile(position), f"#places li:nth-child({placed.index(position) + 1})")
        assert who.order() == placed
    who.tab.click("#next")
    who.gone(digest)


def put_right_by_dragging(who: Person) -> None:
    """Click in the wrong order first, then drag the places around, and one out and in again."""
    digest, order = who.look()
    for position in order[::-1]:
        who.tab.click(tile(position))
    for place, position in enumerate(order[:-1]):
        if who.order()[place] != position:
            who.tab.drag(
                f".place[data-position='{position}']", f"#places li:nth-child({place + 1})"
            )
    assert who.order() == order
    who.tab.drag(f".place[data-position='{order[0]}']", "#question")
    assert who.order() == order[1:]
    who.tab.drag(tile(order[0]), "#places li:nth-child(1)")
    assert who.order() == order
    who.tab.click("#next")
    who.gone(digest)


def digits(who: Person) -> None:
    digest, order = who.look()
    for position in order:
        who.tab.key(str(position + 1))
    assert who.order() == order
    who.tab.key("Enter")
    who.gone(digest)


def arrows(who: Person) -> None:
    """Walk to each photograph, and place it with Enter or Space."""
    digest, order = who.look()
    who.tab.key("ArrowRight")  # to the first one
    here = 0
    for number, position in enumerate(order[:-1]):
        while here != position:
            step = 1 if position > here else -1
            who.tab.key("ArrowRight" if step > 0 else "ArrowLeft")
            here += step
        assert who.tab.value("+document.activeElement.dataset.position") == position
        who.tab.key("Enter" if number % 2 else " ")
    assert who.order() == order[:-1]
    who.tab.key("Enter")
    who.gone(digest)


def digits_with_mistakes(who: Person) -> None:
    """Take back the last one with Backspace, and another one with its digit."""
    digest, order = who.look()
    wrong = order[-1]
    who.tab.key(str(wrong + 1))
    who.tab.key(str(order[0] + 1))
    who.tab.key("Backspace")
    assert who.order() == [wrong]
    who.tab.key(str(wrong + 1))
    assert who.order() == []
    who.tab.key("Enter")  # nothing is placed: nothing happens
    for position in order[:-1]:
        who.tab.key(str(position + 1))
    who.tab.key("Enter")
    who.gone(digest)


def test_ten_by_mouse_and_ten_by_keyboard_with_a_reload(person: Callable[..., Person]) -> None:
    who = person(20, seed=1)
    for number in range(10):
        if number == 5:
            _, order = who.look()
            for position in order[:2]:
                who.tab.click(tile(position))
            who.tab.until(f"!drafting && !stale && String(order) === '{order[0]},{order[1]}'")
            who.tab.reload()
            who.tab.until(f"state.slate && String(order) === '{order[0]},{order[1]}'")
            assert who.order() == order[:2]
            for position in order[:2]:  # and now as wanted, whatever that is
                who.tab.click(tile(position))
        (click_in_order, drag_in_order, put_right_by_dragging)[number % 3](who)
    assert "10 of 20 answered" in who.tab.text()
    for number in range(10):
        (digits, arrows, digits_with_mistakes)[number % 3](who)
    who.end()


def test_undo_skip_and_the_best_few(person: Callable[..., Person]) -> None:
    who = person(7, seed=2)
    first, order = who.look()
    for position in order:
        who.tab.key(str(position + 1))
    who.tab.key("Enter")
    who.gone(first)
    second, _ = who.look()
    who.tab.key("u")
    who.undone(first)
    assert who.order() == order, "as it was handed in"
    who.tab.key("Backspace")
    who.tab.key("Backspace")
    who.tab.key(str(order[4] + 1))
    who.tab.key("Enter")  # the other way round at the end
    who.gone(first)
    who.wanted[first] = [[position] for position in (*order[:3], order[4], order[3])]

    who.tab.click("#skip")
    who.gone(second)
    who.tab.until("document.querySelector('#notice').textContent.includes('Skipped')")
    who.wanted[second] = [[0, 1, 2, 3, 4]]

    third, order = who.look()  # skipped, and taken back
    who.tab.key("s")
    who.gone(third)
    who.tab.click("#undo")
    who.undone(third)
    for position in order[:2]:
        who.tab.key(str(position + 1))
    assert "the other 3 are all worse" in who.tab.text()
    who.tab.key("Enter", modifiers=8)  # with Shift
    who.gone(third)
    who.wanted[third] = [[order[0]], [order[1]], sorted(order[2:])]

    fourth, order = who.look()  # the same by mouse
    who.tab.click(tile(order[0]))
    who.tab.click("#next")
    who.gone(fourth)
    who.wanted[fourth] = [[order[0]], sorted(order[1:])]
    digits(who)
    digits(who)

    last, _ = who.look()
    digits(who)
    assert "That was the last one for now" in who.tab.text()
    who.tab.click("#back")
    who.undone(last)
    for _ in range(5):
        who.tab.key("Backspace")
    digits(who)
    who.end()


def test_done_for_now(person: Callable[..., Person]) -> None:
    who = person(3, seed=3)
    digits(who)
    assert who.tab.value("state.undo") == 1
    who.look()
    who.tab.key("2")
    who.tab.click("#done")
    who.tab.until("rested && !busy && state.undo === 0")
    assert "Done for now" in who.tab.text()
    assert "1 of 3 answered" in who.tab.text()
    assert len(who.sitting.stored()) == 1
    who.tab.key("1")  # nothing is shown, so that nothing can be placed
    who.tab.click("#on")
    who.tab.until("!rested && document.querySelectorAll('.tile').length === 5")
    assert who.order() == [1], "what was placed before is still there"
    shown = "[...document.querySelectorAll('.badge')].filter((one) => one.checkVisibility()).length"
    assert who.tab.value(shown) == 1
    who.tab.key("2")
    digits(who)
    digits(who)
    who.end()


def test_two_windows_show_the_same(person: Callable[..., Person], browser: Any) -> None:
    who = person(4, seed=4)
    digest, order = who.look()
    who.tab.click(tile(order[0]))
    # From here on the first window is behind the other one, and so does not look for news.
    other = browser.open(who.sitting.address, **BIG)
    other.until(f"String(order) === '{order[0]}'")
    who.tab.until("document.hidden")
    for position in order[1:]:
        other.click(tile(position))
    other.click("#next")
    other.until(f"!busy && state.slate.id !== '{digest}'")
    # What it still shows was answered: it is told so, and changes nothing.
    said = json.dumps({"id": digest, "order": [0, 1, 2, 3, 4]})
    who.tab.value(f"act('answer', {said}).then(() => true)")
    who.tab.until("document.querySelector('#notice').textContent.includes('another window')")
    who.tab.front()
    who.gone(digest)
    other.close()
    who.errors += 1  # the browser notes the 409
    for _ in range(3):
        digits(who)
    who.end()


PHONE = {"width": 390, "height": 844, "touch": True}


def test_on_a_phone(person: Callable[..., Person]) -> None:
    """Taps, a photograph that is lifted with a finger, and one that is carried to another place."""
    who = person(4, seed=5, **PHONE)
    for _ in range(2):
        digest, order = who.look()
        assert who.tab.value("document.documentElement.scrollWidth") == 390
        for position in order[:-1]:
            who.tab.tap(tile(position))
        assert who.order() == order[:-1]
        who.tab.tap("#next")
        who.gone(digest)
    digest, order = who.look()
    for position in order[1:]:
        who.tab.tap(tile(position))
    who.tab.carry(tile(order[0]), "#places li:nth-child(1)", rest=True)
    assert who.order() == order
    who.tab.tap("#next")
    who.gone(digest)
    digest, order = who.look()
    for position in (order[1], order[0], *order[2:]):
        who.tab.tap(tile(position))
    place = f".place[data-position='{order[0]}']"
    who.tab.carry(place, "#places li:nth-child(1)", rest=False)
    assert who.order() == order
    who.tab.tap("#next")
    who.gone(digest)
    who.end()


@pytest.mark.parametrize(("width", "height"), [(360, 640), (390, 844), (768, 1024), (1440, 900)])
@pytest.mark.parametrize("size", [2, 5, 9])
def test_everything_fits(width: int, height: int, size: int, person: Callable[..., Person]) -> None:
    """Nothing is cut off at the side, the buttons are in reach, and photographs are no stamps."""
    who = person(1, size=size, width=width, height=height, touch=width < 700)
    digest, order = who.look()
    assert who.tab.value("document.documentElement.scrollWidth") <= width
    everything = who.tab.boxes("#next, #places li, nav button, .tile")
    assert all(left >= 0 and left + wide <= width for left, _, wide, _ in everything)
    assert all(wide >= 80 and high >= 80 for _, _, wide, high in who.tab.boxes(".tile"))
    ((_, top, _, high),) = who.tab.boxes("#next")
    assert top + high <= height
    for position in order:
        who.tab.key(str(position + 1))
    who.tab.key("Enter")
    who.gone(digest)
    who.end()


def test_a_long_persona_leaves_room(browser: Any, sit: Callable[..., Any], slates: Any) -> None:
    import pvd

    (slate,) = slates(1)
    text = "Somebody who " + "likes <b>long</b> walks and " * 200
    sitting = sit([pvd.Slate(pvd.Persona("p", text), slate.items)])
    who = Person(browser, sitting, 6, **PHONE)
    who.look()
    assert who.tab.value("document.querySelector('#persona').textContent") == text
    assert who.tab.value("document.querySelector('#pictures').clientHeight") > 250
    assert who.tab.value("document.querySelectorAll('#persona b').length") == 0
    digits(who)
    who.end()


def test_keys_and_states_are_told(person: Callable[..., Person], tmp_path: Path) -> None:
    """What somebody who does not see the page hears of it, and where the focus is."""
    who = person(1, seed=7)
    who.look()
    who.tab.key("?")
    who.tab.until("document.querySelector('#manual').open")
    who.tab.key("1")  # the help is open: nothing is placed
    assert who.order() == []
    who.tab.click("#manual button")
    who.tab.until("!document.querySelector('#manual').open")
    who.tab.key("ArrowRight")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert who.tab.value(outline) == "solid"
    who.tab.key(" ")
    label = "document.activeElement.getAttribute('aria-label')"
    assert who.tab.value(label) == "Photograph 1, place 1 of 5"
    who.tab.key(" ")
    assert who.tab.value(label) == "Photograph 1"
    assert who.tab.value("document.querySelector('#next').disabled")
    digits(who)
    who.end()

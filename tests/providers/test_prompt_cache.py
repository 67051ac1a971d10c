"""What a provider remembers is read for less: the fake's meter says what that comes to."""

from __future__ import annotations

from pathlib import Path

import pytest
from asked import PEOPLE, teacher
from fake import Fake
from PIL import Image

import pvd
from pvd import tournament
from pvd.asking import Desk, opened
from pvd.settings import AskSettings
from pvd.store import Store


def pictures(folder: Path, count: int) -> list[pvd.Item]:
    """Large enough for the beginning of a question to be remembered."""
    found = []
    for number in range(count):
        path = folder / f"{number}.png"
        Image.new("RGB", (500, 500), (20 * number, 9, 9)).save(path)
        found.append(pvd.Item(f"item-{number}", path))
    return found


def play(name: str, fake: Fake, folder: Path, shared: bool) -> tuple[float, Desk]:
    """Twelve tournaments of ten items; the share of tokens that the provider knew already."""
    items = pictures(folder, 10)
    fake.prompt_cache, fake.delay = True, 0.02
    with Store(folder / "answers.sqlite") as store, opened(teacher(name, fake), 1) as judge:
        desk = Desk(store, AskSettings())
        tournament.play(desk, judge, PEOPLE[:12], items, group=5, seed=0, shared=shared)
    assert desk.usage.tokens.cached == sum(one.cached for one in fake.metered)
    return desk.usage.tokens.cached / desk.usage.tokens.input, desk


@pytest.mark.parametrize("name", ["openai", "claude", "gemini"])
def test_a_shared_first_round_is_read_from_the_cache(
    name: str, fake: Fake, keys: None, tmp_path: Path
) -> None:
    share, desk = play(name, fake, tmp_path, shared=True)
    assert share > 0.4
    # Two groups in the first round; each is written once, and known from then on.
    assert len([one for one in fake.metered if one.cached]) == 22
    if name == "claude":
        assert sum(one.written > 0 for one in fake.metered) == 2
    # What is remembered costs a tenth; what is written there a little more.
    service = {"cached": 0.1, "written": 1.25 if name == "claude" else 1.0}
    made = teacher(name, fake)
    one = made.dollars(pvd.Tokens(1_000_000))
    cached = made.dollars(pvd.Tokens(1_000_000, cached=1_000_000))
    written = made.dollars(pvd.Tokens(1_000_000, written=1_000_000))
    assert one is not None
    assert (cached, written) == pytest.approx((one * service["cached"], one * service["written"]))
    metered = sum(
        made.dollars(pvd.Tokens(m.input, m.output, 0, m.cached, m.written)) or 0
        for m in fake.metered
    )
    assert desk.usage.dollars == pytest.approx(metered)


def test_where_nothing_is_shared_nothing_is_written(fake: Fake, keys: None, tmp_path: Path) -> None:
    """Writing costs more than reading: it must pay."""
    share, _ = play("claude", fake, tmp_path, shared=False)
    assert share == 0
    assert all(one.written == 0 for one in fake.metered)
    large = [asked for asked in fake.asked if len(asked.letters) == 5]
    assert all("cache_control" not in str(asked.body) for asked in large)

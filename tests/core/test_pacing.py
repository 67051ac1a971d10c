"""The pace: growth while answers come, one shrinking an episode, limits a minute."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from pvd.asking.pacing import MARGIN, SHRINK, START, Pace
from pvd.settings import AskSettings


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def pace(most: int = 64, **settings: Any) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(most, AskSettings(**settings), clock), clock


def test_it_begins_carefully_and_doubles_with_every_round_of_answers() -> None:
    found, _ = pace()
    limits = [found.limit]
    for _ in range(4):
        for _ in range(found.limit):
            found.answered(found.limit)
        limits.append(found.limit)
    assert limits == [START, 2 * START, 4 * START, 64, 64]


def test_it_never_passes_what_the_teacher_takes() -> None:
    found, _ = pace(most=3)
    assert found.limit == 3
    for _ in range(50):
        found.answered(3)
    assert found.limit == 3


def test_what_was_not_used_does_not_grow() -> None:
    """Four calls under way say nothing about forty."""
    found, _ = pace()
    for _ in range(50):
        found.answered(START - 1)
    assert found.limit == START


def test_an_episode_of_refusals_shrinks_once() -> None:
    found, clock = pace()
    for _ in range(100):
        found.answered(64)
    sent = clock.now
    clock.now += 1
    for _ in range(20):
        found.refused(sent, None)
    assert found.limit == int(64 * SHRINK)
    clock.now += 1
    found.refused(clock.now - 0.5, None)
    assert found.limit == int(64 * SHRINK * SHRINK)


def test_it_never_stops_altogether() -> None:
    found, clock = pace()
    for _ in range(100):
        clock.now += 1
        found.refused(clock.now, None)
    assert found.limit == 1


def test_after_a_refusal_it_grows_by_one_a_round() -> None:
    found, clock = pace()
    clock.now += 1
    found.refused(clock.now, None)
    before = found.limit
    for _ in range(3 * before):
        found.answered(found.limit)
    assert found.limit in (before + 2, before + 3)


def test_who_says_how_long_holds_everybody() -> None:
    found, clock = pace()
    found.refused(clock.now, 7.0)
    assert found.wait() == 7.0
    clock.now += 6.5
    assert found.wait() == pytest.approx(0.5)
    clock.now += 0.5
    assert found.wait() == 0


def simulate(found: Pace, clock: Clock, seconds: float, tokens: int = 0) -> list[float]:
    """When calls go out, if each goes as soon as it may."""
    sent = []
    end = clock.now + seconds
    while clock.now < end:
        if found.wait() == 0:
            sent.append(clock.now)
            found.sent(1, tokens)
        clock.now += max(found.wait(), 0.001)
    return sent


def most_in_a_minute(times: list[float]) -> int:
    window: deque[float] = deque()
    most = 0
    for time in times:
        window.append(time)
        while window[0] <= time - 60:
            window.popleft()
        most = max(most, len(window))
    return most


@pytest.mark.parametrize("limit", [1, 7, 100, 5000])
def test_requests_a_minute(limit: int) -> None:
    found, clock = pace(requests_per_minute=limit)
    sent = simulate(found, clock, 300)
    assert most_in_a_minute(sent) <= limit
    assert len(sent) >= 5 * limit * MARGIN * 0.9


def test_requests_a_minute_arrive_unevenly() -> None:
    """The server sees them later, each by another delay: its window holds no more than it allows
    in nearly every minute."""
    rng = random.Random(0)
    found, clock = pace(requests_per_minute=100)
    sent = simulate(found, clock, 600)
    arrived = sorted(time + rng.uniform(0.02, 0.6) for time in sent)
    assert most_in_a_minute(arrived) <= 100


def test_tokens_a_minute() -> None:
    found, clock = pace(tokens_per_minute=60_000)
    sent = simulate(found, clock, 300, tokens=2000)
    assert most_in_a_minute(sent) <= 30
    assert len(sent) >= 5 * 30 * 0.9


def test_more_tokens_than_thought_are_made_up_for() -> None:
    found, _ = pace(tokens_per_minute=60_000)
    found.sent(1, 1000)
    found.counted(9000)
    assert found.wait() == pytest.approx(10 / MARGIN, abs=1.1)


def test_time_that_was_spent_on_other_work_is_not_caught_up() -> None:
    found, clock = pace(requests_per_minute=60)
    found.sent(1, 0)
    clock.now += 600  # training
    assert len(simulate(found, clock, 10)) <= 11

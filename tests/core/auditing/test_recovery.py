"""An audit finds what was planted into the simulated teacher, asked as any teacher is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated_answers import audited, covers, expected_ranks

from pvd.auditing.questions import Design

pytestmark = pytest.mark.slow

SEEDS, ENOUGH = 20, 17  # of 20 intervals of 95 %: fewer than 17 happen once in sixty times
DESIGN = Design(slates=60, orders=3, size=5, pairs=15)
NOISE, BIAS, MALFORMED = 0.7, 0.8, 0.06


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("planted")
    return [
        audited(folder, seed, DESIGN, noise=NOISE, position_bias=BIAS, malformed=MALFORMED)
        for seed in range(SEEDS)
    ]


def test_bias_noise_and_failures_are_within_their_intervals(cards: list[dict[str, Any]]) -> None:
    ranks = expected_ranks(5, NOISE, BIAS)
    slope = np.polyfit(np.arange(5) / 4, ranks, 1)[0]
    covered: Counter[str] = Counter()
    for card in cards:
        place = card["place"]
        covered["bias"] += covers(place["utility"], BIAS)
        covered["noise"] += covers(card["noise"]["gumbel"], NOISE)
        covered["malformed"] += covers(card["answers"]["malformed"], MALFORMED)
        covered["slope of ranks"] += covers(place["ranks"], slope)
        covered["first rank"] += covers(place["curve"][0], ranks[0])
        covered["last rank"] += covers(place["curve"][-1], ranks[-1])
    assert all(covered[name] >= ENOUGH for name in covered), covered
    assert len(covered) == 6
    # And they are narrow enough to say something.
    assert all(card["place"]["ranks"]["low"] > 0 for card in cards)
    assert all(card["place"]["p"] < 0.01 for card in cards)


def test_circular_triples_are_what_the_noise_makes(cards: list[dict[str, Any]]) -> None:
    inside = [covers(c["pairs"]["intransitive"], c["pairs"]["noise_alone"]["value"]) for c in cards]
    assert sum(inside) >= ENOUGH
    shares = [c["pairs"]["intransitive"]["value"] for c in cards]
    assert np.mean(shares) + 4 * np.std(shares) / SEEDS**0.5 < 0.25
    assert np.mean([c["pairs"]["first_wins"]["value"] for c in cards]) > 0.6


def test_what_was_malformed_is_counted_once_and_not_asked_again(
    cards: list[dict[str, Any]],
) -> None:
    for card in cards:
        answers = card["answers"]
        assert answers["asked"] == 180
        assert answers["kinds"] == {"no ranking": round(180 * answers["malformed"]["value"])}
        assert answers["unusable"] == answers["malformed"]
        assert answers["refused"]["value"] == answers["rejected"]["value"] == 0


def test_without_bias_none_is_found_more_often_than_it_may(tmp_path: Path) -> None:
    cards = [audited(tmp_path, seed, DESIGN, noise=NOISE) for seed in range(SEEDS)]
    probabilities = [card["place"]["p"] for card in cards]
    assert sum(p < 0.05 for p in probabilities) <= 3
    assert 0.3 < np.mean(probabilities) < 0.7
    assert sum(covers(card["place"]["ranks"], 0) for card in cards) >= ENOUGH
    assert sum(covers(card["place"]["utility"], 0) for card in cards) >= ENOUGH


@pytest.mark.parametrize("seed", range(12))
def test_hardly_any_answer_is_enough_for_no_number_and_no_accident(
    seed: int, tmp_path: Path
) -> None:
    """Whatever is left: numbers with ordered intervals, or none."""
    design = Design(slates=6, orders=2, size=3, pairs=2)
    card = audited(tmp_path, seed, design, malformed=(0.5, 0.8, 0.95)[seed % 3])

    def look(value: Any) -> int:
        if not isinstance(value, dict):
            return sum(map(look, value)) if isinstance(value, list) else 0
        if "low" in value:
            assert value["low"] <= value["value"] <= value["high"]
            return 1
        return sum(map(look, value.values()))

    assert look(card) >= 3  # of unusable answers, tokens, dollars


def test_who_never_errs_agrees_with_itself(tmp_path: Path) -> None:
    card = audited(tmp_path, 0, DESIGN, noise=0.0)
    assert card["itself"]["tau"]["value"] == pytest.approx(1)
    assert card["itself"]["top"]["value"] < 1  # some items tie, and share the first place
    assert card["itself"]["tau"]["low"] < 1
    assert card["noise"]["gumbel"]["value"] == pytest.approx(0, abs=1e-9)
    assert card["pairs"]["intransitive"]["value"] == 0
    assert card["calibration"]["slope"] is None
    assert card["place"]["p"] == 1

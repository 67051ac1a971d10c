"""What an audit says of a teacher is what its figures show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pvd.auditing import charts, wording
from pvd.auditing.answers import Answers
from pvd.auditing.card import card
from pvd.auditing.teachers import Member
from pvd.protocols import Teacher
from pvd.records import Tokens

SLATES, ORDERS, SIZE = 60, 3, 5


class Named(Teacher):
    """A teacher that has answered already."""

    label = "wick"

    def rank(self, slates: Any) -> Any:
        raise NotImplementedError


class Nothing:
    """An answer that can be used and cost nothing."""

    wrong, tokens, dollars, models = "", Tokens(), None, frozenset[str]()


def told(utilities: Any, ranks: Any = None, kind: str = "score") -> dict[str, Any]:
    """The card of a teacher with these utilities [S, R, K]; the ranks follow them unless given."""
    if ranks is None:
        more = (utilities[..., None, :] > utilities[..., None]).sum(axis=-1)
        same = (utilities[..., None, :] == utilities[..., None]).sum(axis=-1)
        ranks = more + (same + 1) / 2
    lot = np.random.default_rng(3)
    shape = utilities.shape
    said: Any = tuple(tuple(Nothing() for _ in range(shape[1])) for _ in range(shape[0]))
    people, places = np.arange(shape[0]) % 30, lot.random(shape).argsort(axis=2)
    none = np.zeros((0, 0))
    answers = Answers(said, people, places, ranks, utilities, kind, none, none)
    return card(Member("wick", Named()), answers, 0)


def steady(scale: float, step: float = 0.0) -> Any:
    """Utilities that no order changes, on steps of this width if any."""
    worth = scale * np.random.default_rng(1).normal(size=(SLATES, 1, SIZE))
    worth = np.round(worth / step) * step if step else worth
    return np.repeat(worth, ORDERS, axis=1)


def noisy(steep: float) -> tuple[Any, Any]:
    """Utilities, and ranks by chances that are `steep` times as steep as they promise."""
    lot, utilities = np.random.default_rng(2), steady(2.0)
    heard = steep * utilities + lot.gumbel(size=utilities.shape)
    return utilities, (-heard).argsort(axis=2).argsort(axis=2) + 1.0


def cells(found: dict[str, Any]) -> dict[str, str]:
    latency = {"wick": {"p50": None, "p95": None}}
    rows = wording.rows({"teachers": [found], "latency": latency})
    return {row.title: str(row.cells[0]) for row in rows}


@pytest.mark.usefixtures("drawn")
def test_who_always_decides_the_same_way_promises_too_little() -> None:
    found = told(steady(1.0), kind="logprob")

    assert found["calibration"]["slope"] is None
    said = "wick always decided the same way, so its differences promise too little"
    assert wording.sureness(found) == said
    chart = charts.reliability([found])
    assert chart is not None
    assert chart.caption.startswith(f"{said}. ")
    assert cells(found)["calibration slope"] == "unbounded"
    assert float(cells(found)["calibration error"].split()[0]) > 0.1


def test_who_is_as_sure_as_it_says_promises_enough() -> None:
    found = told(steady(1000.0, step=50.0))
    assert {one["predicted"] for one in found["calibration"]["bins"]} >= {0.5, 1.0}
    assert wording.sureness(found) == "wick always decided the same way"


def test_log_odds_are_right_or_not_and_scores_have_a_factor() -> None:
    sure, right = told(*noisy(0.3), "logprob"), told(*noisy(1.0), "logprob")
    scores = told(*noisy(0.3))

    assert wording.sureness(sure).startswith("wick is surer than it should be (slope 0.")
    assert wording.sureness(right).startswith("wick is not clearly too sure (slope ")
    assert wording.sureness(scores).startswith("wick: its scores are log-odds if multiplied by 0.")
    assert "calibration error" in cells(sure)
    assert "calibration slope" in cells(scores)
    assert "calibration error" not in cells(scores)  # nobody promised chances


def test_without_any_difference_nothing_is_said_to_be_decided() -> None:
    found = told(np.ones((SLATES, ORDERS, SIZE)))
    assert wording.sureness(found) == "wick gave too little to tell how sure it is"


@pytest.mark.usefixtures("drawn")
def test_a_range_of_which_nothing_is_known_is_not_drawn() -> None:
    wide = {"value": 1.0, "low": 0.0, "high": 1.0}
    narrow = {"value": 0.8, "low": 0.7, "high": 0.9}
    found = told(*noisy(1.0))
    alone = found["calibration"] | {"bins": [{"predicted": 0.95, "count": 2, "observed": wide}]}
    both = alone["bins"] + [{"predicted": 0.75, "count": 900, "observed": narrow}]

    assert charts.reliability([{**found, "calibration": alone}]) is None
    shown, drawn = (
        charts.reliability([{**found, "calibration": alone | {"bins": bins}}])
        for bins in (both, both[1:])
    )
    assert shown is not None
    assert drawn is not None
    assert shown.image == drawn.image


def test_ties_are_told_where_there_are_some() -> None:
    coarse, fine = told(steady(1.0, step=1.0)), told(steady(1.0))

    assert coarse["itself"]["tau"]["value"] == pytest.approx(1)
    assert coarse["itself"]["top"]["value"] < 0.9
    assert coarse["itself"]["tied"]["value"] > 0.2
    assert "; ties its best item in " in wording.verdict(coarse)
    assert "ties its best, %" in cells(coarse)
    assert fine["itself"]["tied"]["value"] == 0
    assert "ties" not in wording.verdict(fine)


def test_a_number_and_its_interval_have_the_same_decimals() -> None:
    times = ((0.9, 0.13, 1.1), (0.73, 0.36, 1.0), (12.3, 9.0, 140.0), (0.0, 0.0, 0.25))
    said = [
        str(wording.significant({"value": value, "low": low, "high": high}, 2))
        for value, low, high in times
    ]
    assert said == ["0.90 (0.13 to 1.10)", "0.73 (0.36 to 1.00)", "12 (9 to 140)",
                    "0.00 (0.00 to 0.25)"]  # fmt: skip

"""Who is not named is the teacher once more, however the settings are written."""

from __future__ import annotations

from typing import Any

import pytest

import pvd
from pvd.judge import follows, with_judge, without_follower

NOISY = {"use": "simulated", "noise": 2.0}


@pytest.mark.parametrize(
    ("tables", "judge"),
    [
        ({"teacher": NOISY}, NOISY),
        ({"teacher": "simulated"}, {"use": "simulated"}),
        ({"teacher": NOISY, "judge": None}, NOISY),
        ({"teacher": NOISY, "judge": {"position_bias": 1.0}}, {**NOISY, "position_bias": 1.0}),
        ({"teacher": NOISY, "judge": "human"}, "human"),
        ({"teacher": NOISY, "judge": {"use": "simulated"}}, {"use": "simulated"}),
        ({}, {}),
    ],
)
def test_the_judge_whom_tables_mean(tables: dict[str, Any], judge: Any) -> None:
    assert with_judge(tables)["judge"] == judge
    assert with_judge(with_judge(tables)) == with_judge(tables)


def test_of_a_component_the_options_count() -> None:
    teacher = pvd.load("teacher", "simulated", noise=2.0)
    judge = with_judge({"teacher": teacher})["judge"]
    assert judge == teacher
    assert judge is not teacher
    other = with_judge({"teacher": teacher, "judge": {"noise": 0.0}})["judge"]
    assert (other["use"], other["noise"]) == ("simulated", 0.0)


def test_one_who_follows_is_not_written_down() -> None:
    alike, unlike = {"teacher": NOISY, "judge": dict(NOISY)}, {"teacher": NOISY, "judge": "human"}
    assert follows(alike)
    assert without_follower(alike) == {"teacher": NOISY}
    for tables in (unlike, {"teacher": NOISY}):
        assert not follows(tables)
        assert without_follower(tables) == tables

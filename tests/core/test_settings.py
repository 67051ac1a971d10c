"""Settings of teachers that are made of teachers."""

from typing import Any

import pytest

import pvd
from pvd.settings import components, flat, recipe, resolve, unrecorded


def made(**teacher: Any) -> pvd.Teacher:
    found: pvd.Teacher = pvd.load("teacher", "ensemble", **teacher)
    return found


def test_a_judge_that_is_the_teacher_again_shares_no_teacher_with_it() -> None:
    """Core gives each a seed of its own; two with one inside would have the seed of the last."""
    of = pvd.load("teacher", "consistent", of="simulated")
    teacher = made(members=[of, "simulated"])

    settings = resolve(recipe("default"), {"teacher": teacher})

    assert settings.teacher is teacher
    assert settings.judge == teacher
    inside = [id(one) for top in (settings.teacher, settings.judge) for one in components(top)]
    assert len(set(inside)) == len(inside) == 6


def test_a_judge_that_nobody_set_follows_whoever_teaches() -> None:
    written = resolve(recipe("default"), {"teacher": {"use": "simulated", "noise": 2.0}}).table()
    assert "judge" not in written
    again = resolve(recipe("default"), written)
    assert again.judge == again.teacher == pvd.load("teacher", "simulated", noise=2.0)
    other = resolve(recipe("default"), written, {"teacher": {"use": "consistent", "of": "human"}})
    assert other.judge == other.teacher == pvd.load("teacher", "consistent", of="human")


def test_a_judge_that_was_set_stays() -> None:
    written = resolve(recipe("default"), {"judge": {"noise": 2.0}}).table()
    assert written["judge"]["noise"] == 2.0
    assert resolve(recipe("default"), written, {"teacher": "human"}).judge.label == "simulated"


def test_the_folders_name_does_not_depend_on_how_the_judge_is_written() -> None:
    settings = resolve(recipe("default"))
    assert resolve(settings.table()).digest() == resolve(settings.whole()).digest()


def test_members_are_a_list_of_tables(tmp_path: Any) -> None:
    file = tmp_path / "run.toml"
    file.write_text("""
[teacher]
use = "ensemble"
orders = 3
weights = [2, 1]
[[teacher.members]]
use = "simulated"
noise = 0.5
[[teacher.members]]
use = "consistent"
of = "simulated"
""")
    from pvd import options

    settings = resolve(recipe("default"), options.read_toml(file))

    first = pvd.load("teacher", "simulated", noise=0.5)
    second = pvd.load("teacher", "consistent", of="simulated")
    assert settings.teacher == made(members=[first, second], orders=3, weights=[2.0, 1.0])
    assert resolve(settings.table()).teacher == settings.teacher, "run.toml brings it back"


def digest(**member: Any) -> str:
    members = [{"use": "gemini", **member}, "simulated"]
    return resolve(recipe("default"), {"teacher": {"use": "ensemble", "members": members}}).digest()


def test_how_a_member_asks_is_no_part_of_what_it_is_asked() -> None:
    assert digest(timeout=30.0) == digest()
    assert digest(prompt="brief") != digest()


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("teacher.members.1.timeout", True),
        ("judge.members.0.of.timeout", True),
        ("teacher.members.1.model", False),
    ],
)
def test_operational_options_are_found_however_deep(name: str, free: bool) -> None:
    assert unrecorded(name) is free


def test_lists_that_are_no_members_stay_lists() -> None:
    table = {
        "evaluators": [{"use": "mpr"}],
        "teacher": {"members": [{"use": "a"}, {"use": "b", "of": {"use": "c"}}], "weights": [1.0]},
    }

    assert flat(table) == {
        "evaluators": [{"use": "mpr"}],
        "teacher.members.0.use": "a",
        "teacher.members.1.use": "b",
        "teacher.members.1.of.use": "c",
        "teacher.weights": [1.0],
    }

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pvd import options
from pvd.comparing.design import VARIED, Cell, Design, _factor, make
from pvd.errors import BadInput, PvdError, UnknownName, UsageError
from pvd.settings import Settings, recipe, resolve

NOISY = {"use": "simulated", "noise": 3.0}


def design(
    vary: Mapping[str, Sequence[Any]], tables: Mapping[str, Any] | None = None, **more: Any
) -> Design:
    return make((recipe("default"), tables or {}), vary, **more)


def test_the_arms_are_the_product_of_the_factors() -> None:
    made = design({"sampler": ["uniform", "four-bin"], "train.slates": [100, 300, 1000]}, seeds=2)

    assert [arm.label for arm in made.arms] == [
        "uniform, slates=100", "uniform, slates=300", "uniform, slates=1000",
        "four-bin, slates=100", "four-bin, slates=300", "four-bin, slates=1000",
    ]  # fmt: skip
    assert len(made.cells) == 12
    assert {cell.arm for cell in made.cells[:6]} == set(range(6)), "all arms of a seed come first"
    settings = made.settings(Cell(4, 1))
    assert (settings.sampler.label, settings.train.slates) == ("four-bin", 300)


def test_a_seed_varies_what_is_drawn_trained_and_answered_and_nothing_of_the_exam() -> None:
    made = design({"sampler": ["uniform", "four-bin"]}, seeds=3)
    streams = [[made.settings(Cell(a, s)) for s in range(3)] for a in range(2)]

    for name in VARIED:
        seeds = {settings.stream(name) for settings in streams[0]}
        assert len(seeds) == 3
        assert seeds == {settings.stream(name) for settings in streams[1]}, "paired"
    for name in ("split", "exam", "judge"):
        assert len({settings.stream(name) for row in streams for settings in row}) == 1


def test_each_teacher_and_each_judge_has_chance_of_its_own() -> None:
    """Two that are simulated would err alike otherwise, and judges would agree by the way."""
    made = design({"teacher": ["simulated", NOISY], "sampler": ["uniform", "four-bin"]}, seeds=1)
    teachers = [made.settings(Cell(arm, 0)).stream("teacher") for arm in range(4)]
    judges = {made.examining(judge).stream("judge") for judge in made.judges}

    assert teachers[0] == teachers[1] != teachers[2] == teachers[3], "paired within a teacher"
    assert len(judges) == 2
    assert made.settings(Cell(0, 0)).stream("judge") in judges
    assert not judges & set(teachers)


def test_every_teacher_judges_where_nobody_is_named() -> None:
    made = design({"teacher": ["simulated", NOISY], "sampler": ["uniform", "four-bin"]})

    assert [judge.label for judge in made.judges] == ["simulated", "simulated (noise=3)"]
    assert all(judge.teaches and not judge.independent for judge in made.judges)
    assert made.arms_of == {"simulated": (0, 1), "simulated (noise=3)": (2, 3)}
    assert made.settings(Cell(3, 0)).teacher == made.examining(made.judges[1]).judge


def test_teachers_that_differ_in_two_factors_are_told_apart() -> None:
    made = design({"teacher.noise": [1, 2], "teacher.position_bias": [0, 1]})

    assert list(made.arms_of) == [
        "noise=1, position_bias=0", "noise=1, position_bias=1",
        "noise=2, position_bias=0", "noise=2, position_bias=1",
    ]  # fmt: skip
    assert [judge.label for judge in made.judges] == list(made.arms_of)


def test_the_judge_of_the_settings_judges_alone() -> None:
    made = design({"teacher.noise": [1, 2]}, {"judge": {"use": "simulated", "noise": 0.0}})

    (judge,) = made.judges
    assert not judge.teaches
    assert judge.independent
    assert made.settings(Cell(1, 0)).judge.options()["noise"] == 0.0


def test_a_named_judge_is_set_up_as_the_teacher_of_that_name() -> None:
    noisy = {"teacher": NOISY}
    made = design({"sampler": ["uniform", "four-bin"]}, noisy, judges=["simulated"])

    (judge,) = made.judges
    assert judge.teaches
    assert judge.table["noise"] == 3.0


def test_a_judge_that_taught_nobody_is_a_reference() -> None:
    truth = {"use": "simulated", "noise": 0.0}
    made = design({"teacher": ["simulated", NOISY]}, judges=["simulated", truth])

    assert [judge.teaches for judge in made.judges] == [True, False]
    assert [judge.independent for judge in made.judges] == [False, True]


GEMINI = {"use": "gemini"}


@pytest.mark.parametrize(
    ("judge", "teaches", "independent"),
    [
        ("gemini", True, False),
        ({**GEMINI, "timeout": 99.0}, True, False),  # how it asks, not what
        ({**GEMINI, "temperature": 0.3}, False, False),  # another teacher, the same mind
        ({**GEMINI, "model": "gemini-9"}, False, True),
        ({"use": "consistent", "of": "gemini"}, False, False),
        ({"use": "ensemble", "members": ["human", "gemini"]}, False, False),
        ("claude", False, True),
        ("human", False, True),
    ],
)
def test_a_judge_is_independent_if_nobody_who_taught_is_in_it(
    judge: Any, teaches: bool, independent: bool
) -> None:
    (made,) = design({"teacher": ["gemini", "openai"]}, judges=[judge]).judges

    assert (made.teaches, made.independent) == (teaches, independent)


def test_two_people_are_two_minds() -> None:
    ann, bob = ({"use": "human", "who": who} for who in ("ann", "bob"))
    judges = design({"teacher": ["simulated", ann]}, judges=[ann, bob]).judges

    assert [(judge.teaches, judge.independent) for judge in judges] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize("recorded", [Settings.table, Settings.whole])
def test_a_runs_own_record_is_a_configuration_like_any_other(
    recorded: Callable[[Settings], options.Table],
) -> None:
    """Older ones name the judge, who is the teacher once more: no wish for one judge alone."""
    made = make(
        (recipe("default"), recorded(resolve(recipe("default")))), {"teacher.noise": [1, 2]}
    )

    assert [judge.label for judge in made.judges] == ["noise=1", "noise=2"]


def test_a_judge_who_is_named_judges_alone_also_if_it_is_the_teacher() -> None:
    made = design({"teacher.noise": [1, 2]}, {"judge": {"use": "simulated"}})
    assert [judge.table["noise"] for judge in made.judges] == [1.0]


def test_a_record_with_another_teacher_wishes_for_no_judge() -> None:
    record = resolve(recipe("default")).whole()
    other = {"teacher": {"use": "consistent", "of": "simulated"}}
    made = make((recipe("default"), record, other), {"train.slates": [1, 2]})
    assert [judge.table["use"] for judge in made.judges] == ["consistent"]


def test_options_of_the_settings_judge_reach_no_other() -> None:
    settings = {"judge": {"use": "simulated", "position_bias": 9.0}}
    made = design({"sampler": ["uniform", "four-bin"]}, settings, judges=["simulated"])

    assert made.settings(Cell(0, 0)).judge.options()["position_bias"] == 0.0


def test_a_component_comes_before_its_options_however_they_are_named() -> None:
    vary = {"teacher.noise": [1, 2], "teacher": ["simulated", {**NOISY, "position_bias": 1.0}]}
    made = design(vary)

    assert [made.settings(Cell(n, 0)).teacher.options()["noise"] for n in range(4)] == [1, 1, 2, 2]
    other = {"use": "consistent", "of": "simulated"}
    with pytest.raises(UnknownName, match="noise"):
        design({"teacher.noise": [1, 2], "teacher": ["simulated", other]})


def test_options_of_one_name_are_told_apart_by_their_paths() -> None:
    made = design({"teacher.noise": [1, 2], "teacher.delay": [0, 0.1]})
    assert made.arms[0].label == "noise=1, delay=0"
    last = ["noise", "noise"]
    labels = [_factor(path, [1, 2], last).labels[0] for path in ("teacher.noise", "sampler.noise")]
    assert labels == ["teacher.noise=1", "sampler.noise=1"]


def test_names_stay_whole() -> None:
    models = ["google/gemini-2.5-flash", "google/gemini-2.5-pro"]
    made = design({"teacher.model": models}, {"teacher": "gemini"})

    assert [arm.label for arm in made.arms] == [f"model={model}" for model in models]


def test_folders_are_distinct_and_plain() -> None:
    made = design({"teacher": ["simulated", NOISY]}, seeds=2)
    folders = [made.folder(Path("out"), cell) for cell in made.cells]

    assert str(folders[1]) == "out/cells/simulated-noise=3/seed-0"
    assert len(set(folders)) == 4
    assert made.exam_folder(Path("out"), made.judges[1]) == Path("out/exams/simulated-noise=3")


def test_the_digest_changes_with_what_changes_a_number_and_with_nothing_else() -> None:
    vary = {"sampler": ["uniform", "four-bin"]}
    digest = design(vary).digest()

    assert design(vary, {"max_cost": 3.0, "ask": {"workers": 2}}).digest() == digest
    assert design(vary, margin=2.0).digest() != digest
    assert design(vary, seeds=6).digest() != digest
    assert design(vary, {"train": {"rounds": 2}}).digest() != digest


@pytest.mark.parametrize(
    ("vary", "more", "kind", "said"),
    [
        ({}, {}, UsageError, "Nothing varies"),
        ({"sampler": ["uniform"]}, {}, UsageError, "two values"),
        ({"sampler": ["uniform", "uniform"]}, {}, UsageError, "has uniform twice"),
        ({"exam.items": [10, 20]}, {}, UsageError, "would change the exam"),
        ({"judge": ["a", "b"]}, {}, UsageError, "name several --judges"),
        ({"seed": [1, 2]}, {}, UsageError, "--seeds varies the seed"),
        ({"ask.workers": [1, 2]}, {}, UsageError, "none of its numbers"),
        ({"sampler": ["uniform", "fuor-bin"]}, {}, UnknownName, "four-bin"),
        ({"train.slatse": [1, 2]}, {}, UnknownName, "slates"),
        ({"train.slates": [1, "many"]}, {}, BadInput, "whole number"),
        ({"sampler": ["uniform", "four-bin"]}, {"seeds": 0}, UsageError, "at least 1"),
        ({"sampler": ["uniform", "four-bin"]}, {"margin": -1.0}, UsageError, "--margin"),
        (
            {"sampler": ["uniform", "four-bin"]},
            {"judges": ["simulated", "simulated"]},
            UsageError,
            "twice",
        ),
        ({"teacher.noise": [1, 2]}, {"judges": ["simulated"]}, BadInput, "'noise=1', 'noise=2'"),
    ],
)
def test_what_makes_no_comparison_is_said_in_a_sentence(
    vary: Mapping[str, Sequence[Any]], more: dict[str, Any], kind: type[PvdError], said: str
) -> None:
    with pytest.raises(kind, match=".*".join(said.split("*"))) as error:
        design(vary, **more)
    assert "\n" not in str(error.value)

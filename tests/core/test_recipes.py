"""The recipes that come with pvd."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import pvd
from pvd.settings import recipe, recipes, resolve


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_is_complete(name: str) -> None:
    """Nothing is left for the command line to say."""
    settings = resolve(recipe(name))
    assert settings.teacher.capabilities.simulated
    assert {e.label for e in settings.evaluators} == {"mpr", "hits", "grades"}


def test_the_papers_settings_take_effect(small: dict[str, Any], tmp_path: Path) -> None:
    """Seen in what a run does, not in the file that says it."""
    small["train"] = {"rounds": 2, "slates": 60}
    small["exam"] = {"personas": 6, "gallery": 1}
    run = pvd.run(recipe="paper", out=tmp_path / "run", **small)
    settings = resolve(recipe("paper"))
    first, second = run.metrics["rounds"][1:]
    # Cosines as they are differ by little: each of the ten pairs costs about log 2, in sum.
    assert first["loss"] == pytest.approx(10 * math.log(2), abs=0.3)
    # Twenty steps of about 1e-6 each move no weight by more, and round two adds 0.95 of that.
    start = pvd.load("student", "colours")
    start.load("cpu")
    moved = (run.student.state()["weight"] - start.state()["weight"]).abs().max()
    best = run.metrics["best_round"]
    assert moved <= 20e-6 * (1 + 0.95 * (best - 1)) * 1.1
    # Pairs: the number of judgments is one less than the items, for each persona.
    exam = run.metrics["exam"]
    assert exam["judgments"] == exam["personas"] * (exam["items"] - 1)
    assert exam["stability"] is None
    assert run.metrics["validation"] == "mpr"
    assert second["slates"] == 60
    assert len(first["notes"]["bins"]) == 4
    assert (settings.train.rounds, settings.train.slates) == (30, 1000)
    assert (settings.train.patience, settings.exam.items, settings.exam.personas) == (5, 4096, 50)


def test_without_replay_a_round_learns_from_its_own_slates(
    small: dict[str, Any], tmp_path: Path
) -> None:
    """Round two of the paper's recipe starts from round one's weights and forgets its judgments."""
    from pvd.training import Aged, Lesson

    seen = []
    original = Lesson.__init__

    def spy(self: Lesson, aged: list[Aged], *rest: Any) -> None:
        original(self, aged, *rest)
        seen.append((len(aged), len(self)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lesson, "__init__", spy)
        small["train"] = {"rounds": 2, "slates": 40, "steps": 2, "batch": 8}
        pvd.run(recipe="paper", out=tmp_path / "run", **small)
    assert seen == [(40, 40), (80, 40)]

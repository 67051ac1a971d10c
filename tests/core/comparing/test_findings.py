"""Findings on grids whose truth is planted: verdicts, substitution, equal cost."""

from __future__ import annotations

import pytest
from planted import PEOPLE, REFERENCE, ZERO, design, found, judged, noise, sheet

from pvd.comparing import wording
from pvd.comparing.marking import Curve, Mark, Sheet


def test_a_planted_difference_is_found_and_the_other_factor_is_not_blamed() -> None:
    made = design(sampler=["uniform", "four-bin"], loss=["bradley-terry", "plackett-luce"])
    grids = [5 + noise(6, n) + 4 * (n >= 2) for n in range(4)]  # four-bin is the third and fourth
    (sampler, loss) = found(made, {"judge": sheet(grids)})["comparisons"]

    assert (sampler["a"], sampler["b"], sampler["verdict"]) == ("uniform", "four-bin", "better")
    assert sampler["difference"]["low"] < 4 < sampler["difference"]["high"]
    assert loss["verdict"] == "not resolved"
    assert loss["b_replaces_a"]
    assert loss["a_replaces_b"]
    assert loss["family"] == sampler["family"] == 2


def test_single_arms_are_compared_too_as_a_family_of_their_own() -> None:
    made = design(sampler=["uniform", "four-bin"], loss=["bradley-terry", "plackett-luce"])
    pairs = found(made, {"judge": sheet([5 + noise(6, n) for n in range(4)])})["pairs"]

    assert len(pairs) == 6
    assert {pair["family"] for pair in pairs} == {6}


def test_with_one_factor_its_levels_are_the_arms() -> None:
    made = design(sampler=["uniform", "four-bin"])

    assert found(made, {"judge": sheet([noise(6, 1), noise(6, 2)])})["pairs"] == []


def test_few_seeds_bring_an_interval_for_these_seeds_and_no_verdict() -> None:
    made = design(seeds=4, sampler=["uniform", "four-bin"])
    (row,) = found(made, {"judge": sheet([noise(4, 1), 9 + noise(4, 2)])})["comparisons"]

    assert row["verdict"] == "too few seeds"
    assert "given these 4 seeds" in row["difference"]["over"]
    assert row["p"] is None
    assert row["power"] is None
    assert not row["b_replaces_a"]


def test_arms_that_do_the_same_are_said_to_do_the_same() -> None:
    made = design(sampler=["uniform", "four-bin"])
    grid = noise(6, 1)
    (row,) = found(made, {"judge": sheet([grid, grid])})["comparisons"]

    assert row["verdict"] == "same numbers"


def test_at_equal_answers_the_dearer_arm_is_looked_at_earlier() -> None:
    made = design(train__slates=[100, 200])
    grids = [4 + noise(6, 1, 0.1), 8 + noise(6, 2, 0.1)]
    sat = sheet(grids, [(100, 1.0), (200, 0.5)])
    said = found(made, {"judge": sat})

    answers, dollars = said["equal_answers"], said["equal_dollars"]
    assert answers["budget"] == 100
    # After 100 answers the second arm has had half of its rounds, and half of its gain.
    assert answers["comparisons"][0]["difference"]["value"] == pytest.approx(0.0, abs=0.1)
    assert dollars["budget"] == 0.5
    # For half a dollar the first arm has had half of its rounds.
    assert dollars["comparisons"][0]["difference"]["value"] == pytest.approx(6.0, abs=0.1)


def test_arms_that_cost_alike_need_no_look_at_equal_cost() -> None:
    made = design(sampler=["uniform", "four-bin"])
    said = found(made, {"judge": sheet([noise(6, 1), noise(6, 2)])})

    assert said["equal_answers"] is None
    assert said["equal_dollars"] is None


def test_the_carried_gain_is_the_share_of_the_own_teachers() -> None:
    made = design(teacher__noise=[1, 2])
    gains = {"noise=1": [8.0, 6.0], "noise=2": [3.0, 12.0]}
    sheets = judged(gains)
    carried = found(made, sheets)["substitution"]["carried"]

    shares = {(row["taught"], row["judged"]): row for row in carried}
    assert set(shares) == {("noise=2", "noise=1"), ("noise=1", "noise=2")}
    for key, expected in {("noise=2", "noise=1"): 6 / 8, ("noise=1", "noise=2"): 3 / 12}.items():
        assert shares[key]["value"] == pytest.approx(expected, abs=0.03)
        assert shares[key]["low"] < expected < shares[key]["high"]


def test_no_share_of_a_gain_that_is_not_there() -> None:
    made = design(teacher__noise=[1, 2])
    sheets = {j: sheet([noise(6, 1), noise(6, 2)]) for j in ("noise=1", "noise=2")}
    said = found(made, sheets)

    assert all(row["value"] is None for row in said["substitution"]["carried"])
    assert any("cannot be said" in line for line in wording.substitution(said))


def test_own_judges_advantage_is_inflation_only_against_a_reference() -> None:
    people = ["noise=1", "noise=2"]
    gains = {"noise=1": [9.0, 5.0], "noise=2": [4.0, 8.0], "simulated (noise=0)": [6.0, 6.0]}
    sheets = judged(gains)

    with_truth = found(design(judges=[*people, REFERENCE], teacher__noise=[1, 2]), sheets)
    own = with_truth["substitution"]["own_judge"]
    assert own["low"] < (9 + 8 - 5 - 4) / 2 < own["high"]
    (inflation,) = with_truth["substitution"]["inflation"]
    assert inflation["reference"] == "simulated (noise=0)"
    assert inflation["low"] < (9 - 6 + 8 - 6) / 2 < inflation["high"]
    assert any("inflates the gain by" in line for line in wording.substitution(with_truth))

    del sheets["simulated (noise=0)"]
    alone = found(design(teacher__noise=[1, 2]), sheets)
    assert alone["substitution"]["inflation"] == []
    said = " ".join(wording.substitution(alone))
    assert "inflates" not in said
    assert "cannot be told without an independent reference" in said


def test_judges_that_lost_personas_are_compared_on_those_that_both_have() -> None:
    made = design(teacher__noise=[1, 2])
    sheets = {j: sheet([3 + noise(6, 1), 3 + noise(6, 2)]) for j in ("noise=1", "noise=2")}
    whole = sheets["noise=2"]
    some = [1, 0, *range(5, PEOPLE)]  # and in another order

    def cut(mark: Mark) -> Mark:
        trained = {s: {"mpr": g["mpr"][:, some]} for s, g in mark.trained.items()}
        curves = [Curve(c.stops, {"mpr": c.values["mpr"][:, some]}) for c in mark.curves]
        return Mark(trained, {"zero-shot": {"mpr": ZERO[some]}}, curves)

    people = tuple(str(n) for n in some)
    sheets["noise=2"] = Sheet(people, ("mpr",), tuple(map(cut, whole.marks)))
    own = found(made, sheets)["substitution"]["own_judge"]
    # Diagonal and rest are the same numbers, if each persona meets itself.
    assert own["value"] == pytest.approx(0.0)


def test_one_teacher_can_not_be_substituted() -> None:
    made = design(sampler=["uniform", "four-bin"])

    assert found(made, {"judge": sheet([noise(6, 1), noise(6, 2)])})["substitution"] is None

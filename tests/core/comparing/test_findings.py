"""Findings on grids whose truth is planted: verdicts, substitution, equal cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import PEOPLE, REFERENCE, ZERO, design, found, judged, measuring, noise, sheet

from pvd.comparing import plug_ins, wording
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


def test_a_measure_of_ours_that_is_no_view_has_means_and_differences_and_no_verdict() -> None:
    made = design(sampler=["uniform", "four-bin"])
    grids = [14 + noise(6, 3), 17 + noise(6, 4)]
    said = found(made, {"judge": measuring(sheet([noise(6, 1), noise(6, 2)]), "hit@5", grids)})

    (judge,) = said["measures"]
    assert list(said["measures"][judge]) == ["hit@5"]
    (row,) = said["measures"][judge]["hit@5"]["comparisons"]
    assert (row["a"], row["b"]) == ("uniform", "four-bin")
    assert row["difference"]["low"] < 3 < row["difference"]["high"]
    assert "6 seeds" in row["difference"]["over"]
    assert "verdict" not in row
    rows = said["measures"][judge]["hit@5"]["rows"]
    assert rows["zero-shot"]["value"] == pytest.approx(ZERO.mean())
    assert set(rows) == {"zero-shot", "persona-blind", "shuffled-persona"}
    assert [view["label"] for view in said["views"]] == ["judge"]


def test_an_interval_of_a_share_ends_at_a_hundred_and_that_of_a_difference_does_not() -> None:
    made = design(sampler=["uniform", "four-bin"])
    alike = np.full(PEOPLE, 97.0)
    grids = [np.stack([alike - 60, *[alike] * 5]), np.stack([*[alike] * 5, alike - 0.5])]
    said = found(made, {"judge": measuring(sheet([noise(6, 1), noise(6, 2)]), "hit@5", grids)})

    wide, narrow = (score["hit@5"] for score in said["metrics"]["simulated"].values())
    assert (wide["value"], wide["high"]) == (87.0, 100.0)
    assert narrow["value"] < narrow["high"] < 100
    (row,) = said["measures"]["simulated"]["hit@5"]["comparisons"]
    off = row["difference"]
    assert off["high"] - off["value"] == pytest.approx(off["value"] - off["low"])
    assert off["high"] > 100 - wide["value"]


LABELS = np.random.default_rng(7).uniform(0, 0.5, PEOPLE)  # precision of the untrained student


def by_labels(*shifts: float, seeds: int = 6) -> Sheet:
    """A judge who tells no arm from another, and labels that do."""
    arms = range(len(shifts))
    grids = [LABELS + shift + noise(seeds, 20 + n, 0.05) for n, shift in enumerate(shifts)]
    return measuring(sheet([noise(seeds, n) for n in arms]), "precision@5", grids, LABELS)


def test_what_a_plug_in_measures_is_a_view_with_verdict_gain_and_curve() -> None:
    made = design(sampler=["uniform", "four-bin"])
    said = found(made, {"judge": by_labels(0.2, 0.1)})

    assert [view["label"] for view in said["views"]] == ["judge", "precision@5"]
    (judged, measured) = said["comparisons"]
    assert judged["verdict"] == "not resolved"
    assert (measured["view"], measured["verdict"]) == ("precision@5", "worse")
    assert measured["difference"]["low"] < -0.1 < measured["difference"]["high"]
    for level, gain in (("uniform", 0.2), ("four-bin", 0.1)):
        trained = said["gains"]["sampler"][level]["precision@5"]
        assert trained["value"] == pytest.approx(gain, abs=0.02)
        assert 0 < trained["low"] < trained["value"] < trained["high"]
    curve = said["curves"]["precision@5"]["uniform"]
    assert [point["value"] for point in curve] == pytest.approx(
        [LABELS.mean() + share * said["gains"]["sampler"]["uniform"]["precision@5"]["value"]
         for share in (0, 0.5, 1)]
    )  # fmt: skip
    assert "precision@5" not in said["measures"]["simulated"]
    (line,) = plug_ins.lines(said, said["factors"][0])
    assert line.startswith("By precision@5: four-bin is worse than uniform by 0.")


def test_the_margin_is_in_points_and_says_nothing_in_another_unit() -> None:
    made = design(sampler=["uniform", "four-bin"])
    (judged, measured) = found(made, {"judge": by_labels(0.1, 0.1)})["comparisons"]

    assert judged["b_replaces_a"]
    assert measured["verdict"] == "not resolved"
    assert not measured["b_replaces_a"]
    assert not measured["a_replaces_b"]
    assert measured["power"]["seeds_for_margin"] is None
    assert 0 < measured["power"]["detectable"] < 0.2


def test_each_measure_is_a_family_of_its_own() -> None:
    made = design(train__slates=[100, 200, 300])
    alone = by_labels(0.1, 0.11, 0.12)
    beside = measuring(alone, "recall@20", [noise(6, n) for n in range(3)])
    rows = found(made, {"judge": beside})["comparisons"]

    assert {row["family"] for row in rows} == {3}
    some = [row for row in rows if row["view"] == "precision@5"]
    before = found(made, {"judge": alone})["comparisons"]
    assert some == [row for row in before if row["view"] == "precision@5"]
    assert all(row["p_holm"] >= row["p"] for row in some)
    assert some[0]["p_holm"] > some[0]["p"]


def test_by_a_measure_teachers_carry_gains_and_inflate_nothing() -> None:
    made = design(teacher__noise=[1, 2])
    one, two = (by_labels(0.2, 0.1) for _ in range(2))
    said = found(made, {"noise=1": one, "noise=2": two})["substitution"]

    carried = {(r["taught"], r["judged"]): r["value"] for r in said["carried"]}
    assert carried["noise=2", "precision@5"] == pytest.approx(0.5, abs=0.1)
    assert said["matrix"]["noise=1"]["precision@5"]["value"] == pytest.approx(0.2, abs=0.02)
    assert said["inflation"] == [], "leads in points and in another unit are not held together"


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


def test_at_equal_cost_the_dearer_arm_is_looked_at_earlier() -> None:
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


def test_between_two_rounds_a_run_is_worth_a_part_of_both() -> None:
    """Or an arm with large rounds would be taken for untrained until its first one ends."""
    made = design(train__slates=[100, 1000])
    grids = [4 + noise(6, 1, 0.1), 8 + noise(6, 2, 0.1)]
    said = found(made, {"judge": sheet(grids, [(100, 0.0), (1000, 0.0)])})

    # 100 answers are a fifth of the way to the dearer arm's first stop, at half of its gain.
    (row,) = said["equal_answers"]["comparisons"]
    assert row["difference"]["value"] == pytest.approx(8 / 2 / 5 - 4, abs=0.1)


def test_nothing_is_compared_at_a_price_that_nobody_knows() -> None:
    made = design(train__slates=[100, 200])
    whole = sheet([noise(6, 1), noise(6, 2)], [(100, 1.0), (200, 2.0)])
    stops = [replace(stop, dollars=None) for stop in whole.marks[0].curves[0].stops]
    curves = [replace(curve, stops=stops) for curve in whole.marks[0].curves]
    unknown = replace(whole, marks=(replace(whole.marks[0], curves=curves), whole.marks[1]))
    said = found(made, {"judge": unknown})

    assert said["equal_dollars"] is None
    assert said["equal_answers"] is not None
    assert said["curves"]["judge"]["slates=100"][0]["dollars"] is None


def test_what_can_be_seen_counts_the_pairs() -> None:
    grids = [5 + noise(6, n) for n in range(4)]
    one = design(sampler=["uniform", "four-bin"])
    two = design(sampler=["uniform", "four-bin"], loss=["bradley-terry", "plackett-luce"])
    alone = found(one, {"judge": sheet(grids[:2])})["comparisons"][0]["power"]
    (among, _) = found(two, {"judge": sheet([grids[0], grids[0], grids[1], grids[1]])})[
        "comparisons"
    ]

    assert alone["components"] == among["power"]["components"]
    assert alone["detectable"] < among["power"]["detectable"]


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


@pytest.mark.parametrize("gain", [0.0, -5.0])
@pytest.mark.parametrize("seeds", [2, 6])
def test_where_training_made_it_worse_nothing_is_carried(gain: float, seeds: int) -> None:
    made = design(seeds=seeds, teacher__noise=[1, 2])
    grids = [gain + noise(seeds, 1, 0.01), gain / 2 + noise(seeds, 2, 0.01)]
    sheets = {judge: sheet(grids) for judge in ("noise=1", "noise=2")}

    assert all(row["value"] is None for row in found(made, sheets)["substitution"]["carried"])


PEOPLE_AND_REFERENCE = ["noise=1", "noise=2", REFERENCE]
LABEL = "simulated (noise=0)"


def test_own_judges_advantage_is_inflation_only_against_a_reference() -> None:
    gains = {"noise=1": [9.0, 5.0], "noise=2": [4.0, 8.0], LABEL: [6.0, 7.0]}
    sheets = judged(gains)

    with_truth = found(design(judges=PEOPLE_AND_REFERENCE, teacher__noise=[1, 2]), sheets)
    own = with_truth["substitution"]["own_judge"]
    assert own["low"] < (9 + 8 - 5 - 4) / 2 < own["high"]
    rows = {row["teacher"]: row for row in with_truth["substitution"]["inflation"]}
    # Under its own teacher 4 ahead; the reference says 1 behind, or ahead.
    for teacher, expected in {"noise=1": 4 - (-1), "noise=2": 4 - 1}.items():
        assert rows[teacher]["reference"] == LABEL
        assert rows[teacher]["low"] < expected < rows[teacher]["high"]
    # The reference, a judge with noise of its own, sees a lead of the second's student as well:
    # a judge with less noise would see a larger one, and that is no favour.
    assert [rows[teacher]["inflates"] for teacher in ("noise=1", "noise=2")] == [True, False]
    said = wording.substitution(with_truth)
    assert sum("its own exam inflates the lead" in line for line in said) == 1

    del sheets[LABEL]
    alone = found(design(teacher__noise=[1, 2]), sheets)
    assert alone["substitution"]["inflation"] == []
    said = " ".join(wording.substitution(alone))
    assert "inflates" not in said
    assert "cannot be told without an independent reference" in said


def test_a_noisy_reference_alone_proves_no_inflation() -> None:
    """It sees less of every student's gain, of the own one's as of the others'."""
    gains = {"noise=1": [12.0, 9.0], "noise=2": [12.0, 9.0], LABEL: [4.0, 3.0]}
    made = design(judges=PEOPLE_AND_REFERENCE, teacher__noise=[1, 2])
    said = found(made, {judge: sheet([g + noise(6, n) for n, g in enumerate(two)])
                        for judge, two in gains.items()})  # fmt: skip
    rows = {row["teacher"]: row for row in said["substitution"]["inflation"]}

    assert rows["noise=1"]["value"] == pytest.approx(3 - 1, abs=0.01)
    assert rows["noise=2"]["value"] == pytest.approx(-3 - -1, abs=0.01)
    assert not any(row["inflates"] for row in rows.values())


def test_a_noisy_own_judge_alone_proves_no_inflation() -> None:
    """It shrinks what its student lacks; that is more than the reference says, and no favour."""
    gains = {"noise=1": [12.0, 6.0], "noise=2": [3.0, 1.5], LABEL: [12.0, 6.0]}
    made = design(judges=PEOPLE_AND_REFERENCE, teacher__noise=[1, 2])
    said = found(made, judged(gains))
    rows = {row["teacher"]: row for row in said["substitution"]["inflation"]}

    assert rows["noise=2"]["low"] > 0, "the difference of differences"
    assert not rows["noise=2"]["inflates"]
    assert said["substitution"]["own_judge"]["low"] > 0
    assert any("that alone can do it" in line for line in wording.substitution(said))


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

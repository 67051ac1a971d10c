"""Marks from transcripts: what a run's own exam says, for any judge, at any stop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import pvd
from pvd import exam, kit
from pvd.comparing import marking, viewing
from pvd.comparing.design import Judge
from pvd.comparing.transcripts import Stop, Transcript, captions
from pvd.errors import BadInput, PluginError
from pvd.exam import Paper
from pvd.records import Item, Persona

WIDTH, MANY, PEOPLE = 8, 30, 7
EVALUATORS = [pvd.load("evaluator", "mpr"), pvd.load("evaluator", "hits")]
ITEMS = tuple(Item(f"i{n}", Path(f"{n}.png"), title=f"thing {n}") for n in range(MANY))
PERSONAS = tuple(Persona(f"p{n}", f"likes {n}") for n in range(PEOPLE))


def unit(rows: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=1)


def transcript(seed: int, bests: tuple[int, ...] = (0, 1, 1, 3)) -> Transcript:
    stops = tuple(Stop(n, 20 + 30 * n, 0.1 * n, best) for n, best in enumerate(bests))
    return Transcript(
        tuple(p.id for p in PERSONAS),
        tuple(i.id for i in ITEMS),
        stops,
        unit(PEOPLE, 1),
        unit(1, 2)[0],
        {n: unit(MANY, 100 * n + seed * (n > 0)) for n in set(bests)},
        unit(MANY, 3),
    )


def paper(people: tuple[Persona, ...] = PERSONAS, utilities: bool = True) -> Paper:
    known = torch.rand(len(people), MANY, generator=torch.Generator().manual_seed(9)).double()
    winners = tuple(range(3, 3 + len(people)))
    return Paper(people, ITEMS, winners, known if utilities else None, 0, 0, None)


def percentile(scores: torch.Tensor, item: int) -> float:
    return 100 * (1 - float((scores > scores[item]).sum()) / len(scores))


def test_a_mark_is_what_the_evaluators_say_of_the_best_round() -> None:
    rows = [[transcript(1), transcript(2)], [transcript(3), transcript(4)]]
    sheet = marking.mark(paper(), rows, EVALUATORS, seed=0)

    grid = sheet.marks[1].trained["distilled"]["mpr"]
    assert grid.shape == (2, PEOPLE)
    one = rows[1][0]
    expected = [percentile(one.texts[n] @ one.seen[3].T, 3 + n) for n in range(PEOPLE)]
    assert grid[0] == pytest.approx(expected)
    before = [percentile(one.texts[n] @ one.seen[0].T, 3 + n) for n in range(PEOPLE)]
    assert sheet.marks[1].fixed["zero-shot"]["mpr"] == pytest.approx(before)
    assert sheet.gain([1], "mpr")[0] == pytest.approx(np.subtract(expected, before))
    assert sheet.values([0, 1], "mpr") == pytest.approx(
        (sheet.values([0], "mpr") + sheet.values([1], "mpr")) / 2
    )


def test_a_curve_follows_the_best_round_so_far() -> None:
    one = transcript(1, (0, 0, 2, 2))
    sheet = marking.mark(paper(), [[one]], EVALUATORS, seed=0)

    (curve,) = sheet.marks[0].curves
    values = curve.values["mpr"]
    assert values.shape == (4, PEOPLE)
    assert (values[0] == values[1]).all()
    assert (values[2] == values[3]).all()
    assert values[3] == pytest.approx(sheet.values([0], "mpr")[0])
    assert values[0] == pytest.approx(sheet.marks[0].fixed["zero-shot"]["mpr"])


def test_titles_are_a_row_of_their_own_without_a_teacher() -> None:
    sheet = marking.mark(paper(), [[transcript(1)]], EVALUATORS, seed=0)
    text = sheet.marks[0].fixed["text"]["mpr"]
    one = transcript(1)
    assert one.captions is not None
    expected = [percentile(one.texts[n] @ one.captions.T, 3 + n) for n in range(PEOPLE)]
    assert text == pytest.approx(expected)

    bare = replace(one, captions=None)
    assert "text" not in marking.mark(paper(), [[bare]], EVALUATORS, seed=0).marks[0].fixed


def test_captions_are_titles_or_attributes_and_all_or_none() -> None:
    described = Item("x", Path("x.png"), attributes={"caption": "a red hat"})

    assert captions([ITEMS[0], described]) == ["thing 0", "a red hat"]
    assert captions([ITEMS[0], Item("y", Path("y.png"), title="  ")]) is None


def test_a_persona_without_a_winner_is_left_out_in_every_row() -> None:
    some = PERSONAS[:2] + PERSONAS[4:]
    sheet = marking.mark(paper(some), [[transcript(1)]], EVALUATORS, seed=0)

    one = transcript(1)
    place = [0, 1, 4, 5, 6]
    expected = [percentile(one.texts[p] @ one.seen[3].T, 3 + n) for n, p in enumerate(place)]
    assert sheet.values([0], "mpr")[0] == pytest.approx(expected)
    assert sheet.personas == tuple(persona.id for persona in some)


def test_another_catalogue_is_noticed() -> None:
    other = replace(transcript(1), items=tuple(f"j{n}" for n in range(MANY)))

    with pytest.raises(BadInput, match="other exam items"):
        marking.mark(paper(), [[other]], EVALUATORS, seed=0)


def test_the_truth_is_one_view_if_all_judges_know_the_same() -> None:
    known = marking.mark(paper(), [[transcript(1)]], EVALUATORS, seed=0)
    judges = [Judge("a", {}, True, False), Judge("b", {}, False, True)]
    views = viewing.views(judges, [known, known])

    assert [(v.label, v.metric, v.is_independent) for v in views] == [
        ("truth", "mpr_true", True), ("b", "mpr", True), ("a", "mpr", False),
    ]  # fmt: skip


def test_a_judge_that_lost_a_persona_knows_the_same_of_the_others() -> None:
    rows = [[transcript(1)]]
    whole, some = paper(), paper(PERSONAS[1:])
    assert whole.utilities is not None
    cut = replace(some, utilities=whole.utilities[1:])
    sheets = [marking.mark(one, rows, EVALUATORS, seed=0) for one in (whole, cut)]
    judges = [Judge(name, {}, True, False) for name in "ab"]

    assert viewing.views(judges, sheets)[0].label == "truth"


def test_what_one_judge_alone_knows_is_its_own_truth() -> None:
    rows = [[transcript(1)]]
    papers = (paper(), paper(utilities=False))
    sheets = [marking.mark(one, rows, EVALUATORS, seed=0) for one in papers]
    views = viewing.views([Judge("a", {}, True, False), Judge("b", {}, False, True)], sheets)

    assert [(v.label, v.is_independent) for v in views] == [
        ("b", True), ("truth of a", False), ("a", False),
    ]  # fmt: skip


def test_judges_that_taught_are_looked_at_together_first() -> None:
    """Each has one favourite; in their mean no name comes first."""
    rows, some = [[transcript(1), transcript(2)]], PERSONAS[:2] + PERSONAS[4:]
    papers = (paper(utilities=False), paper(some, utilities=False))
    sheets = [marking.mark(one, rows, EVALUATORS, seed=0) for one in papers]
    judges = [Judge(name, {}, True, False) for name in "ab"]
    views = viewing.views(judges, sheets)

    assert [view.label for view in views] == ["all teachers", "a", "b"]
    together, a, b = (view.values([0]) for view in views)
    assert together == pytest.approx((a[:, [0, 1, 4, 5, 6]] + b) / 2)
    assert views[0].gain([0]) == pytest.approx(
        (views[1].gain([0])[:, [0, 1, 4, 5, 6]] + views[2].gain([0])) / 2
    )
    assert views[0].curves(0)[1].values["mpr"][-1] == pytest.approx(together[1])


def test_judges_of_different_tastes_have_each_a_truth_of_their_own() -> None:
    known = marking.mark(paper(), [[transcript(1)]], EVALUATORS, seed=0)
    other = replace(paper(), utilities=torch.rand(PEOPLE, MANY).double())
    theirs = marking.mark(other, [[transcript(1)]], EVALUATORS, seed=0)

    judges = [Judge("a", {}, True, False), Judge("b", {}, False, True)]
    views = viewing.views(judges, [known, theirs])
    assert [view.label for view in views] == ["truth of b", "b", "truth of a", "a"]


def test_one_persona_makes_no_comparison() -> None:
    with pytest.raises(BadInput, match=r"raise exam\.personas"):
        marking.mark(paper(PERSONAS[:1]), [[transcript(1)]], EVALUATORS, seed=0)


@dataclass(kw_only=True)
class Labelled(pvd.Evaluator):
    """Precision at 5 by labels of somebody's own, which no judge knows; and numbers that cannot be
    compared: one without values, one that some students lack."""

    names: tuple[str, ...] = ("precision@5",)

    def evaluate(self, exam: pvd.Exam) -> dict[str, pvd.Estimate]:
        top = exam.scores.topk(5).indices
        wanted = [(int(persona.id[1:]) + top[row]) % 4 == 0
                  for row, persona in enumerate(exam.personas)]  # fmt: skip
        values = [float(found.float().mean()) for found in wanted]
        whole = kit.mean(values, exam.seed, "personas")
        found = {
            "precision@5": whole,
            "ndcg@10": whole,
            "by winner": kit.mean([float(w) for w in exam.winners], exam.seed, "personas"),
            "bare": replace(whole, values=()),
            "ragged": kit.mean(values[: 3 + int(top.sum()) % 2], exam.seed, "some"),
            "short": kit.mean(values[1:], exam.seed, "some"),
            "labelled": kit.mean([None, values[1], None, *values[3:]], exam.seed, "some"),
            "choosy": kit.mean([v or None for v in values[:-1]] + [1.0], exam.seed, "some"),
        }
        return {name: found[name] for name in self.names}


def labelled(papers: list[Paper], *names: str) -> list[marking.Sheet]:
    rows = [[transcript(n), transcript(n + 10)] for n in (1, 2)]
    evaluators = [*EVALUATORS, Labelled(names=names)]
    return [marking.mark(one, rows, evaluators, seed=0) for one in papers]


def test_labels_of_ones_own_are_one_view_whoever_judges() -> None:
    """Also where a judge lost a persona."""
    judges = [Judge("a", {}, True, False), Judge("b", {}, True, False)]
    sheets = labelled([paper(PERSONAS[1:]), paper()], "precision@5")
    *_, last = viewing.views(judges, sheets)

    assert (last.label, last.metric, last.is_own) == ("precision@5", "precision@5", True)
    assert last.is_independent, "nobody who taught has a say in it"
    assert last.values([0]).shape == (2, PEOPLE), "of the judge that lost nobody"
    assert last.gain([0]).mean() == pytest.approx(
        last.values([0]).mean() - sheets[1].marks[0].fixed["zero-shot"]["precision@5"].mean()
    )


def test_a_measure_of_the_judges_winners_is_a_view_for_each_judge() -> None:
    judges = [Judge("a", {}, True, False), Judge("b", {}, False, True)]
    other = replace(paper(), winners=tuple(range(10, 10 + PEOPLE)))
    measured = [
        v for v in viewing.views(judges, labelled([paper(), other], "by winner")) if v.is_own
    ]

    assert [view.label for view in measured] == ["by winner under a", "by winner under b"]
    assert [view.is_independent for view in measured] == [False, True]


def test_a_measure_has_a_curve_and_other_numbers_of_ours_have_none() -> None:
    (sheet,) = labelled([paper()], "precision@5")
    curve = sheet.marks[0].curves[0]

    assert set(curve.values) == {"mpr", "mpr_true", "precision@5"}
    assert curve.values["precision@5"].shape == (4, PEOPLE)
    assert curve.values["precision@5"][3] == pytest.approx(sheet.values([0], "precision@5")[0])


def test_what_has_not_one_value_a_persona_is_left_out_and_named() -> None:
    (sheet,) = labelled([paper()], "precision@5", "bare", "ragged", "short", "choosy")

    assert sheet.left_out == ("bare", "ragged", "short", "choosy")
    assert "precision@5" in sheet.metrics
    labels = [view.label for view in viewing.views([Judge("a", {}, True, False)], [sheet])]
    assert labels[-1] == "precision@5"
    assert not {"bare", "ragged", "short", "choosy"} & set(labels)


def test_who_has_no_value_in_any_run_is_left_out_of_the_measure_alone() -> None:
    (sheet,) = labelled([paper()], "precision@5", "labelled")
    some, names = sheet.people("labelled"), sheet.personas

    assert some == (names[1], *names[3:])
    assert sheet.people("precision@5") == names
    assert not sheet.left_out
    for arm in (0, 1):
        for of in (sheet.values, sheet.gain):
            whole, cut = of([arm], "precision@5"), of([arm], "labelled")
            assert np.array_equal(cut, np.delete(whole, (0, 2), axis=1))
    curve = sheet.marks[0].curves[0].values
    assert np.array_equal(curve["labelled"], np.delete(curve["precision@5"], (0, 2), axis=1))
    assert sheet.marks[0].fixed["random"]["labelled"].shape == (PEOPLE - 2,)


def test_labels_of_some_are_one_view_also_where_a_judge_lost_a_persona() -> None:
    judges = [Judge("a", {}, True, False), Judge("b", {}, True, False)]

    class ById(Labelled):
        def evaluate(self, exam: pvd.Exam) -> dict[str, pvd.Estimate]:
            whole = super().evaluate(exam)["precision@5"].values
            rows = zip(exam.personas, whole, strict=True)
            known = [None if int(p.id[1:]) % 3 == 0 else value for p, value in rows]
            return {"some": kit.mean(known, exam.seed, "some")}

    rows = [[transcript(n), transcript(n + 10)] for n in (1, 2)]
    sheets = [
        marking.mark(one, rows, [*EVALUATORS, ById()], seed=0)
        for one in (paper(PERSONAS[1:]), paper())
    ]
    views = [view for view in viewing.views(judges, sheets) if view.is_own]

    assert [view.label for view in views] == ["some"]
    assert views[0].values([0]).shape[1] == len(sheets[1].people("some"))


def test_a_strangers_number_that_is_called_like_ours_is_the_strangers() -> None:
    """Relevance labels of one's own make another nDCG than the judge's utilities do."""
    ours = pvd.load("evaluator", "grades")
    rows = [[transcript(1)], [transcript(2)]]
    sheet = marking.mark(paper(), rows, [*EVALUATORS, ours, Labelled(names=("ndcg@10",))], seed=0)
    shown = viewing.views([Judge("a", {}, True, False)], [sheet])

    assert [view.label for view in shown if view.is_own] == ["Labelled ndcg@10"]
    theirs = sheet.marks[0].trained["distilled"]
    assert not np.array_equal(theirs["ndcg@10"], theirs["Labelled ndcg@10"])


@dataclass(kw_only=True)
class Another(pvd.Evaluator):
    def evaluate(self, exam: pvd.Exam) -> dict[str, pvd.Estimate]:
        return {}

    def chance(self, items: int) -> dict[str, float]:
        return {"mpr": 50.0, "hit@5": 5 / items, "lift": 1.0}


def test_what_the_lot_gets_goes_by_the_same_names() -> None:
    assert exam.chance([Another()], 10) == {"mpr": 50.0, "Another hit@5": 0.5, "lift": 1.0}


def test_no_measure_takes_the_place_of_another() -> None:
    with pytest.raises(BadInput, match=r"evaluators mpr and Another both bring 'mpr'"):
        exam.chance([EVALUATORS[0], Another()], 10)
    same = [Labelled(names=("precision@5",))] * 2
    with pytest.raises(BadInput, match=r"Labelled and Labelled both bring 'precision@5'"):
        marking.mark(paper(), [[transcript(1)], [transcript(2)]], [*EVALUATORS, *same], seed=0)


@dataclass(kw_only=True)
class Bare(pvd.Evaluator):
    """A percentile rank of somebody else's, without the personas' values."""

    def evaluate(self, exam: pvd.Exam) -> dict[str, pvd.Estimate]:
        return {"mpr": pvd.Estimate(50.0, 40.0, 60.0, "personas")}

    def chance(self, items: int) -> dict[str, float]:
        return {"mpr": 50.0}


def test_a_percentile_rank_has_a_value_for_each_persona() -> None:
    """Headlines and gains are about it: better said than a KeyError at the end."""
    scores = {"distilled": torch.zeros(PEOPLE, len(paper().items))}
    with pytest.raises(PluginError, match=rf"Bare.* 'mpr' with 0 values .* the {PEOPLE} personas"):
        exam.evaluate(paper(), scores, [Bare()], seed=0)


def test_who_shares_no_persona_tells_nothing() -> None:
    judges = [Judge("a", {}, True, False), Judge("b", {}, True, False)]
    half = PEOPLE // 2
    sheets = labelled([paper(PERSONAS[:half]), paper(PERSONAS[half:])], "precision@5")
    labels = [view.label for view in viewing.views(judges, sheets)]

    assert labels[-2:] == ["precision@5 under a", "precision@5 under b"]


def test_a_measure_may_be_called_like_a_judge() -> None:
    sheets = labelled([paper()], "precision@5")
    labels = [v.label for v in viewing.views([Judge("precision@5", {}, True, False)], sheets)]

    assert labels[-1] == "precision@5 (measure)"
    assert len(set(labels)) == len(labels)

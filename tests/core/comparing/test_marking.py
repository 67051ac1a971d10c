"""Marks from transcripts: what a run's own exam says, for any judge, at any stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import pvd
from pvd.comparing import marking
from pvd.comparing.design import Judge
from pvd.comparing.transcripts import Stop, Transcript, captions
from pvd.errors import BadInput
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
    views = marking.views(judges, [known, known])

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

    assert marking.views(judges, sheets)[0].label == "truth"


def test_what_one_judge_alone_knows_is_its_own_truth() -> None:
    rows = [[transcript(1)]]
    papers = (paper(), paper(utilities=False))
    sheets = [marking.mark(one, rows, EVALUATORS, seed=0) for one in papers]
    views = marking.views([Judge("a", {}, True, False), Judge("b", {}, False, True)], sheets)

    assert [(v.label, v.is_independent) for v in views] == [
        ("b", True), ("truth of a", False), ("a", False),
    ]  # fmt: skip


def test_judges_that_taught_are_looked_at_together_first() -> None:
    """Each has one favourite; in their mean no name comes first."""
    rows, some = [[transcript(1), transcript(2)]], PERSONAS[:2] + PERSONAS[4:]
    papers = (paper(utilities=False), paper(some, utilities=False))
    sheets = [marking.mark(one, rows, EVALUATORS, seed=0) for one in papers]
    judges = [Judge(name, {}, True, False) for name in "ab"]
    views = marking.views(judges, sheets)

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
    views = marking.views(judges, [known, theirs])
    assert [view.label for view in views] == ["truth of b", "b", "truth of a", "a"]


def test_one_persona_makes_no_comparison() -> None:
    with pytest.raises(BadInput, match=r"raise exam\.personas"):
        marking.mark(paper(PERSONAS[:1]), [[transcript(1)]], EVALUATORS, seed=0)

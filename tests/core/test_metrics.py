"""Numbers are written alike wherever they stand."""

from __future__ import annotations

import pytest
from made_up import Page, estimate, percent, sample

from pvd.metrics import (
    change,
    decimals,
    heading,
    interval,
    is_own,
    metric_label,
    metric_place,
    number,
    signed,
)
from pvd.prose import listed
from pvd.report import render


def test_a_plug_ins_numbers_are_written_like_ours() -> None:
    rows = [
        {"precision@5": estimate(14.0, 5.23), "rr": estimate(0.1746, 0.05), "hit@5": percent(8.7)},
        {"precision@5": estimate(3.48, 3.48), "rr": estimate(0.02, 0.01), "mpr": percent(50.0)},
    ]
    places = decimals(rows)
    assert places == {"precision@5": 1, "rr": 3, "hit@5": 1, "mpr": 1}
    assert [signed(v, "precision@5", places) for v in (3.48, 0.0, -7.83)] == [
        "+3.5",
        "+0.0",
        "−7.8",
    ]
    assert number(0.02, "rr", places) == "0.020"
    for largest, text in [(1234.5, "1234.5"), (10, "10.0"), (9.994, "9.99"), (0.0123, "0.0123")]:
        assert number(largest, "x", decimals([{"x": estimate(largest, 0.0)}])) == text
    assert decimals([{"x": estimate(0.0, 0.0)}]) == {"x": 1}
    metrics, usage, gallery = sample()
    for row in metrics["exam"]["systems"].values():
        row["precision@5"] = estimate(14.0, 5.23)
    for row in metrics["exam"]["gains"].values():
        row["precision@5"] = {"value": 3.48, "low": 0.0, "high": 7.83, "over": ""}
    text = Page(render(metrics, usage, gallery)).text
    assert "14.0\n8.8 to 19.8" in text
    assert "+3.5\n0.0 to 7.8" in text


def test_a_difference_has_a_sign_and_a_number_a_true_minus() -> None:
    assert change({"value": 4.06, "low": -0.04, "high": 8.1}, "mpr") == "+4.1 (+0.0 to +8.1)"
    assert change({"value": -0.25, "low": -1.0, "high": 0.5}, "x", {"x": 2}) == (
        "\N{MINUS SIGN}0.25 (\N{MINUS SIGN}1.00 to +0.50)"
    )


def test_an_interval_is_short_where_no_minus_stands_in_it() -> None:
    assert interval({"value": 71.24, "low": 66.0, "high": 76.1}, "mpr") == "71.2 (66.0-76.1)"
    assert interval({"value": 0.1, "low": -0.2, "high": 0.4}, "kendall") == (
        "0.10 (\N{MINUS SIGN}0.20 to 0.40)"
    )
    assert interval(None, "mpr") == ""


@pytest.mark.parametrize(
    ("metric", "label", "head", "own"),
    [
        ("mpr_true", "true MPR", "true MPR", False),
        ("ndcg@10", "nDCG@10", "nDCG@10", False),
        ("hit@5", "hit@5", "hit@5 %", False),
        ("precision@5", "precision@5", "precision@5", True),
        ("Labelled ndcg@10", "Labelled ndcg@10", "Labelled ndcg@10", True),
    ],
)
def test_what_a_metric_is_called(metric: str, label: str, head: str, own: bool) -> None:
    assert (metric_label(metric), heading(metric), is_own(metric)) == (label, head, own)


def test_what_plug_ins_bring_stands_last() -> None:
    names = ["precision@5", "hit@20", "mpr_true", "auc", "hit@5", "mpr", "ndcg@10"]
    ours = ["mpr", "mpr_true", "ndcg@10", "hit@20", "hit@5"]
    assert sorted(names, key=metric_place) == [*ours, "precision@5", "auc"]


@pytest.mark.parametrize(
    ("names", "said"),
    [(["a"], "a"), (["a", "b"], "a and b"), (iter(["a", "b", "c"]), "a, b and c")],
)
def test_names_are_listed_as_one_says_them(names: list[str], said: str) -> None:
    assert listed(names) == said

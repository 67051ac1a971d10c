"""A sentence says of a run what its intervals allow, on its page too."""

from __future__ import annotations

import pytest
from made_up import Data, Page, estimate, guarded, sample

from pvd.metrics import number, signed
from pvd.report import render
from pvd.sentences import cost, headline, luck, memory, missing, otherwise, personal, scope


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "what"),
    [
        ("mpr", "it places the simulated judge's winner at percentile"),
        ("mpr_true", "it places the simulated judge's favourites at percentile"),
    ],
)
@pytest.mark.parametrize(
    ("gain", "low", "high", "wording"),
    [
        (29.9, 25.1, 34.6, "Training the tiny student helped in"),
        (0.7, -1.2, 2.6, "made no clear difference in"),
        (-6.3, -9.1, -3.5, "made it worse in"),
    ],
)
def test_headline(
    metric: str, what: str, gain: float, low: float, high: float, wording: str
) -> None:
    """It is about the truth where that is known, as the terminal's gains are."""
    metrics, usage, gallery = sample(utilities=metric == "mpr_true")
    exam = metrics["exam"]
    exam["gains"]["zero-shot"][metric] = {"value": gain, "low": low, "high": high, "over": ""}
    said = headline(metrics)
    about = scope(metrics)
    assert about.startswith("50 held-out personas and 240 held-out items, one trained student")
    assert ("the judge's own order gets 100.0" in about) == (metric == "mpr_true")
    page = Page(render(metrics, usage, gallery)).text
    assert about in page
    assert f"{wording} {'true ' * (metric == 'mpr_true')}MPR: it places" in said
    assert what in said
    assert f"95 % interval {number(low, 'mpr')} to {number(high, 'mpr')})." in said
    assert signed(gain, "mpr") + " points" in said
    assert said in page
    metrics["simulated"] = False
    assert "simulated judge" not in headline(metrics)
    assert "are simulated" not in Page(render(metrics, usage, gallery)).text


def gained(**found: tuple[float, float, float]) -> Data:
    """A run whose gains over the untrained student are these."""
    metrics, _, _ = sample()
    names = {"hit_5": "hit@5", "ndcg_10": "ndcg@10"}
    metrics["exam"]["gains"]["zero-shot"] = {
        names.get(name, name): {"value": value, "low": low, "high": high, "over": ""}
        for name, (value, low, high) in found.items()
    }
    return metrics


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (
            gained(mpr_true=(2, -1, 5), ndcg_10=(0.03, 0.01, 0.05), mpr=(4, 1, 7)),
            "By other measures it is clearly better in MPR +4.0 (+1.0 to +7.0), nDCG@10 +0.030 "
            "(+0.010 to +0.050): each by its own interval, before and after training.",
        ),
        (
            gained(mpr_true=(2, -1, 5), mpr=(4, 1, 7), hit_5=(-9, -12, -3)),
            "By other measures it is clearly better in MPR +4.0 (+1.0 to +7.0); and clearly worse "
            "in hit@5 −9.0 (−12.0 to −3.0): each by its own interval, before and after training.",
        ),
        (gained(mpr_true=(4, 1, 7), mpr=(2, -1, 5), hit_5=(9, 3, 12)), ""),
        (
            gained(mpr_true=(4, 1, 7), mpr=(-4, -7, -1)),
            "By other measures it is clearly worse in MPR −4.0 (−7.0 to −1.0): each by its own "
            "interval, before and after training.",
        ),
    ],
)
def test_measures_that_clearly_say_something_else_are_named(metrics: Data, said: str) -> None:
    assert otherwise(metrics) == said


def test_the_page_says_what_other_measures_say() -> None:
    metrics, usage, gallery = sample()
    metrics["exam"]["gains"] |= gained(mpr_true=(2, -1, 5), mpr=(4, 1, 7))["exam"]["gains"] | {
        name: metrics["exam"]["gains"][name] for name in ("persona-blind", "shuffled-persona")
    }
    assert otherwise(metrics)
    assert otherwise(metrics) in Page(render(metrics, usage, gallery)).text


@pytest.mark.parametrize("metric", ["mpr", "mpr_true"])
@pytest.mark.parametrize(
    ("before", "low", "high", "wording"),
    [
        (35.0, 40.2, 49.9, "is still worse than luck, 50.2"),
        (35.0, 44.0, 53.0, "is still not clearly better than luck, 50.2"),
        (70.0, 40.2, 49.9, "is now worse than luck, 50.2"),
        (70.0, 44.0, 53.0, "is now not clearly better than luck, 50.2"),
        (35.0, 51.0, 60.0, ""),
        (70.0, 75.0, 80.0, ""),
    ],
)
def test_headline_of_a_student_that_does_not_beat_luck(
    metric: str, before: float, low: float, high: float, wording: str
) -> None:
    metrics, usage, gallery = sample(utilities=metric == "mpr_true")
    exam = metrics["exam"]
    exam["chance"] = dict.fromkeys(("mpr", "mpr_true"), 50.2)
    exam["systems"]["zero-shot"][metric] = estimate(before)
    exam["systems"]["distilled"][metric] = {
        "value": (low + high) / 2, "low": low, "high": high, "over": "50 personas"
    }  # fmt: skip
    said = headline(metrics)
    assert luck(exam) == wording
    assert said.endswith(f"), and {wording}." if wording else ").")
    assert ("luck" in said) == bool(wording)
    assert said in Page(render(metrics, usage, gallery)).text
    del exam["chance"][metric]
    assert luck(exam) == "", "where nobody knows what the lot gets"


def test_one_persona_beats_nobody_for_sure() -> None:
    metrics, _, _ = sample(personas=1)
    metrics["exam"]["chance"]["mpr_true"] = 50.2
    assert "not clearly better than luck, 50.2." in headline(metrics)


@pytest.mark.parametrize(
    ("low", "high", "wording"),
    [
        (1.0, 9.0, "it uses what the persona says"),
        (-1.0, 9.0, "not clearly"),
        (-9.0, -1.0, "which is more"),
    ],
)
def test_whether_it_uses_the_persona(low: float, high: float, wording: str) -> None:
    for metric in ("mpr", "mpr_true"):
        metrics, _, _ = sample(utilities=metric == "mpr_true")
        metrics["exam"]["gains"]["shuffled-persona"][metric] = {
            "value": 5.0,
            "low": low,
            "high": high,
        }
        assert wording in personal(metrics)


def test_what_it_cost() -> None:
    metrics, usage, gallery = sample()
    metrics["answers"] = {
        part: {"judgments": 1200, "tokens": {"input": 0, "output": 0}, "dollars": 0.0}
        for part in ("training", "exam")
    }
    assert cost(metrics) == "2,400 answers, which cost nothing, since a program made them up."
    metrics["answers"]["exam"]["dollars"] = 12.5
    assert cost(metrics) == "2,400 answers, which cost $12.50."
    assert cost(metrics) in Page(render(metrics, usage, gallery)).text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (3.0, "Training made it better at that. Asked with the items' attribute values, it places"),
        (0.5, "Training made no clear difference to that."),
        (-3.0, "Training made it worse at that."),
    ],
)
def test_what_was_forgotten_is_worded_by_the_interval(change: float, says: str) -> None:
    assert memory(guarded(change)).startswith(says)
    assert f"percentile {68.8 + change:.1f}, before 68.8 (change {signed(change, 'mpr')}, 95" in (
        memory(guarded(change))
    )
    metrics = guarded(change)
    metrics["forgetting"]["queries"] = None
    assert memory(metrics).startswith("The held-out items have too few titles or attributes")
    assert memory(sample()[0]) == ""  # a run of an older version


def measuring(had: int, has: int, both: int | None) -> Data:
    """A run of 50 personas in which so many have a value of `lift` before training, after it and
    both; nobody knows who, if that is None."""
    metrics, _, _ = sample(gallery=0)
    exam = metrics["exam"]

    def found(value: float, having: int) -> Data:
        known = estimate(value, 0.05)
        return known | {"missing": 50 - having} if having < 50 else known

    for system, numbers in exam["systems"].items():
        numbers["lift"] = found(0.3, had if system == "zero-shot" else has)
    for numbers in exam["gains"].values():
        if both is not None:
            numbers["lift"] = found(0.2, both)
    return metrics


@pytest.mark.parametrize(
    ("had", "has", "both", "said"),
    [
        (50, 50, 50, []),
        (20, 20, 20, ["lift is over 20 of 50 personas: the others have no value."]),
        (
            20,
            21,
            9,
            ["lift: 20 of 50 personas have a value before training and 21 after; the gain is over "
             "9 with both."],
        ),
        (20, 20, 9, ["lift: 20 of 50 personas have a value before training and 20 after; the gain "
                     "is over 9 with both."]),
        (20, 21, None, ["lift has no gain: no persona has a value both before and after "
                        "training."]),
        (50, 50, None, ["lift has no gain: it has not one value for each persona, to be paired."]),
    ],
)  # fmt: skip
def test_who_has_no_value_is_counted_and_what_is_not_paired_is_said(
    had: int, has: int, both: int | None, said: list[str]
) -> None:
    metrics = measuring(had, has, both)
    _, usage, gallery = sample(gallery=0)
    assert missing(metrics["exam"]) == said
    text = Page(render(metrics, usage, gallery)).text
    assert all(sentence in text for sentence in said)


def test_a_gain_over_some_personas_says_so_and_one_over_a_single_one_is_not_clear() -> None:
    metrics = measuring(20, 21, 9)
    metrics["exam"]["gains"]["zero-shot"]["mpr_true"] |= {"value": 0.1, "low": -1.0, "high": 1.0}
    assert "lift +0.200 (+0.150 to +0.255) over 9 personas: each by" in otherwise(metrics)
    metrics["exam"]["gains"]["zero-shot"]["lift"]["missing"] = 49
    assert "lift" not in otherwise(metrics)

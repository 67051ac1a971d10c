"""What people see of a comparison: sentences, the terminal, the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from planted import design, found, judged, noise, sheet

from pvd.comparing import report, screen, wording


def row(**given: Any) -> dict[str, Any]:
    base = {
        "view": "judge", "factor": "teacher", "a": "gemini", "b": "qwen-vl", "p_holm": 0.3,
        "difference": {"value": -0.2, "low": -0.7, "high": 0.3}, "verdict": "not resolved",
        "b_replaces_a": False, "a_replaces_b": False,
    }  # fmt: skip
    return base | given


SAID = {"margin": 1.0, "seeds": 5}


@pytest.mark.parametrize(
    ("given", "sentence", "tag"),
    [
        ({}, "qwen-vl against gemini is not resolved: −0.2 points (−0.7 to +0.3).",
         "not resolved"),
        ({"b_replaces_a": True},
         "qwen-vl replaces gemini: it is surely not 1 point worse (−0.7 to +0.3).", "replaces"),
        ({"a_replaces_b": True},
         "gemini replaces qwen-vl: it is surely not 1 point worse (−0.3 to +0.7).",
         "A replaces it"),
        ({"a_replaces_b": True, "b_replaces_a": True},
         "qwen-vl and gemini differ by less than 1 point (−0.7 to +0.3): either will do.",
         "either will do"),
        ({"verdict": "worse"}, "qwen-vl is worse than gemini by 0.2 points (−0.7 to +0.3).",
         "worse"),
        ({"verdict": "worse", "b_replaces_a": True},
         "qwen-vl is worse than gemini by 0.2 points (−0.7 to +0.3), though surely by less than "
         "1 point: it replaces gemini.", "worse, replaces"),
        ({"verdict": "better"}, "qwen-vl is better than gemini by 0.2 points (−0.7 to +0.3).",
         "better"),
        ({"verdict": "same numbers"}, "qwen-vl and gemini gave the same numbers in every run.",
         "same numbers"),
        ({"verdict": "too few seeds"},
         "qwen-vl minus gemini is −0.2 points in these 5 seeds (−0.7 to +0.3); too few seeds for a "
         "verdict.", "too few seeds"),
    ],
)  # fmt: skip
def test_a_verdict_in_words(given: dict[str, Any], sentence: str, tag: str) -> None:
    assert wording.sentence(row(**given), SAID) == sentence
    assert wording.tag(row(**given)) == tag


def test_no_sentence_says_that_two_are_equal() -> None:
    everything = Path(wording.__file__).read_text() + Path(report.__file__).read_text()
    everything += (Path(report.__file__).parents[1] / "templates/compare.html.j2").read_text()
    words = re.sub(r'"""[\s\S]*?"""|at equal|At equal|equal_\w+|equal\.|in equal', "", everything)
    assert not re.search(r"\bequal(ly)?\b.{0,30}(good|teacher|arm)|no difference", words)


@pytest.fixture
def findings() -> dict[str, Any]:
    made = design(teacher__noise=[1, 2], sampler=["uniform", "four-bin"], seeds=6)
    gains = {"noise=1": [9.0, 10.0, 5.0, 6.0], "noise=2": [4.0, 5.0, 8.0, 9.0]}
    return found(made, judged(gains))


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_the_screen_fits_its_window(
    findings: dict[str, Any],
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    screen.show(findings, Path("runs/compare/report.html"))

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    for number in (findings["comparisons"][0]["difference"]["value"],):
        assert wording.signed(number) in text
    assert "Report: runs/compare/report.html" in text
    assert "noise=2" in text


def measuring(findings: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same comparison with a plug-in's measures under each judge."""
    fourteen, gain = ({"value": v, "low": v - 5.23, "high": v + 5.2, "over": "all"}
                      for v in (14.0, 3.48))  # fmt: skip
    pairs = [{key: row[key] for key in ("factor", "a", "b")} | {"difference": gain}
             for row in findings["comparisons"] if row["view"] == "noise=1"]  # fmt: skip
    for arms in findings["metrics"].values():
        for numbers in arms.values():
            numbers.update(dict.fromkeys(names, fourteen))
    measure = {"rows": {"zero-shot": fourteen}, "comparisons": pairs}
    measures = {judge: dict.fromkeys(names, measure) for judge in findings["metrics"]}
    return findings | {"measures": measures, "chance": {"precision@5": 2.5}}


def printed(findings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    screen.show(findings, Path("report.html"))
    return capsys.readouterr().out


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_what_a_plug_in_measures_is_shown_with_differences(
    findings: dict[str, Any],
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert "precision" not in printed(findings, capsys)
    given = measuring(findings, "precision@5", "hit@5")
    text = printed(given, capsys)

    assert max(len(line.rstrip()) for line in text.splitlines()) <= columns
    for judge in ("noise=1", "noise=2"):
        assert f"precision@5, {judge}" in text
    assert text.count("14.0 (8.8-19.2)") == 2 * (4 + 1), "four arms and zero-shot, by two judges"
    assert text.count("+3.5 (−1.8 to +8.7)") == 2 * 2
    assert "No verdicts on precision@5: " in text
    assert "hit@5" not in text, "of ours the page has more"
    page = report.render(given)
    for part in ("precision@5", "hit@5 %", "14.0<small>8.8 to 19.2", "+3.5<small>−1.8 to +8.7"):
        assert part in page
    assert "Other measures" in page
    assert "Other measures" not in report.render(findings)


@pytest.mark.parametrize("columns", range(40, 120, 5))
def test_no_interval_is_broken_between_two_lines(
    findings: dict[str, Any],
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = printed(findings, capsys)

    ends = r"[+−]\d+\.\d to [+−]\d+\.\d"
    assert len(re.findall(ends, text)) > 10
    assert len(re.findall(ends, text)) == len(re.findall(ends, " ".join(text.split())))
    assert not re.search(r"\S\s-\d", text), "one sign for minus"


def test_the_first_words_answer_for_each_factor(findings: dict[str, Any]) -> None:
    teacher, sampler = wording.answers(findings)

    assert teacher.headline.startswith("Judged by noise=1: noise=2 is worse than noise=1 by ")
    assert teacher.headline.endswith("noise=2 says the opposite.")
    assert any(line.startswith("Judged by noise=2: noise=2 is better") for line in teacher.rest)
    assert sampler.headline.startswith("Judged by noise=1: four-bin is better than uniform by ")
    assert "opposite" not in sampler.headline
    assert sampler.cost == "A run of each takes 100 answers, for training and validation."


def test_the_better_of_two_may_have_gained_nothing() -> None:
    made = design(sampler=["uniform", "four-bin"])
    (good,) = wording.answers(found(made, {"judge": sheet([5 + noise(6, 1), 9 + noise(6, 2)])}))
    assert re.match(r"Over the untrained student: uniform \+\d.*, four-bin \+\d", good.rest[0])
    assert "sure gain" not in good.rest[0]
    (bad,) = wording.answers(found(made, {"judge": sheet([noise(6, 1), noise(6, 2) - 5])}))
    assert bad.rest[0].endswith("; none of that is a sure gain.")


def test_what_the_same_cost_buys_is_on_the_screen_too() -> None:
    made = design(train__slates=[100, 200])
    grids = [4 + noise(6, 1, 0.1), 8 + noise(6, 2, 0.1)]
    findings = found(made, {"judge": sheet(grids, [(100, 0.0), (200, 0.0)])})

    (line,) = wording.at_equal(findings)
    assert line.startswith("When every run had cost 100 answers: slates=200 - slates=100 ")


def test_of_several_levels_the_highest_is_named_and_how_it_stands() -> None:
    made = design(train__slates=[100, 200, 300])
    grids = [2 + noise(6, 1), 6 + noise(6, 2), 6.1 + noise(6, 3)]
    (answer,) = wording.answers(found(made, {"judge": sheet(grids)}))

    assert re.match(r"slates=[23]00 comes out highest, at \d+\.\d points; ", answer.headline)
    assert "better than slates=100" in answer.headline
    assert "not resolved against slates=" in answer.headline


def test_the_page_is_one_file_that_loads_and_runs_nothing(findings: dict[str, Any]) -> None:
    page = report.render(findings)

    assert "default-src 'none'" in page
    assert not re.search(r"<script|javascript:|https?://(?!www\.w3\.org)|@import", page)
    for judge in ("noise=1", "noise=2"):
        assert judge in page
    first = page[page.index("<body>") : page.index("<section>")]
    for answer in wording.answers(findings):
        assert answer.headline in first
    for number in ("difference", "verdict on B", "distinct answer", "are simulated"):
        assert number in first


def test_names_are_escaped_on_the_page(findings: dict[str, Any]) -> None:
    evil = "<script>alert(1)</script>"
    text = json.dumps(findings).replace("four-bin", evil)
    page = report.render(json.loads(text))

    assert evil not in page
    assert "&lt;script&gt;" in page


def test_few_seeds_make_a_page_too() -> None:
    made = design(sampler=["uniform", "four-bin"], seeds=1)
    findings = found(made, {"judge": sheet([noise(1, 1), noise(1, 2)])})
    page = report.render(findings)

    assert "too few seeds" in page
    assert "With fewer than five seeds nothing can be said about other seeds." in page
    assert "Intervals are over personas, given these very seeds" in wording.how_sure(findings)


def test_the_same_findings_give_the_same_page(findings: dict[str, Any]) -> None:
    assert report.render(findings) == report.render(findings)


def test_unknown_prices_are_not_free() -> None:
    made = design(sampler=["uniform", "four-bin"])
    findings = found(made, {"judge": sheet([noise(6, 1), noise(6, 2)])})
    findings["cost"]["runs"] = [{"answers": 10, "dollars": None}, {"answers": 20, "dollars": 2.5}]
    findings["cost"]["together"]["dollars"] = None
    (answer,) = wording.answers(findings)

    assert "price that nobody knows" in answer.cost
    assert "$2.50" in answer.cost
    assert "price that nobody knows" in wording.spent(findings)
    assert "unknown" in report.render(findings)


def test_only_made_up_preferences_are_called_so() -> None:
    made = design(sampler=["uniform", "four-bin"])
    findings = found(made, {"judge": sheet([noise(6, 1), noise(6, 2)])})
    assert wording.made_up(findings).startswith("These preferences are simulated")
    findings |= {"asked": ["gemini", "simulated"]}
    assert wording.made_up(findings).startswith("The preferences of simulated are simulated")
    findings |= {"simulated": []}
    assert wording.made_up(findings) == ""
    assert "simulated:" not in report.render(findings)


def test_options_of_one_name_share_no_row() -> None:
    same = {"a": "x=1", "b": "x=2"}
    rows = [row(factor=path, **same, view=v) for v in "PQ" for path in ("loss.x", "teacher.x")]
    grouped = report._by_pair(rows)

    assert [[one["factor"] for one in group] for group in grouped] == [
        ["loss.x", "loss.x"], ["teacher.x", "teacher.x"],
    ]  # fmt: skip
    shown = screen._differences({"comparisons": rows}, "comparisons")
    assert [len(cells) for _, cells in shown] == [2, 2]


def test_how_often_a_judge_says_the_same_again_stands_beside_its_verdicts() -> None:
    made = design(sampler=["uniform", "four-bin"])
    findings = found(made, {"judge": sheet([noise(6, 1), noise(6, 2)])})
    findings["judges"][0]["stability"] = {"tournaments": 12, "same": 0.25}

    assert wording.silent(findings) == [
        "simulated crowned the same item again in 25 % of 12 tournaments that were played twice."
    ]
    assert "in 25 % of 12 tournaments" in report.render(findings)

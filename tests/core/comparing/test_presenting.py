"""What people see of a comparison: sentences, the terminal, the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted import REFERENCE, design, found, judged, measuring, noise, sheet

from pvd.comparing import outlook, report, screen, verdicts, wording


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
         "gemini replaces it"),
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
    assert verdicts.sentence(row(**given), SAID) == sentence
    assert verdicts.tag(row(**given)) == tag


def test_no_sentence_says_that_two_are_equal() -> None:
    everything = Path(wording.__file__).read_text() + Path(report.__file__).read_text()
    everything += (Path(report.__file__).parents[1] / "templates/compare.html.j2").read_text()
    words = re.sub(r'"""[\s\S]*?"""|at equal|At equal|equal_\w+|equal\.|in equal', "", everything)
    assert not re.search(r"\bequal(ly)?\b.{0,30}(good|teacher|arm)|no difference", words)


@pytest.mark.parametrize("replaces", ["b_replaces_a", "a_replaces_b"])
def test_no_p_of_another_test_stands_under_a_replacement(replaces: str) -> None:
    """The p is that of a difference, which was not found."""
    made = design(teacher__noise=[1, 2])
    given = found(made, judged({"noise=1": [5.0, 5.1], "noise=2": [5.0, 5.1]}))
    for one in given["comparisons"]:
        one |= {"verdict": "not resolved", "p_holm": 0.083, "b_replaces_a": False,
                "a_replaces_b": False}  # fmt: skip
    assert "p 0.083" in report.render(given)
    for one in given["comparisons"]:
        one[replaces] = True
    page = report.render(given)
    assert "p 0.083" not in page
    assert ("noise=1 replaces it" in page) == (replaces == "a_replaces_b")


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


@pytest.mark.parametrize("columns", [60, 100, 160])
def test_lines_end_where_their_words_do_and_prose_is_no_wider_than_a_page(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = printed(by_measures("precision@5", "recall@20"), capsys)
    lines = text.splitlines()
    assert not [line for line in lines if line != line.rstrip()]
    prose = [line for line in lines if re.match(r"[A-Z]", line)]
    assert len(prose) > 5
    assert max(map(len, prose)) <= min(columns, 100)


def test_in_a_narrow_window_the_views_are_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One table of a pair with a row for each judge, not a table for each judge."""
    made = design(teacher__noise=[1, 2])
    given = found(made, judged({"noise=1": [9.0, 5.0], "noise=2": [4.0, 8.0]}))
    assert len(given["views"]) > 1
    monkeypatch.setenv("COLUMNS", "40")
    narrow = printed(given, capsys)
    assert "\njudged  " in narrow
    assert narrow.count("- noise=1") == 1
    monkeypatch.setenv("COLUMNS", "200")
    wide = printed(given, capsys)
    assert "\njudged  " not in wide, "where there is room they stand beside one another"
    verdict = r"[+−]\d+\.\d \([+−]\d+\.\d to [+−]\d+\.\d\)"
    assert sorted(re.findall(verdict, narrow)) == sorted(re.findall(verdict, wide))


def printed(findings: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    screen.show(findings, Path("report.html"))
    return capsys.readouterr().out


def by_measures(*names: str, shifts: tuple[float, ...] = (0.2, 0.1)) -> dict[str, Any]:
    """Two teachers by one judge, and by measures of a plug-in."""
    made = design(teacher__noise=[1, 2, 3][: len(shifts)], judges=[REFERENCE])
    sat = sheet([noise(6, n) for n, _ in enumerate(shifts)])
    before = np.full(40, 0.25)
    for number, name in enumerate(names):
        grids = [before + shift + noise(6, 30 + 9 * number + n, 0.05)
                 for n, shift in enumerate(shifts)]  # fmt: skip
        sat = measuring(sat, name, grids, before)
    return found(made, {"simulated": sat})


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_what_a_plug_in_measures_is_shown_with_verdicts_and_gains(
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert "precision" not in printed(by_measures(), capsys)
    given = by_measures("precision@5", "hit@5")
    given["chance"] = {"precision@5": 0.025}
    text = printed(given, capsys)

    assert max(len(line.rstrip()) for line in text.splitlines()) <= columns
    said = " ".join(text.split())
    assert re.search(r"By precision@5: noise=2 is worse than noise=1 by 0\.\d{3} \(−0\.", said)
    rows = "".join(re.findall(r"^precision@5\b.*\n(?:  .*\n)*", text, re.MULTILINE))
    assert len(re.findall(r"[+−]0\.\d{3} \([+−]0\.\d{3} to [+−]0\.\d{3}\)", rows)) == 3
    assert len(re.findall(r" 0\.\d{3} \(0\.\d{3}-0\.\d{3}\)", rows)) == 3
    assert " 0.025" in rows
    assert "hit@5" not in text, "of ours the page has more"
    page = report.render(given)
    for part in ("By the measures that plug-ins brought", "Learning curves by these measures",
                 "hit@5 %", "Other measures"):  # fmt: skip
        assert part in page
    assert "plug-ins brought" not in report.render(by_measures())


def test_measures_that_agree_share_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"label-{n}@10" for n in range(5)]
    given = by_measures(*names)
    (answer,) = wording.answers(given)
    together = f"By {', '.join(names[:4])} and {names[4]}: noise=2 is worse than noise=1."
    assert answer.rest[0] == together

    monkeypatch.setenv("COLUMNS", "140")
    one, five = (len(printed(by_measures(*some), capsys).splitlines()) for some in
                 (names[:1], names))  # fmt: skip
    assert five - one < 2 * 4 + 4 + 4, "a verdict has two lines, a score one"


@pytest.mark.parametrize("columns", [60, 120])
def test_of_many_measures_each_is_named_once_in_a_table(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not once for each number that a narrow window has room for."""
    monkeypatch.setenv("COLUMNS", str(columns))
    names = [f"label-{n}@10" for n in range(5)]
    text = printed(by_measures(*names), capsys)

    verdicts = text[text.index("measure") : text.index("persona-blind")]
    for name in names:
        assert len(re.findall(rf"^{name}\b", verdicts, re.MULTILINE)) == 1
    lines = verdicts.splitlines()
    assert max(map(len, lines)) <= columns
    if columns == 60:  # what a number is stands before it, and its verdict behind it
        row = r"  noise=2 - noise=1 +−0\.\d{3} \(−0\.\d{3} to −0\.\d{3}\)  worse"
        assert sum(bool(re.fullmatch(row, line)) for line in lines) == 5


@pytest.mark.parametrize("columns", [60, 120])
def test_tables_longer_than_a_screen_give_way_to_the_report(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """But never what a verdict rests on."""
    monkeypatch.setenv("COLUMNS", str(columns))
    names = [f"label-{n}@10" for n in range(12)]
    few, many = (printed(by_measures(*some), capsys) for some in (names[:1], names))

    pointer = "got and gained by these measures is in the report"
    assert pointer not in few
    assert pointer in " ".join(many.split())
    rows = many[many.index("measure") :]
    difference = r"−0\.\d{3} \(−0\.\d{3} to −0\.\d{3}\)"
    assert len(re.findall(difference, rows)) == 12
    assert "- untrained" in few
    assert "- untrained" not in many


def test_measures_of_several_levels_name_the_highest() -> None:
    (line, *_) = wording.answers(by_measures("precision@5", shifts=(0.1, 0.3, 0.2)))[0].rest
    assert re.match(r"By precision@5: noise=2 comes out highest, at 0\.5\d\d; better than", line)


def test_a_measure_that_sees_the_opposite_is_named_in_the_headline() -> None:
    made = design(teacher__noise=[1, 2], judges=[REFERENCE])
    sat = sheet([9 + noise(6, 1), noise(6, 2)])
    grids = [0.1 + noise(6, 3, 0.05), 0.4 + noise(6, 4, 0.05)]
    (answer,) = wording.answers(found(made, {"simulated": measuring(sat, "precision@5", grids)}))
    assert "is worse than noise=1" in answer.headline
    assert answer.headline.endswith("precision@5 says the opposite.")


def test_that_a_measure_saw_no_gain_is_said() -> None:
    (answer,) = wording.answers(by_measures("precision@5", shifts=(0.0, -0.2)))
    assert answer.rest[0].endswith("Neither surely gained over the untrained student.")


def test_what_cannot_be_paired_is_named_as_left_out() -> None:
    given = by_measures() | {"left_out": ["auc"]}
    assert "auc is not compared: it has not one value for each of the same personas in every run." \
        in wording.silent(given)  # fmt: skip
    assert "auc is not compared" in report.render(given)
    del given["left_out"]
    assert not wording.silent(given), "older files have no such list"


def test_that_there_are_many_measures_is_said_beside_the_correction() -> None:
    assert "measure" not in wording.how_sure(by_measures())
    assert wording.how_sure(by_measures("a")).endswith("under one judge or by one measure (Holm).")
    said = wording.how_sure(by_measures("a", "b", "c"))
    assert said.endswith("(Holm), not for there being 3 measures.")


def test_measures_of_older_versions_stay_on_the_page() -> None:
    """They were no views, and had differences without verdicts."""
    given = by_measures()
    number = {"value": 14.0, "low": 8.8, "high": 19.2, "over": "all"}
    for arms in given["metrics"].values():
        for numbers in arms.values():
            numbers["precision@5"] = number
    pairs = [{k: row[k] for k in ("factor", "a", "b", "difference")}
             for row in given["comparisons"]]  # fmt: skip
    judge = next(iter(given["metrics"]))
    old = {"rows": {"zero-shot": number}, "comparisons": pairs}
    given["measures"] = {judge: {"precision@5": old}}
    page = report.render(given)

    assert "Other measures" in page
    assert "14.0<small>8.8 to 19.2" in page


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


@pytest.mark.usefixtures("drawn")
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


@pytest.mark.usefixtures("drawn")
def test_names_are_escaped_on_the_page(findings: dict[str, Any]) -> None:
    evil = "<script>alert(1)</script>"
    text = json.dumps(findings).replace("four-bin", evil)
    page = report.render(json.loads(text))

    assert evil not in page
    assert "&lt;script&gt;" in page


@pytest.mark.usefixtures("drawn")
def test_on_a_phone_each_number_has_its_name(findings: dict[str, Any]) -> None:
    """Tables of several columns become blocks there, whose cells name their columns."""
    for page in (report.render(findings), report.render(by_measures("precision@5"))):
        tables = re.findall(r"<table[^>]*>.*?</table>", page, re.S)
        assert len(tables) > 4
        for shown in tables:
            assert re.match(r'<table class="[^"]*\bstack\b', shown), shown[:300]
            cells = re.findall(r"<td(?![^>]*(?:data-label|graph|colspan))[^>]*>([^<]*)", shown)
            assert not any(cells), "empty ones alone have no name"


def test_shares_that_cannot_be_told_are_one_line() -> None:
    made = design(teacher__noise=[1, 2])
    given = found(made, judged({"noise=1": [-3.0, -2.0], "noise=2": [-2.0, -3.0]}))
    carried = given["substitution"]["carried"]
    assert len(carried) > 1
    assert all(one["value"] is None for one in carried)
    page = report.render(given)
    assert page.count(carried[0]["why"]) == 1
    assert "Carried gain." not in page, "a table of dashes says nothing"
    for one in carried:
        assert f"{one['taught']} instead of {one['instead_of']} by {one['judged']}" in page


@pytest.mark.parametrize(("value", "said"), [(-0.5, "0.5 points less"), (0.5, "0.5 points more")])
def test_an_advantage_is_more_or_less(findings: dict[str, Any], value: float, said: str) -> None:
    findings["substitution"]["own_judge"] = {"value": value, "low": -2.0, "high": 2.0}
    (line,) = [s for s in wording.substitution(findings) if s.startswith("Judged by their own")]
    assert line.startswith(f"Judged by their own teacher, students gain {said} than under")


@pytest.mark.parametrize(
    ("path", "levels", "said"),
    [
        ("teacher", 2, "2 teachers x 1 seed"),
        ("loss", 3, "3 losses x 1 seed"),
        ("train.slates", 2, "2 values of train.slates x 1 seed"),
    ],
)
def test_what_was_compared_is_counted(path: str, levels: int, said: str) -> None:
    made = design(sampler=["uniform", "four-bin"], seeds=1)
    given = found(made, {"judge": sheet([noise(1, 1), noise(1, 2)])})
    given["factors"] = [{"path": path, "labels": list("abc")[:levels]}]
    assert wording.scope(given).startswith(said)
    assert "given this very seed:" in wording.how_sure(given)


@pytest.mark.parametrize(
    ("personas", "margin", "said"),
    [
        (29, 1.0, "A difference of 1 point (--margin) cannot be found with 29 personas, however "
                  "many seeds"),
        (400, 2.0, "For a difference of 2 points (--margin) it takes "),
    ],
)  # fmt: skip
def test_what_cannot_be_found_is_said_before(personas: int, margin: float, said: str) -> None:
    made = replace(design(sampler=["uniform", "four-bin"]), margin=margin)
    assert outlook.lines(made, personas)[-1].startswith(said)


def test_few_seeds_make_a_page_too() -> None:
    made = design(sampler=["uniform", "four-bin"], seeds=1)
    findings = found(made, {"judge": sheet([noise(1, 1), noise(1, 2)])})
    page = report.render(findings)

    assert "too few seeds" in page
    assert "With fewer than five seeds nothing can be said about other seeds." in page
    assert "Intervals are over personas, given this very seed" in wording.how_sure(findings)


@pytest.mark.usefixtures("drawn")
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
    grouped = report._by_pair(rows, ["P", "Q"])

    assert [[one["factor"] for one in group] for group in grouped] == [
        ["loss.x", "loss.x"], ["teacher.x", "teacher.x"],
    ]  # fmt: skip
    shown = screen._differences({"comparisons": rows}, "comparisons", ["P", "Q"])
    assert [len(cells) for _, cells in shown] == [2, 2]


def test_how_often_a_judge_says_the_same_again_stands_beside_its_verdicts() -> None:
    made = design(sampler=["uniform", "four-bin"])
    findings = found(made, {"judge": sheet([noise(6, 1), noise(6, 2)])})
    findings["judges"][0]["stability"] = {"tournaments": 12, "same": 0.25}

    assert wording.silent(findings) == [
        "simulated crowned the same item again in 25 % of 12 tournaments that were played twice."
    ]
    assert "in 25 % of 12 tournaments" in report.render(findings)

"""The report says what the numbers say, holds every text harmless, and loads nothing."""

from __future__ import annotations

import copy
import re

import pytest
from made_up import HOSTILE, Data, Page, drawings, estimate, guarded, percent, sample

from pvd import figures
from pvd.report import note_tables, render, thumb


@pytest.mark.usefixtures("drawn")
def test_the_whole_report() -> None:
    html = render(*sample(gallery=6))
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.count("article") == 6
    assert "simulated" in page.text
    assert "recombined" in page.text.lower()
    for name in ("random", "zero-shot", "persona-blind", "shuffled-persona", "distilled", "oracle"):
        assert name in page.text
    assert len(html) < 1_500_000


@pytest.mark.usefixtures("drawn")
def test_same_input_same_bytes() -> None:
    assert render(*sample()) == render(*sample())


def test_input_stays_as_it_was() -> None:
    given = sample()
    kept = copy.deepcopy(given)
    render(*given)
    assert given == kept


@pytest.mark.usefixtures("drawn")
def test_hostile_words_stay_words() -> None:
    calm, attacked = Page(render(*sample())), Page(render(*sample(words=HOSTILE)))
    assert [tag for tag, _ in attacked.tags] == [tag for tag, _ in calm.tags]
    assert not attacked.count("script")
    assert not any(name.startswith("on") for _, given in attacked.tags for name in given)
    assert HOSTILE in attacked.text
    for drawing in drawings(attacked):
        assert "<script" not in drawing
        assert "<img" not in drawing


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("words", ["$x_{$ \\frac", "\x00\x0b\ud800", "花瓶 ‮", "x" * 5000])
def test_odd_words(words: str) -> None:
    from xml.etree import ElementTree

    page = Page(render(*sample(words=words, personas=3)).encode().decode())
    for drawing in drawings(page):
        ElementTree.fromstring(drawing)


@pytest.mark.usefixtures("drawn")
def test_nothing_is_loaded_from_elsewhere() -> None:
    html = render(*sample())
    page = Page(html)
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert not re.search(r"https?://", html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & {
        tag for tag, _ in page.tags
    }
    for tag, attributes in page.tags:
        assert tag != "img" or (attributes["src"] or "").startswith("data:image/")
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    for drawing in drawings(page):
        links = set(re.findall(r"https?://[^\"<\s]+", drawing))
        assert all(any(link.startswith(n) for n in namespaces) or "rdf" in link for link in links)


def test_thumbs_must_be_embedded_pictures() -> None:
    metrics, usage, gallery = sample(gallery=1)
    for item in gallery["items"].values():
        item["thumb"] = "http://example.org/spy.png"
    assert "spy.png" not in render(metrics, usage, gallery)
    assert thumb(None) == thumb({"thumb": None}) == thumb({"thumb": "data:text/html,x"}) == ""
    gallery["items"].clear()
    assert "b00" in Page(render(metrics, usage, gallery)).text


@pytest.mark.usefixtures("drawn")
def test_every_figure_has_a_caption_of_its_own() -> None:
    page = Page(render(*sample()))
    assert page.count("figure") == page.count("figcaption") == len(drawings(page)) == 5
    assert len(set(page.captions)) == 5
    assert all(re.search(r"\d", caption) for caption in page.captions)


def test_what_was_overlooked_is_counted() -> None:
    metrics, usage, gallery = sample()
    usage |= {"refused": 3, "repaired": {"cut off": 2}, "retries": 0}
    text = Page(render(metrics, usage, gallery)).text
    for row in ("read in spite of: fence", "refused by the model", "shown again: cut off"):
        assert row in text
    assert "made again" not in text, "what never happened is not worth a row"
    for name in ("refused", "rejected", "tidied"):  # the run of an older version
        del usage[name]
    usage["repaired"] = 4
    assert "slates asked" in Page(render(metrics, usage, gallery)).text


def test_money_of_unknown_amount_is_said_as_such() -> None:
    metrics, usage, gallery = sample()
    metrics["answers"]["exam"]["dollars"] = None
    usage |= {"unpriced": 1200, "run_dollars": 3.25, "dollars": 1.5}
    text = Page(render(metrics, usage, gallery)).text
    assert "at a price that nobody knows" in text
    assert "$1.50 and 1,200 answers of unknown price" in text
    assert "$3.25" in text


def test_absent_parts() -> None:
    metrics, usage, gallery = sample(
        personas=1, items=6, rounds=0, utilities=False, gallery=0, gain=0.0
    )
    metrics["exam"]["stability"] = None
    metrics["best_round"] = 0
    usage["seconds"] = {}
    page = Page(render(metrics, usage, gallery))
    assert "one persona gives no interval" in page.text
    assert "No round of training was run" in page.text
    assert "nDCG" not in page.text
    assert "Played again" not in page.text
    assert not page.count("article")
    assert "-shot" in page.text


@pytest.mark.parametrize("missing", ["persona-blind", "shuffled-persona"])
def test_a_control_may_be_missing(missing: str) -> None:
    metrics, usage, gallery = sample(gallery=1)
    del metrics["exam"]["systems"][missing], metrics["exam"]["gains"][missing]
    metrics["exam"]["people"] = []
    metrics["exam"]["chance"] = {}
    assert Page(render(metrics, usage, gallery)).count("figure") == 3


def test_a_strangers_system_and_metric_are_shown() -> None:
    metrics, usage, gallery = sample(gallery=0)
    metrics["exam"]["systems"]["bm25"] = {"map": estimate(0.123, 0.01)}
    text = Page(render(metrics, usage, gallery)).text
    assert "bm25" in text
    assert "0.123" in text


def test_many_measures_of_plug_ins_have_a_row_each() -> None:
    """As columns they would stand one upon the other."""
    metrics, usage, gallery = sample(gallery=0)
    before = render(metrics, usage, gallery)
    assert "plug-ins measured" not in before
    names = [f"label-{n}@10" for n in range(5)]
    for part, value in (("systems", 0.3), ("gains", 0.1)):
        for numbers in metrics["exam"][part].values():
            numbers.update(dict.fromkeys(names, estimate(value, 0.05)))
    metrics["exam"]["chance"]["label-3@10"] = 0.25
    page = render(metrics, usage, gallery)

    results = page[page.index("<h2>Results") : page.index("What plug-ins measured")]
    assert "label-" not in results
    rows = page[page.index("What plug-ins measured") :]
    for name in names:
        assert rows.count(f'<th scope="row">{name}</th>') == 2, "what it got, what it gained"
    assert "+0.100\n<small>0.050 to 0.155" in rows
    assert rows.count(">0.250<") == 1


def test_captions_follow_the_numbers() -> None:
    metrics, usage, gallery = sample(gallery=0)
    for person in metrics["exam"]["people"]:
        person["percentile"] = {"zero-shot": 20.0, "distilled": 10.0}
    for row in metrics["rounds"]:
        row["validation"] = estimate(60.0 - row["round"])
    metrics["best_round"] = 0
    captions = " ".join(Page(render(metrics, usage, gallery)).captions)
    assert "moved up for 0 of 50 personas and down for 50" in captions
    assert "from 20.0 to 10.0" in captions
    assert "No round is better than the student before training (60.0)" in captions
    assert "The longest stage, training, took 64.0 of 85.4 seconds (75 %)" in captions


def test_notes_without_a_figure_become_tables() -> None:
    rounds: list[Data] = [
        {"round": 0, "notes": {}},
        {"round": 1, "notes": {"by": {"a": {"n": 1}}, "once": {"x": {"y": 2}}}},
        {"round": 2, "notes": {"by": {"a": {"n": 3}, "b": {"m": 4}}}},
    ]
    by, once = note_tables(rounds, drawn=set())
    assert (by.title, by.head) == ("by, round 2", ["", "n", "m"])
    assert by.rows == [["a", 3, None], ["b", None, 4]]
    assert once.title == "once, round 1"
    metrics, usage, gallery = sample(gallery=0)
    for row in metrics["rounds"][1:]:
        row["notes"] = {"bins": {"low": {"shelves": 17}}}
    page = Page(render(metrics, usage, gallery))
    assert "bins, round 6" in page.text
    assert "shelves" in page.text


@pytest.mark.usefixtures("drawn")
def test_bins_summed_over_slates_are_drawn_like_those_of_one() -> None:
    rounds: list[Data] = [
        {"round": 1, "slates": 10, "notes": {"bins": {
            "low": {"members": 900.0, "wanted": 10.0, "short": 0.0},
            "top": {"members": 15.0, "wanted": 20.0, "short": 9.0},
        }}},
    ]  # fmt: skip
    chart = figures.bins(rounds)
    assert chart
    assert "the emptiest bin, top, held 1.5 items" in chart.caption
    assert "The bin top could not give 45 %" in chart.caption
    rounds[0]["notes"]["bins"]["top"]["short"] = 0.0
    chart = figures.bins(rounds)
    assert chart
    assert "Every bin gave all" in chart.caption


def test_metrics_keep_their_order_whatever_their_length_of_list() -> None:
    metrics, usage, gallery = sample(gallery=0, utilities=False)
    for row in metrics["exam"]["systems"].values():
        row |= {"hit@7": percent(12.0), "ndcg@3": estimate(0.5, 0.1)}
    text = Page(render(metrics, usage, gallery)).text
    assert text.index("nDCG@3") < text.index("hit@1 %") < text.index("hit@7 %")


def test_the_forgetting_guard_has_a_section() -> None:
    _, usage, gallery = sample()
    page = render(guarded(-3.0, text=HOSTILE), usage, gallery)
    assert "Did it forget anything?" in page
    for shown in ("0.332", "62.3", "by luck 4.2", "64.9 to 34.5 (13 items)"):
        assert shown in page
    assert "<script" not in page
    assert "&lt;/script&gt;" in page
    metrics = guarded(-3.0)
    metrics["forgetting"] |= {"queries": None, "neighbours": None}
    page = render(metrics, usage, gallery)
    assert "0.332" in page
    assert "neighbours kept" not in page
    assert "Did it forget" not in render(*sample())

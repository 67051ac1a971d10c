"""The report says what the numbers say, holds every text harmless, and loads nothing."""

from __future__ import annotations

import base64
import copy
import io
import json
import re
from html.parser import HTMLParser
from random import Random
from typing import Any

import pytest
from PIL import Image, ImageDraw

from pvd import figures
from pvd.report import (
    cost,
    decimals,
    flat,
    headline,
    luck,
    memory,
    note_tables,
    number,
    otherwise,
    personal,
    render,
    scope,
    show,
    signed,
    thumb,
)

HOSTILE = "</script></style>\"'><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7*7 }}"
BINS = ("[0, .70)", "[.70, .90)", "[.90, .95)", "[.95, 1]")
ROLES = ("retired sailor", "young florist", "chess teacher", "night nurse", "street drummer")
TASTES = (
    "who collects anything striped and blue for a small flat by the harbour",
    "who is looking for a quiet present, nothing loud, for a sister who has just moved house",
    "who loves strong colours and wants to brighten up a grey office",
)

HITS = (1, 5, 20, 100)

Data = dict[str, Any]


def estimate(value: float, half: float = 4.0, over: str = "50 personas, one student") -> Data:
    return {"value": value, "low": value - half, "high": value + 1.1 * half, "over": over}


def percent(value: float, over: str = "50 personas, one student") -> Data:
    value = min(value, 100.0)
    half = 0.06 * (100 - value) + 0.04 * value * (value < 99)
    low, high = max(0.0, value - half), min(100.0, value + half)
    return {"value": value, "low": low, "high": high, "over": over}


def picture(random: Random) -> str:
    """A vase on a plain ground, as the gallery embeds it."""
    image = Image.new("RGB", (112, 112), "white")
    draw = ImageDraw.Draw(image)
    colour = (random.randrange(256), random.randrange(256), random.randrange(256))
    draw.ellipse((25, 30, 87, 105), fill=colour)
    draw.rectangle((45, 8, 67, 50), fill=colour)
    for x in range(28, 87, 4 + random.randrange(10)):
        draw.line((x, 40, x, 95), fill="white")
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def sample(
    *,
    personas: int = 50,
    items: int = 240,
    gain: float = 30.0,
    rounds: int = 6,
    gallery: int = 1,
    utilities: bool = True,
    words: str = "",
) -> tuple[Data, Data, Data]:
    """The three files of a made-up run; `words` goes wherever a stranger's text can go."""
    random = Random(7)
    over = f"{personas} personas, given one trained student"
    people: list[Data] = []
    for i in range(personas):
        before = min(99.8, max(2.0, random.gauss(61, 24)))
        after = min(100.0, max(1.0, before + random.gauss(gain, 14)))
        people.append(
            {
                "id": f"p{i}{words}",
                "text": f"A {random.choice(ROLES)} {random.choice(TASTES)}.{words}",
                "winner": f"b{random.randrange(items):05}",
                "percentile": {"zero-shot": before, "distilled": after},
            }
        )

    def system(mpr: float) -> Data:
        row = {"mpr": percent(mpr, over)}
        row |= {f"hit@{k}": percent(100 * (k / items) ** (2 - mpr / 50)) for k in HITS if k < items}
        if utilities:
            row |= {"mpr_true": percent(mpr + 1), "kendall": estimate((mpr - 50) / 80, 0.04)}
            row |= {"ndcg@10": estimate(mpr / 110, 0.04)}
        return row

    before, after = (
        sum(p["percentile"][name] for p in people) / personas for name in ("zero-shot", "distilled")
    )
    levels = {"random": 49.6, "zero-shot": before, "persona-blind": before + gain / 3}
    levels |= {"shuffled-persona": before + gain / 4, "distilled": after}
    levels |= {"oracle": 100.0} if utilities else {}
    gains = {
        name: {
            metric: estimate(after - level, 4.5) if "nd" not in metric else estimate(0.2, 0.03)
            for metric in system(level)
        }
        for name, level in levels.items()
        if name in ("zero-shot", "persona-blind", "shuffled-persona")
    }
    history = []
    for n in range(rounds + 1):
        bins = {
            name: {"members": 600 * share * 840 * 0.9**n, "wanted": 600, "short": short * n}
            for name, share, short in zip(BINS, (0.7, 0.2, 0.06, 0.004), (0, 0, 4, 31), strict=True)
        }
        history.append(
            {
                "round": n, "slates": 600 * (n > 0), "answered": 600 * (n > 0),
                "fresh": 590 * (n > 0), "replaced": 3 * (n > 0), "loss": 7.3 - n / 3 if n else None,
                "validation": estimate(61 + 19 * (1 - 0.6**n) - 0.8 * (n > 5), 2, "30 personas"),
                "notes": {"bins": bins, f"heat{words}": {"early": {"n": 1.0}, "late": {"n": 1 / n}},
                          "kinds": {f"vase{words}": {"drawn": 31, "sold": 0.12}}} if n else {},
            }
        )  # fmt: skip
    part = {"judgments": 3000, "tokens": {"input": 1_800_000, "output": 60_000}, "dollars": 1.234}
    teacher = {"use": "simulated", "noise": 1.0, "note": words, "of": {"use": "inner", "k": 5}}
    metrics = {
        "schema": 1, "pvd": "0.1.0", "seed": 0, "simulated": True,
        "components": {
            "teacher": teacher, "judge": teacher | {"noise": 0.0},
            "student": {"use": "tiny", "width": 64}, "sampler": {"use": "aligned", "top": 2},
            "loss": {"use": "listwise", "scale": 15.0},
        },
        "data": {
            "catalog": "boutique", "personas": "boutique", "novelty": "recombined", "skipped": 0,
            "items": {"train": 840, "validation": 120, "test": items},
            "people": {"train": 160, "validation": 30, "test": personas},
            "novelty_note": "Each held-out persona is new, but its role and its situation occur in "
            f"training with other partners.{words}",
        },
        "rounds": history, "validation": "pairs", "best_round": min(5, rounds),
        "exam": {
            "personas": personas, "items": items, "group": 5, "judgments": 3000, "lost": 0,
            "chance": {"mpr": 50.2} | {f"hit@{k}": 100 * k / items for k in HITS},
            "stability": {"tournaments": 12, "same": 0.58},
            "systems": {name: system(level) for name, level in levels.items()},
            "gains": gains, "people": people,
        },
        "answers": {"training": part, "exam": part},
    }  # fmt: skip
    usage = {
        "calls": 120, "asked": 7800, "cached": 0, "repaired": {"no JSON": 4}, "failed": 0,
        "refused": 3, "rejected": 2, "tidied": {f"fence{words}": 17},
        "tokens": {"input": 0, "output": 0}, "dollars": 0.0,
        "seconds": {"catalogue": 3.1, "exam questions": 6.0, "drawing": 1.0, "asking": 8.1,
                    f"training{words}": 64.0, "validation": 2.0, "exam": 1.2},
    }  # fmt: skip
    ids: list[str] = [f"b{i:05}" for i in range(items)]
    shown = []
    for person in people[:gallery]:
        tops = {}
        for top, name in (("before", "zero-shot"), ("after", "distilled")):
            order = [id for id in random.sample(ids, items) if id != person["winner"]]
            place = round((1 - person["percentile"][name] / 100) * items)
            tops[top] = [*order[:place], person["winner"], *order[place:]][:10]
        shown.append(person | tops)
    wanted = {i for p in shown for i in (p["winner"], *p["before"], *p["after"])}
    things = {
        id: {"title": f"Striped teal vase{words}" if n % 3 else None, "thumb": picture(random)}
        for n, id in enumerate(sorted(wanted))
    }
    return metrics, usage, {"people": shown, "items": things}


class Page(HTMLParser):
    """What a browser would see: tags, their attributes, and the text outside of styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.inside: list[str] = []
        self.captions: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)
        if tag == "figcaption":
            self.captions.append("")

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" not in self.inside:
            self.text += data
        if "figcaption" in self.inside:
            self.captions[-1] += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def drawings(page: Page) -> list[str]:
    prefix = "data:image/svg+xml;base64,"
    sources = [attributes.get("src") or "" for tag, attributes in page.tags if tag == "img"]
    return [base64.b64decode(s[len(prefix) :]).decode() for s in sources if s.startswith(prefix)]


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


def test_settings_are_dotted_as_the_command_line_takes_them() -> None:
    assert list(flat({"use": "x", "of": {"use": "y"}})) == [("use", "x"), ("of.use", "y")]


def test_cells() -> None:
    values = (None, True, 1234, 1076.0, 14188.25, 0.123456, [1, "a"], "x" * 200)
    shown = [show(value) for value in json.loads(json.dumps(values))]
    numbers = ["1,234", "1,076", "14,188", "0.1235"]
    assert shown == ["\N{EN DASH}", "true", *numbers, '[1, "a"]', "x" * 159 + "…"]


def guarded(change: float, half: float = 1.0, text: str = "beige") -> Data:
    """A run whose forgetting guard found this change."""
    metrics, _, _ = sample()
    metrics["forgetting"] = {
        "items": 240,
        "drift": estimate(0.3317, 0.004),
        "neighbours": estimate(62.3, 1.0) | {"chance": 4.2},
        "queries": {
            "kind": "attribute values", "count": 28,
            "before": estimate(68.8), "after": estimate(68.8 + change),
            "change": estimate(change, half),
            "worst": [{"text": text, "items": 13, "before": 64.9, "after": 34.5}],
        },
    }  # fmt: skip
    return metrics


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

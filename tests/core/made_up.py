"""A made-up run: the files that its report is made of, and the page as a browser sees it."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from random import Random
from typing import Any

from PIL import Image, ImageDraw

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

"""The table of models against what the providers publish, and a table of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import pvd
from pvd import Persona, Slate, Tokens
from pvd.errors import BadInput, MissingFile
from pvd.testing import items
from pvd_plugins.teachers import models


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """The table is read once a process."""
    models.table.cache_clear()
    yield
    models.table.cache_clear()


# --- pictures -------------------------------------------------------------------------------------

# Tokens of a square picture, as the providers' pages tell them.
PUBLISHED = [
    ("gpt-4o", 384, "low", 85),
    ("gpt-4o", 384, "high", 255),
    ("gpt-4o", 512, "high", 255),
    ("gpt-4o", 513, "high", 85 + 4 * 170),
    ("gpt-6-luna", 384, "low", 173),
    ("gpt-6-luna", 384, "high", 173),
    ("gpt-4.1-mini", 512, "low", 308),
    ("claude-haiku-5-5", 384, "low", 196),
    ("claude-haiku-5-5", 512, "low", 361),
    ("gemini-3.5-flash-lite", 384, "low", 280),
    ("gemini-3.5-flash-lite", 1024, "low", 280),
    ("gemini-3.8-flash", 384, "medium", 560),
    ("gemini-3.8-flash", 384, "high", 1120),
    ("gemini-2.5-flash", 384, "low", 64),
    ("gemini-2.5-flash", 384, "medium", 256),
    ("gemini-2.5-flash", 384, "high", 258),
    ("gemini-2.5-flash", 1000, "high", 4 * 258),
]


@pytest.mark.parametrize(("model", "side", "detail", "tokens"), PUBLISHED)
def test_a_picture_counts_as_published(model: str, side: int, detail: str, tokens: int) -> None:
    rules = models.table()["images"][models.find(model).images]

    assert models.image_tokens(rules[detail], side) == tokens


@pytest.mark.parametrize("name", models.table()["model"])
def test_each_row_is_whole(name: str) -> None:
    row = models.table()["model"][name]
    model = models.find(name)

    assert set(row) <= set(models.Model.__dataclass_fields__), "a misspelt key would be ignored"
    assert model.service in models.table()["default"]
    assert model.images in models.table()["images"]
    assert (model.input is None) == (model.output is None)
    assert model.input is None or 0 < model.input <= (model.output or 0)
    assert model.ends is None or isinstance(model.ends, date)


@pytest.mark.parametrize("service", ["openai", "claude", "gemini"])
def test_a_default_is_alive_and_has_a_price(service: str) -> None:
    name = models.default(service)

    assert models.find(name).service == service
    assert models.find(name).ends is None, "who names no model gets one that stays"
    assert models.dollars(name, Tokens(1_000_000, 0)) > 0
    made = pvd.load("teacher", service)
    assert made.options()["model"] == name


# --- money ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "tokens", "dollars"),
    [
        ("gpt-4o", Tokens(1_000_000, 0), 2.50),
        ("gpt-4o", Tokens(0, 1_000_000), 10.00),
        ("gemini-3.5-flash-lite", Tokens(2000, 60), 2000 * 0.30e-6 + 60 * 2.50e-6),
        ("claude-haiku-5-5", Tokens(0, 0), 0.0),
    ],
)
def test_dollars(model: str, tokens: Tokens, dollars: float) -> None:
    assert models.dollars(model, tokens) == pytest.approx(dollars)


@pytest.mark.parametrize("model", ["of-tomorrow", "claude-sonnet-4-5"])
def test_an_unknown_price_is_an_error(model: str) -> None:
    with pytest.raises(BadInput, match=rf"The price of {model} is not in the table of 2026-11-20"):
        models.dollars(model, Tokens(1, 1))


def slate(text: str = "A nurse who grows roses.", size: int = 5) -> Slate:
    return Slate(Persona("p", text), tuple(items(size)))


@pytest.mark.parametrize("name", ["openai", "gpt-4o", "claude", "gemini"])
def test_the_estimate_is_at_the_high_end(name: str) -> None:
    teacher = pvd.load("teacher", name, max_side=384)
    rules = models.table()["images"][models.find(teacher.options()["model"]).images]
    pictures = models.image_tokens(rules["low"], 384)

    found = teacher.estimate(slate())

    prompt = teacher.prompt_for(slate())  # type: ignore[attr-defined]
    words = len((prompt.system + prompt.question).split())
    assert found.input > words * 1.3 + 5 * pictures
    assert found.input < 1000 + words * 4 + 5 * pictures, "but no fantasy"
    assert found.output == teacher.options()["max_tokens"]
    # More pictures and more words are more.
    assert teacher.estimate(slate(size=6)).input >= found.input + pictures
    assert teacher.estimate(slate("A nurse. " * 100)).input > found.input + 200
    assert teacher.dollars(found) > 0


def test_letters_that_are_tokens_of_their_own_count_as_such() -> None:
    """Of Chinese a letter is about a token, of English a third of one."""
    teacher = pvd.load("teacher", "openai")
    more = teacher.estimate(slate("护士" * 500)).input - teacher.estimate(slate("")).input
    assert more >= 1000


def test_a_model_that_nobody_knows_has_an_estimate_of_tokens() -> None:
    teacher = pvd.load("teacher", "openai", model="of-tomorrow")
    assert teacher.estimate(slate()).input > 1000


def test_ones_own_server_costs_nothing() -> None:
    teacher = pvd.load(
        "teacher", "openai-compatible", model="gpt-4o", base_url="http://127.0.0.1/v1"
    )
    assert teacher.dollars(Tokens(10**9, 10**9)) == 0.0
    assert not teacher.capabilities.paid


# --- a table of one's own -------------------------------------------------------------------------

OWN = """
date = 2030-01-01
[default]
openai = "mine"
[images.mine]
low = { fixed = 7 }
[model.mine]
service = "openai"
input = 1
output = 2
images = "mine"
ends = 2031-01-01
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "models.toml"
    file.write_text(OWN)
    monkeypatch.setenv("PVD_MODELS", str(file))
    return file


def test_ones_own_table_takes_the_place_of_the_bundled_one(own: Path) -> None:
    assert models.default("openai") == "mine"
    assert models.dollars("mine", Tokens(10**6, 10**6)) == 3
    with pytest.raises(BadInput, match="not in the table of 2030-01-01"):
        models.dollars("gpt-4o", Tokens(1, 1))
    assert pvd.load("teacher", "openai").options()["model"] == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date = ", "is no TOML"),
        ("", "has no table"),
        (OWN.replace("[default]", "[other]"), r"has no table \[default\]"),
        (OWN.replace("[images.mine]", "[pictures.mine]"), r"has no table \[images\]"),
        (OWN.replace("input = 1", 'input = "1"'), "input .* must be a number"),
        (OWN.replace("ends = 2031-01-01", 'ends = "2031-01-01"'), "ends .* must be a date"),
        (OWN.replace("[model.mine]", "[model]\nmine = 1\n[other]"), "must be a table"),
    ],
)
def test_a_broken_table_is_one_sentence(own: Path, text: str, said: str) -> None:
    own.write_text(text)

    with pytest.raises(BadInput, match=said) as caught:
        models.find("mine")

    assert str(own) in str(caught.value)


def test_a_table_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PVD_MODELS", str(tmp_path / "gone.toml"))
    with pytest.raises((BadInput, MissingFile), match=r"gone\.toml"):
        models.find("mine")

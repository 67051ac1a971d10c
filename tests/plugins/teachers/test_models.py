"""The table of models against what the providers publish, and a table of one's own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import pvd
from pvd import Persona, Slate, Tokens
from pvd.errors import BadInput, MissingFile
from pvd.testing import items
from pvd_plugins.teachers import forecasts, models


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """The table is read once a process."""
    models.table.cache_clear()
    yield
    models.table.cache_clear()


# --- pictures -------------------------------------------------------------------------------------

# Tokens of a picture, as the providers' pages tell them.
PUBLISHED = [
    ("gpt-4o", (384, 384), "low", 85),
    ("gpt-4o", (384, 384), "high", 255),
    ("gpt-4o", (512, 512), "high", 255),
    ("gpt-4o", (513, 512), "high", 85 + 2 * 170),
    ("gpt-4o", (513, 513), "high", 85 + 4 * 170),
    ("gpt-4o", (1024, 1024), "high", 765),  # the shorter side becomes 768
    ("gpt-4o", (2048, 4096), "high", 1105),  # first the longer one 2048
    ("gpt-4o", (1200, 900), "high", 765),
    ("gpt-6-luna", (384, 384), "low", 173),
    ("gpt-6-luna", (384, 384), "high", 173),
    ("gpt-6-luna", (96, 128), "low", 15),
    ("gpt-4.1-mini", (512, 512), "low", 308),
    ("claude-haiku-5-5", (384, 384), "low", 196),
    ("claude-haiku-5-5", (512, 512), "low", 361),
    ("claude-haiku-5-5", (300, 400), "low", 11 * 15),
    ("claude-haiku-5-5", (1500, 1500), "low", 1568),
    ("gemini-3.5-flash-lite", (384, 384), "low", 280),
    ("gemini-3.5-flash-lite", (1024, 1024), "low", 280),
    ("gemini-3.8-flash", (384, 384), "medium", 560),
    ("gemini-3.8-flash", (384, 384), "high", 1120),
    ("gemini-2.5-flash", (384, 384), "low", 64),
    ("gemini-2.5-flash", (384, 384), "medium", 256),
    ("gemini-2.5-flash", (384, 384), "high", 258),
    ("gemini-2.5-flash", (385, 100), "high", 258),
    ("gemini-2.5-flash", (1000, 700), "high", 2 * 258),
    ("gemini-2.5-flash", (1000, 1000), "high", 4 * 258),
]


@pytest.mark.parametrize(("model", "size", "detail", "tokens"), PUBLISHED)
def test_a_picture_counts_as_published(
    model: str, size: tuple[int, int], detail: str, tokens: int
) -> None:
    rules = models.table()["images"][models.find(model).images]

    assert forecasts.picture_tokens(rules[detail], *size) == tokens


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
    assert model.thoughts is not None, "assume something"
    assert (model.cached, model.batch) == (0.1, 0.5)
    assert model.written == (1.25 if model.service == "claude" else 1.0)


@pytest.mark.parametrize("service", ["openai", "claude", "gemini"])
def test_a_default_is_alive_and_has_a_price(service: str) -> None:
    name = models.default(service)

    assert models.find(name).service == service
    assert models.find(name).ends is None, "who names no model gets one that stays"
    assert (models.dollars(name, Tokens(1_000_000, 0)) or 0) > 0
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
        # What is in the cache is cheaper, what is written into Claude's is dearer.
        ("gpt-4o", Tokens(1_000_000, 0, cached=400_000), 0.64 * 2.50),
        ("claude-sonnet-5-5", Tokens(1_000_000, 0, cached=200_000, written=100_000), 0.845 * 2.00),
        # Pictures and thoughts are among the tokens that are paid for.
        ("gpt-4o", Tokens(10**6, 10**6, images=500_000, thoughts=500_000), 12.50),
    ],
)
def test_dollars(model: str, tokens: Tokens, dollars: float) -> None:
    assert models.dollars(model, tokens) == pytest.approx(dollars)
    assert models.dollars(model, tokens, batch=True) == pytest.approx(dollars / 2)


@pytest.mark.parametrize(
    ("teacher", "model"), [("openai", "of-tomorrow"), ("claude", "claude-sonnet-4-5")]
)
def test_an_unknown_price_is_none_and_says_how_to_state_it(
    teacher: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Any = pvd.load("teacher", teacher, model=model)
    assert made.dollars(Tokens()) is None
    assert made.dollars(Tokens(1, 1), batch=True) is None
    said = made.prices()
    assert said.startswith(f"The price of {model} is not in the table of 2026-11-20; copy ")
    assert said.endswith("models.toml, add the model, and name the copy with PVD_MODELS.")
    # It is for core to decide what follows; the teacher gets ready.
    monkeypatch.setenv(made.keys[0], "any")
    assert isinstance(made.connect(), list)
    made.close()
    reply = made.reply(made.prompt_for(slate()), "", None, (1, 1), "")
    assert reply.dollars is None


def test_where_prices_come_from() -> None:
    assert pvd.load("teacher", "gemini").prices() == (
        "gemini-3.5-flash-lite: $0.3 in and $2.5 out a million tokens, with 50 hidden tokens an "
        "answer assumed; prices of 2026-11-20 from the table of pvd (PVD_MODELS names another)."
    )


def test_a_model_that_ends_soon_is_said_to_before_the_run() -> None:
    assert "The model gpt-4o ends on 2027-01-14." in pvd.load("teacher", "gpt-4o").prices()


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://10.1.2.3/v1", True),
        ("http://vllm:8000/v1", True),
        ("http://gpu.local/v1", True),
        ("https://openrouter.ai/api/v1", False),
        ("http://8.8.8.8/v1", False),
    ],
)
def test_only_a_server_of_ones_own_is_free(url: str, ours: bool) -> None:
    made: Any = pvd.load("teacher", "openai-compatible", base_url=url, model="m")
    assert made.capabilities.paid is not ours
    assert made.dollars(Tokens(1, 1)) == (0.0 if ours else None)
    assert bool(made.prices()) is not ours


# --- forecasts ------------------------------------------------------------------------------------


def slate(text: str = "A nurse who grows roses.", size: int = 5) -> Slate:
    return Slate(Persona("p", text), tuple(items(size)))


@pytest.mark.parametrize("name", ["openai", "gpt-4o", "claude", "gemini"])
def test_a_forecast_has_its_parts(name: str) -> None:
    teacher: Any = pvd.load("teacher", name)
    rules = models.table()["images"][models.find(teacher.model).images]
    one = forecasts.picture_tokens(rules["low"], 48, 48)  # as small as they are

    found = teacher.estimate(slate())

    prompt = teacher.prompt_for(slate())
    words = len((prompt.system + prompt.question).split())
    assert found.expected.images == found.low.images == 5 * one
    assert 5 * one < found.high.images <= 5 * one * 1.1 + 1
    assert found.low.input < found.expected.input < found.high.input
    assert found.expected.input > words + 2 * 120 + 5 * one, "with the schema"
    assert found.high.input < 1000 + words * 4 + 5 * one * 1.1, "but no fantasy"
    assert found.high.output == teacher.max_tokens
    assert found.expected.output - found.expected.thoughts < 20
    # More pictures are more, and so are more words.
    assert teacher.estimate(slate(size=4)).expected.images == 4 * one
    longer = teacher.estimate(slate("A nurse. " * 100))
    for kind in ("low", "expected", "high"):
        assert getattr(longer, kind).input > getattr(found, kind).input + 100
    prices = [teacher.dollars(t) for t in (found.low, found.expected, found.high)]
    assert prices == sorted(prices)
    assert prices[0] > 0


@pytest.mark.parametrize("max_side", [16, 32, 4096])
def test_a_picture_counts_in_the_size_in_which_it_is_sent(max_side: int) -> None:
    teacher: Any = pvd.load("teacher", "claude", max_side=max_side)
    side = math.ceil(min(max_side, 48) / 28)
    assert teacher.estimate(slate()).expected.images == 5 * side**2


def test_a_forecast_unpacks_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFile

    def unpacked(*_: Any) -> None:
        raise AssertionError("nobody needs its pixels for this")

    shown = slate()
    teacher = pvd.load("teacher", "claude", max_side=40)
    monkeypatch.setattr(ImageFile.ImageFile, "load", unpacked)
    assert teacher.estimate(shown).expected.images > 0


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("护士" * 500, 1000, 3000),  # a letter is about a token
        ("Ж" * 1000, 400, 2000),
        ("x" * 1000, 120, 500),
        ("\U0001f339" * 100, 100, 400),
        ("{[()]}" * 100, 1, 300),
    ],
)
def test_text_of_any_kind_is_within_what_it_can_be(text: str, least: int, most: int) -> None:
    teacher = pvd.load("teacher", "openai")
    found, none = teacher.estimate(slate(text)), teacher.estimate(slate(""))
    assert least <= found.expected.input - none.expected.input <= most
    assert found.high.input - none.high.input <= most
    assert found.low.input <= found.expected.input <= found.high.input


def test_half_a_surrogate_pair_is_no_obstacle() -> None:
    assert pvd.load("teacher", "openai").estimate(slate("a \ud83d b")).high.input > 0


@pytest.mark.parametrize(
    ("name", "options", "thoughts"),
    [
        ("openai", {}, 0),  # the table says that it is told not to
        ("openai", {"effort": "low"}, 300),
        ("openai", {"model": "of-tomorrow"}, forecasts.THOUGHTS),
        ("openai", {"effort": "low", "max_tokens": 100}, 94),  # with its answer
        ("gpt-4o", {}, 0),
        ("claude", {}, 0),
        ("gemini", {}, 50),
        ("gemini", {"thinking": "minimal"}, 0),
    ],
)
def test_hidden_thinking_is_expected(name: str, options: dict[str, Any], thoughts: int) -> None:
    found = pvd.load("teacher", name, **options).estimate(slate())
    assert found.expected.thoughts == thoughts
    assert found.low.thoughts == 0
    assert found.high.thoughts >= thoughts
    assert found.expected.output <= found.high.output


def test_a_model_that_nobody_knows_is_reckoned_with_caution() -> None:
    known = pvd.load("teacher", "openai").estimate(slate())
    found = pvd.load("teacher", "openai", model="of-tomorrow").estimate(slate())
    assert found.expected.images > known.expected.images
    assert found.high.input > known.high.input
    assert found.low.images <= known.expected.images
    assert found.high.images == 5 * 1120, "it may be one that counts all alike"


def test_what_binds_no_answer_is_not_counted() -> None:
    where = {"model": "mine", "base_url": "http://127.0.0.1/v1"}
    bound = pvd.load("teacher", "openai-compatible", **where).estimate(slate())
    free = pvd.load("teacher", "openai-compatible", schema="none", **where).estimate(slate())
    assert bound.expected.input > free.expected.input + 200


def test_ones_own_server_costs_nothing() -> None:
    teacher = pvd.load(
        "teacher", "openai-compatible", model="gpt-4o", base_url="http://127.0.0.1/v1"
    )
    assert teacher.dollars(Tokens(10**9, 10**9)) == 0.0
    assert teacher.prices() == ""
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
    assert models.dollars("gpt-4o", Tokens(1, 1)) is None
    assert pvd.load("teacher", "openai").options()["model"] == "mine"
    said = models.prices("mine")
    assert said.endswith(f"prices of 2030-01-01 from {own} (PVD_MODELS names another).")
    assert f"is not in the table of 2030-01-01; copy {own}" in models.prices("gpt-4o")


def test_a_table_without_factors_makes_nothing_cheaper(own: Path) -> None:
    """It was copied before there were any, or the provider gives none."""
    assert models.dollars("mine", Tokens(10**6, 0, cached=10**6), batch=True) == 1
    own.write_text(OWN + "batch = 0.25\n[service.openai]\ncached = 0.5\nbatch = 0.75\n")
    models.table.cache_clear()
    assert models.dollars("mine", Tokens(10**6, 0, cached=10**6), batch=True) == 0.5 * 0.25


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date = ", "is no TOML"),
        ("", "has no table"),
        (OWN.replace("[default]", "[other]"), r"has no table \[default\]"),
        (OWN.replace("[images.mine]", "[pictures.mine]"), r"has no table \[images\]"),
        (OWN.replace("input = 1", 'input = "1"'), "input .* must be a number"),
        (OWN.replace("ends = 2031-01-01", 'ends = "2031-01-01"'), "ends .* must be a date"),
        (OWN + "thoughts = true", r"thoughts of model\.mine must be a number"),
        (OWN + '[service.openai]\nbatch = "half"', r"batch of service\.openai must be a number"),
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

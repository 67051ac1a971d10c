"""What exactly goes over the wire, and what the store takes for the same question."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from asked import ITEMS, KEY, PEOPLE, TEACHERS, Counter, options, question, teacher
from fake import Asked, Fake
from PIL import Image

import pvd
from pvd import Item, Persona, Slate
from pvd.errors import ProviderFailure
from pvd.testing import items

Make = Callable[..., Counter]


def sent(counter: Counter, slate: Slate | None = None) -> Asked:
    """The one request about a slate."""
    (reply,) = _answer(counter, slate or question(0))
    assert reply.text
    (asked,) = counter.fake.asked
    return asked


def _answer(counter: Counter, slate: Slate) -> Any:
    with counter.teacher as ready:
        ready.connect()
        counter.fake.asked.clear()
        return ready.answer([ready.request(slate)])


def parts(asked: Asked) -> list[str]:
    """The user's turn in its order: texts, and "picture" for each picture."""
    if asked.protocol == "gemini":
        (content,) = asked.body["contents"]
        return [part.get("text", "picture") for part in content["parts"]]
    content = asked.body["messages"][-1]["content"]
    return [part.get("text", "picture") for part in content]


def everything(asked: Asked) -> dict[str, Any]:
    """The body, without system, pictures and texts."""
    return {
        name: value
        for name, value in asked.body.items()
        if name not in ("messages", "contents", "system", "systemInstruction")
    }


# --- what is said and shown -----------------------------------------------------------------------


@pytest.mark.parametrize("name", TEACHERS)
def test_labels_before_pictures_and_the_persona_last(name: str, counter: Make) -> None:
    asked = sent(counter(name))

    *shown, last = parts(asked)
    assert shown == ["[A]", "picture", "[B]", "picture", "[C]", "picture", "[D]", "picture",
                     "[E]", "picture"]  # fmt: skip
    assert f"<person>\n{PEOPLE[0].text}\n</person>" in last
    assert last == asked.question
    assert asked.system.startswith("You judge how well products suit one particular person.")
    assert PEOPLE[0].text not in asked.system, "who asks must not spoil the provider's cache"
    assert asked.key == KEY
    assert asked.model == counter(name).teacher.model


@pytest.mark.parametrize("name", TEACHERS)
def test_the_pictures_are_those_of_the_items_in_their_order(name: str, counter: Make) -> None:
    asked = sent(counter(name), Slate(PEOPLE[0], ITEMS[::-1]))

    for picture, item in zip(asked.images, ITEMS[::-1], strict=True):
        assert picture.format == "JPEG"
        assert picture.size == item.open().size
        assert distance(picture, item.open()) < 10


def distance(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures are from each other, in levels of grey."""
    pairs = zip(one.convert("L").tobytes(), other.convert("L").tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (one.width * one.height)


@pytest.fixture
def photo() -> Item:
    """Left red, right blue, 800 x 400, as a camera that was held upright saves it: to be turned."""
    picture = Image.new("RGB", (800, 400), "red")
    picture.paste("blue", (400, 0, 800, 400))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    exif[0x010F] = "a camera that must stay unknown"
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif)
    return Item("photo", lambda: buffer.getvalue())


@pytest.mark.parametrize("name", TEACHERS)
def test_a_photo_arrives_upright_scaled_and_without_exif(
    name: str, counter: Make, photo: Item
) -> None:
    asked = sent(counter(name, max_side=200), Slate(PEOPLE[0], (photo, *items(1))))

    picture, small = asked.images
    assert picture.format == "JPEG"
    assert picture.size == (100, 200), "the longer side is max_side"
    assert small.size == (48, 48), "nothing is scaled up"
    assert not picture.getexif()
    assert b"camera" not in picture.tobytes()
    top, bottom = (picture.convert("RGB").getpixel((50, y)) for y in (50, 150))
    assert top[0] > 200 > 100 > top[2]  # type: ignore[index]
    assert bottom[2] > 200 > 100 > bottom[0]  # type: ignore[index]


@pytest.mark.parametrize("name", TEACHERS)
def test_five_items_are_a_choice_among_all_orders(name: str, counter: Make) -> None:
    schema = schema_in(sent(counter(name)))

    ranking = schema["properties"]["ranking"]
    assert sorted(ranking["enum"]) == sorted("".join(order) for order in permutations("ABCDE"))
    assert len(ranking["enum"]) == math.factorial(5)
    assert schema["required"] == ["ranking"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", TEACHERS)
def test_six_items_are_a_list_of_letters(name: str, counter: Make) -> None:
    asked = sent(counter(name), Slate(PEOPLE[0], tuple(items(6))))

    assert schema_in(asked)["properties"]["ranking"] == {
        "type": "array",
        "items": {"type": "string", "enum": list("ABCDEF")},
    }
    assert asked.letters == tuple("ABCDEF")


def schema_in(asked: Asked) -> Any:
    if asked.protocol == "openai":
        format = asked.body["response_format"]
        assert (format["type"], format["json_schema"]["strict"]) == ("json_schema", True)
        return format["json_schema"]["schema"]
    if asked.protocol == "anthropic":
        format = asked.body["output_config"]["format"]
        assert format["type"] == "json_schema"
        return format["schema"]
    config = asked.body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    return config.get("responseJsonSchema") or config["responseSchema"]


def test_a_server_that_binds_no_answer_is_sent_no_schema(counter: Make) -> None:
    asked = sent(counter("openai-compatible", schema="none"))

    assert everything(asked) == {"model": "fake-model", "max_completion_tokens": 1000}


# --- what is sent beside --------------------------------------------------------------------------


def test_nothing_is_sent_that_nobody_asked_for(counter: Make) -> None:
    """No temperature, no seed, no top_p: some models answer them with an error."""
    openai = everything(sent(counter("openai")))
    claude = everything(sent(counter("claude")))
    gemini = everything(sent(counter("gemini")))
    compatible = everything(sent(counter("openai-compatible")))

    assert set(openai) == {"model", "max_completion_tokens", "reasoning_effort", "response_format"}
    assert set(compatible) == {"model", "max_completion_tokens", "response_format"}
    assert set(claude) == {"model", "max_tokens", "output_config"}
    assert set(gemini) == {"generationConfig"}
    assert set(gemini["generationConfig"]) == {
        "maxOutputTokens", "mediaResolution", "responseMimeType", "responseJsonSchema",
    }  # fmt: skip


def test_the_temperature_is_sent_when_it_is_set(counter: Make) -> None:
    assert everything(sent(counter("openai", temperature=0.0)))["temperature"] == 0.0
    assert everything(sent(counter("openai-compatible", temperature=0.7)))["temperature"] == 0.7
    gemini = everything(sent(counter("gemini", temperature=0.0)))
    assert gemini["generationConfig"]["temperature"] == 0.0


def test_claude_knows_no_temperature(fake: Fake) -> None:
    with pytest.raises(pvd.errors.BadInput, match="temperature"):
        teacher("claude", fake, temperature=0.0)


@pytest.mark.parametrize(
    ("teacher", "model", "given", "sent_as"),
    [
        ("openai", "gpt-6-luna", None, "none"),  # the table says that it would think
        ("openai", "gpt-6-luna", "low", "low"),
        ("openai", "gpt-4o", None, None),  # it cannot
        ("openai-compatible", "gpt-6-luna", None, None),  # somebody else's of that name
        ("openai-compatible", "of-tomorrow", "high", "high"),
    ],
)
def test_the_effort_is_the_users_or_the_tables(
    teacher: str, model: str, given: str | None, sent_as: str | None, counter: Make
) -> None:
    made = counter(teacher, model=model, effort=given)

    assert everything(sent(made)).get("reasoning_effort") == sent_as


def test_what_else_can_be_set_is_sent(counter: Make) -> None:
    assert everything(sent(counter("openai", max_tokens=77)))["max_completion_tokens"] == 77
    assert everything(sent(counter("claude", max_tokens=77)))["max_tokens"] == 77
    gemini = counter("gemini", max_tokens=77, detail="high", thinking="minimal")
    config = everything(sent(gemini))["generationConfig"]
    assert config["maxOutputTokens"] == 77
    assert config["mediaResolution"] == "MEDIA_RESOLUTION_HIGH"
    # This SDK writes the inner name in another way than the outer one; the service takes both.
    assert list(config["thinkingConfig"].values()) == ["MINIMAL"]
    asked = sent(counter("openai", detail="high"))
    shown = [p["image_url"] for p in asked.body["messages"][-1]["content"] if "image_url" in p]
    assert {picture["detail"] for picture in shown} == {"high"}


def test_gemini_counts_low_pictures_by_default(counter: Make) -> None:
    config = everything(sent(counter("gemini")))["generationConfig"]
    assert config["mediaResolution"] == "MEDIA_RESOLUTION_LOW"


@pytest.mark.parametrize("name", TEACHERS)
def test_the_timeout_is_the_one_that_was_set(name: str, counter: Make) -> None:
    desk = counter(name, timeout=0.3)
    with desk.teacher as ready:
        ready.connect()
        desk.fake.script(["slow"])
        start = time.monotonic()
        with pytest.raises(pvd.kit.Busy):
            ready.answer([ready.request(question(0))])
    assert time.monotonic() - start > 0.25  # and it is given up before the answer comes


@pytest.mark.parametrize("fault", ["429", "500", "503", "dropped"])
@pytest.mark.parametrize("name", TEACHERS)
def test_the_sdk_itself_tries_once(name: str, fault: str, counter: Make, pauses: Any) -> None:
    """Else a question is paid twice, and Retry-After is honoured by two at the same time."""
    desk = counter(name)
    with pytest.raises(ProviderFailure, match="through 3 calls"):
        desk.ask(faults=[fault] * 9, retries=2)
    assert len(desk.fake.asked) == 3


@pytest.mark.parametrize("name", TEACHERS)
def test_so_many_are_asked_at_once(name: str, counter: Make) -> None:
    """Eight in the beginning, and more with every round of answers."""
    desk = counter(name)
    desk.fake.delay = 0.15

    desk.ask(30)
    most = desk.fake.most_in_flight
    assert 8 <= most <= (16 if name == "openai-compatible" else 29)

    desk.fake.most_in_flight = 0
    desk.teacher.prompt = "brief"
    desk.ask(9, workers=3)
    assert 1 < desk.fake.most_in_flight <= 3


# --- the store's key ------------------------------------------------------------------------------


def key(fake: Fake, name: str = "openai", slate: Slate | None = None, **more: Any) -> str:
    return teacher(name, fake, **more).request(slate or question(0)).digest


@pytest.mark.parametrize("name", TEACHERS)
def test_what_changes_the_answer_changes_the_key(name: str, fake: Fake, tmp_path: Path) -> None:
    own = tmp_path / "own.j2"
    own.write_text("{% block system %}s{% endblock %}{% block question %}q{% endblock %}")
    changes: list[dict[str, Any]] = [
        {},
        {"model": "another"},
        {"prompt": "brief"},
        {"prompt": str(own)},
        {"max_side": 256},
        {"max_tokens": 500},
        {"base_url": fake.url + "/elsewhere"},
    ]
    if name != "claude":
        changes += [{"detail": "high"}, {"temperature": 0.0}, {"temperature": 1.0}]
    if name == "gemini":
        changes += [{"thinking": "low"}]
    if name.startswith("openai"):
        changes += [{"effort": "high"}]
    if name == "openai-compatible":
        changes += [{"schema": "none"}]
    slates = [
        Slate(PEOPLE[1], ITEMS),
        Slate(PEOPLE[0], ITEMS[::-1]),
        Slate(PEOPLE[0], ITEMS[:4]),
        Slate(PEOPLE[0], ITEMS, repeat=1),
        Slate(PEOPLE[0], (*ITEMS[:4], Item("item-4", items(9)[8].image))),
    ]

    found = [key(fake, name, **change) for change in changes]
    found += [key(fake, name, slate) for slate in slates]

    assert len(set(found)) == len(changes) + len(slates)


@pytest.mark.parametrize("name", TEACHERS)
def test_what_does_not_change_the_answer_leaves_the_key(
    name: str, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key(fake, name)

    assert key(fake, name, timeout=5.0) == before
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    assert key(fake, name) == before
    # The picture counts, not what the item or the persona is called.
    renamed = tuple(Item(f"other-{item.id}", item.image, "title") for item in ITEMS)
    somebody = Persona("somebody", PEOPLE[0].text, {"age": 30})
    assert key(fake, name, Slate(somebody, renamed)) == before


def test_one_model_under_two_names_is_paid_once(counter: Make) -> None:
    """`gpt-4o` is `openai` with another default."""
    first = counter("openai", model="gpt-4o")
    assert None not in first.ask(3)

    second = counter("gpt-4o")
    found = second.ask(3)

    assert None not in found
    assert (second.usage.cached, second.usage.asked) == (3, 0)
    assert second.fake.asked == []


@pytest.mark.parametrize("name", TEACHERS)
def test_the_key_holds_no_secret(name: str, fake: Fake, keys: None) -> None:
    made = teacher(name, fake)
    made.connect()
    made.close()
    assert KEY not in str(made.request(question(0)).body)
    assert KEY not in repr(made)
    assert options(name, fake)["base_url"] in str(made.request(question(0)).body)

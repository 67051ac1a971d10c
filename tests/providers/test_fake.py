"""The fake provider, asked through the real SDKs alone: what it says must be what they read."""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import anthropic
import openai
import pytest
from fake import Fake, Metered
from fake_meter import picture_tokens, text_tokens
from google import genai
from google.genai import errors, types
from PIL import Image

KEY = "sk-any"
SCHEMA = {"type": "object", "properties": {"ranking": {"type": "string", "enum": ["AB", "BA"]}}}
LONG = "You judge how well products suit one particular person. " * 150
MODELS = {"openai": "gpt-6-luna", "anthropic": "claude-haiku-5-5", "gemini": "gemini-3.5-flash"}
PROTOCOLS = tuple(MODELS)


def coded(colour: str, wide: int = 64, high: int = 64) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (wide, high), colour).save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


PICTURES = (coded("blue"), coded("red"))


# --- the requests of each -------------------------------------------------------------------------


def openai_body(question: str = "Who?", system: str = "Rank.", **more: Any) -> dict[str, Any]:
    parts: list[Any] = []
    for letter, data in zip("AB", PICTURES, strict=True):
        url = {"url": f"data:image/jpeg;base64,{data}", "detail": "low"}
        parts += [{"type": "text", "text": f"[{letter}]"}, {"type": "image_url", "image_url": url}]
    format = {"name": "ranking", "strict": True, "schema": SCHEMA}
    return {
        "model": MODELS["openai"],
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": [*parts, {"type": "text", "text": question}]},
        ],
        "response_format": {"type": "json_schema", "json_schema": format},
    } | more


def anthropic_body(question: str = "Who?", system: str = "Rank.", **more: Any) -> dict[str, Any]:
    parts: list[Any] = []
    for letter, data in zip("AB", PICTURES, strict=True):
        source = {"type": "base64", "media_type": "image/jpeg", "data": data}
        parts += [{"type": "text", "text": f"[{letter}]"}, {"type": "image", "source": source}]
    return {
        "model": MODELS["anthropic"],
        "max_tokens": 100,
        "system": system,
        "messages": [{"role": "user", "content": [*parts, {"type": "text", "text": question}]}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    } | more


def gemini_body(question: str = "Who?", system: str = "Rank.") -> dict[str, Any]:
    """As a line of a file has it."""
    parts: list[Any] = []
    for letter, data in zip("AB", PICTURES, strict=True):
        parts += [{"text": f"[{letter}]"}, {"inlineData": {"mimeType": "image/jpeg", "data": data}}]
    return {
        "systemInstruction": {"parts": [{"text": system}]},
        "contents": [{"role": "user", "parts": [*parts, {"text": question}]}],
        "generationConfig": {
            "mediaResolution": "MEDIA_RESOLUTION_LOW",
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
        },
    }


def gemini_call(question: str = "Who?", system: str = "Rank.") -> dict[str, Any]:
    """As the SDK wants it."""
    parts = []
    for letter, data in zip("AB", PICTURES, strict=True):
        picture = types.Part.from_bytes(data=base64.b64decode(data), mime_type="image/jpeg")
        parts += [types.Part.from_text(text=f"[{letter}]"), picture]
    parts.append(types.Part.from_text(text=question))
    config = types.GenerateContentConfig(
        system_instruction=system,
        media_resolution="MEDIA_RESOLUTION_LOW",  # type: ignore[arg-type]
        response_mime_type="application/json",
        response_json_schema=SCHEMA,
    )
    contents = [types.Content(role="user", parts=parts)]
    return {"model": MODELS["gemini"], "contents": contents, "config": config}


class Clients:
    """The three SDKs, none of which tries again by itself."""

    def __init__(self, fake: Fake) -> None:
        self.openai = openai.OpenAI(api_key=KEY, base_url=fake.url + "/v1", max_retries=0)
        self.anthropic = anthropic.Anthropic(api_key=KEY, base_url=fake.url, max_retries=0)
        self.gemini = genai.Client(
            api_key=KEY,
            vertexai=False,
            http_options=types.HttpOptions(base_url=fake.url, timeout=20_000),
        )

    def ask(self, protocol: str, question: str = "Who?", system: str = "Rank.") -> Any:
        if protocol == "openai":
            return self.openai.chat.completions.create(**openai_body(question, system))
        if protocol == "anthropic":
            return self.anthropic.messages.create(**anthropic_body(question, system))
        return self.gemini.models.generate_content(**gemini_call(question, system))

    def close(self) -> None:
        for client in (self.openai, self.anthropic, self.gemini):
            client.close()


@pytest.fixture
def clients(fake: Fake) -> Iterator[Clients]:
    made = Clients(fake)
    yield made
    made.close()


def until(ended: Callable[[], bool]) -> None:
    for _ in range(200):
        if ended():
            return
        time.sleep(0.02)
    raise AssertionError("it did not end")


# --- the bill -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "model", "wide", "high", "detail", "tokens"),
    [
        ("openai", "gpt-4o", 384, 384, "low", 85),
        ("openai", "gpt-4o", 384, 384, "high", 255),
        ("openai", "gpt-4.1", 1024, 1024, "high", 765),
        ("openai", "gpt-4.1", 2048, 4096, "", 1105),
        ("openai", "gpt-4.1-mini", 384, 384, "low", 173),
        ("openai", "gpt-6-luna", 384, 384, "low", 173),
        ("anthropic", "claude-haiku-5-5", 384, 384, "", 196),
        ("anthropic", "claude-haiku-5-5", 3000, 3000, "", 1568),
        ("gemini", "gemini-3.5-flash", 50, 5000, "low", 280),
        ("gemini", "gemini-4-argon", 50, 5000, "", 1120),
        ("gemini", "gemini-2.5-flash", 384, 384, "", 258),
        ("gemini", "gemini-2.5-flash", 1000, 700, "high", 516),
        ("gemini", "gemini-2.5-flash", 1000, 700, "low", 64),
    ],
)
def test_pictures_cost_what_is_published(
    protocol: str, model: str, wide: int, high: int, detail: str, tokens: int
) -> None:
    assert picture_tokens(protocol, model, wide, high, detail) == tokens


def test_words_cost_about_what_they_do() -> None:
    assert text_tokens("A nurse from Bergen, 43 years old.") == 10
    assert text_tokens("an incomprehensibilities") == 4
    assert text_tokens('{"ranking": "ABC"}') == 6


def said_usage(protocol: str, got: Any) -> tuple[int, int, int, int]:
    """What was read, of that from a cache, what was written, of that thoughts."""
    if protocol == "openai":
        used = got.usage
        return (used.prompt_tokens, used.prompt_tokens_details.cached_tokens,
                used.completion_tokens,
                used.completion_tokens_details.reasoning_tokens)  # fmt: skip
    if protocol == "anthropic":
        used = got.usage
        whole = used.input_tokens + used.cache_read_input_tokens + used.cache_creation_input_tokens
        return whole, used.cache_read_input_tokens, used.output_tokens, 7
    used = got.usage_metadata
    thoughts = used.thoughts_token_count or 0
    return (used.prompt_token_count, used.cached_content_token_count or 0,
            used.candidates_token_count + thoughts, thoughts)  # fmt: skip


def billed(one: Metered) -> tuple[int, int, int, int]:
    return one.input, one.cached, one.output, one.thoughts


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_said_is_what_is_billed(protocol: str, fake: Fake, clients: Clients) -> None:
    fake.thoughts = 7

    got = clients.ask(protocol)

    (one,) = fake.metered
    assert said_usage(protocol, got) == billed(one)
    pictures = {"openai": 2 * 5, "anthropic": 2 * 9, "gemini": 2 * 280}[protocol]
    assert one.images == pictures
    assert pictures + 30 < one.input < pictures + 80
    assert one.output == text_tokens('{"ranking": "BA"}') + 7
    assert (one.protocol, one.model, one.batch) == (protocol, MODELS[protocol], False)
    if protocol == "gemini":
        kinds = {row.modality.value: row.token_count for row in got.usage_metadata.
                 prompt_tokens_details}  # fmt: skip
        assert kinds == {"TEXT": one.input - one.images, "IMAGE": one.images}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_lost_on_the_way_is_billed_and_what_is_refused_is_not(
    protocol: str, fake: Fake, clients: Clients
) -> None:
    faults = ["dropped", "half", "500", "429", "400", "refusal", ""]
    fake.script(faults)
    for fault in faults:
        if fault in ("refusal", ""):
            clients.ask(protocol)
            continue
        with pytest.raises(Exception, match=r"."):  # each SDK has its own
            clients.ask(protocol)
    assert len(fake.metered) == 4


@pytest.mark.parametrize("protocol", ["openai", "gemini"])
def test_equal_beginnings_are_found_in_the_cache(
    protocol: str, fake: Fake, clients: Clients
) -> None:
    fake.prompt_cache = True

    used = [said_usage(protocol, clients.ask(protocol, q, LONG)) for q in ("One?", "Two?", "One?")]
    other = said_usage(protocol, clients.ask(protocol, "One?", LONG + "!"))
    short = [said_usage(protocol, clients.ask(protocol)) for _ in range(2)]

    assert [*used, other, *short] == [billed(one) for one in fake.metered]
    whole, *_ = used[0]
    cached = [u[1] for u in [*used, other, *short]]
    assert cached[0] == cached[3] == cached[4] == 0
    assert 1024 <= cached[1] <= cached[2] <= whole
    if protocol == "openai":
        assert [count % 128 for count in cached] == [0] * 6
        assert whole - cached[2] < 128
    else:
        assert (cached[2], whole - cached[1]) == (whole, text_tokens("Two?"))
    if protocol == "gemini":
        assert cached[5] == 0 if fake.metered[5].input < 1024 else cached[5] > 0


def test_anthropic_caches_what_is_marked(fake: Fake, clients: Clients) -> None:
    fake.prompt_cache = True
    marked = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]

    def used(question: str, **more: Any) -> tuple[int, int, int]:
        found = clients.anthropic.messages.create(**anthropic_body(question, **more)).usage
        return (found.input_tokens, found.cache_creation_input_tokens or 0,
                found.cache_read_input_tokens or 0)  # fmt: skip

    rest, none, nothing = used("One?", system=LONG)
    assert (none, nothing) == (0, 0), "nothing was marked"
    first, second = used("One?", system=marked), used("Two?", system=marked)
    assert first[1] == second[2] > 1024
    assert (first[2], second[1]) == (0, 0)
    assert first[0] == second[0] == rest - first[1]
    # The whole, of which the beginning is known.
    everything = used("Three?", system=marked, cache_control={"type": "ephemeral"})
    assert everything == (0, rest - first[1], first[1])
    small = used("One?", system=[marked[0] | {"text": "Rank."}])
    assert small[1:] == (0, 0), "too short to be kept"


# --- limits ---------------------------------------------------------------------------------------


def waits(error: Any) -> float | None:
    """What the client is told to wait."""
    if isinstance(error, errors.ClientError):
        details = error.details["error"]["details"]
        return next((float(row["retryDelay"][:-1]) for row in details if "retryDelay" in row), None)
    told = error.response.headers.get("retry-after")
    return None if told is None else float(told)


TOO_MANY = (openai.RateLimitError, anthropic.RateLimitError, errors.ClientError)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_window_lets_so_many_through(protocol: str, fake: Fake, clients: Clients) -> None:
    fake.requests_per_minute, fake.window = 3, 0.8
    for _ in range(3):
        clients.ask(protocol)

    with pytest.raises(TOO_MANY) as e:
        clients.ask(protocol)

    wait = waits(e.value)
    assert wait
    assert 0 < wait < 0.8
    time.sleep(wait)
    clients.ask(protocol)
    assert (len(fake.accepted), len(fake.limited), len(fake.metered)) == (4, 1, 4)


def test_tokens_are_limited_as_well(fake: Fake, clients: Clients) -> None:
    clients.ask("openai")
    fake.tokens_per_minute, fake.window = int(2.5 * fake.metered[0].input), 0.8
    fake._recent.clear()
    clients.ask("openai")
    clients.ask("openai")
    with pytest.raises(openai.RateLimitError) as e:
        clients.ask("openai")
    time.sleep(waits(e.value) or 0)
    clients.ask("openai")


def test_more_at_once_than_it_allows(fake: Fake, clients: Clients) -> None:
    fake.concurrency, fake.delay = 2, 0.3

    def one(number: int) -> float | bool | None:
        try:
            clients.ask("anthropic")
        except anthropic.RateLimitError as error:
            return waits(error)
        return True

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(one, range(6)))
    assert (found.count(True), found.count(None)) == (2, 4)
    assert len(fake.limited) == 4


def test_it_keeps_up_with_many_at_once(fake: Fake) -> None:
    """A hasty client of its own: the SDKs are slower than the server."""
    body = json.dumps(openai_body())
    count, width = 960, 64

    def some(_: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", fake.server_port, timeout=30)
        good = 0
        for _ in range(count // width):
            connection.request("POST", "/v1/chat/completions", body)
            answer = connection.getresponse()
            good += answer.status == 200 and bool(answer.read())
        connection.close()
        return good

    start = time.monotonic()
    with ThreadPoolExecutor(width) as pool:
        assert sum(pool.map(some, range(width))) == count == len(fake.metered)
    assert time.monotonic() - start < 20, "the server is not what a test waits for"


# --- batches --------------------------------------------------------------------------------------

IDS = tuple(f"q-{number}" for number in range(5))
FAULTS = ("", "400", "expired", "refusal", "")
KINDS = dict(zip(IDS, ("good", "error", "expired", "good", "good"), strict=True))


def openai_lines(ids: tuple[str, ...] = IDS) -> bytes:
    rows = [
        {"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": openai_body(id)}
        for id in ids
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def openai_submit(clients: Clients, data: bytes) -> Any:
    file = clients.openai.files.create(file=("batch.jsonl", data), purpose="batch")
    return clients.openai.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"run": "7"},
    )


def test_a_batch_of_openai(fake: Fake, clients: Clients) -> None:
    fake.batch_faults = FAULTS
    fake.batch_seconds = 0.2
    batch = openai_submit(clients, openai_lines())
    assert batch.status == "in_progress"
    assert (batch.output_file_id, batch.metadata) == (None, {"run": "7"})
    until(lambda: clients.openai.batches.retrieve(batch.id).status != "in_progress")
    batch = cast(Any, clients.openai.batches.retrieve(batch.id))

    assert batch.status == "expired", "one of them is"
    assert (batch.request_counts.completed, batch.request_counts.failed) == (3, 2)
    rows = []
    for id in (batch.output_file_id, batch.error_file_id):
        rows.append([json.loads(ln) for ln in clients.openai.files.content(id).text.splitlines()])
    good, bad = rows
    assert [row["custom_id"] for row in good] == ["q-4", "q-3", "q-0"]
    assert [row["custom_id"] for row in bad] == ["q-2", "q-1"]
    assert (bad[0]["response"], bad[0]["error"]["code"]) == (None, "batch_expired")
    assert bad[1]["response"]["status_code"] == 400
    assert bad[1]["response"]["body"]["error"]["message"] == "image could not be processed"
    answers = {row["custom_id"]: row["response"]["body"] for row in good}
    assert json.loads(answers["q-0"]["choices"][0]["message"]["content"]) == {"ranking": "BA"}
    assert answers["q-3"]["choices"][0]["message"]["refusal"]
    of_meter = {one.custom_id: one.input for one in fake.metered if one.batch}
    assert {id: body["usage"]["prompt_tokens"] for id, body in answers.items()} == of_meter
    assert fake.submissions == [IDS]

    assert [file.id for file in clients.openai.files.list()] == list(reversed(fake.files))
    for id in (batch.input_file_id, batch.output_file_id, batch.error_file_id):
        assert clients.openai.files.delete(id).deleted
    assert fake.files == {}


def anthropic_submit(clients: Clients, ids: tuple[str, ...] = IDS) -> Any:
    requests: Any = [{"custom_id": id, "params": anthropic_body(id)} for id in ids]
    return clients.anthropic.messages.batches.create(requests=requests)


def test_a_batch_of_anthropic(fake: Fake, clients: Clients) -> None:
    fake.batch_faults = FAULTS
    fake.batch_seconds = 0.2
    batches = clients.anthropic.messages.batches
    batch = anthropic_submit(clients)
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 5)
    with pytest.raises(anthropic.AnthropicError, match="results_url"):
        batches.results(batch.id)
    until(lambda: batches.retrieve(batch.id).processing_status == "ended")
    counts = batches.retrieve(batch.id).request_counts
    assert (counts.succeeded, counts.errored, counts.expired) == (3, 1, 1)

    rows = list(batches.results(batch.id))

    assert [row.custom_id for row in rows] == list(reversed(IDS))
    results: dict[str, Any] = {row.custom_id: row.result for row in rows}
    names = {"succeeded": "good", "errored": "error", "expired": "expired"}
    assert {id: names[result.type] for id, result in results.items()} == KINDS
    assert results["q-1"].error.error.type == "invalid_request_error"
    assert json.loads(results["q-0"].message.content[0].text) == {"ranking": "BA"}
    assert results["q-3"].message.stop_reason == "refusal"
    assert {one.custom_id: one.input for one in fake.metered if one.batch} == {
        id: result.message.usage.input_tokens
        for id, result in results.items()
        if result.type == "succeeded"
    }
    assert fake.submissions == [IDS]
    assert batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        batches.retrieve(batch.id)


def gemini_submit(clients: Clients, path: Path, ids: tuple[str, ...] = IDS) -> Any:
    rows = [{"key": id, "request": gemini_body(id)} for id in ids]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = clients.gemini.files.upload(
        file=path, config={"display_name": "questions", "mime_type": "jsonl"}
    )
    assert file.name
    return clients.gemini.batches.create(
        model=MODELS["gemini"], src=file.name, config={"display_name": "run 7"}
    )


def test_a_batch_of_gemini(fake: Fake, clients: Clients, tmp_path: Path) -> None:
    fake.batch_faults = FAULTS
    fake.batch_seconds = 0.4
    client = clients.gemini
    batch = gemini_submit(clients, tmp_path / "batch.jsonl")
    assert (batch.state.value, batch.done) == ("JOB_STATE_PENDING", False)
    assert (batch.display_name, batch.model) == ("run 7", f"models/{MODELS['gemini']}")
    states = []

    def done() -> bool:
        states.append(client.batches.get(name=batch.name).state.value)  # type: ignore[union-attr]
        return states[-1] not in ("JOB_STATE_PENDING", "JOB_STATE_RUNNING")

    until(done)
    assert "JOB_STATE_RUNNING" in states
    batch = cast(Any, client.batches.get(name=batch.name))
    assert batch.state.value == "JOB_STATE_SUCCEEDED"

    data = client.files.download(file=batch.dest.file_name)

    rows = [json.loads(line) for line in data.splitlines()]
    assert [row["key"] for row in rows] == list(reversed(IDS))
    results = {row["key"]: row for row in rows}
    assert results["q-1"]["error"]["code"] == 3
    assert results["q-2"]["error"]["code"] == 4
    said = types.GenerateContentResponse.model_validate(results["q-0"]["response"])
    assert said.text
    assert json.loads(said.text) == {"ranking": "BA"}
    assert results["q-3"]["response"]["candidates"][0]["finishReason"] == "SAFETY"
    assert {one.custom_id: one.input for one in fake.metered if one.batch} == {
        id: row["response"]["usageMetadata"]["promptTokenCount"]
        for id, row in results.items()
        if "response" in row
    }
    assert fake.submissions == [IDS]

    assert {file.name for file in client.files.list()} == set(fake.files)
    for name in list(fake.files):
        client.files.delete(name=name)
    assert fake.files == {}
    client.batches.delete(name=batch.name)
    with pytest.raises(errors.ClientError, match="no batch"):
        client.batches.get(name=batch.name)


def test_requests_in_the_call_itself(fake: Fake, clients: Clients) -> None:
    fake.batch_faults = ["", "400"]
    requests = []
    for id in IDS[:2]:
        call = gemini_call(id)
        requests.append(types.InlinedRequest(
            contents=call["contents"], config=call["config"], metadata={"key": id}
        ))  # fmt: skip
    batch = clients.gemini.batches.create(model=MODELS["gemini"], src=requests)
    assert batch.name
    name = batch.name
    until(lambda: clients.gemini.batches.get(name=name).done)
    batch = clients.gemini.batches.get(name=name)

    assert batch.dest
    assert batch.dest.inlined_responses
    bad, good = batch.dest.inlined_responses
    assert (good.metadata, bad.metadata) == ({"key": "q-0"}, {"key": "q-1"})
    assert good.response
    assert good.response.text == '{"ranking": "BA"}'
    assert bad.error
    assert bad.error.code == 3
    assert (fake.submissions, fake.files) == ([IDS[:2]], {})


def test_batches_are_listed_page_by_page_the_newest_first(
    fake: Fake, clients: Clients, tmp_path: Path
) -> None:
    made: dict[str, list[str]] = {protocol: [] for protocol in PROTOCOLS}
    for number in range(5):
        ids = (f"only-{number}",)
        made["openai"].insert(0, openai_submit(clients, openai_lines(ids)).id)
        made["anthropic"].insert(0, anthropic_submit(clients, ids).id)
        made["gemini"].insert(0, gemini_submit(clients, tmp_path / "batch.jsonl", ids).name)

    assert [batch.id for batch in clients.openai.batches.list(limit=2)] == made["openai"]
    found = clients.anthropic.messages.batches.list(limit=2)
    assert [batch.id for batch in found] == made["anthropic"]
    pages = clients.gemini.batches.list(config={"page_size": 2})
    assert [batch.name for batch in pages] == made["gemini"]
    assert len(fake.submissions) == len(set(fake.submissions)) * 3 == 15


def test_a_batch_can_be_canceled(fake: Fake, clients: Clients, tmp_path: Path) -> None:
    fake.batch_seconds = 60
    batch = openai_submit(clients, openai_lines())
    clients.openai.batches.cancel(batch.id)
    until(lambda: clients.openai.batches.retrieve(batch.id).status == "cancelled")
    other = anthropic_submit(clients)
    batches = clients.anthropic.messages.batches
    batches.cancel(other.id)
    until(lambda: batches.retrieve(other.id).processing_status == "ended")
    assert {row.result.type for row in batches.results(other.id)} == {"canceled"}
    third = gemini_submit(clients, tmp_path / "batch.jsonl")
    clients.gemini.batches.cancel(name=third.name)
    until(lambda: bool(clients.gemini.batches.get(name=third.name).done))
    assert fake.metered == []


def test_too_much_for_one_batch(fake: Fake, clients: Clients, tmp_path: Path) -> None:
    for protocol in PROTOCOLS:
        fake.batch_limits[protocol] = (4, 10**9)
    batch = clients.openai.batches.retrieve(openai_submit(clients, openai_lines()).id)
    assert (batch.status, batch.errors.data[0].code) == ("failed", "too_many_requests")  # type: ignore[union-attr, index]
    with pytest.raises(anthropic.BadRequestError, match="5 requests"):
        anthropic_submit(clients)
    failed = gemini_submit(clients, tmp_path / "batch.jsonl")
    assert failed.state.value == "JOB_STATE_FAILED"

    for protocol in PROTOCOLS:
        fake.batch_limits[protocol] = (100, 1000)
    with pytest.raises(openai.BadRequestError, match="too large"):
        openai_submit(clients, openai_lines())
    with pytest.raises(anthropic.APIStatusError, match="too large"):
        anthropic_submit(clients)
    assert fake.submissions == []


@pytest.mark.parametrize("ids", [("a", "a"), ("a b",), ("x" * 65,), ("",)])
def test_ids_that_anthropic_does_not_take(
    ids: tuple[str, ...], fake: Fake, clients: Clients
) -> None:
    with pytest.raises(anthropic.BadRequestError, match="custom_id"):
        anthropic_submit(clients, ids)
    assert fake.submissions == []


def test_the_answer_to_a_submission_is_lost(fake: Fake, clients: Clients, tmp_path: Path) -> None:
    """It was created all the same, and can be found."""
    fake.script_batches(["dropped", "503", "unheard", "429-after"])
    with pytest.raises(anthropic.APIConnectionError):
        anthropic_submit(clients)
    assert fake.submissions == [IDS]
    with pytest.raises(anthropic.InternalServerError):
        anthropic_submit(clients)
    with pytest.raises(anthropic.APIConnectionError):
        anthropic_submit(clients)
    with pytest.raises(anthropic.RateLimitError):
        clients.anthropic.messages.batches.list()
    (batch,) = clients.anthropic.messages.batches.list()
    assert fake.submissions == [IDS]
    assert fake.batch_calls[:3] == ["POST /v1/messages/batches"] * 3
    until(
        lambda: clients.anthropic.messages.batches.retrieve(batch.id).processing_status == "ended"
    )

    fake.script_batches(["", "dropped"])
    with pytest.raises(openai.APIConnectionError):
        openai_submit(clients, openai_lines())
    (one,) = clients.openai.batches.list()
    assert one.metadata == {"run": "7"}
    # The upload is two calls there.
    fake.script_batches(["", "", "dropped"])
    with pytest.raises(Exception, match=r"[Dd]isconnect"):
        gemini_submit(clients, tmp_path / "batch.jsonl")
    (job,) = clients.gemini.batches.list()
    assert job.display_name == "run 7"
    assert len(fake.submissions) == 3


def test_a_broken_request_is_one_error(fake: Fake, clients: Clients) -> None:
    data = re.sub(rb"base64,[^\"]+", b"base64,AAAA", openai_lines(("bad",)))
    batch = openai_submit(clients, data + openai_lines(("good",)))
    until(lambda: clients.openai.batches.retrieve(batch.id).status == "completed")
    assert [one.custom_id for one in fake.metered] == ["good"]

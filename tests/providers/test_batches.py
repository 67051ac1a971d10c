"""Batches, through the real SDKs: what is handed in comes back, whatever happens between."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asked import KEY, question, teacher
from fake import Fake
from PIL import Image

from pvd import BatchTeacher, Item, Persona, Reply, Slate, Tokens, kit

NAMES = ("openai", "claude", "gemini")
NOW = datetime.now(UTC)


@pytest.fixture
def made(fake: Fake, keys: None) -> Iterator[Callable[..., Any]]:
    """Connected teachers, closed in the end."""
    found: list[Any] = []

    def make(name: str, **more: Any) -> Any:
        one = teacher(name, fake, **more)
        assert isinstance(one, BatchTeacher)
        found.append(one)
        one.connect()
        return one

    yield make
    for one in found:
        one.close()


def hand_in(asked: Any, folder: Path, count: int = 3, name: str = "run-1") -> str:
    """The ticket of a submission of so many questions."""
    lines = folder / "lines"
    requests = [asked.request(question(number)) for number in range(count)]
    lines.write_bytes(b"".join(asked.line(request) + b"\n" for request in requests))
    ticket: str = asked.submit(name, lines)
    return ticket


def digest(asked: Any, number: int) -> str:
    found: str = asked.request(question(number)).digest
    return found


def collected(asked: Any, ticket: str) -> list[tuple[str, Reply | str]]:
    for _ in range(100):
        found = asked.collect(ticket)
        if found is not None:
            return list(found)
        time.sleep(0.02)
    raise AssertionError("it never ended")


def told(asked: Any, folder: Path, *faults: str) -> list[Reply | str | None]:
    """What comes of as many questions as there are faults; None where nothing did."""
    found = dict(collected(asked, hand_in(asked, folder, len(faults))))
    return [found.get(digest(asked, number)) for number in range(len(faults))]


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_answers_as_direct_calls_do(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    asked = made(name)
    direct = [asked.answer([asked.request(question(number))])[0] for number in range(3)]

    found = collected(asked, hand_in(asked, tmp_path))

    assert [key for key, _ in found] == [digest(asked, n) for n in (2, 1, 0)], "as it comes"
    for reply, (_, other) in zip(direct, found[::-1], strict=True):
        assert isinstance(other, Reply)
        assert (other.text, other.model, other.tokens) == (reply.text, reply.model, reply.tokens)
        assert reply.dollars
        assert other.dollars == pytest.approx(reply.dollars / 2)
    # It was asked the same in the same words.
    one, other = fake.asked[0], fake.asked[3]
    assert (one.system, one.schema, one.question) == (other.system, other.schema, other.question)
    assert one.parts[0] == other.parts[0]
    assert [image.tobytes() for image in one.images] == [image.tobytes() for image in other.images]
    assert fake.metered[0].input == fake.metered[3].input == direct[0].tokens.input


@pytest.mark.parametrize("name", NAMES)
def test_what_is_set_is_said_in_a_batch_too(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    more: dict[str, Any] = {"max_tokens": 77}
    if name == "gemini":
        more |= {"detail": "high", "temperature": 0.5, "thinking": "minimal"}
    if name == "openai":
        more |= {"detail": "high", "temperature": 0.5, "effort": "low"}
    asked = made(name, **more)
    asked.answer([asked.request(question(0))])

    collected(asked, hand_in(asked, tmp_path, 1))

    one, other = ({k: v for k, v in a.body.items() if k != "contents"} for a in fake.asked)
    # The SDK of Gemini writes names in two ways; the service takes both.
    assert plain(one) == plain(other)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.replace("_", "").lower(): plain(v) for key, v in value.items() if key != "role"}
    return [plain(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", NAMES)
def test_before_it_is_ended_there_is_nothing(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    fake.batch_seconds = 3600
    asked = made(name)

    ticket = hand_in(asked, tmp_path)

    assert asked.collect(ticket) is None
    for batch in fake.batches.all.values():
        batch.seconds = 0
    assert len(collected(asked, ticket)) == 3


@pytest.mark.parametrize("name", NAMES)
def test_another_process_collects_and_nothing_secret_is_in_the_ticket(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    ticket = hand_in(made(name), tmp_path)

    assert KEY not in ticket
    assert KEY not in (tmp_path / "lines").read_text()
    assert len(ticket) < 200
    other = made(name)
    assert len(collected(other, ticket)) == 3
    assert len(collected(other, ticket)) == 3, "twice, if the first was for nothing"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_prices_and_tokens_of_every_kind(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    fake.thoughts = 40
    asked = made(name)

    (reply,) = told(asked, tmp_path, "")

    (billed,) = fake.metered
    assert isinstance(reply, Reply)
    images = billed.images if name == "gemini" else 0  # the others do not tell
    thoughts = 0 if name == "claude" else 40
    assert reply.tokens == Tokens(billed.input, billed.output, images, thoughts=thoughts)
    assert reply.dollars == asked.dollars(reply.tokens, batch=True)
    assert asked.dollars(reply.tokens) == pytest.approx(2 * reply.dollars)


# --- what goes wrong with one question ------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_each_question_meets_its_own_fate(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    faults = ("", "500", "expired", "refusal", "blocked", "truncated", "badjson", "uncounted")
    fake.batch_faults = faults
    asked = made(name)

    good, broken, late, refused, blocked, cut, odd, uncounted = told(asked, tmp_path, *faults)

    assert isinstance(good, Reply)
    assert good.finish == ""
    assert isinstance(broken, str)
    assert "oops" in broken
    assert isinstance(late, str)
    assert "expired" in late or "not executed" in late
    assert isinstance(refused, Reply)
    assert isinstance(blocked, Reply)
    assert isinstance(cut, Reply)
    assert (refused.finish, blocked.finish, cut.finish) == ("refused", "refused", "truncated")
    assert isinstance(odd, Reply)
    with pytest.raises(kit.Malformed):
        asked.read(asked.request(question(6)), odd)
    assert good.dollars
    # Here the question is not at hand: core puts it at the high estimate.
    assert isinstance(uncounted, Reply)
    assert (uncounted.tokens, uncounted.dollars) == (Tokens(), None)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_line_is_one_answer_less(
    name: str, made: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = made(name)
    ticket = hand_in(asked, tmp_path)
    collected(asked, ticket)
    data = asked.results(ticket).splitlines()
    spoilt = [data[0][:50], b"[1]", b'"x"', b"{}", data[1], b'{"custom_id": 7, "key": 7}', b"\xff"]
    monkeypatch.setattr(asked, "results", lambda ticket: b"\n".join(spoilt))

    assert [key for key, _ in asked.collect("any")] == [digest(asked, 1)]


# --- what goes wrong with the whole ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_a_batch_that_is_not_taken_is_a_failure(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    protocol = "openai" if name == "openai" else "gemini"
    fake.batch_limits[protocol] = (2, 10**9)
    asked = made(name)
    ticket = hand_in(asked, tmp_path)

    with pytest.raises(kit.BatchFailed) as caught:
        collected(asked, ticket)

    # Google's SDK keeps the reason to itself.
    assert ("too_many_requests" in str(caught.value)) == (name == "openai")
    asked.discard(ticket)
    assert fake.files == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_that_the_provider_does_not_know_is_gone(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    asked = made(name)
    ticket = hand_in(asked, tmp_path)
    collected(asked, ticket)
    fake.batches.all.clear()

    with pytest.raises(kit.Gone):
        collected(asked, ticket)
    asked.discard(ticket)


CALLS = {"openai": 2, "claude": 1, "gemini": 3}  # of a submission; the last one makes the batch
RESUMED = {"gemini": 1}  # this one of an upload is made again by the SDK


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["401", "400", "429-after"])
def test_a_submission_that_failed_leaves_nothing_behind(
    name: str, fault: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    asked = made(name)
    for number in range(CALLS[name]):
        if number == RESUMED.get(name):
            continue
        fake.script_batches([""] * number + [fault])
        want = {"401": kit.ProviderFailure, "400": kit.Rejected}.get(fault, kit.Busy)

        with pytest.raises(want) as caught:
            hand_in(asked, tmp_path)

        assert not isinstance(caught.value, kit.Lost)
        assert KEY not in str(caught.value)
        assert caught.value.__suppress_context__
        assert fake.files == {}
        assert fake.submissions == []
        if fault == "429-after":
            assert isinstance(caught.value, kit.Busy)
            assert (caught.value.after, caught.value.limited) == (1.0, True)
    assert len(collected(asked, hand_in(asked, tmp_path))) == 3


@pytest.mark.parametrize("name", NAMES)
def test_who_is_out_of_order_may_have_taken_the_batch(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    """A gateway's 503 says nothing of what is behind it."""
    fake.script_batches([""] * (CALLS[name] - 1) + ["503"])
    with pytest.raises(kit.Lost):
        hand_in(made(name), tmp_path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["dropped", "garbage"])
def test_a_submission_whose_answer_is_lost_is_found(
    name: str, fault: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    asked = made(name)
    hand_in(asked, tmp_path, 2, name="another run")
    fake.script_batches([""] * (CALLS[name] - 1) + [fault])

    with pytest.raises(kit.Lost):
        hand_in(asked, tmp_path)

    ticket = asked.find("run-1", datetime.now(UTC), 3, set())
    assert ticket
    assert len(collected(asked, ticket)) == 3
    asked.discard(ticket)
    assert len(fake.files) == {"openai": 2, "claude": 0, "gemini": 2}[name], "the other's"
    assert asked.find("run-1", datetime.now(UTC), 3, set()) is None or name == "openai"


@pytest.mark.parametrize("name", NAMES)
def test_an_upload_that_is_lost_was_no_submission(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    if name == "claude":
        pytest.skip("it uploads nothing")
    asked = made(name)
    fake.script_batches(["dropped"])

    with pytest.raises(kit.Busy) as caught:
        hand_in(asked, tmp_path)

    assert not isinstance(caught.value, kit.Lost)
    assert asked.find("run-1", datetime.now(UTC), 3, set()) is None


@pytest.mark.parametrize("name", NAMES)
def test_what_is_older_or_called_otherwise_is_not_found(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    asked = made(name)
    ticket = hand_in(asked, tmp_path)

    later = datetime.now(UTC) + timedelta(seconds=100)
    assert asked.find("run-1", later, 3, set()) is None
    assert asked.find("run-1", datetime.now(UTC), 3, set())
    # Claude keeps no names; what is known to be another is not taken for it.
    assert bool(asked.find("run-2", datetime.now(UTC), 3, set())) == (name == "claude")
    assert bool(asked.find("run-1", datetime.now(UTC), 4, set())) == (name != "claude")
    if name == "claude":
        assert asked.find("run-2", datetime.now(UTC), 3, {ticket}) is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["503", "dropped", "half", "garbage", "page"])
def test_collecting_again_costs_nothing(
    name: str, fault: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    asked = made(name)
    ticket = hand_in(asked, tmp_path)
    collected(asked, ticket)
    retrieves = {"openai": 1, "claude": 2, "gemini": 1}[name]
    for number in range(retrieves + 1):
        last = number == retrieves
        if last and fault in ("garbage", "page"):
            continue  # of a file's content, that is a broken line
        fake.script_batches([""] * number + [fault])

        with pytest.raises(kit.Busy) as caught:
            collected(asked, ticket)

        assert not isinstance(caught.value, kit.Lost), "nothing is paid for looking"
    assert len(collected(asked, ticket)) == 3


# --- what is left ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_discard_leaves_nothing_at_the_provider(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    fake.batch_faults = ["", "500"]
    asked = made(name)
    ticket = hand_in(asked, tmp_path)
    collected(asked, ticket)
    assert len(fake.files) == {"openai": 3, "claude": 0, "gemini": 2}[name]

    asked.discard(ticket)

    assert fake.files == {}
    assert len(fake.batches.all) == (name == "openai"), "there they stay, without their files"
    asked.discard(ticket)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_under_way_is_stopped(
    name: str, fake: Fake, made: Callable[..., Any], tmp_path: Path
) -> None:
    fake.batch_seconds = 30
    asked = made(name)
    ticket = hand_in(asked, tmp_path)
    (batch,) = fake.batches.all.values()

    asked.discard(ticket)

    assert batch.canceled.is_set()


def test_ones_own_server_takes_no_batches(fake: Fake) -> None:
    assert not isinstance(teacher("openai-compatible", fake), BatchTeacher)
    assert isinstance(teacher("gpt-4o", fake), BatchTeacher)


@pytest.mark.parametrize("name", NAMES)
def test_a_submission_stays_below_every_limit(name: str, fake: Fake) -> None:
    asked: Any = teacher(name, fake)
    protocol = "anthropic" if name == "claude" else name
    requests, size = fake.batch_limits[protocol]

    assert asked.batch_requests <= requests
    assert asked.batch_bytes <= size / 1.9


# --- what was lost, and what was never sent -------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, "openai-compatible"])
@pytest.mark.parametrize("fault", ["slow", "dropped", "half", "garbage", "hollow"])
def test_an_answer_that_is_lost_may_be_charged(
    name: str, fault: str, fake: Fake, keys: None
) -> None:
    with teacher(name, fake, timeout=1.0 if fault == "slow" else 20.0) as asked:
        asked.connect()
        fake.script([fault])
        with pytest.raises(kit.Lost) as caught:
            asked.answer([asked.request(question(0))])
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("name", NAMES)
def test_what_was_never_sent_costs_nothing(name: str, fake: Fake, keys: None) -> None:
    with socket.socket() as full:  # it is taken, and nobody listens
        full.bind(("127.0.0.1", 0))
        port = full.getsockname()[1]
        for host in ("127.0.0.1", "nobody.invalid"):
            url = f"http://{host}:{port}" + ("/v1" if name == "openai" else "")
            with teacher(name, fake, base_url=url, timeout=1.0) as asked:
                asked.connect()
                with pytest.raises(kit.Busy) as caught:
                    asked.answer([asked.request(question(0))])
                assert not isinstance(caught.value, kit.Lost)


@pytest.mark.parametrize("name", [*NAMES, "openai-compatible"])
def test_closed_and_connected_again(name: str, fake: Fake, keys: None) -> None:
    asked = teacher(name, fake)
    asked.close()  # before anything was opened
    for _ in range(2):
        asked.connect()
        client = asked._client  # type: ignore[attr-defined]
        assert asked.answer([asked.request(question(0))])[0].text
        asked.close()
        closed = getattr(client, "is_closed", None)  # Google's does not tell
        assert closed is None or closed()


# --- the forecast against the bill ----------------------------------------------------------------

SHAPES = ((96, 128), (300, 400), (1200, 900))


def shelf(wide: int, high: int) -> tuple[Item, ...]:
    """Five pictures of this size."""
    rng = random.Random(wide)

    def drawn(number: int) -> bytes:
        colour = tuple(rng.randrange(256) for _ in range(3))
        return kit.jpeg(Image.new("RGB", (wide, high), colour), max(wide, high))

    pictures = [drawn(number) for number in range(5)]
    return tuple(Item(f"i{n}", lambda data=data: data) for n, data in enumerate(pictures))


MODELS: list[tuple[str, dict[str, Any]]] = [
    ("openai", {}),
    ("openai", {"detail": "high"}),
    ("gpt-4o", {}),
    ("gpt-4o", {"detail": "high", "max_side": 1200}),
    ("claude", {}),
    ("claude", {"max_side": 1200}),
    ("gemini", {}),
    ("gemini", {"detail": "high"}),
    ("gemini", {"model": "gemini-2.5-flash-lite", "max_side": 1200}),
    ("gemini", {"model": "gemini-2.5-flash-lite", "detail": "high", "max_side": 1200}),
    ("gemini", {"model": "gemini-2.5-flash-lite", "detail": "high", "max_side": 384}),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "more"), MODELS)
def test_the_forecast_is_near_what_is_billed(
    name: str, more: dict[str, Any], shape: tuple[int, int], fake: Fake, keys: None
) -> None:
    text = "A nurse of 43 who grows roses, reads crime novels and saves for a small boat. " * 3
    slate = Slate(Persona("p", text), shelf(*shape))
    with teacher(name, fake, **more) as asked:
        asked.connect()
        (reply,) = asked.answer([asked.request(slate)])
        found = asked.estimate(slate)
    (billed,) = fake.metered

    assert found.expected.images == billed.images
    assert found.expected.input == pytest.approx(billed.input, rel=0.15)
    assert found.low.input <= billed.input <= found.high.input < 3 * billed.input
    assert found.low.output <= billed.output <= found.high.output
    assert found.expected.output - found.expected.thoughts <= 2 * billed.output
    prices = [asked.dollars(tokens) for tokens in (found.low, reply.tokens, found.high)]
    assert None not in prices
    assert prices == sorted(prices)  # type: ignore[type-var]


def test_a_forecast_is_cheap(fake: Fake, keys: None) -> None:
    asked = teacher("claude", fake)
    slates = [question(number) for number in range(40)]
    asked.estimate(slates[0])
    start = time.thread_time()  # not the time in which the processor does something else
    for slate in slates:
        asked.estimate(slate)
    assert (time.thread_time() - start) / len(slates) < 0.003, "ten times what it takes here"

"""Batches: handed in once, collected by whoever comes, whatever is killed when."""

from __future__ import annotations

import errno
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

import pvd
from pvd import kit, testing
from pvd.asking import Desk, collecting, opened
from pvd.asking.clerk import Usage
from pvd.errors import (
    BadInput,
    BudgetReached,
    Interrupted,
    MemoryFull,
    PluginError,
    ProviderFailure,
)
from pvd.isolation import guard
from pvd.money.budget import Budget
from pvd.records import Forecast, Ranking, Reply, Request, Slate, Tokens
from pvd.settings import AskSettings
from pvd.store import Spent, Store
from pvd.store.database import Unwritable

PEOPLE = testing.personas(60)
ITEMS = testing.items(5)


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@dataclass
class Batch:
    """What the provider knows of one submission."""

    name: str
    digests: list[str]
    looks: int  # until it has ended
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))


class Provider:
    """It outlives the commands that ask it."""

    def __init__(self) -> None:
        self.batches: dict[str, Batch] = {}
        self.discarded: list[str] = []
        self.direct: list[str] = []
        self.faults: list[Exception | type[BaseException] | None] = []  # of `submit`, in order
        self.lose: list[BaseException] = []  # raised once the submission has arrived
        self.errors: set[str] = set()  # digests whose answer is an error
        self.missing: set[str] = set()  # digests that the results leave out
        self.breaks = 0  # times that the results break off in the middle
        self.looks = 1
        self.hidden = 0  # times that submissions cannot be listed

    @property
    def submitted(self) -> list[str]:
        return [digest for batch in self.batches.values() for digest in batch.digests]


@dataclass(kw_only=True)
class Clerk(pvd.BatchTeacher):
    """May cost a dollar a slate; it turns out to be a quarter, and half of that in a batch."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(paid=True, workers=4)
    batch_requests: ClassVar[int] = 7
    batch_bytes: ClassVar[int] = 10**6

    provider: ClassVar[Provider]

    def request(self, slate: Slate) -> Request:
        ids = [item.id for item in slate.items]
        return Request(slate, {"who": slate.persona.id, "items": ids, "repeat": slate.repeat})

    def estimate(self, slate: Slate) -> Forecast:
        return Forecast(Tokens(10), Tokens(25), Tokens(100))

    def dollars(self, tokens: Tokens, batch: bool = False) -> float:
        return tokens.input / (200 if batch else 100)

    def reply(self, batch: bool = False) -> Reply:
        return Reply("[0,1,2,3,4]", "clerk-1", Tokens(25, 0), self.dollars(Tokens(25), batch))

    def answer(self, requests: Sequence[Request]) -> Sequence[Reply]:
        self.provider.direct += [request.digest for request in requests]
        return [self.reply() for _ in requests]

    def read(self, request: Request, reply: Reply) -> Ranking:
        return Ranking.from_order(json.loads(reply.text))

    def line(self, request: Request) -> bytes:
        return json.dumps({"id": request.digest, "body": request.body}).encode()

    def submit(self, name: str, lines: Path) -> str:
        fault = self.provider.faults.pop(0) if self.provider.faults else None
        if fault is not None:
            raise fault
        ids = [json.loads(line)["id"] for line in lines.read_bytes().splitlines()]
        ticket = f"ticket-{len(self.provider.batches)}"
        self.provider.batches[ticket] = Batch(name, ids, self.provider.looks)
        if self.provider.lose:
            raise self.provider.lose.pop(0)
        return ticket

    def find(self, name: str, since: datetime, count: int, known: Set[str]) -> str | None:
        if self.provider.hidden:
            self.provider.hidden -= 1
            raise kit.Busy("503")
        found = [t for t, batch in self.provider.batches.items() if batch.name == name]
        return next((ticket for ticket in found if ticket not in known), None)

    def collect(self, ticket: str) -> Iterable[tuple[str, Reply | str]] | None:
        batch = self.provider.batches[ticket]
        batch.looks -= 1
        return self.results(batch) if batch.looks < 0 else None

    def results(self, batch: Batch) -> Iterator[tuple[str, Reply | str]]:
        for number, digest in enumerate(reversed(batch.digests)):
            if self.provider.breaks and number == len(batch.digests) // 2:
                self.provider.breaks -= 1
                raise kit.Lost("the connection broke")
            if digest in self.provider.missing:
                continue
            if digest in self.provider.errors:
                yield digest, "500, something went wrong"
            else:
                yield digest, self.reply(batch=True)

    def discard(self, ticket: str) -> None:
        self.provider.discarded.append(ticket)


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    Clerk.provider = Provider()
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(collecting, "GRACE", 0.0)
    return Clerk.provider


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.sqlite"


def question(number: int, attempt: int) -> Slate:
    return Slate(PEOPLE[number], tuple(ITEMS[attempt:] + ITEMS[:attempt]))


def ask(
    path: Path, count: int, limits: dict[str, Any] | None = None, **settings: Any
) -> tuple[list[pvd.Judgment | None], Usage]:
    """What a command does: it opens the store, asks, and is gone."""
    with Store(path) as store, opened(Clerk(), 1) as teacher:
        given = {"batch": True, "poll": 0.0, **settings}
        desk = Desk(store, AskSettings(**given), budget=Budget(store, "run-1", **(limits or {})))
        found = desk.judgments(teacher, count, question)
        assert store.batches() == [], "nothing is left behind"
        return found, desk.usage


@contextmanager
def sleeping(monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> Iterator[None]:
    """Whoever waits meets this."""

    def meet(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("time.sleep", meet)
        yield


def test_questions_go_out_in_shards_and_come_back_by_their_digest(
    path: Path, provider: Provider
) -> None:
    provider.looks = 3
    found, usage = ask(path, 17)
    assert [len(batch.digests) for batch in provider.batches.values()] == [7, 7, 3]
    assert [j.slate.persona.id for j in found if j] == [p.id for p in PEOPLE[:17]]
    assert (usage.asked, usage.batched, usage.calls) == (17, 17, 3)
    assert usage.dollars == 17 * 0.125
    assert provider.direct == []
    assert sorted(provider.discarded) == ["ticket-0", "ticket-1", "ticket-2"]
    again, more = ask(path, 17)
    assert again == found
    assert (more.cached, len(provider.batches)) == (17, 3)


def test_shards_are_cut_by_bytes_too(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Clerk, "batch_bytes", 600)
    ask(path, 9)
    assert len(provider.batches) > 2
    assert len(provider.submitted) == len(set(provider.submitted)) == 9
    monkeypatch.setattr(Clerk, "batch_bytes", 5)
    ask(path, 11)
    assert [len(b.digests) for b in list(provider.batches.values())[-2:]] == [1, 1]


def test_what_a_batch_brings_no_answer_for_is_asked_directly(
    path: Path, provider: Provider
) -> None:
    digests = [Clerk().request(question(number, 0)).digest for number in range(12)]
    provider.errors, provider.missing = set(digests[2:4]), {digests[9]}
    found, usage = ask(path, 12)
    assert None not in found
    assert sorted(provider.direct) == sorted([*digests[2:4], digests[9]])
    assert (usage.asked, usage.batched) == (12, 9)
    assert usage.dollars == 9 * 0.125 + 3 * 0.25
    with Store(path) as store:
        assert store.spent("run-1") == Spent(12, usage.dollars)


def test_an_unreadable_answer_of_a_batch_is_asked_again_directly(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mumbling(Clerk):
        def reply(self, batch: bool = False) -> Reply:
            text = "hm" if batch else "[0,1,2,3,4]"
            return replace(super().reply(batch), text=text)

        def read(self, request: Request, reply: Reply) -> Ranking:
            if reply.text == "hm":
                raise kit.Malformed("no JSON", "no JSON")
            return super().read(request, reply)

    with Store(path) as store, opened(Mumbling(), 1) as teacher:
        desk = Desk(store, AskSettings(batch=True, poll=0.0))
        assert None not in desk.judgments(teacher, 4, question)
    assert (len(provider.submitted), len(provider.direct)) == (4, 4)
    assert desk.usage.repaired == {"no JSON": 4}


# --- killed -----------------------------------------------------------------------------------


def test_killed_after_submitting_the_same_command_collects(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.looks = 2
    with sleeping(monkeypatch, Killed), pytest.raises(Killed):
        ask(path, 17)
    assert len(provider.submitted) == 17
    found, usage = ask(path, 17)
    assert None not in found
    assert len(provider.batches) == 3, "nothing is submitted twice"
    assert (usage.batched, provider.direct) == (17, [])


@pytest.mark.parametrize("batch", [True, False])
def test_what_was_submitted_is_waited_for_also_without_batch(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch, batch: bool
) -> None:
    provider.looks = 1
    with sleeping(monkeypatch, Killed), pytest.raises(Killed):
        ask(path, 7)
    _, usage = ask(path, 9, batch=batch)
    assert usage.asked == 9
    assert len(provider.direct) == (0 if batch else 2)


def test_killed_while_collecting_nothing_is_lost_or_submitted_twice(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = itertools.count(1)
    put = Store.put

    def some(self: Store, *words: Any) -> str:
        if next(kept) == 3:
            raise Killed
        return put(self, *words)

    monkeypatch.setattr(collecting, "CHUNK", 3)
    monkeypatch.setattr(Store, "put", some)
    with pytest.raises(Killed):
        ask(path, 14)
    found, usage = ask(path, 14)
    assert None not in found
    assert usage.cached == 6
    assert len(provider.submitted) == 14


def test_killed_before_the_ticket_came_it_is_found_again(path: Path, provider: Provider) -> None:
    provider.lose = [Killed()]
    with pytest.raises(Killed):
        ask(path, 14)
    with Store(path) as store:
        (lost,) = store.batches()
        assert (lost.ticket, lost.owner) == (None, "")
    provider.hidden = 2
    found, _ = ask(path, 14)
    assert None not in found
    assert len(provider.submitted) == len(set(provider.submitted)) == 14


def test_killed_before_it_arrived_it_is_handed_in_again_but_not_at_once(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on its way when its process dies may still arrive."""
    provider.faults = [Killed]
    with pytest.raises(Killed):
        ask(path, 5)
    assert provider.submitted == []
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:  # a minute later
            with Store(path) as store:
                begun = (datetime.now(UTC) - timedelta(minutes=2)).isoformat(timespec="seconds")
                store._db.execute("UPDATE batches SET begun = ?", (begun,))

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr(collecting, "GRACE", 60.0)
    found, _ = ask(path, 5)
    assert None not in found
    assert len(waits) >= 3
    assert len(provider.submitted) == 5


def test_an_interrupt_while_waiting_says_that_the_answers_come(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.looks = 1
    with (
        sleeping(monkeypatch, KeyboardInterrupt),
        pytest.raises(Interrupted, match=r"in batches.*: 5\. The"),
    ):
        ask(path, 5)
    assert ask(path, 5)[1].batched == 5


# --- providers in trouble ---------------------------------------------------------------------


def test_a_busy_provider_is_asked_again(path: Path, provider: Provider) -> None:
    provider.faults = [kit.Busy("503"), kit.Busy("429"), None]
    _, usage = ask(path, 7)
    assert (usage.retries, len(provider.batches)) == (2, 1)


@pytest.mark.parametrize("breaks", ["after it arrived", "no ticket", "while it is looked for"])
def test_one_that_a_broken_plug_in_handed_in_is_found_and_not_paid_twice(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    lost: list[BaseException] = [kit.Lost("?"), KeyError("id")]
    provider.lose = lost[breaks == "after it arrived" :][:1] if breaks != "no ticket" else []
    submit = Clerk.submit

    class Broken(Clerk):
        def submit(self, name: str, lines: Path) -> Any:
            ticket = submit(self, name, lines)
            return None if breaks == "no ticket" else ticket

        def find(self, name: str, since: datetime, count: int, known: Set[str]) -> str | None:
            raise KeyError("name")

    guard(Broken)
    with monkeypatch.context() as patch:
        patch.setitem(globals(), "Clerk", Broken)
        with pytest.raises(PluginError):
            ask(path, 7)
    found, usage = ask(path, 7)
    assert None not in found
    assert (usage.batched, len(provider.batches)) == (7, 1)


def test_answers_that_cannot_be_read_are_kept_and_counted_once(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Clerk, request: Request, reply: Reply) -> Ranking:
        raise MemoryError

    with Store(path) as store, opened(Clerk(), 1) as teacher, monkeypatch.context() as patch:
        patch.setattr(Clerk, "read", broken)
        desk = Desk(store, AskSettings(batch=True, poll=0.0), budget=Budget(store, "run-1"))
        with pytest.raises(MemoryFull):
            desk.judgments(teacher, 7, question)
        assert (desk.usage.asked, desk.usage.dollars) == (7, 7 * 0.125)
    found, usage = ask(path, 8)  # one more, so that the provider is asked again
    assert None not in found
    assert (usage.cached, len(provider.submitted)) == (7, 8)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (Reply("[0,1]", None), "whose model is None"),  # type: ignore[arg-type]
        (Reply(None), "a Reply from collect for a request"),  # type: ignore[arg-type]
        (Reply("[0,1]", tokens=Tokens(None, 1)), "counts None tokens"),  # type: ignore[arg-type]
        (None, "None from collect for a request"),
    ],
)
def test_a_reply_that_cannot_be_kept_loses_no_other_and_is_no_fault_of_the_store(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch, bad: Any, said: str
) -> None:
    """The others are kept, and this one is collected once the plug-in is mended."""
    results = Clerk.results

    def broken(self: Clerk, batch: Batch) -> Iterator[Any]:
        for number, (digest, answer) in enumerate(results(self, batch)):
            yield digest, bad if number == 2 else answer

    with monkeypatch.context() as patch:
        patch.setattr(Clerk, "results", broken)
        with pytest.raises(PluginError, match=said):
            ask(path, 7)
    found, usage = ask(path, 7)
    assert None not in found
    assert (usage.cached, usage.batched, len(provider.batches)) == (6, 1, 1)
    assert provider.direct == []


def test_what_cannot_be_discarded_ends_no_run(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Clerk):
        def discard(self, ticket: str) -> None:
            raise KeyError(ticket)

    guard(Broken)
    monkeypatch.setitem(globals(), "Clerk", Broken)
    assert ask(path, 7)[1].batched == 7


def test_a_submission_whose_answer_was_lost_is_looked_for_before_it_is_repeated(
    path: Path, provider: Provider
) -> None:
    provider.lose, provider.hidden = [kit.Lost("the connection broke")], 3
    ask(path, 7)
    assert len(provider.batches) == 1


def test_one_that_may_have_arrived_is_looked_for_by_the_next_command(
    path: Path, provider: Provider
) -> None:
    provider.lose, provider.hidden = [kit.Lost("the connection broke")], 99
    with pytest.raises(ProviderFailure, match=r"may have taken a batch.* command looks for it"):
        ask(path, 7)
    provider.hidden = 0
    assert ask(path, 7)[1].batched == 7
    assert len(provider.batches) == 1


def test_one_that_stays_busy_ends_the_command_and_leaves_nothing_behind(
    path: Path, provider: Provider
) -> None:
    provider.faults = [kit.Busy("503")] * 9
    with pytest.raises(ProviderFailure, match=r"took no batch in 4 calls \(503\)"):
        ask(path, 7, retries=3)
    with Store(path) as store:
        assert store.batches() == []
        assert store.spent("run-1") == Spent()
    provider.faults = []
    assert ask(path, 7)[1].batched == 7


def test_one_that_takes_no_batch_says_so(path: Path, provider: Provider) -> None:
    provider.faults = [kit.Rejected("400, no batches for this model")]
    with pytest.raises(ProviderFailure, match=r"takes no batch.*without --batch"):
        ask(path, 7)
    with Store(path) as store:
        assert store.spent("run-1") == Spent()


def test_results_that_break_off_are_taken_up_again(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.breaks = 2
    found, usage = ask(path, 7)
    assert None not in found
    assert (usage.batched, provider.direct) == (7, [])


def test_a_batch_that_failed_as_a_whole_is_said_once_and_handed_in_again(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Clerk, ticket: str) -> None:
        raise kit.BatchFailed("the quota of enqueued tokens is used up")

    collect = Clerk.collect
    monkeypatch.setattr(Clerk, "collect", fail)
    with pytest.raises(ProviderFailure, match="enqueued tokens"):
        ask(path, 5)
    monkeypatch.setattr(Clerk, "collect", collect)
    with Store(path) as store:
        assert (store.batches(), store.spent("run-1")) == ([], Spent())
    assert ask(path, 5)[1].batched == 5
    assert len(provider.batches) == 2


@pytest.mark.parametrize("error", [ProviderFailure("The key is wrong."), kit.Rejected("400")])
def test_a_batch_that_cannot_be_fetched_now_stays(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A wrong key says nothing about the batch, which is paid for."""

    def refuse(self: Clerk, ticket: str) -> None:
        raise error

    collect = Clerk.collect
    monkeypatch.setattr(Clerk, "collect", refuse)
    with pytest.raises(ProviderFailure, match=r"key is wrong|does not give a batch out \(400\)"):
        ask(path, 7)
    monkeypatch.setattr(Clerk, "collect", collect)
    assert provider.discarded == []
    assert ask(path, 7)[1].batched == 7
    assert len(provider.batches) == 1


def test_another_model_in_a_batch_stops_the_run_and_loses_none_of_it(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = itertools.cycle(["one", "one", "two"])
    reply = Clerk.reply

    def changing(self: Clerk, batch: bool = False) -> Reply:
        return replace(reply(self, batch), model=next(models))

    monkeypatch.setattr(collecting, "CHUNK", 2)
    monkeypatch.setattr(Clerk, "reply", changing)
    with pytest.raises(ProviderFailure, match="as 'two' now"):
        ask(path, 7)
    _, usage = ask(path, 7, accept_model_change=True)
    assert (usage.cached, len(provider.batches)) == (7, 1)


def test_a_store_that_is_held_when_the_ticket_comes_is_waited_for(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, tries = Store.set_ticket, itertools.count()

    def held(self: Store, *words: Any) -> None:
        if next(tries) < 2:
            raise Unwritable("The store is held.")
        write(self, *words)

    monkeypatch.setattr(Store, "set_ticket", held)
    assert ask(path, 7)[1].batched == 7
    assert len(provider.batches) == 1


def test_what_may_have_arrived_is_never_handed_in_again_in_the_same_breath(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be listed a minute later."""
    find, looks = Clerk.find, itertools.count()

    def late(self: Clerk, *words: Any) -> str | None:
        return find(self, *words) if next(looks) > 4 else None

    monkeypatch.setattr(Clerk, "find", late)
    provider.lose = [kit.Lost("the connection broke")]
    ask(path, 7)
    assert len(provider.batches) == 1


def test_a_batch_of_somebody_else_is_told_from_ours(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a provider keeps no names, one of the same size may be found first."""
    provider.batches["theirs"] = Batch("x", [f"stranger-{n}" for n in range(7)], 0)

    def by_size(self: Clerk, name: str, since: datetime, count: int, known: Set[str]) -> str | None:
        found = [t for t, b in provider.batches.items() if len(b.digests) == count]
        return next((ticket for ticket in found if ticket not in known), None)

    monkeypatch.setattr(Clerk, "find", by_size)
    provider.lose = [Killed()]
    with pytest.raises(Killed):
        ask(path, 7)
    found, usage = ask(path, 7)
    assert None not in found
    assert (usage.batched, provider.direct) == (7, [])
    assert len(provider.batches) == 2
    assert "theirs" not in provider.discarded


def test_a_batch_that_this_key_does_not_know_is_not_paid_for_twice(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Clerk, ticket: str) -> None:
        raise kit.Gone(ticket)

    collect = Clerk.collect
    monkeypatch.setattr(Clerk, "collect", gone)
    with pytest.raises(ProviderFailure, match="use the key that it was handed in with"):
        ask(path, 7)
    assert provider.direct == []
    with Store(path) as store:  # days later it is given up
        begun = (datetime.now(UTC) - timedelta(days=3)).isoformat(timespec="seconds")
        store._db.execute("UPDATE batches SET begun = ?", (begun,))
    found, _ = ask(path, 7)
    assert None not in found
    assert len(provider.direct) == 7
    monkeypatch.setattr(Clerk, "collect", collect)


def test_who_asks_directly_meets_what_another_command_hands_in_meanwhile(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would wait for somebody who is gone."""
    claim = Store.claim

    def after_the_other(self: Store, aside: Any, *words: Any) -> set[str]:
        monkeypatch.setattr(Store, "claim", claim)
        with Store(path) as other, opened(Clerk(), 1) as teacher:
            requests = [teacher.request(question(number, 0)) for number in range(4)]
            other.begin_batch("theirs", "Clerk", {r.digest: 0.5 for r in requests}, "run-2")
            provider.batches["ticket"] = Batch("theirs", [r.digest for r in requests], 1)
            other.set_ticket("theirs", "ticket")
        return claim(self, aside, *words)

    monkeypatch.setattr(Store, "claim", after_the_other)
    found, usage = ask(path, 7, batch=False)
    assert None not in found
    assert (len(provider.direct), usage.batched) == (3, 4)
    with Store(path) as store:
        assert store.spent("run-2").dollars == 4 * 0.125, "who handed it in pays for it"


def test_what_was_left_by_a_dead_process_is_cleared_away(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: Clerk, ticket: str) -> None:
        raise Killed

    discard = Clerk.discard
    monkeypatch.setattr(Clerk, "discard", die)
    with pytest.raises(Killed):
        ask(path, 7)
    monkeypatch.setattr(Clerk, "discard", discard)
    ask(path, 9)
    assert sorted(provider.discarded) == ["ticket-0", "ticket-1"]


def test_files_are_closed_and_gone_when_they_are_handed_in(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[Path] = []
    submit = Clerk.submit

    def look(self: Clerk, name: str, lines: Path) -> str:
        assert not any(file.exists() for file in there), "one at a time"
        there.append(lines)
        return submit(self, name, lines)

    monkeypatch.setattr(Clerk, "submit", look)
    ask(path, 20)
    assert len(there) == 3


def test_no_room_for_the_file_is_one_sentence(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", full)
    with pytest.raises(BadInput, match="set TMPDIR to another"):
        ask(path, 5)
    with Store(path) as store:
        assert store.spent("run-1") == Spent()


def test_what_nobody_counted_is_put_at_the_high_estimate(
    path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def uncounted(self: Clerk, batch: bool = False) -> Reply:
        return Reply("[0,1,2,3,4]", "clerk-1", Tokens(), None)

    monkeypatch.setattr(Clerk, "reply", uncounted)
    found, usage = ask(path, 4)
    assert [j.reply.tokens for j in found if j] == [Tokens(100)] * 4
    assert usage.dollars == 4 * 0.5


# --- money ------------------------------------------------------------------------------------


def test_no_more_is_handed_in_than_may_be_spent(path: Path, provider: Provider) -> None:
    """Half a dollar is put aside for each, and an eighth is paid: what that leaves is used."""
    found, usage = ask(path, 20, {"max_cost": 4.0})
    assert None not in found
    sizes = [len(batch.digests) for batch in provider.batches.values()]
    assert sizes[:2] == [7, 1], "4.00 at 0.50 each"
    assert usage.dollars == 20 * 0.125
    assert len(provider.submitted) == 20


def test_where_the_money_ends_the_command_ends(path: Path, provider: Provider) -> None:
    with pytest.raises(BudgetReached, match="higher --max-cost"):
        ask(path, 20, {"max_cost": 1.0})
    with Store(path) as store:
        assert store.spent("run-1").dollars <= 1.0
    before = len(provider.submitted)
    found, _ = ask(path, 20, {"max_cost": 9.0})
    assert None not in found
    assert len(provider.submitted) == 20 > before


def test_calls_are_limited_too(path: Path, provider: Provider) -> None:
    with pytest.raises(BudgetReached, match="higher --max-calls"):
        ask(path, 20, {"max_calls": 9})
    assert len(provider.submitted) == 9


def test_a_teacher_without_batches_is_asked_directly(path: Path) -> None:
    with Store(path) as store, opened(pvd.load("teacher", "simulated"), 1) as teacher:
        desk = Desk(store, AskSettings(batch=True))
        people = testing.personas(3)
        slates = [Slate(person, tuple(testing.items(5))) for person in people]
        assert None not in desk.judgments(teacher, 3, lambda n, attempt: slates[n])

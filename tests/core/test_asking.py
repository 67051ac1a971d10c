"""Asking: each question once, no answer lost, in order, within the limits."""

from __future__ import annotations

import _thread
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import pytest

import pvd
from pvd import kit, testing
from pvd.asking import Desk, Show, opened
from pvd.asking.clerk import Usage
from pvd.errors import (
    BadInput,
    BudgetReached,
    Interrupted,
    MemoryFull,
    MissingPrerequisite,
    PluginError,
    ProviderFailure,
    PvdError,
)
from pvd.isolation import guard
from pvd.money.budget import Budget
from pvd.progress import Silent
from pvd.records import Forecast, Ranking, Reply, Request, Slate, Tokens
from pvd.settings import AskSettings
from pvd.store import Spent, Store
from pvd.store.database import Unwritable

LETTERS = "ABCDE"


@dataclass(kw_only=True)
class Clerk(pvd.Teacher):
    """Ranks by item id, and remembers every call."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(batch=3, workers=2)

    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.calls: list[list[str]] = []  # the digests of each call
        self.now = self.peak = 0
        self.lock = threading.Lock()

    def request(self, slate: Slate) -> Request:
        body = {"seed": self.seed, "who": slate.persona.id, "repeat": slate.repeat}
        return Request(slate, body | {"items": [item.id for item in slate.items]})

    def answer(self, requests: Sequence[Request]) -> Sequence[Reply]:
        with self.lock:
            self.calls.append([request.digest for request in requests])
            self.now += 1
            self.peak = max(self.peak, self.now)
        try:
            return self.serve(requests)
        finally:
            with self.lock:
                self.now -= 1

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        time.sleep(self.seconds)
        return [Reply(self.text(r.slate), "clerk-1", Tokens(10, 2), 0.25) for r in requests]

    def text(self, slate: Slate) -> str:
        order = sorted(range(len(slate.items)), key=lambda p: slate.items[p].id)
        return json.dumps([LETTERS[p] for p in order])

    def read(self, request: Request, reply: Reply) -> Ranking:
        return kit.read_order(kit.read_json(reply.text), LETTERS[: len(request.slate.items)])

    @property
    def asked(self) -> list[str]:
        return [digest for call in self.calls for digest in call]


PEOPLE = testing.personas(40)
ITEMS = testing.items(5)


def question(number: int, attempt: int = 0) -> Slate:
    """Another persona for each number, another order for each attempt."""
    return Slate(PEOPLE[number], tuple(ITEMS[attempt:] + ITEMS[:attempt]))


def winners(judgments: Sequence[pvd.Judgment | None]) -> list[str]:
    """The first place's item of each judgment; "" where there is none."""
    return [j.slate.items[j.ranking.tiers[0][0]].id if j else "" for j in judgments]


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """It works, also where a shell started the tests in its background, and so ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as here:
        yield here


def ask(
    store: Store,
    teacher: pvd.Teacher,
    count: int,
    show: Show = question,
    seed: int = 1,
    budget: Budget | None = None,
    **settings: Any,
) -> tuple[list[pvd.Judgment | None], Usage]:
    desk = Desk(store, AskSettings(**settings), budget=budget)
    with opened(teacher, seed) as ready:
        found = desk.judgments(ready, count, show)
    return found, replace(desk.usage, seconds_asking=0.0)


def free(path: Path, digests: Sequence[str]) -> set[str]:
    """Which of these somebody else could ask now."""
    with Store(path) as other:
        return other.claim(dict.fromkeys(digests, 0.0))


# --- the ways to be a teacher -----------------------------------------------------------------


@dataclass(kw_only=True)
class Simple(pvd.Teacher):
    """Defines `rank` alone."""

    upside_down: bool = False
    tags: tuple[str, ...] = ("a", "b")

    def rank(self, slates: Sequence[Slate]) -> Sequence[Ranking]:
        self.seen = [*getattr(self, "seen", []), *slates]
        sign = -1 if self.upside_down else 1
        return [Ranking.from_utilities([sign * hash_of(i) for i in s.items]) for s in slates]


def hash_of(item: pvd.Item) -> int:
    return int(item.id.removeprefix("item-"))


def test_a_teacher_that_only_ranks(store: Store) -> None:
    teacher = Simple()
    found, usage = ask(store, teacher, 4)
    assert winners(found) == ["item-4"] * 4
    for number, judgment in enumerate(found):
        assert judgment is not None
        assert judgment.slate == question(number)
        assert judgment.ranking.utilities == (0.0, 1.0, 2.0, 3.0, 4.0)
        assert judgment.digest == teacher.request(question(number)).digest
        assert judgment.teacher == "Simple"
        assert judgment.date
    again, more = ask(store, Simple(), 4)
    assert again == found
    assert (usage.asked, more.asked, more.cached) == (4, 0, 4)
    assert len(teacher.seen) == 4


def test_options_and_seed_are_part_of_the_question(store: Store) -> None:
    ask(store, Simple(), 2)
    assert winners(ask(store, Simple(upside_down=True), 2)[0]) == ["item-0"] * 2
    assert ask(store, Simple(), 2, seed=2)[1].asked == 2


@dataclass(kw_only=True)
class WithPath(Simple):
    """Has an option of every scalar type."""

    folder: Path = Path("/srv")


def test_a_teacher_that_only_ranks_may_have_a_path_as_option(store: Store) -> None:
    assert winners(ask(store, WithPath(), 1)[0]) == ["item-4"]


def test_a_teacher_that_defines_nothing_says_what_to_define(store: Store) -> None:
    @dataclass(kw_only=True)
    class Nothing(pvd.Teacher):
        pass

    with pytest.raises(PluginError, match=r"Nothing answers nothing; define rank\(slates\)"):
        ask(store, Nothing(), 1)


@pytest.mark.parametrize("wrong", [ModuleNotFoundError("no", name="absent"), MemoryError(), 3])
def test_an_answer_that_cannot_be_read_is_counted_once(store: Store, wrong: object) -> None:
    class Broken(Clerk):
        def read(self, request: Request, reply: Reply) -> Ranking:
            if isinstance(wrong, Exception):
                raise wrong
            return Ranking(wrong)  # type: ignore[arg-type]

    desk = Desk(store)
    with opened(Broken(), 1) as teacher, pytest.raises((PvdError, MemoryError)):
        desk.judgments(teacher, 3, question)
    assert (desk.usage.asked, desk.usage.dollars) == (3, 0.75)


@pytest.mark.parametrize(
    "part", [{"model": None}, {"finish": None}, {"tokens": None}, {"dollars": float("nan")}]
)
def test_a_reply_that_cannot_be_kept_is_no_fault_of_the_store(
    store: Store, part: dict[str, Any]
) -> None:
    class Broken(Clerk):
        def answer(self, requests: Sequence[Request]) -> Sequence[Reply]:
            return [replace(reply, **part) for reply in super().answer(requests)]

    with pytest.raises(PluginError, match=f"returned a reply whose {next(iter(part))} is"):
        ask(store, Broken(), 1)


@pytest.mark.parametrize("count", [None, 2.5, True, "3", -1])
def test_tokens_are_whole_numbers(store: Store, count: Any) -> None:
    class Broken(Clerk):
        def answer(self, requests: Sequence[Request]) -> Sequence[Reply]:
            return [replace(one, tokens=Tokens(count, 1)) for one in super().answer(requests)]

    with pytest.raises(PluginError, match=r"counts .* tokens; it must count whole numbers from 0"):
        ask(store, Broken(), 1)


def test_a_teacher_with_raw_replies(store: Store) -> None:
    found, usage = ask(store, Clerk(), 7)
    assert winners(found) == ["item-0"] * 7
    assert [j.slate.persona.id for j in found if j] == [p.id for p in PEOPLE[:7]]
    assert {j.reply.model for j in found if j} == {"clerk-1"}
    assert usage == Usage(calls=3, asked=7, tokens=Tokens(70, 14), dollars=1.75)


def test_no_questions_is_no_work(store: Store) -> None:
    assert ask(store, Clerk(), 0) == ([], Usage())


# --- limits -----------------------------------------------------------------------------------


def test_a_call_carries_at_most_what_the_teacher_takes(store: Store) -> None:
    teacher = Clerk()
    ask(store, teacher, 8)
    assert sorted(len(call) for call in teacher.calls) == [2, 3, 3]


@pytest.mark.parametrize(("workers", "most"), [(None, 2), (1, 1), (4, 4)])
def test_no_more_calls_at_once_than_allowed(store: Store, workers: int | None, most: int) -> None:
    teacher = Clerk(seconds=0.05)
    ask(store, teacher, 18, workers=workers)
    assert teacher.peak == most


class Counting(Silent):
    """Adds up what is reported."""

    total = found = 0

    def advance(self, count: int = 1) -> None:
        self.total += count

    def find(self, count: int) -> None:
        self.found += count
        super().find(count)


def test_progress_counts_what_is_asked_and_what_is_there(store: Store) -> None:
    ask(store, Clerk(), 4)
    progress = Counting()
    with opened(Clerk(), 1) as teacher:
        Desk(store, progress=progress).judgments(teacher, 9, question)
    assert (progress.total, progress.found) == (9, 4), "what is there tells nothing of the pace"


WAITS = "another process asks 5"


def test_who_waits_for_another_process_says_so(store: Store, path: Path) -> None:
    other = Store(path)
    said: list[str] = []

    class Listening(Counting):
        def show(self, status: str) -> None:
            if status.endswith(WAITS) and not any(one.endswith(WAITS) for one in said):
                other.release(leased)
            said.append(status)

    progress = Listening()
    with opened(Clerk(), 1) as teacher:
        leased = other.claim({teacher.request(question(n)).digest: 0.0 for n in range(5)})
        Desk(store, progress=progress).judgments(teacher, 9, question)
    assert any(status.endswith(WAITS) for status in said)
    assert "another process" not in said[-1]
    assert (progress.total, progress.found) == (9, 0)


# --- busy providers ---------------------------------------------------------------------------


@dataclass(kw_only=True)
class Busy(Clerk):
    """Turns the first calls away."""

    times: int = 2
    after: float | None = None

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        if len(self.calls) <= self.times:
            raise kit.Busy("429, slow down", self.after)
        return super().serve(requests)


def test_a_busy_provider_is_called_again_after_growing_pauses(
    store: Store, pauses: list[float]
) -> None:
    teacher = Busy(times=7)
    found, usage = ask(store, teacher, 1)
    assert winners(found) == ["item-0"]
    assert (len(teacher.calls), usage.calls, usage.asked) == (8, 1, 1)
    assert (len(pauses), usage.retries) == (7, 7)
    assert all(0 <= pause <= 2**number for number, pause in enumerate(pauses))


def test_a_provider_that_says_how_long_is_obeyed(store: Store, pauses: list[float]) -> None:
    """And a little longer, so that all who were told the same do not come back together."""
    ask(store, Busy(after=17.0), 1)
    first, second = pauses
    assert 17.0 <= first <= 18.0
    assert 17.0 <= second <= 19.0


def test_a_provider_that_stays_busy_is_given_up_after_so_many_calls(
    store: Store, pauses: list[float]
) -> None:
    teacher = Busy(times=99)
    with pytest.raises(ProviderFailure, match=r"^Busy stayed busy through 3 calls \(429, slow"):
        ask(store, teacher, 1, retries=2)
    assert len(teacher.calls) == 3


def test_a_provider_that_stays_busy_is_given_up_within_the_patience(store: Store) -> None:
    teacher = Busy(times=99)
    with pytest.raises(ProviderFailure) as caught:
        ask(store, teacher, 1, patience=0.5, retries=99)
    assert len(teacher.calls) < 20
    assert caught.value.exit_code == 6


def test_a_wait_that_is_longer_than_the_patience_is_not_begun(store: Store) -> None:
    start = time.monotonic()
    with pytest.raises(ProviderFailure, match="through 1 calls"):
        ask(store, Busy(after=3600.0), 1, patience=300.0)
    assert time.monotonic() - start < 100


# --- teachers that break ----------------------------------------------------------------------


@dataclass(kw_only=True)
class Miscounting(Clerk):
    """Answers with another number of replies."""

    more: int = 1

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        return (list(super().serve(requests)) * 2)[: len(requests) + self.more]


@pytest.mark.parametrize("more", [-3, -1, 1, 2])
def test_another_number_of_replies_is_the_teachers_fault(store: Store, more: int) -> None:
    with pytest.raises(
        PluginError, match=rf"returned {3 + more} replies from answer; it must return a list of 3"
    ):
        ask(store, Miscounting(more=more), 3)
    assert ask(store, Clerk(), 3)[1].asked == 3, "none of them was kept"


@dataclass(kw_only=True)
class Mumbling(Clerk):
    """Its reply is unreadable while the first place holds one of these items."""

    while_first: tuple[str, ...] = ("item-0",)
    reply: str = "Sorry, I cannot rank people's"

    def text(self, slate: Slate) -> str:
        return self.reply if slate.items[0].id in self.while_first else super().text(slate)


@pytest.mark.parametrize("reply", ["Sorry, I cannot", '["A", "A", "B", "C", "D"]', '["A"]', "{}"])
def test_an_unreadable_reply_is_kept_and_the_slate_shown_in_another_order(
    store: Store, reply: str
) -> None:
    teacher = Mumbling(reply=reply)
    found, usage = ask(store, teacher, 3)
    assert winners(found) == ["item-0"] * 3
    assert [j.slate for j in found if j] == [question(n, attempt=1) for n in range(3)]
    assert (usage.asked, sum(usage.repaired.values()), usage.failed) == (6, 3, 0)
    # The bad replies are paid for; they are not asked again.
    again = Mumbling(reply=reply)
    repeated, more = ask(store, again, 3)
    assert repeated == found
    assert (again.calls, more.cached, more.repaired) == ([], 6, usage.repaired)


def test_what_no_order_brings_an_answer_for_is_none(store: Store) -> None:
    def show(number: int, attempt: int) -> Slate:
        return question(number, attempt if number == 1 else 1)

    teacher = Mumbling(while_first=("item-0", "item-2", "item-3"))
    found, usage = ask(store, teacher, 2, show, attempts=2)
    assert winners(found) == ["item-0", "item-0"]
    broken = Mumbling(while_first=tuple(item.id for item in ITEMS))
    found, usage = ask(store, broken, 2, show, seed=2, attempts=4)
    assert found == [None, None]
    assert (usage.failed, sum(usage.repaired.values())) == (2, 6)
    assert len(broken.asked) == 1 + 4, "number 0 is shown in one order only, so asked once"


@dataclass(kw_only=True)
class Overreaching(Clerk):
    """Ranks a position that is not there."""

    def read(self, request: Request, reply: Reply) -> Ranking:
        return Ranking.from_order([0, 1, 7])


def test_a_ranking_that_does_not_fit_the_slate_is_unreadable(store: Store) -> None:
    found, usage = ask(store, Overreaching(), 2, attempts=2)
    assert found == [None, None]
    assert usage.failed == 2


@dataclass(kw_only=True)
class Hungry(Clerk):
    def read(self, request: Request, reply: Reply) -> Ranking:
        raise MemoryError


def test_a_full_memory_is_no_missing_ranking(store: Store) -> None:
    """Asking again would pay for the same, and say nothing of it."""
    teacher = Hungry()
    with pytest.raises(MemoryFull, match=r"Hungry.* ran out of memory in read"):
        ask(store, teacher, 2, attempts=3)
    assert set(store.get(teacher.asked)) == set(teacher.asked), "the answers are kept"


def test_truth_is_no_position() -> None:
    """It would be written as `true`, which no file of judgments may hold."""
    with pytest.raises(BadInput, match="does not fit a slate of 2 items"):
        pvd.Ranking(((False,), (True,))).check(2)


@dataclass(kw_only=True)
class Exploding(Clerk):
    """All calls start together; the one with the first question fails while the others work."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(batch=2, workers=3)
    error: str = "boom"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.barrier = threading.Barrier(3, timeout=20)

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        self.barrier.wait()
        if requests[0].slate.persona.id == PEOPLE[0].id:
            raise ZeroDivisionError(self.error)
        time.sleep(0.2)
        return super().serve(requests)


def test_an_unexpected_error_loses_no_answer_that_is_under_way(store: Store, path: Path) -> None:
    teacher = Exploding()
    with pytest.raises(ZeroDivisionError, match="boom"):
        ask(store, teacher, 10)
    assert len(teacher.calls) == 3, "nothing new is begun"
    good = [teacher.request(question(number)).digest for number in range(2, 6)]
    assert set(store.get(good)) == set(good)
    calm = Clerk()
    found, usage = ask(store, calm, 10)
    assert winners(found) == ["item-0"] * 10
    assert (usage.cached, usage.asked) == (4, 6)


@pytest.mark.parametrize("teacher", [Miscounting(), Busy(times=99)])
def test_a_call_that_failed_leaves_no_lease(store: Store, path: Path, teacher: Clerk) -> None:
    """Else the next run in the same process (a notebook) waits a quarter of an hour."""
    with pytest.raises(PvdError):
        ask(store, teacher, 3, patience=0.0)
    assert free(path, teacher.asked) == set(teacher.asked)


@dataclass(kw_only=True)
class Interrupting(Clerk):
    """Somebody presses Control-C while the first call is under way."""

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        time.sleep(0.1)
        if len(self.calls) == 1:
            _thread.interrupt_main()
        time.sleep(0.1)
        return super().serve(requests)


def test_an_interrupt_keeps_what_is_under_way(store: Store) -> None:
    teacher = Interrupting()
    with pytest.raises(Interrupted, match="all answers are kept") as caught:
        ask(store, teacher, 30, workers=1)
    assert caught.value.exit_code == 130
    assert len(teacher.calls) == 1
    assert set(store.get(teacher.asked)) == set(teacher.asked)
    assert ask(store, Clerk(), 30)[1].cached == len(teacher.asked)


def test_an_interrupt_at_the_moment_of_sending_keeps_the_answer(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = Clerk(seconds=0.2)

    class Pool(ThreadPoolExecutor):
        def submit(self, *work: Any) -> Any:  # type: ignore[override]
            super().submit(*work)
            while not teacher.calls:
                time.sleep(0.01)
            raise KeyboardInterrupt

    monkeypatch.setattr("pvd.asking.sending.ThreadPoolExecutor", Pool)
    with pytest.raises(Interrupted):
        ask(store, teacher, 30)
    assert len(teacher.calls) == 1
    assert set(store.get(teacher.asked)) == set(teacher.asked)


# --- nothing is asked twice -------------------------------------------------------------------


def test_two_desks_on_one_store(store: Store, path: Path) -> None:
    first, second = Clerk(), Clerk()
    with Store(path) as other:
        found, _ = ask(store, first, 5)
        more, usage = ask(other, second, 8)
    assert more[:5] == found
    assert set(first.asked).isdisjoint(second.asked)
    assert (len(first.asked), len(second.asked)) == (5, 3)
    assert (usage.cached, usage.asked) == (5, 3)


def test_equal_questions_in_one_call_are_asked_once(store: Store) -> None:
    teacher = Clerk()
    found, usage = ask(store, teacher, 9, lambda number, attempt: question(number % 2, attempt))
    assert winners(found) == ["item-0"] * 9
    assert [j.slate.persona.id for j in found if j] == [PEOPLE[n % 2].id for n in range(9)]
    assert len(teacher.asked) == usage.asked == 2


def test_a_repeat_is_another_question(store: Store) -> None:
    def show(number: int, attempt: int) -> Slate:
        return Slate(PEOPLE[0], tuple(ITEMS), repeat=number)

    teacher = Clerk()
    ask(store, teacher, 4, show)
    assert len(set(teacher.asked)) == 4


SHARED = """
import json, os, sys, time
from dataclasses import dataclass
from pathlib import Path
import pvd
from pvd import testing
from pvd.asking import Desk, opened
from pvd.settings import AskSettings
from pvd.store import Spent, Store

path, log, order = Path(sys.argv[1]), sys.argv[2], [int(n) for n in sys.argv[3].split(",")]


@dataclass(kw_only=True)
class Slow(pvd.Teacher):
    capabilities = pvd.Capabilities(batch=2, workers=2)

    def answer(self, requests):
        with open(log, "a") as file:  # appending a short line is atomic
            for request in requests:
                file.write(f"{os.getpid()} {request.digest}\\n")
        time.sleep(0.1)
        return super().answer(requests)

    def rank(self, slates):
        return [pvd.Ranking.from_order(range(len(s.items))) for s in slates]


people = testing.personas(len(order))
items = tuple(testing.items(5))
print("ready", flush=True)
sys.stdin.readline()
with Store(path) as store, opened(Slow(), 1) as teacher:
    desk = Desk(store)
    show = lambda number, attempt: pvd.Slate(people[order[number]], items)
    found = desk.judgments(teacher, len(order), show)
print(json.dumps({
    "answered": sum(j is not None for j in found),
    "asked": desk.usage.asked,
    "cached": desk.usage.cached,
}))
"""


Start = Callable[[Sequence[int]], "subprocess.Popen[str]"]


@pytest.fixture
def start(path: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a process that asks these numbers; whatever happens, it ends with the test."""
    with Store(path):
        pass
    with ExitStack() as stack:

        def begin(order: Sequence[int]) -> subprocess.Popen[str]:
            words = [str(path), str(tmp_path / "log"), ",".join(map(str, order))]
            process = subprocess.Popen(
                [sys.executable, "-c", SHARED, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            return process

        yield begin


def go(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def result(process: subprocess.Popen[str]) -> dict[str, int]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return dict(json.loads(out))


def test_two_processes_ask_each_question_once_in_all(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [start(range(24)), start(range(23, -1, -1))]
    go(*both)
    one, two = (result(process) for process in both)
    counts = Counter(line.split()[1] for line in log.read_text().splitlines())
    assert len(counts) == 24
    assert set(counts.values()) == {1}
    assert one["answered"] == two["answered"] == 24
    assert one["asked"] + two["asked"] == 24
    assert min(one["asked"], two["asked"]) > 0, "they shared the work"
    assert one["asked"] + one["cached"] == two["asked"] + two["cached"] == 24


def test_a_process_takes_over_from_one_that_was_killed(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "log"
    doomed, heir = start(range(40)), start(range(40))
    go(doomed)
    deadline = time.monotonic() + 20
    while not log.exists() or len(log.read_text().splitlines()) < 8:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(doomed.pid, signal.SIGKILL)
    doomed.communicate()
    go(heir)
    assert result(heir)["answered"] == 40
    counts = Counter(line.split()[1] for line in log.read_text().splitlines())
    assert len(counts) == 40
    assert max(counts.values()) <= 2
    assert sum(count == 2 for count in counts.values()) <= 4, "only what was under way"


# --- teachers made of teachers ----------------------------------------------------------------


@dataclass(kw_only=True)
class Ensemble(pvd.CompositeTeacher):
    """Asks all members; the mean rank counts."""

    members: tuple[pvd.Teacher, ...]

    def questions(self, slate: Slate) -> Sequence[pvd.Question]:
        return [pvd.Question(member, slate) for member in self.members]

    def combine(self, slate: Slate, rankings: Sequence[Ranking]) -> Ranking:
        size = len(slate.items)
        ranks = [ranking.ranks(size) for ranking in rankings]
        return Ranking.from_utilities([-sum(r[p] or 0 for r in ranks) for p in range(size)])


def consistent(of: pvd.Teacher, orders: int = 3) -> pvd.CompositeTeacher:
    made: pvd.CompositeTeacher = pvd.load("teacher", "consistent", of=of, orders=orders)
    return made


def test_a_composite_asks_and_stores_each_of_its_questions(store: Store) -> None:
    clerk = Clerk()
    found, usage = ask(store, consistent(clerk), 4)
    assert winners(found) == ["item-0"] * 4
    assert len(set(clerk.asked)) == len(clerk.asked) == usage.asked == 12
    judgment = found[0]
    assert judgment is not None
    assert judgment.teacher == "consistent"
    assert judgment.reply == Reply("", "clerk-1", Tokens(30, 6), 0.75)
    again = Clerk()
    repeated, more = ask(store, consistent(again), 4)
    assert repeated == found
    assert (again.calls, more.cached) == ([], 12)
    # One order more asks for that one alone.
    longer = Clerk()
    ask(store, consistent(longer, orders=4), 4)
    assert len(longer.asked) == 4


def test_members_with_equal_options_have_seeds_of_their_own(store: Store) -> None:
    one, two = Clerk(), Clerk()
    ensemble = Ensemble(members=(one, two))
    found, _ = ask(store, ensemble, 5, seed=7)
    assert winners(found) == ["item-0"] * 5
    assert len({one.seed, two.seed, ensemble.seed}) == 3
    assert set(one.asked).isdisjoint(two.asked)
    assert (len(one.asked), len(two.asked)) == (5, 5)
    seeds = (one.seed, two.seed)
    with opened(ensemble, 7):
        assert (one.seed, two.seed) == seeds, "the same run has the same seeds"
    with opened(ensemble, 8):
        assert {one.seed, two.seed}.isdisjoint(seeds)


def test_composites_go_as_deep_as_one_likes(store: Store) -> None:
    inner, beside, second = Clerk(), Clerk(), Clerk()
    nested = Ensemble(
        members=(consistent(inner, 2), consistent(Ensemble(members=(beside, second))))
    )
    found, usage = ask(store, nested, 3)
    assert winners(found) == ["item-0"] * 3
    assert [len(clerk.asked) for clerk in (inner, beside, second)] == [6, 9, 9]
    assert usage.asked == 24
    assert ask(store, nested, 3)[1].asked == 0


def test_a_composite_is_shown_again_where_one_part_is_unreadable(store: Store) -> None:
    """First the part is repeated, in its order; then the whole slate is shown in another one."""
    good, bad = Clerk(), Mumbling()
    found, usage = ask(store, Ensemble(members=(good, bad)), 2)
    assert winners(found) == ["item-0"] * 2
    assert [j.slate for j in found if j] == [question(n, attempt=1) for n in range(2)]
    assert (sum(usage.repaired.values()), usage.failed) == (6, 0)
    assert (len(good.asked), len(bad.asked)) == (4, 8)


@dataclass(kw_only=True)
class Doorkeeper(Clerk):
    """Notes when it is opened and closed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.events: list[str] = []

    def __enter__(self) -> Self:
        self.events.append(f"open {self.seed}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.events.append("close")


def test_every_teacher_inside_is_opened_with_its_seed_and_closed() -> None:
    one, two = Doorkeeper(), Doorkeeper()
    with suppress(KeyError), opened(Ensemble(members=(one, consistent(two))), 3):
        assert one.events == [f"open {one.seed}"]
        raise KeyError("whatever goes wrong meanwhile")
    assert one.events == [f"open {one.seed}", "close"]
    assert two.events == [f"open {two.seed}", "close"]
    assert one.seed != two.seed


# --- money ------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Paid(Clerk):
    """May cost a dollar a slate; it turns out to be a quarter."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(paid=True)

    def estimate(self, slate: Slate) -> Forecast:
        return Forecast(Tokens(10), Tokens(25), Tokens(100))

    def dollars(self, tokens: Tokens, batch: bool = False) -> float:
        return tokens.input / 100


def limited(store: Store, max_cost: float | None = None, max_calls: int | None = None) -> Budget:
    return Budget(store, "run-1", max_cost, max_calls)


def test_the_budget_is_reserved_before_asking_and_corrected_after(store: Store) -> None:
    teacher = Paid()
    with pytest.raises(BudgetReached, match=r"may cost \$1\.0000, but only \$0\.7500") as caught:
        ask(store, teacher, 12, budget=limited(store, 2.0))
    assert caught.value.exit_code == 8
    assert len(teacher.asked) == 5, "2.00 - 4 x 0.25 is the last that leaves a dollar"
    assert set(store.get(teacher.asked)) == set(teacher.asked)
    assert limited(store).spent == Spent(5, 1.25)


@pytest.mark.parametrize("wrong", ["raises", "too few", "one bad"])
def test_a_broken_plug_in_cannot_pass_the_limit(store: Store, wrong: str) -> None:
    """The provider may have charged for what the plug-in made nothing of."""

    @dataclass(kw_only=True)
    class Broken(Paid):
        capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(paid=True, batch=2)

        def answer(self, requests: Sequence[Request]) -> Sequence[Reply]:
            found = list(super().answer(requests))
            if wrong == "raises":
                raise KeyError("choices")
            return found[1:] if wrong == "too few" else [replace(found[0], model=None), found[1]]  # type: ignore[arg-type]

    guard(Broken)
    sent: list[str] = []
    for _ in range(3):
        teacher = Broken()
        with pytest.raises((PluginError, BudgetReached)):
            ask(store, teacher, 2, budget=limited(store, 2.0))
        sent += teacher.asked
    good = wrong == "one bad"
    assert len(sent) == 2, "then no money is left"
    assert limited(store).spent == Spent(2, 1.25 if good else 2.0)
    assert list(store.get(sent)) == (sent[1:] if good else []), "what is sound is kept"


def test_a_broken_plug_in_that_costs_nothing_spends_nothing(store: Store) -> None:
    with pytest.raises(PluginError):
        ask(store, Miscounting(), 3, budget=limited(store, 2.0))
    assert limited(store).spent == Spent(0, 0.0)


def test_a_higher_limit_goes_on(store: Store) -> None:
    first, second = Paid(), Paid()
    with pytest.raises(BudgetReached):
        ask(store, first, 12, budget=limited(store, 2.0))
    found, usage = ask(store, second, 12, budget=limited(store, 4.0))
    assert winners(found) == ["item-0"] * 12
    assert (usage.cached, usage.asked, usage.dollars) == (5, 7, 1.75)
    assert set(first.asked).isdisjoint(second.asked)
    assert limited(store).spent == Spent(12, 3.0)


@pytest.mark.parametrize(("max_cost", "spent"), [(0.99, 0.0), (2.0, 1.25), (0.0, 0.0), (1.0, 5.0)])
def test_nothing_is_sent_that_could_cost_too_much(
    store: Store, path: Path, max_cost: float, spent: float
) -> None:
    teacher = Paid()
    store.adopt("run-1", Spent(0, spent))
    with pytest.raises(BudgetReached):
        ask(store, teacher, 3, budget=limited(store, max_cost))
    assert teacher.calls == []
    with opened(teacher, 1):
        digests = [teacher.request(question(number)).digest for number in range(3)]
    assert free(path, digests) == set(digests)


def test_so_many_calls_and_no_more_in_the_whole_run(store: Store) -> None:
    teacher = Clerk()
    with pytest.raises(BudgetReached, match=r"^4 of 4 calls are made; .* higher --max-calls"):
        ask(store, teacher, 9, budget=limited(store, max_calls=4))
    assert [len(call) for call in teacher.calls] == [3, 1]
    _, usage = ask(store, teacher, 9, budget=limited(store, max_calls=9))
    assert (usage.cached, usage.asked) == (4, 5)


def test_stored_answers_cost_nothing_and_are_not_waited_for(
    store: Store, pauses: list[float]
) -> None:
    ask(store, Paid(), 3)
    found, usage = ask(store, Paid(), 3, budget=limited(store, 0.0, 0))
    assert pauses == []
    assert winners(found) == ["item-0"] * 3
    assert (usage.dollars, usage.cached) == (0.0, 3)


def test_a_teacher_that_is_free_knows_no_limit(store: Store) -> None:
    assert winners(ask(store, Clerk(), 3, budget=limited(store, 0.0))[0]) == ["item-0"] * 3


def test_calls_at_once_never_reserve_more_than_is_left(store: Store) -> None:
    teacher = Paid(seconds=0.1)
    with pytest.raises(BudgetReached):
        ask(store, teacher, 12, budget=limited(store, 2.5), workers=8)
    assert teacher.peak <= 2


def test_a_reservation_that_is_out_is_waited_for(store: Store) -> None:
    """$2 are enough for 4 answers at $0.25, however many are asked at the same time."""
    found, usage = ask(store, Paid(seconds=0.05), 4, budget=limited(store, 2.0), workers=4)
    assert winners(found) == ["item-0"] * 4
    assert usage.dollars == 1.0


def test_money_counts_inside_a_composite(store: Store) -> None:
    teacher = Paid()
    with pytest.raises(BudgetReached):
        ask(store, consistent(teacher), 4, budget=limited(store, 2.0))
    assert len(teacher.asked) == 5


@dataclass(kw_only=True)
class Losing(Paid):
    """Works, is paid, and its answer never arrives, so many times."""

    times: int = 1

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        if len(self.calls) <= self.times:
            raise kit.Lost("the connection broke")
        return super().serve(requests)


def test_a_lost_answer_may_have_been_charged(store: Store, pauses: list[float]) -> None:
    found, usage = ask(store, Losing(), 1, budget=limited(store, 2.0))
    assert winners(found) == ["item-0"]
    assert (usage.lost, usage.dollars) == (1, 0.25)
    assert limited(store).spent == Spent(2, 1.25), "a dollar for what was lost"


def test_a_lost_answer_is_not_asked_again_without_the_money(
    store: Store, path: Path, pauses: list[float]
) -> None:
    teacher = Losing()
    with pytest.raises(BudgetReached):
        ask(store, teacher, 1, budget=limited(store, 1.5))
    assert len(teacher.calls) == 1
    assert limited(store).spent == Spent(1, 1.0)
    assert free(path, teacher.asked) == set(teacher.asked)


@dataclass(kw_only=True)
class Dear(Paid):
    """Each answer costs three times what was thought at most."""

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        return [replace(reply, dollars=3.0) for reply in super().serve(requests)]


def test_who_is_dearer_than_thought_is_reserved_for_as_such(store: Store) -> None:
    """The first answer may pass the limit, since nobody could know; no second one does."""
    teacher = Dear()
    with pytest.raises(BudgetReached, match=r"may cost \$3\.0000, but only \$1\.0000"):
        ask(store, teacher, 5, budget=limited(store, 7.0), workers=1)
    assert len(teacher.calls) == 2


@dataclass(kw_only=True)
class Unpriced(Paid):
    """Nobody knows what it costs."""

    def dollars(self, tokens: Tokens, batch: bool = False) -> float | None:  # type: ignore[override]
        return None

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        return [replace(reply, dollars=None) for reply in super().serve(requests)]


def test_an_unknown_price_is_never_zero(store: Store) -> None:
    found, usage = ask(store, Unpriced(), 3)
    assert (usage.unpriced, usage.dollars) == (3, 0.0)
    assert [j.reply.dollars for j in found if j] == [None] * 3
    again, _ = ask(store, Unpriced(), 3)
    assert [j.reply.dollars for j in again if j] == [None] * 3, "the store remembers that"
    members = ask(store, consistent(Unpriced()), 1)[0]
    assert [j.reply.dollars for j in members if j] == [None]


@dataclass(kw_only=True)
class Refused(Clerk):
    """The provider does not want us."""

    error: type[PvdError] = ProviderFailure

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        raise self.error("The key is wrong.")


@pytest.mark.parametrize("error", [ProviderFailure, BadInput])
def test_a_teachers_own_failure_passes_unchanged(store: Store, error: type[PvdError]) -> None:
    teacher = Refused(error=error)
    with pytest.raises(error, match=r"^The key is wrong\.$"):
        ask(store, teacher, 3)
    assert len(teacher.calls) == 1


def test_nothing_is_sent_after_the_deadline_and_the_command_goes_on(store: Store) -> None:
    @dataclass(kw_only=True)
    class Slow(Clerk):
        def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
            time.sleep(0.4)
            return super().serve(requests)

    teacher = Slow()
    with pytest.raises(ProviderFailure, match=r"longer than ask\.deadline allows \(0\.3 s\)"):
        ask(store, teacher, 30, workers=1, deadline=0.3)
    assert len(teacher.calls) == 1
    assert set(store.get(teacher.asked)) == set(teacher.asked), "what was under way is kept"
    _, usage = ask(store, Clerk(), 30)
    assert usage.cached == len(teacher.asked)


# --- one model in one run -----------------------------------------------------------------------


@dataclass(kw_only=True)
class Versioned(Clerk):
    """Answers as the model that it is told to be."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(batch=1)
    versions: ClassVar[list[str]] = []

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        model = self.versions.pop(0) if self.versions else "one"
        return [replace(reply, model=model) for reply in super().serve(requests)]


def test_another_model_stops_the_run_and_loses_no_answer(store: Store) -> None:
    teacher = Versioned()
    Versioned.versions[:] = ["one", "one", "two"]
    with pytest.raises(ProviderFailure, match="answered as 'one' before and as 'two' now"):
        ask(store, teacher, 5, workers=1)
    assert len(store.get(teacher.asked)) == len(teacher.asked) == 3
    Versioned.versions[:] = ["two", "two"]
    found, _ = ask(store, Versioned(), 5, accept_model_change=True)
    assert {j.reply.model for j in found if j} == {"one", "two"}


def test_a_model_of_an_earlier_command_counts(store: Store) -> None:
    """What the rounds were made of is remembered, not only what this command was told."""
    with opened(Versioned(), 1) as teacher:
        (made,) = Desk(store).judgments(teacher, 1, question)
        assert made is not None
        later = Desk(store)
        later.remember(teacher, [replace(made, reply=replace(made.reply, model="older"))])
        with pytest.raises(ProviderFailure, match="as 'older' before and as 'one' now"):
            later.judgments(teacher, 1, question)


def test_everybody_gets_ready_before_anybody_is_asked(store: Store) -> None:
    """Or the judge would be paid before the teacher's missing key is found."""

    @dataclass(kw_only=True)
    class Keyless(Clerk):
        def connect(self) -> Sequence[str]:
            raise MissingPrerequisite("No key.")

    with opened(Clerk(), 1) as clerk, opened(Keyless(), 2) as keyless:
        desk = Desk(store)
        with pytest.raises(MissingPrerequisite):
            desk.prepare(keyless)  # the store knows nothing of it: now
        desk = Desk(store)
        desk.post.expect(keyless)  # as if the store knew some old answer of it
        with pytest.raises(MissingPrerequisite):
            desk.judgments(clerk, 1, question)
        assert clerk.asked == []


def test_what_was_spent_is_written_down_as_it_grows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a command that is killed has not spent in secret."""
    monkeypatch.setattr("pvd.asking.clerk.ACCOUNT", 0.0)
    written = []
    with opened(Clerk(), 1) as teacher:
        desk = Desk(store)
        desk.post.account = lambda: written.append(desk.usage.dollars)
        desk.judgments(teacher, 6, question)
    assert written == sorted(written)
    assert written[-1] == desk.usage.dollars > 0


def test_one_answer_that_breaks_its_reader_loses_no_other(store: Store) -> None:
    @dataclass(kw_only=True)
    class Breaking(Exploding):
        def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
            self.barrier.wait()
            time.sleep(0.3 if requests[0].slate.persona.id == PEOPLE[2].id else 0.1)
            return Clerk.serve(self, requests)

        def read(self, request: Request, reply: Reply) -> Ranking:
            if request.slate.persona.id in (PEOPLE[0].id, PEOPLE[4].id):
                raise ZeroDivisionError("a bug")
            return super().read(request, reply)

    teacher = Breaking()
    with pytest.raises(PluginError, match="failed in read: ZeroDivisionError: a bug") as caught:
        ask(store, teacher, 6)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert len(store.get(teacher.asked)) == 6


def test_a_store_that_is_held_while_stopping_is_waited_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = Interrupting()
    put, release, tries = Store.put, Store.release, itertools.count()

    def held(self: Store, *words: Any) -> Any:
        if next(tries) < 2:
            raise Unwritable("The store is held.")
        return put(self, *words)

    def held_too(self: Store, *words: Any) -> Any:
        if next(tries) < 5:
            raise Unwritable("The store is held.")
        return release(self, *words)

    monkeypatch.setattr("pvd.asking.clerk.RETRY", 0.01)
    monkeypatch.setattr(Store, "put", held)
    monkeypatch.setattr(Store, "release", held_too)
    with pytest.raises(Interrupted):
        ask(store, teacher, 30, workers=1)
    assert set(store.get(teacher.asked)) == set(teacher.asked)


class Said(Silent):
    """Remembers its lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


FULL = "The store is full."


def test_what_the_store_has_no_room_for_is_counted_with_its_price(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program took what was held for it, too."""
    teacher = Clerk(seconds=0.05)
    put, tries = Store.put, itertools.count()

    def full(self: Store, *words: Any) -> Any:
        if next(tries):
            raise Unwritable(FULL)
        return put(self, *words)

    monkeypatch.setattr(Store, "put", full)
    progress = Said()
    desk = Desk(store, AskSettings(workers=2, patience=0), progress)
    with opened(teacher, 1), pytest.raises(Unwritable, match=FULL):
        desk.judgments(teacher, 30, question)
    lost = len(teacher.asked) - len(store.get(teacher.asked))
    assert lost > 0
    assert progress.lines == [
        f"{FULL} Waiting for 0 s.",
        f"Answers that the store has no room for: {lost}, which cost ${lost / 4:.2f}. They are "
        "lost, and asked again by the same command.",
    ]


def test_without_room_nothing_is_asked_and_what_is_under_way_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, way = Store.hold_room, Store.make_way
    asked: list[int] = []
    room = [True]

    class Filling(Clerk):
        """The disk is full once it is asked, but for what is held."""

        def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
            asked.append(len(requests))
            room[0] = False
            return super().serve(requests)

    def held(self: Store, answers: int) -> None:
        if not room[0]:
            raise Unwritable(FULL)
        hold(self, answers)

    put, gave = Store.put, [False]

    def full(self: Store, *words: Any) -> Any:
        if not (room[0] or gave[0]):
            raise Unwritable(FULL)
        return put(self, *words)

    def given(self: Store) -> bool:
        gave[0] = way(self)
        return gave[0]

    for name, one in (("hold_room", held), ("make_way", given), ("put", full)):
        monkeypatch.setattr(Store, name, one)
    teacher, progress = Filling(seconds=0.1), Said()
    desk = Desk(store, AskSettings(workers=2, patience=0), progress)
    with opened(teacher, 1), pytest.raises(Unwritable, match=FULL):
        desk.judgments(teacher, 30, question)
    assert sum(asked) == len(teacher.asked) == len(store.get(teacher.asked)) == 6
    assert progress.lines == [f"{FULL} Waiting for 0 s."]
    # As soon as there is room, the rest is asked.
    room[0] = True
    found, _ = ask(store, Clerk(), 30)
    assert None not in found


# --- what a provider remembers ----------------------------------------------------------------


@dataclass(kw_only=True)
class Remembering(Clerk):
    """Knows pictures again that it was shown before, once it has answered."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(workers=4, caches=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.known: set[tuple[str, ...]] = set()
        self.order: list[tuple[tuple[str, ...], bool, bool]] = []  # shown, known, shared

    def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
        (request,) = requests
        shown = tuple(item.id for item in request.slate.items)
        with self.lock:
            self.order.append((shown, shown in self.known, request.shared))
        time.sleep(0.01)
        with self.lock:
            self.known.add(shown)
        return super().serve(requests)


def same_pictures(number: int, attempt: int) -> Slate:
    """Twelve personas, each shown three sets of pictures; and one that nobody else is shown."""
    if number == 36:
        return Slate(PEOPLE[39], tuple(ITEMS[:3]))
    turn = number % 3
    return Slate(PEOPLE[number // 3], tuple(ITEMS[turn:] + ITEMS[:turn]))


def test_questions_with_the_same_pictures_follow_each_other(store: Store) -> None:
    teacher = Remembering()
    found, _ = ask(store, teacher, 37, same_pictures)
    assert None not in found
    assert [j.slate.persona.id for j in found if j][:36:3] == [p.id for p in PEOPLE[:12]]
    new = [shown for shown, known, _ in teacher.order if not known]
    assert len(new) == len(set(new)) == 4, "each is shown anew once, and then known"
    assert {shown for shown, _, shared in teacher.order if not shared} == {
        tuple(item.id for item in ITEMS[:3])
    }
    changes = sum(one[0] != other[0] for one, other in itertools.pairwise(teacher.order))
    assert changes < 15, "they follow each other, though they were asked in turns"


def test_who_follows_a_question_that_fails_is_asked_all_the_same(store: Store) -> None:
    @dataclass(kw_only=True)
    class Rejecting(Remembering):
        def serve(self, requests: Sequence[Request]) -> Sequence[Reply]:
            replies = super().serve(requests)
            if requests[0].slate.persona.id == PEOPLE[0].id:
                raise kit.Rejected("400")
            return replies

    found, usage = ask(store, Rejecting(), 36, same_pictures)
    assert [n for n, judgment in enumerate(found) if judgment is None] == [0, 1, 2]
    assert usage.rejected == 3


def test_who_follows_a_question_of_another_process_does_not_wait_for_it(store: Store) -> None:
    teacher = Remembering()
    teacher.seed = 1
    request = teacher.request(same_pictures(0, 0))

    def answer_there() -> None:
        while len(teacher.order) < 35:
            time.sleep(0.01)
        with Store(store.path) as other:
            other.put("Remembering", [(request, Reply(teacher.text(request.slate), "clerk-1"))])

    with Store(store.path) as other:
        other.claim({request.digest: 0.0})
        there = threading.Thread(target=answer_there)
        there.start()
        found, usage = ask(store, teacher, 36, same_pictures)
        there.join()
    assert None not in found
    assert (usage.asked, usage.cached) == (35, 1)


def test_who_remembers_nothing_is_asked_in_any_order(store: Store) -> None:
    teacher = Clerk()
    ask(store, teacher, 36, same_pictures, workers=1)
    assert teacher.asked == [teacher.request(same_pictures(n, 0)).digest for n in range(36)]

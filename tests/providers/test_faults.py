"""Everything that a provider may do wrong, and what happens then: one table for all teachers.

The SDKs are the real ones; the provider is a server on this machine.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from asked import PEOPLE, TEACHERS, Counter, question
from fake import HTTP_FAULTS, TEXT_FAULTS, Fake

from pvd import Slate
from pvd.asking.clerk import HOPELESS
from pvd.asking.questions import Questions
from pvd.errors import ProviderFailure

Make = Callable[..., Counter]


@dataclass(frozen=True)
class Must:
    """What must happen after a fault in the first answer."""

    requests: int = 1  # that the provider sees
    judged: bool = True
    kept: bool = True  # the first reply is in the store
    attempt: int = 0  # the order in which the slate was judged
    usage: dict[str, Any] = field(default_factory=dict)  # what is not as after a good answer
    stops: str = ""  # the failure that ends the run


ANSWERED = Must()
AGAIN = Must(requests=2, usage={"retries": 1})  # the same request once more
LOST = Must(requests=2, usage={"retries": 1, "lost": 1})  # and the first may have been charged
REFUSED = Must(judged=False, usage={"refused": 1, "failed": 1})
REJECTED = Must(judged=False, kept=False, usage={"rejected": 1, "failed": 1, "asked": 0})


def tidied(kind: str) -> Must:
    return Must(usage={"tidied": {kind: 1}})


def turned(kind: str) -> Must:
    """The slate is shown in another order, and it is counted why."""
    usage = {"repaired": {kind: 1}, "calls": 2, "asked": 2}
    return Must(requests=2, attempt=1, usage=usage)


def stops(why: str) -> Must:
    return Must(judged=False, kept=False, stops=why)


TABLE = {
    # The provider is busy, or something between us and it is: the same request again.
    "429": AGAIN,
    "429-after": AGAIN,
    "408": AGAIN,
    "500": AGAIN,
    "503": AGAIN,
    "529": AGAIN,
    "html": AGAIN,  # 502, with a page
    "string": AGAIN,  # 503, with another shape of error than the provider's
    "page": LOST,  # 200, with a page: who has to sign in to a network sees it
    "garbage": LOST,  # 200, with half a JSON
    "hollow": LOST,  # 200 and {}: so gateways pass on an error; nothing of it is kept
    "slow": LOST,
    "dropped": LOST,
    "half": LOST,
    # Every other question would meet it too.
    "401": stops("check the key"),
    "402": stops("billing"),
    "403": stops("may not use the model"),
    "404": stops("teacher.model"),
    "quota": stops("quota .*is used up"),
    # This question is at fault; it is not sent again.
    "400": REJECTED,
    "413": REJECTED,
    "echo": REJECTED,
    # The model is at fault: the slate is shown in another order.
    "badjson": turned("no JSON"),
    "duplicate": turned("no permutation"),
    "missing": turned("no permutation"),
    "extra": turned("no permutation"),
    "null": turned("no letters"),
    "truncated": turned("cut off"),
    "empty": turned("no JSON"),
    "nothing": turned("no JSON"),  # no choices, no content, no candidates
    # It will not answer; another order would not change its mind.
    "refusal": REFUSED,
    "blocked": REFUSED,
    # What means no harm is overlooked, and counted.
    "": ANSWERED,
    "uncounted": ANSWERED,  # without the number of tokens
    "fenced": tidied("fence"),
    "prose": tidied("prose"),
    "lower": tidied("case"),
}
# Where a provider truly differs.
DIFFERENT: dict[tuple[str, str], Must] = {}


def test_the_table_holds_every_fault_that_the_provider_knows() -> None:
    assert {*HTTP_FAULTS, *TEXT_FAULTS} <= {*TABLE}


@pytest.mark.slow
@pytest.mark.parametrize("fault", TABLE)
@pytest.mark.parametrize("name", TEACHERS)
def test_each_fault_has_its_consequence(
    name: str, fault: str, counter: Make, pauses: list[float]
) -> None:
    must = DIFFERENT.get((name, fault), TABLE[fault])
    desk = counter(name, timeout=1.5 if fault == "slow" else 20.0)

    if must.stops:
        with pytest.raises(ProviderFailure, match=must.stops) as caught:
            desk.ask(faults=[fault])
        assert caught.value.exit_code == 6
        assert caught.value.__suppress_context__, "an SDK's error holds the key"
    else:
        (judgment,) = desk.ask(faults=[fault])
        assert (judgment is not None) == must.judged
        if judgment is not None:
            assert judgment.slate == question(0, must.attempt)
            assert best(judgment.slate, judgment.ranking.tiers) == "item-4", "reddest, as asked"
        usage = {"calls": 1, "asked": 1, **must.usage}
        found = {k: v for k, v in vars(desk.usage).items() if k in {*usage, *COUNTS}}
        assert found == {**COUNTS, **usage}
    assert len(desk.fake.asked) == must.requests
    assert (desk.kept() is not None) == must.kept


NONE = ("cached", "retries", "lost", "refused", "rejected", "failed")
COUNTS: dict[str, Any] = {**dict.fromkeys(NONE, 0), "repaired": {}, "tidied": {}}


def best(slate: Slate, tiers: tuple[tuple[int, ...], ...]) -> str:
    return slate.items[tiers[0][0]].id


@pytest.mark.parametrize("name", TEACHERS)
def test_what_is_kept_is_not_asked_again_and_what_is_not_is(name: str, counter: Make) -> None:
    desk = counter(name)

    assert desk.ask(2, faults=["refusal", "400"], workers=1) == [None, None]
    refused = desk.kept(0)
    assert refused is not None
    assert refused.finish == "refused"
    assert desk.kept(1) is None

    # The same once more: the refusal is known, the other question gets its answer now.
    first, second = desk.ask(2, workers=1)
    assert first is None
    assert second is not None
    assert [asked.question for asked in desk.fake.asked] == [asked_about(1)]
    assert (desk.usage.cached, desk.usage.refused, desk.usage.asked) == (1, 1, 1)


def asked_about(number: int) -> Any:
    """Equal to every question about this persona."""

    class About:
        def __eq__(self, other: object) -> bool:
            return PEOPLE[number].text in str(other)

        __hash__ = None  # type: ignore[assignment]

    return About()


@pytest.mark.parametrize("name", TEACHERS)
def test_a_reply_that_was_cut_off_is_kept_and_not_paid_for_twice(name: str, counter: Make) -> None:
    desk = counter(name)
    desk.ask(faults=["truncated"])
    reply = desk.kept()
    assert reply is not None
    assert reply.finish == "truncated"

    (judgment,) = desk.ask()

    assert judgment is not None
    assert judgment.slate == question(0, 1)
    assert (desk.fake.asked, desk.usage.cached) == ([], 2)


@pytest.mark.parametrize("name", TEACHERS)
def test_a_provider_that_says_how_long_to_wait_is_obeyed(
    name: str, counter: Make, pauses: list[float]
) -> None:
    desk = counter(name)

    desk.ask(faults=["429-after", "429-after"])

    assert len(pauses) == 2
    assert all(pause >= 1.0 for pause in pauses)
    assert len(desk.fake.asked) == 3


def test_it_is_waited_for_in_truth(counter: Make) -> None:
    desk = counter("openai")
    start = time.monotonic()

    desk.ask(faults=["429-after"])

    assert time.monotonic() - start >= 1.0


@pytest.mark.parametrize("name", TEACHERS)
def test_a_provider_that_stays_busy_is_given_up(
    name: str, counter: Make, pauses: list[float]
) -> None:
    desk = counter(name)

    with pytest.raises(ProviderFailure, match=r"stayed busy through 3 calls \(.*overloaded"):
        desk.ask(faults=["503"] * 9, retries=2)

    assert len(desk.fake.asked) == 3
    assert desk.kept() is None
    # It left no lease: the next command need not wait for one to run out.
    assert desk.ask()[0] is not None


@pytest.mark.parametrize("name", TEACHERS)
def test_a_provider_that_is_too_slow_is_given_up_within_the_patience(
    name: str, counter: Make
) -> None:
    desk = counter(name, timeout=0.2)

    with pytest.raises(ProviderFailure, match="stayed busy"):
        desk.ask(faults=["slow"] * 99, patience=0.5, retries=99)

    assert len(desk.fake.asked) < 9


@pytest.mark.parametrize("name", ["openai", "claude", "gemini"])
def test_nothing_listens_there(name: str, counter: Make, pauses: list[float]) -> None:
    """A firewall, a typing error in base_url, a network that is down."""
    desk = counter(name)
    desk.fake.shutdown()
    desk.fake.server_close()

    with pytest.raises(ProviderFailure, match=rf"stayed busy through 2 calls \({name}: .*[Cc]onn"):
        desk.ask(retries=1)


@pytest.mark.parametrize("name", TEACHERS)
def test_after_the_deadline_nothing_is_sent_and_what_came_is_kept(name: str, counter: Make) -> None:
    desk = counter(name)
    desk.ask()  # loading an SDK takes longer than the deadline of what is asked next
    desk.fake.delay = 0.25

    with pytest.raises(ProviderFailure, match=r"longer than ask\.deadline allows \(1 s\)"):
        desk.ask(30, workers=2, deadline=1.0)

    sent = len(desk.fake.asked)
    assert 0 < sent < 29
    assert desk.usage.asked == sent
    kept = [desk.kept(number) is not None for number in range(sent + 2)]
    assert kept == [True] * (1 + sent) + [False]


@pytest.mark.parametrize("name", ["openai", "claude", "gemini"])
def test_what_was_not_counted_is_not_free(name: str, counter: Make) -> None:
    desk = counter(name)

    desk.ask(faults=["uncounted"])

    high = desk.teacher.estimate(question(0)).high
    assert desk.usage.tokens == high
    assert desk.usage.dollars == desk.teacher.dollars(high) > 0


@pytest.mark.parametrize("fault", ["400", "413"])
def test_when_all_is_rejected_the_run_ends(fault: str, counter: Make) -> None:
    desk = counter("claude")

    with pytest.raises(ProviderFailure, match=rf"rejected {HOPELESS} calls one after another"):
        desk.ask(40, faults=[fault] * 99, workers=1)

    assert len(desk.fake.asked) == HOPELESS


def test_one_answer_between_them_and_it_goes_on(counter: Make) -> None:
    desk = counter("gemini")
    faults = ["400"] * (HOPELESS - 1) + [""] + ["400"] * (HOPELESS - 1)

    found = desk.ask(len(faults), faults=faults, workers=1)

    assert [judgment is not None for judgment in found] == [not fault for fault in faults]
    assert (desk.usage.rejected, desk.usage.failed) == (2 * (HOPELESS - 1),) * 2


def test_usage_counts_each_kind(counter: Make) -> None:
    desk = counter("openai")
    faults = [
        "",
        "fenced",
        "fenced",
        "lower",
        "prose",
        "refusal",
        "blocked",
        "400",
        "500",
        "",
        "missing",
    ]

    found = desk.ask(10, faults=faults, workers=1)

    usage = desk.usage
    assert usage.tidied == {"fence": 2, "case": 1, "prose": 1}
    assert (usage.refused, usage.rejected, usage.failed) == (2, 1, 3)
    assert (usage.repaired, usage.retries, usage.lost) == ({"no permutation": 1}, 1, 0)
    assert sum(judgment is None for judgment in found) == 3
    # A rejected question and the one that was shown in another order are calls too; a busy
    # provider's are not.
    assert (usage.calls, usage.asked, usage.cached) == (11, 10, 0)
    read = sum(one.input for one in desk.fake.metered)
    written = sum(one.output for one in desk.fake.metered)
    assert (usage.tokens.input, usage.tokens.output) == (read, written)
    assert usage.dollars == pytest.approx((read * 0.10 + written * 0.50) / 1e6)


@pytest.mark.parametrize("name", TEACHERS)
def test_another_model_stops_the_run_and_loses_no_answer(
    name: str, counter: Make, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All of them show the same pictures, so that else all would wait for the first.
    monkeypatch.setattr(Questions, "followers", lambda questions, digests: {})
    desk = counter(name)
    assert None not in desk.ask(2)

    fake.returned_model, fake.delay = "changed", 0.2
    with pytest.raises(ProviderFailure, match=r"as 'changed' now; give --accept-model-change"):
        desk.ask(20, workers=4)
    # The first that came told of the change; what was under way with it is paid for, and kept.
    assert desk.usage.calls == desk.usage.asked == len(fake.asked) == 4
    assert [desk.kept(number) is not None for number in range(7)] == [True] * 6 + [False]
    # Also where nothing new is asked: both are in the store by now.
    with pytest.raises(ProviderFailure, match="changed"):
        desk.ask(6)
    assert fake.asked == []
    found = desk.ask(20, accept_model_change=True)
    assert {j.reply.model for j in found if j} == {"changed", desk.teacher.model}


@pytest.mark.parametrize("name", TEACHERS)
def test_failures_can_be_sent_between_processes(
    name: str, counter: Make, pauses: list[float]
) -> None:
    """Those of the SDKs cannot, or take the key with them."""
    import pickle

    for fault in ("401", "503", "dropped"):
        desk = counter(name)
        with pytest.raises(ProviderFailure) as caught:
            desk.ask(faults=[fault] * 9, retries=1)
        copy = pickle.loads(pickle.dumps(caught.value))
        assert str(copy) == str(caught.value)
        assert re.search(r"[.;] ?$|\.$", str(copy)), "a whole sentence"

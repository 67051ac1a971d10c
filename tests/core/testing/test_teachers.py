"""Each check of a teacher, and teachers that it catches."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal

import pytest
from caught import Broken, assert_caught, own_checks, verdicts, wrong

import pvd
from pvd import kit
from pvd.testing import Skipped, TeacherContract, personas

PRICES = Path(__file__).with_name("prices.json")  # of colours


@dataclass(kw_only=True)
class Simple(pvd.Teacher):
    """Ranks by the titles, backwards."""

    def rank(self, slates: Sequence[pvd.Slate]) -> Sequence[pvd.Ranking]:
        return [self.order(slate) for slate in slates]

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        """One ranking."""
        keys = [kit.digest_of([slate.persona.text, item.title]) for item in slate.items]
        return pvd.Ranking.from_order(sorted(range(len(keys)), key=keys.__getitem__))


@dataclass(kw_only=True)
class Raw(Simple):
    """Answers in text."""

    def body(self, slate: pvd.Slate) -> dict[str, Any]:
        """All that the answer depends on."""
        titles = [item.title for item in slate.items]
        return {"persona": slate.persona.text, "items": titles, "repeat": slate.repeat}

    def request(self, slate: pvd.Slate) -> pvd.Request:
        return pvd.Request(slate, self.body(slate))

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        return [pvd.Reply(self.text(request.slate), model="raw") for request in requests]

    def text(self, slate: pvd.Slate) -> str:
        """Such as "order: 2 0 1"."""
        return "order: " + " ".join(str(tier[0]) for tier in self.order(slate).tiers)

    def read(self, request: pvd.Request, reply: pvd.Reply) -> pvd.Ranking:
        head, _, tail = reply.text.partition(": ")
        numbers = tail.split()
        if head != "order" or not all(number.isdecimal() for number in numbers):
            raise kit.Malformed(f"no order: {reply.text[:80]!r}")
        return pvd.Ranking.from_order([int(number) for number in numbers])


class Five(Raw):
    """Takes every slate for one of five."""

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        return pvd.Ranking.from_order(range(5))


class FiveRanked(Five):
    """Ranks as that one does."""

    request, answer, read = pvd.Teacher.request, pvd.Teacher.answer, pvd.Teacher.read


class Promising(Simple):
    """Promises utilities."""

    capabilities = pvd.Capabilities(yields=frozenset({"utilities"}))


class Infinite(Simple):
    """Is infinitely sure."""

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        return replace(super().order(slate), utilities=(float("inf"),) * len(slate.items))


class Mixed(Simple):
    """Answers the last question first."""

    capabilities = pvd.Capabilities(batch=8)

    def rank(self, slates: Sequence[pvd.Slate]) -> Sequence[pvd.Ranking]:
        return super().rank(slates)[::-1]


class MixedPairs(Mixed):
    """Does it with two."""

    capabilities = pvd.Capabilities(batch=2)


class ById(Simple):
    """Answers in the order of the personas' ids."""

    capabilities = pvd.Capabilities(batch=8)

    def rank(self, slates: Sequence[pvd.Slate]) -> Sequence[pvd.Ranking]:
        return super().rank(sorted(slates, key=lambda slate: slate.persona.id))


class ByIdInPairs(ById):
    """Does it with two, from the last id."""

    capabilities = pvd.Capabilities(batch=2)

    def rank(self, slates: Sequence[pvd.Slate]) -> Sequence[pvd.Ranking]:
        return super().rank(slates)[::-1]


class ByText(ById):
    """Answers what is asked for one persona together."""

    def rank(self, slates: Sequence[pvd.Slate]) -> Sequence[pvd.Ranking]:
        texts = [slate.persona.text for slate in slates]
        together = sorted(slates, key=lambda slate: texts.index(slate.persona.text))
        return Simple.rank(self, together)


class Moody(Simple):
    """Makes up preferences, each time others."""

    capabilities = pvd.Capabilities(simulated=True)

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        return pvd.Ranking.from_order(Random().sample(range(len(slate.items)), len(slate.items)))


class Numbered(Raw):
    """Numbers its requests."""

    def body(self, slate: pvd.Slate) -> dict[str, Any]:
        return {**super().body(slate), "id": uuid.uuid4().hex}


class Objects(Raw):
    """Has things in its requests that are no JSON."""

    def body(self, slate: pvd.Slate) -> dict[str, Any]:
        return {**super().body(slate), "items": {item.title for item in slate.items}}


class Sorted(Raw):
    """Sorts the items of its requests."""

    def body(self, slate: pvd.Slate) -> dict[str, Any]:
        return {**super().body(slate), "items": sorted(str(item.title) for item in slate.items)}


class Once(Raw):
    """Forgets the repeat number."""

    def body(self, slate: pvd.Slate) -> dict[str, Any]:
        return {**super().body(slate), "repeat": 0}


class Hidden(Raw):
    """Looks at pictures, and does not say so."""

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        keys = [item.digest for item in slate.items]
        return pvd.Ranking.from_order(sorted(range(len(keys)), key=keys.__getitem__))


@dataclass(kw_only=True)
class Turning(Raw):
    """Has an option that its requests do not know."""

    turned: bool = False

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        found = super().order(slate)
        return replace(found, tiers=found.tiers[::-1]) if self.turned else found


@dataclass(kw_only=True)
class Sorting(Raw):
    """Ranks by a column that its requests do not name; there must be one of that name."""

    column: str = "colour"

    def check(self, personas: Sequence[pvd.Persona], items: Sequence[pvd.Item]) -> None:
        if not all(self.column in item.attributes for item in items):
            raise kit.BadInput(f"No column {self.column!r}.")

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        keys = [item.attributes[self.column] for item in slate.items]
        return pvd.Ranking.from_order(sorted(range(len(keys)), key=keys.__getitem__))

    def body(self, slate: pvd.Slate) -> dict[str, Any]:
        return {**super().body(slate), "items": [dict(item.attributes) for item in slate.items]}


@dataclass(kw_only=True)
class Ways(Raw):
    """Has a choice that its requests know in part."""

    way: Literal["as it is", "so", "turned"] = "as it is"

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        found = super().order(slate)
        return replace(found, tiers=found.tiers[::-1]) if self.way == "turned" else found

    def body(self, slate: pvd.Slate) -> dict[str, Any]:
        return {**super().body(slate), "so": self.way == "so"}


@dataclass(kw_only=True)
class Unready(Raw):
    """Has a choice that it breaks under, and one that it cannot work with here, which it says."""

    way: Literal["as it is", "from afar", "turned"] = "as it is"

    def connect(self) -> Sequence[str]:
        if self.way == "from afar":
            raise kit.MissingFile("There are no weights; fetch them.")
        return ()

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        return {"as it is": super().order}[self.way](slate)


@dataclass(kw_only=True)
class Priced(Raw):
    """Has a file among its options, of which its requests know the name."""

    prices: Path = PRICES

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        prices = json.loads(self.prices.read_text())
        worth = [prices.get(item.attributes.get("colour"), 0) for item in slate.items]
        return pvd.Ranking.from_order(sorted(range(len(worth)), key=worth.__getitem__))

    def body(self, slate: pvd.Slate) -> dict[str, Any]:
        colours = [dict(item.attributes) for item in slate.items]
        return {**super().body(slate), "items": colours, "prices": str(self.prices)}


@dataclass(kw_only=True)
class Exact(Priced):
    """Says in its requests what is in the file."""

    def body(self, slate: pvd.Slate) -> dict[str, Any]:
        return {**super().body(slate), "prices": self.prices.read_text()}


@dataclass(kw_only=True)
class Pinned(Raw):
    """Has an option for which there is one value alone."""

    model: str = "one"

    def __post_init__(self) -> None:
        if self.model != "one":
            raise ValueError("there is one model")


class Seeded(Raw):
    """Has a seed that its requests do not know."""

    def order(self, slate: pvd.Slate) -> pvd.Ranking:
        found = super().order(slate)
        return replace(found, tiers=found.tiers[::-1]) if self.seed % 2 else found


class Counting(Raw):
    """Reads every second reply the other way round."""

    def read(self, request: pvd.Request, reply: pvd.Reply) -> pvd.Ranking:
        found = super().read(request, reply)
        self.turn = not getattr(self, "turn", True)
        return replace(found, tiers=found.tiers[::-1]) if self.turn else found


class Client(Raw):
    """Needs its client for reading."""

    def connect(self) -> Sequence[str]:
        self.prefix = "order"
        return ()

    def read(self, request: pvd.Request, reply: pvd.Reply) -> pvd.Ranking:
        if reply.text.startswith("order"):
            assert self.prefix
        return super().read(request, reply)


class Guessing(Raw):
    """Takes the order shown where it cannot read one."""

    def read(self, request: pvd.Request, reply: pvd.Reply) -> pvd.Ranking:
        try:
            return super().read(request, reply)
        except kit.Malformed:
            return pvd.Ranking.from_order(range(len(request.slate.items)))


class Trusting(Raw):
    """Takes any reply for an order."""

    def read(self, request: pvd.Request, reply: pvd.Reply) -> pvd.Ranking:
        return pvd.Ranking.from_order([int(one) for one in reply.text.split(": ")[1].split()])


class Whole(Raw):
    """Takes any order for a whole one."""

    def read(self, request: pvd.Request, reply: pvd.Reply) -> pvd.Ranking:
        found = super().read(request, reply)
        return pvd.Ranking.from_order(
            [found.tiers[place][0] for place in range(len(request.slate.items))]
        )


class Able(Simple):
    """Yields what no ranking carries."""

    capabilities = pvd.Capabilities(yields=frozenset({"prices"}))


class Undecided(Simple):
    """Says what it can in words."""

    capabilities: Any = "a lot"


class Picky(Simple):
    """Wants tastes of everybody, and does not say so."""

    def check(self, personas: Sequence[pvd.Persona], items: Sequence[pvd.Item]) -> None:
        self.first = personas[0].attributes["tastes"]


class Shaky(Simple):
    """Takes what it reads for a table."""

    capabilities = pvd.Capabilities(reads=frozenset({"tastes"}))

    def check(self, personas: Sequence[pvd.Persona], items: Sequence[pvd.Item]) -> None:
        self.first = [persona.attributes["tastes"].values() for persona in personas]


class Free(Simple):
    """Costs money, and does not say how much."""

    capabilities = pvd.Capabilities(paid=True)

    def estimate(self, slate: pvd.Slate) -> pvd.Forecast:
        return pvd.Forecast(pvd.Tokens(1, 1), pvd.Tokens(2, 1), pvd.Tokens(3, 1))


class Vague(Simple):
    """Expects more than it will not pass."""

    def estimate(self, slate: pvd.Slate) -> pvd.Forecast:
        return pvd.Forecast(expected=pvd.Tokens(100, 1))


class Unknown(Simple):
    """Knows no tokens, and costs money."""

    capabilities = pvd.Capabilities(paid=True)


class OneShort(Simple):
    """Knows nothing of the last item."""

    def utilities(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> Sequence[float]:
        return [1.0 for _ in items[1:]]


class Endless(Simple):
    """Would never choose the first item."""

    def utilities(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> Sequence[float]:
        return [-float("inf") if item.title == "Thing 0" else 1.0 for item in items]


class Placed(Simple):
    """Likes what comes first."""

    def utilities(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> Sequence[float]:
        return [-float(place) for place in range(len(items))]


class Named(Simple):
    """Brings its utilities into the order of the titles."""

    def utilities(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> Sequence[float]:
        return [float((item.title or "")[-1]) for item in sorted(items, key=lambda i: i.id)]


@dataclass(kw_only=True)
class Twofold(pvd.CompositeTeacher):
    """Asks another one twice, and takes the first answer."""

    of: pvd.Teacher = field(default_factory=Simple)

    def questions(self, slate: pvd.Slate) -> Sequence[pvd.Question]:
        turned = replace(slate, items=slate.items[::-1])
        return [pvd.Question(self.of, slate), pvd.Question(self.of, turned)]

    def combine(self, slate: pvd.Slate, rankings: Sequence[pvd.Ranking]) -> pvd.Ranking:
        return rankings[0]


class Shuffling(Twofold):
    """Asks in other orders each time."""

    def questions(self, slate: pvd.Slate) -> Sequence[pvd.Question]:
        items = tuple(Random().sample(slate.items, len(slate.items)))
        return [pvd.Question(self.of, replace(slate, items=items)) for _ in range(3)]

    def combine(self, slate: pvd.Slate, rankings: Sequence[pvd.Ranking]) -> pvd.Ranking:
        return pvd.Ranking.from_order(range(len(slate.items)))


class Secretive(Twofold):
    """Asks somebody whom nobody chose."""

    def questions(self, slate: pvd.Slate) -> Sequence[pvd.Question]:
        return [pvd.Question(Simple(), slate)]


class Full(Twofold):
    """Takes every answer for a whole order."""

    def combine(self, slate: pvd.Slate, rankings: Sequence[pvd.Ranking]) -> pvd.Ranking:
        ranks = rankings[0].ranks(len(slate.items))
        return pvd.Ranking.from_utilities([-rank for rank in ranks])  # type: ignore[operator]


class Emptied(Twofold):
    """Takes out what two answers do not share."""

    def combine(self, slate: pvd.Slate, rankings: Sequence[pvd.Ranking]) -> pvd.Ranking:
        tiers = [tier for tier in rankings[0].tiers if len(tier) == 1]
        return replace(rankings[0], tiers=tuple(tiers), utilities=None)


@dataclass(kw_only=True)
class Batches(Raw, pvd.BatchTeacher):
    """Takes batches."""

    batch_requests: ClassVar[int] = 100
    batch_bytes: ClassVar[int] = 10_000

    def line(self, request: pvd.Request) -> bytes:
        return json.dumps({"id": request.digest, **request.body}).encode()

    def submit(self, name: str, lines: Any) -> str:
        return name

    def find(self, name: str, since: Any, count: int, known: Any) -> str | None:
        return None

    def collect(self, ticket: str) -> Any:
        return None

    def discard(self, ticket: str) -> None:
        return None


class Nameless(Batches):
    """Writes lines without their digest."""

    def line(self, request: pvd.Request) -> bytes:
        return json.dumps(request.body).encode()


class Pretty(Batches):
    """Writes one question over many lines."""

    def line(self, request: pvd.Request) -> bytes:
        return json.dumps({"id": request.digest}, indent=2).encode()


class Tight(Batches):
    """Has no room for a question."""

    batch_bytes: ClassVar[int] = 10


BROKEN = [
    ("test_answers", Broken(Five, "no readable answer for a slate of 2 items")),
    ("test_answers", Broken(FiveRanked, "does not fit a slate of 2 items")),
    ("test_answers", Broken(Promising, "promises utilities, and a ranking has none")),
    ("test_answers", Broken(Infinite, r"a ranking has the utilities \(inf")),
    ("test_answers_in_order", Broken(Mixed, r"answer\(\) mixes up the questions of one call")),
    ("test_answers_in_order", Broken(MixedPairs, "each to its own")),
    ("test_answers_in_order", Broken(ById, "in the order of the requests")),
    ("test_answers_in_order", Broken(ByIdInPairs, "in the order of the requests")),
    ("test_answers_in_order", Broken(ByText, "in the order of the requests")),
    ("test_repeats", Broken(Moody, r"from pvd.kit.stream\(self.seed, persona id")),
    (
        "test_request_repeats",
        Broken(
            Numbered,
            "two different requests for one slate; request must depend on",
            ("test_answers",),
        ),
    ),
    ("test_request_repeats", Broken(Objects, r"a body that is no JSON \(Object of type set", None)),
    ("test_request_repeats", Broken(Shuffling, r"questions\(\) asks other things each time")),
    ("test_request_differs", Broken(Sorted, "order of the items, .* put the items in order", None)),
    ("test_request_differs", Broken(Once, "does not depend on the repeat number")),
    ("test_request_covers_the_reply", Broken(Hidden, "the reply changes with the pictures")),
    ("test_request_covers_options", Broken(Turning, "the reply changes with turned=True instead")),
    ("test_request_covers_options", Broken(Sorting, "with column='size' instead of 'colour'")),
    ("test_request_covers_options", Broken(Ways, "with way='turned' instead of 'as it is'")),
    (
        "test_request_covers_options",
        Broken(Unready, "with way='turned' .* raises KeyError: 'turned'.*; refuse what it cannot"),
    ),
    (
        "test_request_covers_options",
        Broken(Priced, r"with other contents of prices.json \(prices\), and the request's digest"),
    ),
    ("test_request_covers_the_reply", Broken(Seeded, "the reply changes with the seed, and")),
    ("test_reads_again", Broken(Counting, r"read\(\) makes another ranking of it now")),
    ("test_reads_again", Broken(Client, r"read\(\) before connect\(\) raises AttributeError")),
    ("test_nonsense", Broken(Guessing, "of the reply ''; raise .* would be a made-up judgment")),
    ("test_nonsense", Broken(Trusting, "raises IndexError: ", ("test_damaged_replies",))),
    ("test_damaged_replies", Broken(Whole, "raises IndexError: .*raise pvd.kit.Malformed")),
    ("test_capabilities", Broken(Able, r"has \['prices'\]; a ranking carries 'utilities' at most")),
    ("test_capabilities", Broken(Undecided, r"write capabilities = pvd.Capabilities\(", None)),
    ("test_check", Broken(Picky, "attributes are nonsense, .* raises KeyError: 'tastes'")),
    ("test_check", Broken(Shaky, "attributes are nonsense, .* raises AttributeError")),
    ("test_forecast", Broken(Free, r"dollars\(\) says 0.0 though capabilities.paid is True")),
    ("test_forecast", Broken(Vague, r"estimate\(\) is not in order: low \(0, 0.*high \(0, 0")),
    (
        "test_forecast",
        Broken(Unknown, r"estimate\(\) says that a question costs no tokens, though"),
    ),
    (
        "test_utilities",
        Broken(OneShort, "returned 11 numbers from utilities; it must return 12 numbers"),
    ),
    ("test_utilities", Broken(Endless, r"utilities\(\) has numbers that are not finite")),
    ("test_utilities", Broken(Placed, "depends on where it stands in the list")),
    ("test_utilities", Broken(Named, "depends on where it stands in the list")),
    ("test_questions", Broken(Secretive, "declare it as an option of the type pvd.Teacher")),
    ("test_combines", Broken(Full, r"combine\(\) of answers that place one .* raises TypeError")),
    (
        "test_combines",
        Broken(Emptied, r"combine\(\) of answers that tie all items: it returned from combine"),
    ),
    ("test_batch_lines", Broken(Nameless, "lacks request.digest, by which the answer is found")),
    ("test_batch_lines", Broken(Pretty, r"line\(\) must return bytes without a line's end")),
    ("test_batch_lines", Broken(Tight, r"a line has \d+ bytes, and batch_bytes is 10")),
]


@pytest.mark.parametrize(("check", "broken"), BROKEN, ids=lambda one: getattr(one, "message", one))
def test_it_is_caught(check: str, broken: Broken) -> None:
    assert_caught(TeacherContract, check, broken)


def test_every_check_catches_something() -> None:
    assert {check for check, _ in BROKEN} == own_checks(TeacherContract)


@pytest.mark.parametrize("teacher", [Simple, Raw, Twofold, Batches, Exact, Pinned])
def test_a_good_one_passes(teacher: type[pvd.Teacher]) -> None:
    found = verdicts(TeacherContract, teacher)
    assert not wrong(found)
    said = found["test_request_covers_options"]
    if teacher is Pinned:
        assert said == "no other value of model could be tried here"
    else:
        assert isinstance(said, Skipped) == (teacher is Twofold)


# --- what is not asked ----------------------------------------------------------------------------

ASKING = {
    "test_answers",
    "test_reads_again",
    "test_request_covers_the_reply",
    "test_request_covers_options",
    "test_damaged_replies",
}


class Untouched(Raw):
    """Must not be asked."""

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        raise RuntimeError("asked")


class Dear(Untouched):
    """Costs money."""

    capabilities = pvd.Capabilities(paid=True)

    def estimate(self, slate: pvd.Slate) -> pvd.Forecast:
        return pvd.Forecast(high=pvd.Tokens(3, 1))

    def dollars(self, tokens: pvd.Tokens, batch: bool = False) -> float | None:
        return None


class Person(Untouched):
    """Is somebody."""

    capabilities = pvd.Capabilities(person=True)


class Reader(Untouched):
    """Reads what the personas of a check lack."""

    capabilities = pvd.Capabilities(reads=frozenset({"age"}))


class Far(Raw):
    """Is somewhere else, and does not answer."""

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        raise kit.ProviderFailure("localhost:1 does not answer.")


class Keyed(Raw):
    """Needs a key."""

    def connect(self) -> Sequence[str]:
        kit.secret("NOBODYS_API_KEY")
        return ()


@pytest.mark.parametrize(
    ("teacher", "why"),
    [
        (Dear, "an answer of this teacher costs money"),
        (Person, "nobody is bothered in a check"),
        (Reader, "it reads age, which the personas of a check lack"),
        (Far, r"nobody answers a check \(localhost:1 does not answer.\)"),
        (Keyed, "No key: set the environment variable NOBODYS_API_KEY"),
    ],
)
def test_what_cannot_be_asked_here_is_skipped(teacher: type[pvd.Teacher], why: str) -> None:
    found = verdicts(TeacherContract, teacher)
    assert not wrong(found)
    asking = ASKING - (
        {"test_request_covers_the_reply", "test_request_covers_options"}
        if teacher is Person
        else set()
    )
    for check in asking:
        assert isinstance(found[check], Skipped), check
        assert re.search(why, str(found[check])), found[check]


@pytest.mark.parametrize(
    ("teacher", "why"),
    [(Dear, "RuntimeError: asked"), (Person, "asked"), (Far, "localhost:1"), (Keyed, "NOBODYS")],
)
def test_a_live_one_is_asked_all_the_same(teacher: type[pvd.Teacher], why: str) -> None:
    found = wrong(verdicts(TeacherContract, teacher, live=True))
    assert why in found["test_answers"]


@pytest.mark.parametrize("every", [3, 5, 7])  # not each time at the same place of a call
def test_a_model_that_seldom_changes_its_mind_is_blamed_for_nothing(every: int) -> None:
    class Moody(Raw):
        """Answers the other way round, now and then."""

        capabilities = pvd.Capabilities(batch=4)
        said = 0

        def text(self, slate: pvd.Slate) -> str:
            Moody.said += 1
            order = super().text(slate)
            return order if Moody.said % every else "order: " + order[:6:-1]

    assert wrong(verdicts(TeacherContract, Moody)) == {}


def test_an_author_brings_personas_of_their_own() -> None:
    class Aged(Simple):
        """Reads ages."""

        capabilities = pvd.Capabilities(reads=frozenset({"age"}))

        def order(self, slate: pvd.Slate) -> pvd.Ranking:
            assert slate.persona.attributes["age"] > 10
            return super().order(slate)

    people = [pvd.Persona(f"p{n}", f"Somebody, {n}.", {"age": 20 + n}) for n in range(4)]
    found = verdicts(TeacherContract, Aged, personas=lambda self: people)
    assert not wrong(found)
    assert found["test_answers"] is None


class Numbers(Simple):
    """Ranks for people whose number it finds in the text."""

    pattern: ClassVar[str] = r"in flat (\d+)"

    def number(self, text: str) -> int:
        """Of the flat."""
        found = re.search(self.pattern, text)
        if not found:
            raise kit.BadInput(f"{text!r} has no flat; write one.")
        return int(found[1])

    def check(self, personas: Sequence[pvd.Persona], items: Sequence[pvd.Item]) -> None:
        for persona in personas:
            self.number(persona.text)

    def request(self, slate: pvd.Slate) -> pvd.Request:
        self.number(slate.persona.text)
        return super().request(slate)


FLATS = [pvd.Persona(f"p{n}", f"Somebody in flat {n}.", {}) for n in range(4)]


def test_one_that_refuses_the_personas_of_a_check_is_blamed_for_nothing() -> None:
    found = verdicts(TeacherContract, Numbers)
    assert not wrong(found)
    for check in (*ASKING, "test_check", "test_request_differs", "test_prints_nothing"):
        assert isinstance(found[check], Skipped), check
        assert "it refuses the personas and items of a check: 'Someone who" in str(found[check])
        assert "items(self) and personas(self) in a test class, or choose opt" in str(found[check])
    found = verdicts(TeacherContract, Numbers, personas=lambda self: FLATS)
    assert not wrong(found)
    assert found["test_answers"] is found["test_check"] is found["test_prints_nothing"] is None


def test_one_that_refuses_the_personas_of_its_own_test_is_caught() -> None:
    found = verdicts(TeacherContract, Numbers, personas=lambda self: FLATS[:3] + personas(1))
    assert "has no flat; write one" in wrong(found)["test_check"]


def test_one_whose_check_is_broken_is_caught_by_that_alone() -> None:
    class Torn(Simple):
        """Has a check that fails for everybody."""

        def check(self, personas: Sequence[pvd.Persona], items: Sequence[pvd.Item]) -> None:
            raise ZeroDivisionError

    assert set(wrong(verdicts(TeacherContract, Torn))) == {"test_check"}

"""Money: the plan says what a run will cost, limits are never passed, and what was spent is what
the provider billed. Prices are taken from the table, tokens from the provider's own meter.
"""

from __future__ import annotations

import json
import os
import random
import runpy
import signal
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from asked import KEY, KEYS, TINY, Counter, words
from click.testing import CliRunner, Result
from fake import Fake, Metered
from forked import FORKS
from PIL import Image

from pvd import testing
from pvd.asking import Desk, opened
from pvd.cli import main
from pvd.discovery import registry
from pvd.protocols import Teacher
from pvd.records import Request, Slate
from pvd.settings import AskSettings
from pvd.store import Store
from pvd_plugins.teachers import models

CHILD = Path(__file__).parents[1] / "survival/child.py"

PAID = ("openai", "gpt-4o", "claude", "gemini")
PACKAGES = {"claude": "anthropic", "gemini": "google.genai"}
ITEMS, PEOPLE = 60, 40
MANY = {"train": {"slates": 80, "validation_slates": 20}, "exam": {"personas": 8}}
PATIENT = {"failures": 0.9, "retries": 99, "workers": 64}


def pvd(*given: str) -> Result:
    return CliRunner().invoke(main, given)


def small(name: str, fake: Fake, shop: Path, **more: Any) -> list[str]:
    """The command line of a run as small as can be, with some more of everything."""
    return words(name, fake, shop, **{k: {**v, **more.get(k, {})} for k, v in TINY.items()}, **{
        k: v for k, v in more.items() if k not in TINY
    })  # fmt: skip


def draw(folder: Path, wide: int, high: int) -> Path:
    """A shop with pictures of this size."""
    lot = random.Random(0)
    rows = ["id,image"]
    for number in range(ITEMS):
        colour = tuple(lot.randrange(256) for _ in range(3))
        Image.new("RGB", (wide, high), colour).save(folder / f"{number}.jpg")
        rows.append(f"square-{number},{number}.jpg")
    (folder / "catalog.csv").write_text("\n".join(rows) + "\n")
    people = [{"id": f"p{n}", "text": f"Number {n} of a street by the sea."} for n in range(PEOPLE)]
    (folder / "people.jsonl").write_text("".join(json.dumps(one) + "\n" for one in people))
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("squares"), 96, 128)


def billed(metered: Sequence[Metered]) -> float:
    """The dollars on the provider's bill."""
    table = tomllib.loads(Path(models.bundled()).read_text())
    whole = 0.0
    for one in metered:
        row = table["model"][one.model]
        row = table["service"][row["service"]] | row
        plain = one.input - one.cached - one.written
        read = plain + one.cached * row["cached"] + one.written * row.get("written", 1.0)
        price = (read * row["input"] + one.output * row["output"]) / 1e6
        whole += price * row["batch"] if one.batch else price
    return round(whole, 9)  # sums of floats differ by their order


def usage(folder: Path) -> Any:
    return json.loads((folder / "usage.json").read_text())


def spent(folder: Path) -> float:
    return round(float(usage(folder)["run_dollars"]), 9)


# --- the plan -------------------------------------------------------------------------------------


def plan(*given: str) -> Any:
    result = pvd(*given, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def thinking(name: str) -> int:
    """As much as the table assumes: nobody can forecast what a model thinks in hiding."""
    service = "openai" if name == "gpt-4o" else name
    model = models.find(name if name == "gpt-4o" else models.default(service))
    return 0 if model.effort == "none" else model.thoughts or 0


@pytest.mark.slow
@pytest.mark.parametrize("name", PAID)
@pytest.mark.parametrize("size", [(96, 128), (300, 400), (1200, 900)], ids=str)
def test_the_plan_says_what_the_run_will_cost(
    name: str, size: tuple[int, int], fake: Fake, keys: None, tmp_path: Path
) -> None:
    out, fake.thoughts = tmp_path / "run", thinking(name)
    given = [*small(name, fake, draw(tmp_path, *size)), "--max-cost", "5", "--out", str(out)]

    said = plan(*given)

    assert fake.paths == []
    assert pvd(*given).exit_code == 0
    real = billed(fake.metered)
    low, expected, high = said["dollars"]
    assert low <= real <= high
    assert expected == pytest.approx(real, rel=0.15)
    assert said["new"] == len(fake.asked) == len(fake.metered)
    assert sum(part["questions"] for part in said["parts"]) == said["new"]
    again = plan(*given)
    assert (again["new"], again["dollars"]) == (0, [0, 0, 0])
    # From the store; only which slates a round will draw is not known before.
    other = plan(*given[:-1], str(tmp_path / "other"))
    new = {part["name"]: part["questions"] - part["stored"] for part in other["parts"]}
    assert new == {"exam": 0, "validation": 0, "training": TINY["train"]["slates"]}


@pytest.mark.parametrize("name", PAID)
def test_a_plan_needs_no_key_no_sdk_and_leaves_nothing_behind(
    name: str, fake: Fake, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, PACKAGES.get(name, "openai"), None)
    out = tmp_path / "run"
    said = plan(*small(name, fake, shop), "--out", str(out))
    assert said["new"] > 20
    assert said["spent"] == {"calls": 0, "dollars": 0}
    assert fake.paths == []
    assert not out.exists()


def test_the_plan_of_batches_is_half_of_it(
    fake: Fake, keys: None, shop: Path, tmp_path: Path
) -> None:
    given = [*small("claude", fake, shop), "--max-cost", "5", "--out", str(tmp_path / "run")]
    given += ["--batch", "-o", "ask.poll=0.05"]
    said = plan(*given)
    assert pvd(*given).exit_code == 0
    assert all(one.batch for one in fake.metered)
    assert said["batch_dollars"][1] == pytest.approx(billed(fake.metered), rel=0.15)
    assert said["batch_dollars"] == [dollars / 2 for dollars in said["dollars"]]
    assert said["submissions"] == len(fake.submissions)


def test_the_plan_of_a_run_that_is_half_done(
    fake: Fake, keys: None, shop: Path, tmp_path: Path
) -> None:
    given = [*small("openai", fake, shop), "--out", str(tmp_path / "run")]
    before = plan(*given)
    assert pvd(*given, "--max-calls", "20").exit_code == 8
    after = plan(*given)
    assert after["new"] == before["new"] - 20
    assert after["spent"]["calls"] == 20
    assert after["spent"]["dollars"] == pytest.approx(billed(fake.metered))


# --- what was spent -------------------------------------------------------------------------------

TOLD = ("fenced", "badjson", "429", "500", "missing", "truncated", "refusal", "prose")


@pytest.mark.slow
@pytest.mark.parametrize("name", PAID)
def test_what_is_written_down_is_what_was_billed(
    name: str, fake: Fake, keys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of answers that were of no use, and of those that the provider's cache made cheap."""
    monkeypatch.setattr("pvd.asking.sending._after", lambda pause: time.monotonic())
    fake.thoughts, fake.prompt_cache = 7, True
    fake.script(TOLD[n // 3 % len(TOLD)] if n % 3 == 0 else "" for n in range(999))
    given = small(name, fake, draw(tmp_path, 1200, 900), ask={"failures": 0.5})
    out = tmp_path / "run"

    assert pvd(*given, "--max-cost", "5", "--out", str(out)).exit_code == 0

    found = usage(out)
    assert found["asked"] == len(fake.metered) >= 26
    assert found["lost"] == 0
    assert found["dollars"] == pytest.approx(billed(fake.metered))
    assert found["run_dollars"] == pytest.approx(found["dollars"])
    told = ["input", "output", "cached", "written"]
    told += ["thoughts"] * (name != "claude") + ["images"] * (name == "gemini")
    for kind in told:
        assert found["tokens"][kind] == sum(getattr(one, kind) for one in fake.metered), kind
    assert (found["tokens"]["cached"] > 0) == (name in ("openai", "gemini"))


# --- the limits -----------------------------------------------------------------------------------

# What the provider bills, though no answer comes back that could be read, or none that is counted.
LOSING = ("dropped", "half", "slow", "garbage", "uncounted")
MIXED = (*LOSING, "badjson", "429", "truncated", "500", "nothing")


def mixed(seed: int, share: float = 0.2) -> list[str]:
    lot = random.Random(seed)
    return [lot.choice(MIXED) if lot.random() < share else "" for _ in range(9999)]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests of all that was sent."""
    found: list[str] = []

    def spied(answer: Any) -> Any:
        def spy(teacher: Teacher, requests: Sequence[Request]) -> Any:
            found.extend(request.digest for request in requests)
            return answer(teacher, requests)

        return spy

    # Where core calls it: a class has its own from when it was registered, guarded.
    for teacher in {registry.get("teacher", name) for name in PAID}:
        monkeypatch.setattr(teacher, "answer", spied(teacher.answer))
    return found


def kept(digests: Sequence[str], cache: Path) -> set[str]:
    with Store(cache / "answers.sqlite") as store:
        return set(store.get(digests))


# Answers are nearly as long as they may be: else money for 64 at once would be enough for all.
THOUGHTS, HIGH = 40, {"timeout": 0.7, "max_tokens": 60}
HARD = {"ask": PATIENT, "teacher": HIGH, **MANY}


@pytest.mark.parametrize("name", PAID)
def test_max_cost_is_never_passed(
    name: str,
    fake: Fake,
    keys: None,
    shop: Path,
    tmp_path: Path,
    own_cache: Path,
    sent: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pvd.asking.sending._after", lambda pause: time.monotonic() + pause / 50)
    monkeypatch.setattr("pvd.asking.pacing.START", 64)
    fake.delay, fake.thoughts = 0.15, THOUGHTS
    fake.script(mixed(PAID.index(name)))
    given = [*small(name, fake, shop, **HARD), "--out", str(tmp_path / "run")]
    _, _, high = plan(*given)["dollars"]
    most = 0.4 * high

    result = pvd(*given, "--max-cost", str(most))

    assert result.exit_code == 8, result.output
    assert 0.3 * most < billed(fake.metered) <= spent(tmp_path / "run") <= most
    here, before = kept(sent, own_cache), len(sent)
    assert len(here) > 10

    assert pvd(*given, "--max-cost", "50").exit_code == 0
    assert here.isdisjoint(sent[before:]), "what was answered is never asked again"
    assert fake.most_in_flight >= 16
    assert billed(fake.metered) <= spent(tmp_path / "run")
    assert usage(tmp_path / "run")["lost"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["openai", "claude", "gemini"])
def test_max_cost_is_never_passed_by_batches(
    name: str, fake: Fake, keys: None, shop: Path, tmp_path: Path, own_cache: Path
) -> None:
    """Nor by what failed in one, and is asked directly at the full price."""
    faults = ("500", "expired", "uncounted", "badjson", "truncated")
    fake.batch_faults = [faults[n // 4 % len(faults)] if n % 4 == 1 else "" for n in range(9999)]
    fake.script_batches(["", "half", "", "dropped", "500", "", "429"])
    given = [*small(name, fake, shop, **HARD), "--out", str(tmp_path / "run")]
    given += ["--batch", "-o", "ask.poll=0.05", "-o", "teacher.timeout=30"]
    fake.thoughts = THOUGHTS
    low, _, high = plan(*given)["batch_dollars"]
    codes = []
    for most in (0.2 * high, 0.4 * high):
        result = pvd(*given, "--max-cost", str(most))
        if result.exit_code == 6:  # it is not known whether a submission arrived
            result = pvd(*given, "--max-cost", str(most))
        codes.append(result.exit_code)
        assert 0.3 * most < billed(fake.metered) <= spent(tmp_path / "run") <= most

    assert codes == [8, 8]
    while (code := pvd(*given, "--max-cost", "50").exit_code) == 6:
        pass
    assert code == 0
    assert billed(fake.metered) >= low
    held = [digest for batch in fake.submissions for digest in batch]
    assert len(held) == len(set(held)), "nothing is submitted twice"
    assert len({one.batch for one in fake.metered}) == 2


@pytest.mark.slow
def test_max_cost_is_never_passed_by_a_run_that_is_killed(
    fake: Fake, shop: Path, tmp_path: Path, own_cache: Path
) -> None:
    seed = int(os.environ.get("PVD_TEST_SEED") or random.randrange(10**6))
    print(f"PVD_TEST_SEED={seed}")
    lot = random.Random(seed)
    fake.delay, fake.thoughts = 0.1, THOUGHTS
    fake.script(mixed(seed))
    out = tmp_path / "run"
    given = [*small("gpt-4o", fake, shop, **HARD), "--out", str(out)]
    _, _, high = plan(*given)["dollars"]
    most = 0.8 * high
    command = [*given, "--quiet", "--max-cost", str(most)]
    environment = {**dict.fromkeys(KEYS.values(), KEY), "PVD_CACHE_DIR": str(own_cache)}
    told = (str(tmp_path / "stages"), str(tmp_path / "said"), environment, command)
    codes = []
    for kill in (True, True, True, False):
        paid, moment = len(fake.metered), lot.randint(1, 12)
        process = FORKS.Process(
            target=runpy.run_path, args=(str(CHILD), {"GIVEN": told}, "forked"), daemon=True
        )
        process.start()
        while kill and process.is_alive() and len(fake.metered) < paid + moment:
            time.sleep(0.002)
        if kill:
            time.sleep(lot.uniform(0, 0.05))
            process.kill()
        process.join()
        codes.append(process.exitcode)
        time.sleep(2 * fake.delay)  # the provider ends what it was asked
        assert billed(fake.metered) <= most
    said = (tmp_path / "said").read_text()
    assert codes[:3] == [-signal.SIGKILL] * 3, said
    assert codes[3] in (0, 8), said
    assert billed(fake.metered) <= spent(out) <= most


@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_max_calls_is_never_passed(
    name: str,
    fake: Fake,
    keys: None,
    shop: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pvd.asking.sending._after", lambda pause: time.monotonic() + pause / 50)
    monkeypatch.setattr("pvd.asking.pacing.START", 64)
    fake.script(mixed(5))
    given = [*small(name, fake, shop, **HARD), "--out", str(tmp_path / "run")]
    for most in (1, 50):
        result = pvd(*given, "--max-calls", str(most))
        assert result.exit_code == 8, result.output
        assert "higher --max-calls" in result.stderr
        assert 0.7 * most <= len(fake.metered) <= usage(tmp_path / "run")["run_questions"] <= most


# --- limits a minute, on a clock that runs forty times faster -------------------------------------

WINDOW, LIMIT, QUESTIONS = 1.5, 20, 50


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "told"),
    [("requests_per_minute", True), ("requests_per_minute", False), ("tokens_per_minute", True)],
)
def test_limits_a_minute(
    what: str,
    told: bool,
    counter: Any,
    fake: Fake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who is told is hardly refused; who is not finds it out, and is refused now and then."""
    monkeypatch.setattr("pvd.asking.pacing.CREDIT", WINDOW / 60)
    desk: Counter = counter("openai")
    people, items = testing.personas(QUESTIONS), tuple(testing.items(5))
    with Store(desk.path) as store, opened(desk.teacher, 1) as teacher:
        teacher.connect()
        limit = LIMIT
        if what == "tokens_per_minute":
            teacher.answer([teacher.request(Slate(people[0], items))])
            limit *= fake.metered[0].input + fake.metered[0].output
            fake.accepted.clear()
        fake.window, fake.delay = WINDOW, 0.05
        setattr(fake, what, limit)
        known: dict[str, Any] = {what: round(limit * 60 / WINDOW)} if told else {}
        asking = Desk(store, AskSettings(**known))
        start = time.monotonic()

        found = asking.judgments(teacher, QUESTIONS, lambda n, _: Slate(people[n], items))

        seconds = time.monotonic() - start
    assert all(found)
    assert len(fake.accepted) == QUESTIONS
    late = sum(at > start + WINDOW for at in fake.limited)
    assert late <= (2 if told else QUESTIONS / 2)
    assert seconds < 4 * QUESTIONS / LIMIT * WINDOW

"""Audits of teachers that cost money, with the real SDKs and a provider on this machine."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import forked
import pytest
from asked import KEY, KEYS
from click.testing import CliRunner, Result
from fake import Asked, Fake, redness

from pvd.cli import main

SLATES, ORDERS, PAIRS = 12, 3, 4
QUESTIONS = SLATES * ORDERS + PAIRS * 10


def pvd(*given: str) -> Result:
    return CliRunner().invoke(main, given)


def words(fake: Fake, shop: Path, out: Path, *teachers: str) -> list[str]:
    return [
        "audit", *(teachers or ("gemini",)), "--slates", str(SLATES), "--pairs", str(PAIRS),
        "--catalog", str(shop / "catalog.csv"), "--personas", str(shop / "people.jsonl"),
        "-o", f"teacher.base_url={fake.url}", "--out", str(out),
    ]  # fmt: skip


def numbers(out: Path) -> Any:
    return json.loads((out / "audit.json").read_text())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def test_it_is_priced_first_asked_once_and_told_what_it_cost(
    fake: Fake, keys: None, shop: Path, out: Path
) -> None:
    fake.usage = (1500, 20)
    given = words(fake, shop, out)
    refused = pvd(*given)
    assert refused.exit_code == 2, refused.output
    assert "Expected to cost $" in refused.stderr
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith(f"Error: This audit may ask {QUESTIONS} questions that cost money; add")
    assert "--max-cost" in last
    dry = pvd(*given, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "Expected to cost $" in dry.stdout
    assert fake.asked == []

    result = pvd(*given, "--max-cost", "5")

    assert result.exit_code == 0, result.output
    assert len(fake.asked) == QUESTIONS
    assert Counter(len(asked.images) for asked in fake.asked) == {5: SLATES * ORDERS, 2: PAIRS * 10}
    found = numbers(out)
    (card,) = found["teachers"]
    usage = json.loads((out / "usage.json").read_text())
    assert usage["asked"] == QUESTIONS
    each = usage["dollars"] / QUESTIONS
    assert card["cost"]["per_thousand"]["value"] == pytest.approx(1000 * each)
    assert card["cost"]["tokens_in"]["value"] == pytest.approx(1500)
    assert card["cost"]["tokens_out"]["value"] == pytest.approx(20)
    assert found["latency"]["gemini (base_url=" + fake.url + ")"]["calls"] == QUESTIONS
    assert not found["simulated"]
    assert "simulated" not in result.stdout
    # It prefers what is red, wherever it is shown.
    assert card["itself"]["tau"]["value"] == pytest.approx(1)
    assert card["place"]["p"] == 1
    assert card["pairs"]["intransitive"]["value"] == 0
    assert card["noise"]["gumbel"] is None
    for path in out.iterdir():
        assert KEY not in path.read_text()

    assert pvd(*given).stdout == result.stdout
    # Also in another folder everything is there; nothing is paid again.
    again = pvd(*words(fake, shop, out.with_name("second")))
    assert again.exit_code == 0, again.output
    assert len(fake.asked) == QUESTIONS
    second = numbers(out.with_name("second"))
    assert second["teachers"] == found["teachers"]


@pytest.mark.slow
def test_a_drawn_shop_is_not_worth_money(fake: Fake, keys: None, out: Path) -> None:
    given = ["audit", "simulated", "gemini", "-o", f"teacher.base_url={fake.url}"]
    result = pvd(*given, "--out", str(out), "--max-cost", "5")
    assert result.exit_code == 2, result.output
    assert "name your --catalog" in result.stderr
    assert fake.asked == []


def test_without_a_key_nobody_is_asked(fake: Fake, shop: Path, out: Path) -> None:
    result = pvd(*words(fake, shop, out), "--max-cost", "5")
    assert result.exit_code == 3, result.output
    assert f"set the environment variable {KEYS['gemini']}" in result.stderr


def test_the_limit_stops_it_and_a_higher_one_goes_on(
    fake: Fake, keys: None, shop: Path, out: Path
) -> None:
    given = words(fake, shop, out)
    result = pvd(*given, "--max-calls", "20")
    assert result.exit_code == 8, result.output
    assert not (out / "audit.json").exists()
    assert len(fake.asked) == 20
    assert pvd(*given, "--max-cost", "5").exit_code == 0
    assert len(fake.asked) == QUESTIONS


@pytest.mark.parametrize("name", ["gemini", "claude"])
def test_what_is_wrong_with_answers_is_counted(
    name: str, fake: Fake, keys: None, shop: Path, out: Path
) -> None:
    # One call at a time: the first questions are those of the slates, in their order.
    fake.script(
        ["badjson", "", "duplicate", "refusal", "400", "", "fenced", "truncated", "missing"]
    )

    result = pvd(*words(fake, shop, out, name), "--max-cost", "5", "-o", "ask.workers=1")

    assert result.exit_code == 0, result.output
    answers = numbers(out)["teachers"][0]["answers"]
    asked = SLATES * ORDERS
    assert answers["asked"] == asked
    assert answers["malformed"]["value"] == pytest.approx(4 / asked)
    assert answers["refused"]["value"] == answers["rejected"]["value"] == pytest.approx(1 / asked)
    assert answers["unusable"]["value"] == pytest.approx(6 / asked)
    assert sum(answers["kinds"].values()) == 4
    assert answers["malformed"]["low"] < 4 / asked < answers["malformed"]["high"]
    assert len(fake.asked) == QUESTIONS  # nothing was shown again


def test_prompts_are_compared(fake: Fake, keys: None, shop: Path, out: Path) -> None:
    def moody(asked: Asked) -> str:
        return redness(asked) if "Put yourself" in asked.system else redness(asked)[::-1]

    fake.oracle = moody
    given = [*words(fake, shop, out), "--prompt", "default", "--prompt", "brief"]

    result = pvd(*given, "--max-cost", "5")

    assert result.exit_code == 0, result.output
    (pair,) = numbers(out)["between"]
    assert pair["prompt_only"]
    assert pair["tau"]["value"] == pytest.approx(-1)
    assert pair["tau_missing"]["low"] > 0
    assert "The prompt changes the order" in result.stdout.replace("\n", " ")
    assert "does the prompt matter" in (out / "report.html").read_text()
    assert len(fake.asked) == 2 * QUESTIONS


def test_batches_take_no_call(fake: Fake, keys: None, shop: Path, out: Path) -> None:
    given = [*words(fake, shop, out), "--batch", "-o", "ask.poll=0.1", "--max-cost", "5"]
    fake.batch_seconds = 0.1

    result = pvd(*given)

    assert result.exit_code == 0, result.output
    said = " ".join(result.stderr.split())
    assert "In batches: 1 submission. It is answered within 24 hours" in said
    assert json.loads((out / "usage.json").read_text())["batched"] == QUESTIONS
    found = numbers(out)
    assert [time["calls"] for time in found["latency"].values()] == [0]
    assert found["teachers"][0]["cost"]["per_thousand"]["value"] > 0


def test_a_killed_audit_goes_on_where_it_was(fake: Fake, shop: Path, out: Path) -> None:
    given = [*words(fake, shop, out), "--max-cost", "5", "-o", "ask.workers=1"]
    environment = {
        **os.environ,
        KEYS["gemini"]: KEY,
        "PVD_CACHE_DIR": str(out.parent),
        "NO_PROXY": "127.0.0.1",
    }

    def until(moment: str) -> CompletedProcess[str]:
        script = Path(__file__).parent / "killed.py"
        return forked.run([sys.executable, str(script), moment, "100", *given], environment)

    killed = until("collecting 30")
    assert killed.returncode == -9, killed.stderr
    assert len(fake.asked) == 30
    assert not (out / "audit.json").exists()

    ended = until("never")

    assert ended.returncode == 0, ended.stderr
    assert len(fake.asked) == QUESTIONS
    assert numbers(out)["teachers"][0]["answers"]["unusable"]["value"] == 0
    usage = json.loads((out / "usage.json").read_text())
    assert (usage["cached"], usage["run_questions"]) == (30, QUESTIONS)

"""A comparison of teachers that cost money: priced before, asked once, one limit for all runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asked import TINY, words
from click.testing import CliRunner, Result
from fake import Fake
from test_money import billed, draw

from pvd.cli import main
from pvd.folder import read_json, read_lines

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("forked_runs")]


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("squares"), 96, 128)


def compare(fake: Fake, shop: Path, out: Path, *more: str) -> Result:
    """claude and gemini under one limit, each cell in a process of its own."""
    _, *given = words("claude", fake, shop, **TINY)
    for name in ("--teacher", f"teacher.base_url={fake.url}"):
        place = given.index(name) - (name != "--teacher")
        del given[place : place + 2]
    teachers = ", ".join(
        f'{{use="{name}", base_url="{fake.url}"}}' for name in ("claude", "gemini")
    )
    return CliRunner().invoke(
        main,
        ["compare", *given, "--vary", f"teacher=[{teachers}]", "--seeds", "2", "--jobs", "2",
         "--store", str(out.with_name("answers.sqlite")), "--out", str(out), *more],
    )  # fmt: skip


def digests(out: Path) -> set[str]:
    files = [*out.glob("exams/*/exam/test.jsonl"), *out.glob("cells/*/*/exam/validation.jsonl")]
    files += out.glob("cells/*/*/rounds/*/judgments.jsonl")
    return {row["digest"] for file in files for row in read_lines(file)}


def test_nothing_is_asked_before_somebody_said_how_much(
    fake: Fake, keys: None, squares: Path, tmp_path: Path
) -> None:
    result = compare(fake, squares, tmp_path / "out")

    assert result.exit_code == 2, result.output
    assert "This comparison may ask" in result.stderr
    assert "--max-cost" in result.stderr
    assert "exam (claude)" in result.stderr
    assert "training (gemini)" in result.stderr
    assert not fake.asked


def test_one_limit_holds_for_all_runs_and_no_question_is_paid_twice(
    fake: Fake, keys: None, squares: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    plan: dict[str, Any] = json.loads(compare(fake, squares, out, "--dry-run", "--json").stdout)
    low, expected, _ = plan["dollars"]
    limit = 0.6 * expected
    result = compare(fake, squares, out, "--max-cost", f"{limit}")

    assert result.exit_code == 8, result.output
    assert "higher --max-cost" in result.stderr
    assert 0 < billed(fake.metered) <= limit

    result = compare(fake, squares, out, "--max-cost", f"{10 * expected}")
    assert result.exit_code == 0, result.output
    found, usage = read_json(out / "compare.json"), read_json(out / "usage.json")
    assert len(fake.asked) == len(digests(out)) == found["cost"]["together"]["answers"]
    bill = billed(fake.metered)
    assert found["cost"]["together"]["dollars"] == pytest.approx(bill)
    assert usage["run_dollars"] == pytest.approx(bill)
    assert low <= bill <= plan["dollars"][2]
    assert found["equal_dollars"] is not None, "claude and gemini differ in price"
    assert "dollars" in result.stdout

    asked = len(fake.asked)
    assert compare(fake, squares, out, "--max-cost", f"{10 * expected}").exit_code == 0
    assert len(fake.asked) == asked


def test_every_arm_is_ready_before_another_one_is_paid(
    fake: Fake, keys: None, squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_API_KEY")
    result = compare(fake, squares, tmp_path / "out", "--max-cost", "5", "--judges", "claude")

    assert result.exit_code == 3, result.output
    assert "GOOGLE_API_KEY" in result.stderr
    assert not fake.asked


def test_a_slate_that_one_arm_cannot_draw_is_found_before_anything_is_paid(
    fake: Fake, keys: None, squares: Path, tmp_path: Path
) -> None:
    sizes = ["--max-cost", "5", "--vary", "train.size=5,500"]
    result = compare(fake, squares, tmp_path / "out", *sizes)

    assert result.exit_code == 5, result.output
    assert "lower train.size" in result.stderr
    assert not fake.asked


def test_a_cell_on_its_own_has_no_leave_to_spend(
    fake: Fake, keys: None, squares: Path, tmp_path: Path
) -> None:
    """What the comparison's account allows, a run that is given its settings does not."""
    out = tmp_path / "out"
    assert compare(fake, squares, out, "--max-cost", "5", "--seeds", "1").exit_code == 0
    asked, config = len(fake.asked), next(out.glob("cells/*/seed-0.toml"))
    again = ["run", "--config", str(config), "--out", str(tmp_path / "other")]
    again += ["-o", "train.slates=30", "-o", "max_cost=none"]
    result = CliRunner().invoke(main, again)

    assert result.exit_code == 2, result.output
    assert "--max-cost" in result.stderr
    assert len(fake.asked) == asked

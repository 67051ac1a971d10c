"""The table of docs/performance.md can be made: the whole command on a small model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("open_clip", reason="pip install 'pvd-distill[open-clip]'")

HERE = Path(__file__).parent
SHIM = str(HERE.parent / "shim")


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "speed"), "--quick", "--repetitions", "2", *options]
    path = os.pathsep.join(filter(None, (SHIM, os.environ.get("PYTHONPATH"))))
    env = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.mark.slow
def test_the_table_is_made(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Before.\n\n<!-- measured -->\nold\n<!-- /measured -->\n\nAfter.\n")
    ran = bench("--json", "--write", str(page))
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert len(found["rows"]) == 12
    for row in found["rows"]:
        low, high = row["spread"]
        assert len(row["ours"]) == len(row["peer"]) == 2
        assert 0 < low <= high
        assert row["floor"] > 0, "products take time"
        assert row["share"] > 0
    assert all(0.1 < peak < 5 for peak in found["peaks"].values())

    text = page.read_text()
    assert text.startswith("Before.\n\n<!-- measured -->\nOne thread of ")
    assert text.endswith("<!-- /measured -->\n\nAfter.\n")
    assert "old" not in text
    lines = [line for line in text.split("\n") if line.startswith("| ")]
    assert len(lines) == 2 + 12
    assert len({line.count("|") for line in lines}) == 1


def test_a_page_without_marks_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Nothing.\n")
    ran = bench("--write", str(page))
    assert ran.returncode == 1
    assert "put them where the table belongs" in ran.stderr
    assert "done" not in ran.stderr
    assert page.read_text() == "Nothing.\n"

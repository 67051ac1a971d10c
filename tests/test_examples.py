"""The examples run as they are, made small."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pvd.cli import main as command
from pvd.discovery import registry

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_stages_run_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("stages", EXAMPLES / "stage_by_stage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(items=80, people=60, slates=20)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("drawn:")
    assert [line.split()[0] for line in lines[2:]] == [
        "random",
        "zero-shot",
        "persona-blind",
        "shuffled-persona",
        "distilled",
        "oracle",
    ]


def test_the_student_in_one_file_passes_its_contract() -> None:
    from click.testing import CliRunner

    words = ["plugins", "check", "-p", str(EXAMPLES / "own_student.py"), "student.colours"]
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    assert result.output.count("ok  ") == 6
    assert "student.colours" in {row.name for row in registry.listing()}

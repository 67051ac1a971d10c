"""Judgments in their files: what comes back is what was written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pvd import Judgment, Ranking
from pvd.errors import BadInput
from pvd.folder import read_lines, write_lines
from pvd.ledger import Ledger, judgment_row
from pvd.records import Reply
from pvd.testing import items, personas
from pvd.testing.material import slate

SAID = {"agreement": 0.8, "orders": [[[0], [1, 2]], [[2], [0, 1]]], "members": [{"label": "x"}]}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "rounds", items(), personas())


def judged(**attributes: Any) -> Judgment:
    ranking = replace(Ranking.from_utilities([1.0, 0.5, 0.0]), attributes=attributes)
    return Judgment(slate(3), ranking, "digest", Reply("", "model-1"), "ensemble", "2026-01-01")


def test_what_a_rankings_attributes_say_is_kept(ledger: Ledger) -> None:
    ledger.write_judgments(1, {0: judged(**SAID), 1: judged()})

    first, second = ledger.judgments(1)

    assert first.ranking == judged(**SAID).ranking
    assert (dict(first.ranking.attributes), dict(second.ranking.attributes)) == (SAID, {})
    # To write again what was read gives the same file.
    before = ledger.path(1, "judgments.jsonl").read_bytes()
    ledger.write_judgments(1, {0: first, 1: second})
    assert ledger.path(1, "judgments.jsonl").read_bytes() == before


def test_a_file_of_an_earlier_version_has_no_attributes(ledger: Ledger, tmp_path: Path) -> None:
    row = judgment_row(judged(**SAID))
    del row["attributes"]
    write_lines(tmp_path / "old.jsonl", [row])

    (found,) = ledger.read_judgments(tmp_path / "old.jsonl")

    assert replace(found.ranking, attributes=SAID) == judged(**SAID).ranking
    assert found.ranking.attributes == {}


@pytest.mark.parametrize("attributes", [None, [], "text", 3])
def test_attributes_that_are_no_object_are_named_by_their_line(
    ledger: Ledger, tmp_path: Path, attributes: Any
) -> None:
    row = {**judgment_row(judged()), "attributes": attributes}
    (tmp_path / "mine.jsonl").write_text(json.dumps(row) + "\n")
    assert read_lines(tmp_path / "mine.jsonl")

    with pytest.raises(BadInput, match=r"mine\.jsonl, line 1 is no judgment like"):
        ledger.read_judgments(tmp_path / "mine.jsonl")

"""Every code block of README and docs runs: Python as one program a page, `pvd` lines as typed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from sybil import Example, Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from pvd.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a small shop's files, as the pages assume them."""
    from pvd.testing import items, personas

    (tmp_path / "images").mkdir()
    rows = ["id,image,colour,size"]
    for item in items(90):
        (tmp_path / "images" / f"{item.id}.png").write_bytes(item.read())
        rows.append(f"{item.id},images/{item.id}.png,{item.attributes['colour']},large")
    (tmp_path / "shop.csv").write_text("\n".join(rows) + "\n")
    people = [
        f'{{"id": "{p.id}", "text": "{p.text}", "tastes": {{"colour=green": 1.5}}}}'
        for p in personas(60)
    ]
    (tmp_path / "people.jsonl").write_text("\n".join(people) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_run(page: Path, workplace: Path) -> None:
    for example in blocks(page):
        example.evaluate()


def blocks(page: Path) -> list[Example]:
    """The Python blocks of a page."""
    return list(Sybil([PythonCodeBlockParser()], path=str(page.parent)).parse(page).examples())


def commands(page: Path) -> list[str]:
    """The indented lines that begin with `pvd`, without comments."""
    lines = (
        line[4:].split("  #")[0].strip()
        for line in page.read_text().split("\n")
        if line.startswith("    pvd ")
    )
    return list(lines)


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda page: page.name)
def test_commands_run(page: Path, workplace: Path) -> None:
    """The page's commands in order, as a reader types them; options behind keep runs small."""
    for example in blocks(page):
        first, _, _ = str(example.parsed).partition("\n")
        if first.startswith("# ") and first.endswith(".py"):
            # A block that begins with a file's name is that file.
            (workplace / first[2:].strip()).write_text(str(example.parsed))
    for command in commands(page):
        words = shlex.split(command)[1:]
        words = [word if "1a2b3c4d" not in word else str(_a_run(workplace)) for word in words]
        if words[0] in ("run", "label"):
            words += SMALL if "--catalog" not in words else SMALL[:-4]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, f"{command}\n{result.output}"


SMALL = [
    "-o", "train.slates=12", "-o", "train.steps=2", "-o", "train.rounds=1",
    "-o", "exam.personas=3", "-o", "exam.items=12", "-o", "train.validation_slates=12",
    "-o", "catalog.size=90", "-o", "personas.people=60",
]  # fmt: skip


def _a_run(workplace: Path) -> Path:
    result = CliRunner().invoke(main, ["run", "--out", str(workplace / "first"), *SMALL])
    assert result.exit_code == 0, result.output
    return workplace / "first" / "run.toml"

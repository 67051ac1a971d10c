"""Every block of README and docs runs, or is checked: `reader.py` says how. Nothing leaves this
machine: hosted teachers ask the fake provider.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asked import KEY, KEYS
from click.testing import CliRunner
from fake import Fake
from reader import ROOT, Block, Reader, blocks

from pvd.cli import main
from pvd.comparing import cells
from pvd_plugins.teachers import models
from pvd_plugins.teachers.chat import Chat
from pvd_plugins.teachers.hosted import Hosted

FOLDERS = {"red": "dress", "green": "hat", "blue": "outwear", "yellow": "shoes"}  # the tutorial's
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LONG = {  # with runs and comparisons of several components, or tests of their own
    *(ROOT / "docs/plugins").glob("[!i]*.md"),
    ROOT / "docs/tutorial.md",
    ROOT / "docs/how-to/replace-the-teacher.md",
    ROOT / "docs/reference/library.md",
}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a small shop's files, and photographs, as the pages assume them."""
    from pvd.testing import items, personas

    (tmp_path / "images").mkdir()
    rows = ["id,image,colour,size"]
    for item in items(90):
        (tmp_path / "images" / f"{item.id}.png").write_bytes(item.read())
        rows.append(f"{item.id},images/{item.id}.png,{item.attributes['colour']},large")
        own = tmp_path / "photos" / FOLDERS[item.attributes["colour"]]
        own.mkdir(parents=True, exist_ok=True)
        (own / f"{item.id}.png").write_bytes(item.read())
    (tmp_path / "shop.csv").write_text("\n".join(rows) + "\n")
    people = [
        f'{{"id": "{p.id}", "text": "{p.text}", "tastes": {{"colour=green": 1.5}}}}'
        for p in personas(60)
    ]
    (tmp_path / "people.jsonl").write_text("\n".join(people) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with Fake() as provider:
        provider.batch_seconds = 0.0
        yield provider


@pytest.fixture
def providers(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hosted teacher has a key, and asks the fake provider wherever its own would be."""

    def address(teacher: Hosted) -> str:
        return fake.url + ("/v1" if isinstance(teacher, Chat) else "")

    for variable in KEYS.values():
        monkeypatch.setenv(variable, KEY)
    monkeypatch.setattr(Hosted, "url", property(address))
    # The day on which a model ends is no business of a page.
    monkeypatch.setattr(models, "check_alive", lambda model, service: None)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture
def quick(own_cache: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs time and is tested elsewhere: the shop is prepared once for all pages, and the
    runs of a comparison are done in this process."""
    (own_cache / "prepared").symlink_to(prepared)
    here = SimpleNamespace(Popen=Here, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(cells, "subprocess", here)


class Here:
    """A process that is this one, and is done at once."""

    def __init__(self, command: list[str], *, stdout: Any, **_: Any) -> None:
        assert command[1:3] == ["-m", "pvd"]
        words = command[3 : command.index("--parent")]  # its parent is ours, and lives
        result = CliRunner().invoke(main, words)
        stdout.write(result.output.encode())
        self.returncode = result.exit_code

    def poll(self) -> int:
        return self.returncode


@pytest.mark.usefixtures("providers", "quick")
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow) if page in LONG else page for page in PAGES],
    ids=[str(page.relative_to(ROOT)) for page in PAGES],
)
def test_every_block_runs(
    page: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    reader = Reader(workplace, monkeypatch)
    for block in blocks(page):
        reader.do(block)


def block(text: str, language: str = "sh") -> Block:
    return Block(ROOT / "README.md", 1, language, text)


@pytest.mark.parametrize(
    ("language", "text", "why"),
    [
        ("", "pvd run --catalgo shop.csv", "No such option"),
        ("sh", "pvd options teacher.nobody", "no teacher 'nobody'"),
        ("sh", "rm -r shop.csv", "what is 'rm'"),
        ("sh", "make coffee", "coffee"),
        ("sh", "pip install '.[gimini]'", "gimini"),
        ("sh", "python -c 'import pvd_gone'", "pvd_gone"),
        ("text", "    pvd run", ""),
        ("text", "the result:\npvd run", "pvd run"),
        ("text", "import pvd", "import pvd"),
        ("cobol", "STOP RUN.", "cobol"),
        ("toml", '[project.entry-points.pvd]\n"cook.mine" = "mine"', "cook"),
        ("python", "# test_nothing.py\nimport pvd", "pytest ended with 5"),
    ],
)
def test_what_cannot_be_run_is_found(
    language: str, text: str, why: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(workplace, monkeypatch)
    if not why:
        reader.do(block(text, language))  # a word of output is no command
        return
    with pytest.raises(AssertionError, match=why):
        reader.do(block(text, language))

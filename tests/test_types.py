"""What pyright, the type checker of most editors, says of the library and of who uses it.

It is no part of the extra `test`: `make check` runs this file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from reader import blocks

pytest.importorskip("pyright", reason="pyright is in the extra `dev`: make check")

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def pyright(*words: str) -> dict[str, Any]:
    """Its report, with the Python that runs this."""
    # Of PATH's python it takes where packages are: an option for that it heeds in one mode alone.
    own = Path(sys.executable).parent
    path = f"{own}{os.pathsep}{os.environ['PATH']}"
    seen = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PATH": path, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        cwd=ROOT,
    )
    return dict(json.loads(seen.stdout))


def test_every_type_of_the_library_is_known() -> None:
    """Without guessing, by pyright's rules for libraries; only what knows click is left out."""
    found = pyright("--verifytypes", "pvd", "--ignoreexternal")["typeCompleteness"]
    names = {symbol["name"] for symbol in found["symbols"]}
    assert {"pvd.Teacher", "pvd.kit.Prompt", "pvd.testing.slate", "pvd.crossed.analyse"} <= names
    guessed = [
        f"{symbol['name']}: {symbol['diagnostics'][0]['message'] if symbol['diagnostics'] else ''}"
        for symbol in found["symbols"]
        if not (symbol["isTypeKnown"] and not symbol["isTypeAmbiguous"])
        and not symbol["name"].startswith("pvd.cli")
    ]
    assert not guessed, "\n".join(guessed)


def checked(folder: Path, mode: str, **rules: str) -> list[str]:
    """What is wrong with the files of a folder."""
    rules = {"typeCheckingMode": mode, "reportMissingModuleSource": "none", **rules}
    (folder / "pyrightconfig.json").write_text(json.dumps(rules))
    report = pyright("--project", str(folder))
    assert report["summary"]["filesAnalyzed"] == len(list(folder.rglob("*.py")))
    found = [one for one in report["generalDiagnostics"] if one["severity"] == "error"]
    lines = [one["range"]["start"]["line"] + 1 for one in found]
    names = [Path(one["file"]).relative_to(folder) for one in found]
    return [f"{n}:{at}: {one['message']}" for n, at, one in zip(names, lines, found, strict=True)]


def test_an_authors_plugins_type_check(tmp_path: Path) -> None:
    code = (ROOT / "tests/typed/author.py").read_text()
    (tmp_path / "author.py").write_text(code)
    (tmp_path / "bare.py").write_text(code.replace("# pyright: ignore", "#"))
    found = checked(tmp_path, "standard", reportUnnecessaryTypeIgnoreComment="error")
    assert [line for line in found if line.startswith("author.py")] == []
    lines = [n for n, line in enumerate(code.split("\n"), 1) if "# pyright: ignore" in line]
    assert [int(line.split(":")[1]) for line in found] == lines


def test_examples_and_pages_type_check(tmp_path: Path) -> None:
    """Each page's blocks are one program, as in test_docs.py."""
    for file in sorted((ROOT / "examples").rglob("*.py")):
        place = tmp_path / file.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())
    for page in PAGES:
        own = tmp_path / page.relative_to(ROOT).with_suffix("")
        own.mkdir(parents=True)
        program = ""
        for block in blocks(page):
            if block.language == "python":
                if block.file:
                    (own / block.file).write_text(block.text)
                if not (block.file or "").startswith("test_"):
                    program += f"{block.text}\n"
        (own / "page.py").write_text(program)
    # Two blocks of a page may be two files, each with a function to register what is in it.
    assert checked(tmp_path, "basic", reportRedeclaration="none") == []

"""Somebody who reads a page of the docs and does what it says: types its commands, runs its Python,
keeps its files. Nothing is skipped: a block, a command or a language that is not known is an error.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import sys
import textwrap
import tomllib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pvd import options
from pvd.cli import main
from pvd.discovery import KINDS
from pvd.kit import parse_json
from pvd.settings import recipe, resolve

ROOT = Path(__file__).parents[2]

FENCE = re.compile(r"^( *)(`{3,})(.*)$")
HEREDOC = re.compile(r"^cat > (\S+) <<'END'$")
EXIT = re.compile(r"\s# exit (\d+)\b")

# What cannot be done here, and why. What is said of it is checked as far as that goes.
STAND_INS = {
    "vllm": "no GPU and no weights: the fake provider answers at its address",
    "ssh": "no other machine",
    "git": "the reader has the checkout already",
    "cd": "the reader stays in one folder; what is typed after it names its files from there",
    ".": "the reader's shell has its environment already",
    "tensorboard": "a server that does not end by itself",
}
HERE = {"pvd", "export", "pip", "make", "python", "pytest", "torchrun", "cat", "mkdir"}
COMMANDS = HERE | STAND_INS.keys()
CODE = ("import ", "from ", "def ", "class ", "@", "$ ", ">>> ")

# Behind a command that trains or asks, so that it is done in a second. The page's own come before.
SMALL = [
    "-o", "train.slates=12", "-o", "train.steps=2", "-o", "train.rounds=1",
    "-o", "train.validation_slates=12", "-o", "exam.personas=3", "-o", "exam.items=12",
    "-o", "exam.repeats=0", "-o", "ask.poll=0.01",
]  # fmt: skip
SMALL_SHOP = ["-o", "catalog.size=90", "-o", "personas.people=60"]
BEGIN = ("run", "label", "compare")  # commands that may begin something
NO_WEIGHTS = {"clip", "fashionclip", "siglip", "open-clip", "marqo-fashionclip"}
NOT_HERE = ("human", "qwen-vl")  # teachers: nobody sits there, and there are no weights


@dataclass(frozen=True)
class Block:
    """A block of code or output, its language as it was written; none for an indented one."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}, line {self.line}"

    @property
    def first(self) -> str:
        return self.text.partition("\n")[0]

    @property
    def file(self) -> str | None:
        """The file that the block is, if it begins with a comment that names one."""
        found = re.fullmatch(r"# ([\w./-]+\.(py|toml|j2))", self.first.strip())
        return found[1] if found else None


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced and every indented block of a page, in order."""
    lines = page.read_text(encoding="utf-8").split("\n")
    at = 0
    while at < len(lines):
        start = at
        assert not lines[at].lstrip().startswith("~~~"), f"{page}, line {at + 1}: fence by ```"
        if fence := FENCE.match(lines[at]):
            at += 1
            while lines[at].strip() != fence[2]:
                at += 1
            text = textwrap.dedent("\n".join(lines[start + 1 : at]))
            yield Block(page, start + 1, fence[3].strip(), text)
        elif lines[at].startswith("    ") and not (start and lines[at - 1].strip()):
            while at < len(lines) and (lines[at].startswith("    ") or not lines[at].strip()):
                at += 1
            text = textwrap.dedent("\n".join(lines[start:at])).strip("\n")
            yield Block(page, start + 1, "", text)
            continue
        at += 1


class Reader:
    """Does what one page says, in the folder where it stands."""

    def __init__(self, folder: Path, env: pytest.MonkeyPatch) -> None:
        self.folder, self.env = folder, env
        self.module = types.ModuleType("a_page_of_the_docs")
        env.setitem(sys.modules, self.module.__name__, self.module)
        env.syspath_prepend(str(folder))

    def do(self, block: Block) -> None:
        language = block.language.split()[0] if block.language else ""
        if not language:
            language = self.guessed(block)
        if language.startswith("{"):
            assert language in ("{toctree}", "{eval-rst}", "{image}"), block.where
            return  # `make docs` builds the site strictly
        assert hasattr(self, f"read_{language}"), f"{block.where}: what is {language!r}?"
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text + "\n", encoding="utf-8")
        getattr(self, f"read_{language}")(block)

    def guessed(self, block: Block) -> str:
        """An indented block is commands, TOML, or what a program prints."""
        if block.first.split()[0] in COMMANDS:
            return "sh"
        return "toml" if block.first.startswith("[") else "text"

    # --- languages --------------------------------------------------------------------------------

    def read_text(self, block: Block) -> None:
        """Nothing that could be run may hide in what is only shown; how a command is used may."""
        if block.first.split()[0] in HERE and "[" not in block.first:
            self.read_sh(block)
            return
        for line in block.text.split("\n"):
            begins = line.split()[0] if line.strip() else ""
            typed = begins in HERE and line.startswith(begins) and "[" not in line
            assert not typed, f"{block.where}: {line}"
            assert not line.startswith(CODE), f"{block.where}: {line}"

    def read_python(self, block: Block) -> None:
        if block.file and Path(block.file).name.startswith("test_"):
            self.tested(block)
            return
        padded = "\n" * block.line + block.text  # so that a traceback names the page's lines
        exec(compile(padded, str(block.page), "exec"), self.module.__dict__)

    def tested(self, block: Block) -> None:
        """A file of tests passes, and there are some."""
        assert block.file
        quiet = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
        counted = Counted()
        code = pytest.main(
            [*quiet, "-p", "no:timeout", "-s", "-c", "/dev/null", "--rootdir", str(self.folder),
             str(self.folder / block.file)], plugins=[counted],
        )  # fmt: skip
        assert code == 0, f"{block.where}: pytest ended with {code}"
        assert counted.passed > 1, f"{block.where} tests nothing"

    def read_toml(self, block: Block) -> None:
        table = tomllib.loads(block.text)
        if "project" in table:
            groups = table["project"]["entry-points"]
            assert groups.keys() == {"pvd"}, block.where
            for name in groups["pvd"]:
                assert name.partition(".")[0] in KINDS, f"{block.where}: {name}"
            return
        resolve(recipe("default"), table)

    def read_json(self, block: Block) -> None:
        """`json metrics.json`: a part of that file, which has these keys."""
        found = json.loads(block.text)
        if name := block.language.partition(" ")[2]:
            real = max(self.folder.rglob(name), key=lambda path: path.stat().st_mtime)
            assert _within(found, json.loads(real.read_text())), f"{block.where}: {real}"

    def read_jsonl(self, block: Block) -> None:
        for number, line in enumerate(block.text.split("\n")):
            parse_json(line, f"{block.where}, its line {number}")

    def read_yaml(self, block: Block) -> None:
        import yaml  # comes with transformers

        assert yaml.safe_load(block.text), block.where

    def read_j2(self, block: Block) -> None:
        assert block.file, f"{block.where}: begin with # name.j2"

    def read_sh(self, block: Block) -> None:
        lines = iter(block.text.replace("\\\n", " ").split("\n"))
        for line in lines:
            if heredoc := HEREDOC.match(line):
                text = "".join(f"{inner}\n" for inner in iter(lambda: next(lines), "END"))
                (self.folder / heredoc[1]).write_text(text, encoding="utf-8")
                continue
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                self.type_export(["", words.pop(0)], block)
            if not words:
                continue
            if words[-1] == "&":
                words.pop()
            assert words[0] in COMMANDS, f"{block.where}: what is {words[0]!r}?"
            if words[0] in STAND_INS:
                continue
            ends = EXIT.search(line)
            kind: Callable[..., None] = getattr(self, f"type_{words[0]}")
            if words[0] in ("pvd", "torchrun"):
                kind(words, block, int(ends[1]) if ends else 0)
            else:
                kind(words, block)

    # --- commands ---------------------------------------------------------------------------------

    def type_export(self, words: list[str], block: Block) -> None:
        name, _, value = words[1].partition("=")
        if value != "...":  # a key that the reader has; here it is set already
            self.env.setenv(name, value)

    def type_pip(self, words: list[str], block: Block) -> None:
        """What is installed is there: this distribution's extras, or a folder with a package."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert words[1] == "install", block.where
        for word in [w for w in words[2:] if not w.startswith("-")]:
            name, _, extras = word.rstrip("]").partition("[")
            if name in (".", project["name"]):
                unknown = set(extras.split(",")) - {""} - project["optional-dependencies"].keys()
                assert not unknown, f"{block.where}: {unknown}"
            elif (self.folder / name).is_dir():
                made = tomllib.loads((self.folder / name / "pyproject.toml").read_text())
                assert made["project"]["entry-points"]["pvd"], block.where
            else:
                assert name in ("torch", "vllm", "pytest"), f"{block.where}: {name}"

    def type_make(self, words: list[str], block: Block) -> None:
        makefile = (ROOT / "Makefile").read_text()
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), f"{block.where}: {words[1]}"

    def type_mkdir(self, words: list[str], block: Block) -> None:
        for name in words[1:]:
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def type_pytest(self, words: list[str], block: Block) -> None:
        """Files of tests run where the page shows them; here they are named as they are called."""
        for name in words[1:]:
            assert (self.folder / name).exists(), f"{block.where}: {name}"

    def type_python(self, words: list[str], block: Block) -> None:
        """A script of the checkout or of the page, or a line of code: it is Python, and what it
        imports is there. Some take half an hour, others want published weights."""
        if words[1:3] == ["-m", "pytest"]:
            self.type_pytest(words[2:], block)
            return
        if words[1] == "-m":  # a module of ours, whose own tests run it
            assert words[2].startswith("pvd"), f"{block.where}: {words[2]}"
            assert importlib.util.find_spec(f"{words[2]}.__main__"), f"{block.where}: {words[2]}"
            return
        if words[1] == "-c":
            code = words[2]
        else:
            (path,) = [p for p in (self.folder / words[1], ROOT / words[1]) if p.exists()]
            script = path / "__main__.py" if path.is_dir() else path
            code = script.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(code)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and words[1] == "-c":
                names.append(node.module or "")
            for name in names:
                top = name.partition(".")[0]
                beside = words[1] != "-c" and list(script.parent.rglob(f"{top}.py"))
                assert beside or importlib.util.find_spec(top), f"{block.where}: {name}"

    def type_torchrun(self, words: list[str], block: Block, ends: int) -> None:
        """By one process: several are tried in tests/core/test_team.py."""
        assert words[3:5] == ["-m", "pvd"], block.where
        self.type_pvd(words[4:], block, ends)

    def type_pvd(self, words: list[str], block: Block, ends: int) -> None:
        typed, file = " ".join(words), ""
        if ">" in words:
            *words, _, file = words
        words = self.smaller(self.here(words[1:]))
        result = CliRunner().invoke(main, words)
        told = f"{block.where}: {typed}\nas {words}\n{result.output}\n{result.exception!r}"
        assert result.exit_code == ends, told
        if file:
            (self.folder / file).write_text(result.stdout, encoding="utf-8")

    def here(self, words: list[str]) -> list[str]:
        """The command without what is not here: GPUs, published weights, people."""
        if "1a2b3c4d" in " ".join(words):  # a run that the page began, whatever its digest is
            (begun, *_) = (self.folder / "runs").glob("simulated-tiny-????????")
            words = [re.sub(r"runs/simulated-tiny-1a2b3c4d", str(begun), word) for word in words]
        words = [word.replace(".device=cuda", ".device=cpu") for word in words]
        if "--device" in words:
            at = words.index("--device")
            words = words[:at] + words[at + 2 :]
        if "--student" in words and words[words.index("--student") + 1] in NO_WEIGHTS:
            at = words.index("--student")
            options.build("student", _table(words, "student"), "student")  # such options exist
            words = words[:at] + words[at + 2 :]
            at = next((n for n, w in enumerate(words) if w.startswith("student.")), 0)
            while at:
                words = words[: at - 1] + words[at + 1 :]
                at = next((n for n, w in enumerate(words) if w.startswith("student.")), 0)
        asked = re.search(rf"\b({'|'.join(NOT_HERE)})\b", " ".join(words))
        if asked and words[0] in (*BEGIN, "audit") and "--dry-run" not in words:
            if words[0] == "label":
                words = ["run", *words[2:]]
            words = [*words, "--dry-run"]
        return words

    def smaller(self, words: list[str]) -> list[str]:
        """The same command with options behind it that make it small."""
        if words[0] not in BEGIN:
            return words
        words = [*words, *SMALL]
        if "--catalog" not in words and not self.names_a_shop(words):
            words += SMALL_SHOP
        return [*words, "--seeds", "1", "--jobs", "1"] if words[0] == "compare" else words

    def names_a_shop(self, words: list[str]) -> bool:
        """Whether a configuration, or a run that is there, says which catalogue."""
        files = [self.folder / words[1] / "run.toml"] if words[0] == "label" else []
        if "--config" in words:
            files.append(self.folder / words[words.index("--config") + 1])
        return any(file.exists() and "catalog" in options.read_toml(file) for file in files)


def _table(words: list[str], kind: str) -> options.Table:
    """What a command's words set on a component."""
    table: options.Table = {kind: {"use": words[words.index(f"--{kind}") + 1]}}
    for word in words:
        if word.startswith(f"{kind}."):
            table = options.merge(table, options.assignment(word))
    return dict(table[kind])


def _within(part: Any, whole: Any) -> bool:
    """Whether all keys of a part are in the whole, at their places."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            key in whole and _within(value, whole[key]) for key, value in part.items()
        )
    if isinstance(part, list) and part:
        return isinstance(whole, list) and bool(whole) and _within(part[0], whole[0])
    return True


class Counted:
    """How many tests of a page's file passed."""

    def __init__(self) -> None:
        self.passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed += report.when == "call" and report.passed

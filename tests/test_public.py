"""What is public is whole: named, typed, documented, and shown in use."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
import tokenize
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import pvd
import pvd.auditing
import pvd.comparing.comparison
import pvd.crossed
import pvd.kit
import pvd.pipeline
import pvd.testing
from pvd import hookspecs
from pvd.keywords import RunSettings
from pvd.settings import Settings

ROOT = Path(__file__).parents[1]
MODULES = (pvd, pvd.kit, pvd.testing, pvd.crossed)
NAMES = [(module, name) for module in MODULES for name in module.__all__]
CLASSES = {
    value
    for module, name in NAMES
    if module is not pvd.testing and inspect.isclass(value := getattr(module, name))
}
STAGES = ("catalog", "pictures", "scoring", "drawing", "asking", "training", "tournament", "exam")
SPECIAL = ("__call__", "__enter__", "__exit__")  # as good as any other method


def title(value: Any) -> str:
    return value.__name__ if hasattr(value, "__name__") else str(value)


# --- what the source says -------------------------------------------------------------------


@cache
def documented(path: Path) -> dict[tuple[str, str], str]:
    """The `#:` comments of a file by (class or "", name): above a name, or behind it."""
    text = path.read_text()
    lines = text.split("\n")
    with path.open("rb") as file:
        said = {
            token.start[0]: token.string.removeprefix("#:").strip()
            for token in tokenize.tokenize(file.readline)
            if token.type == tokenize.COMMENT and token.string.startswith("#:")
        }
    found: dict[tuple[str, str], str] = {}

    def named(node: ast.stmt) -> Iterator[str]:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:  # type: ignore[attr-defined]
            if isinstance(target, ast.Name):
                yield target.id
            elif isinstance(target, ast.Attribute):  # self.folder
                yield target.attr

    def walk(body: list[ast.stmt], owner: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                walk(node.body, node.name)
            elif isinstance(node, ast.FunctionDef) and node.name == "__init__":
                walk(node.body, owner)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                above = node.lineno - 1
                while lines[above - 1].strip().startswith("#:"):
                    above -= 1
                here = [said[n] for n in range(above + 1, node.end_lineno + 1) if n in said]
                for name in named(node):
                    if here:
                        found[owner, name] = " ".join(here)

    walk(ast.parse(text).body, "")
    return found


def source(value: type | ModuleType) -> Path:
    return Path(str(inspect.getsourcefile(value)))


def home(module: ModuleType, name: str) -> tuple[Path, str]:
    """The file in which a name that is no class or function is assigned, and its name there."""
    path = source(module)
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pvd"):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return home(import_module(node.module), alias.name)
    return path, name


def is_code(value: Any) -> bool:
    return inspect.isclass(value) or inspect.isroutine(value)


def check_sentence(doc: str | None, what: str) -> None:
    """More than a name: a sentence, and no signature that dataclasses wrote."""
    assert doc, f"{what} has no docstring"
    first = inspect.cleandoc(doc).split("\n\n")[0]
    assert not re.match(rf"{what.rpartition('.')[2]}\(", first), f"{what} has only a signature"
    own = set(re.findall(r"[a-z]+", what.lower()))
    more = set(re.findall(r"[a-z]+", first.lower())) - own
    assert len(more) >= 2, f"{what} says no more than {first!r}"
    assert first[-1] in ".:`?", f"{what} begins with no sentence: {first!r}"


# --- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES, ids=title)
def test_all_is_in_order_and_whole(module: ModuleType) -> None:
    def place(name: str) -> tuple[int, str]:  # as ruff sorts them
        return 0 if name.isupper() else 1 if name[0].isupper() else 2, name

    assert list(module.__all__) == sorted(set(module.__all__), key=place)
    for name, value in vars(module).items():
        ours = is_code(value) and value.__module__.startswith("pvd") and name[0] != "_"
        if ours and module is not pvd.testing:
            assert name in module.__all__ or name in pvd.__all__, f"{module.__name__}.{name}"


def test_pvd_shows_what_is_public_and_nothing_else() -> None:
    assert dir(pvd) == sorted(pvd.__all__)
    with pytest.raises(AttributeError, match="module 'pvd' has no attribute 'Runs'"):
        _ = pvd.Runs


def test_what_comes_later_is_the_same_each_time_and_loads_no_torch() -> None:
    code = """
import sys, pvd
first = [getattr(pvd, name) for name in pvd.__all__]
assert all(a is b for a, b in zip(first, (getattr(pvd, name) for name in pvd.__all__)))
from pvd import Audit, Compared, Index, Run
print(Audit.__name__, Compared.__name__, Index.__name__, Run.__name__, "torch" in sys.modules)
"""
    words = [sys.executable, "-c", code]
    seen = subprocess.run(words, capture_output=True, text=True, check=True)
    assert seen.stdout.split() == ["Audit", "Compared", "Index", "Run", "False"]


def test_a_library_and_its_implementation_take_the_same() -> None:
    for public, own in (
        (pvd.run, pvd.pipeline.run),
        (pvd.audit, pvd.auditing.audit),
        (pvd.compare, pvd.comparing.comparison.compare),
    ):
        mine, theirs = (dict(inspect.signature(f).parameters) for f in (public, own))
        assert mine.popitem()[1].kind is theirs.popitem()[1].kind is inspect.Parameter.VAR_KEYWORD
        assert list(mine) == list(theirs)
        assert [p.default for p in mine.values()] == [p.default for p in theirs.values()]


def test_settings_as_keywords_are_all_settings() -> None:
    assert list(RunSettings.__annotations__) == [f.name for f in dataclasses.fields(Settings)]
    said = documented(ROOT / "core/pvd/keywords.py")
    assert {name for _, name in said} >= set(RunSettings.__annotations__)


# --- documentation --------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "name"), NAMES, ids=title)
def test_a_public_name_says_what_it_is(module: ModuleType, name: str) -> None:
    value = getattr(module, name)
    if is_code(value):
        check_sentence(value.__doc__, f"{module.__name__}.{name}")
    else:
        path, own = home(module, name)
        assert ("", own) in documented(path), f"{path.name}: {own} has no comment that begins `#:`"


@pytest.mark.parametrize("hook", [h for h in vars(hookspecs) if h.startswith(("register_", "on_"))])
def test_a_hook_says_when_it_is_called(hook: str) -> None:
    check_sentence(getattr(hookspecs, hook).__doc__, hook)


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """Its own public methods and properties."""
    for name, value in vars(cls).items():
        if name.startswith("_") and name not in SPECIAL:
            continue
        if isinstance(value, classmethod | staticmethod):
            yield name, value.__func__
        elif isinstance(value, property):
            yield name, value.fget
        elif hasattr(value, "func"):  # cached_property
            yield name, value.func
        elif isinstance(value, FunctionType):
            yield name, value


@pytest.mark.parametrize("cls", sorted(CLASSES, key=title), ids=title)
def test_methods_and_fields_say_what_they_are(cls: type) -> None:
    for name, function in members(cls):
        if name != "__call__" or function.__doc__:
            check_sentence(function.__doc__, f"{cls.__name__}.{name}")
    said = documented(source(cls))
    fields = [name for name in inspect.get_annotations(cls) if name[0] != "_"]
    silent = [name for name in fields if (cls.__name__, name) not in said]
    assert not silent, f"{cls.__name__}: without a comment that begins `#:`: {', '.join(silent)}"


@pytest.mark.parametrize("stage", [*STAGES, "validation", "report", "outcome", "store"])
def test_a_stage_says_how_it_is_used_alone(stage: str) -> None:
    """What a stage shows, and if it is a record each of its fields."""
    module = import_module(f"pvd.{stage}")
    assert module.__doc__
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if is_code(value) and value.__module__ == module.__name__ and name[0] != "_"
    ]
    assert names
    for name in names:
        value = getattr(module, name)
        if not is_code(value):
            continue
        assert value.__doc__, f"{stage}.{name} has no docstring"
        assert not value.__doc__.startswith(f"{name}("), f"{stage}.{name} has only a signature"
        for method, function in members(value) if inspect.isclass(value) else ():
            overrides = any(method in vars(base) for base in value.__mro__[1:])
            assert function.__doc__ or overrides, f"{stage}.{name}.{method} has no docstring"
        assert not unannotated(value) or inspect.isclass(value)


def test_the_reader_of_comments_misses_none(tmp_path: Path) -> None:
    file = tmp_path / "records.py"
    file.write_text(
        "class A:\n    one: int  #: first\n    two: int\n    #: third,\n    #: in two lines\n"
        "    three: int = 3\n    # no documentation\n    four: int\n"
        "    def __init__(self):\n        self.five: int = 5  #: fifth\n#: a name\nB = 1\n"
    )
    assert documented(file) == {
        ("A", "one"): "first",
        ("A", "three"): "third, in two lines",
        ("A", "five"): "fifth",
        ("", "B"): "a name",
    }


# --- types ----------------------------------------------------------------------------------


def unannotated(function: Any) -> list[str]:
    signature = inspect.signature(function)
    empty = inspect.Signature.empty
    found = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is empty and name not in ("self", "cls")
    ]
    return [*found, "return"] if signature.return_annotation is empty else found


@pytest.mark.parametrize(("module", "name"), NAMES, ids=title)
def test_signatures_are_annotated(module: ModuleType, name: str) -> None:
    value = getattr(module, name)
    if not inspect.isclass(value):
        assert not inspect.isroutine(value) or not unannotated(value)
        return
    own = dict(members(value))
    if "__init__" in vars(value) and not dataclasses.is_dataclass(value):
        own["__init__"] = value.__init__
    bare = {method: found for method, f in own.items() if (found := unannotated(f))}
    assert not bare


def test_the_wheel_says_that_it_is_typed(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    assert {"pvd/py.typed", "pvd_plugins/py.typed", "pvd/outcome.py"} <= set(inside)


# --- in use ---------------------------------------------------------------------------------

# Names that no page shows, each with its reason.
UNSHOWN: dict[str, str] = {}


@cache
def shown() -> str:
    """The Python of README, docs and examples."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    fence = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
    blocks = [block for page in pages for block in fence.findall(page.read_text())]
    return "\n".join([*blocks, *(p.read_text() for p in (ROOT / "examples").rglob("*.py"))])


@pytest.mark.parametrize("module", MODULES, ids=title)
def test_every_public_name_is_shown_in_use(module: ModuleType) -> None:
    last = module.__name__.rpartition(".")[2]
    imported = {
        name
        for line in re.findall(rf"from {module.__name__} import ([\w, ]+)", shown())
        for name in line.split(", ")
    }
    missing = [
        name
        for name in module.__all__
        if name not in imported
        and f"{module.__name__}.{name}" not in UNSHOWN
        and not re.search(rf"\b{last}\.{name}\b", shown())
    ]
    assert not missing, f"in no code block: {', '.join(missing)}"

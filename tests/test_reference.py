"""The reference names everything that there is, as it is. What docs/reference/write.py writes is
made anew by

    .venv/bin/python docs/reference/write.py
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import click
import pytest

import pvd
import pvd.kit
import pvd.testing
from pvd import errors, hookspecs, options, settings
from pvd.cli import main
from pvd.discovery import KINDS, registry

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs/reference"


def _writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_write", REFERENCE / "write.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name: str) -> str:
    return (REFERENCE / name).read_text("utf-8")


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next of its level or a higher one."""
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading!r}"
    return re.split(rf"\n#{{1,{heading.index(' ')}}} ", rest)[0]


@pytest.mark.parametrize("name", _writer().PAGES)
def test_pages_are_what_the_program_says(name: str) -> None:
    assert page(name) == _writer().PAGES[name](), "stale; run docs/reference/write.py"


def tree(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not command.hidden:
        yield name, command
    for inner, child in getattr(command, "commands", {}).items():
        yield from tree(child, f"{name} {inner}")


@pytest.mark.parametrize(
    ("name", "command"),
    list(tree(main, "pvd")),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_command_and_option_is_there(name: str, command: click.Command) -> None:
    own = section(page("commands.md"), f"## {name}")
    if "(#options-of-a-run)" in own:
        own += section(page("commands.md"), "## Options of a run")
    for param in command.params:
        if isinstance(param, click.Option):
            for spelling in (*param.opts, *param.secondary_opts):
                assert param.hidden or f"`{spelling}`" in own
        else:
            assert param.make_metavar(click.Context(command)) in own


def described() -> Iterator[tuple[str, str, type]]:
    """(heading, what keys begin with, class) of each section and each bundled plug-in."""
    yield "run", "", settings.Settings
    for name, annotation in options.option_types(settings.Settings).items():
        if isinstance(annotation, type) and annotation.__module__ == "pvd.settings":
            yield name, f"{name}.", annotation
    for row in registry.listing():
        if row.distribution.startswith("pvd-distill "):
            kind, _, name = row.name.partition(".")
            yield row.name, "", registry.get(kind, name)


def test_every_option_is_there() -> None:
    text, seen = page("options.md"), []
    for heading, prefix, cls in described():
        rows = section(text, f"### {heading}").splitlines()
        for option in options.describe(cls):
            (row,) = (row for row in rows if row.startswith(f"| `{prefix}{option.name}` |"))
            assert option.help.replace("|", "\\|") in row
        seen.append(heading)
    assert {"run", "train", "exam", "ask", "split", "streams", "teacher.simulated"} <= {*seen}
    assert {name.partition(".")[0] for name in seen} >= {*KINDS}


@pytest.mark.parametrize(
    "hook", [name for name, value in vars(hookspecs).items() if hasattr(value, "pvd_spec")]
)
def test_every_hook_is_there(hook: str) -> None:
    own = section(page("hooks.md"), f"### {hook}")
    for argument in inspect.signature(getattr(hookspecs, hook)).parameters:
        assert re.search(rf"[(\s]{argument}: ", own)
    assert len(own.split("```")[2].split()) > 4  # it says when it is called


@pytest.mark.parametrize("module", [pvd, pvd.kit, pvd.testing], ids=lambda m: m.__name__)
def test_every_public_name_is_there(module: ModuleType) -> None:
    text = page("api.md")
    rows = section(text, f"## {module.__name__}")
    blocks = section(text, f"## {module.__name__}, one by one")
    for name in module.__all__:
        assert f"| `{name}` | " in rows
        own = section(f"\n{blocks}", f"### {module.__name__}.{name}")
        assert not re.search(r"<[\w.]+ object|\bat 0x", own)  # a default that says nothing
        value = getattr(module, name)
        if isinstance(value, type) or inspect.isroutine(value):
            assert own_words(value) in " ".join(own.split())
        if isinstance(value, type):
            for field in fields(value) if is_dataclass(value) else ():
                inherited = field.name not in inspect.get_annotations(value)
                assert inherited or re.search(rf"(?m)^\| `{field.name}` \| .*[^|\s] \|$", own)
            for method, raw in vars(value).items():
                if inspect.isfunction(raw) and raw.__doc__ and not method.startswith("_"):
                    assert re.search(rf"(?m)^(abstract )?{method}\(", own), method
                    assert own_words(raw) in " ".join(own.split())


def own_words(value: object) -> str:
    """How a docstring begins."""
    return " ".join((value.__doc__ or "").split("\n\n")[0].split())


def test_every_exit_code_is_there() -> None:
    rows = section(page("files.md"), "## Exit codes")
    for code in (0, 1, *errors.ERRORS):
        assert f"\n| {code} |" in rows
    for error in errors.ERRORS.values():
        assert re.search(rf"\n\| {error.exit_code} \| `{error.__name__}` \|", rows)


VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")


def variables() -> Iterator[tuple[str, str]]:
    """(file, variable): what is read from the environment, set in it, or read as a key."""
    for path in sorted([*ROOT.glob("core/**/*.py"), *ROOT.glob("plugins/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.expr | ast.Assign | ast.AnnAssign):
                continue
            source = ast.unparse(node)
            keys = re.match(r"(keys|KEYS)\b", source) and not isinstance(node, ast.expr)
            if keys or re.search(r"\benviron\b|\bsecret\(", source):
                for inner in ast.walk(node):
                    value = getattr(inner, "value", None)
                    if isinstance(value, str) and VARIABLE.fullmatch(value):
                        yield path.name, value


def test_every_environment_variable_is_there() -> None:
    rows = section(page("files.md"), "## Environment variables")
    found = set(variables())
    for file, variable in found:
        assert f"`{variable}`" in rows, f"{variable} of {file}"
    assert {"PVD_CACHE_DIR", "PVD_MODELS", "GEMINI_API_KEY"} <= {name for _, name in found}


def test_every_file_of_a_run_is_there(tmp_path: Path) -> None:
    text = section(page("files.md"), "## The run folder")
    pvd.run(
        out=tmp_path / "run",
        store=tmp_path / "answers.sqlite",
        prepared_gb=0.0,
        train={"rounds": 1, "slates": 12, "steps": 2, "validation_slates": 12},
        exam={"personas": 3, "items": 12},
        catalog={"use": "boutique", "size": 90},
        personas={"use": "boutique", "people": 60},
    )
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(written) > 15
    for path in written:
        place = path.relative_to(tmp_path / "run")
        whole = str(place) if place.parts[0] != "rounds" else place.name
        assert f"`{whole}`" in text or f"`{place.parent}/`" in text, place


def test_the_picture_of_the_flow_names_what_there_is() -> None:
    texts = [
        (element.get("class"), element.text or "")
        for element in ElementTree.parse(ROOT / "docs/_static/flow.svg").iter()
        if element.tag.endswith("}text")
    ]
    modules = {word for kind, text in texts if kind == "module" for word in text.split()}
    records = {
        word
        for kind, text in texts
        if kind == "record"
        for word in re.findall(r"\b[A-Z][a-z]\w+", text)
    }
    assert len(modules) > 15
    assert len(records) > 8
    for module in modules - {"answers.sqlite"}:
        assert (ROOT / "core/pvd" / module).exists(), module
    assert records <= {*pvd.__all__}


LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[^)\s]*)?\)")


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_links_into_the_docs_lead_somewhere(name: str) -> None:
    """Those between the docs are looked at by `make docs`."""
    for target, anchor in LINK.findall((ROOT / name).read_text("utf-8")):
        path = ROOT / target
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor[1:] in map(slug, headings), target + anchor


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")

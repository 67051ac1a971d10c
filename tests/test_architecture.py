"""The rules of the layout (CONTRIBUTING.md), read from the code itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core/pvd"
PLUGINS = ROOT / "plugins/pvd_plugins"
PUBLIC = {"pvd", "pvd.kit", "pvd.testing"}
HEAVY = {"torch", "numpy", "PIL", "transformers", "pydantic", "matplotlib", "rich", "sqlite3"}


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> list[tuple[int, str, bool]]:
    """(relative level, module, at the top) for each import; TYPE_CHECKING left out."""
    found: list[tuple[int, str, bool]] = []

    def walk(node: ast.AST, top: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                found.extend((0, alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                module = child.module or ""
                found.append((child.level, module, top))
                inner = CORE.parent.joinpath(*module.split("."))
                found.extend(
                    (0, f"{module}.{alias.name}", top)
                    for alias in child.names
                    if module == "pvd" or (inner / f"{alias.name}.py").is_file()
                )
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            walk(child, top and not inside)

    walk(ast.parse(path.read_text()), True)
    return found


@pytest.mark.parametrize("path", files(CORE), ids=name)
def test_core_never_names_the_bundled_plugins(path: Path) -> None:
    assert "pvd_plugins" not in path.read_text()


@pytest.mark.parametrize("path", files(PLUGINS), ids=name)
def test_a_plugin_uses_only_what_a_stranger_could(path: Path) -> None:
    kind = path.relative_to(PLUGINS).parts[0]
    depth = len(path.relative_to(PLUGINS).parts) - 1  # how many dots lead out of the kind
    inside = [p for p in CORE.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()]
    submodules = {f"pvd.{p.stem}" for p in inside}
    for level, module, _ in imports(path):
        if level:
            assert level <= depth, f"{'.' * level}{module} leaves {kind}"
        elif module.split(".")[0] == "pvd":
            assert module in PUBLIC or module not in submodules, module
            assert module.count(".") < 2 or module.startswith("pvd.testing"), module
        elif module.split(".")[0] == "pvd_plugins":
            assert module.split(".")[1] == kind, module


@pytest.mark.parametrize("path", files(CORE), ids=name)
def test_only_the_command_line_knows_click(path: Path) -> None:
    if path.parent.name != "cli":
        assert "click" not in {module for _, module, _ in imports(path)}


@pytest.mark.parametrize("path", files(CORE), ids=name)
def test_only_the_pipeline_knows_the_order(path: Path) -> None:
    """A stage imports neither the pipeline nor the command line nor a page, and of what compares
    runs only `comparison` knows how one goes; records import nothing of ours."""
    used = {module for _, module, _ in imports(path)}
    ordering = ("pipeline", "comparison", "__main__", "__init__")
    if path.parent.name != "cli" and path.stem not in ordering:
        assert not used & {"pvd.pipeline", "pvd.cli", "pvd.report", "pvd.comparing.report"}
    if path.stem in ("records", "rankings", "tokens", "errors", "streams"):
        ours = {m for m in used if m.startswith("pvd.")} - {"pvd.errors", "pvd.images"}
        ours -= {"pvd.rankings", "pvd.tokens"}
        assert not ours, ours


def test_no_two_files_need_each_other() -> None:
    """Neither while they are imported nor later, inside functions. A package's `__init__`, which
    collects what its files offer, is no part of a circle."""
    paths = {path for path in files(CORE) if path.stem != "__init__"}
    modules = {
        ".".join(path.relative_to(CORE.parent).with_suffix("").parts): path for path in paths
    }
    needs = {
        one: {module for _, module, _ in imports(path) if module in modules}
        for one, path in modules.items()
    }
    assert sum(map(len, needs.values())) > len(modules), "or the reading above is wrong"
    TopologicalSorter(needs).prepare()  # CycleError names the files


@pytest.mark.parametrize(
    ("path", "most"),
    [*((p, 350) for p in files(CORE)), *((p, 250) for p in files(PLUGINS))],
    ids=lambda value: name(value) if isinstance(value, Path) else "",
)
def test_files_can_be_read_in_one_sitting(path: Path, most: int) -> None:
    # Tables of data (the boutique's personas) are read differently from code.
    lines = path.read_text().count("\n")
    assert lines <= most or path.name in ("personas.py", "captions.py")


@pytest.mark.parametrize(
    "command",
    [["--help"], ["plugins"], ["run", "--help"], ["--version"]],
    ids=" ".join,
)
def test_looking_loads_nothing_heavy(command: list[str]) -> None:
    seen = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pvd", *command],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in seen.stderr.splitlines()}
    assert "click" in loaded  # or the parsing above is wrong
    assert not HEAVY & loaded
    assert not any(module.startswith("pvd_plugins") for module in loaded)


def test_importing_pvd_loads_nothing_heavy() -> None:
    code = "import pvd, pvd.kit, pvd.testing, sys; print(*sys.modules)"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY - {"sqlite3"} & set(seen.stdout.split())


def test_a_bundled_plugin_module_loads_nothing_heavy() -> None:
    code = """
import sys
from importlib import import_module
from importlib.metadata import entry_points
for entry in entry_points(group="pvd"):
    import_module(entry.value)
print(*sys.modules)
"""
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pvd_plugins.teachers.simulated" in seen.stdout
    assert not (HEAVY - {"sqlite3"}) & set(seen.stdout.split())


def test_nobody_is_told_to_install_a_strangers_package() -> None:
    tracked = subprocess.run(
        ["git", "grep", "-nE", "pip install (-[a-zA-Z]+ )*pvd($|[^-a-z])", "--", "."],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    lines = [line for line in tracked.stdout.splitlines() if "test_architecture.py" not in line]
    assert not lines

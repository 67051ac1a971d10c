"""Discovery: real distributions in a temporary folder, good ones and broken ones side by side."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import pvd
from pvd.cli import main
from pvd.discovery import KINDS, Registry, registry
from pvd.errors import (
    BadInput,
    MissingFile,
    MissingPrerequisite,
    PluginError,
    PvdError,
    UnknownName,
    UsageError,
)
from pvd.options import describe, fill

# Each module may be imported once in a process; so every test has modules of its own.
numbers = itertools.count()

HEAD = "from __future__ import annotations\nimport pvd\nfrom dataclasses import dataclass\n"


def teacher(name: str, cls: str = "Mine") -> str:
    return f"""
@dataclass(kw_only=True)
class {cls}(pvd.Teacher):
    strictness: int = 3


@pvd.hookimpl
def register_teachers(register):
    register("{name}", {cls})
"""


Install = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """`install("acme", source, "teacher.x")`: a distribution with one module that declares names;
    the module's name."""
    made: list[str] = []
    monkeypatch.syspath_prepend(tmp_path)

    def make(dist: str, source: str, *names: str, version: str = "1.0") -> str:
        module = f"{dist.replace('-', '_')}_{next(numbers)}"
        made.append(module)
        (tmp_path / f"{module}.py").write_text(HEAD + source)
        info = tmp_path / f"{dist}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: {version}\n")
        lines = "".join(f"{name} = {module}\n" for name in names)
        (info / "entry_points.txt").write_text(f"[pvd]\n{lines}")
        return module

    yield make
    for name in [name for name in sys.modules if name in made or name.startswith("pvd_file_")]:
        del sys.modules[name]


def status(registry: Registry, name: str) -> str:
    (row,) = [row for row in registry.listing() if row.name == name]
    return row.status


def code_run(source: str, *path: Path) -> str:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, "-c", source], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


# --- what works -------------------------------------------------------------------------------


def test_listing_and_names_import_nothing(install: Install, tmp_path: Path) -> None:
    module = install("acme", teacher("acme"), "teacher.acme")
    found = code_run(
        "import sys\n"
        "from pvd.discovery import registry\n"
        "rows = registry.listing()\n"
        "assert 'acme' in registry.names('teacher'), registry.names('teacher')\n"
        "assert {row.status for row in rows} == {'installed'}, rows\n"
        f"heavy = {{{module!r}, 'pvd_plugins', 'torch', 'numpy', 'PIL', 'click'}}\n"
        "print(sorted(heavy & set(sys.modules)))",
        tmp_path,
    )
    assert found == "[]"


def test_only_the_named_module_is_loaded(install: Install) -> None:
    mine = install("acme", teacher("acme"), "teacher.acme")
    other = install("other", "raise SystemError('I must not be imported')", "teacher.other")
    registry = Registry()
    cls = registry.get("teacher", "acme")
    assert cls is sys.modules[mine].Mine
    assert cls.name == "teacher.acme"
    assert other not in sys.modules
    assert status(registry, "teacher.acme") == "loaded"
    assert status(registry, "teacher.other") == "installed"
    (row,) = [row for row in registry.listing() if row.name == "teacher.acme"]
    assert (row.module, row.distribution) == (mine, "acme 1.0")


def test_the_bundled_plug_ins_are_found_like_any_other() -> None:
    registry = Registry()
    assert "simulated" in registry.names("teacher")
    assert {row.distribution.split()[0] for row in registry.listing()} >= {"pvd-distill"}
    assert all(row.name.partition(".")[0] in KINDS for row in registry.listing())


def test_one_module_may_bring_several(install: Install) -> None:
    source = """
calls = []

@dataclass(kw_only=True)
class One(pvd.Teacher): ...

@dataclass(kw_only=True)
class Two(One): ...

@dataclass(kw_only=True)
class Eye(pvd.Observer): ...

@pvd.hookimpl
def register_teachers(register):
    calls.append("teachers")
    register("one", One)
    register("two", Two)

@pvd.hookimpl
def register_observers(register):
    register("eye", Eye)
"""
    module = install("several", source, "teacher.one", "teacher.two", "observer.eye")
    registry = Registry()
    assert registry.get("teacher", "two").name == "teacher.two"
    assert registry.get("teacher", "one").name == "teacher.one"
    assert registry.get("observer", "eye").name == "observer.eye"
    assert sys.modules[module].calls == ["teachers"]


def test_loading_one_neither_replays_nor_overwrites_another(install: Install) -> None:
    """`register_*` is historic: pluggy must not call A's hook again when B comes."""
    counting = "calls = []\n" + teacher("{0}").replace(
        "    register(", "    calls.append(1)\n    register("
    )
    first = install("first", counting.replace("{0}", "a"), "teacher.a")
    second = install("second", counting.replace("{0}", "b"), "teacher.b")
    registry = Registry()
    a = registry.get("teacher", "a")
    b = registry.get("teacher", "b")
    registry.get("teacher", "consistent")
    assert registry.get("teacher", "a") is a is sys.modules[first].Mine
    assert registry.get("teacher", "b") is b is sys.modules[second].Mine
    assert (a.name, b.name) == ("teacher.a", "teacher.b")
    assert sys.modules[first].calls == sys.modules[second].calls == [1]


def test_an_unknown_name_shows_the_nearest_and_all(install: Install) -> None:
    install("acme", teacher("acme-vision"), "teacher.acme-vision")
    registry = Registry()
    with pytest.raises(UnknownName) as caught:
        registry.get("teacher", "acme-visoin")
    sentence = str(caught.value)
    assert sentence.startswith("There is no teacher 'acme-visoin'; did you mean 'acme-vision'?")
    for name in registry.names("teacher"):
        assert name in sentence
    for kind, name, hint in (
        ("teacher", "teacher.acme-vision", "write 'acme-vision', without its kind."),
        ("sampler", "acme-vision", "'acme-vision' is a teacher."),
        ("evaluator", "teacher.acme-vision", "'teacher.acme-vision' is a teacher."),
        ("teacher", "mpr", "'mpr' is an evaluator."),
    ):
        with pytest.raises(UnknownName) as caught:
            registry.get(kind, name)
        assert str(caught.value).startswith(f"There is no {kind} {name!r}; {hint} There are: ")
    with pytest.raises(UnknownName, match=r"^There is no teacher 'zzz'\. There are: acme-vision"):
        registry.get("teacher", "zzz")


# --- what is broken ---------------------------------------------------------------------------

BROKEN = {
    "at import": ("raise RuntimeError('first line\\nsecond line')", "RuntimeError: first line sec"),
    "syntax": ("def (:", "SyntaxError"),
    "at register": (
        teacher("bad").replace("    register(", "    raise KeyError('oh')\n    register("),
        "KeyError: 'oh'",
    ),
    "undeclared name": (
        teacher("sneaky"),
        "it registers 'teacher.sneaky', which its entry points do not declare; add "
        '"teacher.sneaky" = "broken_dist',
    ),
    "a bundled name": (
        teacher("simulated"),
        "it registers 'teacher.simulated', which its entry points do not declare; choose another, "
        "that one is taken.",
    ),
    "registers nothing": ("x = 1", "loads but does not register 'teacher.bad'"),
    "misspelt hook": (
        teacher("bad").replace("register_teachers", "register_teacher"),
        "there is no hook 'register_teacher'; did you mean 'register_teachers'?",
    ),
    "misspelt argument": (
        teacher("bad").replace("(register):", "(registre):"),
        "its hook register_teachers takes registre; name its one argument register.",
    ),
    "a hook without its mark": (
        teacher("bad").replace("@pvd.hookimpl\n", ""),
        "does not register 'teacher.bad'; put @pvd.hookimpl above its function register_teachers.",
    ),
    "no dataclass": (
        teacher("bad").replace("@dataclass(kw_only=True)", ""),
        "teacher.bad is no dataclass; put @dataclass(kw_only=True) above it",
    ),
    "wrong base class": (
        teacher("bad").replace("pvd.Teacher", "pvd.Loss"),
        "teacher.bad is the class Mine, a pvd.Loss, no subclass of pvd.Teacher; register Mine in "
        "register_losses.",
    ),
    "no base class": (
        teacher("bad").replace("(pvd.Teacher)", ""),
        "teacher.bad is the class Mine, no subclass of pvd.Teacher; write class Mine(pvd.Teacher).",
    ),
    "an object": (
        teacher("bad").replace("Mine)\n", "Mine())\n"),
        "teacher.bad is an object of the class Mine; register Mine, without ().",
    ),
    "a number": (
        teacher("bad").replace("Mine)\n", "3)\n"),
        "teacher.bad is 3, no subclass of pvd.Teacher; register a class.",
    ),
    "a function": (
        teacher("bad").replace("Mine)\n", "register_teachers)\n"),
        "teacher.bad is a function, no subclass of pvd.Teacher; register a class.",
    ),
    "a number as a name": (
        teacher("bad").replace('"bad"', "5"),
        "5 is no name; names are text, such as 'mine'.",
    ),
    "one class, two names": (
        teacher("bad") + '    register("worse", Mine)\n',
        "teacher.worse is the class of teacher.bad",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plug_in_is_an_error_of_one_line_and_nobody_elses(
    install: Install, case: str
) -> None:
    source, why = BROKEN[case]
    install("broken-dist", source, "teacher.bad", "teacher.worse")
    install("acme", teacher("acme"), "teacher.acme")
    registry = Registry()
    assert status(registry, "teacher.bad") == "installed"
    with pytest.raises(PluginError) as caught:
        registry.get("teacher", "bad")
    sentence = str(caught.value)
    assert sentence.startswith("The plug-in teacher.bad of broken-dist 1.0 cannot be loaded: ")
    assert why in sentence
    assert "\n" not in sentence
    # it is remembered, said again, and listed
    with pytest.raises(PluginError) as again:
        registry.get("teacher", "bad")
    assert str(again.value) == sentence
    assert status(registry, "teacher.bad") == sentence
    assert "bad" in registry.names("teacher")
    # nothing of it stays, and the others work
    with pytest.raises(PluginError):
        registry.get("teacher", "worse")
    assert registry.get("teacher", "acme").name == "teacher.acme"
    assert registry.get("teacher", "simulated").name == "teacher.simulated"
    assert "sneaky" not in registry.names("teacher")


def test_a_module_that_raises_half_way_registers_nothing(install: Install) -> None:
    source = teacher("one") + "    register('two', 2)\n"
    install("half", source, "teacher.one", "teacher.two")
    registry = Registry()
    with pytest.raises(PluginError, match=r"teacher\.two is 2, no subclass"):
        registry.get("teacher", "one")
    with pytest.raises(PluginError):
        registry.get("teacher", "one")


def test_a_broken_one_does_not_spoil_those_already_loaded(install: Install) -> None:
    install("acme", teacher("acme"), "teacher.acme")
    install("bad", teacher("acme", "Thief"), "teacher.bad")
    registry = Registry()
    mine = registry.get("teacher", "acme")
    with pytest.raises(PluginError, match=r"it registers 'teacher\.acme'"):
        registry.get("teacher", "bad")
    assert registry.get("teacher", "acme") is mine


def test_a_missing_extra_stays_exit_code_3_and_is_tried_again(install: Install) -> None:
    source = """
import os
from pvd import kit
if "PVD_TEST_EXTRA" not in os.environ:
    kit.need("a_package_that_nobody_has", "acme")
"""
    install("wants", source + teacher("wants"), "teacher.wants")
    registry = Registry()
    with pytest.raises(MissingPrerequisite, match=r"pip install 'pvd-distill\[acme\]'") as caught:
        registry.get("teacher", "wants")
    assert caught.value.exit_code == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVD_TEST_EXTRA", "1")
        assert registry.get("teacher", "wants").name == "teacher.wants"


def test_a_package_that_is_missing_is_exit_code_3(install: Install, tmp_path: Path) -> None:
    install("hungry", "import nowhere.to.be_found\n" + teacher("hungry"), "teacher.hungry")
    with pytest.raises(MissingPrerequisite) as caught:
        Registry().get("teacher", "hungry")
    assert str(caught.value) == (
        "The plug-in teacher.hungry of hungry 1.0 needs the Python package 'nowhere', which is not "
        "installed; install it."
    )
    with pytest.raises(MissingPrerequisite, match=r"plugin_.* needs the Python package 'nowhere'"):
        Registry().load_file(plugin_file(tmp_path, "from nowhere import to"))


@pytest.mark.parametrize("module", ["pvd.nowhere", "{own}.nowhere"])
def test_what_is_missing_in_its_own_package_or_ours_is_its_fault(
    install: Install, module: str
) -> None:
    own = f"astray_{next(numbers) + 1}"
    source = f"import {module.format(own=own)}\n" + teacher("astray")
    assert install("astray", source, "teacher.astray") == own
    with pytest.raises(PluginError, match=r"cannot be loaded: ModuleNotFoundError"):
        Registry().get("teacher", "astray")


def test_two_distributions_with_one_name_are_both_named(install: Install) -> None:
    install("acme", teacher("twin"), "teacher.twin")
    install("umbrella", teacher("twin"), "teacher.twin", version="2.1")
    install("calm", teacher("calm"), "teacher.calm")
    registry = Registry()
    with pytest.raises(PluginError) as caught:
        registry.get("teacher", "twin")
    sentence = str(caught.value)
    assert sentence.startswith("The name teacher.twin is declared by ")
    assert "acme 1.0" in sentence
    assert "umbrella 2.1" in sentence
    rows = [row for row in registry.listing() if row.name == "teacher.twin"]
    assert [row.status for row in rows] == [sentence] * 2
    assert {row.distribution for row in rows} == {"acme 1.0", "umbrella 2.1"}
    assert registry.names("teacher").count("twin") == 1
    assert registry.get("teacher", "calm").name == "teacher.calm"


def both(first: str, second: str) -> str:
    """A module that registers two teachers."""
    more = f'\n    register("{second}", Other)\n'
    return "class Other(pvd.Teacher): ...\n" + teacher(first).rstrip("\n") + more


@pytest.mark.parametrize("order", [("simulated", "calm"), ("calm", "simulated")])
def test_nobody_can_take_a_bundled_name(install: Install, order: tuple[str, str]) -> None:
    source = "@dataclass(kw_only=True)\n" + both("simulated", "calm")
    module = install("acme", source, "teacher.simulated", "teacher.calm")
    registry = Registry()
    for name in order:
        assert (registry.get("teacher", name).__module__ == module) == (name == "calm")
    rows = {
        row.distribution.split()[0]: row
        for row in registry.listing()
        if row.name == "teacher.simulated"
    }
    assert rows["pvd-distill"].status == "loaded"
    assert rows["acme"].status == (
        "The plug-in teacher.simulated of acme 1.0 is never used: its name is taken by "
        f"{rows['pvd-distill'].distribution}; choose another, or uninstall it."
    )
    assert status(registry, "teacher.calm") == "loaded"
    wrong = Registry().load_all()
    assert str(wrong["teacher.simulated of acme 1.0"]) == rows["acme"].status


def test_what_two_strangers_declare_keeps_neither_from_its_other_plug_ins(
    install: Install,
) -> None:
    source = "@dataclass(kw_only=True)\n" + both("twin", "calm")
    install("acme", source, "teacher.twin", "teacher.calm")
    install("umbrella", teacher("twin"), "teacher.twin")
    registry = Registry()
    assert registry.get("teacher", "calm").name == "teacher.calm"
    with pytest.raises(PluginError, match=r"^The name teacher\.twin is declared by .* and .*"):
        registry.get("teacher", "twin")


# --- files ------------------------------------------------------------------------------------


def plugin_file(folder: Path, source: str, name: str = "") -> Path:
    file = folder / (name or f"plugin_{next(numbers)}.py")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HEAD + source)
    return file


def test_a_file_is_loaded_and_its_digest_recorded(install: Install, tmp_path: Path) -> None:
    source = """
from typing import Annotated, Literal

Mood = Literal["stern", "mild"]

@dataclass(kw_only=True)
class Strict(pvd.Teacher):
    mood: Annotated[Mood, "how it judges"] = "stern"
    inner: pvd.Teacher | None = None

@pvd.hookimpl
def register_teachers(register):
    register("strict", Strict)
"""
    file = plugin_file(tmp_path, source)
    registry = Registry()
    digest = registry.load_file(file)
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert list(registry._files.values()) == [(str(file.resolve()), digest)]
    cls = registry.get("teacher", "strict")
    assert [option.type for option in describe(cls)] == ["stern | mild", "teacher | none"]
    assert fill(cls, {"mood": "mild"}, "teacher").mood == "mild"  # type: ignore[attr-defined]
    (row,) = [row for row in registry.listing() if row.name == "teacher.strict"]
    assert (row.distribution, row.status) == (str(file), "loaded")
    assert "strict" in registry.names("teacher")


def test_the_same_file_twice_is_loaded_once(install: Install, tmp_path: Path) -> None:
    file = plugin_file(tmp_path, "calls = []\n" + teacher("again") + "    calls.append(1)\n")
    registry = Registry()
    digest = registry.load_file(file)
    first = registry.get("teacher", "again")
    assert registry.load_file(file) == digest
    assert registry.get("teacher", "again") is first
    assert sys.modules[first.__module__].calls == [1]
    assert [row.name for row in registry.listing()].count("teacher.again") == 1


def test_a_file_is_a_module_that_pickle_finds(install: Install, tmp_path: Path) -> None:
    registry = Registry()
    registry.load_file(plugin_file(tmp_path, teacher("whole")))
    cls = registry.get("teacher", "whole")
    assert getattr(sys.modules[cls.__module__], cls.__qualname__) is cls


@pytest.mark.parametrize("taken", ["simulated", "acme", "other-file"])
def test_a_file_takes_no_name_that_somebody_has(
    install: Install, tmp_path: Path, taken: str
) -> None:
    install("acme", teacher("acme"), "teacher.acme")
    registry = Registry()
    registry.load_file(plugin_file(tmp_path, teacher("other-file")))
    before = registry.get("teacher", taken)
    file = plugin_file(tmp_path, teacher(taken))
    with pytest.raises(PluginError, match=rf"'teacher\.{taken}' is taken; choose another") as error:
        registry.load_file(file)
    assert str(file) in str(error.value)
    assert registry.get("teacher", taken) is before
    assert str(file.resolve()) not in {path for path, _ in registry._files.values()}


@pytest.mark.parametrize("case", sorted(set(BROKEN) - {"undeclared name", "registers nothing"}))
def test_a_broken_file_is_an_error_of_one_line(install: Install, tmp_path: Path, case: str) -> None:
    source, _ = BROKEN[case]
    file = plugin_file(tmp_path, source)
    registry = Registry()
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            registry.load_file(file)
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert registry._files == {}
    assert "bad" not in registry.names("teacher")
    # mended, it loads
    file.write_text(HEAD + teacher("bad"))
    registry.load_file(file)
    assert registry.get("teacher", "bad").name == "teacher.bad"


def test_a_file_is_run_as_it_is_and_not_as_it_was_compiled(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same second and size: Python would take the older one's compiled file for its own."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = plugin_file(tmp_path, teacher("one"))
    when = file.stat().st_mtime
    Registry().load_file(file)
    file.write_text(HEAD + teacher("two"))
    os.utime(file, (when, when))
    later = Registry()
    later.load_file(file)
    assert later.get("teacher", "two").name == "teacher.two"
    assert not (tmp_path / "__pycache__").exists(), "nothing is left beside a stranger's file"


def test_a_file_that_lacks_a_package_stays_exit_code_3(install: Install, tmp_path: Path) -> None:
    file = plugin_file(tmp_path, "from pvd import kit\nkit.need('nobody_has_this', 'acme')\n")
    with pytest.raises(MissingPrerequisite):
        Registry().load_file(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"There is no plug-in file .*nowhere\.py"):
        Registry().load_file(tmp_path / "nowhere.py")
    with pytest.raises(MissingFile):
        Registry().load_file(tmp_path)


def test_a_file_that_is_no_python(tmp_path: Path) -> None:
    file = plugin_file(tmp_path, teacher("odd"), "plugin.txt")
    with pytest.raises(PvdError, match=r"is no Python file; name a \.py file"):
        Registry().load_file(file)


def test_a_class_knows_its_name_only_once_loaded(install: Install) -> None:
    assert pvd.Teacher.name == ""
    install("acme", teacher("acme"), "teacher.acme")
    Registry().get("teacher", "acme")
    assert pvd.Teacher.name == "", "the registry must not name the protocol itself"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [40, 200])
def test_the_list_fits_a_terminal_and_is_a_line_each_for_programs(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    screen, pipe = Screen(), io.StringIO()
    for stream in (screen, pipe):
        with redirect_stdout(stream):
            main(["plugins"], standalone_mode=False)
    lines, whole = screen.getvalue().splitlines(), pipe.getvalue().splitlines()
    # A long word, such as the path of a file of -p, is not cut in two.
    assert all(len(line) <= columns or len(line.split()) == 1 for line in lines)
    assert " ".join(screen.getvalue().split()) == " ".join(pipe.getvalue().split())
    names = [f"{kind}.{name}" for kind in KINDS for name in registry.names(kind)]
    assert {line.split()[0] for line in whole} >= set(names)
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        line.split()[0] for line in whole
    ]
    assert (lines == whole) == (columns == 200)


def test_a_files_name_is_no_list_of_files() -> None:
    """Letter by letter it would be some."""
    with pytest.raises(BadInput, match=r"write plugins=\['own\.py'\]"):
        pvd.run(plugins="own.py")
    with pytest.raises(UsageError, match="sampler needs two values"):
        pvd.compare(vary={"sampler": "uniform"}, out="nowhere")

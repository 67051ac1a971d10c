"""Isolation: whatever a stranger's plug-in does wrong is one sentence that names it, and everything
else works.
"""

from __future__ import annotations

import functools
import itertools
import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from strangers import COLOURS, component, installed

import pvd
from pvd import __main__ as command
from pvd.cli import main
from pvd.discovery import KINDS, Registry, registry
from pvd.errors import BadInput, Interrupted, MissingPrerequisite, PluginError
from pvd.isolation import answers, checks, guard, unguarded
from pvd.isolation.guard import SAYS

# As small as can be.
SMALL = [
    "-p", str(COLOURS), "--student", "colours", "-o", "catalog.size=80", "-o", "train.slates=12",
    "-o", "personas.people=60", "-o", "train.steps=2", "-o", "train.rounds=2",
    "-o", "exam.personas=3", "-o", "train.validation_slates=12",
]  # fmt: skip
PLACE = ["--out", "RUN", "--store", "answers.sqlite"]
MEND = "mend or update it, then give the same command again (PVD_TRACEBACK=1 shows where it failed)"

numbers = itertools.count()
Install = Callable[..., str]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where prepared pictures are kept: they are the same in nearly all of these runs."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def install(tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution for this test alone: in this process, and in others by PYTHONPATH."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("PVD_CACHE_DIR", str(shared))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "__dict__", Registry().__dict__)
    made: list[str] = []

    def make(dist: str, source: str, *names: str, **more: Any) -> str:
        registry.__dict__.pop("_entries", None)
        made.append(installed(site, dist, source, *names, module=f"m{next(numbers)}", **more))
        return made[-1]

    yield make
    for module in made:
        sys.modules.pop(module, None)


def ran(*words: str) -> tuple[int, str]:
    """The exit code of a small run, and the sentence that it ended with."""
    result = CliRunner().invoke(main, ["run", *PLACE, "-q", *SMALL, *words])
    lines = result.stderr.strip().splitlines()
    if isinstance(result.exception, Exception):  # not SystemExit: a traceback for the user
        raise result.exception
    return result.exit_code, lines[-1] if lines else ""


def chosen(kind: str, method: str = "") -> list[str]:
    """The options that name the plug-in `bad` of a kind."""
    if kind == "source":
        return ["--catalog", "bad", "--personas", "bad"]
    # Pictures that an earlier test prepared would not be prepared again.
    fresh = kind == "student" and method != "prepare_key"
    return [f"--{kind}", "bad", *(["-o", "prepared_gb=0.0"] if fresh else [])]


def others_work() -> None:
    """What a user tries beside a plug-in that is broken."""
    listed = CliRunner().invoke(main, ["plugins", "--json"])
    assert listed.exit_code == 0
    assert {row["name"] for row in json.loads(listed.stdout)} >= {"teacher.simulated"}
    for words in (["plugins"], ["options"], ["options", "teacher.simulated"], ["--help"]):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, (words, result.output)
    assert pvd.load("sampler", "uniform").label == "uniform"


# --- at import, at registration, in the metadata ----------------------------------------------

SO = "raise ImportError('libfancy.so.2: cannot open shared object file: No such file or directory')"
UNLOADABLE = {
    "raises": ("raise KeyError('oh')", 5, "cannot be loaded: KeyError: 'oh' (PVD_TRACEBACK=1"),
    "syntax": ("def (:", 5, "cannot be loaded: SyntaxError: invalid syntax (mN.py, line 1)."),
    "exits": ("import sys\nsys.exit(0)", 5, "cannot be loaded: SystemExit: 0"),
    "no library": (SO, 3, "needs the library libfancy.so.2, which is not installed; install it."),
    "no package": ("import nowhere", 3, "needs the Python package 'nowhere', which is not"),
    "another version": ("from json import nothing", 5, "ImportError: cannot import name 'nothing'"),
    "registers nothing": ("x = 1", 5, "loads but does not register 'sampler.bad'"),
    "another name": (component("sampler", "other", ""), 5, "registers 'sampler.other', which its"),
    "misspelt hook": (
        component("sampler", "bad", "").replace("_samplers(", "_sampler("),
        5,
        "there is no hook 'register_sampler'; did you mean 'register_samplers'?",
    ),
    "exits while it registers": (
        component("sampler", "bad", "").replace("    register(", "    raise SystemExit(3)\n    ("),
        5,
        "cannot be loaded: SystemExit: 3",
    ),
    "reserved option": (
        component("sampler", "bad", "use: int = 3"), 5, "has an option 'use', a name that core"
    ),
    "a method that is missing": (
        component("sampler", "bad", "", base="pvd.Sampler"),
        5,
        "lacks the method draw; see pvd.Sampler.",
    ),
    "a special method that is missing": (
        component("loss", "bad", "", base="pvd.Loss"), 5, "lacks the method __call__; see pvd.Loss"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNLOADABLE)
def test_what_cannot_be_used_is_one_sentence_when_it_is_asked_for(
    install: Install, case: str
) -> None:
    source, code, why = UNLOADABLE[case]
    kind = "loss" if "register_losses" in source else "sampler"
    module = install("bad-dist", source, f"{kind}.bad", version="2.5")
    why = why.replace("mN.py", f"{module}.py")
    others_work()
    for _ in range(2):  # said again, too
        exit_code, sentence = ran(f"--{kind}", "bad")
        assert sentence.startswith(f"Error: The plug-in {kind}.bad of bad-dist 2.5 "), sentence
        assert why in sentence
        assert exit_code == code
    others_work()


def test_what_an_entry_point_names_must_be_a_module_that_is_there(install: Install) -> None:
    install("acme", "", "sampler.object", value="acme:Mine")
    install("umbrella", "", "sampler.gone", value="umbrella.gone")
    for name, why in (
        ("object", "its entry point 'acme:Mine' names an object; it must name a module alone"),
        ("gone", "its entry point names the module 'umbrella.gone', which it does not have"),
    ):
        with pytest.raises(PluginError, match=rf"^The plug-in sampler\.{name} of .*{why}"):
            pvd.load("sampler", name)
    others_work()


def test_what_cannot_be_a_plug_in_s_name_is_said_where_they_are_listed(install: Install) -> None:
    install("acme", "", "mine")
    install("umbrella", "", "techer.mine")
    shown = CliRunner().invoke(main, ["plugins"])
    assert shown.exit_code == 0
    assert "acme 1.0 declares 'mine', which does not begin with a kind" in shown.output
    assert "umbrella 1.0 declares 'techer.mine', which does not begin with" in shown.output
    others_work()


def test_what_has_no_name_is_no_name_among_others(install: Install) -> None:
    install("bare-dist", "x = 1", "loss")
    assert "" not in registry.names("loss")
    assert "bradley-terry" in registry.names("loss")


def test_a_distribution_whose_metadata_are_damaged_hides_no_other(
    install: Install, tmp_path: Path
) -> None:
    install("acme", component("sampler", "good", ""), "sampler.good")
    (tmp_path / "site/torn-1.0.dist-info").mkdir()
    (tmp_path / "site/torn-1.0.dist-info/entry_points.txt").write_text("[pvd]\nno equals sign\n")
    registry.__dict__.pop("_entries", None)
    shown = CliRunner().invoke(main, ["plugins"])
    assert shown.exit_code == 0, shown.output
    assert "The entry points of" in shown.output
    assert "cannot be read; install it again." in shown.output
    assert pvd.load("sampler", "good").label == "good"
    others_work()


@pytest.mark.parametrize(
    ("requires", "fits"),
    [
        ("pvd-distill>=99", False),
        ("pvd_distill[gemini] >= 99 ; python_version > '3'", False),
        ("pvd-distill<0.0.1", False),
        ("pvd-distill", True),
        (f"pvd-distill>={pvd.__version__}", True),
        ("pvd-distill>=99; python_version < '3'", True),
        ("pvd-distill>=99; extra == 'more'", True),
        ("pvd-distilled>=99", True),
    ],
)
def test_a_plug_in_for_another_pvd_is_not_loaded(
    install: Install, requires: str, fits: bool
) -> None:
    install("acme", component("sampler", "new", ""), "sampler.new", requires=requires)
    (row,) = [row for row in registry.listing() if row.name == "sampler.new"]
    if fits:
        assert row.status == "installed"
        assert pvd.load("sampler", "new").label == "new"
        return
    assert f"and {pvd.__version__} is installed; update one of the two." in row.status
    with pytest.raises(MissingPrerequisite) as caught:
        pvd.load("sampler", "new")
    assert str(caught.value) == row.status
    assert row.status.startswith("The plug-in sampler.new of acme 1.0 needs pvd-distill ")
    others_work()


def test_plugins_load_says_whose_it_is_once(install: Install) -> None:
    install("exits", "raise SystemExit(0)", "sampler.exits")
    install("acme", component("sampler", "uniform", ""), "sampler.uniform")
    shown = CliRunner().invoke(main, ["plugins", "--load"])
    assert shown.exit_code == 5
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("sampler.exits ")]
    assert [part.strip() for part in line.split("  ") if part] == [
        "sampler.exits", "exits 1.0",
        "cannot be loaded: SystemExit: 0 (PVD_TRACEBACK=1 shows where).",
    ]  # fmt: skip
    rows = [line for line in shown.stdout.splitlines() if line.startswith("sampler.uniform ")]
    assert len(rows) == 2
    assert "is never used: its name is taken by pvd-distill" in rows[1]
    assert "sampler.exits, sampler.uniform of acme 1.0; see their lines" in shown.stderr
    assert pvd.load("sampler", "uniform").name == "sampler.uniform"
    others_work()


def test_plugins_load_says_what_is_wrong_with_each(install: Install) -> None:
    install("acme", component("sampler", "good", ""), "sampler.good")
    install("exits", "raise SystemExit(0)", "sampler.exits")
    install("hungry", "import nowhere", "sampler.hungry")
    install("half", component("loss", "half", "", base="pvd.Loss"), "loss.half")
    shown = CliRunner().invoke(main, ["plugins", "--load", "--json"])
    assert shown.exit_code == 5
    rows = {row["name"]: row["status"] for row in json.loads(shown.stdout)}
    assert rows["sampler.good"] == rows["teacher.simulated"] == "loaded"
    assert "SystemExit" in rows["sampler.exits"]
    assert "needs the Python package 'nowhere'" in rows["sampler.hungry"]
    assert "lacks the method __call__" in rows["loss.half"]
    # a package that is missing is no fault of the plug-in
    last = shown.stderr.strip().splitlines()[-1]
    assert last == (
        "Error: Plug-ins that cannot be used: loss.half, sampler.exits; see their lines."
    )
    others_work()


# --- at construction --------------------------------------------------------------------------

INIT = "def __post_init__(self):\n    "
CONSTRUCTED: dict[str, tuple[str, type[BadInput] | type[MissingPrerequisite], str]] = {
    "BadInput": (INIT + "raise pvd.kit.BadInput('no such hat')", BadInput, "^no such hat$"),
    "ValueError": (INIT + "raise ValueError('no such hat')", BadInput, "^sampler: no such hat.$"),
    "KeyError": (
        INIT + "raise KeyError('hat')",
        PluginError,
        "^{bad} failed in __init__: KeyError",
    ),
    "TypeError": (INIT + "len(3)", PluginError, "^{bad} failed in __init__: TypeError: object of"),
    "exit": (INIT + "raise SystemExit", PluginError, "^{bad} failed in __init__: SystemExit; "),
    "package": (INIT + "import nowhere", MissingPrerequisite, "^{bad} needs the Python package 'n"),
    "required": ("hat: str", BadInput, r"^sampler needs a value for hat; add -o sampler.hat=VALUE"),
}


@pytest.mark.parametrize("case", CONSTRUCTED)
def test_what_is_wrong_at_construction(install: Install, case: str) -> None:
    body, error, why = CONSTRUCTED[case]
    install("bad-dist", component("sampler", "bad", body), "sampler.bad")
    with pytest.raises(error, match=why.format(bad=r"The plug-in sampler\.bad of bad-dist 1\.0")):
        pvd.load("sampler", "bad")
    if error is BadInput:  # the user's mistake
        with pytest.raises(BadInput) as caught:
            pvd.load("sampler", "bad")
        assert not isinstance(caught.value, PluginError)
    others_work()


def test_options_of_a_stranger_that_fail_are_its_mistake(install: Install) -> None:
    factory = "from dataclasses import field\n" + component(
        "sampler", "bad", "hat: str = field(default_factory=lambda: 1 / 0)"
    ).replace("from __future__ import annotations\n", "")
    install("acme", factory, "sampler.bad")
    install("umbrella", component("sampler", "odd", "hat: Hut = 3"), "sampler.odd")
    for name, why in (
        ("bad", "of acme 1.0 failed in the default of its option hat: ZeroDivisionError"),
        ("odd", "of umbrella 1.0 has an option type that cannot be resolved: name 'Hut'"),
    ):
        shown = CliRunner().invoke(main, ["options", f"sampler.{name}"])
        assert shown.exit_code == 5
        assert f"Error: The plug-in sampler.{name} {why}" in shown.stderr
    others_work()


# --- in the middle: every method of every protocol --------------------------------------------


def methods() -> Iterator[tuple[str, str, type]]:
    """Every method of a protocol that core calls, and from where."""
    special = {"BatchTeacher": "teacher", "CompositeTeacher": "teacher"}
    protocols = [*((kind, cls) for kind, cls in KINDS.items())]
    protocols += [(kind, getattr(pvd, name)) for name, kind in special.items()]
    for kind, cls in protocols:
        for name, value in vars(cls).items():
            if callable(value) and (not name.startswith("_") or name in ("__call__", "__enter__")):
                yield kind, name, cls


@pytest.mark.parametrize(
    ("kind", "name", "protocol"),
    list(methods()),
    ids=lambda v: getattr(v, "__name__", v),
)
def test_each_method_of_a_protocol_is_guarded(kind: str, name: str, protocol: type) -> None:
    def fails(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("oh\nno")

    mine = type("Mine", (protocol,), {name: fails, "__module__": "acme.mine"})
    mine.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    guard(mine)
    with pytest.raises(PluginError) as caught:
        getattr(mine(), name)()
    assert str(caught.value) == (
        f"The plug-in Mine of acme.mine failed in {name}: RuntimeError: oh no; {MEND}."
    )
    assert isinstance(caught.value.__cause__, RuntimeError)
    with unguarded(), pytest.raises(RuntimeError):
        getattr(mine(), name)()


@pytest.mark.parametrize(
    ("name", "error"),
    [(name, error) for name, errors in SAYS.items() for error in errors if name != "__init__"],
)
def test_what_a_protocol_lets_a_method_raise_goes_through(
    name: str, error: type[Exception]
) -> None:
    def says(self: Any) -> Any:
        raise error("so it is")

    base = pvd.Student if name in ("open", "save") else pvd.BatchTeacher
    mine = type("Mine", (base,), {name: says, "request": says})
    mine.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    guard(mine)
    with pytest.raises(error):
        getattr(mine(), name)()
    if base is pvd.BatchTeacher:
        with pytest.raises(PluginError, match=f"failed in request: {error.__name__}: so it is"):
            mine().request()  # type: ignore[attr-defined]


def test_what_comes_one_by_one_is_guarded_too() -> None:
    class Mine(pvd.Loss):
        def __call__(self, batch: Any) -> Any: ...

        def parameters(self) -> Iterator[Any]:
            yield 1
            raise KeyError("oh")

    guard(Mine)
    found = iter(Mine().parameters())
    assert next(found) == 1
    with pytest.raises(PluginError, match="failed in parameters: KeyError: 'oh'"):
        next(found)


def test_a_plug_in_may_catch_what_its_own_methods_raise() -> None:
    class Parent(pvd.Teacher):
        def read(self, request: Any, reply: Any) -> Any:
            raise KeyError("oh")

        def rank(self, slates: Any) -> Any:
            raise KeyError("ah")

    class Child(Parent):
        def read(self, request: Any, reply: Any) -> Any:
            try:
                return super().read(request, reply)
            except KeyError:
                return pvd.Ranking.from_order([0])

        def answer(self, requests: Any) -> Any:
            try:
                return super().answer(requests)
            except KeyError:
                return self.read(None, None)

        def estimate(self, slate: Any) -> Any:
            return self.rank([slate])

    guard(Parent)
    guard(Child)
    child: Any = Child()
    assert child.read(None, None) == child.answer([]) == pvd.Ranking.from_order([0])
    with pytest.raises(PluginError, match="failed in estimate: KeyError: 'ah'"):
        child.estimate(None)
    with pytest.raises(PluginError, match="failed in read: KeyError: 'oh'"):
        Parent().read(None, None)


def test_what_wraps_a_method_that_is_guarded_is_guarded_itself() -> None:
    class Parent(pvd.Teacher):
        def read(self, request: Any, reply: Any) -> Any:
            return pvd.Ranking.from_order([0])

    guard(Parent)

    class Child(Parent):
        @functools.wraps(Parent.read)
        def read(self, request: Any, reply: Any) -> Any:
            raise KeyError("oh")

    guard(Child)
    frame = Child.read
    with pytest.raises(PluginError, match="failed in read: KeyError: 'oh'"):
        Child().read(None, None)
    guard(Child)
    assert Child.read is frame, "one frame is enough"


def test_methods_of_the_class_are_guarded_too() -> None:
    class Mine(pvd.Teacher):
        @staticmethod
        def read(request: Any, reply: Any) -> Any:
            raise KeyError("oh")

        @classmethod
        def request(cls, slate: Any) -> Any:
            return cls.__name__

        def rank(self, slates: Any) -> Any:
            try:
                return self.read(None, None)
            except KeyError:
                return []

    guard(Mine)
    for one in (Mine(), Mine):
        with pytest.raises(PluginError, match="failed in read: KeyError: 'oh'"):
            one.read(None, None)
        with pytest.raises(PluginError, match="returned 'Mine' from request"):
            one.request(None)
    assert Mine().rank([]) == [], "it may catch what is its own"


KEY = "raise KeyError('oh')"
FAILING = [
    # kind, method, what it does
    ("teacher", "check", KEY),
    ("teacher", "__enter__", KEY),
    ("teacher", "connect", KEY),
    ("teacher", "request", KEY),
    ("teacher", "answer", KEY),
    ("teacher", "read", "import sys\nsys.exit(1)"),
    ("teacher", "utilities", KEY),
    ("sampler", "draw", KEY),
    ("loss", "__call__", KEY),
    ("student", "load", KEY),
    ("student", "embed_texts", KEY),
    ("student", "prepare", KEY),
    ("student", "prepare_key", KEY),
    ("student", "embed_prepared", KEY),
    ("student", "parameter_groups", KEY),
    ("student", "save", KEY),
    ("source", "catalog", KEY),
    ("source", "personas", KEY),
]


@pytest.mark.parametrize(("kind", "method", "does"), FAILING)
def test_a_method_that_raises_in_a_run_is_one_sentence(
    install: Install, kind: str, method: str, does: str
) -> None:
    lines = "".join(f"\n    {line}" for line in does.splitlines())
    body = f"def {method}(self, *args, **kwargs):{lines}"
    install("bad-dist", component(kind, "bad", body), f"{kind}.bad")
    error = "SystemExit: 1" if "exit" in does else "KeyError: 'oh'"
    where = "answer" if method == "utilities" else method  # it ranks by them: what core calls
    assert ran(*chosen(kind, method)) == (
        5,
        f"Error: The plug-in {kind}.bad of bad-dist 1.0 failed in {where}: {error}; {MEND}.",
    )


def test_an_evaluator_that_raises_and_one_that_returns_no_estimates(install: Install) -> None:
    raises = "def evaluate(self, exam): raise KeyError('oh')"
    bare = "def evaluate(self, exam): return {'mine': 0.5}"
    install("acme", component("evaluator", "raises", raises), "evaluator.raises")
    install("umbrella", component("evaluator", "bare", bare), "evaluator.bare")
    code, sentence = ran("-o", 'evaluators=["mpr", "raises"]')
    assert (code, sentence) == (
        5,
        f"Error: The plug-in evaluator.raises of acme 1.0 failed in evaluate: KeyError: 'oh'; "
        f"{MEND}.",
    )
    code, sentence = ran("-o", 'evaluators=["mpr", "bare"]', "--fresh")
    assert code == 5
    assert "evaluator.bare of umbrella 1.0 returned 0.5 for 'mine' from evaluate; it must" in (
        sentence
    )


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("loss", "def __call__(self, batch): return batch.scores.sum() * float('nan')", "loss"),
        (
            "student",
            "def embed_prepared(self, prepared, train=False):\n"
            "    found = Colours.embed_prepared(self, prepared, train=train)\n"
            "    return found * float('nan') if train else found",
            "student",
        ),
    ],
)
def test_a_loss_that_is_nan_names_both_and_what_checks_the_stranger(
    install: Install, tmp_path: Path, kind: str, body: str, said: str
) -> None:
    install("acme", component(kind, "bad", body), f"{kind}.bad")
    (tmp_path / "mine.py").write_text(component(kind, "mine", body))
    for name, file in (("bad", ""), ("mine", "-p mine.py ")):
        words = ["--fresh", *(["-p", "mine.py"] if file else [])]
        student, loss = (name, "bradley-terry") if kind == "student" else ("colours", name)
        assert ran(*words, f"--{kind}", name) == (
            5,
            f"Error: The loss {loss} became nan on the student {student} in round 1, step 0; lower "
            f"train.learning_rate, or mend the {said}: pvd plugins check {file}{kind}.{name}.",
        )


def test_a_ranking_by_utilities_is_by_numbers() -> None:
    with pytest.raises(ValueError, match=r"^there is NaN among the utilities; give numbers$"):
        pvd.Ranking.from_utilities([1.0, float("nan")])
    with pytest.raises(BadInput, match="NaN among its utilities"):
        pvd.Ranking(((), ()), utilities=(float("nan"),) * 2).check(2)


@pytest.mark.parametrize(
    ("one", "what", "mend"),
    [
        ("lamp-007", "'lamp-007'", "an item's is slate.items.index(item)"),
        ("2", "'2'", "an item's is slate.items.index(item)"),
        (pvd.Item("lamp-007", Path("a.png")), "'lamp-007'", "an item's is slate.items.index(item)"),
        (0.9, "0.9", "numbers go into from_utilities"),
        (float("nan"), "nan", "numbers go into from_utilities"),
        (None, "None", "numbers go into from_utilities"),
    ],
)
def test_an_order_is_one_of_positions(one: Any, what: str, mend: str) -> None:
    with pytest.raises(ValueError, match=r"^from_order takes positions") as caught:
        pvd.Ranking.from_order([0, one])
    assert str(caught.value) == (
        f"from_order takes positions in the slate, 0 for the first shown, not {what}; {mend}"
    )


def test_positions_may_come_from_an_array() -> None:
    import numpy as np
    import torch

    for order in (range(2, -1, -1), np.array([2, 1, 0]), torch.tensor([2, 1, 0]), [2.0, 1.0, 0.0]):
        ranking = pvd.Ranking.from_order(order)
        assert ranking == pvd.Ranking(((2,), (1,), (0,)))
        assert ranking.check(3)
        assert {type(place) for tier in ranking.tiers for place in tier} == {int}


def test_utilities_are_pythons_own_numbers() -> None:
    import numpy as np
    import torch

    numbers = [0.5, 2.0]
    for given in (np.array(numbers, "float32"), torch.tensor(numbers), [np.float32(0.5), 2]):
        ranking = pvd.Ranking.from_utilities(given)
        assert ranking.utilities == (0.5, 2.0)
        assert {type(number) for number in ranking.utilities} == {float}
        assert pvd.Ranking.from_text(ranking.as_text()) == ranking.check(2)
    for one, name in ((np.float32(1), "float32"), (torch.tensor(1.0), "Tensor")):
        with pytest.raises(BadInput, match=f"^The ranking has {name} among its utilities; give"):
            pvd.Ranking(((0,), (1,)), utilities=(one, one)).check(2)


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("raise KeyError('oh')", "cannot be made (KeyError: 'oh'); mend the plug-in {bad}."),
        ("return 'text'", "is str and not bytes; mend the plug-in {bad}."),
        (
            "raise OSError('shelf fell down')",
            "cannot be read (OSError: shelf fell down); look where the plug-in {bad} takes it "
            "from.",
        ),
        (
            "return open('nowhere.png', 'rb').read()",
            "There is no image of item '{item}'; bring it, or take the item out.",
        ),
    ],
)
def test_pictures_that_a_source_fails_to_make(install: Install, does: str, why: str) -> None:
    body = f"""
def catalog(self, path):
    from dataclasses import replace
    from functools import partial
    def made(name): {does}
    found = Good.catalog(self, path)
    return pvd.Catalog(tuple(replace(i, image=partial(made, i.id)) for i in found))
"""
    install("acme", component("source", "bad", body), "source.bad")
    code, sentence = ran("--catalog", "bad", "--personas", "bad")
    assert code == 5
    assert "80 of 80 pictures cannot be used" in sentence
    first = pvd.load("source", "bad", size=80).catalog("")[0].id
    assert sentence.endswith(why.format(bad="source.bad of acme 1.0", item=first))


def test_a_picture_that_nobody_registered_is_of_its_source() -> None:
    def fails() -> bytes:
        raise OSError(5, "Input/output error")

    for image, why in (
        (
            fails,
            r"cannot be read \(OSError: \[Errno 5\] Input/output error\); look where its source",
        ),
        ("a.png", r"is text; give a pathlib.Path, or a function that returns bytes\.$"),
    ):
        with pytest.raises(PluginError, match=f"^The image of item 'a' {why}"):
            pvd.Item("a", image).open()  # type: ignore[arg-type]


def test_a_file_of_p_is_named_as_the_user_wrote_it(install: Install, tmp_path: Path) -> None:
    body = "def draw(self, pool, size, rng): raise KeyError('oh')"
    (tmp_path / "mine.py").write_text(component("sampler", "mine", body))
    assert ran("-p", "mine.py", "--sampler", "mine") == (
        5,
        f"Error: The plug-in sampler.mine of mine.py failed in draw: KeyError: 'oh'; {MEND}.",
    )


FILES = {
    "registers nothing": ("x = 1", 5, "it registers nothing; add a function such as register_loss"),
    "a function without its mark": (
        component("sampler", "mine", "").replace("@pvd.hookimpl", ""), 5,
        "it registers nothing; put @pvd.hookimpl above its function register_samplers.",
    ),
    "a number as its name": (component("sampler", 5, ""), 5, "5 is no name; names are text"),
    "a path as its name": (component("sampler", "../x", ""), 5, "'../x' is no name; use small"),
    "two words as its name": (component("sampler", "a b", ""), 5, "'a b' is no name; use small"),
    "what lies beside it": ("import beside", 3, "needs 'beside', which lies beside it, but"),
    "exception's text breaks": (
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E", 5, "loaded: E (PVD"
    ),
    "commands to the terminal": (
        "raise ValueError('\\x1b[2J\\a' + '[bold]')", 5, "ValueError: \ufffd[2J\ufffd[bold] (PVD"
    ),
    "a very long text": (
        "raise ValueError('x' * 1_000_000)", 5, f"ValueError: {'x' * 599}… (PVD_TRACEBACK=1"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_what_a_file_of_p_may_be(install: Install, tmp_path: Path, case: str) -> None:
    source, code, why = FILES[case]
    (tmp_path / "beside.py").write_text("x = 1")
    (tmp_path / "mine.py").write_text(source)
    for _ in range(2):
        exit_code, sentence = ran("-p", "mine.py")
        assert sentence.startswith("Error: The plug-in file mine.py "), sentence
        assert why in sentence
        assert exit_code == code
    others_work()


# --- what was paid for stays, and the run goes on ----------------------------------------------


def test_a_reader_that_breaks_counts_no_answer_twice_and_the_run_goes_on(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = """
capabilities = pvd.Capabilities(simulated=True, reads=frozenset({"tastes"}), workers=4)

def read(self, request, reply):
    import os
    if os.environ.get("BROKEN"):
        raise KeyError("oh")
    return super().read(request, reply)
"""
    source = component("teacher", "bad", body).replace("super()", "super(Mine, self)")
    install("bad-dist", source, "teacher.bad")
    monkeypatch.setenv("BROKEN", "1")
    code, sentence = ran("--teacher", "bad")
    assert (code, "bad-dist 1.0 failed in read: KeyError: 'oh'" in sentence) == (5, True)
    asked = json.loads(Path("RUN/usage.json").read_text())["asked"]
    with closing(sqlite3.connect("answers.sqlite")) as store:
        ((kept,),) = store.execute("SELECT count(*) FROM answers")
    assert kept == asked > 0
    monkeypatch.delenv("BROKEN")
    assert ran("--teacher", "bad") == (0, "")
    usage = json.loads(Path("RUN/usage.json").read_text())
    assert usage["cached"] >= asked


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "method"), [("sampler", "draw"), ("loss", "__call__")])
def test_a_run_goes_on_where_a_mended_plug_in_had_stopped_it(
    install: Install, monkeypatch: pytest.MonkeyPatch, kind: str, method: str
) -> None:
    body = f"""
def {method}(self, *args, **kwargs):
    import os, pathlib
    if os.environ.get("BROKEN") and pathlib.Path("RUN/rounds/001/done").exists():
        raise KeyError("oh")
    return Good.{method}(self, *args, **kwargs)
"""
    install("bad-dist", component(kind, "bad", body), f"{kind}.bad")
    monkeypatch.setenv("BROKEN", "1")
    code, sentence = ran(f"--{kind}", "bad")
    assert code == 5
    assert f"failed in {method}: KeyError: 'oh'" in sentence
    monkeypatch.delenv("BROKEN")
    assert ran(f"--{kind}", "bad") == (0, "")
    stopped = Path("RUN/metrics.json").read_bytes()
    assert ran(f"--{kind}", "bad", "--fresh") == (0, "")
    assert Path("RUN/metrics.json").read_bytes() == stopped


def test_a_teacher_that_raises_while_it_shall_hurry_loses_no_answer(install: Install) -> None:
    body = """
capabilities = pvd.Capabilities(simulated=True, reads=frozenset({"tastes"}), workers=2)

def answer(self, requests):
    import threading, time
    name = requests[0].slate.persona.id
    if not hasattr(self, "barrier"):
        self.__dict__.setdefault("barrier", threading.Barrier(2))
    if self.barrier.wait(30):
        raise KeyError("oh")
    time.sleep(0.5)
    return Good.answer(self, requests)

def hurry(self):
    raise ZeroDivisionError("no time")
"""
    install("bad-dist", component("teacher", "bad", body), "teacher.bad")
    result = CliRunner().invoke(main, ["run", *PLACE, *SMALL, "--teacher", "bad"])
    assert result.exit_code == 5
    assert "An answer under way could not be taken either: The plug-in teacher.bad" in result.stderr
    assert "failed in answer: KeyError: 'oh'" in result.stderr.splitlines()[-1]
    assert json.loads(Path("RUN/usage.json").read_text())["asked"] == 1


# --- nonsense ---------------------------------------------------------------------------------

NONSENSE: dict[str, list[tuple[str, str]]] = {  # by the method: what it does, and what is said
    "teacher: rank(self, slates)": [
        ("return None", "returned None from rank; it must return a"),
        ("return []", "returned 0 rankings from rank; it must"),
        ("return [[0, 1]] * len(slates)", "returned a list of 2 fr"),
        (
            "return [pvd.Ranking.from_order([0, 0])] * len(slates)",
            "returned from rank a ranking that cannot be used: ((0,), (0,)) does not fit a slate "
            "of 5 items; tiers hold distinct positions",
        ),
        (
            "return [pvd.Ranking(tiers=3)] * len(slates)",
            "returned from rank the ranking 3; its tiers must be tuples of positions from 0 to 4",
        ),
        (
            "return [pvd.Ranking(((0,),), utilities=(float('nan'),) * 5)] * len(slates)",
            "returned from rank a ranking that cannot be used: it has NaN among its utilities; "
            "give numbers.",
        ),
        (
            "import numpy; return [pvd.Ranking(((0,),), utilities=(numpy.float32(1),) * 5)] * "
            "len(slates)",
            "returned from rank a ranking that cannot be used: it has float32 among its "
            "utilities; give Python's numbers, as Ranking.from_utilities does.",
        ),
        (
            "return [pvd.Ranking.from_utilities([1.0] * 4)] * len(slates)",
            "returned from rank a ranking that cannot be used: it has 4 utilities for 5 items; "
            "give ",
        ),
        (
            "return [pvd.Ranking.from_utilities([1.0, float('nan')])] * len(slates)",
            "failed in rank: ValueError: there is NaN among the utilities; give numbers; mend or",
        ),
        (
            "return [pvd.Ranking(((0,),), attributes={'a': {1}})] * len(slates)",
            "failed in rank: TypeError: Object of type set is not JSON serializable",
        ),
        (
            "return super(Mine, self).rank(slates)",
            "failed in rank: TypeError: Mine answers nothing; define rank(slates), or",
        ),
        (
            "return [pvd.Ranking.from_order(range(len(slate.items))) for slate in slates]\n"
            "def utilities(self, persona, items): return [1.0]",
            "returned 1 number from utilities; it must return",
        ),
    ],
    "teacher: answer(self, requests)": [
        (
            "return ['text'] * len(requests)",
            "returned 'text' from answer for a request; it must return a list of",
        ),
    ],
    "teacher: read(self, request, reply)": [
        ("return [0, 1]", "returned a list of 2 from read"),
    ],
    "teacher: connect(self)": [
        ("return 'ready'", "returned 'ready' from connect; it must retu"),
    ],
    "teacher: __enter__(self)": [
        ("pass", "returned None from __enter__; it must return self"),
    ],
    "teacher: request(self, slate)": [
        ("return {}", "returned a dict from request; it must"),
        (
            "return pvd.Request(slate, {'a': {1}})",
            "returned from request a body that is no JSON (Object of type set is not JSON "
            "serializable",
        ),
        (
            "import random; return pvd.Request(slate, {'a': random.random()})",
            "returned two different requests for one slate; request must depend on",
        ),
    ],
    "sampler: draw(self, pool, size, rng)": [
        ("return None", "returned None from draw; it must"),
        (
            "return [[0] * size] * len(pool.personas)",
            "returned a list of 12 from draw; it must return a tensor of 12 rows with 5 distinct",
        ),
        (
            "import torch; return torch.zeros(len(pool.personas), size)",
            "returned a Tensor of shape (12, 5) and torch.float32 from draw; it must return",
        ),
        (
            "import torch; return torch.arange(size).expand(len(pool.personas), -1) + 9999",
            "drew the row [9999, 10000, 10001, 10002, 10003]; it must return a tensor of 12 rows",
        ),
        (
            "import torch; return torch.ones(len(pool.personas), size, dtype=torch.bool)",
            "returned a Tensor of shape (12, 5) and torch.bool from draw; it must return a tensor",
        ),
    ],
    "loss: __call__(self, batch)": [
        ("return 0.5", "returned 0.5; it must return one number as"),
        ("return batch.scores", "returned a Tensor of shape (12, 5)"),
        (
            "return batch.scores.detach().mean()",
            "returned a number without a gradient; it must return one number",
        ),
    ],
    "source: catalog(self, path)": [
        ("yield", "returned a generator from catalog; it must return"),
        ("return []", "returned a list of 0 from catalog; it must"),
        (
            "return pvd.Catalog((pvd.Item(7, lambda: b''),))",
            "returned an item of id 7 and attributes {} as item 1 of its catalogue; it must hold "
            "pvd.I",
        ),
        (
            "return pvd.Catalog((pvd.Item(' ', lambda: b''),))",
            "returned an item of id ' ' and attributes {} as item 1 of its catalogue; it must hold",
        ),
        (
            "return pvd.Catalog((pvd.Item('a', 'pics/0.png'),))",
            "returned item 'a', whose image is text; give a pathlib.Path, or a function that "
            "returns bytes",
        ),
        (
            "import PIL.Image; return pvd.Catalog((pvd.Item('a', PIL.Image.new('L', (8, 8))),))",
            "returned item 'a', whose image is of the type Image; give a pathlib.Path, or a",
        ),
        (
            "return pvd.Catalog((pvd.Item('a', lambda: b'', title=7),))",
            "returned item 'a', which has the title 7; a title is text, or None",
        ),
        (
            "return pvd.Catalog((pvd.Item('a', lambda: b'', attributes={'n': 3}),))",
            "returned item 'a', which has the attribute 'n': 3; both are text, str(...)",
        ),
        (
            "return pvd.Catalog((pvd.Item('a', lambda: b'', attributes={3: 'n'}),))",
            "returned item 'a', which has the attribute 3: 'n'; both are text, str(...)",
        ),
    ],
    "source: personas(self, path)": [
        ("return None", "returned None from personas; it must"),
        ("return ['me']", "returned 'me' as persona 1; it must"),
        (
            "return [pvd.Persona('a', None)]",
            "returned None in persona 1; it must return a list of pvd.Persona",
        ),
        (
            "return [pvd.Persona('a', 'A', {'seen': {1}})]",
            "returned persona 'a', whose attributes are no JSON (TypeError: Object of type set is "
            "not JSON serializable); they must be a mapping",
        ),
        (
            "return [pvd.Persona('a', 'A', {1: 'x', 'b': 'y'})]",
            "returned persona 'a', whose attributes are no JSON (TypeError: '<' not supported",
        ),
        (
            "return [pvd.Persona('a', 'A', ['tall'])]",
            "returned persona 'a', whose attributes are no JSON (TypeError: a list of 1 is no map",
        ),
    ],
    "student: embed_texts(self, texts)": [
        ("return None", "returned None from embed_texts; it m"),
        (
            "return 2 * Colours.embed_texts(self, texts)",
            "returned from embed_texts rows whose length is off 1 by 1; it must return a tensor "
            "of 60",
        ),
        (
            "import torch; return torch.eye(1, 9).expand(len(texts), -1)",
            "embeds texts into 9 numbers and images into 64; both must be of one width",
        ),
    ],
    "student: embed_prepared(self, prepared, train=False)": [
        (
            "return Colours.embed_prepared(self, prepared, train=train) * float('nan')",
            "returned from embed_prepared rows whose length is off 1 by NaN or no length",
        ),
        (
            "return Colours.embed_prepared(self, prepared, train=train)[:1].squeeze()",
            "returned a Tensor of shape (64,) from embed_prepared; it must return a tensor of",
        ),
        (
            "found = Colours.embed_prepared(self, prepared, train=train); return found[:, 1:] if "
            "train else found",
            "embeds texts into 64 numbers and images into 63 in training; both must be of one "
            "width",
        ),
    ],
    "student: prepare(self, images)": [
        ("import torch; return torch.zeros(3)", "returned a Tensor of shape (3"),
    ],
    "student: parameter_groups(self)": [
        ("return []", "returned nothing that learns from"),
        ("return [[1]]", "returned a list of 1 from p"),
    ],
    "student: state(self)": [
        ("return []", "returned a list of 0 from state; it must return a"),
    ],
}


@pytest.mark.parametrize(
    ("method", "does", "said"),
    [(method, *case) for method, cases in NONSENSE.items() for case in cases],
    ids=lambda text: text.partition(";")[0],
)
def test_nonsense_is_one_sentence_where_it_is_received(
    install: Install, method: str, does: str, said: str
) -> None:
    kind, _, signature = method.partition(": ")
    body = f"def {signature}: {does}"
    base = "pvd.Teacher" if signature.startswith("rank(") else "Good"  # whose `answer` ranks
    install("bad-dist", component(kind, "bad", body, base), f"{kind}.bad")
    code, sentence = ran(*chosen(kind))
    assert sentence.startswith(f"Error: The plug-in {kind}.bad of bad-dist 1.0 {said}"), sentence
    assert code == 5
    assert "Traceback" not in sentence


def test_nonsense_of_a_composite_teacher(install: Install) -> None:
    composite = """
of: pvd.Teacher
def questions(self, slate): return {questions}
def combine(self, slate, rankings): return {combined}
"""
    one = "[pvd.Question(self.of, slate)]"
    for name, questions, combined, said in (
        ("none", "[]", "rankings[0]", "returned a list of 0 from questions; it must return a list"),
        ("text", "['me']", "rankings[0]", "returned 'me' from questions; it must return a list of"),
        ("all", one, "rankings", "returned a list of 1 from combine; it must return a pvd.Ranking"),
        (
            "odd",
            one,
            "pvd.Ranking(((7,),))",
            "returned from combine a ranking that cannot be used: ",
        ),
    ):
        body = composite.format(questions=questions, combined=combined)
        source = component("teacher", name, body, "pvd.CompositeTeacher")
        install(name, source, f"teacher.{name}")
        code, sentence = ran("--teacher", name, "-o", "teacher.of=simulated", "--fresh")
        assert f"The plug-in teacher.{name} of {name} 1.0 {said}" in sentence
        assert code == 5


def test_what_is_checked_lets_good_values_through() -> None:
    import torch

    unit = torch.nn.functional.normalize(torch.randn(5, 8), dim=1)
    assert checks.embeddings(object(), "embed_texts", unit.bfloat16(), 5) is not None
    assert checks.embeddings(object(), "embed_texts", unit[:0], 0) is not None
    assert checks.lines(object(), None) == ()
    assert checks.rows(object(), torch.tensor([[0, 4], [3, 1]]), 2, 2, 5) == [[0, 4], [3, 1]]


def test_one_is_one_and_not_several() -> None:
    import torch

    requests: list[Any] = [None, None]
    for wrong, said in (
        (lambda: checks.rankings(Path(), requests, [1]), "returned 1 ranking from rank"),
        (lambda: answers.replies(Path(), requests, [1]), "returned 1 reply from answer"),
        (lambda: answers.replies(Path(), requests, []), "returned 0 replies from answer"),
        (lambda: checks.utilities(Path(), [[0.5]], 2), "returned 1 number from utilities"),
        (lambda: checks.utilities(Path(), [[]], 1), "it must return 1 number, one an item"),
        (lambda: checks.rows(Path(), 3, 1, 5, 9), "a tensor of 1 row with 5 distinct"),
        (lambda: checks.embeddings(Path(), "embed_texts", 3, 1), "a tensor of 1 row of unit"),
        (lambda: checks.prepared(Path(), torch.zeros(2), 1), "with 1 row: one an image"),
        (lambda: checks.lines(Path(), pvd.Estimate(1, 1, 1, "all")), "returned an Estimate from"),
    ):
        with pytest.raises(PluginError, match=said):
            wrong()


# --- what it prints ---------------------------------------------------------------------------

CHATTY = """
print("at import")

def say(what):
    import os, subprocess, sys, threading
    print(what)
    sys.stdout.write(what + "\\n")
    thread = threading.Thread(target=print, args=(f"{what}, from a thread",))
    thread.start()
    thread.join()
"""


def test_results_alone_go_to_stdout(install: Install, tmp_path: Path) -> None:
    teacher = """
def __post_init__(self): say("at construction")
def check(self, personas, items): say("checking")
def answer(self, requests):
    say("answering")
    return Good.answer(self, requests)
"""
    observer = "@pvd.hookimpl\ndef on_step(self, step): say('a step')"
    install("chatty", component("teacher", "chatty", teacher) + CHATTY, "teacher.chatty")
    install("watcher", component("observer", "eye", observer) + CHATTY, "observer.eye")
    words = ["run", *PLACE, "--json", *SMALL, "--teacher", "chatty", "--observe", "eye"]
    done = subprocess.run(
        [sys.executable, "-m", "pvd", *words], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["folder"] == "RUN"
    for what in ("at import", "at construction", "checking", "answering", "a step"):
        assert f"\n{what}\n" in done.stderr
    assert "answering, from a thread" in done.stderr
    said = [line for line in done.stderr.splitlines() if "prints to stdout" in line]
    assert sorted(said) == [
        "A plug-in, from a thread of its own, prints to stdout, which is for results; it comes "
        "here:",
        "The plug-in observer.eye of watcher 1.0 prints to stdout, which is for results; it comes "
        "here:",
        "The plug-in teacher.chatty of chatty 1.0 prints to stdout, which is for results; it comes "
        "here:",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')",
        "sys.stdout = sys.stderr = None",
        "sys.stdout.close()",
        "sys.stdout.detach().close()",
        "sys.stdout.buffer.close()\nsys.stdout.buffer.write(b'noise')",
        "io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8').write('noise')",  # collected at once
    ],
)
def test_a_plug_in_that_replaces_or_closes_stdout_takes_no_results_along(
    tmp_path: Path, line: str
) -> None:
    source = component("sampler", "mine", "") + f"\nimport io, sys\n{line}\n"
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "warns.py").write_text(
        component("sampler", "other", "") + "\nimport warnings\nwarnings.warn('mind the gap')"
    )
    files = [f"-p{tmp_path / name}" for name in ("mine.py", "warns.py")]
    words = ["options", "sampler.mine", *files]
    done = subprocess.run([sys.executable, "-m", "pvd", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Mine(")
    assert "Warning: mind the gap" in done.stderr
    assert "noise" not in done.stdout
    assert ("noise" in done.stderr) == ("noise" in line)


LATE = """
import atexit, threading
def late():
    threading.main_thread().join()
    print("from a thread that goes on")
threading.Thread(target=late).start()
atexit.register(print, "at the exit")
"""


def test_what_a_plug_in_prints_when_all_is_done_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(component("sampler", "mine", "") + LATE)
    words = ["options", "sampler.mine", "-p", str(tmp_path / "mine.py")]
    done = subprocess.run([sys.executable, "-m", "pvd", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Mine(")
    for what in ("from a thread that goes on", "at the exit"):
        assert what in done.stderr
        assert what not in done.stdout


def test_who_waits_for_the_threads_of_plug_ins_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    command._say_who_runs()
    assert capsys.readouterr().err == ""  # nobody waits
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="uploads")
    thread.start()
    try:
        command._say_who_runs()
    finally:
        end.set()
        thread.join()
    said = "Only threads of plug-ins run still (uploads); Ctrl-C ends them.\n"
    assert capsys.readouterr().err == said


# --- Ctrl-C, or what looks like it ------------------------------------------------------------


@pytest.fixture
def as_command() -> Iterator[None]:
    """Signals are handled as by the command."""
    before = signal.signal(signal.SIGINT, command._interrupt)
    yield
    signal.signal(signal.SIGINT, before)


STOPS = {
    "pressed": "os.kill(os.getpid(), signal.SIGINT)",
    "pressed, and raised anew": """
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    raise KeyboardInterrupt("tidied up")""",
}


@pytest.mark.usefixtures("as_command")
@pytest.mark.parametrize("case", STOPS)
def test_ctrl_c_stops_while_a_plug_in_works(install: Install, case: str) -> None:
    body = f"import os, signal\n{STOPS[case]}".replace("\n", "\n    ")
    source = component("sampler", "bad", f"def draw(self, pool, size, rng):\n    {body}")
    install("bad-dist", source, "sampler.bad")
    with pytest.raises(Interrupted, match="the same command goes on from here"):
        ran("--sampler", "bad")


@pytest.mark.usefixtures("as_command")
def test_a_plug_in_that_raises_what_ctrl_c_does_is_named(install: Install) -> None:
    body = "def draw(self, pool, size, rng): raise KeyboardInterrupt"
    install("bad-dist", component("sampler", "bad", body), "sampler.bad")
    code, said = ran("--sampler", "bad")
    assert code == 5
    assert said.startswith("Error: The plug-in sampler.bad of bad-dist 1.0 failed in draw: Keyb")


@pytest.mark.usefixtures("as_command")
def test_a_plug_in_that_stops_at_its_import_is_named(install: Install) -> None:
    install("bad-dist", "raise KeyboardInterrupt", "sampler.bad")
    code, said = ran("--sampler", "bad")
    assert code == 5
    assert "sampler.bad of bad-dist 1.0 cannot be loaded: KeyboardInterrupt" in said
    others_work()


# --- for authors ------------------------------------------------------------------------------


def test_the_traceback_is_there_for_who_wants_it(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = "def draw(self, pool, size, rng):\n    return 1 / 0  # here it is"
    module = install("bad-dist", component("sampler", "bad", body), "sampler.bad")
    words = ["run", *PLACE, "-q", *SMALL, "--sampler", "bad"]
    assert "Traceback" not in CliRunner().invoke(main, words).stderr
    monkeypatch.setenv("PVD_TRACEBACK", "1")
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 5
    assert "return 1 / 0  # here it is" in shown.stderr
    assert f"{module}.py" in shown.stderr
    assert shown.stderr.strip().splitlines()[-1].startswith("Error: The plug-in sampler.bad of")


def test_a_program_gets_the_exception_as_the_cause(install: Install) -> None:
    body = "def draw(self, pool, size, rng): return 1 / 0"
    install("bad-dist", component("sampler", "bad", body), "sampler.bad")
    registry.load_file(COLOURS)
    with pytest.raises(
        PluginError, match=r"sampler\.bad of bad-dist 1\.0 failed in draw"
    ) as caught:
        pvd.run(
            student="colours",
            sampler="bad",
            catalog={"use": "boutique", "size": 80},
            train={"rounds": 1, "slates": 12, "validation_slates": 12},
            exam={"personas": 3},
            out="RUN",
        )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)

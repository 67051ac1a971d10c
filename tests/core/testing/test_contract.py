"""The checks of every kind, plug-ins that they catch, and how they run with and without pytest."""

from __future__ import annotations

import io
import json
import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
from caught import Broken, assert_caught, verdicts, wrong
from click.testing import CliRunner

import pvd
from pvd import kit, testing
from pvd.cli import main
from pvd.discovery import KINDS, registry
from pvd.errors import BadInput
from pvd.testing import Contract, SamplerContract, Skipped
from pvd.testing.checking import CONTRACTS, problem_of


@dataclass(kw_only=True)
class Draws(pvd.Sampler):
    """Draws by lot."""

    least: Annotated[float, "of nothing"] = 0.5

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        count = len(pool.items)
        return torch.stack([torch.randperm(count, generator=rng)[:size] for _ in pool.personas])


class Watches(pvd.Observer):
    """Draws nothing."""


class Undecorated(Draws):
    """Has an option that is none."""

    most: float = 1.0


@dataclass(kw_only=True)
class Labelled(Draws):
    """Has an option of a name that core needs."""

    use: str = "x"


@dataclass(kw_only=True)
class Table(Draws):
    """Has an option that nobody can write."""

    weights: dict[str, float] = field(default_factory=dict)


@dataclass(kw_only=True)
class Loose(Draws):
    """Has an option of any kind."""

    weights: Any = 1.0


@dataclass(kw_only=True)
class Bounded(Draws):
    """Has a bound where there are no numbers."""

    words: Annotated[tuple[str, ...], kit.AtLeast(1), "at least one"] = ("any",)


@dataclass(kw_only=True)
class Beyond(Draws):
    """Has a default that its own bound refuses."""

    scale: Annotated[float, kit.Above(0)] = 0.0


@dataclass(kw_only=True)
class Whole(Draws):
    """Has a whole number where a number is meant."""

    scale: float = 1


@dataclass(kw_only=True)
class Wrong(Draws):
    """Has text where a number is meant."""

    scale: int = "many"  # type: ignore[assignment]


@dataclass(kw_only=True)
class Percent(Draws):
    """Makes something else of what it was given."""

    def __post_init__(self) -> None:
        self.least = self.least / 100


@dataclass(kw_only=True)
class Undocumented(Draws):
    most: int = 2


class Talking(Draws):
    """Says what it does."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        print("drawing", size)
        return super().draw(pool, size, rng)


class Seeding(Draws):
    """Seeds the stream of all."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        random.seed(len(pool.items))
        return super().draw(pool, size, rng)


class Numpy(Draws):
    """Draws from numpy's stream."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import numpy as np

        np.random.rand()
        return super().draw(pool, size, rng)


class Torch(Draws):
    """Draws from torch's stream."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        torch.rand(1)
        return super().draw(pool, size, rng)


class Closing(Draws):
    """Puts a stream of its own around stdout's, which is closed with it."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        io.TextIOWrapper(sys.stdout.buffer, "utf-8")
        return super().draw(pool, size, rng)


class Ungraded(Draws):
    """Switches gradients off for all."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        torch.set_grad_enabled(False)
        return super().draw(pool, size, rng)


class Halved(Draws):
    """Sets the type and the device of all new tensors."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        import torch

        drawn = super().draw(pool, size, rng)
        torch.set_default_dtype(torch.bfloat16)
        torch.set_default_device("meta")
        return drawn


class Moving(Draws):
    """Goes to another folder."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        os.chdir(Path.cwd().parent)
        return super().draw(pool, size, rng)


class Extras(Draws):
    """Needs an extra, and says so under a name that nobody reads."""

    extras = "torch"


def made(module: str, name: str) -> pvd.Component:
    """A component of another module, which this one must not bring along."""
    component: pvd.Component = getattr(import_module(module), name)()
    return component


BROKEN = [
    (
        "test_options_are_fields",
        Broken(Undecorated, "most has a type but is no option, .*put @dat"),
    ),
    ("test_options_are_fields", Broken(Labelled, "use is a name that core needs; rename")),
    ("test_option_types", Broken(Table, r"the option weights has the type dict\[str, float\], ")),
    ("test_option_types", Broken(Loose, "make it str, int, float, bool, Path, Literal")),
    ("test_option_types", Broken(Bounded, "the option words has a bound, and no numbers; take")),
    (
        "test_option_defaults",
        Broken(lambda: Beyond(scale=1.0), r"none of its type: scale must be above 0, not 0.0"),
    ),
    (
        "test_option_defaults",
        Broken(Whole, r"scale is 1, and set to the same it is 1.0; write sca"),
    ),
    ("test_option_defaults", Broken(Wrong, "scale must be a whole number, not 'many'", None)),
    ("test_options_come_back", Broken(Percent, "is recorded as 0.005 and comes back as 5e-05")),
    ("test_is_documented", Broken(Undocumented, "give the class Undocumented a docstring")),
    (
        "test_module_is_light",
        Broken(lambda: made("hefty", "Hefty"), "its module loads numpy; import that inside"),
    ),
    ("test_names", Broken(Extras, "core never calls Extras.extras; did you mean extra")),
    ("test_prints_nothing", Broken(Talking, "it prints 'drawing 5'; stdout is for results")),
    (
        "test_prints_nothing",
        Broken(lambda: made("chatty", "Chatty"), "it prints 'Thank you for choosing Chatty"),
    ),
    ("test_global_state", Broken(Seeding, "or seeds the global stream of random, which")),
    ("test_global_state", Broken(Numpy, "or seeds the global stream of numpy, which")),
    ("test_global_state", Broken(Torch, "or seeds the global stream of torch, which")),
    ("test_global_state", Broken(Ungraded, "another grad mode of torch behind, which")),
    (
        "test_global_state",
        Broken(Halved, "another default device of torch, default dtype of torch behind", None),
    ),
    ("test_global_state", Broken(Moving, "leaves another working folder behind, which all")),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_without_a_component_is_told_what_it_lacks(kind: str) -> None:
    contract = CONTRACTS[kind]
    one = type("TestMine", (contract,), {})()
    for name in contract.checks():
        assert "TestMine must define component(self)" in str(problem_of(getattr(one, name)))
    assert contract.use is not Contract.use, "the checks of every kind use the component"


@pytest.mark.parametrize(("check", "broken"), BROKEN, ids=lambda one: getattr(one, "message", one))
def test_it_is_caught(check: str, broken: Broken) -> None:
    assert_caught(SamplerContract, check, broken)


def test_every_check_catches_something() -> None:
    assert {check for check, _ in BROKEN} == set(Contract.checks())


def test_a_good_one_passes() -> None:
    assert not wrong(verdicts(SamplerContract, Draws))


class Teaching(pvd.Teacher):
    """Ranks in the order shown."""

    def rank(self, slates: Sequence[pvd.Slate]) -> Sequence[pvd.Ranking]:
        return [pvd.Ranking.from_order(range(len(slate.items))) for slate in slates]


class Misspelt(Teaching):
    """Knows utilities, and nobody will ask."""

    def utilitys(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> Sequence[float]:
        return [0.0 for _ in items]


class Estimates(Teaching):
    """Forecasts what it costs, and nobody will ask."""

    def estimates(self, slate: pvd.Slate) -> pvd.Forecast:
        return pvd.Forecast()


class Helped(Teaching):
    """Has helpers of its own."""

    def ranks(self, slate: pvd.Slate) -> pvd.Ranking:
        return self.requests([slate])[0]

    def requests(self, slates: Sequence[pvd.Slate]) -> Sequence[pvd.Ranking]:
        return super().rank(slates)

    def rank(self, slates: Sequence[pvd.Slate]) -> Sequence[pvd.Ranking]:
        return self.requests(slates)

    def names(self) -> list[str]:
        return []


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        (Misspelt, "core never calls Misspelt.utilitys; did you mean utilities?"),
        (Estimates, "core never calls Estimates.estimates; did you mean estimate?"),
        (Helped, None),
    ],
)
def test_a_name_that_is_nearly_right_is_found(teacher: Any, said: str | None) -> None:
    found = verdicts(testing.TeacherContract, teacher)["test_names"]
    assert (found or "").startswith(said or "")
    assert bool(found) == bool(said)


class Failing(Draws):
    """Fails wherever it is used."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        raise ZeroDivisionError("no items")


class Chatting(Failing):
    """Fails, too, after it has said and drawn something."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        print("drawing", random.random())
        return super().draw(pool, size, rng)


def test_an_error_is_blamed_for_itself_alone() -> None:
    found = verdicts(SamplerContract, Failing)
    assert "ZeroDivisionError" in wrong(found)["test_draws"]
    for name in ("test_prints_nothing", "test_global_state"):
        assert isinstance(found[name], Skipped)
        assert (
            found[name] == "it failed before that was over, see above: ZeroDivisionError: no items"
        )


def test_who_closes_stdout_is_told() -> None:
    """By that check alone: in any other it would close pytest's."""
    one = type("Given", (SamplerContract,), {"component": lambda self: Closing()})()
    said = problem_of(one.test_prints_nothing)
    assert said == "it closes stdout, which others write to; leave it open"


def test_what_was_done_before_an_error_counts() -> None:
    found = wrong(verdicts(SamplerContract, Chatting))
    assert "it prints 'drawing 0." in found["test_prints_nothing"]
    assert "the global stream of random" in found["test_global_state"]


def test_every_kind_has_a_contract() -> None:
    assert set(CONTRACTS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_check_says_what_it_checks(kind: str) -> None:
    """In a sentence without its subject, the component; each another one."""
    contract = CONTRACTS[kind]
    said = [getattr(contract, name).__doc__ for name in contract.checks()]
    assert len(set(said)) == len(said)
    for sentence in said:
        assert re.fullmatch(r"[a-z].*[^.]", sentence), sentence


def test_a_module_that_a_new_process_cannot_import_is_said_to_be_so(tmp_path: Path) -> None:
    file = tmp_path / "torn.py"
    file.write_text(PLUGIN.replace("NAME", "torn"))
    registry.load_file(file)
    sampler = pvd.load("sampler", "torn")
    file.write_text("1 / 0\n" + file.read_text())
    found = verdicts(SamplerContract, lambda: sampler)
    assert "cannot be imported by a new process: ZeroDivisionError" in str(
        found["test_module_is_light"]
    )


def test_a_module_that_is_nowhere_installed_is_left_alone(tmp_path: Path) -> None:
    """A test's module, say, which imports from its own folder."""
    file = tmp_path / "nearby.py"
    file.write_text("from .helpers import nothing\n")
    module = ModuleType("tests.nearby")
    module.__file__ = str(file)
    sys.modules["tests.nearby"] = module
    try:
        made = type("Nearby", (Draws,), {"__module__": "tests.nearby", "__doc__": "Draws."})
        found = verdicts(SamplerContract, made)
    finally:
        del sys.modules["tests.nearby"]
    assert isinstance(found["test_module_is_light"], Skipped)
    assert "is no part of an installed package" in str(found["test_module_is_light"])


# --- where nothing is reached ---------------------------------------------------------------------


class Calling(Draws):
    """Asks somebody else."""

    def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
        socket.create_connection(("192.0.2.1", 80), timeout=0.01)
        return super().draw(pool, size, rng)


def test_nothing_leaves_this_machine() -> None:
    before = (socket.getaddrinfo, socket.gethostbyname, socket.socket.connect)
    found = dict(testing.check(Calling()))
    said = found["draws one row of distinct items a slot, within the catalogue"]
    assert "192.0.2.1 is not looked up: a check never uses the network" in str(said)
    after = (socket.getaddrinfo, socket.gethostbyname, socket.socket.connect)
    assert after == before, "what was taken away is given back"


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_only_loopback_is_reached(method: str) -> None:
    with testing.offline(), socket.create_server(("127.0.0.1", 0)) as server:
        with socket.socket() as one:
            getattr(one, method)(server.getsockname())
        with socket.socket() as one, pytest.raises(OSError, match="never uses the network"):
            getattr(one, method)(("192.0.2.1", 80))
        with pytest.raises(socket.gaierror, match="is not looked up"):
            socket.gethostbyname("example.org")


# --- under pytest ---------------------------------------------------------------------------------

SUITE = '''
from dataclasses import dataclass
import pytest
import pvd
from pvd import kit, testing

pytest_plugins = ["pvd.testing.fixtures"]

@dataclass(kw_only=True)
class Dear(pvd.Teacher):
    """Costs money."""
    capabilities = pvd.Capabilities(paid=True)
    def rank(self, slates):
        raise RuntimeError("asked")
    def estimate(self, slate):
        return pvd.Forecast(high=pvd.Tokens(1, 1))
    def dollars(self, tokens, batch=False):
        return None

class TestDear(testing.TeacherContract):
    def component(self):
        return Dear()

@dataclass(kw_only=True)
class Short(pvd.Sampler):
    """Draws too few."""
    def draw(self, pool, size, rng):
        import torch
        return torch.stack([torch.randperm(3, generator=rng) for _ in pool.personas])

class TestShort(testing.SamplerContract):
    def component(self):
        return Short()

def test_fixtures(catalog, personas, slate, shop, no_network):
    import socket
    assert len(catalog) == 12 and len(personas) == 4 and len(slate.items) == 5
    catalog[0].open()
    rows = pvd.load("source", "table").catalog(str(shop / "catalog.csv"))
    assert len(rows) == 120 and rows[3].attributes == catalog[3].attributes
    rows[0].open()
    people = pvd.load("source", "table").personas(str(shop / "personas.jsonl"))
    assert people[0] == personas[0]
    with pytest.raises(OSError):
        socket.create_connection(("192.0.2.1", 80), timeout=0.01)
'''


@pytest.mark.slow
def test_under_pytest_each_check_is_a_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["pvd.testing.fixtures"]\n')
    file = tmp_path / "test_suite.py"
    file.write_text(SUITE.replace('pytest_plugins = ["pvd.testing.fixtures"]\n', ""))
    words = [sys.executable, "-m", "pytest", "-rs", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    seen = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    said = seen.stdout
    asking = [
        name
        for name, why in verdicts(testing.TeacherContract, lambda: Dear()).items()
        if isinstance(why, Skipped)
    ]
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped)", said)}
    teacher, sampler = testing.TeacherContract, testing.SamplerContract
    assert counts["failed"] == 1, said
    assert "a Tensor of shape (6, 3) and torch.int64 from draw; it must return a tensor" in said
    assert counts["skipped"] == len(asking) + 1, said  # what Short draws depends on no scores
    assert "an answer of this teacher costs money" in said
    total = len(list(teacher.checks())) + len(list(sampler.checks())) + 1
    assert sum(counts.values()) == total, said


@dataclass(kw_only=True)
class Dear(pvd.Teacher):
    """Costs money, as the one above."""

    capabilities = pvd.Capabilities(paid=True)

    def rank(self, slates: Sequence[pvd.Slate]) -> Sequence[pvd.Ranking]:
        raise RuntimeError("asked")

    def estimate(self, slate: pvd.Slate) -> pvd.Forecast:
        return pvd.Forecast(high=pvd.Tokens(1, 1))

    def dollars(self, tokens: pvd.Tokens, batch: bool = False) -> float | None:
        return None


def test_to_import_it_loads_neither_pytest_nor_torch() -> None:
    code = "import pvd.testing, sys; print(*sys.modules)"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pytest", "torch", "numpy", "PIL", "unittest"} & set(seen.stdout.split())


class TestDraws(testing.SamplerContract):
    """As an author writes it."""

    def component(self) -> Draws:
        return Draws(least=0.25)


# --- the command ----------------------------------------------------------------------------------

PLUGIN = '''
"""A sampler in a file."""
from dataclasses import dataclass
import pvd

@dataclass(kw_only=True)
class Mine(pvd.Sampler):
    """Draws too few."""
    short: int = 1
    def draw(self, pool, size, rng):
        import torch
        count = len(pool.items)
        rows = [torch.randperm(count, generator=rng)[:size - self.short] for _ in pool.personas]
        return torch.stack(rows)

@pvd.hookimpl
def register_samplers(register):
    register("NAME", Mine)
'''


def command(*words: str, columns: int = 80) -> Any:
    return CliRunner().invoke(main, ["plugins", "check", *words], env={"COLUMNS": str(columns)})


@pytest.fixture
def short(tmp_path: Path) -> list[str]:
    """Words that check a sampler which draws too few."""
    file = tmp_path / "short.py"
    name = f"short-{tmp_path.name.replace('_', '-')}"
    file.write_text(PLUGIN.replace("NAME", name))
    return ["-p", str(file), f"sampler.{name}"]


@pytest.mark.parametrize("columns", [40, 120])
def test_the_command_fits_the_terminal(short: list[str], columns: int) -> None:
    result = command(*short, columns=columns)
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert max(map(len, lines[:-1])) < min(columns, 101)
    assert lines[0].startswith("FAIL  draws one row of distinct items")
    whole = " ".join(result.stdout.split())
    assert "items: it returned a Tensor of shape (6, 4) and torch.int64 from draw; it" in whole
    assert all(line.startswith(("ok    ", "skip  ", "FAIL  ", "      ")) for line in lines[:-1])
    checks = len(list(SamplerContract.checks()))
    assert lines[-1].endswith(f", {checks} checks: {checks - 2} ok, 1 skipped, 1 failed")


def test_the_command_in_json(short: list[str]) -> None:
    result = command("--json", *short)
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["name"] == short[-1]
    assert (found["ok"], found["skipped"], found["failed"]) == (len(found["checks"]) - 2, 1, 1)
    first = found["checks"][0]
    assert first["result"] == "failed"
    assert "it returned a Tensor of shape (6, 4)" in first["why"]
    assert [one["result"] for one in found["checks"][1:]].count("skipped") == 1


def test_the_command_takes_options(short: list[str]) -> None:
    result = command(*short, "-o", "sampler.short=0")
    assert result.exit_code == 0, result.output
    assert "FAIL" not in result.stdout


@pytest.mark.parametrize("what", ["SystemExit(0)", "GeneratorExit", "Odd"])
def test_a_plug_in_that_ends_the_process_fails_its_checks(tmp_path: Path, what: str) -> None:
    name = f"ends-{tmp_path.name.replace('_', '-')}"
    odd = "class Odd(Exception):\n    def __str__(self): raise ValueError\n"
    body = PLUGIN.replace("NAME", name).replace("        import torch", f"        raise {what}")
    (tmp_path / "ends.py").write_text(odd + body)
    result = command("--json", "-p", str(tmp_path / "ends.py"), f"sampler.{name}")
    assert result.exit_code == 1
    first = json.loads(result.stdout)["checks"][0]
    assert first["result"] == "failed"
    assert what.partition("(")[0] in first["why"]


def test_a_reason_is_not_said_twice() -> None:
    result = command("teacher.gemini")
    assert result.exit_code == 0, result.output
    reasons = [line for line in result.stdout.splitlines() if line.startswith(" " * 8)]
    assert "        an answer of this teacher costs money" in reasons
    assert "        as above" in reasons
    assert all(a != b or "as above" in a for a, b in pairwise(reasons))
    last = " ".join(result.stdout.split()).rpartition(" skipped ")[2]
    untested = reasons.count("        an answer of this teacher costs money")
    number = re.match(
        r"Not tested: (\d+) of \d+ checks; live = True in a test class that plays", last
    )
    assert number, last
    assert int(number[1]) > untested


OWN = '''
from dataclasses import dataclass
from pathlib import Path
import json
import pvd
from pvd import kit

@dataclass(kw_only=True)
class Priced(pvd.Teacher):
    """Ranks by the price."""
    def rank(self, slates):
        return [pvd.Ranking.from_utilities([-self.price(i) for i in s.items]) for s in slates]
    def price(self, item):
        return float(item.attributes["price"])

class Careful(Priced):
    """Says what it needs."""
    def check(self, personas, items):
        if any("price" not in item.attributes for item in items):
            raise kit.BadInput("An item has no price; add the column.")

class Constant(Priced):
    """Finds all too dear; asks for one thing and answers another."""
    def request(self, slate):
        return pvd.Request(slate, {"items": [item.id for item in slate.items]})

@dataclass(kw_only=True)
class Cheap(pvd.Sampler):
    """Draws cheap ones more often."""
    def draw(self, pool, size, rng):
        import torch
        weights = torch.tensor([1 / float(item.attributes.get("price")) for item in pool.items])
        return torch.multinomial(weights.expand(len(pool.personas), -1), size, generator=rng)

@dataclass(kw_only=True)
class Labels(pvd.Evaluator):
    """The share of labelled items among the first five."""
    labels: Path
    turned: bool = False
    def evaluate(self, exam):
        known = json.loads(self.labels.read_text())
        values = []
        for persona, row in zip(exam.personas, exam.scores, strict=True):
            if persona.id in known:
                first = row.argsort(descending=True)[:5]
                values.append(sum(exam.items[int(n)].id in known[persona.id] for n in first) / 5)
            else:
                values.append(None)
        if self.turned:
            lowest_first = iter(sorted(value for value in values if value is not None))
            values = [None if value is None else next(lowest_first) for value in values]
        return {"labels@5": kit.mean(values, exam.seed, "them")} if set(values) > {None} else {}

@pvd.hookimpl
def register_teachers(register):
    register("priced-NAME", Priced)
    register("careful-NAME", Careful)
    register("constant-NAME", Constant)

@pvd.hookimpl
def register_samplers(register):
    register("cheap-NAME", Cheap)

@pvd.hookimpl
def register_evaluators(register):
    register("labels-NAME", Labels)
'''


@pytest.fixture
def mine(tmp_path: Path) -> Any:
    """What the command says of a plug-in that needs a shop's own data: drawn, or that shop's."""
    name = tmp_path.name.replace("_", "-")[-20:].strip("-")
    (tmp_path / "mine.py").write_text(OWN.replace("NAME", name))
    table = ["sku,image,title,price"]
    for number, item in enumerate(testing.items(30)):
        (tmp_path / f"{number}.png").write_bytes(item.read())
        table.append(f"sku-{number},{number}.png,{item.title},{3 + number * 7 % 31}")
    (tmp_path / "shop.csv").write_text("\n".join(table))
    people = [json.dumps({"id": f"p{n}", "text": f"Somebody of {n} years."}) for n in range(20, 60)]
    (tmp_path / "people.jsonl").write_text("\n".join(people))
    labels = {
        f"p{n}": [f"sku-{(n * k) % 30}" for k in range(1, n % 9 + 3)] for n in range(20, 60, 5)
    }
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    own = ["--catalog", str(tmp_path / "shop.csv"), "-o", "catalog.id=sku"]
    own += ["--personas", str(tmp_path / "people.jsonl")]

    def said(plugin: str, *more: str, drawn: bool = False) -> dict[str, Any]:
        kind = plugin.partition(".")[0]
        options = [f"evaluator.labels={tmp_path / 'labels.json'}"] * (kind == "evaluator")
        words = [word for option in [*options, *more] for word in ("-o", option)]
        words += ["-p", str(tmp_path / "mine.py"), f"{plugin}-{name}"]
        result = command("--json", *words, *([] if drawn else own))
        found: dict[str, Any] = json.loads(result.stdout)
        assert result.exit_code == bool(found["failed"])
        return found

    return said


def failures(found: dict[str, Any]) -> list[str]:
    return [row["why"] for row in found["checks"] if row["result"] == "failed"]


ITEMS = "the items of a check are drawn, and have only the attributes colour and size; check it on"
BOTH = "the items and personas of a check are drawn, and have only the attributes colour and size,"


@pytest.mark.parametrize(
    ("plugin", "least", "hint"),
    [
        ("teacher.priced", 3, ITEMS),
        ("sampler.cheap", 3, ITEMS),
        ("evaluator.labels", 1, BOTH),
    ],
)
def test_what_fails_on_drawn_data_says_so_and_is_checked_on_ones_own(
    mine: Any, plugin: str, least: int, hint: str
) -> None:
    drawn = failures(mine(plugin, drawn=True))
    assert len(drawn) >= least
    assert all(hint in why and "--catalog [SOURCE:]PATH" in why for why in drawn), drawn
    found = mine(plugin)
    assert not failures(found)
    assert (found["untested"], found["how"]) == (0, [])


def test_what_refuses_drawn_data_is_not_simply_ok(mine: Any) -> None:
    drawn = mine("teacher.careful", drawn=True)
    assert not drawn["failed"]
    assert drawn["untested"] > drawn["ok"], drawn
    (how,) = drawn["how"]
    assert "--catalog [SOURCE:]PATH --personas [SOURCE:]PATH" in how
    found = mine("teacher.careful")
    assert (found["failed"], found["untested"]) == (0, 0)
    assert found["ok"] >= drawn["ok"] + 8


def test_mistakes_are_found_on_ones_own_data(mine: Any) -> None:
    assert "the request's digest does not" in " ".join(failures(mine("teacher.constant")))
    turned = failures(mine("evaluator.labels", "evaluator.turned=true"))
    assert ["are not in the order of exam.personas" in why for why in turned] == [True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["loss.bradley-terry", "--catalog", "x"], "The checks of a loss take no --catalog."),
        (["source.table", "--personas", "x"], "-o source.path=PATH says where it reads"),
        (["sampler.uniform", "-o", "catalog.id=x"], "of --catalog, which is not given"),
        (["sampler.uniform", "--catalog", "nowhere.csv"], "no file or folder nowhere.csv"),
    ],
)
def test_data_that_no_check_is_about_is_refused(words: list[str], said: str) -> None:
    result = command(*words)
    assert result.exit_code not in (0, 1)
    assert said in result.output


def test_too_few_of_ones_own_are_refused(tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("Somebody.\nSomebody else.\n")
    result = command("sampler.uniform", "--personas", str(tmp_path / "few.txt"))
    assert result.exit_code == 5
    assert "There are 2 personas in" in result.output
    assert "a check needs 4; bring more" in result.output


def test_a_test_class_brings_its_own_items() -> None:
    def priced(self: Any) -> list[pvd.Item]:
        return [
            pvd.Item(item.id, item.image, item.title, {"price": str(number)})
            for number, item in enumerate(testing.items(12))
        ]

    class ByPrice(Draws):
        """Looks at the price."""

        def draw(self, pool: pvd.Pool, size: int, rng: Any) -> Any:
            assert all(float(item.attributes["price"]) >= 0 for item in pool.items)
            return super().draw(pool, size, rng)

    ByPrice.__module__, found = __name__, wrong(verdicts(SamplerContract, ByPrice))
    assert found
    assert all("items(self) in a test class" in why for why in found.values()), found
    assert not wrong(verdicts(SamplerContract, ByPrice, items=priced))


def test_assert_contract_lists_what_is_broken() -> None:
    with pytest.raises(AssertionError, match="leaves stdout to results: it prints 'drawing 5'"):
        testing.assert_contract(Talking())
    with pytest.raises(BadInput, match="least must be a number"):
        pvd.options.fill(Draws, {"least": "x"}, "")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (None, "not None; write return Mine()"),
        (Draws, "not the class Draws itself; write return Draws()"),
        (Watches(), "not an object of Watches (pvd.Observer); write return Mine()"),
        (3, "not an object of int; write return Mine()"),
    ],
    ids=["nothing", "a class", "another kind", "a number"],
)
@pytest.mark.parametrize("beside", [False, True])
def test_what_is_no_component_of_the_kind_is_said(made: Any, said: str, beside: bool) -> None:
    """Also where another class than the contract's defines `component`."""
    body = {"component": lambda self: made}
    if beside:
        one = type("Given", (type("Beside", (), body), SamplerContract), {})()
    else:
        one = type("Given", (SamplerContract,), body)()
    for name in SamplerContract.checks():
        problem = problem_of(getattr(one, name))
        assert problem == f"component() must return a pvd.Sampler object, {said}", name

"""Schemas are held to what runs read and write: every setting, every number, and wrong files."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from planted import design, found, judged, measuring, noise, sheet
from strangers import COLOURS, component, installed

from pvd import options, summary
from pvd.auditing import results
from pvd.bounds import bounds_of
from pvd.cli import main
from pvd.cli.describing import NAMES
from pvd.comparing import comparison
from pvd.discovery import KINDS, registry
from pvd.errors import BadInput
from pvd.identity import configuration
from pvd.options import Option
from pvd.schemas import RESULTS, result_schema, run_schema
from pvd.settings import Settings, recipe, resolve

ROOT = Path(__file__).parents[2]
Path_ = tuple[str | int, ...]


def said(*words: str) -> Any:
    result = CliRunner().invoke(main, ["schema", *words])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def wrong(schema: Any, value: Any) -> list[Path_]:
    """Where the value is wrong."""
    return [tuple(error.absolute_path) for error in Draft202012Validator(schema).iter_errors(value)]


@pytest.fixture(scope="module")
def run() -> Any:
    """The schema of run.toml, with the student of the example."""
    registry.load_file(COLOURS)
    return run_schema().schema


def command(*words: str) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output


# --- the schemas themselves -------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_a_valid_one_of_its_draft(name: str) -> None:
    schema = said(name)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    Draft202012Validator.check_schema(schema)
    assert schema == (run_schema().schema if name == "run" else result_schema(name))


def test_each_result_has_a_schema_of_the_layout_that_is_written() -> None:
    assert ("run", *RESULTS) == NAMES
    written = {"metrics": summary.SCHEMA, "compare": comparison.SCHEMA, "audit": results.SCHEMA}
    for name, number in written.items():
        assert result_schema(name)["properties"]["schema"]["const"] == number


def test_making_it_loads_nothing_heavy() -> None:
    code = "from pvd.schemas import run_schema; run_schema(); import sys; print(*sys.modules)"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(seen.stdout.split())
    assert "pvd_plugins.students.clip" in loaded  # every plug-in was
    assert not {"torch", "numpy", "PIL", "transformers", "matplotlib", "rich"} & loaded


# --- settings ---------------------------------------------------------------------------------


def follow(run: Any, schema: Any) -> Any:
    """The schema that a reference leads to."""
    while "$ref" in schema:
        schema = run["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def check_option(run: Any, schema: Any, option: Option) -> None:
    assert schema.get("description", "") == option.help
    if option.value is MISSING:
        assert "default" not in schema
    else:
        default = options.dump(option.value)
        shown = "none" if default is None else default
        assert schema["default"] == shown
        assert wrong({**schema, "$defs": run["$defs"]}, json.loads(json.dumps(shown))) == []


def test_every_setting_is_in_it_with_its_help_and_default(run: Any) -> None:
    described = options.describe(Settings)
    assert {"plugins", "files", *(o.name for o in described)} == run["properties"].keys()
    seen = 0
    for option in described:
        schema = run["properties"][option.name]
        if options.kind_of(option.annotation):
            assert "use" in follow(run, schema)["properties"]
        elif is_dataclass(option.annotation):
            inner = options.describe(option.annotation)
            assert [o.name for o in inner] == list(schema["properties"])
            for one in inner:
                check_option(run, schema["properties"][one.name], one)
                seen += 1
        elif option.name != "evaluators":  # whose default is the recipe's
            check_option(run, schema, option)
            seen += 1
    assert seen > 40


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_of_every_plugin_is_in_it(run: Any, kind: str) -> None:
    for name in registry.names(kind):
        cls = registry.get(kind, name)
        roles = [kind]
        if kind == "source":
            roles = [r for r in ("catalog", "personas") if f"{r}.{name}" in run["$defs"]]
            assert roles
        for role in roles:
            schema = run["$defs"][f"{role}.{name}"]
            described = options.describe(cls)
            extra = {"use", "path"} if kind == "source" else {"use"}
            assert schema["properties"].keys() == {o.name for o in described} | extra
            for option in described:
                if not (options.kind_of(option.annotation) or "teacher" in option.type):
                    check_option(run, schema["properties"][option.name], option)


FILES = sorted((ROOT / "core/pvd/recipes").glob("*.toml"))
FILES += sorted(p for p in ROOT.glob("examples/**/*.toml") if p.name != "pyproject.toml")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_recipes_and_examples_are_as_it_says(run: Any, path: Path) -> None:
    assert wrong(run, tomllib.loads(path.read_text())) == []


GOOD = [
    'teacher = "simulated"',
    "[teacher]\nnoise = 0.5",  # of the recipe's
    "[judge]\nnoise = 0.5",  # of the teacher's, which is the recipe's
    'teacher = "gemini"\n[judge]\nmodel = "m"',
    '[teacher]\nuse = "gemini"\ntemperature = "none"\nmax_tokens = 10',
    '[teacher]\nuse = "consistent"\norders = 2\n[teacher.of]\nuse = "simulated"\nnoise = 2',
    '[teacher]\nuse = "ensemble"\nmembers = ["simulated", {use = "simulated", noise = 3}]',
    'evaluators = ["mpr", {use = "hits", at = [1, 3]}]',
    'observers = ["jsonl"]\nmax_cost = 5\nseed = 3',
    "[train]\nchunk = 8\nlearning_rate = 1e-4\nreplay = 'last'",
    "[train]\nchunk = 'none'",
    '[catalog]\nuse = "table"\npath = "shop.csv"\nimage = "photo"\n'
    '[personas]\nuse = "lines"\npath = "people.txt"',
    '[student]\nuse = "clip"\npart = "last-2"',
]


@pytest.mark.parametrize("text", GOOD)
def test_what_a_run_takes_is_right(run: Any, text: str) -> None:
    table = tomllib.loads(text)
    assert wrong(run, table) == []
    resolve(recipe("default"), table)


BAD: list[tuple[str, Path_]] = [
    ("trian = 1", ()),
    ("seed = 'x'", ("seed",)),
    ("[train]\nround = 1", ("train",)),
    ("[train]\nrounds = 'many'", ("train", "rounds")),
    ("[train]\nreplay = 'some'", ("train", "replay")),
    ("train = 3", ("train",)),
    ("[ask]\nbatch = 1", ("ask", "batch")),
    ("teacher = 'gemni'", ("teacher",)),
    ("teacher = 3", ("teacher",)),
    ("[teacher]\nuse = 'gemni'", ("teacher", "use")),
    ("[teacher]\nuse = 'gemini'\nmodle = 'm'", ("teacher",)),
    ("[teacher]\nuse = 'gemini'\ndetail = 'huge'", ("teacher", "detail")),
    ("[teacher]\nmodel = 'm'", ("teacher",)),  # no option of the recipe's teacher
    ("[judge]\nmodel = 'm'", ("judge",)),
    ("teacher = 'gemini'\n[judge]\nnoise = 1", ("judge",)),
    ("[teacher]\nuse = 'gemini'\n[judge]\nnoise = 1", ("judge",)),
    ("teacher = 'pairwise'", ("teacher",)),  # it needs another
    ("[teacher]\nuse = 'pairwise'", ("teacher",)),
    ("[teacher]\nuse = 'consistent'\n[teacher.of]\nnoise = 2", ("teacher", "of")),
    ("[teacher]\nuse = 'consistent'\nof = 'nobody'", ("teacher", "of")),
    (
        "[teacher]\nuse = 'consistent'\n[teacher.of]\nuse = 'simulated'\nnoise = 'x'",
        ("teacher", "of", "noise"),
    ),
    ("[teacher]\nuse = 'ensemble'\nmembers = ['simulated', 'x']", ("teacher", "members", 1)),
    ("evaluators = ['mpr', 'mrp']", ("evaluators", 1)),
    ("evaluators = ['mpr', {use = 'hits', at = [1, 'x']}]", ("evaluators", 1, "at", 1)),
    ("evaluators = [{at = [1]}]", ("evaluators", 0)),
    ("[loss]\nuse = 'bradley-terry'\nscales = 1.0", ("loss",)),
    ("[catalog]\nuse = 'table'\npath = 3", ("catalog", "path")),
    # The bounds of plug-ins' options: of one number, of those of a list, of one that may be none.
    ("[loss]\nuse = 'bradley-terry'\nscale = 0", ("loss", "scale")),
    ("[teacher]\nuse = 'simulated'\nmalformed = 1", ("teacher", "malformed")),
    ("[personas]\nuse = 'boutique'\npeople = 100000000", ("personas", "people")),
    ("evaluators = ['mpr', {use = 'hits', at = [1, 0]}]", ("evaluators", 1, "at", 1)),
    ("[teacher]\nuse = 'openai'\ntemperature = -1", ("teacher", "temperature")),
]


@pytest.mark.parametrize(("text", "where"), BAD)
def test_what_a_run_refuses_is_wrong_at_that_place(run: Any, text: str, where: Path_) -> None:
    table = tomllib.loads(text)
    assert wrong(run, table) == [where]
    with pytest.raises(BadInput):
        resolve(recipe("default"), table)


VALUES = [0, 3, -1, 0.5, "x", "none", True, [1], ["x"], {"x": 1}, {}]
SECTIONS = {o.name: o.annotation for o in options.describe(Settings) if is_dataclass(o.annotation)}


@pytest.mark.parametrize("section", SECTIONS)
def test_it_and_the_settings_agree_about_every_type(run: Any, section: str) -> None:
    """But for text without quotes and a list without brackets, which a run forgives."""
    cls = SECTIONS[section]
    taken = 0
    for option, value in itertools.product(options.describe(cls), VALUES):
        right = wrong(run, {section: {option.name: value}}) == []
        try:
            resolve(recipe("default"), {section: {option.name: value}})
        except BadInput:
            assert not right, (option.name, value)
            continue
        forgiven = "str" in option.type and not isinstance(value, str)
        assert right or forgiven, (option.name, value)
        taken += right
    assert taken


BOUNDED = [
    pytest.param(section, option, id=f"{section}.{option.name}".lstrip("."))
    for section, cls in {"": Settings, **SECTIONS}.items()
    for option in options.describe(cls)
    if any(bounds_of(option.written))
]


def takes(table: dict[str, Any]) -> bool:
    try:
        resolve(recipe("default"), table)
    except BadInput:
        return False
    return True


AROUND = [-1, -0.5, 0, 0.5, 1, 1.5, 2, 3]


@pytest.mark.parametrize(("section", "option"), BOUNDED)
def test_it_and_the_settings_refuse_the_same_numbers(
    run: Any, section: str, option: Option
) -> None:
    """But for infinity and NaN, which are no numbers in JSON."""
    taken = []
    for value in AROUND:
        table = {section: {option.name: value}} if section else {option.name: value}
        if takes(table):
            taken.append(value)
        assert (wrong(run, table) == []) == (value in taken), value
    assert 0 < len(taken) < len(AROUND)


def test_every_number_of_the_settings_has_a_bound() -> None:
    """Whoever adds one thinks about which values it takes."""
    described = [o for cls in (Settings, *SECTIONS.values()) for o in options.describe(cls)]
    numbers = [o for o in described if {"int", "float"} & set(o.type.split(" | "))]
    assert len(numbers) > 30
    assert [o.name for o in numbers if not any(bounds_of(o.written))] == []


def test_a_plugin_file_is_known_if_it_is_given(tmp_path: Path) -> None:
    """In a process of its own: plug-ins that were loaded stay."""
    words = [sys.executable, "-m", "pvd", "schema", "run"]
    plain, with_file = (
        json.loads(subprocess.run([*words, *more], capture_output=True, check=True).stdout)
        for more in ([], ["-p", str(COLOURS)])
    )
    table = {"student": {"use": "colours", "width": 8}}
    assert wrong(plain, table) == [("student", "use")]
    assert wrong(with_file, table) == []
    table["student"]["width"] = "x"  # type: ignore[assignment]
    assert wrong(with_file, table) == [("student", "width")]


def test_a_broken_plugin_is_named_and_takes_nothing_else_with_it(tmp_path: Path) -> None:
    site = tmp_path / "site"
    installed(site, "torn", "raise RuntimeError('no luck')\n", "sampler.torn", "source.torn")
    body = "odd: dict[str, int] | None = None\nlimit: int = 3\n"
    body += "turn: complex = 1j\nmost: float = float('inf')"  # defaults that JSON does not have
    installed(site, "odd", component("loss", "odd", body), "loss.odd")
    body = "@property\ndef x(self): return 1\nbad: 'Nowhere' = 1"
    installed(site, "lost", component("observer", "lost", body), "observer.lost")
    seen = subprocess.run(
        [sys.executable, "-m", "pvd", "schema", "run"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    warned = seen.stderr.splitlines()
    assert len(warned) == 3, seen.stderr
    for name in ("sampler.torn", "source.torn", "observer.lost"):
        assert sum(name in line for line in warned) == 1
    schema = json.loads(seen.stdout, parse_constant=pytest.fail)
    Draft202012Validator.check_schema(schema)
    # What is known of nothing may hold anything; the others are as strict as ever.
    assert wrong(schema, {"sampler": {"use": "torn", "anything": [1]}}) == []
    assert wrong(schema, {"catalog": {"use": "torn"}, "personas": "torn"}) == []
    assert wrong(schema, {"loss": {"use": "odd", "odd": {"a": 1}, "limit": 4}}) == []
    assert wrong(schema, {"loss": {"use": "odd", "most": "x"}}) == [("loss", "most")]
    assert wrong(schema, {"loss": {"use": "odd", "limit": "x"}}) == [("loss", "limit")]
    assert wrong(schema, {"sampler": {"use": "four-bin", "anything": 1}}) == [("sampler",)]


# --- results ----------------------------------------------------------------------------------


def kept(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


RUNS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "another judge, evaluators and validation": {
        "judge": {"use": "simulated", "noise": 0.2},
        "evaluators": ["mpr", {"use": "hits", "at": [1, 2]}, {"use": "grades", "k": 3}],
        "train": {"validate": "mpr"},
        "exam": {"repeats": 0},
    },
    "one evaluator, a composite": {
        "evaluators": ["mpr"],
        "sampler": "within-bin",
        "teacher": {"use": "consistent", "of": "simulated", "orders": 2},
        "catalog": {"size": 60},
    },
}


FAST = "another judge, evaluators and validation"


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(more, id=name, marks=[] if name == FAST else pytest.mark.slow)
        for name, more in RUNS.items()
    ],
)
def test_what_a_run_writes_is_as_it_says(
    run: Any, small: dict[str, Any], tmp_path: Path, more: dict[str, Any]
) -> None:
    tables = options.merge(options.merge(small, {"train": {"rounds": 1}}), more)
    file = tmp_path / "settings.toml"
    file.write_text(tomli_w.dumps(tables))
    assert wrong(run, tables) == []
    out = tmp_path / "run"
    command("run", "-q", "-p", str(COLOURS), "--config", str(file), "--out", str(out))
    assert wrong(run, tomllib.loads((out / "run.toml").read_text())) == []
    for name in ("metrics", "usage"):
        assert wrong(result_schema(name), kept(out, name)) == []
    assert undescribed(result_schema("metrics"), kept(out, "metrics")) == []
    assert undescribed(result_schema("usage"), kept(out, "usage")) == []
    again = configuration(out / "run.toml")
    assert resolve(recipe("default"), again).table() == resolve(recipe("default"), tables).table()


def test_a_run_that_is_not_finished_is_evaluated_as_it_says(
    small_options: list[str], tmp_path: Path
) -> None:
    run = str(tmp_path / "run")
    for step in ("label", "train", "evaluate"):
        command(step, run, "-q", *small_options)
    metrics = kept(Path(run), "metrics")
    assert [row["round"] for row in metrics["rounds"]] == [0, 1]  # of three
    assert wrong(result_schema("metrics"), metrics) == []
    assert wrong(result_schema("usage"), kept(Path(run), "usage")) == []

    schema = result_schema("metrics")
    exam = metrics["exam"]
    exam["systems"]["distilled"]["my-number"] = exam["systems"]["distilled"]["mpr"]
    assert wrong(schema, metrics) == []  # evaluators are plug-ins
    exam["systems"]["distilled"]["my-number"] = 3.0
    exam["systems"]["distiled"] = {}
    exam["personas"] = -1
    metrics["best_round"] = None
    metrics["answers"]["training"]["dollars"] = None  # nobody knows a price
    del metrics["answers"]["exam"]["tokens"]["written"]
    assert set(wrong(schema, metrics)) == {
        ("exam", "systems", "distilled", "my-number"),
        ("exam", "systems"),
        ("exam", "personas"),
        ("best_round",),
        ("answers", "exam", "tokens"),
    }


def undescribed(root: Any, value: Any) -> list[str]:
    """The keys of a real file about which the schema says nothing."""

    def inside(schema: Any, value: Any, path: str) -> Iterator[str]:
        schema = branch(root, schema, value)
        if isinstance(value, list):
            for inner in value:
                yield from inside(schema["items"], inner, f"{path}[]")
        if isinstance(value, dict):
            for key, inner in value.items():
                own = schema.get("properties", {}).get(key)
                if own is not None and not told(own):
                    yield f"{path}.{key}"
                rest = schema.get("additionalProperties", True)
                if own is None and isinstance(rest, dict):  # else a plug-in says what it is
                    own = rest
                if own is not None:
                    yield from inside(own, inner, f"{path}.{key}")

    def told(schema: Any) -> bool:
        ref = schema.get("$ref", "").rpartition("/")[2]
        return (
            "description" in schema or "const" in schema or (bool(ref) and told(root["$defs"][ref]))
        )

    return sorted(set(inside(root, value, "")))


def branch(root: Any, schema: Any, value: Any) -> Any:
    """The schema that speaks of this value, behind references and alternatives."""
    if "anyOf" in schema:
        schema = next(s for s in schema["anyOf"] if not wrong({**s, "$defs": root["$defs"]}, value))
    if "$ref" in schema:
        return branch(root, root["$defs"][schema["$ref"].rpartition("/")[2]], value)
    return schema


def test_a_number_that_the_schema_lacks_is_noticed(
    small_options: list[str], tmp_path: Path
) -> None:
    """The walk above finds what it is there to find."""
    schema = result_schema("usage")
    whole = {"run": "a", "run_questions": 1, "run_dollars": 0.0, "seconds": {"exam": 1.0}}
    assert wrong(schema, whole) == []
    del schema["properties"]["run_dollars"]
    assert wrong(schema, whole) == [()]
    del schema["properties"]["seconds"]["description"]
    assert undescribed(schema, whole) == [".seconds"]


def test_an_audit_is_as_it_says(tmp_path: Path) -> None:
    shop = ["--catalog", "boutique", "-o", "catalog.size=80"]
    shop += ["--personas", "boutique", "-o", "personas.people=40"]
    noisy = '{use="simulated", noise=2.0}'
    for name, words in {
        "two": ["simulated", noisy, "--slates", "8"],
        "one": ["simulated", "--slates", "6", "--orders", "2", "--pairs", "0"],
    }.items():
        out = tmp_path / name
        command("audit", *words, *shop, "-q", "--out", str(out))
        assert wrong(result_schema("audit"), kept(out, "audit")) == []
        assert wrong(result_schema("usage"), kept(out, "usage")) == []


PLANTED = {
    "few seeds": lambda: found(
        design(seeds=2, sampler=["uniform", "four-bin"]),
        {"judge": sheet([noise(2, 1), noise(2, 2)])},
    ),
    "two factors": lambda: found(
        design(sampler=["uniform", "four-bin"], loss=["bradley-terry", "plackett-luce"]),
        {"judge": sheet([5 + noise(6, n) for n in range(4)])},
    ),
    "several teachers": lambda: found(
        design(
            judges=["noise=1", "noise=2", {"use": "simulated", "noise": 0.0}],
            teacher__noise=[1, 2],
            sampler=["uniform", "four-bin"],
        ),
        judged(
            {
                "noise=1": [9.0, 10.0, 5.0, 6.0],
                "noise=2": [4.0, 5.0, 8.0, 9.0],
                "simulated (noise=0)": [6.0, 7.0, 7.0, 8.0],
            }
        ),
    ),
    "a measure of a plug-in": lambda: found(
        design(train__slates=[100, 200]),
        {
            "judge": measuring(
                sheet([noise(6, 1), noise(6, 2)]), "precision@5", [noise(6, 3), 1 + noise(6, 4)]
            )
        },
    ),
    "other costs": lambda: found(
        design(train__slates=[100, 200]),
        {"judge": sheet([4 + noise(6, 1), 8 + noise(6, 2)], [(100, 1.0), (200, 0.5)])},
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_findings_of_many_kinds_are_as_it_says(case: str) -> None:
    schema = result_schema("compare")
    findings = json.loads(json.dumps(PLANTED[case]()))
    del findings["judges"]  # which the others of the helper's findings are not made from
    assert findings.keys() <= schema["properties"].keys()
    schema["required"] = sorted(findings)
    assert wrong(schema, findings) == []


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_a_comparison_is_as_it_says(small: dict[str, Any], tmp_path: Path) -> None:
    tables = options.merge(small, {"train": {"rounds": 1}})
    out = tmp_path / "out"
    file = tmp_path / "settings.toml"
    file.write_text(tomli_w.dumps(tables))
    command(
        "compare", "-q", "-p", str(COLOURS), "--config", str(file), "--seeds", "1", "--jobs", "2",
        "--vary", 'teacher=simulated,{use="simulated", noise=3}', "--out", str(out),
    )  # fmt: skip
    compare = kept(out, "compare")
    assert compare["substitution"]["matrix"]
    assert wrong(result_schema("compare"), compare) == []
    assert wrong(result_schema("usage"), kept(out, "usage")) == []
    compare["comparisons"][0]["verdict"] = "great"
    assert wrong(result_schema("compare"), compare) == [("comparisons", 0, "verdict")]

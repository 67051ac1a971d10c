"""Every bundled component passes the contract that strangers' components must pass."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asked import KEYS, options
from fake import Fake

import pvd
from pvd import testing
from pvd.discovery import KINDS, registry
from pvd.testing import assert_contract

BUNDLED = [row.name for row in registry.listing() if row.module.startswith("pvd_plugins.")]
OPTIONS: dict[str, dict[str, Any]] = {
    "teacher.consistent": {"of": "simulated"},
    "teacher.ensemble": {"members": ["simulated", "simulated"]},
    "teacher.pairwise": {"of": "simulated"},
}
HOSTED = {f"teacher.{name}" for name in (*KEYS, "gpt-4o")}  # they speak with a provider
# With weights that their own tests make:
ELSEWHERE = {"teacher.qwen-vl", "student.clip", "student.fashionclip", "student.siglip"}
ELSEWHERE |= {"teacher.human"}  # with somebody who answers
ELSEWHERE |= {"student.open-clip", "student.marqo-fashionclip", "student.marqo-fashionsiglip"}


def bundled(name: str, **options: Any) -> pvd.Component:
    kind, _, short = name.partition(".")
    component: pvd.Component = pvd.load(kind, short, **{**OPTIONS.get(name, {}), **options})
    return component


@pytest.fixture(autouse=True)
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A provider on this machine, which takes any key."""
    with Fake() as fake:
        for name in HOSTED:
            found = options(name.removeprefix("teacher."), fake)
            monkeypatch.setitem(OPTIONS, name, found)
        for variable in KEYS.values():
            monkeypatch.setenv(variable, "sk-any")
        yield fake


def test_there_is_a_component_of_every_kind() -> None:
    assert {name.partition(".")[0] for name in BUNDLED} == set(KINDS)


@pytest.mark.parametrize("name", [name for name in BUNDLED if name not in ELSEWHERE])
def test_the_contract(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: Fake
) -> None:
    monkeypatch.chdir(tmp_path)  # source.folder looks at the working directory if nothing is named
    component = bundled(name)

    assert component.name == name
    assert_contract(component)
    assert (len(provider.asked) > 0) == (name in HOSTED), "it was asked in truth"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("teacher.simulated", {"noise": 0.0}),
        ("teacher.simulated", {"position_bias": 3.0}),
        ("teacher.consistent", {"orders": 1}),
        ("teacher.consistent", {"method": "kemeny"}),
        ("teacher.consistent", {"method": "plackett-luce", "orders": 5, "balanced": True}),
        ("teacher.ensemble", {"orders": 3}),
        ("teacher.ensemble", {"weights": [2.0, 1.0]}),
        ("teacher.openai", {"detail": "high", "temperature": 0.0, "prompt": "brief"}),
        ("teacher.gemini", {"temperature": 0.0, "thinking": "minimal"}),
        ("teacher.claude", {"max_side": 100}),
        ("teacher.openai-compatible", {"schema": "none"}),
        ("sampler.four-bin", {"by": "quantile"}),
        ("sampler.four-bin", {"fallback": "uniform"}),
        ("sampler.four-bin", {"by": "quantile", "fallback": "uniform"}),
        ("sampler.within-bin", {"by": "range"}),
        ("loss.bradley-terry", {"scale": 1.0, "reduction": "mean"}),
        ("loss.plackett-luce", {"scale": 1.0}),
        ("evaluator.grades", {"k": 3}),
        ("evaluator.hits", {"at": [1, 3]}),
    ],
)
def test_the_contract_with_other_options(name: str, options: dict[str, Any]) -> None:
    assert_contract(bundled(name, **options))


@pytest.mark.parametrize("name", ["consistent", "pairwise"])
def test_the_contract_of_a_teacher_around_one_that_is_hosted(name: str) -> None:
    inner = bundled("teacher.gemini")
    assert_contract(pvd.load("teacher", name, of=inner))


# --- sources that read what a test writes, as an author has them ----------------------------------


class TestTable(testing.SourceContract):
    def component(self) -> pvd.Source:
        return pvd.load("source", "table")  # type: ignore[no-any-return]

    def path(self, folder: Path) -> str:
        rows = [f"{item.id},{picture(item, folder)},red" for item in testing.items(6)]
        (folder / "shop.csv").write_text("\n".join(["id,image,colour", *rows]))
        return str(folder / "shop.csv")

    def personas_path(self, folder: Path) -> str:
        rows = [json.dumps({"id": one.id, "text": one.text}) for one in testing.personas(3)]
        (folder / "people.jsonl").write_text("\n".join(rows))
        return str(folder / "people.jsonl")


class TestFolder(testing.SourceContract):
    def component(self) -> pvd.Source:
        return pvd.load("source", "folder")  # type: ignore[no-any-return]

    def path(self, folder: Path) -> str:
        for item in testing.items(6):
            picture(item, folder)
        return str(folder)


class TestLines(testing.SourceContract):
    def component(self) -> pvd.Source:
        return pvd.load("source", "lines")  # type: ignore[no-any-return]

    def path(self, folder: Path) -> str:
        (folder / "people.txt").write_text("Somebody who sails.\nSomebody who gardens.\n")
        return str(folder / "people.txt")


def picture(item: pvd.Item, folder: Path) -> str:
    """The item's picture in a file of the folder; its name."""
    (folder / f"{item.id}.png").write_bytes(item.read())
    return f"{item.id}.png"


@pytest.mark.parametrize("name", BUNDLED)
def test_options_are_kept(name: str) -> None:
    component = bundled(name)

    assert type(component)(**component.options()) == component

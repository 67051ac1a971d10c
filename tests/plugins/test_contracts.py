"""Every bundled component passes the contract that strangers' components must pass."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asked import KEYS, options
from fake import Fake

import pvd
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


@pytest.mark.parametrize("name", BUNDLED)
def test_options_are_kept(name: str) -> None:
    component = bundled(name)

    assert type(component)(**component.options()) == component

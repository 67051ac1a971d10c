"""Every bundled component passes the contract that strangers' components must pass."""

from pathlib import Path
from typing import Any

import pytest

import pvd
from pvd.discovery import KINDS, registry
from pvd.testing import assert_contract

BUNDLED = [row.name for row in registry.listing() if row.module.startswith("pvd_plugins.")]
OPTIONS: dict[str, dict[str, Any]] = {"teacher.consistent": {"of": "simulated"}}


def bundled(name: str, **options: Any) -> pvd.Component:
    kind, _, short = name.partition(".")
    component: pvd.Component = pvd.load(kind, short, **OPTIONS.get(name, {}), **options)
    return component


def test_there_is_a_component_of_every_kind() -> None:
    assert {name.partition(".")[0] for name in BUNDLED} == set(KINDS)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_contract(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # source.folder looks at the working directory if nothing is named
    component = bundled(name)

    assert component.name == name
    assert_contract(component)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("teacher.simulated", {"noise": 0.0}),
        ("teacher.simulated", {"position_bias": 3.0}),
        ("teacher.consistent", {"orders": 1}),
        ("sampler.four-bin", {"by": "quantile"}),
        ("sampler.four-bin", {"fallback": "uniform"}),
        ("sampler.four-bin", {"by": "quantile", "fallback": "uniform"}),
        ("loss.bradley-terry", {"scale": 1.0, "reduction": "mean"}),
        ("loss.plackett-luce", {"scale": 1.0}),
        ("evaluator.grades", {"k": 3}),
        ("evaluator.hits", {"at": [1, 3]}),
    ],
)
def test_the_contract_with_other_options(name: str, options: dict[str, Any]) -> None:
    assert_contract(bundled(name, **options))


@pytest.mark.parametrize("name", BUNDLED)
def test_options_are_kept(name: str) -> None:
    component = bundled(name)

    assert type(component)(**component.options()) == component

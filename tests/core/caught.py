"""Broken plug-ins, each caught by the check that it is made for, and by no other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pvd
from pvd.testing import Contract, Skipped
from pvd.testing.checking import problem_of


@dataclass(frozen=True)
class Broken:
    """A plug-in, what its author is told, and the checks that cannot but find it, too; None where
    it harms too much to say which."""

    component: Callable[[], pvd.Component]
    message: str
    also: tuple[str, ...] | None = ()


def verdicts(
    contract: type[Contract[Any]], component: Callable[[], pvd.Component], **more: Any
) -> dict[str, str | None]:
    """What each check of a contract says."""
    body = {"component": lambda self: component(), **more}
    one = type("Given", (contract,), body)()
    try:
        return {name: problem_of(getattr(one, name)) for name in contract.checks()}
    finally:
        one.teardown_class()


def wrong(found: Mapping[str, str | None]) -> dict[str, str]:
    """The checks that failed, with the reason."""
    return {n: why for n, why in found.items() if why and not isinstance(why, Skipped)}


def assert_caught(contract: type[Contract[Any]], check: str, broken: Broken, **more: Any) -> None:
    """That this check finds it, in these words, and no other does."""
    found = wrong(verdicts(contract, broken.component, **more))
    assert check in found, f"nobody said anything but {found}"
    assert re.search(broken.message, found[check]), found[check]
    if broken.also is not None:
        assert set(found) == {check, *broken.also}, found


def own_checks(contract: type[Contract[Any]]) -> set[str]:
    """The checks of this kind alone."""
    return set(contract.checks()) - set(Contract.checks())

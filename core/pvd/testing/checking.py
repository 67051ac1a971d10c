"""Runs a contract without pytest: each check, and what is wrong."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pvd.discovery import KINDS
from pvd.errors import PvdError
from pvd.isolation.origin import error_line
from pvd.protocols import Component
from pvd.records import Item, Persona
from pvd.testing.contract import Contract
from pvd.testing.evaluators import EvaluatorContract
from pvd.testing.losses import LossContract
from pvd.testing.observers import ObserverContract
from pvd.testing.samplers import SamplerContract
from pvd.testing.sources import SourceContract
from pvd.testing.students import StudentContract
from pvd.testing.teachers import TeacherContract

CONTRACTS: dict[str, type[Contract[Any]]] = {
    contract.kind: contract
    for contract in (
        TeacherContract,
        StudentContract,
        SamplerContract,
        LossContract,
        EvaluatorContract,
        SourceContract,
        ObserverContract,
    )
}
CORE = Path(__file__).parents[1]


class Skipped(str):
    """Why a check was not made."""

    how: str = ""  #: what makes it after all; empty where there is nothing to check


def check(
    component: Component,
    *,
    live: bool = True,
    items: Sequence[Item] | None = None,
    personas: Sequence[Persona] | None = None,
) -> Iterator[tuple[str, str | None]]:
    """Each check of the component's contract, as a sentence, with None, or what is wrong, or
    Skipped. No check leaves this machine. The checks are about these items (twelve or more) and
    personas (four or more), or about drawn ones.

    Without `live` nobody is asked who costs money or is a person, and what is missing here (a key,
    weights, a package) is Skipped, not wrong.
    """
    kind = next(kind for kind, cls in KINDS.items() if isinstance(component, cls))
    body: dict[str, Any] = {"component": lambda self: component, "live": live}
    if items is not None:
        body["items"] = lambda self: items
    if personas is not None:
        body["personas"] = lambda self: personas
    contract = type(type(component).__name__, (CONTRACTS[kind],), body)()
    try:
        for name in contract.checks():
            method = getattr(contract, name)
            yield sentence(method), problem_of(method)
    finally:
        contract.teardown_class()


def assert_contract(component: Component) -> None:
    """Raise AssertionError that lists the broken checks, if there are any. What is asked is asked
    in truth, on this machine; a missing key or package counts as broken."""
    broken = [
        f"{sentence}: {problem}"
        for sentence, problem in check(component)
        if problem and not isinstance(problem, Skipped)
    ]
    if broken:
        raise AssertionError("\n".join(broken))


def sentence(method: Any) -> str:
    """What a check checks, in words."""
    return " ".join((method.__doc__ or "").split())


def problem_of(method: Any) -> str | None:
    """What is wrong, or Skipped, or nothing."""
    from unittest import SkipTest

    try:
        method()
    except SkipTest as why:
        skipped = Skipped(why)
        skipped.how = getattr(why, "how", "")
        return skipped
    except (AssertionError, PvdError) as error:
        said = str(error) or traceback.format_exc(limit=-1).strip()
        return _noted(said, error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's code: whatever it raises, sys.exit() too
        return _noted(f"{error_line(error)}{_where(error)}", error)
    return None


def _noted(said: str, error: BaseException) -> str:
    """With what the check knows beside."""
    return "; ".join([said.rstrip("."), *notes]) if (notes := _notes(error)) else said


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", ()))


def _where(error: BaseException) -> str:
    """The last line of code that is not core's own."""
    lines = traceback.extract_tb(error.__traceback__)
    theirs = [line for line in lines if CORE not in Path(line.filename).parents]
    return f" ({Path(theirs[-1].filename).name}, line {theirs[-1].lineno})" if theirs else ""

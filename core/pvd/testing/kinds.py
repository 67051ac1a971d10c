"""What `component()` of a contract has to return: an object of its kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from pvd.discovery import KINDS
from pvd.protocols import Component


def of_its_kind(made: Callable[[Any], object]) -> Callable[[Any], Component]:
    """`component`, with a sentence about anything else that it returns."""

    @wraps(made)
    def component(self: Any) -> Component:
        __tracebackhide__ = True
        found: object = made(self)
        wanted = KINDS.get(self.kind, Component)
        if isinstance(found, wanted):
            return found
        name = "Mine"
        if found is None:
            said = "None"
        elif isinstance(found, type):
            said, name = f"the class {found.__name__} itself", found.__name__
        else:
            of = next((cls for cls in KINDS.values() if isinstance(found, cls)), type(found))
            said = f"an object of {type(found).__name__}" + f" (pvd.{of.__name__})" * (
                of is not type(found)
            )
        raise AssertionError(
            f"component() must return a pvd.{wanted.__name__} object, not {said}; "
            f"write return {name}()"
        )

    return component

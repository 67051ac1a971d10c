"""The guard: where core calls a method of a plug-in, and what may come out of it.

A class is guarded when it is registered: each method that core calls is put into a frame that
turns a stranger's exception into one sentence, with the exception itself as its cause. Whatever a
protocol lets a method raise (`Busy`, `Malformed`, `BadInput`) goes through as it is.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from pvd.errors import PvdError
from pvd.failures import BatchFailed, Busy, Gone, Malformed, Refused, Rejected
from pvd.isolation.checks import check_type
from pvd.isolation.origin import Origin, failed, origin_of

# What each method may say in this way; from any other it is a mistake like any exception.
SAYS: dict[str, tuple[type[Exception], ...]] = {
    "answer": (Busy, Rejected),
    "rank": (Busy, Rejected),
    "read": (Malformed, Refused),
    "submit": (Busy, Rejected),
    "find": (Busy, Rejected),
    "collect": (BatchFailed, Busy, Gone, Rejected),
    "discard": (Busy, Rejected),
    # Files that are damaged or have no room are no fault of the student; core says which they are.
    "open": (OSError, EOFError, ValueError, KeyError),
    "save": (OSError,),
    "__init__": (ValueError,),  # a value that an option cannot have
}
DUNDERS = ("__call__", "__enter__", "__exit__")
WATCHED = "on_"  # observers' hooks, which `watching` guards: one that raises is switched off

_local = threading.local()


def plugin_at_work() -> Origin | None:
    """The plug-in whose code runs in this thread, if one's does."""
    stack: list[Origin] = getattr(_local, "stack", [])
    return stack[-1] if stack else None


@contextmanager
def inside(origin: Origin) -> Iterator[None]:
    """While this lasts, a plug-in's code runs in this thread."""
    stack: list[Origin] = _local.__dict__.setdefault("stack", [])
    stack.append(origin)
    try:
        yield
    finally:
        stack.pop()


@contextmanager
def calling(component: object, where: str) -> Iterator[None]:
    """Code of a component runs: what it raises becomes a PluginError that names it and `where`."""
    origin = origin_of(component)
    with inside(origin):
        if getattr(_local, "off", False):
            yield
            return
        try:
            yield
        except (PvdError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            if _may_pass(error, where):
                raise
            raise failed(origin, where, error) from error


def _may_pass(error: BaseException, where: str) -> bool:
    name = type(error).__name__
    # A full memory is nobody's mistake; and torch, which has a class of its own for it, may not be
    # loaded, as the library that tells of damaged weights.
    return (
        isinstance(error, (MemoryError, *SAYS.get(where, ())))
        or name == "OutOfMemoryError"
        or (name == "SafetensorError" and where in ("open", "save"))
    )


@contextmanager
def unguarded() -> Iterator[None]:
    """While this lasts, methods that this thread calls raise what they raise: for whoever tests a
    plug-in and wants to see it."""
    before = getattr(_local, "off", False)
    _local.off = True
    try:
        yield
    finally:
        _local.off = before


def guard(cls: type) -> None:
    """Put a frame around each method of a protocol that this class has of its own."""
    for name in _spoken(cls):
        method = inspect.getattr_static(cls, name)
        if inspect.isfunction(method) and not (
            _is_ours(method) or hasattr(method, "__pvd_guarded__")
        ):
            setattr(cls, name, _guarded(name, method))


def _spoken(cls: type) -> set[str]:
    """The methods that its protocol names."""
    found: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.startswith("pvd.protocols."):
            found |= {name for name, value in vars(base).items() if inspect.isfunction(value)}
    return {name for name in found if not name.startswith(("_", WATCHED)) or name in DUNDERS}


def _is_ours(method: Callable[..., Any]) -> bool:
    return method.__module__.startswith("pvd.protocols.")


def _guarded(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with calling(self, name):
            found = method(self, *args, **kwargs)
        if isinstance(found, Iterator):
            return _each(self, name, found)
        if not getattr(_local, "off", False):
            check_type(self, name, found)
        return found

    call.__pvd_guarded__ = True  # type: ignore[attr-defined]
    return call


def _each(component: object, name: str, found: Iterator[Any]) -> Iterator[Any]:
    """What a method brings one by one, its code being called for each."""
    while True:
        with calling(component, name):
            try:
                one = next(found)
            except StopIteration:
                return
        yield one

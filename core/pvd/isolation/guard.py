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

from pvd.errors import BadInput, PvdError
from pvd.failures import BatchFailed, Busy, Gone, Malformed, Refused, Rejected
from pvd.isolation import keeping
from pvd.isolation.arguments import LOOKS
from pvd.isolation.checks import check_type
from pvd.isolation.origin import Origin, failed, origin_of, was_pressed

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


class _Here(threading.local):
    """What a thread is doing: the plug-ins whose code runs, and whether nothing is guarded."""

    def __init__(self) -> None:
        self.stack: list[object] = []  # origins, components and classes
        self.off = False


_here = _Here()


def plugin_at_work() -> Origin | None:
    """The plug-in whose code runs in this thread, if one's does."""
    if not _here.stack:
        return None
    last = _here.stack[-1]
    return last if isinstance(last, Origin) else origin_of(last)


@contextmanager
def inside(plugin: object) -> Iterator[None]:
    """While this lasts, the code of a plug-in (its origin, a component or a class) runs in this
    thread."""
    before = _begun(plugin)
    try:
        yield
    finally:
        _ended(before)


def _begun(plugin: object) -> keeping.Before | None:
    # Who tests a plug-in wants to see what it changes.
    before = None if _here.off else keeping.begin()
    _here.stack.append(plugin)
    return before


def _ended(before: keeping.Before | None) -> None:
    _here.stack.pop()
    if before:
        keeping.end(before)


@contextmanager
def calling(component: object, where: str) -> Iterator[None]:
    """Code of a component runs: what it raises becomes a PluginError that names it and `where`."""
    own = _is_at_work(component)
    with inside(component):
        try:
            yield
        except BaseException as error:
            if own or _may_pass(error, where):
                raise
            raise failed(origin_of(component), where, error) from error


def _is_at_work(component: object) -> bool:
    """Whether it is the component's own code that calls, by `super()` too: it may catch what is
    raised, and the frame around that code is the one that counts."""
    last = _here.stack[-1] if _here.stack else None
    if isinstance(component, type) and isinstance(last, component):  # a static or class method
        return True
    return last is not None and (last is component or last is type(component))


def _may_pass(error: BaseException, where: str) -> bool:
    if _here.off or isinstance(error, (PvdError, GeneratorExit)):
        return True
    if isinstance(error, KeyboardInterrupt):
        return was_pressed(error)
    # The library that tells of damaged weights may not be loaded.
    damaged = type(error).__name__ == "SafetensorError" and where in ("open", "save")
    return damaged or isinstance(error, SAYS.get(where, ()))


@contextmanager
def unguarded() -> Iterator[None]:
    """While this lasts, methods that this thread calls raise what they raise, and leave behind what
    they change: for whoever tests a plug-in and wants to see it."""
    before, _here.off = _here.off, True
    try:
        yield
    finally:
        _here.off = before


def guard(cls: type) -> None:
    """Put a frame around each method of a protocol that this class has of its own."""
    for name in _spoken(cls):
        found = inspect.getattr_static(cls, name)
        of_class = type(found) if isinstance(found, (staticmethod, classmethod)) else None
        method = found.__func__ if of_class else found
        # Whoever wraps a guarded method copies its mark, too: only the frame is its own.
        is_frame = getattr(method, "__pvd_guarded__", None) is method
        if inspect.isfunction(method) and not (_is_ours(method) or is_frame):
            frame = _guarded(name, method, cls if of_class is staticmethod else None)
            setattr(cls, name, of_class(frame) if of_class else frame)


def _spoken(cls: type) -> set[str]:
    """The methods that its protocol names."""
    found: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.startswith("pvd.protocols."):
            found |= {name for name, value in vars(base).items() if inspect.isfunction(value)}
    return {name for name in found if not name.startswith(("_", WATCHED)) or name in DUNDERS}


def _is_ours(method: Callable[..., Any]) -> bool:
    return method.__module__.startswith("pvd.protocols.")


def _guarded(name: str, method: Callable[..., Any], owner: type | None) -> Callable[..., Any]:
    """The frame around a method; of a static one, that is given no component, with its class."""
    takes, wrong = LOOKS.get(name, ("", None))
    place = 0 if owner else 1

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        self: Any = owner or args[0]
        if _is_at_work(self):
            return method(*args, **kwargs)
        if wrong and (len(args) > place or takes in kwargs):
            given = args[place] if len(args) > place else kwargs[takes]
            if why := wrong(given):
                # A plug-in that called it is to blame: the frame around that one says so.
                raise TypeError(why) if _here.stack else BadInput(f"{why}.")
            if name == "embed_texts" and not len(given):  # of how many numbers, one text tells
                return call(*args[:place], ["a text"])[:0]
        # As `calling`, without what a context manager costs: some are called for each question.
        before = _begun(self)
        try:
            found = method(*args, **kwargs)
        except BaseException as error:
            if _may_pass(error, name):
                raise
            raise failed(origin_of(self), name, error) from error
        finally:
            _ended(before)
        if not _here.off:
            check_type(self, name, found)
        return _each(self, name, found) if isinstance(found, Iterator) else found

    call.__pvd_guarded__ = call  # type: ignore[attr-defined]
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

"""A component's options with other values, to see whether its keys follow."""

from __future__ import annotations

import json
import os
import re
import tempfile
import typing
from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar

from pvd import options
from pvd.bounds import UNIONS
from pvd.errors import PluginError, PvdError
from pvd.failures import Busy, Rejected
from pvd.isolation.origin import error_line, missing_package, origin_of
from pvd.protocols import Component
from pvd.testing import options as own
from pvd.testing.demands import skip

C = TypeVar("C", bound=Component)
T = TypeVar("T")

WORDS = ("size", "colour")  # columns of the items of a check, if a text names one
NOTHING: dict[type, Any] = {str: "", int: 0, float: 0.0, bool: False}  # where an option is None
LARGE = 2**20  # bytes: a larger file is none that a change would be understood in


@dataclass(frozen=True)
class Change(Generic[C]):
    """One option with another value."""

    option: str
    what: str  #: in words
    before: C  #: the component as it was, or with a copy of the file that the option names
    after: Callable[[], C]  #: makes it with the other value, and writes that file anew
    each: bool = False  #: worth a look, although another value of this option was looked at


def changes(component: C) -> Iterator[Change[C]]:
    """The options of a component with other values; each may be none that it takes."""
    known = options.option_types(type(component))
    for name, value in component.options().items():
        annotation = _bare(known[name])
        if annotation is Path:
            yield from _rewritten(component, name, value)
        for other in _others(annotation, value):
            made = partial(own.again, component, **{name: other})
            what = f"{name}={other!r} instead of {value!r}"
            each = typing.get_origin(annotation) is typing.Literal
            yield Change(name, what, component, made, each)


class _NotTaken(Exception):
    """The component says of a value that it is none of its option's."""


def tried(change: Change[C], look: Callable[[C, Callable[[], C]], T]) -> T | None:
    """What is seen of the component before, and of the one that is made then; None if it does not
    take the value, or cannot work with it here, and says so as a user is told. Where it breaks
    otherwise, AssertionError."""
    from unittest import SkipTest

    def after() -> C:
        try:
            return change.after()
        except ValueError as error:  # as core takes one of `__init__`
            raise _NotTaken from error

    try:
        return look(change.before, after)
    except PluginError as error:
        raise AssertionError(f"with {change.what} it {error.fault or error}") from error
    except (_NotTaken, SkipTest, PvdError, Busy, Rejected):
        return None
    except AssertionError as error:
        raise AssertionError(f"with {change.what}: {error}") from error
    except Exception as error:
        if missing_package(origin_of(change.before), error):
            return None
        raise AssertionError(
            f"with {change.what} it raises {error_line(error)}; refuse what it cannot take by a "
            "ValueError in __post_init__, or pvd.kit.BadInput later"
        ) from error


def skip_if_left(component: Component, seen: Set[str]) -> None:
    """Skip the check, which is done, if it looked at some options only."""
    left = [
        name
        for name, annotation in options.option_types(type(component)).items()
        if name not in seen and not _is_component(_bare(annotation))
    ]
    if left:
        skip(
            f"no other value of {', '.join(left)} could be tried here"
            + (f"; {', '.join(sorted(seen))} is in order" if seen else "")
        )


def _bare(annotation: Any) -> Any:
    """A type without its help, and without None."""
    annotation = own.plain(annotation)
    if typing.get_origin(annotation) in UNIONS:
        (inner, *_) = (one for one in typing.get_args(annotation) if one is not type(None))
        return own.plain(inner)
    return annotation


def _is_component(annotation: Any) -> bool:
    inner = (typing.get_args(annotation) or (annotation,))[0]
    return isinstance(inner, type) and issubclass(inner, Component)


def _others(annotation: Any, value: Any) -> list[Any]:
    """Other values of an option; each may be none that the component takes."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return [one for one in args if one != value]
    if origin is tuple:
        last = value[-1] if value else None
        other = [(*(value or ())[:-1], one) for one in _others(args[0], last)]
        return [*other, value[:-1]] if value else other
    if value is None:
        value = NOTHING.get(annotation)
    if annotation is str:
        return [f"{value}-other".strip("-"), *(word for word in WORDS if word != value)]
    if annotation is bool:
        return [not value]
    if annotation is int:
        return [value + 1, value - 1]
    if annotation is float:
        return [value / 2 + 0.25, value + 1.0] if value != 0.5 else [0.25]
    return []


def _rewritten(component: C, name: str, path: Path | None) -> Iterator[Change[C]]:
    """The component with a copy of the file, whose contents are changed under the same path."""
    if path is None or not path.is_file() or path.stat().st_size > LARGE:
        return
    data, moments = path.read_bytes(), count()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name

        def made(contents: bytes) -> C:
            copy.write_bytes(contents)
            # Within a tick of the clock, and of the same size, it would look unchanged.
            os.utime(copy, ns=(0, next(moments) * 10**9))
            return own.again(component, **{name: copy})

        for other in _contents(data):
            what = f"other contents of {path.name} ({name})"
            with suppress(ValueError, PvdError):  # it takes the file at its own place only
                yield Change(name, what, made(data), partial(made, other))


def _contents(data: bytes) -> list[bytes]:
    """What else may stand in such a file, if it is text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return []
    found = [re.sub(r"\d", lambda digit: str(9 - int(digit[0])), text)]
    with suppress(ValueError):
        value = json.loads(text)
        if isinstance(value, dict):
            value = dict(zip(value, list(value.values())[::-1], strict=True))
        found.append(json.dumps(value[::-1] if isinstance(value, list) else value))
    found += ["\n".join(text.splitlines()[::-1]), f"{text}\nother"]
    return [one.encode() for one in found if one != text]

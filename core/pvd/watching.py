"""Observers are told what happens. One that raises is switched off; none can change a number."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pluggy

from pvd import hookspecs
from pvd.errors import PluginError
from pvd.isolation import inside, unguarded
from pvd.isolation.origin import error_line, place_known, was_pressed
from pvd.protocols import Observer
from pvd.records import RoundResult, Stage

CHANGEABLE = (dict, list, RoundResult)  # of what is told; the rest is frozen all through
EVERY = 0.1  # seconds between two `on_progress` of an observer, on average
SHARE = 0.05  # of the time, at most, goes into an observer's `on_progress`


class _Watcher:
    """An observer with a plug-in manager of its own, so that one that raises does not silence the
    others.
    """

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.due = 0.0  # when it may hear of progress again
        manager = pluggy.PluginManager("pvd")
        manager.add_hookspecs(hookspecs)
        try:
            manager.register(observer, observer.label)
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(f"The observer {_known(observer)} does not fit: {error}.") from None
        self.hook = manager.hook

    def leave(self) -> None:
        self.observer.__exit__(None, None, None)


def _known(observer: Observer) -> str:
    """Its name, and whose it is."""
    place = place_known(observer)
    return observer.label + (f" of {place}" if place else "")


class Watchers:
    """The observers of a command: the display, and while a run is open those that it named."""

    def __init__(self, observers: Sequence[Observer], say: Callable[[str], None]) -> None:
        self._say = say
        self._watching = [_Watcher(observer) for observer in observers]
        self._joining: list[_Watcher] = []

    @contextmanager
    def joined_by(self, observers: Sequence[Observer]) -> Iterator[None]:
        """While this lasts, these watch too, from `begin` on. PluginError if one does not fit; one
        that cannot get ready (a missing package) ends the command, too.
        """
        joining = [_Watcher(observer) for observer in observers]
        try:
            for one in joining:
                one.observer.__enter__()
                self._joining.append(one)
            yield
        finally:
            for one in joining:
                if self._forget(one):
                    self._guard(one, one.leave)

    def begin(self, folder: Path) -> None:
        """Tell each observer where the run lies."""
        self._watching += self._joining
        self._joining = []
        for one in self._present():
            self._guard(one, partial(one.observer.begin, folder))

    def tell(self, hook: str, **event: Any) -> None:
        """Call one `on_...` hook of every observer. What could be changed (settings, rounds,
        metrics) is a copy for each, so that none sees what another made of it.
        """
        for one in self._present():
            own = {k: deepcopy(v) if isinstance(v, CHANGEABLE) else v for k, v in event.items()}
            self._guard(one, partial(getattr(one.hook, hook), **own))

    def progress(self, stage: Callable[[], Stage]) -> None:
        """Call `on_progress` of those observers whose turn it is: a slow one is called less often,
        so that it holds up nobody.
        """
        for one in self._present():
            start = time.monotonic()
            if start >= one.due:
                self._guard(one, partial(one.hook.on_progress, stage=stage()))
                took = time.monotonic() - start
                # Two in a row after a pause: often a count and what it cost come together.
                one.due = max(max(one.due, start - EVERY) + EVERY, start + took / SHARE)

    def watches(self, observer: Observer) -> bool:
        """Whether it is told still."""
        return any(one.observer is observer for one in self._watching)

    def _present(self) -> Iterator[_Watcher]:
        """Those who watch, without any that is switched off while the others are told."""
        return (one for one in list(self._watching) if one in self._watching)

    def _guard(self, one: _Watcher, call: Callable[[], Any]) -> None:
        try:
            with inside(one.observer), unguarded():  # it is said here
                call()
        except BaseException as error:  # a stranger's code; whatever it is, the run goes on
            if isinstance(error, KeyboardInterrupt) and was_pressed(error):
                raise
            if self._forget(one):
                with suppress(Exception, SystemExit):  # it failed already, which is said below
                    one.leave()
            self._say(f"The observer {_known(one.observer)} is switched off: {error_line(error)}")

    def _forget(self, one: _Watcher) -> bool:
        """Tell it nothing more; whether it was told."""
        for group in (self._watching, self._joining):
            if one in group:
                group.remove(one)
                return True
        return False

"""Observers are told what happens. One that raises is switched off; none can change a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pluggy

from pvd import hookspecs
from pvd.errors import PluginError
from pvd.protocols import Observer


class Watchers:
    """The observers that the run named, each called by a plug-in manager of its own, so that one
    that raises does not silence the others.
    """

    def __init__(self, observers: Sequence[Observer], say: Callable[[str], None]) -> None:
        self._say = say
        self._managers: list[tuple[Observer, pluggy.PluginManager]] = []
        for observer in observers:
            manager = pluggy.PluginManager("pvd")
            manager.add_hookspecs(hookspecs)
            try:
                manager.register(observer, observer.label)
                manager.check_pending()
            except pluggy.PluginValidationError as error:
                raise PluginError(f"The observer {observer.label} does not fit: {error}.") from None
            self._managers.append((observer, manager))

    def begin(self, folder: Path) -> None:
        """Tell each observer where the run lies."""
        for observer, manager in list(self._managers):
            self._guard(observer, manager, partial(observer.begin, folder))

    def tell(self, hook: str, **event: Any) -> None:
        """Call one `on_...` hook of every observer."""
        for observer, manager in list(self._managers):
            self._guard(observer, manager, partial(getattr(manager.hook, hook), **event))

    def _guard(
        self, observer: Observer, manager: pluggy.PluginManager, call: Callable[[], Any]
    ) -> None:
        try:
            call()
        except Exception as error:  # a stranger's code; whatever it is, the run goes on
            self._managers.remove((observer, manager))
            self._say(
                f"The observer {observer.label} is switched off: {type(error).__name__}: "
                f"{' '.join(str(error).split())}"
            )

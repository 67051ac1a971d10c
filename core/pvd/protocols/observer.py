"""Observers are told what happens."""

from __future__ import annotations

from pathlib import Path

from pvd.protocols.component import Component


class Observer(Component):
    """Is told what happens (the hooks `on_...`), in the main thread, and changes nothing. One that
    raises is switched off, with one line."""

    def begin(self, folder: Path) -> None:
        """Called with the run folder before the first event; keep it to write into."""

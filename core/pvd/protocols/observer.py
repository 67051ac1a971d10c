"""Observers are told what happens."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from pvd.protocols.component import Component


class Observer(Component):
    """Is told what happens (the hooks `on_...`), in the thread that runs the command, and changes
    nothing. One that raises is switched off, with one line.
    """

    def __enter__(self) -> Self:
        """Itself, ready, before anything is asked or changed. What is raised here, such as
        MissingPrerequisite for a package, ends the command."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The command ends, whatever for, or the observer was switched off: close what is open."""
        return None

    def begin(self, folder: Path) -> None:
        """Called with the run folder before the first event; keep it to write into."""

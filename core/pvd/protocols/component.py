"""What every kind of plug-in shares."""

from __future__ import annotations

from abc import ABC
from dataclasses import fields
from typing import Any, ClassVar


class Component(ABC):  # noqa: B024 - each kind adds its own abstract methods
    """What every kind shares: a name, once loaded, and fields that are its options.

    A component is a `@dataclass(kw_only=True)`. An option's type is `str`, `int`, `float`, `bool`,
    `Path`, `Literal[...]`, `X | None`, `tuple[X, ...]`, or a kind of component.
    """

    name: ClassVar[str] = ""  #: `kind.name`; the registry sets it
    extra: ClassVar[str] = ""  #: the extra of its distribution that brings what it imports later

    @property
    def label(self) -> str:
        """Its name without the kind; the class's, where it was never registered."""
        return self.name.partition(".")[2] or type(self).__name__

    def options(self) -> dict[str, Any]:
        """The options as they are set, by name: what the run's record and a question's key hold."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

"""What every kind of plug-in shares."""

from __future__ import annotations

from abc import ABC
from dataclasses import fields
from functools import wraps
from typing import Any, ClassVar

from pvd.bounds import refused


class Component(ABC):  # noqa: B024 - each kind adds its own abstract methods
    """What every kind shares: a name, once loaded, and fields that are its options.

    A component is a `@dataclass(kw_only=True)`. An option's type is `str`, `int`, `float`, `bool`,
    `Path`, `Literal[...]`, `X | None`, `tuple[X, ...]`, or a kind of component. Which numbers it
    takes stands in its type, `Annotated[int, pvd.kit.AtLeast(1)]`; others are a ValueError.
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

    def __post_init__(self) -> None:
        """ValueError for a number that an option does not take."""
        if why := refused(self):
            raise ValueError(why)

    def __init_subclass__(cls, **more: Any) -> None:
        """What an author's own `__post_init__` looks at is within the bounds, also where it calls
        nobody else's."""
        super().__init_subclass__(**more)
        if own := vars(cls).get("__post_init__"):

            @wraps(own)
            def checked(self: Component) -> None:
                Component.__post_init__(self)
                own(self)

            cls.__post_init__ = checked  # type: ignore[method-assign]

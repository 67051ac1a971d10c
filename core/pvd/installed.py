"""What the installed distributions declare, read from their metadata; nothing is imported."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from pvd.errors import PluginError
from pvd.isolation.origin import is_ours, place_of, unmet

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

GROUP = "pvd"


@dataclass(frozen=True)
class Entry:
    """One line `"kind.name" = "module"` of a distribution."""

    name: str
    module: str
    place: str  # the distribution and its version
    distribution: Distribution | None

    def load(self) -> ModuleType:
        """The module; PluginError if the line names anything else, or what is not there."""
        module, colon, _ = self.module.partition(":")
        if colon:
            raise PluginError(
                f"its entry point {self.module!r} names an object; it must name a module alone, "
                f"{module!r}"
            )
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            # Itself, or a package that it is said to be in; not what it imports.
            if error.name and f"{module}.".startswith(f"{error.name}."):
                raise PluginError(
                    f"its entry point names the module {module!r}, which it does not have"
                ) from error
            raise

    def unmet(self) -> str:
        """Which version of pvd it needs, if that is not the one that is installed."""
        return unmet(self.distribution)


def found() -> dict[str, list[Entry]]:
    """The entries of all distributions by name; first the one that counts, if any does."""
    entries: dict[str, list[Entry]] = {}
    for entry in _declared():
        same = entries.setdefault(entry.name, [])
        # An editable install can show one distribution twice.
        if all((one.module, one.place) != (entry.module, entry.place) for one in same):
            same.append(entry)
    for same in entries.values():
        same.sort(key=lambda entry: (not is_ours(entry.place), entry.place))
    return entries


def _declared() -> Iterator[Entry]:
    from importlib.metadata import distributions, entry_points  # 15 ms that --help need not spend

    try:
        yield from [_entry(one) for one in entry_points(group=GROUP)]
    except Exception:  # one distribution's file is damaged, and must not hide all the others
        seen: set[str] = set()
        for distribution in distributions():
            try:
                name, mine = distribution.name, list(distribution.entry_points)
            except Exception:  # it is this one; what it declares nobody knows
                yield Entry("", "", place_of(distribution), None)
                continue
            if name not in seen:
                seen.add(name)
                yield from (_entry(one) for one in mine if one.group == GROUP)


def _entry(declared: EntryPoint) -> Entry:
    return Entry(declared.name, declared.value, place_of(declared.dist), declared.dist)


def unusable(entry: Entry, same: Sequence[Entry]) -> str:
    """Why nobody need try to load it, being one of those `same` that have its name."""
    if why := taken(entry, same):
        return why
    rivals = [one for one in same if is_ours(one.place)] or same
    if len(rivals) > 1:
        both = " and ".join(one.place for one in rivals)
        return f"The name {entry.name} is declared by {both}; uninstall one of them."
    unmet = entry.unmet()
    return f"The plug-in {entry.name} of {entry.place} {unmet}." if unmet else ""


def taken(entry: Entry, same: Sequence[Entry]) -> str:
    """The sentence about a stranger that declares a name of ours; ours counts, so that it breaks
    nobody's runs."""
    ours = next((one.place for one in same if is_ours(one.place)), "")
    if not ours or is_ours(entry.place):
        return ""
    return (
        f"The plug-in {entry.name} of {entry.place} is never used: its name is taken by {ours}; "
        "choose another, or uninstall it."
    )


def misnamed(entry: Entry, kinds: Collection[str]) -> str:
    """What is wrong with an entry's name."""
    name = entry.name
    if not name:
        return f"The entry points of {entry.place} cannot be read; install it again."
    kind, dot, short = name.partition(".")
    if kind in kinds and dot and short:
        return ""
    return (
        f"{entry.place} declares {name!r}, which does not begin with a kind and a dot, such as "
        f"teacher.{short or kind}; the kinds are {', '.join(kinds)}."
    )

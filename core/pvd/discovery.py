"""Plug-ins by name. Names come from metadata; a module is imported only when its name is used."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pluggy

from pvd import hookspecs, protocols
from pvd.errors import MissingFile, MissingPrerequisite, PluginError, UnknownName

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "pvd"
KINDS: dict[str, type[protocols.Component]] = {
    "teacher": protocols.Teacher,
    "student": protocols.Student,
    "sampler": protocols.Sampler,
    "loss": protocols.Loss,
    "evaluator": protocols.Evaluator,
    "source": protocols.Source,
    "observer": protocols.Observer,
}
# Names that an option may not have: core writes them into tables, or sets them itself.
RESERVED = {"use", "name", "label", "options"}
RESERVED_OF = {"teacher": {"seed", "capabilities", "store_folder"}, "source": {"path"}}
PLURAL = {"loss": "losses"} | {kind: kind + "s" for kind in KINDS if kind != "loss"}


@dataclass(frozen=True)
class Listing:
    """One line of `pvd plugins`."""

    name: str  # kind.name
    module: str
    distribution: str
    status: str  # "not loaded", "loaded", or the error's one line


class Registry:
    """Everything that is installed, loaded piece by piece."""

    def __init__(self) -> None:
        self._classes: dict[str, type[protocols.Component]] = {}
        self._errors: dict[str, str] = {}
        self._files: dict[str, tuple[str, str]] = {}  # by module: a file of -p, and its SHA-256
        self._from_file: dict[str, str] = {}  # the same by plug-in, as the user wrote the path
        self._loading: frozenset[str] | None = None  # None: a file, which may add any free name
        self._manager = pluggy.PluginManager("pvd")
        self._manager.add_hookspecs(hookspecs)
        for kind in KINDS:
            # Once, for modules that come later too: calling again would replay every module.
            hook = getattr(self._manager.hook, f"register_{PLURAL[kind]}")
            hook.call_historic(kwargs={"register": partial(self._register, kind)})

    @cached_property
    def _entries(self) -> dict[str, list[EntryPoint]]:
        from importlib.metadata import entry_points  # 15 ms that `pvd --help` need not spend

        found: dict[str, list[EntryPoint]] = {}
        for entry in entry_points(group=GROUP):
            same = found.setdefault(entry.name, [])
            # An editable install can show one distribution twice.
            if all(
                (e.value, _distribution(e)) != (entry.value, _distribution(entry)) for e in same
            ):
                same.append(entry)
        return found

    def names(self, kind: str) -> list[str]:
        """The names of a kind, sorted; imports nothing."""
        known = {*self._entries, *self._classes}
        return sorted(n.partition(".")[2] for n in known if n.partition(".")[0] == kind)

    def listing(self) -> list[Listing]:
        """Every plug-in with its state; imports nothing."""
        rows = [
            Listing(name, entry.value, _distribution(entry), self._status(name))
            for name, entries in self._entries.items()
            for entry in entries
        ]
        rows += [
            Listing(name, self._classes[name].__module__, source, "loaded")
            for name, source in self._from_file.items()
        ]
        return sorted(rows, key=lambda row: row.name)

    def _status(self, name: str) -> str:
        if len(self._entries[name]) > 1:
            return _clash(name, self._entries[name])
        return self._errors.get(name) or ("loaded" if name in self._classes else "not loaded")

    def get(self, kind: str, name: str) -> type[protocols.Component]:
        """The class behind `kind.name`; imports its module when first asked for."""
        full = f"{kind}.{name}"
        if full not in self._classes:
            self._load(kind, name)
        return self._classes[full]

    def _load(self, kind: str, name: str) -> None:
        full = f"{kind}.{name}"
        entries = self._entries.get(full)
        if not entries:
            raise UnknownName(unknown(kind, name, self.names(kind)))
        if len(entries) > 1:
            raise PluginError(_clash(full, entries))
        if full not in self._errors:
            entry = entries[0]
            declared = frozenset(
                n for n, same in self._entries.items() for e in same if e.value == entry.value
            )
            try:
                self._register_module(importlib.import_module(entry.value), declared)
                if full not in self._classes:
                    raise PluginError(f"{entry.value} loads but does not register {full!r}")
            except MissingPrerequisite:
                raise
            except Exception as error:
                plugin = f"The plug-in {full} of {_distribution(entry)}"
                _need_packages(error, plugin, entry.value)
                self._errors[full] = f"{plugin} cannot be loaded: {_one_line(error)}."
        if full in self._errors:
            raise PluginError(self._errors[full])

    def load_file(self, path: Path) -> str:
        """Load a plug-in from a Python file, once; the file's SHA-256."""
        if not path.is_file():
            raise MissingFile(f"There is no plug-in file {path}; check the path after -p.")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        module_name = f"pvd_file_{path.stem}_{digest[:8]}"
        if module_name in sys.modules:
            module = sys.modules[module_name]
        else:
            spec = importlib.util.spec_from_file_location(module_name, path)
            if spec is None or spec.loader is None:
                raise PluginError(f"The plug-in file {path} is no Python file; name a .py file.")
            module = importlib.util.module_from_spec(spec)
            sys.modules[module_name] = module  # dataclasses look their module up there
            try:
                spec.loader.exec_module(module)
            except MissingPrerequisite:
                del sys.modules[module_name]
                raise
            except Exception as error:
                del sys.modules[module_name]
                _need_packages(error, f"The plug-in file {path}", module_name)
                raise PluginError(
                    f"The plug-in file {path} cannot be loaded: {_one_line(error)}."
                ) from error
        for name, source in list(self._from_file.items()):
            same = Path(source).resolve() == path.resolve()
            if same and self._classes[name].__module__ != module_name:
                # An older version of this file, in a notebook that goes on: the new one counts.
                self._manager.unregister(name=self._classes[name].__module__)
                del self._classes[name], self._from_file[name]
        before = set(self._classes)
        try:
            self._register_module(module, None)
        except Exception as error:
            raise PluginError(
                f"The plug-in file {path} cannot be loaded: {_one_line(error)}."
            ) from error
        for name in set(self._classes) - before:
            self._from_file[name] = str(path)
        self._files[module_name] = (str(path.resolve()), digest)
        return digest

    def file_of(self, component: protocols.Component) -> tuple[str, str] | None:
        """The file of `-p` that a component's class came from, and its SHA-256."""
        return self._files.get(type(component).__module__)

    def _register_module(self, module: ModuleType, declared: frozenset[str] | None) -> None:
        if self._manager.has_plugin(module.__name__):
            return
        before, whole = dict(self._classes), False
        self._loading = declared
        try:
            self._manager.register(module, module.__name__)
            self._manager.check_pending()  # a misspelt hook would otherwise be silent
            whole = True
        finally:
            self._loading = frozenset()
            if not whole:  # pluggy keeps a module whose register hook raised; take it out again
                self._manager.unregister(name=module.__name__)
                self._classes = before

    def _register(self, kind: str, name: str, component: type[protocols.Component]) -> None:
        full = f"{kind}.{name}"
        if not (isinstance(component, type) and issubclass(component, KINDS[kind])):
            raise PluginError(f"{full} is {component!r}, no subclass of pvd.{KINDS[kind].__name__}")
        if not is_dataclass(component):
            raise PluginError(f"{full} is no dataclass; put @dataclass(kw_only=True) above it")
        if self._loading is not None and full not in self._loading:
            raise PluginError(f"it registers {full!r}, which its entry points do not declare")
        if self._loading is None and (full in self._entries or full in self._classes):
            raise PluginError(f"the name {full!r} is taken; choose another")
        options = {f.name for f in fields(component)}
        if taken := sorted(options & (RESERVED | RESERVED_OF.get(kind, set()))):
            raise PluginError(
                f"{full} has an option {taken[0]!r}, a name that core needs; rename it"
            )
        twin = next((n for n, known in self._classes.items() if known is component), full)
        if twin != full:
            raise PluginError(f"{full} is the class of {twin}; register a subclass of its own")
        component.name = full
        self._classes[full] = component


def unknown(kind: str, name: str, known: Iterable[str], also: Iterable[str] = ()) -> str:
    """The sentence for a name that does not exist: the nearest one, here or in `also`, and all."""
    names = list(known)
    near = nearest(name, [*names, *also])
    return f"There is no {kind} {name!r}{near} There are: {', '.join(names) or 'none'}."


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that does not exist."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "."


def _need_packages(error: Exception, plugin: str, own: str) -> None:
    """Raise MissingPrerequisite if a plug-in failed for want of somebody else's package."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    package = (name or own).partition(".")[0]
    if package not in (own.partition(".")[0], "pvd"):
        raise MissingPrerequisite(
            f"{plugin} needs the Python package {package!r}, which is not installed; install it."
        ) from None


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown distribution"


def _clash(name: str, entries: list[EntryPoint]) -> str:
    both = " and ".join(_distribution(entry) for entry in entries)
    return f"The name {name} is declared by {both}; uninstall one of them."


def _one_line(error: Exception) -> str:
    kind = "" if isinstance(error, PluginError) else f"{type(error).__name__}: "
    return kind + " ".join(str(error).split()).rstrip(".")


registry = Registry()

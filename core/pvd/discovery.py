"""Plug-ins by name. Names come from metadata; a module is imported only when its name is used."""

from __future__ import annotations

import difflib
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType

import pluggy

from pvd import hookspecs, protocols
from pvd.errors import (
    BadInput,
    MissingFile,
    MissingPrerequisite,
    PluginError,
    PvdError,
    UnknownName,
)
from pvd.installed import Entry, found, misnamed, taken, unusable
from pvd.isolation import Origin, guard, inside
from pvd.isolation.files import executed
from pvd.isolation.hooks import (
    check_arguments,
    check_component,
    check_name,
    undeclared,
    unmarked,
)
from pvd.isolation.origin import (
    TRACEBACK,
    broken,
    error_line,
    missing_package,
    remember,
    was_pressed,
)
from pvd.isolation.output import streams_kept
from pvd.prose import with_article

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
MANY, ALIKE = 30, 5  # names of which not all are listed, but so many


@dataclass(frozen=True)
class Listing:
    """One line of `pvd plugins`."""

    name: str  # kind.name
    module: str
    distribution: str
    status: str  # "installed", "loaded", or the error's one line


class Registry:
    """Everything that is installed, loaded piece by piece."""

    def __init__(self) -> None:
        self._classes: dict[str, type[protocols.Component]] = {}
        self._errors: dict[str, PluginError] = {}
        self._seen: dict[str, PvdError] = {}  # of all that were loaded at once, those that failed
        self._files: dict[str, tuple[str, str]] = {}  # by module: a file of -p, and its SHA-256
        self._from_file: dict[str, str] = {}  # the same by plug-in, as the user wrote the path
        self._place = self._module = ""  # the distribution or file that is being loaded
        # What it may register, and whether that counts. None: a file, which may add any free name.
        self._loading: Mapping[str, bool] | None = None
        self._manager = pluggy.PluginManager("pvd")
        self._manager.add_hookspecs(hookspecs)
        for kind in KINDS:
            # Once, for modules that come later too: calling again would replay every module.
            hook = getattr(self._manager.hook, f"register_{PLURAL[kind]}")
            hook.call_historic(kwargs={"register": partial(self._register, kind)})

    @cached_property
    def _entries(self) -> dict[str, list[Entry]]:
        return found()

    def names(self, kind: str) -> list[str]:
        """The names of a kind, sorted; imports nothing."""
        known = {*self._entries, *self._classes}
        found = (n.removeprefix(f"{kind}.") for n in known if n.startswith(f"{kind}."))
        return sorted(name for name in found if name)

    def listing(self) -> list[Listing]:
        """Every plug-in with its state; imports nothing."""
        rows = [
            Listing(name, entry.module, entry.place, self._status(name, entry))
            for name, entries in self._entries.items()
            for entry in entries
        ]
        rows += [
            Listing(name, self._classes[name].__module__, source, "loaded")
            for name, source in self._from_file.items()
        ]
        return sorted(rows, key=lambda row: row.name)

    def _status(self, name: str, entry: Entry) -> str:
        if fault := misnamed(entry, KINDS) or unusable(entry, self._entries[name]):
            return fault
        if name in self._classes and name not in self._seen:
            return "loaded"
        return str(self._errors.get(name) or self._seen.get(name) or "installed")

    def load_all(self) -> dict[str, PvdError]:
        """Load every plug-in, each by itself; what is wrong with those that cannot be used, which
        `listing` says from now on, too."""
        for name, entries in sorted(self._entries.items()):
            kind, _, short = name.partition(".")
            try:
                if fault := misnamed(entries[0], KINDS):
                    raise PluginError(fault)
                check_whole(self.get(kind, short))
            except PvdError as error:
                self._seen[name] = error
        hidden = [
            (e, why) for same in self._entries.values() for e in same if (why := taken(e, same))
        ]
        return {**self._seen, **{f"{e.name} of {e.place}": PluginError(why) for e, why in hidden}}

    def get(self, kind: str, name: str) -> type[protocols.Component]:
        """The class behind `kind.name`; imports its module when first asked for."""
        full = f"{kind}.{name}"
        if full not in self._classes:
            self._load(kind, name)
        return self._classes[full]

    def _elsewhere(self, kind: str, name: str) -> str:
        """The end of a sentence about a name that this kind lacks, if it is its name with the kind
        before it, or another kind's."""
        if (short := name.removeprefix(f"{kind}.")) in self.names(kind):
            return f"; write {short!r}, without its kind."
        kinds = [
            other
            for other in KINDS
            if {name, name.removeprefix(f"{other}.")} & {*self.names(other)}
        ]
        return f"; {name!r} is {' and '.join(map(with_article, kinds))}." if kinds else ""

    def _load(self, kind: str, name: str) -> None:
        full = f"{kind}.{name}"
        entries = self._entries.get(full)
        if not entries:
            hint = self._elsewhere(kind, name)
            raise UnknownName(unknown(kind, name, self.names(kind), hint=hint))
        if fault := unusable(entries[0], entries):
            unmet = entries[0].unmet()
            raise (MissingPrerequisite if unmet and unmet in fault else PluginError)(fault)
        if full not in self._errors:
            entry = entries[0]
            origin = Origin(full, entry.place, entry.module)
            declared = {
                n: same[0].module == entry.module and not unusable(same[0], same)
                for n, same in self._entries.items()
                if any(one.module == entry.module for one in same)
            }
            try:
                with _loading(origin):
                    module = entry.load()
                    self._register_module(module, entry.place, declared)
                    if full not in self._classes:
                        raise PluginError(
                            f"{entry.module} loads but does not register {full!r}{unmarked(module)}"
                        )
            except PluginError as error:
                self._errors[full] = error
        if full in self._errors:
            raise self._errors[full]

    def load_files(self, files: Iterable[str | Path]) -> None:
        """Load each of the files that a program names."""
        if isinstance(files, (str, Path)):
            raise BadInput(f"plugins is a list of files; write plugins=[{str(files)!r}].")
        for file in files:
            self.load_file(Path(file))

    def load_file(self, path: Path) -> str:
        """Load a plug-in from a Python file, once; the file's SHA-256."""
        try:
            if not path.is_file():
                raise MissingFile(f"There is no plug-in file {path}; check the path after -p.")
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise BadInput(
                f"The plug-in file {path} cannot be read ({error.strerror}); check its permissions."
            ) from None
        module_name = f"pvd_file_{path.stem}_{digest[:8]}"
        origin = Origin("", str(path), module_name)
        if path.suffix != ".py":
            raise PluginError(f"The plug-in file {path} is no Python file; name a .py file.")
        with _loading(origin):
            module = sys.modules.get(module_name) or executed(module_name, path)
        for name, source in list(self._from_file.items()):
            same = Path(source).resolve() == path.resolve()
            if same and self._classes[name].__module__ != module_name:
                # An older version of this file, in a notebook that goes on: the new one counts.
                self._manager.unregister(name=self._classes[name].__module__)
                del self._classes[name], self._from_file[name]
        before = set(self._classes)
        with _loading(origin):
            self._register_module(module, str(path), None)
            if module_name not in self._files and set(self._classes) == before:
                add = "; add a function such as register_losses, marked with @pvd.hookimpl"
                raise PluginError(f"it registers nothing{unmarked(module) or add}")
        for name in set(self._classes) - before:
            self._from_file[name] = str(path)
        self._files[module_name] = (str(path.resolve()), digest)
        return digest

    def file_of(self, component: protocols.Component) -> tuple[str, str] | None:
        """The file of `-p` that a component's class came from, and its SHA-256."""
        return self._files.get(type(component).__module__)

    def _register_module(
        self, module: ModuleType, place: str, declared: Mapping[str, bool] | None
    ) -> None:
        if self._manager.has_plugin(module.__name__):
            return
        check_arguments(module)
        before, whole = dict(self._classes), False
        self._place, self._module, self._loading = place, module.__name__, declared
        try:
            self._manager.register(module, module.__name__)
            self._check_hooks(module)
            whole = True
        finally:
            self._loading = {}
            if not whole:  # pluggy keeps a module whose register hook raised; take it out again
                self._manager.unregister(name=module.__name__)
                self._classes = before

    def _check_hooks(self, module: ModuleType) -> None:
        """PluginError for a misspelt hook, which would otherwise be silent."""
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError:
            hooks = [name for name, f in vars(hookspecs).items() if hasattr(f, "pvd_spec")]
            wrong = {n for n, f in vars(module).items() if hasattr(f, "pvd_impl")} - {*hooks}
            if not wrong:
                raise
            name = min(wrong)
            raise PluginError(f"there is no hook {name!r}{nearest(name, hooks)}") from None

    def _register(self, kind: str, name: str, component: type[protocols.Component]) -> None:
        full = f"{kind}.{name}"
        check_name(name)
        if self._loading is not None and full not in self._loading:
            raise PluginError(undeclared(full, self._module, full in self._entries))
        if self._loading is not None and not self._loading[full]:
            return  # somebody else's name; its others are of use
        check_component(kind, full, component, KINDS)
        if self._loading is None and (full in self._entries or full in self._classes):
            raise PluginError(f"the name {full!r} is taken; choose another")
        options = {f.name for f in fields(component)}  # type: ignore[arg-type]
        if taken := sorted(options & (RESERVED | RESERVED_OF.get(kind, set()))):
            raise PluginError(
                f"{full} has an option {taken[0]!r}, a name that core needs; rename it"
            )
        twin = next((n for n, known in self._classes.items() if known is component), full)
        if twin != full:
            raise PluginError(f"{full} is the class of {twin}; register a subclass of its own")
        component.name = full
        guard(component)
        remember(component, Origin(full, self._place, component.__module__))
        self._classes[full] = component


def unknown(
    kind: str, name: str, known: Iterable[str], also: Iterable[str] = (), hint: str = ""
) -> str:
    """The sentence for a name that does not exist: what a `hint` says, or the nearest one, here or
    in `also`; and all, or those that are most like it where they are many."""
    names = list(known)
    near = hint or nearest(name, [*names, *also])
    if len(names) > MANY:
        alike = difflib.get_close_matches(name, names, n=ALIKE, cutoff=0.0)
        there = f"There are {len(names):,}, such as {', '.join(alike)}."
    else:
        there = f"There are: {', '.join(names) or 'none'}."
    return f"There is no {kind} {name!r}{near} {there}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that does not exist."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else "."


def check_whole(cls: type) -> None:
    """PluginError for a class that lacks methods, and so can never be used."""
    if lacking := sorted(getattr(cls, "__abstractmethods__", ())):
        kind = next(base.__name__ for base in cls.__mro__ if base in KINDS.values())
        raise broken(
            cls,
            f"lacks the method{'s' * (len(lacking) > 1)} {', '.join(lacking)}",
            f"see pvd.{kind}",
        )


@contextmanager
def _loading(origin: Origin) -> Iterator[None]:
    """A plug-in's module runs and registers; whatever it raises becomes one sentence."""
    try:
        with inside(origin), streams_kept():
            yield
    except MissingPrerequisite:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and was_pressed(error):
            raise
        raise (missing_package(origin, error) or _unloadable(origin, error)) from error


def _unloadable(origin: Origin, error: BaseException) -> PluginError:
    """The sentence about a plug-in that cannot be loaded, and how its author sees more."""
    said_where = isinstance(error, PvdError | SyntaxError)  # which names its file and line
    more = "" if said_where else f" ({TRACEBACK}=1 shows where)"
    said = f"{origin} cannot be loaded: {error_line(error)}{more}"
    return PluginError(said if said.endswith("?") else f"{said}.")


registry: Registry = Registry()

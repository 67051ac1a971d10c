"""What all contracts share: how checks are written and skipped, and those of every kind."""

from __future__ import annotations

import inspect
import io
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import fields, is_dataclass
from functools import cached_property, partial, wraps
from typing import Any, ClassVar, Generic, TypeVar

from pvd import options
from pvd.discovery import RESERVED, RESERVED_OF
from pvd.errors import BadInput, MissingPrerequisite, PluginError, PvdError
from pvd.isolation import keeping, origin_of, unguarded
from pvd.isolation.checks import check_type
from pvd.isolation.origin import error_line, missing_package
from pvd.protocols import Component
from pvd.records import Item, Persona
from pvd.testing import given
from pvd.testing import options as own
from pvd.testing.demands import BRING, require, skip
from pvd.testing.kinds import of_its_kind
from pvd.testing.network import offline
from pvd.testing.settled import changed_by
from pvd.testing.streams import STREAMS, drawn_from

C = TypeVar("C", bound="Contract[Any]")
Kind = TypeVar("Kind", bound=Component)
FAILED_BEFORE = "it failed before that was over, see above"


def check(method: Callable[[C], None]) -> Callable[[C], None]:
    """Mark a method as a check. Its docstring is the sentence that is shown; it runs without
    network, and is skipped where a package, weights or a key are missing."""

    @wraps(method)
    def run(self: C) -> None:
        __tracebackhide__ = True
        self.missed.clear()
        with offline(), keeping.kept(), unguarded():
            try:
                try:
                    method(self)
                except PluginError as error:
                    if not error.fault:
                        raise
                    raise AssertionError(f"it {error.fault}") from None
                except (MissingPrerequisite, ImportError) as error:
                    missing: BaseException | None = error
                    if isinstance(error, ImportError):
                        missing = missing_package(origin_of(self.component()), error)
                    if self.live or missing is None:
                        raise
                    skip(str(missing), BRING)
            except Exception as error:  # SkipTest, too, whose reason says it where it counts
                if hint := self._hint(error):
                    error.add_note(hint)
                raise

    run.is_check = True  # type: ignore[attr-defined]
    return run


class Contract(Generic[Kind]):
    """What core relies on in a component of any kind; subclass the one of yours, such as
    `pvd.testing.LossContract`, and define `component`.

    Under pytest every check is a test. Nothing leaves this machine, nothing is paid, nobody is
    asked: what would need that, or a key, weights or a package that is not here, is skipped, and
    says so. With `live = True` teachers that cost money, or are a person, are asked after all: for
    tests that play the provider on this machine. What is missing is an error then.
    """

    live: ClassVar[bool] = False
    kind: ClassVar[str] = ""
    roles: ClassVar[tuple[str, ...]] = ()  # "items", "personas": those that the checks hand over
    # Global random streams that are not this kind's to draw from.
    streams: ClassVar[tuple[str, ...]] = STREAMS

    def component(self) -> Kind:
        """The component to check, a new one each time, with any options."""
        raise NotImplementedError(f"{type(self).__name__} must define component(self).")

    @cached_property
    def missed(self) -> set[str]:
        """The roles in whose drawn attributes a check looked for something in vain."""
        return set()

    def items(self) -> Sequence[Item]:
        """What the checks are about: drawn items. Return your own, twelve or more of them, where
        the component needs what these lack."""
        return given.items(given.LEAST["items"], self.missed)

    def personas(self) -> Sequence[Persona]:
        """Whom they are about: drawn personas. Return your own, four or more of them, where the
        component needs what these lack."""
        return given.personas(given.LEAST["personas"], self.missed)

    def use(self, component: Kind) -> None:
        """Let it do what it is for, once; which is known of a kind alone."""

    @classmethod
    def teardown_class(cls) -> None:
        """After its last check: let go of what the checks share. pytest calls it, too."""

    def __init_subclass__(cls) -> None:
        """See to it that what `component` returns is one of this kind."""
        super().__init_subclass__()
        made = cls.component  # of a class beside this one, perhaps
        if inspect.isfunction(made) and made is not Contract.component:
            cls.component = of_its_kind(made)  # type: ignore[method-assign, assignment]

    @classmethod
    def checks(cls) -> Iterator[str]:
        """The names of its checks: those of the kind, then those of every kind."""
        for owner in cls.__mro__:
            yield from (n for n, one in vars(owner).items() if getattr(one, "is_check", False))

    @check
    def test_options_are_fields(self) -> None:
        """has its options as fields of a dataclass, under names that are free"""
        cls = type(self.component())
        require(is_dataclass(cls), f"put @dataclass(kw_only=True) above the class {cls.__name__}")
        known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        for name, annotation in inspect.get_annotations(cls).items():
            if "ClassVar" not in str(annotation):
                require(
                    name in known,
                    f"{name} has a type but is no option, since {cls.__name__} itself is no "
                    "dataclass; put @dataclass(kw_only=True) above it",
                )
        taken = (RESERVED | RESERVED_OF.get(self.kind, set())) & set(known)
        require(
            not taken, f"{', '.join(sorted(taken))} is a name that core needs; rename the option"
        )

    @check
    def test_option_types(self) -> None:
        """has options of types that can be written in a configuration"""
        for name, annotation in options.option_types(type(self.component())).items():
            require(
                own.understood(annotation),
                f"the option {name} has the type {own.plain(annotation)}, which cannot be set by "
                f"-o or in TOML; make it {own.UNDERSTOOD}",
            )
            require(
                not own.bounded_in_vain(annotation),
                f"the option {name} has a bound, and no numbers; take it out, and check values of "
                "this type in __post_init__",
            )

    @check
    def test_option_defaults(self) -> None:
        """has defaults of the options' types"""
        cls = type(self.component())
        known = options.option_types(cls)
        for name, value in own.defaults(cls).items():
            if not own.understood(known[name]):
                continue
            if value is None and type(None) in typing.get_args(own.plain(known[name])):
                continue
            try:
                read = own.read(known[name], value, name)
            except PvdError as error:
                raise AssertionError(
                    f"the default of {name} is none of its type: {error}"
                ) from None
            require(
                type(read) is type(value),
                f"the default of {name} is {value!r}, and set to the same it is {read!r}; write "
                f"{name} = {read!r}, or the same run has two records",
            )

    @check
    def test_options_come_back(self) -> None:
        """is the same again when it is made from what a run recorded"""
        import tomllib

        import tomli_w

        component = self.component()
        cls, said = type(component), own.table(component)
        if not all(map(own.understood, options.option_types(cls).values())):
            skip("an option has a type that cannot be written down")
        if all(not isinstance(value, Component) for value in said.values()):
            said = tomllib.loads(tomli_w.dumps(said))
        other = options.fill(cls, said, self.kind)
        for name, value in own.table(other).items():
            require(
                value == own.table(component)[name],
                f"the option {name} is recorded as {own.table(component)[name]!r} and comes back "
                f"as {value!r}; keep in a field what was given, and what is made of it elsewhere",
            )

    @check
    def test_is_documented(self) -> None:
        """says in its docstring what it does"""
        cls = type(self.component())
        said = (vars(cls).get("__doc__") or "").strip()
        require(
            said and not said.startswith(f"{cls.__name__}("),  # what dataclass writes by itself
            f"give the class {cls.__name__} a docstring; `pvd options` shows it",
        )

    @check
    def test_module_is_light(self) -> None:
        """is imported without heavy packages: they are loaded where they are used"""
        from pvd.testing.imports import imported

        heavy = imported(type(self.component())).heavy
        require(
            not heavy,
            f"to import its module loads {', '.join(heavy)}; import that inside the functions that "
            "use it (and for types under `if TYPE_CHECKING:`)",
        )

    @check
    def test_names(self) -> None:
        """has no method whose name is nearly, but not quite, one that core calls"""
        from pvd.testing.naming import misspelt

        cls = type(self.component())
        name, meant = misspelt(cls) or ("", "")
        require(
            not name,
            f"core never calls {cls.__name__}.{name}; did you mean {meant}? If not, give it a name "
            "that is less like it, or begin it with _",
        )

    @check
    def test_prints_nothing(self) -> None:
        """leaves stdout to results"""
        from pvd.testing.imports import imported

        component = self.component()
        out = io.TextIOWrapper(written := io.BytesIO(), "utf-8", "replace", write_through=True)
        with redirect_stdout(out):
            ended = self._used(component)
        require(not written.closed, "it closes stdout, which others write to; leave it open")
        said = imported(type(component)).printed or written.getvalue().decode().strip()
        require(
            not said,
            f"it prints {said[:60]!r}; stdout is for results, which others read: use "
            "warnings.warn, or nothing",
        )
        ended()

    @check
    def test_global_state(self) -> None:
        """leaves alone what all share: random streams, torch's settings, the working folder"""
        component = self.component()
        ends: list[Callable[[], None]] = []
        used: list[str] = []
        changed = changed_by(
            lambda: used.extend(
                drawn_from(self.streams, lambda: ends.append(self._used(component)))
            )
        )
        require(
            not used,
            f"it draws from or seeds the global stream of {', '.join(used)}, which is not its own; "
            "draw from a generator that it was given or made, such as pvd.kit.stream(seed, ...)",
        )
        require(
            not changed,
            f"it leaves another {', '.join(changed)} behind, which all others share; say "
            "`with torch.no_grad():`, `dtype=`, `device=`, or a whole path where you need it",
        )
        for ended in ends:
            ended()

    @classmethod
    def _drawn(cls) -> list[str]:
        """Which of items and personas are drawn, none of an author's own."""
        return [role for role in cls.roles if getattr(cls, role) is getattr(Contract, role)]

    def _shelf(self, count: int) -> Sequence[Item]:
        """So many items; of an author's own at most as many as there are."""
        drawn = "items" in self._drawn()
        return given.items(count, self.missed) if drawn else self.items()[:count]

    def _people(self, count: int) -> Sequence[Persona]:
        """So many personas, alike."""
        drawn = "personas" in self._drawn()
        return given.personas(count, self.missed) if drawn else self.personas()[:count]

    def _hint(self, error: Exception) -> str:
        """What to do, if a check ended so since its items and personas are drawn."""
        from unittest import SkipTest

        drawn, said = self._drawn(), error_line(error)
        if isinstance(error, SkipTest) or not drawn or given.HAVE[tuple(drawn)] in said:
            return ""
        refused = isinstance(error, BadInput) and not isinstance(error, PluginError)
        if self.missed:
            return given.hint([role for role in drawn if role in self.missed])
        return given.hint(drawn) if refused or given.DRAWN.search(said) else ""

    def _used(self, component: Kind) -> Callable[[], None]:
        """Use it, and return how that ended: what to call once all that it did is judged. Where it
        failed that skips the check, for whose business the error is fails."""
        from unittest import SkipTest

        try:
            self.use(component)
        except (SkipTest, MissingPrerequisite) as why:
            return partial(_raise, why)
        except (Exception, SystemExit) as error:
            if missing_package(origin_of(component), error):
                return partial(_raise, error)
            return partial(skip, f"{FAILED_BEFORE}: {error_line(error)}")
        return lambda: None


def _raise(error: BaseException) -> None:
    raise error


def called(what: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call returns; AssertionError if it raises anything but an error of pvd's, or is a
    component's method and returns something of another type than its protocol says."""
    try:
        found = call(*arguments)
        if isinstance(component := getattr(call, "__self__", None), Component):
            check_type(component, call.__name__, found)
        return found
    except PluginError as error:
        if not error.fault:
            raise
        raise AssertionError(f"{what}: it {error.fault}") from None
    except (PvdError, ImportError):  # of a package that is missing, perhaps
        raise
    except Exception as error:
        raise AssertionError(f"{what} raises {error_line(error)}") from error

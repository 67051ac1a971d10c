"""What the hooks in a stranger's module look like, before pluggy meets them, and what they
register."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import FunctionType, ModuleType

from pvd.errors import PluginError
from pvd.isolation.origin import shown

HOOKS = "register_"
GIVEN = "register"  # the one argument that such a hook is called with
# As it is typed after --teacher, and stands in the names of run folders.
NAME = re.compile(r"[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*")


def check_arguments(module: ModuleType) -> None:
    """PluginError for a hook whose argument has another name: pluggy hands over by name."""
    for name, hook in _hooks(module).items():
        if not hasattr(hook, "pvd_impl"):
            continue
        takes = [
            p.name for p in inspect.signature(hook).parameters.values() if p.default is p.empty
        ]
        if takes != [GIVEN]:
            raise PluginError(
                f"its hook {name} takes {', '.join(takes) or 'no argument'}; name its one argument "
                f"{GIVEN}"
            )


def unmarked(module: ModuleType) -> str:
    """The end of a sentence about a module that does not register something: why, as it seems."""
    for name, hook in _hooks(module).items():
        if not hasattr(hook, "pvd_impl") and hook.__module__ == module.__name__:
            return f"; put @pvd.hookimpl above its function {name}"
    return ""


def check_name(name: object) -> None:
    """PluginError for what cannot be typed as a component's name."""
    if not isinstance(name, str):
        raise PluginError(f"{shown(name)} is no name; names are text, such as 'mine'")
    if not NAME.fullmatch(name):
        raise PluginError(f"{name!r} is no name; use small letters, digits and hyphens")


def undeclared(full: str, module: str, taken: bool) -> str:
    """What is wrong with a name that no entry point of a module declares; somebody else's may."""
    mend = "choose another, that one is taken"
    if not taken:
        mend = f'add "{full}" = "{module}" to [project.entry-points.pvd], and install it again'
    return f"it registers {full!r}, which its entry points do not declare; {mend}"


def check_component(kind: str, full: str, given: object, kinds: Mapping[str, type]) -> None:
    """PluginError for what a hook registers as `kind.name` and is no dataclass of this kind."""
    protocol = kinds[kind]
    if isinstance(given, type) and issubclass(given, protocol):
        if not is_dataclass(given):
            raise PluginError(f"{full} is no dataclass; put @dataclass(kw_only=True) above it")
        return
    cls = given if isinstance(given, type) else type(given)
    other = next((one for one, base in kinds.items() if issubclass(cls, base)), "")
    what, mend = shown(given), "register a class"
    if isinstance(given, type):
        what, mend = (
            f"the class {cls.__name__}",
            f"write class {cls.__name__}(pvd.{protocol.__name__})",
        )
    elif other:
        what, mend = (
            f"an object of the class {cls.__name__}",
            f"register {cls.__name__}, without ()",
        )
    if other and other != kind:
        what += f", a pvd.{kinds[other].__name__}"
        mend = f"register {cls.__name__} in {hook_of(other)}"
    no = "" if other == kind else f", no subclass of pvd.{protocol.__name__}"
    raise PluginError(f"{full} is {what}{no}; {mend}")


def hook_of(kind: str) -> str:
    """The hook that registers components of a kind."""
    return f"{HOOKS}{kind}{'es' if kind.endswith('s') else 's'}"


def _hooks(module: ModuleType) -> dict[str, FunctionType]:
    found = vars(module).items()
    return {n: value for n, value in found if n.startswith(HOOKS) and inspect.isfunction(value)}

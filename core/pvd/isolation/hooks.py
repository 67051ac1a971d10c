"""What the hooks in a stranger's module look like, before pluggy meets them."""

from __future__ import annotations

import inspect
from types import FunctionType, ModuleType

from pvd.errors import PluginError

HOOKS = "register_"
GIVEN = "register"  # the one argument that such a hook is called with


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


def _hooks(module: ModuleType) -> dict[str, FunctionType]:
    found = vars(module).items()
    return {n: value for n, value in found if n.startswith(HOOKS) and inspect.isfunction(value)}

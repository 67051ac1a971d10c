"""Names that were meant to be a protocol's: nobody calls a method that is misspelt."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import fields, is_dataclass
from difflib import get_close_matches

SET = {"name", "label", "options", "seed", "store_folder", "path"}  # by core, in no plug-in
CLOSE = 0.8  # difflib's ratio; `utilitys` and `utilities` have 0.82, `reader` and `read` 0.8


def misspelt(cls: type) -> tuple[str, str] | None:
    """A public name of the class that is nearly one of the protocol's, and that one.

    Only where the right one is not overridden and the plug-in's own modules never use the name:
    a helper of its own is called by somebody.
    """
    ours = [base for base in cls.__mro__ if _is_cores(base)]
    known = {name for base in ours for name in vars(base) if not name.startswith("_")}
    meant_for_them = known - SET
    options = {field.name for field in fields(cls)} if is_dataclass(cls) else set()
    theirs = [base for base in cls.__mro__ if base not in ours]
    for name in (name for base in theirs for name in vars(base)):
        if name.startswith("_") or name in known | options:
            continue
        (meant,) = get_close_matches(name, meant_for_them, n=1, cutoff=CLOSE) or [""]
        if meant and not _is_overridden(cls, meant, ours) and not _is_used(name, theirs):
            return name, meant
    return None


def _is_cores(base: type) -> bool:
    return base is object or base.__module__.partition(".")[0] in ("pvd", "abc", "typing")


def _is_overridden(cls: type, name: str, ours: list[type]) -> bool:
    found = inspect.getattr_static(cls, name)
    return not any(vars(base).get(name) is found for base in ours)


def _is_used(name: str, theirs: list[type]) -> bool:
    """Whether code of the modules has `.name` somewhere."""
    for base in theirs:
        try:
            tree = ast.parse(inspect.getsource(sys.modules[base.__module__]))
        except (KeyError, OSError, TypeError, SyntaxError):  # a program's, or changed meanwhile
            continue
        if any(isinstance(node, ast.Attribute) and node.attr == name for node in ast.walk(tree)):
            return True
    return False

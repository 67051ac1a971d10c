"""Writes the reference pages that say what the program itself knows, as plain Markdown:

    .venv/bin/python docs/reference/write.py

tests/test_reference.py fails where a page is not what this would write.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

import pvd
import pvd.kit
import pvd.testing
from pvd import hookspecs, options, settings
from pvd.bounds import bounds_of, in_words
from pvd.cli import main
from pvd.discovery import KINDS, registry

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/reference/write.py from the program itself. Do not edit. -->"
OWN = "pvd-distill"  # the distribution whose plug-ins are described

# --- commands.md ------------------------------------------------------------------------------


def commands() -> str:
    """Every command and option of the tree that is not hidden."""
    found = dict(_tree(main, "pvd"))
    shared = [
        option
        for option in _options(found["pvd run"])
        if all(option in _options(found[f"pvd {name}"]) for name in ("label", "train", "evaluate"))
    ]
    settings_of_a_run = [row for row in shared if row[0] not in ("`--json`", "`-q`, `--quiet`")]
    parts = [
        "# Commands",
        "`pvd COMMAND --help` says the same at the terminal. Results go to stdout, progress and "
        "messages to stderr. [Exit codes](files.md#exit-codes) are the same for all.",
        "## Options of a run",
        "Several commands take these: they say which run is meant. Every other setting is "
        "`-o section.name=value` ([options](options.md)).",
        _table(("option", ""), settings_of_a_run),
    ]
    for name, command in found.items():
        context = click.Context(command, info_name=name, terminal_width=200)  # as one line
        rows = _options(command)
        own = [row for row in rows if row not in settings_of_a_run]
        parts += [
            f"## {name}",
            _text(inspect.cleandoc(command.help or "")),
            f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```",
        ]
        if len(rows) - len(own) == len(settings_of_a_run):
            rows = own
            parts.append(
                "Takes the [options of a run](#options-of-a-run)" + (", and:" if own else ".")
            )
        if rows:
            parts.append(_table(("option", ""), rows))
    return _page(parts)


def _tree(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner, child in command.commands.items():
            if not child.hidden:
                yield from _tree(child, f"{name} {inner}")


def _options(command: click.Command) -> list[tuple[str, str]]:
    """(how it is written, what it does) for each option; arguments stand in the usage."""
    context = click.Context(command)
    rows = []
    for param in command.params:
        record = param.get_help_record(context) if isinstance(param, click.Option) else None
        if record is not None:
            names = ", ".join(f"`{name}`" for name in [*param.opts, *param.secondary_opts])
            value = "" if getattr(param, "is_flag", False) else param.make_metavar(context)
            rows.append((f"{names} `{value}`" if value else names, record[1]))
    return rows


# --- options.md -------------------------------------------------------------------------------


def option_page() -> str:
    """Every section of the settings, every option of every bundled plug-in, and the recipes."""
    sections = {"run": settings.Settings} | {
        name: cls
        for name, cls in options.option_types(settings.Settings).items()
        if is_dataclass(cls)
    }
    from_recipe = settings.resolve(settings.recipe("default")).whole()
    parts = [
        "# Options",
        "`-o section.name=value` sets one; in a TOML file it is a key of the table `[section]`. "
        "`pvd options NAME` says the same at the terminal. Components stand here as the "
        "[recipe](#recipes) `default` names them.",
        "## Sections",
    ]
    for name, cls in sections.items():
        key = "{}" if name == "run" else f"{name}.{{}}"
        parts += [f"### {name}", _doc(cls), _option_table(cls, key, from_recipe)]
    for kind in KINDS:
        parts.append(f"## {kind.capitalize()}")
        for name in _bundled(kind):
            cls = registry.get(kind, name)
            parts += [f"### {kind}.{name}", _doc(cls), _option_table(cls, "{}")]
    parts += [
        "## Recipes",
        "`--recipe NAME`: settings with a name. Whatever else is given is laid upon them.",
    ]
    for name in settings.recipes():
        file = Path(settings.__file__).parent / "recipes" / f"{name}.toml"
        parts += [f"### {name}", f"```toml\n{file.read_text().rstrip()}\n```"]
    return _page(parts)


def _option_table(cls: type, key: str, given: Mapping[str, Any] = MappingProxyType({})) -> str:
    rows = []
    for option in options.describe(cls):
        name, kind, default = option.name, f"`{option.type}`", f"`{option.default}`"
        if is_dataclass(options.option_types(cls)[name]):
            kind, default = "section", f"[below](#{name})"
        elif option.default == "required":
            default = f"`{_uses(given[name])}`" if name in given else "required"
        elif not option.default:
            default = "empty"
        if takes := in_words(bounds_of(option.written)):
            kind += f", {takes}"
        rows.append((f"`{key.format(name)}`", kind, default, option.help))
    return _table(("option", "type", "default", ""), rows) if rows else "It has no options."


def _uses(table: Any) -> str:
    return ", ".join(map(_uses, table)) if isinstance(table, list) else table["use"]


def _bundled(kind: str) -> list[str]:
    """The names of a kind that come with pvd."""
    own = {row.name for row in registry.listing() if row.distribution.split(" ")[0] == OWN}
    return [name for name in registry.names(kind) if f"{kind}.{name}" in own]


# --- hooks.md ---------------------------------------------------------------------------------


def hooks() -> str:
    """Every hook, with its arguments."""
    found = {
        name: hook
        for name, hook in vars(hookspecs).items()
        if hasattr(hook, "pvd_spec") and callable(hook)
    }
    parts = [
        "# Hooks",
        "Hooks observe, components decide: no hook may change a number. A module of plug-ins "
        "implements `register_...`; an [observer](../plugins/observer.md) implements any of "
        "`on_...`. Both mark what they implement with `@pvd.hookimpl`, take the arguments that "
        "they use, by name, and return nothing. A hook with another name is an error, not a "
        "silence.",
        "## Registering",
        "Called once, while the module is loaded, which is when one of its names is used for the "
        "first time. A module registers the names that its entry points declare and no others; a "
        "file of `-p` may register any free name. The class is a dataclass "
        "(`@dataclass(kw_only=True)`) that subclasses its protocol.",
    ]
    parts += [_hook(name, hook) for name, hook in found.items() if name.startswith("register_")]
    parts += [
        "## Observing",
        "Called on the observers that the run names (`--observe NAME`), in the main thread, one "
        "observer after the other. Records are frozen, `metrics` is a copy; what an observer does "
        "with them changes no number and no random stream. One that raises is switched off with "
        "one line, and the run goes on. Records are described in the "
        "[library reference](api.md).",
    ]
    parts += [_hook(name, hook) for name, hook in found.items() if name.startswith("on_")]
    return _page(parts)


def _hook(name: str, hook: Callable[..., Any]) -> str:
    signature = inspect.signature(hook)
    arguments = ", ".join(str(one) for one in signature.parameters.values()).replace("'", "")
    return f"### {name}\n\n```text\n{name}({arguments})\n```\n\n{_doc(hook)}"


# --- api.md -----------------------------------------------------------------------------------


def api() -> str:
    """Every public name: a list that can be read anywhere, then what the docstrings say."""
    parts = [
        "# Library reference",
        "Everything that is public: what is not listed here may change without notice. "
        "[Using the library](library.md) shows it in use. `import pvd` loads no torch. Shapes: B "
        "slates in a batch, K items a slate, U distinct images in the batch, S slots, N items, P "
        "texts, D the width of the space.",
    ]
    modules = (pvd, pvd.kit, pvd.testing)
    for module in modules:
        rows = [(f"`{name}`", _summary(module, name)) for name in module.__all__]
        parts += [f"## {module.__name__}", _first(module.__doc__ or ""), _table(("name", ""), rows)]
    for module in modules:
        parts.append(f"## {module.__name__}, one by one")
        for name in module.__all__:
            parts += _whole(f"{module.__name__}.{name}", getattr(module, name))
    return _page(parts)


def _whole(name: str, value: Any) -> Iterator[str]:
    """A heading and all that the source says of a public name."""
    yield f"### {name}"
    short = name.rpartition(".")[2]
    if not (isinstance(value, type) or inspect.isroutine(value)):
        yield DATA[short]
        return
    if not isinstance(value, type):
        yield f"```text\n{_signature(short, value)}\n```"
        yield _doc(value)
        return
    if "__init__" in vars(value) and not is_dataclass(value):
        yield f"```text\n{_signature(short, value)}\n```"
    yield _doc(value)
    if above := next((PUBLIC[base] for base in value.__mro__[1:] if base in PUBLIC), ""):
        yield f"It is a [{above}](#{above.replace('.', '').lower()}), and has what that has."
    owners = list(_owners(value))
    if rows := [row for owner in owners for row in _fields(owner)]:
        yield _table(("field", "type", "default", ""), rows)
    yield from (method for owner in owners for method in _methods(owner))


# Classes by the longest name that a user writes.
PUBLIC = {
    value: f"{module.__name__}.{name}"
    for module in (pvd, pvd.kit, pvd.testing)
    for name in module.__all__
    if isinstance(value := getattr(module, name), type)
}


def _owners(cls: type) -> Iterator[type]:
    """The class, and those above it that have no section of their own."""
    for owner in cls.__mro__:
        if owner is not cls and owner in PUBLIC:
            return
        if owner.__module__.startswith("pvd"):
            yield owner


def _fields(cls: type) -> Iterator[tuple[str, str, str, str]]:
    """(name, type, default, what it is) as they stand in the source, with their comments `#:`."""
    lines = inspect.cleandoc("\n" + inspect.getsource(cls)).splitlines()
    (tree,) = ast.parse("\n".join(lines)).body
    assert isinstance(tree, ast.ClassDef)
    inits = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    for node in (*tree.body, *(inner for init in inits for inner in init.body)):
        if not isinstance(node, ast.AnnAssign):
            continue
        name = getattr(node.target, "attr", getattr(node.target, "id", "_"))
        about = _comment(lines, node)
        kind, default = node.annotation, node.value
        if isinstance(kind, ast.Subscript) and ast.unparse(kind.value) == "Annotated":
            kind, said = kind.slice.elts[:2]  # type: ignore[attr-defined]
            about = about or ast.literal_eval(said)
        if isinstance(node.target, ast.Attribute):
            default = None  # what a constructor works out
            if not about:
                continue
        if name.startswith("_") or not (about or is_dataclass(cls)):
            continue
        shown = f"`{_default(default)}`" if default else ""
        yield f"`{name}`", f"`{ast.unparse(kind)}`", shown, about


def _default(node: ast.expr) -> str:
    """The default as a user reads it: what a factory makes, not that there is one."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "field":
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        if factory := given.get("default_factory"):
            return f"{ast.unparse(factory)}()".replace("dict()", "{}")
        node = given.get("default", node)
    return ast.unparse(node)


def _comment(lines: Sequence[str], node: ast.AnnAssign) -> str:
    """What `#:` says behind a field, or above it."""
    assert node.end_lineno is not None
    _, mark, behind = lines[node.end_lineno - 1].partition("#:")
    if mark:
        return behind.strip()
    above: list[str] = []
    for line in reversed(lines[: node.lineno - 1]):
        if not line.strip().startswith("#:"):
            break
        above.insert(0, line.strip().removeprefix("#:").strip())
    return " ".join(above)


def _methods(cls: type) -> Iterator[str]:
    """Each public method and property, and those that `with` and a call use."""
    for name, raw in vars(cls).items():
        said = inspect.getdoc(getattr(cls, name) if not hasattr(raw, "func") else raw)
        special = name in ("__call__", "__enter__", "__exit__") and inspect.isfunction(raw)
        is_method = inspect.isfunction(raw) or isinstance(
            raw, classmethod | staticmethod | property | cached_property
        )
        if not said or not is_method or (name.startswith("_") and not special):
            continue
        if isinstance(raw, property | cached_property):
            made = raw.fget if isinstance(raw, property) else raw.func
            signature = f"{name} -> {_plain(inspect.signature(made).return_annotation)}"
        else:
            before = {classmethod: "classmethod ", staticmethod: "staticmethod "}
            signature = before.get(type(raw), "") + _signature(name, getattr(cls, name))
        if getattr(raw, "__isabstractmethod__", False):
            signature = f"abstract {signature}"
        yield f"```text\n{signature}\n```\n\n{_text(said)}"


def _signature(name: str, value: Any) -> str:
    """As it is called; one argument on a line where it would grow too long."""
    found = inspect.signature(value)
    arguments = [
        str(one.replace(annotation=_plain(one.annotation))) for one in found.parameters.values()
    ]
    if arguments and arguments[0] == "self":
        arguments = arguments[1:]
    makes = _plain(found.return_annotation)
    end = "" if makes is inspect.Signature.empty or isinstance(value, type) else f" -> {makes}"
    line = f"{name}({', '.join(arguments)}){end}"
    if len(line) <= 90:
        return line
    return "\n".join([f"{name}(", *(f"    {one}," for one in arguments), f"){end}"])


class _Plain(str):
    """An annotation that is shown without quotes."""

    __repr__ = str.__str__


def _plain(annotation: Any) -> Any:
    return _Plain(annotation) if isinstance(annotation, str) else annotation


# What is no class and no function has no docstring; this says what it is.
DATA = {
    "Prepared": "What a student reads instead of images: a tensor or a mapping of tensors, first "
    "axis the images.",
    "State": "The weights that learn, by name.",
    "__version__": "The version of pvd.",
    "hookimpl": "Marks the implementation of a hook.",
}


def _summary(module: Any, name: str) -> str:
    value = getattr(module, name)
    if isinstance(value, type) or inspect.isroutine(value):
        return _first(value.__doc__ or "")
    return DATA[name]


# --- Markdown ---------------------------------------------------------------------------------


def _doc(thing: Any) -> str:
    return _text(inspect.cleandoc(thing.__doc__ or ""))


def _text(doc: str) -> str:
    """Paragraphs, a line each; what click keeps as it is written, and code, is so here, too."""
    parts = []
    for part in doc.split("\n\n"):
        if part.startswith("\b\n"):
            part = "```text\n" + part.removeprefix("\b").strip() + "\n```"
        elif part.startswith("    ") and _is_python(code := textwrap.dedent(part).rstrip()):
            part = f"```python\n{code}\n```"
        elif not part.startswith("    "):
            part = " ".join(part.split())
        parts.append(part)
    return "\n\n".join(parts)


def _is_python(text: str) -> bool:
    """Whether it is code, and no formula."""
    try:
        return bool(ast.parse(text))
    except SyntaxError:
        return False


def _first(doc: str) -> str:
    return _text(inspect.cleandoc(doc)).split("\n\n")[0]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in cells)


def _page(parts: Sequence[str]) -> str:
    title, *rest = parts
    return "\n\n".join([title, NOTE, *rest]) + "\n"


PAGES = {"commands.md": commands, "options.md": option_page, "hooks.md": hooks, "api.md": api}

if __name__ == "__main__":
    for file, write in PAGES.items():
        (HERE / file).write_text(write(), encoding="utf-8")
        print(HERE / file)

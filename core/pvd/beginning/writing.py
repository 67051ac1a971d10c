"""A run.toml with comments: what is set as settings, every default as a comment with its help.

Names, defaults and help come from the settings and plug-ins themselves. Without the marks of
comments the file says the same, which the tests hold it to.
"""

from __future__ import annotations

import inspect
import json
import os
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import MISSING, is_dataclass
from pathlib import Path
from typing import Any

import pvd
from pvd import options
from pvd.errors import BadInput, PvdError, UsageError
from pvd.identity import configuration
from pvd.judge import follows
from pvd.options import Option
from pvd.protocols import Component, Source
from pvd.settings import Settings, recipe, resolve

WIDTH = 98  # columns of the file
HELP = 30  # column at which help begins, at the least
SCHEMA = "run.schema.json"


def write(settings: Settings, path: Path) -> None:
    """Write the settings where no file is yet, after it was seen that they are read back whole."""
    if path.exists():
        raise taken(path)
    text = text_of(settings, path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        try:
            draft.write_text(text, encoding="utf-8")
            again = resolve(recipe("default"), configuration(draft))
        finally:
            draft.unlink(missing_ok=True)
        if again.table() != settings.table():
            raise PvdError(f"{path} would say something else than was meant; this is a bug.")
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise taken(path) from None
    except OSError as error:
        raise unwritable(path, error) from None
    except UnicodeEncodeError as error:  # of a name whose bytes are of another encoding
        line = text[: error.end].splitlines()[-1]
        raise BadInput(
            f"{line!r} has a letter that is not UTF-8, which no TOML can hold; rename the file, or "
            "set the terminal to UTF-8."
        ) from None


def unwritable(path: Path, error: OSError) -> BadInput:
    """What to say about a place where no file can be made."""
    return BadInput(f"{path} cannot be written ({error.strerror or error}); name another folder.")


def taken(path: Path) -> UsageError:
    """Nothing is overwritten."""
    return UsageError(
        f"{path} is there already, and nothing is overwritten; name another file, such as "
        f"`pvd init {path.with_stem(path.stem + '-2')}`, or remove it."
    )


def text_of(settings: Settings, path: Path) -> str:
    """The file's text; paths of data that lie below its folder are relative to it."""
    return "\n".join(_lines(settings, path)) + "\n"


def _lines(settings: Settings, path: Path) -> Iterator[str]:
    folder = path.resolve().parent
    if (folder / SCHEMA).exists():  # an editor would complain about one that is not there
        yield f"#:schema ./{SCHEMA}"
    yield f"# Settings of a run, written by `pvd init` (pvd {pvd.__version__})."
    yield "#"
    yield f"#   pvd run --config {path.name} --dry-run   says what it will ask and cost"
    yield f"#   pvd run --config {path.name}             does it"
    yield "#"
    yield "# What stands behind a # is a default: take the # away and change it. Paths are relative"
    yield "# to this file. `pvd options KIND.NAME` shows what other plug-ins can be told."
    yield f"# For editors: pvd schema run > {SCHEMA}"
    yield ""
    described = options.describe(Settings)
    plain = [o for o in described if not _is_table(o)]
    yield from _section(plain, settings, folder, resolve(recipe("default")))
    if files := settings.files():
        yield from ("", "[plugins]", *(f"{_toml(f)} = {_toml(d)}" for f, d in files.items()))
    for option in sorted((o for o in described if _is_table(o)), key=_place):
        value = getattr(settings, option.name)
        yield ""
        if option.name == "judge" and follows(settings.whole()):
            yield f"# [judge]  # {option.help or option.name}"
            continue
        yield f"[{option.name}]" + f"  # {option.help}" * bool(option.help)
        yield from _explained(type(value))
        if isinstance(value, Component):
            yield f"use = {_toml(value.label)}"
        if isinstance(value, Source) and value.path:
            yield f"path = {_toml(_relative(value.path, folder))}"
        yield from _section(options.describe(type(value)), value, folder)


def _is_table(option: Option) -> bool:
    annotation = option.annotation
    return options.kind_of(annotation) is not None or is_dataclass(annotation)


# What people change first stands first.
ORDER = ("catalog", "personas", "teacher", "judge", "student", "train", "exam", "ask", "split")


def _place(option: Option) -> int:
    return ORDER.index(option.name) if option.name in ORDER else len(ORDER)


def _explained(cls: type) -> list[str]:
    summary = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0]
    return [f"# {line}" for line in _wrapped(" ".join(summary.split()))]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 2, break_on_hyphens=False)


def _help(option: Option) -> str:
    """With the choices, where they are few words."""
    choices = option.type if typing.get_origin(option.annotation) is typing.Literal else ""
    return f"{option.help} ({choices})" if option.help and choices else option.help or choices


def _section(
    described: list[Option], owner: object, folder: Path, usual: Settings | None = None
) -> list[str]:
    """A line for each setting, with its help behind it, or above where that grows too long. What
    has no default of its own may have one in the recipe, whose settings are the `usual` ones."""
    rows = []
    for option in described:
        value = getattr(owner, option.name)
        default = getattr(usual, option.name) if usual else option.value
        known = default is not MISSING and options.dump(default) == options.dump(value)
        shown = "none" if value is None else _compact(value, folder)
        rows.append(("# " * known + f"{option.name} = {_toml(shown)}", _help(option)))
    column = max([HELP, *(len(row) + 2 for row, _ in rows if len(row) < WIDTH // 2)])
    lines = []
    for row, help in rows:
        said = f"{row:<{column - 2}}  # {help}" if help else row
        if help and (len(said) > WIDTH or len(row) > column):
            lines += [f"# {line}" for line in _wrapped(f"{help}:")]
            said = row
        lines.append(said)
    return lines


def _compact(value: Any, folder: Path) -> Any:
    """The value as short as it can be said: components without their defaults, or by name."""
    if isinstance(value, tuple | list):
        return [_compact(inner, folder) for inner in value]
    if isinstance(value, Path):
        return _relative(str(value), folder)
    if not isinstance(value, Component):
        return options.dump(value)
    table: options.Table = {"use": value.label}
    if isinstance(value, Source) and value.path:
        table["path"] = _relative(value.path, folder)
    for option in options.describe(type(value)):
        own = getattr(value, option.name)
        if option.value is MISSING or options.dump(option.value) != options.dump(own):
            table[option.name] = "none" if own is None else _compact(own, folder)
    return table if len(table) > 1 else value.label


def _relative(path: str, folder: Path) -> str:
    """A path below the folder as it is written in a file there; any other as it is."""
    try:
        return Path(path).relative_to(folder).as_posix()
    except ValueError:
        return path


def _toml(value: Any) -> str:
    """A value on one line of TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):  # JSON's escapes are TOML's, which wants one more
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)

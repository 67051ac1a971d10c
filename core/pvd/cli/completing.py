"""What the shell offers while a command is typed. Names come from metadata; only a key that goes
into a component (`-o teacher.`) loads a plug-in, that one's module alone.
"""

from __future__ import annotations

import io
import typing
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import MISSING, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from pvd import options
from pvd.cli.tables import tables_from
from pvd.discovery import KINDS, registry
from pvd.errors import PvdError, UnknownName
from pvd.protocols import Source

Items = list[CompletionItem[str]]
Completer = Callable[[click.Context, click.Parameter, str], Items]

OPEN = "open"  # the type of what goes on: no space after it
ENTRIES = 1000  # of a folder that are looked at


def _quiet(complete: Completer) -> Completer:
    """Nothing is printed but what is offered, and what cannot be read offers nothing."""

    @wraps(complete)
    def completed(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        try:
            with redirect_stdout(io.StringIO()):  # a plug-in may greet when it is imported
                return complete(ctx, param, incomplete)
        except (PvdError, OSError):
            return []

    return completed


def _begin(incomplete: str, names: Iterable[str]) -> Items:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def names(kind: str, files: bool = False) -> Completer:
    """The plug-ins of a kind; with `files`, a path may stand there instead."""

    @_quiet
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        found = _begin(incomplete, registry.names(kind))
        return [*found, CompletionItem(incomplete, type="file")] if files else found

    return complete


def listed(complete: Completer) -> Completer:
    """The same where several stand with commas between them."""

    def completed(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
        before, comma, last = incomplete.rpartition(",")
        return [
            CompletionItem(f"{before}{comma}{item.value}", type=item.type)
            for item in complete(ctx, param, last)
        ]

    return completed


@_quiet
def plugins(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """KIND.NAME."""
    full = [f"{kind}.{name}" for kind in KINDS for name in registry.names(kind)]
    return _begin(incomplete, full)


@_quiet
def kinds(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """KIND[,KIND...], each once."""
    before, comma, _ = incomplete.rpartition(",")
    given = before.split(",")
    return _begin(incomplete, [f"{before}{comma}{kind}" for kind in KINDS if kind not in given])


@_quiet
def described(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """What `pvd options` shows: sections, kinds, KIND.NAME."""
    from pvd.settings import Settings

    sections = [o.name for o in options.describe(Settings) if is_dataclass(o.annotation)]
    own = _begin(incomplete, ["run", *sections, *KINDS])
    return [*own, *plugins(ctx, param, incomplete)]


@_quiet
def recipes(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    from pvd import settings

    return _begin(incomplete, settings.recipes())


@_quiet
def prompts(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    from pvd import prompting

    return _begin(incomplete, prompting.prompts())


@_quiet
def runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Folders that hold a run.toml; and others, to go on into them."""
    folder, _, begun = incomplete.rpartition("/")
    root = f"{folder}/" if "/" in incomplete else ""
    found: Items = []
    for _, path in zip(range(ENTRIES), Path(root or ".").iterdir(), strict=False):
        if path.name.startswith(begun) and not path.name.startswith(".") and path.is_dir():
            name = f"{root}{path.name}"
            if (path / "run.toml").exists():
                found.append(CompletionItem(name))
            elif any(inner.is_dir() for inner in path.iterdir()):
                found.append(CompletionItem(f"{name}/", type=OPEN))
    return sorted(found, key=lambda item: str(item.value))


@_quiet
def settings(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """KEY=VALUE: sections and their settings, then the options of the component that is chosen."""
    from pvd.settings import Settings

    return _settings(Settings, _chosen(ctx), incomplete)


@_quiet
def varied(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """KEY=A,B: the same, with several values."""
    key, equals, typed = incomplete.partition("=")
    if not equals:
        return settings(ctx, param, incomplete)

    def value(ctx: click.Context, param: click.Parameter, last: str) -> Items:
        found = settings(ctx, param, f"{key}={last}")
        return [CompletionItem(item.value.removeprefix(f"{key}=")) for item in found]

    found = listed(value)(ctx, param, typed)
    return [CompletionItem(f"{key}={item.value}") for item in found]


@_quiet
def own_options(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """KIND.KEY=VALUE of the plug-in that the command's argument names; of the sources that its
    checks read, catalog.KEY=VALUE and personas.KEY=VALUE."""
    kind, _, name = _argument(ctx, "name").partition(".")
    for role in ("catalog", "personas"):
        if ctx.params.get(role) and incomplete.startswith(f"{role}."):
            return settings(ctx, param, incomplete)
    if not incomplete.startswith(f"{kind}."):
        return [CompletionItem(f"{kind}.", type=OPEN)] if f"{kind}.".startswith(incomplete) else []
    inner = _settings(registry.get(kind, name), {}, incomplete.removeprefix(f"{kind}."))
    return [
        CompletionItem(f"{kind}.{item.value}", type=item.type, help=item.help)
        for item in inner
        if not item.value.startswith("use")
    ]


def _chosen(ctx: click.Context) -> Mapping[str, Any]:
    """The tables that the words typed so far come to, as far as they can be read."""
    from pvd.settings import recipe

    given: dict[str, Any] = dict.fromkeys(
        ("teacher", "judge", "student", "sampler", "loss", "catalog", "personas", "seed", "device")
    )
    given |= dict.fromkeys(
        ("max_cost", "max_calls", "store", "batch", "allow_unpriced", "accept_model_change")
    )
    given |= {"observe": (), "assignments": ()}
    given |= {k: v for k, v in ctx.params.items() if v is not None}
    given["teacher"] = given["teacher"] or _argument(ctx, "teachers") or None
    config, name = given.pop("config", None), given.pop("recipe", None) or "default"
    run = _argument(ctx, "folder")
    try:
        tables = tables_from(config, name, given, Path(run) if run else None)
    except PvdError:  # half a word, a file that is not there yet
        tables = [recipe("default")]
    merged: options.Table = {}
    for table in tables:
        merged = options.merge(merged, table)
    if "use" not in _options(merged.get("judge")):
        merged["judge"] = options.merge(_options(merged["teacher"]), _options(merged.get("judge")))
    return merged


def _argument(ctx: click.Context, name: str) -> str:
    """The first word of a command's argument. While an option still lacks its value, click knows
    no arguments, only words that are left over."""
    if all(param.name != name for param in ctx.command.params):
        return ""
    found = ctx.params.get(name) or ctx.args
    return str(next(iter(found), "") if isinstance(found, tuple | list) else found)


def _options(table: Any) -> Mapping[str, Any]:
    """A component's table, also if only its name is given."""
    return {"use": table} if isinstance(table, str) else table if isinstance(table, dict) else {}


def _settings(cls: type, table: Mapping[str, Any], incomplete: str) -> Items:
    """What may follow in a dotted key of `cls`, or after its `=`."""
    key, equals, _ = incomplete.partition("=")
    *path, last = key.split(".")
    for step in path:
        cls, table = _into(cls, table, step)
    before = "".join(f"{step}." for step in path)
    known = {option.name: option for option in options.describe(cls)}
    if equals:
        kind = next((k for k, c in KINDS.items() if last == "use" and issubclass(cls, c)), None)
        values = registry.names(kind) if kind else _values(known[last]) if last in known else []
        return _begin(incomplete, [f"{before}{last}={value}" for value in values])
    found = []
    for name, option in known.items():
        is_table = options.kind_of(option.annotation) or is_dataclass(option.annotation)
        ends = "." if is_table else "="
        found.append(CompletionItem(f"{before}{name}{ends}", type=OPEN, help=option.help or None))
    if path and issubclass(cls, tuple(KINDS.values())):
        more = ("use", "path") if issubclass(cls, Source) else ("use",)
        found += [CompletionItem(f"{before}{name}=", type=OPEN) for name in more]
    return [item for item in found if str(item.value).startswith(incomplete)]


def _into(cls: type, table: Mapping[str, Any], step: str) -> tuple[type, Mapping[str, Any]]:
    """The section or component that a step of a dotted key leads into, and its table."""
    annotation = {o.name: o.annotation for o in options.describe(cls)}.get(step)
    inner = _options(table.get(step))
    if kind := options.kind_of(annotation):
        return registry.get(kind, str(inner.get("use", ""))), inner
    if isinstance(annotation, type) and is_dataclass(annotation):
        return annotation, inner
    raise UnknownName(f"{step!r} has nothing inside.")


def _values(option: options.Option) -> list[str]:
    """What a value can be, where that is a list: names, choices, true and false."""
    if kind := options.kind_of(option.annotation):
        return registry.names(kind)
    if option.annotation is bool:
        return ["true", "false"]
    if typing.get_origin(option.annotation) is tuple:
        # One alone is a list of one, which a list that must be set may not be.
        kind = options.kind_of(typing.get_args(option.annotation)[0])
        return registry.names(kind) if kind and option.value is not MISSING else []
    return [
        word
        for word in option.type.split(" | ")
        if word not in ("int", "float", "str", "path") and not word.startswith("list of ")
    ]

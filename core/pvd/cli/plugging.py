"""The commands about plug-ins: plugins, plugins new."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from pvd.cli import completing
from pvd.cli.files import Place
from pvd.cli.wrapping import wrapped
from pvd.discovery import KINDS, Listing, registry, unknown
from pvd.errors import PluginError, UnknownName
from pvd.prose import listed


@click.group(invoke_without_command=True)
@click.option("--load", is_flag=True, help="Load each, and say what is wrong with it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def plugins(ctx: click.Context, load: bool, as_json: bool) -> None:
    """List all plug-ins, without importing any; or check one.

    With --load, one that cannot be loaded is exit code 5; one that lacks a package is none.
    """
    if ctx.invoked_subcommand is not None:
        return
    wrong = registry.load_all() if load else {}
    rows = registry.listing()
    if as_json:
        click.echo(json.dumps([vars(row) for row in rows]))
    else:
        for line in _listed(rows):
            click.echo(line)
    if broken := [name for name, error in wrong.items() if isinstance(error, PluginError)]:
        raise PluginError(f"Plug-ins that cannot be used: {', '.join(broken)}; see their lines.")


def _listed(rows: Sequence[Listing]) -> Iterator[str]:
    """A line each, which programs read; on a terminal that has no room for one, what does not fit
    stands below the name."""
    name = max((len(row.name) for row in rows), default=0)
    place = max((len(row.distribution) for row in rows), default=0)
    screen = sys.stdout is not None and sys.stdout.isatty()  # closed, it is None
    columns = shutil.get_terminal_size().columns if screen else None
    for row in rows:
        why = row.status.removeprefix(f"The plug-in {row.name} of {row.distribution} ")
        line = f"{row.name:<{name}}  {row.distribution:<{place}}  {why}"
        if columns is None or len(line) <= columns:
            yield line
        else:
            yield wrapped(f"{row.name}  {row.distribution}  {why}", columns=columns - 1)


@plugins.command()
@click.argument("kinds", metavar="KIND[,KIND...]", shell_complete=completing.kinds)
@click.argument("name", metavar="NAME")
@click.option("--to", type=Place(), help="The package's folder; else ./pvd-NAME.")
def new(kinds: str, name: str, to: Path | None) -> None:
    """Write a package for plug-ins of yours, with tests, ready to install and to change.

    KIND is teacher, student, sampler, loss, evaluator, source or observer; several, with commas
    between them, come in one package. NAME is what users type after it. Where the folder holds a
    package already, new plug-ins are written beside its own, and none of its files is changed.
    """
    from pvd import scaffolding

    package = scaffolding.new([kind.strip() for kind in kinds.split(",")], name, to)
    names = listed(it.full for it in package.components)
    if package.additions:
        click.echo(f"New in {package.folder}, for {names}:")
    else:
        click.echo(f"The package {package.distribution} of {names} is in {package.folder}:")
    for file in package.files:
        click.echo(f"  {file}")
    for addition in package.additions:
        click.echo(f"Add to {package.folder / addition.file}, {addition.where}:")
        for line in addition.lines:
            click.echo(f"  {line}")
    click.echo("Next, in the environment of pvd:")
    for command in package.commands:
        click.echo(f"  {command}")


def split_name(name: str, sections: Iterable[str] = ()) -> tuple[str, str]:
    """kind.name in two."""
    kind, dot, short = name.partition(".")
    if kind not in KINDS:
        known = [*sections, *KINDS]
        what = "section or kind" if sections else "kind"
        names = [f"{kind}.{short}" for kind in KINDS for short in registry.names(kind)]
        if meant := [full for full in names if full.partition(".")[2] == name]:
            raise UnknownName(f"{name!r} needs its kind before it: {' or '.join(meant)}.")
        raise UnknownName(unknown(what, name, known, names))
    if not dot:
        its = ", ".join(f"{kind}.{short}" for short in registry.names(kind))
        raise UnknownName(f"{name!r} is a kind; name one of {its}.")
    return kind, short

"""The commands about plug-ins: plugins, plugins new, plugins check."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from pvd import options
from pvd.cli import completing
from pvd.cli.files import plugin_files
from pvd.discovery import KINDS, registry, unknown
from pvd.errors import UnknownName


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """List all plug-ins, without importing any; or check one."""
    if ctx.invoked_subcommand is not None:
        return
    rows = registry.listing()
    if as_json:
        click.echo(json.dumps([vars(row) for row in rows]))
        return
    width = max((len(row.name) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row.name:<{width}}  {row.distribution:<20}  {row.status}")


@plugins.command()
@click.argument("kind", metavar="KIND", shell_complete=completing.kinds)
@click.argument("name", metavar="NAME")
@click.option("--to", type=click.Path(path_type=Path), help="An empty folder; else ./pvd-NAME.")
def new(kind: str, name: str, to: Path | None) -> None:
    """Write a package for a plug-in of yours, with tests, ready to install and to change."""
    from pvd import scaffolding

    package = scaffolding.new(kind, name, to)
    click.echo(f"{package.folder} is the package of {kind}.{name}:")
    for file in package.files:
        click.echo(f"  {file}")
    click.echo("Next, in the environment of pvd:")
    for command in package.commands:
        click.echo(f"  {command}")


@plugins.command()
@click.argument("name", metavar="KIND.NAME", shell_complete=completing.plugins)
@plugin_files
@click.option(
    "-o",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Its options.",
    shell_complete=completing.own_options,
)
def check(name: str, assignments: tuple[str, ...]) -> None:
    """Run the contract suite of its kind on a plug-in; never with network or a key."""
    from pvd import testing

    kind, short = split_name(name)
    tables: options.Table = {kind: {"use": short}}
    for text in assignments:
        tables = options.merge(tables, options.assignment(text))
    if others := sorted(tables.keys() - {kind}):
        raise UnknownName(f"Only options of {name} count here, -o {kind}.KEY, not {others[0]!r}.")
    component = options.build(kind, tables[kind], kind)
    failed = 0
    before = None
    for clause, problem in testing.check(component, live=False):
        skipped = isinstance(problem, testing.Skipped)
        failed += problem is not None and not skipped
        word = "skip" if skipped else "ok  " if problem is None else "FAIL"
        why = "as before" if problem == before else problem
        click.echo(f"{word}  {clause}" + (f": {why}" if problem else ""))
        before = problem
    if failed:
        raise SystemExit(1)


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
        listed = ", ".join(f"{kind}.{short}" for short in registry.names(kind))
        raise UnknownName(f"{name!r} is a kind; name one of {listed}.")
    return kind, short

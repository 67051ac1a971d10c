"""The commands about plug-ins: plugins, plugins new, plugins check."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from pvd import options
from pvd.cli import completing
from pvd.cli.files import plugin_files
from pvd.discovery import KINDS, Listing, registry, unknown
from pvd.errors import PluginError, UnknownName
from pvd.isolation import unguarded


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
    screen = sys.stdout is not None and sys.stdout.isatty()  # closed, it is None
    columns = shutil.get_terminal_size().columns if screen else None
    for row in rows:
        why = row.status.removeprefix(f"The plug-in {row.name} of {row.distribution} ")
        line = f"{row.name:<{name}}  {row.distribution:<20}  {why}"
        if columns is None or len(line) <= columns:
            yield line
        else:
            yield _wrapped(f"{row.name}  {row.distribution}  {why}", columns - 1)


def _wrapped(text: str, width: int, first: str = "", then: str = "    ") -> str:
    """A text in lines of that width; long words, such as paths, are not cut in two."""
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=then,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


@plugins.command()
@click.argument("kinds", metavar="KIND[,KIND...]", shell_complete=completing.kinds)
@click.argument("name", metavar="NAME")
@click.option(
    "--to", type=click.Path(path_type=Path), help="The package's folder; else ./pvd-NAME."
)
def new(kinds: str, name: str, to: Path | None) -> None:
    """Write a package for plug-ins of yours, with tests, ready to install and to change.

    KIND is teacher, student, sampler, loss, evaluator, source or observer; several, with commas
    between them, come in one package. NAME is what users type after it. Where the folder holds a
    package already, new plug-ins are written beside its own, and none of its files is changed.
    """
    from pvd import scaffolding

    package = scaffolding.new([kind.strip() for kind in kinds.split(",")], name, to)
    names = scaffolding.all_of(it.full for it in package.components)
    if package.entries:
        click.echo(f"New in {package.folder}, for {names}:")
    else:
        click.echo(f"The package {package.distribution} of {names} is in {package.folder}:")
    for file in package.files:
        click.echo(f"  {file}")
    if package.entries:
        click.echo(f"Add to {package.folder / 'pyproject.toml'}, below [project.entry-points.pvd]:")
        for line in package.entries:
            click.echo(f"  {line}")
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
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def check(name: str, assignments: tuple[str, ...], as_json: bool) -> None:
    """Check that a plug-in does what core relies on; without network or key, and never for money.

    What cannot be checked so is skipped, and says why. Exit code 1 if anything fails.
    """
    from pvd import testing

    kind, short = split_name(name)
    tables: options.Table = {kind: {"use": short}}
    for text in assignments:
        tables = options.merge(tables, options.assignment(text))
    if others := sorted(tables.keys() - {kind}):
        raise UnknownName(f"Only options of {name} count here, -o {kind}.KEY, not {others[0]!r}.")
    component = options.build(kind, tables[kind], kind)
    rows: list[dict[str, str | None]] = []
    said: list[str] = []
    with unguarded():  # the checks say more of what it raises or returns
        for sentence, problem in testing.check(component, live=False):
            skipped = isinstance(problem, testing.Skipped)
            result = "ok" if problem is None else "skipped" if skipped else "failed"
            why = None if problem is None else str(problem)
            rows.append({"check": sentence, "result": result, "why": why})
            if not as_json:
                click.echo(_line(result, sentence, _short(why, said)))
            said += [why] if why else []
    results = [row["result"] for row in rows]
    counts = {result: results.count(result) for result in MARKS}
    if as_json:
        click.echo(json.dumps({"name": name, "checks": rows, **counts}))
    else:
        told = ", ".join(f"{count} {result}" for result, count in counts.items() if count)
        click.echo(f"{name}, {len(rows)} checks: {told}")
    if counts["failed"]:
        raise SystemExit(1)


MARKS = {"ok": "ok    ", "skipped": "skip  ", "failed": "FAIL  "}


LONG = 80  # letters of a reason that is not said twice


def _short(why: str | None, said: Sequence[str]) -> str | None:
    """A reason as it stands below a check, after those that were said before."""
    if why and said and why == said[-1]:
        return "as above"
    return f"{why[: LONG // 2]}... (as above)" if why in said and why and len(why) > LONG else why


def _line(result: str, sentence: str, why: str | None) -> str:
    """One check within the width of the terminal; why it is not ok stands below."""
    width = min(shutil.get_terminal_size((78, 24)).columns, 100) - 1
    lines = [_wrapped(sentence, width, MARKS[result], " " * 6)]
    if why:
        lines.append(_wrapped(why, width, " " * 8, " " * 8))
    return "\n".join(lines)


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

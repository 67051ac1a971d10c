"""The commands that look: plugins, plugins check, options, doctor."""

from __future__ import annotations

import json

import click

from pvd import options
from pvd.cli.files import plugin_files
from pvd.discovery import KINDS, registry, unknown
from pvd.errors import MissingPrerequisite, UsageError


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
@click.argument("name", metavar="KIND.NAME")
@plugin_files
@click.option("-o", "assignments", multiple=True, metavar="KEY=VALUE", help="Its options.")
def check(name: str, assignments: tuple[str, ...]) -> None:
    """Run the contract suite of its kind on a plug-in; never with network or a key."""
    from pvd import testing

    kind, short = split_name(name)
    tables: options.Table = {kind: {"use": short}}
    for text in assignments:
        tables = options.merge(tables, options.assignment(text))
    failed = 0
    for clause, problem in testing.check(options.build(kind, tables[kind], kind)):
        failed += problem is not None
        click.echo(
            f"{'ok  ' if problem is None else 'FAIL'}  {clause}"
            + (f": {problem}" if problem else "")
        )
    if failed:
        raise SystemExit(1)


@click.command("options")
@click.argument("name", metavar="KIND.NAME")
@plugin_files
def show_options(name: str) -> None:
    """Show what can be set: of a plug-in, or of a section such as `train`."""
    from pvd import settings

    sections = {
        "run": settings.Settings,
        "train": settings.TrainSettings,
        "exam": settings.ExamSettings,
        "ask": settings.AskSettings,
        "split": settings.SplitSettings,
        "streams": settings.Streams,
    }
    if name in sections:
        shown, prefix = sections[name], "" if name == "run" else f"{name}."
    else:
        kind, short = split_name(name)
        shown, prefix = registry.get(kind, short), f"{kind}."
    click.echo((shown.__doc__ or "").strip())
    for option in options.describe(shown):
        click.echo(f"\n  -o {prefix}{option.name}=<{option.type}>  (default: {option.default})")
        if option.help:
            click.echo(f"      {option.help}")


def split_name(name: str) -> tuple[str, str]:
    """kind.name in two."""
    kind, dot, short = name.partition(".")
    if not dot or kind not in KINDS:
        raise UsageError(f"{name!r} is no kind.name. " + unknown("kind", kind, KINDS))
    return kind, short


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(as_json: bool) -> None:
    """Say what is installed and what would work here; exit 3 if something needed is missing."""
    from pvd import diagnosis

    findings = diagnosis.examine()
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            click.echo(
                f"{'ok  ' if finding.good else 'MISS'}  {finding.what:<22}  {finding.detail}"
            )
    bad = [finding.what for finding in findings if not finding.good]
    if bad:
        raise MissingPrerequisite(f"Not in order: {', '.join(bad)}; see the lines above.")

"""The command that describes files for other programs: schema."""

from __future__ import annotations

import json

import click

from pvd.cli.files import plugin_files

NAMES = ("run", "metrics", "usage", "compare", "audit")


@click.command()
@click.argument("name", type=click.Choice(NAMES))
@plugin_files
def schema(name: str) -> None:
    """Print the JSON Schema of run.toml, or of a result: metrics.json, usage.json, ...

    \b
    pvd schema run > run.schema.json
    pvd schema metrics > metrics.schema.json

    That of run.toml has the options of all plug-ins that are installed, or given with -p.
    """
    from pvd import schemas

    found = schemas.run_schema() if name == "run" else None
    for line in found.missing if found else ():
        click.echo(f"Warning: Its options are not in the schema: {line}", err=True)
    shown = found.schema if found else schemas.result_schema(name)
    click.echo(json.dumps(shown, indent=1, ensure_ascii=False))

"""The option -p, which every command that uses plug-ins has."""

from __future__ import annotations

from pathlib import Path

import click

from pvd.discovery import registry


def _load(ctx: click.Context, option: click.Parameter, files: tuple[Path, ...]) -> None:
    for file in files:
        registry.load_file(file)


plugin_files = click.option(
    "-p",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE.py",
    help="Load a plug-in from a file; repeatable.",
    callback=_load,
    is_eager=True,
    expose_value=False,
)

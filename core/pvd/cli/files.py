"""Files and folders as options: data, and -p, which every command that uses plug-ins has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click

from pvd.cli import completing
from pvd.discovery import registry

BROUGHT = {"catalog": "Table or folder of items.", "personas": "Table or lines of personas."}


class Place(click.Path):
    """A file or folder. Without a name it would be the current folder: so is a shell's variable
    read that is not set."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value):
            self.fail("it is empty; name a file or folder.", param, ctx)
        return super().convert(value, param, ctx)


def data_option(role: Literal["catalog", "personas"], help: str = "") -> Callable[..., Any]:
    """--catalog or --personas, which `tables.source_table` reads."""
    return click.option(
        f"--{role}",
        metavar="[SOURCE:]PATH",
        help=help or BROUGHT[role],
        shell_complete=completing.names("source", files=True),
    )


def _load(ctx: click.Context, option: click.Parameter, files: tuple[Path, ...]) -> None:
    registry.load_files(files)


plugin_files = click.option(
    "-p",
    "files",
    multiple=True,
    type=Place(),
    metavar="FILE.py",
    help="Load a plug-in from a file; repeatable.",
    callback=_load,
    is_eager=True,
    expose_value=False,
)

"""The command that only writes: report."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Write RUN's report.html again, from its numbers."""
    from pvd import pipeline

    click.echo(f"Report: {pipeline.make_report(folder)}")

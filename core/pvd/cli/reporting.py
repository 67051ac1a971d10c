"""The command that only writes: report."""

from __future__ import annotations

from pathlib import Path

import click

from pvd.cli.running import run_argument


@click.command()
@run_argument
def report(folder: Path) -> None:
    """Write RUN's report.html again, from its numbers."""
    from pvd import pipeline

    click.echo(f"Report: {pipeline.make_report(folder)}")

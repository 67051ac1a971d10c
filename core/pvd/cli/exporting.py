"""The command that gives a student away: export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pvd.cli.files import Place, plugin_files
from pvd.cli.running import run_argument

if TYPE_CHECKING:
    from pvd.publishing.exporting import Export


@click.command()
@run_argument
@click.option("--to", required=True, type=Place(), help="The folder to write.")
@click.option(
    "--interpolate",
    type=float,
    metavar="SHARE",
    help="Mix with the weights before training: 0.5 goes half of the way back.",
)
@click.option("--device", default="cpu", show_default=True, help="Where a mixture is measured.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@plugin_files
def export(
    folder: Path, to: Path, interpolate: float | None, device: str, as_json: bool, quiet: bool
) -> None:
    """Write RUN's student in its published layout, with a model card, to a folder."""
    from pvd import progress
    from pvd.publishing import exporting

    shown = progress.for_terminal(quiet or as_json)
    made = exporting.export(folder, to, interpolate=interpolate, device=device, progress=shown)
    if as_json:
        click.echo(json.dumps(as_object(made)))
    else:
        click.echo("\n".join(lines(made)))


def as_object(made: Export) -> dict[str, object]:
    """What was written, with the numbers of what is in the folder; null if nobody knows them."""
    measured = made.metrics if made.interpolate is None else made.mixed
    return {
        "folder": str(made.folder),
        "interpolate": made.interpolate,
        "exam": measured and measured["exam"]["systems"]["distilled"],
        "forgetting": measured and measured.get("forgetting"),
    }


def lines(made: Export) -> list[str]:
    """Where it is; and what a mixture keeps of the two that it is made of."""
    card = made.folder / "README.md"
    said = [
        f"Student: {made.folder}",
        f"Model card: {card} (it names no licence; add yours before you publish it)",
    ]
    return said if made.mixed is None else [*said, "", *compared(made.metrics, made.mixed)]


def compared(trained: Mapping[str, Any], mixed: Mapping[str, Any]) -> list[str]:
    """The mixture between the two that it is made of, in columns."""
    from pvd.metrics import interval, measure, metric_label, number

    name, guard = measure(trained["exam"]), mixed["forgetting"]
    systems, asked = mixed["exam"]["systems"], guard["queries"] or {}
    old = trained.get("forgetting") or {}

    def score(numbers: Mapping[str, Any]) -> str:
        return interval(numbers[name], name)

    def queries(found: Mapping[str, Any], when: str) -> str:
        return interval(found.get(when), "mpr")  # a percentile as well

    rows = [
        ("", metric_label(name), f"plain {asked['kind']}" if asked else "", "drift"),
        ("before", score(systems["zero-shot"]), queries(asked, "before"), "0"),
        (
            "mixture",
            score(systems["distilled"]),
            queries(asked, "after"),
            number(guard["drift"]["value"], "drift"),
        ),
        (
            "trained",
            score(trained["exam"]["systems"]["distilled"]),
            queries(old.get("queries") or {}, "after"),
            number(old["drift"]["value"], "drift") if old else "",
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]

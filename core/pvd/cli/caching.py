"""The commands on kept answers: cache info, export, import, prune."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pvd.cli import completing
from pvd.cli.files import Place
from pvd.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from pvd.store.archive import Contents, Group
    from pvd.store.upkeep import Pruned

NAME = 24  # columns that a name has at least, if it needs them; numbers are never broken
ENDLESS = 10_000  # columns
Column = tuple[str, bool, Callable[["Group"], list[str]]]  # title, whether at the right, lines


def _name_store(ctx: click.Context, option: click.Parameter, path: Path | None) -> None:
    if path is not None:
        ctx.meta["pvd.store"] = path


# Before the command's name or behind it.
store_option = click.option(
    "--store",
    type=Place(),
    help="The answers' database; else that of the runs.",
    callback=_name_store,
    expose_value=False,
)


def _store() -> Path:
    from pvd.store import default_path

    path: Path = click.get_current_context().meta.get("pvd.store") or default_path()
    return path


def _day(ctx: click.Context, option: click.Parameter, value: datetime | None) -> str | None:
    return value.date().isoformat() if value else None


def _date(name: str, help: str) -> Callable[[Any], Any]:
    kind = click.DateTime(["%Y-%m-%d"])
    return click.option(name, type=kind, metavar="DATE", callback=_day, help=help)


_teacher = click.option(
    "--teacher",
    metavar="NAME",
    help="Only answers of this teacher.",
    shell_complete=completing.names("teacher"),
)
_model = click.option("--model", metavar="ID", help="Only answers of this model.")


@click.group()
@store_option
def cache() -> None:
    """Look into the kept answers; publish some, take published ones, delete some."""


# --- info -------------------------------------------------------------------------------------


@cache.command()
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def info(as_json: bool) -> None:
    """Show how many answers there are, of whom, and what they cost."""
    from dataclasses import asdict

    from pvd.store import archive

    found = archive.contents(_store())
    if as_json:
        click.echo(json.dumps(asdict(found)))
    else:
        show(found)


def show(found: Contents) -> None:
    """Print it."""
    from rich.console import Console
    from rich.filesize import decimal

    from pvd.money.amounts import money

    console = Console(highlight=False)
    click.echo(f"Store: {found.path}, {decimal(found.bytes)}")
    if not found.groups:
        click.echo("There are no answers in it.")
    else:
        parts = [_ANSWERS, _TOKENS] if any(map(_spoke, found.groups)) else [_ANSWERS]
        tables = [_table(found.groups, tuple(column for part in parts for column in part))]
        endless = console.options.update(max_width=ENDLESS)
        if console.measure(tables[0], options=endless).minimum > console.width:
            tables = [_table(found.groups, part) for part in parts]
        for table in tables:
            console.print()
            console.print(table)
    if found.pending:
        _submissions(console, found)
    if found.runs:
        click.echo(
            f"\nRuns: {found.runs:,}, which spent {money(max(found.spent, 0.0))}, what is put "
            "aside for questions under way included."
        )


def _spoke(group: Group) -> bool:
    return any(group.tokens.counts())


def _table(groups: list[Group], columns: tuple[Column, ...]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, leading=1)
    longest = max(len(name) for group in groups for name in (group.teacher, group.model))
    table.add_column("teacher, model", overflow="fold", min_width=min(longest, NAME))
    for title, right, _ in columns:
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for group in groups:
        model = group.model if group.model != group.teacher else ""
        name = Text.assemble((group.teacher, "bold"), f"\n{model}" if model else "")
        table.add_row(name, *(Text("\n".join(lines(group))) for _, _, lines in columns))
    return table


def _count(group: Group) -> list[str]:
    ends = [f"{count:,} {end}" for end, count in sorted(group.finish.items())]
    return [f"{group.answers:,}", *(line[:24] for line in ends[:3])]


def _cost(group: Group) -> list[str]:
    from pvd.money.amounts import money

    known = [] if group.dollars is None else [money(group.dollars)]
    return known + ([f"{group.unpriced:,} unknown"] if group.unpriced else [])


def _dates(group: Group) -> list[str]:
    return sorted({group.first[:10], group.last[:10]})


def _in(group: Group) -> list[str]:
    tokens = group.tokens
    parts = {"pictures": tokens.images, "cached": tokens.cached, "written": tokens.written}
    return _parts(tokens.input, parts)


def _out(group: Group) -> list[str]:
    return _parts(group.tokens.output, {"thoughts": group.tokens.thoughts})


def _parts(total: int, parts: dict[str, int]) -> list[str]:
    from pvd.money.amounts import short

    return [short(total), *(f"{name} {short(count)}" for name, count in parts.items() if count)]


_ANSWERS: tuple[Column, ...] = (
    ("answers", True, _count),
    ("cost", True, _cost),
    ("from, to", False, _dates),
)
_TOKENS: tuple[Column, ...] = (("tokens in", True, _in), ("out", True, _out))


def _submissions(console: Console, found: Contents) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("in batches", overflow="fold")
    table.add_column("since", no_wrap=True)
    table.add_column("waiting", justify="right", no_wrap=True)
    table.add_column("ticket", no_wrap=True)
    for one in found.pending:
        cells = (
            one.begun[:16].replace("T", " "),
            f"{one.waiting:,} of {one.size:,}",
            "known" if one.ticket else "not known",
        )
        table.add_row(Text(one.teacher), *cells)
    console.print()
    console.print(table)


# --- export and import ------------------------------------------------------------------------


@cache.command()
@click.argument("file", type=Place())
@store_option
@_teacher
@_model
@_date("--since", "Only answers of this day (UTC) or later, such as 2026-12-31.")
def export(file: Path, teacher: str | None, model: str | None, since: str | None) -> None:
    """Write answers into a new FILE.jsonl or FILE.parquet."""
    from rich.filesize import decimal

    from pvd import progress
    from pvd.store import archive

    shown = progress.for_terminal(False)
    with shown.stage("export", unit="answers"):
        chosen = archive.Choice(teacher=teacher, model=model, since=since)
        done = archive.export(_store(), file, chosen, shown)
    if done.unfit:
        shown.say(f"Left out, since they do not fit and no import would take them: {done.unfit:,}.")
    click.echo(f"{file}: {decimal(file.stat().st_size)}, answers: {done.answers:,}")


@cache.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True,
                type=Place())  # fmt: skip
@store_option
def import_(files: tuple[Path, ...]) -> None:
    """Take the answers of exported files.

    A store of another machine (.sqlite) will do, too. A file with one answer that does not fit
    brings nothing; an answer that is here already stays. No run has spent anything by it.
    """
    from pvd import progress
    from pvd.store import upkeep

    shown = progress.for_terminal(False)
    for file in files:
        with shown.stage("import", unit="answers"):
            done = upkeep.bring(_store(), file, shown)
        click.echo(f"{file}: answers taken: {done.new:,}, here already: {done.here:,}")
        if done.other:
            shown.say(
                f"{file} has another reply to questions that were answered here already, and the "
                f"replies that were here stay: {done.other:,}."
            )


# --- prune ------------------------------------------------------------------------------------


@cache.command()
@store_option
@_teacher
@_model
@_date("--before", "Only answers from before this day (UTC), such as 2026-12-31.")
@click.option("--yes", is_flag=True, help="Delete them.")
def prune(teacher: str | None, model: str | None, before: str | None, yes: bool) -> None:
    """Delete answers; without --yes only say which.

    Whoever asks for them again pays again. Submissions that nobody collected within a month, and
    leases of processes that are no more, go with them.
    """
    from rich.filesize import decimal

    from pvd import progress
    from pvd.store import Store, archive, upkeep

    chosen = archive.Choice(teacher=teacher, model=model, before=before)
    if chosen == archive.Choice():
        raise UsageError("Say which answers: --teacher, --model or --before.")
    path = _store()
    if not yes:
        click.echo(f"{_said(upkeep.prunable(path, chosen))}\nNothing was deleted; --yes does it.")
        return
    shown = progress.for_terminal(False)
    size = archive.size(path)
    with Store(path) as store:
        with shown.stage("prune", unit="answers"):
            done = upkeep.prune(store, chosen, shown)
        click.echo(f"Deleted. {_said(done)}")
        if done.leases:
            click.echo(f"Leases of processes that are no more: {done.leases:,}.")
        store.shrink()
    click.echo(f"{path}: {decimal(archive.size(path))}, before {decimal(size)}")


def _said(found: Pruned) -> str:
    from pvd.money.amounts import money
    from pvd.store.upkeep import STALE

    text = f"Answers: {found.answers:,}, "
    if found.unpriced and found.unpriced == found.answers:
        text += "whose cost nobody knows."
    else:
        text += f"which cost {money(found.dollars)}"
        text += f", {found.unpriced:,} of unknown cost left aside." if found.unpriced else "."
    if found.submissions:
        text += (
            f"\nSubmissions older than {STALE.days} days, whose answers no provider has any more: "
            f"{found.submissions:,}, with {found.questions:,} questions."
        )
    return text

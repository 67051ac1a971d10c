"""The command that looks at teachers before they are paid: audit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pvd import options, team
from pvd.cli import completing
from pvd.cli.files import Place, data_option, plugin_files
from pvd.cli.running import (
    Dollars,
    asking_options,
    config_options,
    output_options,
    settings_from,
)

UNASKED = ("teacher", "judge", "student", "sampler", "loss", "device")  # of a run, not of an audit


@click.command()
@click.argument(
    "teachers",
    nargs=-1,
    required=True,
    metavar="TEACHER...",
    shell_complete=completing.names("teacher"),
)
@data_option("catalog")
@data_option("personas")
@click.option("--slates", type=int, default=200, show_default=True, help="Asked of each teacher.")
@click.option("--orders", type=int, default=3, show_default=True, help="Of each slate.")
@click.option("--pairs", type=int, help="Slates whose pairs are asked too; else a tenth.")
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    metavar="NAME",
    help="To compare; repeatable.",
    shell_complete=completing.prompts,
)
@click.option(
    "-o",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any setting; teacher.KEY for all teachers that have it; repeatable.",
    shell_complete=completing.settings,
)
@config_options
@click.option("--store", type=Place(), help="The answers' database.")
@click.option("--max-cost", type=Dollars(), metavar="DOLLARS", help="Limit of the whole audit.")
@click.option("--max-calls", type=int, metavar="N", help="Questions that the audit may send.")
@asking_options
@click.option("--out", type=Place(), help="The audit's folder.")
@click.option("--dry-run", is_flag=True, help="Say what it will ask and cost; ask nothing.")
@plugin_files
@output_options
def audit(
    teachers: tuple[str, ...],
    slates: int,
    orders: int,
    pairs: int | None,
    prompts: tuple[str, ...],
    assignments: tuple[str, ...],
    recipe: str,
    config: Path | None,
    out: Path | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """A report card of each TEACHER: noise, bias, agreement, price.

    A TEACHER is a name, or a TOML table such as '{use="simulated", noise=2.0}'. A finished audit
    prints its result again.
    """
    from pvd import auditing, progress
    from pvd.auditing import table
    from pvd.money import quote

    team.check_alone("audit")
    shared, others = _divided(assignments)
    given |= dict.fromkeys(UNASKED) | {"observe": (), "assignments": others}
    settings = settings_from(config, recipe, given)
    members = auditing.members(teachers, shared, prompts, settings.teacher)
    design = auditing.Design(slates, orders, settings.train.size, pairs)
    task = auditing.task(settings, members, design, out)
    shown = progress.for_terminal(quiet or as_json)
    if dry_run:
        plan = auditing.plan(task, shown)
        click.echo(json.dumps(plan.as_json()) if as_json else "\n".join(quote.lines(plan)))
        return
    shown.say(f"Audit folder: {task.folder}")
    done = auditing.execute(task, shown)
    if as_json:
        click.echo(json.dumps({"folder": str(done.folder), "audit": done.numbers}))
    else:
        table.show(done.numbers, done.report)


def _divided(assignments: tuple[str, ...]) -> tuple[options.Table, tuple[str, ...]]:
    """What `-o teacher.KEY` says of the teachers, and the other assignments."""
    shared: options.Table = {}
    others = []
    for text in assignments:
        found = options.assignment(text)
        own = found.get("teacher")
        if not isinstance(own, dict):
            others.append(text)
        elif "use" in own:
            raise click.UsageError(
                f"-o {text} names a teacher; name it as the command's argument instead."
            )
        else:
            shared = options.merge(shared, own)
    return shared, tuple(others)

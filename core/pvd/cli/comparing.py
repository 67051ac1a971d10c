"""The command that compares: compare, and the hidden one that runs a cell of it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import click

from pvd import options, team
from pvd.cli import completing
from pvd.cli.files import Place
from pvd.cli.running import output_options, run_options
from pvd.cli.tables import tables_from
from pvd.errors import BadInput, UsageError

LOOK = 1.0  # seconds between looks whether the comparison still runs
WAIT = 60.0  # seconds for an earlier process of the same cell to end


@click.command()
@click.option(
    "--vary",
    multiple=True,
    required=True,
    metavar="KEY=A,B,...",
    help="What varies: any setting, with its values; repeatable, all combinations are run.",
    shell_complete=completing.varied,
)
@click.option(
    "--judges",
    metavar="NAME,...",
    help="Who examines all of them; else every teacher that varies.",
    shell_complete=completing.listed(completing.names("teacher")),
)
@click.option("--seeds", default=5, show_default=True, help="Runs of each combination.")
@click.option(
    "--margin", default=1.0, show_default=True, help="Points by which a stand-in may be worse."
)
@click.option("--jobs", type=click.IntRange(1), help="Runs at once; as many as cores if not given.")
@click.option("--out", type=Place(), required=True, help="The folder for it.")
@click.option("--dry-run", is_flag=True, help="Say what it will ask and cost; ask nothing.")
@run_options
@output_options
def compare(
    vary: tuple[str, ...],
    judges: str | None,
    seeds: int,
    margin: float,
    jobs: int | None,
    out: Path,
    dry_run: bool,
    config: Path | None,
    recipe: str,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Teach the same student in different ways, and say which is better, and how sure that is.

    \b
    pvd compare --vary teacher=gemini,qwen-vl --judges gemini,qwen-vl --seeds 5 --out runs/compare
    pvd compare --vary sampler=uniform,four-bin --vary train.slates=100,300 --out runs/samplers

    The same command goes on where it was stopped; finished, it prints its result again.
    """
    from pvd import progress
    from pvd.comparing import comparison, design, screen
    from pvd.money import quote

    team.check_alone("compare")
    tables = tables_from(config, recipe, given)
    made = design.make(tables, _varied(vary), _values(judges or ""), seeds, margin)
    shown = progress.for_terminal(quiet or as_json)
    if dry_run:
        plan, seen = comparison.plan(made, out, jobs=jobs, progress=shown)
        lines = [*quote.wrapped(seen), *quote.lines(plan)]
        click.echo(json.dumps({**plan.as_json(), "outlook": seen}) if as_json else "\n".join(lines))
        return
    shown.say(f"Comparison: {out}")
    done = comparison.execute(made, out, jobs=jobs, progress=shown)
    if as_json:
        click.echo(json.dumps({"folder": str(done.folder), "findings": done.findings}))
    else:
        screen.show(done.findings, done.report)


def _varied(texts: tuple[str, ...]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for text in texts:
        path, equals, raw = text.partition("=")
        if not equals or not path.strip():
            raise BadInput(
                f"--vary {text!r} is no KEY=A,B; write for example --vary teacher=gemini,gpt-4o."
            )
        if path.strip() in found:
            raise UsageError(f"--vary {path} is given twice; name all its values in one.")
        found[path.strip()] = _values(raw)
    return found


def _values(raw: str) -> list[Any]:
    """Values between commas, in brackets or not; a table in TOML gives a component its options."""
    parts = _parts(raw)
    if len(parts) == 1 and raw.strip().startswith("["):
        parts = _parts(raw.strip().removeprefix("[").removesuffix("]"))
    return [_value(part) for part in parts]


def _value(text: str) -> Any:
    found = options.toml_value(text)
    if isinstance(found, str) and text.startswith(("{", "[")):
        raise BadInput(
            f"{text} cannot be read as TOML; write a table such as "
            '{use = "simulated", noise = 2}.'
        )
    return found


def _parts(raw: str) -> list[str]:
    """What stands between the commas that are in no table, list or quotes."""
    found, depth, quote = [""], 0, ""
    for letter in raw:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "[{") - (letter in "]}")
        if letter == "," and not depth and not quote:
            found.append("")
        else:
            found[-1] += letter
    if depth or quote:
        raise BadInput(
            f"{raw} cannot be read as TOML: a bracket or a quote is not closed; write a list such "
            'as [{use = "simulated", noise = 2}, "gemini"].'
        )
    return [part.strip() for part in found if part.strip()]


@click.command("compare-cell", hidden=True)
@click.argument("config", type=Place())
@click.argument("folder", type=Place())
@click.option("--account")
@click.option("--parent", type=int)
def cell(config: Path, folder: Path, account: str | None, parent: int | None) -> None:
    """One run of a comparison, in a process that ends with the one that began it."""
    from pvd import pipeline
    from pvd.comparing import transcripts
    from pvd.displays import Plain
    from pvd.folder import released
    from pvd.identity import repeated
    from pvd.progress import Progress
    from pvd.session import opened_session
    from pvd.settings import recipe, resolve

    threading.Thread(target=_follow, args=(parent or os.getppid(),), daemon=True).start()
    settings = resolve(recipe("default"), repeated(config))
    released(folder, WAIT)
    with opened_session(settings, folder, Progress(Plain()), charged=account) as session:
        pipeline.go_through(session)
        transcripts.write(session)


def _follow(parent: int) -> None:
    """Stop, as by Ctrl-C, when the comparison is gone: a kill gives it no time to say so."""
    while os.getppid() == parent:
        time.sleep(LOOK)
    signal.raise_signal(signal.SIGTERM)

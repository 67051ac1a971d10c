"""The command line. It turns options into tables, calls the pipeline, and prints what comes back.

Results go to stdout, progress and messages to stderr. Heavy modules are imported in the commands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pvd import __version__, options
from pvd.discovery import KINDS, registry, unknown
from pvd.errors import Interrupted, MissingFile, PvdError, UsageError

if TYPE_CHECKING:
    from pvd.pipeline import Run
    from pvd.settings import Settings


class Commands(click.Group):
    """Every error that pvd raises on purpose becomes one sentence and its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PvdError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Stopped; the same command goes on from here.", err=True)
            ctx.exit(Interrupted.exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="pvd-distill")
def main() -> None:
    """Distil the taste of a vision-language model into an embedding model.

    `pvd run` alone is a complete run on a drawn catalogue, offline, in two minutes.
    """


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """What says which run is meant; every other setting is `-o`."""
    for decorate in reversed(
        (
            click.option("--catalog", metavar="[SOURCE:]PATH", help="Table or folder of items."),
            click.option("--personas", metavar="[SOURCE:]PATH", help="Table or lines of personas."),
            click.option("--teacher", metavar="NAME", help="Who ranks slates for training."),
            click.option(
                "--judge", metavar="NAME", help="Who ranks for the exam; else the teacher."
            ),
            click.option("--student", metavar="NAME", help="The embedding model that learns."),
            click.option("--sampler", metavar="NAME", help="Who chooses the items of a slate."),
            click.option("--loss", metavar="NAME", help="What pulls the scores to the rankings."),
            click.option(
                "--observe", multiple=True, metavar="NAME", help="An observer; repeatable."
            ),
            click.option(
                "-o",
                "assignments",
                multiple=True,
                metavar="KEY=VALUE",
                help="Any setting, for example teacher.noise=0 or train.rounds=3; repeatable.",
            ),
            click.option("--recipe", default="default", show_default=True, help="Named settings."),
            click.option("--config", type=click.Path(path_type=Path), help="Settings as TOML."),
            click.option("--seed", type=int, help="Of every random stream."),
            click.option("--device", help="Where the student runs: cpu, cuda, mps."),
            click.option("--store", type=click.Path(path_type=Path), help="The answers' database."),
            click.option(
                "--max-cost", type=float, metavar="DOLLARS", help="Limit of the whole run."
            ),
            click.option(
                "-p",
                "files",
                multiple=True,
                type=click.Path(path_type=Path),
                metavar="FILE.py",
                help="Load a plug-in from a file; repeatable.",
            ),
        )
    ):
        command = decorate(command)
    return command


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """How much is printed, and in which form."""
    command = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")(
        command
    )
    return click.option("-q", "--quiet", is_flag=True, help="No progress.")(command)


def settings_from(
    files: tuple[Path, ...], config: Path | None, recipe: str, given: dict[str, Any]
) -> Settings:
    """The settings of a command: recipe, then TOML, then the options."""
    from pvd.session import configuration
    from pvd.settings import recipe as read_recipe
    from pvd.settings import resolve

    for file in files:
        registry.load_file(file)
    tables = [read_recipe(recipe)]
    if config is not None:
        tables.append(configuration(config))
    over: options.Table = {}
    for kind in ("teacher", "judge", "student", "sampler", "loss"):
        if given[kind] is not None:
            over = options.merge(over, {kind: {"use": given[kind]}})
    for role in ("catalog", "personas"):
        if given[role] is not None:
            over[role] = source_table(given[role], role)
    for name in ("seed", "device", "max_cost"):
        if given[name] is not None:
            over[name] = given[name]
    if given["store"] is not None:
        over["store"] = str(given["store"])
    if given["observe"]:
        over["observers"] = list(given["observe"])
    for text in given["assignments"]:
        over = options.merge(over, options.assignment(text))
    return resolve(*tables, over)


def source_table(text: str, role: str) -> options.Table:
    """`[source:]path` as a table; without a source, the path says which one."""
    name, colon, rest = text.partition(":")
    if colon and re.fullmatch(r"[a-z][a-z0-9-]+", name):
        return {"use": name, "path": rest}
    path = Path(text)
    if not path.exists():
        if text in registry.names("source"):
            return {"use": text}
        raise MissingFile(f"There is no file or folder {text} for --{role}; check the path.")
    if path.is_dir():
        return {"use": "folder", "path": text}
    lines = role == "personas" and path.suffix.lower() in (".txt", ".text", "")
    return {"use": "lines" if lines else "table", "path": text}


@main.command()
@run_options
@click.option("--out", type=click.Path(path_type=Path), help="The run folder.")
@click.option("--fresh", is_flag=True, help="Start over, also where a run is.")
@output_options
def run(
    files: tuple[Path, ...],
    config: Path | None,
    recipe: str,
    out: Path | None,
    fresh: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Label, train and evaluate; a finished run prints its result again."""
    from pvd import pipeline, progress

    settings = settings_from(files, config, recipe, given)
    folder = out or pipeline.default_folder(settings)
    shown = progress.for_terminal(quiet or as_json)
    shown.say(f"Run folder: {folder}")
    show(pipeline.execute(settings, folder, fresh=fresh, progress=shown), as_json)


@main.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@run_options
@output_options
def label(
    folder: Path,
    files: tuple[Path, ...],
    config: Path | None,
    recipe: str,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Draw and ask the next round of RUN; the options begin a run that is not there yet."""
    from pvd import pipeline, progress, session

    there = (folder / "run.toml").exists()
    settings = session.from_folder(folder) if there else settings_from(files, config, recipe, given)
    with session.opened_session(
        settings, folder, progress.for_terminal(quiet or as_json)
    ) as opened:
        pipeline.check_budget(opened)
        try:
            number = pipeline.label(opened)
        finally:
            pipeline.save_usage(opened)
        path = opened.rounds.path(number, "judgments.jsonl")
        count = len(opened.rounds.judgments(number))
    if as_json:
        click.echo(json.dumps({"round": number, "judgments": count, "file": str(path)}))
    else:
        click.echo(f"Round {number}: {count} judgments in {path}")


@main.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--judgments", type=click.Path(path_type=Path), help="Take these as the next round's judgments."
)
@output_options
def train(folder: Path, judgments: Path | None, as_json: bool, quiet: bool) -> None:
    """Train RUN's student on all judgments so far, which ends the round."""
    from pvd import pipeline, progress, session

    settings = session.from_folder(folder)
    with session.opened_session(
        settings, folder, progress.for_terminal(quiet or as_json)
    ) as opened:
        rounds, number = opened.rounds, opened.rounds.finished() + 1
        if judgments is not None:
            made = rounds.read_judgments(judgments)
            rounds.write_judgments(number, dict(enumerate(made)))
        elif not rounds.has(number, "judgments.jsonl"):
            raise UsageError(
                f"Round {number} has no judgments yet; give `pvd label {folder}` first, or bring "
                "some with --judgments."
            )
        try:
            test = pipeline.ask_validation(opened)
            pipeline.validate_start(opened, test)
            result = pipeline.learn(opened, test)
        finally:
            pipeline.save_usage(opened)
    value = result.validation
    if as_json:
        click.echo(json.dumps({"round": number, "loss": result.loss, "validation": value.value}))
    else:
        click.echo(
            f"Round {number}: loss {result.loss:.3f}, validation {value.value:.1f} % "
            f"({value.low:.1f} to {value.high:.1f})"
        )


@main.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@output_options
def evaluate(folder: Path, as_json: bool, quiet: bool) -> None:
    """Let RUN's best student so far sit the exam, and write the report."""
    from pvd import pipeline, progress, session

    settings = session.from_folder(folder)
    with session.opened_session(
        settings, folder, progress.for_terminal(quiet or as_json)
    ) as opened:
        pipeline.check_budget(opened)
        try:
            test = pipeline.ask_validation(opened)
            pipeline.validate_start(opened, test)
            pipeline.examine(opened, pipeline.ask_exam(opened))
        finally:
            pipeline.save_usage(opened)
    show(pipeline.finished(folder), as_json)


def show(result: Run, as_json: bool) -> None:
    """Print the result of a run."""
    from pvd import closing

    if as_json:
        click.echo(json.dumps({"folder": str(result.folder), "metrics": result.metrics}))
    else:
        closing.show(result.metrics, result.report)


@main.group(invoke_without_command=True)
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
@click.option(
    "-p",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE.py",
    help="Load a plug-in from a file; repeatable.",
)
@click.option("-o", "assignments", multiple=True, metavar="KEY=VALUE", help="Its options.")
def check(name: str, files: tuple[Path, ...], assignments: tuple[str, ...]) -> None:
    """Run the contract suite of its kind on a plug-in; never with network or a key."""
    from pvd import testing

    for file in files:
        registry.load_file(file)
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


@main.command("options")
@click.argument("name", metavar="KIND.NAME")
@click.option(
    "-p",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE.py",
    help="Load a plug-in from a file; repeatable.",
)
def show_options(name: str, files: tuple[Path, ...]) -> None:
    """Show what can be set: of a plug-in, or of a section such as `train`."""
    from pvd import settings

    for file in files:
        registry.load_file(file)
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


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(as_json: bool) -> None:
    """Say what is installed and what would work here; exit 3 if something needed is missing."""
    from pvd import diagnosis
    from pvd.errors import MissingPrerequisite

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

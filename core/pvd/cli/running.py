"""The commands that work on a run: run, label, train, evaluate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pvd.cli import completing
from pvd.cli.files import Place, data_option, plugin_files
from pvd.cli.tables import tables_from
from pvd.errors import MissingFile

if TYPE_CHECKING:
    from pvd.outcome import Run
    from pvd.settings import Settings


class Dollars(click.ParamType):  # type: ignore[type-arg]
    """An amount such as 5, 0.25 or $5."""

    name = "dollars"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return float(str(value).removeprefix("$"))
        except ValueError:
            self.fail(f"{value!r} is no amount of dollars; give for example 5.", param, ctx)


def _name(option: str, kind: str, help: str, multiple: bool = False) -> Callable[..., Any]:
    return click.option(
        option, metavar="NAME", multiple=multiple, help=help, shell_complete=completing.names(kind)
    )


run_argument = click.argument(
    "folder",
    metavar="RUN",
    type=Place(),
    shell_complete=completing.runs,
)


def _together(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Several options as one decorator, in the order of --help."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


# Where settings come from.
config_options = _together(
    click.option(
        "--recipe",
        default="default",
        show_default=True,
        help="Named settings.",
        shell_complete=completing.recipes,
    ),
    click.option("--config", type=Place(), help="Settings as TOML."),
    click.option("--seed", type=int, help="Of every random stream."),
)

# How teachers are asked.
asking_options = _together(
    click.option("--batch", is_flag=True, help="Ask in batches: half the price, up to a day each."),
    click.option("--allow-unpriced", is_flag=True, help="Ask a teacher whose price nobody knows."),
    click.option(
        "--accept-model-change",
        is_flag=True,
        help="Go on if another model answers under the same name.",
    ),
)

# What says which run is meant; every other setting is `-o`.
run_options = _together(
    data_option("catalog"),
    data_option("personas"),
    _name("--teacher", "teacher", "Who ranks slates for training."),
    _name("--judge", "teacher", "Who ranks for the exam; else the teacher."),
    _name("--student", "student", "The embedding model that learns."),
    _name("--sampler", "sampler", "Who chooses the items of a slate."),
    _name("--loss", "loss", "What pulls the scores to the rankings."),
    _name("--observe", "observer", "An observer; repeatable.", multiple=True),
    click.option(
        "-o",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any setting, for example teacher.noise=0 or train.rounds=3; repeatable.",
        shell_complete=completing.settings,
    ),
    config_options,
    click.option("--device", help="Where the student runs: cpu, cuda, mps."),
    click.option("--store", type=Place(), help="The answers' database."),
    click.option("--max-cost", type=Dollars(), metavar="DOLLARS", help="Limit of the whole run."),
    click.option(
        "--max-calls", type=int, metavar="N", help="Questions that the whole run may send."
    ),
    asking_options,
    plugin_files,
)

# How much is printed, and in which form.
output_options = _together(
    click.option("-q", "--quiet", is_flag=True, help="No progress."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
)


def settings_from(
    config: Path | None,
    recipe: str,
    given: dict[str, Any],
    folder: Path | None = None,
    out: Path | None = None,
) -> Settings:
    """The settings of a command that goes on with the run in a folder, or writes one `out`."""
    from pvd.provenance import begun_with
    from pvd.settings import resolve

    with begun_with(folder or out):
        return resolve(*tables_from(config, recipe, given, folder))


@click.command()
@run_options
@click.option("--out", type=Place(), help="The run folder.")
@click.option("--fresh", is_flag=True, help="Start over where a run is; kept answers stay.")
@click.option("--dry-run", is_flag=True, help="Say what it will ask and cost; ask nothing.")
@output_options
def run(
    config: Path | None,
    recipe: str,
    out: Path | None,
    fresh: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Label, train and evaluate; a finished run prints its result again."""
    from pvd import naming, pipeline, progress
    from pvd.beginning import looking
    from pvd.following import leading
    from pvd.money import quote

    settings = settings_from(config, recipe, given, out=out)
    folder = out or pipeline.default_folder(settings)
    shown = progress.for_terminal(quiet or as_json)
    if "judge" in settings.table():  # one that does not follow whoever teaches
        judge, teacher = naming.label(settings.judge), naming.label(settings.teacher)
        if judge != teacher:  # but for how they are asked
            told = f"The judge is {judge}, another than the teacher, {teacher}"
            shown.say(f"{told}; --judge changes it.")
    if dry_run:
        plan = pipeline.plan(settings, folder, shown, fresh)
        for line in looking.all_lacking(settings):
            click.echo(f"Before the run: {line}", err=True)
        click.echo(json.dumps(plan.as_json()) if as_json else "\n".join(quote.lines(plan)))
        return
    with leading(settings, folder) as team:
        shown.say(f"Run folder: {folder}")
        done = pipeline.execute(settings, folder, fresh=fresh, progress=shown, team=team)
        show(done, as_json)


@click.command()
@run_argument
@run_options
@output_options
def label(
    folder: Path, config: Path | None, recipe: str, as_json: bool, quiet: bool, **given: Any
) -> None:
    """Draw and ask the next round of RUN; the options begin a run that is not there yet."""
    from pvd import pipeline, progress
    from pvd.following import leading
    from pvd.money.amounts import count

    settings = settings_from(config, recipe, given, folder)
    shown = progress.for_terminal(quiet or as_json)
    with leading(settings, folder) as team:
        if not (folder / "run.toml").exists() and not folder.is_file():
            shown.say(f"There is no run in {folder} yet: a new one begins there.")
        number, file, made = pipeline.label(settings, folder, shown, team)
    if as_json:
        click.echo(json.dumps({"round": number, "judgments": made, "file": str(file)}))
    else:
        click.echo(f"Round {number}: {count(made, 'judgment')} in {file}")


@click.command()
@run_argument
@click.option("--judgments", type=Place(), help="Take these as the next round's judgments.")
@run_options
@output_options
def train(
    folder: Path,
    judgments: Path | None,
    config: Path | None,
    recipe: str,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Train RUN's student on all judgments so far, which ends the round."""
    from pvd import pipeline, progress
    from pvd.following import leading

    settings = settings_from(config, recipe, given, must_exist(folder))
    shown = progress.for_terminal(quiet or as_json)
    with leading(settings, folder) as team:
        result = pipeline.train(settings, folder, shown, judgments, team)
    value = result.validation
    if as_json:
        line = {"round": result.round, "loss": result.loss, "validation": value.value}
        click.echo(json.dumps(line))
    else:
        click.echo(
            f"Round {result.round}: loss {result.loss:.3f}, validation {value.value:.1f} % "
            f"({value.low:.1f} to {value.high:.1f})"
        )


@click.command()
@run_argument
@run_options
@output_options
def evaluate(
    folder: Path, config: Path | None, recipe: str, as_json: bool, quiet: bool, **given: Any
) -> None:
    """Let RUN's best student so far sit the exam, and write the report."""
    from pvd import pipeline, progress
    from pvd.following import leading

    settings = settings_from(config, recipe, given, must_exist(folder))
    shown = progress.for_terminal(quiet or as_json)
    with leading(settings, folder) as team:
        show(pipeline.evaluate(settings, folder, shown, team), as_json)


def must_exist(folder: Path) -> Path:
    """The folder, if a run is in it."""
    if not (folder / "run.toml").exists():
        raise MissingFile(f"There is no run in {folder}; begin one with pvd label or pvd run.")
    return folder


def show(result: Run, as_json: bool) -> None:
    """Print the result of a run."""
    from pvd import closing

    if as_json:
        click.echo(json.dumps({"folder": str(result.folder), "metrics": result.metrics}))
    else:
        closing.show(result.metrics, result.report)

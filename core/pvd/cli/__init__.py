"""The command line. It turns options into tables, calls the pipeline, and prints what comes back.

Results go to stdout, progress and messages to stderr. Heavy modules are imported in the commands.
"""

from __future__ import annotations

import errno
import os
import traceback
from typing import Any, NoReturn

import click

from pvd import __version__
from pvd.cli.auditing import audit
from pvd.cli.beginning import init
from pvd.cli.caching import cache
from pvd.cli.checking import check
from pvd.cli.comparing import cell, compare
from pvd.cli.describing import schema
from pvd.cli.exporting import export
from pvd.cli.inspecting import doctor, show_options
from pvd.cli.plugging import plugins
from pvd.cli.prompting import prompt
from pvd.cli.reporting import report
from pvd.cli.running import evaluate, label, run, train
from pvd.cli.searching import index, search
from pvd.cli.shells import completion
from pvd.cli.tables import as_setting
from pvd.errors import BadInput, Interrupted, MissingFile, PvdError
from pvd.isolation.origin import TRACEBACK, memory_is_full, no_room
from pvd.isolation.output import results_only

ROOM = "make room, then give the same command again"
PERMIT = "change its permissions, or name another place"
MEND = {  # what a system refuses wherever a file is used, and what helps
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EACCES: PERMIT,
    errno.EPERM: PERMIT,
    errno.EROFS: "name another place",
}
plugins.add_command(check)

# What each is for, by task, in lines that 80 columns have room for.
SECTIONS: dict[str, dict[click.Command, str]] = {
    "Begin": {
        init: "Write a commented run.toml for data of your own.",
        doctor: "Say what is installed and what would work here.",
        completion: "Print what lets your shell complete what you type.",
    },
    "Run": {
        run: "Label, train and evaluate: a whole run, or the rest of one.",
        label: "Draw and ask the next round of a run.",
        train: "Train a run's student on all judgments so far.",
        evaluate: "Let a run's best student so far sit the exam.",
    },
    "Look at results": {
        report: "Write a run's report.html again.",
        compare: "Teach a student in several ways, and say which is better.",
        audit: "A report card of each teacher: noise, bias, price.",
    },
    "Use the student": {
        index: "Embed a catalogue with a student.",
        search: "Print what an index has for each text, best first.",
        export: "Write a run's student with a model card, to publish it.",
    },
    "Questions and answers": {
        prompt: "Show what a teacher would be sent; list the prompts.",
        cache: "Look at kept answers and their cost; publish, take, delete.",
    },
    "Plug-ins and settings": {
        plugins: "List all plug-ins; begin or check one of your own.",
        show_options: "Show what can be set of a plug-in or a section.",
        schema: "Print the JSON Schema of run.toml or of a result.",
    },
}


class Commands(click.Group):
    """Every error that pvd raises on purpose becomes one sentence and its exit code."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """By task."""
        wide = max(len(command.name or "") for section in SECTIONS.values() for command in section)
        for title, section in SECTIONS.items():
            with formatter.section(title):
                rows = [(f"{command.name:<{wide}}", about) for command, about in section.items()]
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with results_only():
                return super().invoke(ctx)
        except click.NoSuchOption as error:
            raise _settable(error) from None
        except Interrupted:
            raise  # the end of a process is not ours to say
        except PvdError as error:
            _end(ctx, error, error)
        except OSError as error:
            if not (said := _refused(error)):
                raise
            _end(ctx, BadInput(said), error)
        except (MemoryError, RuntimeError) as error:
            if not memory_is_full(error):
                raise
            _end(ctx, no_room("The memory is full", error), error)
        except KeyboardInterrupt:  # click would say "Aborted!", and exit with 1
            raise Interrupted("Stopped; the same command goes on from here.") from None


def _settable(error: click.NoSuchOption) -> click.UsageError:
    """The same with how a setting of this name is given, where a command takes every setting and
    has no option that is nearly the same."""
    names = {param.name for param in error.ctx.command.params} if error.ctx else set()
    begun = any(error.option_name.startswith(near) for near in error.possibilities or ())
    setting = as_setting(error.option_name) if {"assignments", "recipe"} <= names else ""
    if begun or not setting:
        return error
    return click.UsageError(f"No such option {error.option_name!r}; write {setting}.", error.ctx)


def _refused(error: OSError) -> str:
    """The sentence about a file that the system refuses; nothing for what else it refuses, such as
    a port, or a child process."""
    mend = MEND.get(error.errno or 0, "")
    if isinstance(error.filename, str | bytes):
        return mend and f"{os.fsdecode(error.filename)} cannot be used ({error.strerror}); {mend}."
    # What is written to a stream, such as stdout, has no name, but needs room.
    return f"{error.strerror}; {mend}." if mend == ROOM else ""


def _end(ctx: click.Context, said: PvdError, error: Exception) -> NoReturn:
    """Say it, and exit with its code."""
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    click.echo(f"Error: {said}", err=True)
    ctx.exit(said.exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="pvd-distill")
def main() -> None:
    """Distil the taste of a vision-language model into an embedding model.

    `pvd run` alone is a complete run on a drawn catalogue, offline, in two minutes.
    """
    # Before torch comes: its threads shall sleep while they wait for one another. Spinning, they
    # made training ten times slower on two cores that another program was using too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        os.getcwd()
    except FileNotFoundError:  # libraries that torch loads would end the process
        raise MissingFile(
            "The current folder is not there any more; go to one that is, then give the same "
            "command again."
        ) from None


for section in SECTIONS.values():
    for command, about in section.items():
        command.short_help = about
        main.add_command(command)
main.add_command(cell)

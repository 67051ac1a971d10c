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
from pvd.errors import BadInput, Interrupted, MissingFile, PvdError
from pvd.isolation.origin import TRACEBACK, memory_is_full, no_room
from pvd.isolation.output import results_only

ROOM = "make room, then give the same command again"
MEND = {  # what a system refuses wherever a file is used, and what helps
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EACCES: "allow it, or name another place",
    errno.EPERM: "allow it, or name another place",
    errno.EROFS: "name another place",
}


class Commands(click.Group):
    """Every error that pvd raises on purpose becomes one sentence and its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with results_only():
                return super().invoke(ctx)
        except Interrupted:
            raise  # the end of a process is not ours to say
        except PvdError as error:
            _end(ctx, error, error)
        except OSError as error:
            if error.errno not in MEND:
                raise
            _end(ctx, BadInput(f"{error}; {MEND[error.errno]}."), error)
        except (MemoryError, RuntimeError) as error:
            if not memory_is_full(error):
                raise
            _end(ctx, no_room("The memory is full", error), error)
        except KeyboardInterrupt:  # click would say "Aborted!", and exit with 1
            raise Interrupted("Stopped; the same command goes on from here.") from None


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


for command in (
    init,
    run,
    label,
    train,
    evaluate,
    compare,
    cell,
    audit,
    report,
    export,
    index,
    search,
    prompt,
    cache,
    plugins,
    show_options,
    schema,
    completion,
    doctor,
):
    main.add_command(command)

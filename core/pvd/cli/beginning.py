"""The command with which a project begins: init."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from os.path import expanduser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pvd.cli.files import Place
from pvd.cli.running import Dollars, run_options
from pvd.cli.tables import tables_from
from pvd.errors import Interrupted, PvdError, UsageError
from pvd.prose import JOINED

if TYPE_CHECKING:
    from pvd.beginning.proposing import Beginning, Choice, Proposal

COST = 5.0  # dollars that are proposed as the limit
COMMAND = re.compile(r"pip install '[^']*'")  # which is copied as a whole
WIDEST = 100  # columns of what is read
INTRO = {
    "catalog": "Catalogue: a table of items and their pictures, a folder of these, or SOURCE:PATH",
    "personas": "Personas: a table, a text with one on each line, or SOURCE:PATH",
    "teacher": "Teacher: who ranks a few items at a time for a persona",
    "student": "Student: the embedding model that learns from the teacher",
    "max_cost": "Limit: dollars that the whole run may cost; its plan is shown first",
    "device": "Device: where the student runs",
}


@click.command()
@click.argument("place", default=".", metavar="[FOLDER or FILE]", type=Place())
@click.option("--yes", is_flag=True, help="Take what is found; ask nothing.")
@run_options
def init(place: Path, yes: bool, config: Path | None, recipe: str, **given: Any) -> None:
    """Begin: write a commented run.toml into FOLDER, or to FILE.

    It asks for what no option gives: catalogue, personas, teacher, student, and the limit of a
    run that costs money, or else the device if there are several. It proposes what it finds in
    FOLDER and in the environment.
    """
    from pvd.beginning import writing
    from pvd.beginning.proposing import QUESTIONS, Beginning

    try:
        file = _file(place)
        begun = file.exists()
    except OSError as error:  # a name that is too long, a folder that is not ours to look into
        raise writing.unwritable(place, error) from None
    if begun:
        raise writing.taken(file)
    missing = [] if config else [name for name in QUESTIONS if given[name] is None]
    there = not yes and _somebody_is_there()
    if missing and not (there or yes):
        names = ", ".join(f"--{name}" for name in missing)
        raise UsageError(
            f"Nobody can be asked here, since this is no terminal; add {names}, or --yes to take "
            "what is found."
        )
    beginning = Beginning(file.parent, given, lambda known: tables_from(config, recipe, {**known}))
    try:
        for name in QUESTIONS:
            if name not in missing:
                if given[name] is not None:
                    beginning.answer(name, given[name])
            elif there:
                _ask(beginning, name, beginning.propose(name))
            else:
                _take(beginning, name, beginning.propose(name))
        if missing:
            _last(beginning, there)
    except (click.Abort, KeyboardInterrupt):  # Ctrl-C, or the end of what was typed
        if there:
            click.echo(err=True)  # the question's line is ended by no answer
        raise Interrupted("Stopped; nothing was written.") from None
    writing.write(beginning.checked(), file)
    click.echo(f"Written: {_line(str(file))}")
    for line in beginning.lacking():
        click.echo(f"Before the run: {line}")
    click.echo(f"Next: pvd run --config {shlex.quote(str(file))} --dry-run")


def _somebody_is_there() -> bool:
    # A stream that whoever started us had closed is None.
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _last(beginning: Beginning, there: bool) -> None:
    """What the run may cost, if it costs anything; else where the student runs."""
    from pvd.beginning import looking

    known = beginning.merged()
    if there and beginning.paid and "max_cost" not in known:
        _show(INTRO["max_cost"])
        while not (cost := click.prompt("Dollars", COST, type=Dollars(), err=True)) >= 0:
            _say("It must be 0 or more.")  # NaN is not, either
        beginning.answers["max_cost"] = cost
    if "device" in known:
        return
    here = looking.devices()
    beginning.answers["device"] = here[0]
    if there and not beginning.paid and len(here) > 1:
        _show(INTRO["device"])
        chosen = click.prompt("Device", here[0], type=click.Choice(here), err=True)
        beginning.answers["device"] = chosen


def _file(place: Path) -> Path:
    """The file to write, from what may be a folder."""
    if place.suffix == ".toml":
        return place
    if place.is_file():
        raise UsageError(
            f"{place} is no folder and no .toml file; name the folder where it lies, or give it "
            "with --catalog or --personas."
        )
    return place / "run.toml"


def _take(beginning: Beginning, name: str, proposal: Proposal) -> None:
    """The proposal, without asking."""
    if proposal.note and name != "teacher":  # what is made up, or not there
        click.echo(f"--{name}: {_line(proposal.note)}", err=True)
    if proposal.answer is None:
        what = "[SOURCE:]PATH" if name in ("catalog", "personas") else "NAME"
        verb = "be proposed here" if name != "personas" else "be proposed here for your items"
        raise UsageError(f"No {name} can {verb}; add --{name} {what}.")
    beginning.answer(name, proposal.answer)


def _ask(beginning: Beginning, name: str, proposal: Proposal) -> None:
    """Ask until the answer will do."""
    _show(INTRO[name], proposal.choices, proposal.note)
    while True:
        word = "Catalogue" if name == "catalog" else name.capitalize()
        shown = f"{word} [{_line(proposal.answer)}]" if proposal.answer else word
        # Without a default click would ask again, without a word.
        answer = click.prompt(shown, proposal.answer or "", show_default=False, err=True)
        if not answer:
            _say("Nothing is proposed here: type one.")
            continue
        if name in ("catalog", "personas"):
            answer = expanduser(answer)  # what a shell would do
        try:
            told = _told(beginning, name, answer) if name in ("teacher", "student") else ()
            said = beginning.answer(name, answer, told)
        except PvdError as error:
            _say(str(error))
            continue
        if said:
            _say(said)
        return


def _told(beginning: Beginning, kind: str, name: str) -> tuple[str, ...]:
    """What this component must be told, asked for."""
    words = []
    for option in beginning.needed(kind, name):
        _say(option.help or option.type)
        value = click.prompt(f"  {kind}.{option.name}", err=True)
        words.append(f"{kind}.{option.name}={value}")
    return tuple(words)


def _show(intro: str, choices: Sequence[Choice] = (), note: str = "") -> None:
    """The question, and what may be answered: a line each, as far as the terminal has room."""
    click.echo(err=True)
    _say(click.style(intro, bold=True), "")
    wide = max((len(_line(choice.answer)) for choice in choices), default=0)
    for choice in choices:
        answer, mark = _line(choice.answer), "*" if choice.marked else " "
        line = f"{mark} {answer:<{wide}}  {choice.about}".rstrip()
        click.echo(line if len(line) <= _columns() else f"{line[: _columns() - 1]}…", err=True)
    if note:
        _say(note)


def _line(text: str) -> str:
    """On one line: a file's name may have a newline in it."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _say(text: str, indent: str = "  ") -> None:
    whole = COMMAND.sub(lambda found: found[0].replace(" ", JOINED), text)
    lines = textwrap.wrap(
        whole, _columns(), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    click.echo("\n".join(lines).replace(JOINED, " "), err=True)


def _columns() -> int:
    return min(shutil.get_terminal_size().columns, WIDEST)

"""The commands that look: options, doctor."""

from __future__ import annotations

import inspect
import json

import click

from pvd import options
from pvd.bounds import bounds_of, in_words
from pvd.cli import completing
from pvd.cli.files import plugin_files
from pvd.cli.plugging import split_name
from pvd.cli.wrapping import paragraphs, wrapped
from pvd.discovery import KINDS, PLURAL, registry
from pvd.errors import MissingPrerequisite, UnknownName
from pvd.protocols import Component, Source
from pvd.wording import no_option

BESIDE = " " * 14  # below the names of sections


@click.command("options")
@click.argument("name", metavar="[KIND.NAME]", required=False, shell_complete=completing.described)
@plugin_files
def show_options(name: str | None) -> None:
    """Show what can be set: of a plug-in, or of a section such as `train`."""
    from pvd import settings

    sections = {
        "run": settings.Settings,
        "train": settings.TrainSettings,
        "exam": settings.ExamSettings,
        "ask": settings.AskSettings,
        "split": settings.SplitSettings,
        "streams": settings.Streams,
    }
    if name is None:
        click.echo("Sections, for `pvd options SECTION`:")
        for section, cls in sections.items():
            click.echo(wrapped((cls.__doc__ or "").strip(), f"  {section:<10}  ", BESIDE))
        click.echo("Plug-ins, for `pvd options KIND.NAME`:")
    if name is None or name in KINDS:
        for kind in KINDS if name is None else (name,):
            names = (f"{kind}.{short}" for short in registry.names(kind))
            click.echo(wrapped(", ".join(names), f"  {kind:<10}  ", BESIDE))
        return
    section, _, only = name.partition(".")
    if section in sections:
        shown, ways = (
            sections[section],
            ["-o {}=<{}>" if section == "run" else f"-o {section}.{{}}=<{{}}>"],
        )
    else:
        kind, short = split_name(name, sections)
        shown = registry.get(kind, short)
        ways = spellings(kind, short, shown)
    found = list(options.describe(shown))
    if section in sections and only:
        found = [option for option in found if option.name == only]
        if not found:
            every = [option.name for option in options.describe(shown)]
            raise UnknownName(no_option(only, every, section))
    click.echo(paragraphs(inspect.cleandoc(shown.__doc__ or "")))
    for option in found:
        spelt = ", ".join(way.format(option.name, option.type) for way in ways)
        takes = in_words(bounds_of(option.written))
        told = f"{takes}; default: {option.default}" if takes else f"default: {option.default}"
        click.echo("\n" + wrapped(f"{spelt}  ({told})", "  ", " " * 4))
        if option.help:
            click.echo(wrapped(option.help, " " * 6, " " * 6))


def spellings(kind: str, name: str, cls: type[Component]) -> list[str]:
    """How an option of a plug-in is set, given its name and type."""
    if kind in ("evaluator", "observer"):  # a run has a list of them
        return [f'in the list {PLURAL[kind]}: {{{{use = "{name}", {{}} = <{{}}>}}}}']
    keys = [kind]
    if issubclass(cls, Source):  # set where it is used
        roles = ("catalog", "personas")
        keys = [role for role in roles if getattr(cls, role) is not getattr(Source, role)]
    return [f"-o {key}.{{}}=<{{}}>" for key in keys]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(as_json: bool) -> None:
    """Say what is installed and what would work here; exit 3 if something needed is missing."""
    from pvd import diagnosis

    findings = diagnosis.examine()
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            word = "MISS" if not finding.good else "note" if finding.noted else "ok  "
            click.echo(wrapped(finding.detail, f"{word}  {finding.what:<22}  ", " " * 30))
    bad = [finding.what for finding in findings if not finding.good]
    if bad:
        raise MissingPrerequisite(f"Not in order: {', '.join(bad)}; see the lines above.")

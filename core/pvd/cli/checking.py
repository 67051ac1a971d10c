"""The command that checks a plug-in: plugins check."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pvd import options
from pvd.cli import completing
from pvd.cli.files import data_option, plugin_files
from pvd.cli.plugging import split_name
from pvd.cli.tables import source_table
from pvd.cli.wrapping import wrapped
from pvd.errors import UnknownName, UsageError
from pvd.isolation import unguarded
from pvd.protocols import Source

if TYPE_CHECKING:
    from pvd.records import Item, Persona


@click.command()
@click.argument("name", metavar="KIND.NAME", shell_complete=completing.plugins)
@data_option("catalog", "Check it on some of these items, not on drawn ones.")
@data_option("personas", "Check it on some of these personas, not on drawn ones.")
@plugin_files
@click.option(
    "-o",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of it, of the catalogue or the personas: KIND.KEY, catalog.KEY; repeatable.",
    shell_complete=completing.own_options,
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def check(
    name: str,
    catalog: str | None,
    personas: str | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check that a plug-in does what core relies on; without network or key, and never for money.

    A teacher, evaluator, sampler or student that needs more than drawn items and personas have is
    checked on a few of your own. What cannot be checked is skipped, and says why. Exit code 1 if
    anything fails.
    """
    from pvd import testing

    kind, short = split_name(name)
    given = {"catalog": catalog, "personas": personas}
    tables: options.Table = {kind: {"use": short}}
    for text in assignments:
        tables = options.merge(tables, options.assignment(text))
    mine = {kind, *given} if _takes(kind) else {kind}
    if others := sorted(tables.keys() - mine):
        raise UnknownName(f"Only options of {name} count here, -o {kind}.KEY, not {others[0]!r}.")
    for role, spec in given.items():
        if spec is not None and not _takes(kind):
            more = "; -o source.path=PATH says where it reads" if kind == "source" else ""
            raise UsageError(f"The checks of a {kind} take no --{role}{more}.")
        if spec is None and role in tables:
            raise UsageError(f"-o {role}.KEY is an option of --{role}, which is not given.")
    component = options.build(kind, tables[kind], kind)
    items = _items(catalog, tables)
    people = _personas(personas, tables)
    rows: list[dict[str, str | None]] = []
    said: list[str] = []
    left: Counter[str] = Counter()
    with unguarded():  # the checks say more of what it raises or returns
        found = testing.check(component, live=False, items=items, personas=people)
        for sentence, problem in found:
            skipped = isinstance(problem, testing.Skipped)
            result = "ok" if problem is None else "skipped" if skipped else "failed"
            why = None if problem is None else str(problem)
            rows.append({"check": sentence, "result": result, "why": why})
            if not as_json:
                click.echo(_line(result, sentence, _short(why, said)))
            said += [why] if why else []
            left[problem.how if isinstance(problem, testing.Skipped) else ""] += 1
    del left[""]
    results = [row["result"] for row in rows]
    counts = {result: results.count(result) for result in MARKS}
    if as_json:
        about = {"name": name, **given, "checks": rows, **counts}
        click.echo(json.dumps({**about, "untested": left.total(), "how": list(left)}))
    else:
        told = ", ".join(f"{count} {result}" for result, count in counts.items() if count)
        click.echo(f"{name}, {len(rows)} checks: {told}")
        if left:
            for how, count in left.items():
                click.echo(wrapped(f"Not tested: {count} of {len(rows)} checks; {how}."))
    if counts["failed"]:
        raise SystemExit(1)


def _takes(kind: str) -> bool:
    """Whether the checks of a kind hand over items and personas."""
    from pvd.testing.checking import CONTRACTS

    return bool(CONTRACTS[kind].roles)


def _source(role: str, spec: str, tables: options.Table) -> Source:
    table = options.merge({role: source_table(spec, role)}, {role: tables.get(role, {})})[role]
    source = options.build("source", table, role)
    assert isinstance(source, Source)
    return source


def _items(spec: str | None, tables: options.Table) -> Sequence[Item] | None:
    from pvd.testing.given import items_of

    return None if spec is None else items_of(_source("catalog", spec, tables))


def _personas(spec: str | None, tables: options.Table) -> Sequence[Persona] | None:
    from pvd.testing.given import personas_of

    return None if spec is None else personas_of(_source("personas", spec, tables))


MARKS = {"ok": "ok    ", "skipped": "skip  ", "failed": "FAIL  "}


LONG = 80  # letters of a reason that is not said twice


def _short(why: str | None, said: Sequence[str]) -> str | None:
    """A reason as it stands below a check, after those that were said before."""
    if why and said and why == said[-1]:
        return "as above"
    return f"{why[: LONG // 2]}... (as above)" if why in said and why and len(why) > LONG else why


def _line(result: str, sentence: str, why: str | None) -> str:
    """One check within the width of the terminal; why it is not ok stands below."""
    lines = [wrapped(sentence, MARKS[result], " " * 6)]
    if why:
        lines.append(wrapped(why, " " * 8, " " * 8))
    return "\n".join(lines)

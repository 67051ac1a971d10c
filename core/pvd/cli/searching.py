"""The commands that use a student: index and search."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pvd import options
from pvd.cli import completing
from pvd.cli.files import Place, data_option, plugin_files
from pvd.cli.running import output_options
from pvd.cli.tables import source_table
from pvd.discovery import nearest, registry
from pvd.errors import MissingFile, UsageError

if TYPE_CHECKING:
    from pvd.progress import Progress
    from pvd.protocols import Source
    from pvd.records import Catalog
    from pvd.search.index import Hit, Index

LONG, SHORT = 24, 8  # letters of an id in one line, if the terminal has room and if it has none
ROOM = 15  # letters of a title, at least
GAP = 3  # columns between two cells

_device = click.option("--device", default="cpu", help="Where the student runs: cpu, cuda, mps.")


@click.command()
@click.argument(
    "student", metavar="STUDENT", shell_complete=completing.names("student", files=True)
)
@data_option("catalog")
@click.option("--to", "folder", required=True, type=Place(), help="The index folder.")
@click.option("--shard", metavar="I/N", help="Only one of N shares; run them all at once.")
@click.option("--prune", is_flag=True, help="Take out what the catalogue no longer has.")
@click.option("--approximate", is_flag=True, help="Build a graph for millions of items.")
@click.option(
    "-o",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the named student or of the source: student.KEY, catalog.KEY; repeatable.",
)
@_device
@plugin_files
@output_options
def index(
    student: str,
    catalog: str | None,
    folder: Path,
    shard: str | None,
    prune: bool,
    approximate: bool,
    assignments: tuple[str, ...],
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Embed a catalogue with STUDENT: a run, a student's folder, or a student's name.

    The same command goes on where it was stopped, and adds what is new in the catalogue.
    """
    from pvd import progress
    from pvd.kit import need
    from pvd.search.index import Index
    from pvd.search.indexing import WHOLE, Shard, write_skipped

    mine = Shard.parse(shard) if shard else WHOLE
    if mine != WHOLE and (prune or approximate):
        raise UsageError(
            "--prune and --approximate are about the whole index; give them without --shard, when "
            "all shards are done."
        )
    if approximate:
        need("usearch.index", "search")  # now, and not after hours of embedding
    shown = progress.for_terminal(quiet or as_json)
    tables = _assigned(assignments, "student", "catalog")
    origin = _origin(student)
    items = _items(catalog, student, tables.get("catalog", {}), shown)
    with _student_folder(student, tables.get("student", {}), device) as source:
        made = Index.create(folder, source, origin=origin, device=device)
        added, bad = made.add(items, shard=mine, progress=shown)
    result: dict[str, Any] = {"index": str(folder), "added": added, "items": len(made)}
    skipped = write_skipped(folder, mine, bad)
    if bad:
        shown.say(f"Pictures left out: {len(bad)}; see {skipped}. {bad[0][1]}")
        result["skipped"] = len(bad)
    if mine == WHOLE:
        others = len(made) - (len(items) - len(bad))
        if prune:
            result["removed"] = _pruned(made, items, others)
            result["items"] = len(made)
        elif others:
            shown.say(
                f"{others:,} items of {folder} are not in the catalogue; --prune takes them out."
            )
    if approximate:
        result["graph"] = made.build_graph(shown)
    if as_json:
        click.echo(json.dumps(result))
    else:
        removed = f", {result['removed']:,} removed" if prune else ""
        click.echo(f"Index: {folder}, {len(made):,} items ({added:,} added{removed})")
        if approximate:
            graph = result["graph"]
            click.echo(
                f"Graph: recall@10 {graph['recall']:.3f} against the exact search, over "
                f"{graph['queries']} {graph['over']} as queries"
            )


def _pruned(made: Index, items: Catalog, others: int) -> int:
    """Take out what the catalogue lacks: how many. Not most of an index: that was a mistake."""
    if others > len(made) / 2:
        raise UsageError(
            f"--prune would take out {others:,} of {len(made):,} items, more than half; check the "
            "catalogue, or index it into a new folder."
        )
    there = {item.id for item in items}
    return made.remove(id for id in made.ids() if id not in there)


def _origin(student: str) -> str:
    """Where the student comes from, for people; MissingFile if it is nowhere."""
    path = Path(student)
    if path.is_dir():
        path = path.resolve()
        in_run = path.name == "student" and (path.parent / "run.toml").is_file()
        return path.parent.name if in_run else path.name
    names = registry.names("student")
    if student not in names:
        near = nearest(student, names)
        raise MissingFile(
            f"There is no run, folder or student {student!r}"
            + ("; check the path." if near == "." else near)
        )
    return "as published, not trained"


def _assigned(assignments: Sequence[str], *parts: str) -> options.Table:
    table: options.Table = {}
    for text in assignments:
        table = options.merge(table, options.assignment(text))
    if unknown := sorted(table.keys() - set(parts)):
        keys = " or ".join(f"{part}.KEY" for part in parts)
        raise UsageError(f"-o sets {keys} here, not {unknown[0]}.")
    return table


def _items(
    catalog: str | None, student: str, given: Mapping[str, Any], shown: Progress | None = None
) -> Catalog:
    """The catalogue that was named, read as the run read its own if both have one source; or that
    of the run."""
    from pvd import catalog as reading
    from pvd.identity import configuration

    run = Path(student) / "run.toml"
    tables: list[Any] = []
    if run.is_file():
        tables.append(configuration(run)["catalog"])
    if catalog is not None:
        tables.append(source_table(catalog, "catalog"))
    if not tables:
        raise UsageError("Say what is to be embedded: --catalog PATH.")
    source = _source(*tables, given)
    if shown and len(tables) > 1:
        own = _source(tables[1], given).options()
        if taken := {k: v for k, v in source.options().items() if v != own.get(k)}:
            said = ", ".join(f"catalog.{key}={value}" for key, value in taken.items())
            shown.say(f"As in {student}: {said}; -o sets another one.")
    return reading.read(source)


def _source(*tables: Mapping[str, Any]) -> Source:
    """The source of these tables, the last the strongest."""
    from pvd.protocols import Source

    table: options.Table = {}
    for over in tables:
        table = options.merge(table, {"catalog": over})
    source = options.build("source", table["catalog"], "catalog")
    assert isinstance(source, Source)
    return source


@contextmanager
def _student_folder(student: str, given: Mapping[str, Any], device: str) -> Iterator[Path]:
    """The folder of a student: that of a run, of an export, or of one that is only named."""
    import pvd
    from pvd.identity import configuration, no_result
    from pvd.loading import check_device
    from pvd.saving import save_student

    check_device(device)
    path = Path(student)
    if path.is_dir():
        if given:
            raise UsageError("-o student.KEY is for a student by name; this one is trained.")
        if (path / "run.toml").is_file():
            configuration(path / "run.toml")  # loads the plug-in files of the run
            path = path / "student"
        if not (path / "pvd.json").is_file():
            if path.parent == Path(student):
                raise no_result(path.parent)
            raise MissingFile(f"There is no student in {student}; a finished run has one.")
        yield path
        return
    named = pvd.load("student", student, **given)
    named.load(device)
    with tempfile.TemporaryDirectory() as folder:
        save_student(named, Path(folder) / "student")
        yield Path(folder) / "student"


@click.command()
@click.argument("folder", metavar="INDEX", type=Place())
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@click.option("-k", "count", default=12, show_default=True, help="How many hits a text gets.")
@click.option("--html", type=Place(), help="Write a page with the pictures.")
@data_option("catalog")
@click.option(
    "-o",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the source of --catalog: catalog.KEY; repeatable.",
)
@click.option("--approximate", is_flag=True, help="Ask the graph: faster, and a few hits missed.")
@_device
@plugin_files
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def search(
    folder: Path,
    texts: tuple[str, ...],
    count: int,
    html: Path | None,
    catalog: str | None,
    assignments: tuple[str, ...],
    approximate: bool,
    device: str,
    as_json: bool,
) -> None:
    """Print what INDEX has for each TEXT, best first."""
    from pvd.folder import write_bytes
    from pvd.loading import check_device
    from pvd.search import hits
    from pvd.search.index import Index

    check_device(device)
    opened = Index.open(folder, device)
    given = _assigned(assignments, "catalog").get("catalog", {})
    if given and catalog is None:
        raise UsageError("-o says how --catalog is read; name one.")
    items = None if catalog is None else {item.id: item for item in _items(catalog, "", given)}
    found = opened.search(texts, count, approximate=approximate)
    if opened.unfinished:
        click.echo(f"{folder} is not whole: `pvd index` was interrupted, or is at work.", err=True)
    if html is not None:
        page, missing = hits.render(opened, texts, found, items)
        write_bytes(html, page.encode())
        if missing:
            example = hits.printable(missing[0])
            click.echo(f"Pictures missing: {len(missing)}, such as {example}.", err=True)
    if as_json:
        queries = [
            {"text": text, "hits": [_plain(hit) for hit in some]}
            for text, some in zip(texts, found, strict=True)
        ]
        about = {"index": str(folder), "items": len(opened), "unfinished": opened.unfinished}
        click.echo(json.dumps({**about, "notes": opened.told, "queries": queries}))
        return
    _say(hits.headline(opened))
    for text, some in zip(texts, found, strict=True):
        _show(text, some)
    if html is not None:
        click.echo(f"Page: {html}")


def _plain(hit: Hit) -> dict[str, Any]:
    return asdict(hit) | {"image": None if hit.image is None else str(hit.image)}


def _say(line: str) -> None:
    from rich.console import Console

    Console(highlight=False).print(line, style="dim", markup=False)


def _show(text: str, hits: Sequence[Hit]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pvd.printing import unpadded
    from pvd.search.hits import about, printable

    def clean(value: str) -> Text:
        return Text(printable(value))

    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("cosine", justify="right", no_wrap=True)
    free = console.width - len("12") - len("cosine") - 3 * GAP
    wide = min(max((len(hit.id) for hit in hits), default=0), LONG, max(free - ROOM, SHORT))
    table.add_column("id", overflow="fold", min_width=wide)
    table.add_column("title", no_wrap=True)
    # What rich would do to a long title is to squeeze the other columns.
    room = max(free - wide, 1)
    for hit in hits:
        name = clean(hit.title or about(hit))
        name.truncate(room, overflow="ellipsis")
        table.add_row(str(hit.rank), f"{hit.score:.3f}", clean(hit.id), name)
    console.print()
    console.print(clean(text), style="bold")
    unpadded(console, table if hits else "The index is empty.")

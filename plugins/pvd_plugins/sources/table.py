"""Tables: CSV, JSON lines and Parquet, as a catalogue or as personas."""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pvd
from pvd import kit

CSV = (".csv", ".tsv", ".txt", ".text", "")
LINES = (".jsonl", ".ndjson")
Row = dict[str, Any]


@dataclass(kw_only=True)
class Table(pvd.Source):
    """One row an item or a persona. Columns without a role here become attributes.

    Image paths are relative to the table's folder and must stay in it.
    """

    id: Annotated[str, "column of the id"] = "id"
    image: Annotated[str, "column of an item's image path"] = "image"
    title: Annotated[str, "column of an item's title, if there is one"] = "title"
    text: Annotated[str, "column of a persona's text"] = "text"

    def catalog(self, path: str) -> pvd.Catalog:
        items = []
        folder = Path(path).parent
        needed = {"catalog.id": self.id, "catalog.image": self.image}
        for row, where in _distinct(_rows(Path(path), needed), self.id):
            id, name = _text(row, self.id, where), _text(row, self.image, where)
            title = row.get(self.title)
            attributes = {
                key: str(value)
                for key, value in row.items()
                if value not in (None, "") and key not in (self.id, self.image, self.title)
            }
            image = kit.image_path(folder, name, where)
            items.append(pvd.Item(id, image, None if title is None else str(title), attributes))
        return pvd.Catalog(tuple(items), path)

    def personas(self, path: str) -> list[pvd.Persona]:
        found = []
        needed = {"personas.id": self.id, "personas.text": self.text}
        for row, where in _distinct(_rows(Path(path), needed), self.id):
            id, text = _text(row, self.id, where), _text(row, self.text, where, blank=True)
            tastes = row.get("tastes")
            if isinstance(tastes, str):  # a CSV cell
                cell = f"{where}, column tastes"
                row["tastes"] = kit.parse_json(tastes, cell) if tastes.strip() else None
            attributes = {
                key: value
                for key, value in row.items()
                if value not in (None, "") and key not in (self.id, self.text)
            }
            found.append(kit.persona_record(id, text, attributes, where))
        return found


def _text(row: Row, column: str, where: str, blank: bool = False) -> str:
    value = row[column]
    if isinstance(value, bool | list | dict):
        raise kit.BadInput(f"{where}: the column {column!r} holds {value!r:.40}; write text.")
    text = "" if value is None else str(value)
    if not text.strip() and not blank:
        raise kit.BadInput(f"{where}: the column {column!r} is empty; fill it or drop the row.")
    return text


def _distinct(rows: Iterable[tuple[Row, str]], id: str) -> Iterator[tuple[Row, str]]:
    """The rows; BadInput for an id that an earlier one has."""
    seen: dict[str, str] = {}
    for row, where in rows:
        key = str(row[id])
        if key in seen:
            earlier = seen[key].rpartition(", ")[2]
            raise kit.BadInput(
                f"{where} has the id {key!r} of {earlier}; give every row an id of its own."
            )
        seen[key] = where
        yield row, where


def _rows(path: Path, needed: Mapping[str, str]) -> Iterator[tuple[Row, str]]:
    """Each row with the `needed` columns, and how messages name it."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _parquet(path, needed)
    elif suffix in LINES:
        yield from _json_lines(path, needed)
    elif suffix in CSV:
        yield from _csv(path, needed)
    else:
        raise kit.BadInput(
            f"{path} is in no format that can be read; save it as CSV (.csv), JSON lines (.jsonl) "
            f"or Parquet (.parquet), or name its source, as in SOURCE:{path.name}."
        )


def _csv(path: Path, needed: Mapping[str, str]) -> Iterator[tuple[Row, str]]:
    reader = csv.reader(io.StringIO(kit.read_text(path), newline=""), strict=True)
    header: list[str] = []
    start, count = 1, 0
    try:
        for cells in reader:
            where, start = f"{path}, line {start}", reader.line_num + 1
            if header and any(cells):
                if len(cells) != len(header):
                    raise kit.BadInput(
                        f"{where} has {len(cells)} cells and the header {len(header)}; quote cells "
                        "that hold a comma."
                    )
                row = dict(zip(header, cells, strict=True))
                row.pop("", None)  # spreadsheets leave columns without a name
                count += 1
                yield row, where
            elif any(cells):
                header = [name.strip() for name in cells]
                _check_header(header, path, where)
                _check_columns(header, needed, str(path))
    except csv.Error as error:
        why = "a quote is left open, or text follows a closed one"
        if "limit" in str(error):
            why = f"a cell has more than {csv.field_size_limit():,} characters"
        raise kit.BadInput(f"{path}, line {start} is no valid CSV: {why}.") from None
    if not count:
        below = "a header and no rows" if header else "nothing in it"
        raise kit.BadInput(f"{path} has {below}; it needs a header and a row for each record.")


def _check_header(header: list[str], path: Path, where: str) -> None:
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            raise kit.BadInput(f"{path} has {name} between its columns; save it with commas.")
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise kit.BadInput(f"{where} names the column {twice!r} twice; rename or remove one.")


def _json_lines(path: Path, needed: Mapping[str, str]) -> Iterator[tuple[Row, str]]:
    text = kit.read_text(path)
    if text.lstrip().startswith("[") and "\n" in text.strip():
        raise kit.BadInput(
            f"{path} is one JSON list; write one object a line, without brackets and commas around."
        )
    empty = True
    # Only \n ends a line: str.splitlines would also cut at U+2028 inside a string.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where, empty = f"{path}, line {number}", False
            row = kit.parse_json(line, where)
            if not isinstance(row, dict):
                raise kit.BadInput(f"{where} is no JSON object; write one object a line.")
            _check_columns(row, needed, where)
            yield row, where
    if empty:
        raise kit.BadInput(f"{path} has nothing in it; write one JSON object a line.")


def _parquet(path: Path, needed: Mapping[str, str]) -> Iterator[tuple[Row, str]]:
    if not path.is_file():
        raise kit.MissingFile(f"There is no file {path}; check the path.")
    parquet = kit.need("pyarrow.parquet", "parquet")
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError, RuntimeError):  # what pyarrow's own errors are
        raise kit.BadInput(f"{path} cannot be read as Parquet; save it again.") from None
    _check_columns(table.column_names, needed, str(path))
    if not table.num_rows:
        raise kit.BadInput(f"{path} has no rows; it needs one for each record.")
    for number, row in enumerate(table.to_pylist(), 1):
        # Dates and the like become text; attributes are written as JSON.
        yield json.loads(json.dumps(row, default=str)), f"{path}, row {number}"


def _check_columns(columns: Iterable[str], needed: Mapping[str, str], where: str) -> None:
    names = [name for name in columns if name]
    for option, column in needed.items():
        if column not in names:
            near = difflib.get_close_matches(column, names, n=1)
            raise kit.BadInput(
                f"{where} has no column {column!r}, only {', '.join(names) or 'none'}; add it, or "
                f"say which one it is with -o {option}={near[0] if near else 'COLUMN'}."
            )


@pvd.hookimpl
def register_sources(register: Callable[[str, type[pvd.Source]], None]) -> None:
    register("table", Table)

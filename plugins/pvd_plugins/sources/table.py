"""Tables: CSV, JSON lines and Parquet, as a catalogue or as personas."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pvd
from pvd import kit


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
        file = Path(path)
        items = []
        for row, where in _rows(file):
            id = _required(row, self.id, where)
            image = kit.image_path(file.parent, _required(row, self.image, where), where)
            title = row.pop(self.title, None)
            attributes = {k: str(v) for k, v in row.items() if v not in (None, "")}
            items.append(pvd.Item(id, image, None if title is None else str(title), attributes))
        return pvd.Catalog(tuple(items), path)

    def personas(self, path: str) -> list[pvd.Persona]:
        found = []
        for row, where in _rows(Path(path)):
            id = _required(row, self.id, where)
            text = str(_required(row, self.text, where, blank=True))
            tastes = row.get("tastes")
            if isinstance(tastes, str):  # a CSV cell
                row["tastes"] = _json(tastes, f"{where}, column tastes") if tastes.strip() else None
            attributes = {k: v for k, v in row.items() if v not in (None, "")}
            found.append(kit.persona_record(id, text, attributes, where))
        return found


def _required(row: dict[str, Any], column: str, where: str, blank: bool = False) -> str:
    if column not in row:
        raise kit.BadInput(
            f"{where} has no column {column!r}, only {', '.join(row) or 'none'}; add it, or name "
            "another column with an option of the source."
        )
    value = row.pop(column)
    text = "" if value is None else str(value)
    if not text.strip() and not blank:
        raise kit.BadInput(f"{where}: the column {column!r} is empty; fill it or drop the row.")
    return text


def _rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Each row, and how messages name it."""
    if not path.is_file():
        raise kit.MissingFile(f"There is no file {path}; check the path.")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        table = kit.need("pyarrow.parquet", "parquet").read_table(path)
        for number, row in enumerate(table.to_pylist(), 1):
            # Dates and the like become text; attributes are written as JSON.
            yield json.loads(json.dumps(row, default=str)), f"{path}, row {number}"
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise kit.BadInput(f"{path} cannot be read as UTF-8 text: {error}.") from None
    if suffix in (".jsonl", ".ndjson"):
        # Only \n ends a line: str.splitlines would also cut at U+2028 inside a string.
        for number, line in enumerate(text.split("\n"), 1):
            where = f"{path}, line {number}"
            if line.strip():
                row = _json(line, where)
                if not isinstance(row, dict):
                    raise kit.BadInput(f"{where} is no JSON object; write one object a line.")
                yield row, where
        return
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise kit.BadInput(
                    f"{where} does not have the {len(reader.fieldnames or [])} cells of the "
                    "header; quote cells that hold a comma."
                )
            yield row, where
    except csv.Error as error:
        row_number = reader.reader.line_num  # the other one stands at the row before
        raise kit.BadInput(f"{path}, line {row_number} is no valid CSV: {error}.") from None


def _json(text: str, where: str) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
        return value
    except (ValueError, RecursionError) as error:
        raise kit.BadInput(f"{where} is no valid JSON: {error}.") from None


@pvd.hookimpl
def register_sources(register: Callable[[str, type[pvd.Source]], None]) -> None:
    register("table", Table)

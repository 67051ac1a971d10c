"""The drawn shop as files, for whoever has no data at hand and wants to try what reads some."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pvd

CATALOG, PERSONAS, IMAGES = "shop.csv", "people.jsonl", "images"


def write(folder: Path, items: Sequence[pvd.Item], personas: Sequence[pvd.Persona]) -> None:
    """`shop.csv` with a folder of pictures, and `people.jsonl`, as the source `table` reads them;
    files of these names are replaced."""
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    with (folder / CATALOG).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "image", "title", *items[0].attributes])
        for item in items:
            image = f"{IMAGES}/{item.id}.png"
            (folder / image).write_bytes(item.read())
            table.writerow([item.id, image, item.title, *item.attributes.values()])
    with (folder / PERSONAS).open("w", encoding="utf-8") as file:
        for one in personas:
            person = {"id": one.id, "text": one.text, **one.attributes}
            file.write(json.dumps(person, ensure_ascii=False) + "\n")

"""index.json: whose vectors an index holds, how wide they are, and by which pvd it was made."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pvd
from pvd.errors import BadInput, MissingFile
from pvd.folder import read_json, write_json

CARD = "index.json"
SCHEMA = 1


def write_card(folder: Path, about: Mapping[str, Any]) -> None:
    """Write the card of a new index."""
    made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    card = {"schema": SCHEMA, **about, "pvd": pvd.__version__, "made": made}
    write_json(folder / CARD, card)


def card_of(folder: Path) -> dict[str, Any]:
    """The card of an index; BadInput if it is damaged, or of another version."""
    path = folder / CARD
    try:
        card = read_json(path)
    except BadInput:
        raise _damaged(path) from None
    if not isinstance(card, dict) or card.get("schema") != SCHEMA:
        raise BadInput(
            f"{path} is of another version of pvd; search with that one, or index again into "
            "another folder."
        )
    whose = card.get("student", {})
    if type(card.get("width")) is not int or (
        whose is not None
        and not (isinstance(whose, dict) and {"name", "weights", "prepare"} <= whose.keys())
    ):
        raise _damaged(path)
    return card


def no_index(folder: Path) -> MissingFile:
    """What to say of a folder without an index: what it holds instead, and how to make one."""
    if (folder.parent / CARD).is_file():
        return MissingFile(f"There is no index in {folder}; open {folder.parent}.")
    what, mend = "", "make one with `pvd index`."
    if (folder / "run.toml").is_file():
        what, mend = ", it is a run", f"make one of it with `pvd index {folder} --to found`."
    elif (folder / "pvd.json").is_file():
        mend = f"make one of it with `pvd index {folder} --catalog PATH --to found`."
        what = ", it is a student"
    return MissingFile(f"There is no index in {folder}{what}; {mend}")


def _damaged(path: Path) -> BadInput:
    return BadInput(f"{path} is damaged; restore it, or index again into another folder.")


def check_new(folder: Path) -> None:
    """Raise BadInput if the folder of an index that is to be made has other files."""
    # A student alone was copied by a process that was killed before it wrote the card.
    if {p.name for p in folder.iterdir() if not p.name.startswith(".")} - {"student"}:
        raise BadInput(f"{folder} holds other files and no index; name an empty or a new folder.")

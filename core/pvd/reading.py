"""Files that people write: text and JSON, or one sentence that says which line is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pvd.errors import BadInput, MissingFile


def read_text(path: Path, what: str = "file") -> str:
    """The text of a UTF-8 file, with or without a byte order mark."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFile(f"There is no {what} {path}; check the path.") from None
    except IsADirectoryError:
        raise MissingFile(f"{path} is a folder; name a {what}.") from None
    except (OSError, ValueError) as error:  # no permission, a name that no file can have
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{path} cannot be read ({why}); check the path.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}, line {line} is not UTF-8; save the file as UTF-8.") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise BadInput(f"{path}, line {line} has a NUL character; save the file as plain UTF-8.")
    return text


def parse_json(text: str, where: str) -> Any:
    """The value of a JSON text; `where` names the text in errors."""

    def refuse(name: str) -> None:
        raise BadInput(f"{where} is no valid JSON: {name} is no number there.")

    try:
        value = json.loads(text, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        why = f"{error.msg.removesuffix(' at')} at character {error.colno}"
    except RecursionError:
        why = "its brackets are nested too deeply"
    except UnicodeEncodeError:
        why = "it has half of a surrogate pair, which is no character"
    except ValueError:
        why = "a number in it has too many digits"
    else:
        return value
    raise BadInput(f"{where} is no valid JSON: {why}.")

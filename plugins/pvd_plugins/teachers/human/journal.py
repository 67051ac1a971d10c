"""What a person said and the store has not yet: a file for each answer, in a folder beside it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from pvd import kit


class Journal:
    """Answers by the digest of their request. Several processes may use one folder: a file is
    written beside its place and renamed, so that it is whole or not there."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder  # None: nobody said where, and nothing is kept

    def _path(self, digest: str) -> Path | None:
        return self._folder and self._folder / f"{digest}.json"

    def read(self, digest: str) -> tuple[float, str] | None:
        """When it was said, in seconds since 1970, and the raw reply; None if there is none."""
        path = self._path(digest)
        if path is None or not path.exists():
            return None
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            return float(said["when"]), str(said["reply"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise kit.BadInput(
                f"{path} holds an answer and cannot be read ({error}); delete it to be asked again."
            ) from None

    def write(self, digest: str, reply: str) -> None:
        """Keep an answer; OSError where that cannot be. On disk when this returns."""
        path = self._path(digest)
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(f".{os.getpid()}.tmp")
        with half.open("w", encoding="utf-8") as file:
            json.dump({"when": time.time(), "reply": reply}, file)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)

    def drop(self, digests: Iterable[str]) -> None:
        """The store has these, or they were taken back."""
        for path in map(self._path, digests):
            if path is not None:
                path.unlink(missing_ok=True)

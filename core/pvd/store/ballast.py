"""Room that is held on the store's disk: when it fills, what was asked already can still be kept.

Providers are paid for an answer whether or not it can be written down, and calls under way cannot
be called back. So room for them is taken before they go, and given up for them when there is no
other left; a look at what is free would not do, since other programs fill disks in a moment.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import IO

FULL = (errno.ENOSPC, errno.EDQUOT)
# Bytes for one answer: a request and a reply of a few thousand letters each, and the pages that
# SQLite writes twice around them; 20 to 43 KB were measured, kept one by one.
ANSWER = 64 * 2**10
MOST = 512  # answers that room is held for; more share the pages around them


class Ballast:
    """A file without a name: whatever ends the process, the system gives its room back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._size = 0

    def hold(self, answers: int) -> None:
        """Hold room for so many answers, `MOST` of them. OSError if the disk has no such room;
        where it does not let room be held, none is."""
        size = min(answers, MOST) * ANSWER
        if self._file is not None and size <= self._size:
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
            _take(self._file.fileno(), size)
        except OSError as error:
            self.drop()  # a part of it may have been taken
            if error.errno in FULL:
                raise
            return
        self._size = size

    def drop(self) -> bool:
        """Give the room back; whether there was any."""
        file, self._file, self._size = self._file, None, 0
        if file is None:
            return False
        file.truncate(0)  # a child process may have it open, too
        file.close()
        return True


def _take(file: int, size: int) -> None:
    """Let a file have so many bytes on the disk."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    os.lseek(file, 0, os.SEEK_SET)
    for _ in range(0, size, ANSWER):
        os.write(file, bytes(ANSWER))

"""A file of events as TensorBoard reads it.

torch's `SummaryWriter` leaves the writing to a thread, which prints a traceback when the disk is
full. Here whoever writes is told.
"""

from __future__ import annotations

import os
import socket
import time
from itertools import count
from pathlib import Path
from typing import Any

_numbers = count()  # of this process's files: two may begin within a second


class Events:
    """A new file in a folder. From the step `purge` on it stands in the place of earlier ones."""

    def __init__(self, folder: Path, purge: int | None = None) -> None:
        from tensorboard.compat.proto.event_pb2 import (  # type: ignore[import-untyped]
            Event,
            SessionLog,
        )
        from tensorboard.summary.writer.record_writer import (  # type: ignore[import-untyped]
            RecordWriter,
        )
        from torch.utils.tensorboard import summary

        folder.mkdir(parents=True, exist_ok=True)
        # Readers take files in the order of their names.
        parts = (
            f"{int(time.time()):010}",
            socket.gethostname(),
            os.getpid(),
            f"{next(_numbers):04}",
        )
        self._file = (folder / ".".join(map(str, ("events.out.tfevents", *parts)))).open("xb")
        self._records, self._event = RecordWriter(self._file), Event
        self.make: Any = summary  # what can be added: make.scalar(tag, value), make.image(...)
        self._add(file_version="brain.Event:2")
        if purge is not None:
            self._add(step=purge, session_log=SessionLog(status=SessionLog.START))

    def add(self, summary: Any, at: int = 0) -> None:
        """Add a summary, at a step."""
        self._add(step=at, summary=summary)

    def _add(self, **parts: Any) -> None:
        event = self._event(wall_time=time.time(), **parts)
        self._records.write(event.SerializeToString())

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

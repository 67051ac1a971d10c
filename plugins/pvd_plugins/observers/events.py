"""A file of events as TensorBoard reads it.

torch's `SummaryWriter` leaves the writing to a thread, which prints a traceback when the disk is
full. Here whoever writes is told.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
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
        self._make: Any = summary
        self._add(file_version="brain.Event:2")
        if purge is not None:
            self._add(step=purge, session_log=SessionLog(status=SessionLog.START))

    def number(self, tag: str, value: float, at: int) -> None:
        """Add a number, at a step."""
        self._add(step=at, summary=self._make.scalar(tag, value))

    def picture(self, tag: str, pixels: Any, at: int) -> None:
        """Add a picture, [height, width, 3] bytes."""
        self._add(step=at, summary=self._make.image(tag, pixels, dataformats="HWC"))

    def text(self, tag: str, words: str, at: int) -> None:
        """Add a text in Markdown."""
        self._add(step=at, summary=self._make.text(tag, words))

    def charts(self, layout: Mapping[str, Any]) -> None:
        """Say which numbers stand in one chart, as torch's `add_custom_scalars` takes it."""
        self._add(summary=self._make.custom_scalars(layout))

    def hyperparameters(
        self, known: Mapping[str, Any], shown: Mapping[str, float], at: int
    ) -> None:
        """Add settings, and the tags of the numbers beside which they are shown."""
        for summary in self._make.hparams(known, shown):
            self._add(step=at, summary=summary)

    def _add(self, **parts: Any) -> None:
        event = self._event(wall_time=time.time(), **parts)
        self._records.write(event.SerializeToString())

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

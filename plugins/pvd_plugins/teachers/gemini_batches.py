"""The batches of Gemini: a file of lines is uploaded, and a file comes back."""

from __future__ import annotations

import base64
import json
from abc import abstractmethod
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pvd
from pvd import kit
from pvd_plugins.teachers.batched import CLOCK, SECONDS, Batched, Outcome

ENDED = ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")


@dataclass(kw_only=True)
class GeminiBatches(Batched):
    """What Gemini does with many questions at once."""

    @abstractmethod
    def generation(self, prompt: kit.Prompt) -> dict[str, Any]:
        """How it is to answer."""

    @abstractmethod
    def read_answer(self, prompt: kit.Prompt | None, got: dict[str, Any]) -> pvd.Reply:
        """The reply in an answer as the service words it; without a prompt, of a batch."""

    def wrapped(self, digest: str, prompt: kit.Prompt) -> dict[str, Any]:
        parts: list[dict[str, Any]] = []
        for letter, data in zip(prompt.letters, self.pictures(prompt), strict=True):
            encoded = base64.b64encode(data).decode()
            parts += [
                {"text": f"[{letter}]"},
                {"inlineData": {"mimeType": "image/jpeg", "data": encoded}},
            ]
        parts.append({"text": prompt.question})
        request = {
            "systemInstruction": {"parts": [{"text": prompt.system}]},
            "contents": [{"role": "user", "parts": parts}],
            "generationConfig": self.generation(prompt),
        }
        return {"key": digest, "request": request}

    def submit(self, name: str, lines: Path) -> str:
        with self.guarded(works=False):
            upload = {"display_name": name, "mime_type": "jsonl", **self._slow}
            file = str(self._client.files.upload(file=lines, config=upload).name)
        try:
            with self.guarded(unsure=True):
                batch = self._client.batches.create(
                    model=self.model, src=file, config={"display_name": name, **self._slow}
                )
                if not batch.name:
                    raise KeyError("name")
        except kit.Lost:
            raise  # there may be a batch, which needs its file
        except (kit.Busy, kit.Rejected, kit.ProviderFailure):
            with suppress(*self._refused, *self._dropped):  # else it goes away within two days
                self._client.files.delete(name=file)
            raise
        return _ticket(batch.name, file)

    def find(self, name: str, since: datetime, count: int, known: Set[str]) -> str | None:
        earliest = since - timedelta(seconds=CLOCK)
        with self.guarded(works=False):
            for batch in self._client.batches.list(config={"page_size": 100}):
                # Not that there were an order: others may follow.
                if batch.display_name == name and (batch.create_time or since) >= earliest:
                    files = self._client.files.list(config={"page_size": 100})
                    ours = (file.name for file in files if file.display_name == name)
                    return _ticket(batch.name, next(ours, ""))
        return None

    def results(self, ticket: str) -> bytes | None:
        batch = self._batch(ticket)
        if batch is None:
            raise kit.Gone(ticket)
        state = batch.state.value.removeprefix("JOB_STATE_") if batch.state else ""
        if state not in ENDED:
            return None
        file = batch.dest and batch.dest.file_name
        if state == "FAILED" and not file:
            why = self.why(batch.error and batch.error.message) or "Google's SDK does not say why"
            raise kit.BatchFailed(why)
        if not file:
            return b""
        return (
            self._unless((404,), self._client.files.download, file=file, config=self._slow) or b""
        )

    def outcome(self, row: dict[str, Any]) -> Outcome:
        if row.get("response"):
            return row["key"], self.read_answer(None, row["response"])
        error = row["error"]
        return row["key"], self.why(error.get("code"), error.get("message"))

    def discard(self, ticket: str) -> None:
        name, file = json.loads(ticket).values()
        client = self._client
        with self.guarded(works=False):
            batch = self._batch(ticket)
            if batch is not None and not batch.done:
                client.batches.cancel(name=name)
            for one in (file, batch and batch.dest and batch.dest.file_name):
                if one:  # of files that are gone it says that they are forbidden
                    self._unless((403, 404), client.files.delete, name=one)
            self._unless((404,), client.batches.delete, name=name)

    def _batch(self, ticket: str) -> Any:
        """What the service says of a batch; None if it does not know it."""
        return self._unless((404,), self._client.batches.get, name=json.loads(ticket)["batch"])

    def _unless(self, gone: tuple[int, ...], call: Callable[..., Any], **words: Any) -> Any:
        """What a call brings; None if it answers that what it is about does not exist."""
        try:
            return call(**words)
        except self._refused as error:
            if getattr(error, "code", None) in gone:
                return None
            raise

    @property
    def _slow(self) -> dict[str, Any]:
        """For what takes its time."""
        return {"http_options": {"timeout": int(max(self.timeout, SECONDS) * 1000)}}


def _ticket(batch: str, file: str) -> str:
    """A batch does not say from which file it was made."""
    return json.dumps({"batch": batch, "file": file})

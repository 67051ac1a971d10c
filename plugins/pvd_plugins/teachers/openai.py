"""Models of OpenAI: `openai`, and `gpt-4o` for the model of that name."""

from __future__ import annotations

from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pvd
from pvd import kit
from pvd_plugins.teachers import models
from pvd_plugins.teachers.batched import CLOCK, SECONDS, Batched, Outcome
from pvd_plugins.teachers.chat import Chat

ENDPOINT = "/v1/chat/completions"
ENDED = ("completed", "failed", "expired", "cancelled")
FORGOTTEN = 7 * 86400  # seconds after which an upload goes away by itself, whatever became of us


@dataclass(kw_only=True)
class OpenAI(Chat, Batched):
    """A vision model of OpenAI. The key comes from OPENAI_API_KEY."""

    service: ClassVar[str] = "openai"
    keys: ClassVar[tuple[str, ...]] = ("OPENAI_API_KEY",)

    model: Annotated[str, "the model's id"] = field(
        default_factory=lambda: models.default("openai")
    )

    # --- batches: a file of lines is uploaded; what comes back is one file or two ---------------

    def wrapped(self, digest: str, prompt: kit.Prompt) -> dict[str, Any]:
        body = self.sent(prompt, **self.format(prompt))
        return {"custom_id": digest, "method": "POST", "url": ENDPOINT, "body": body}

    def submit(self, name: str, lines: Path) -> str:
        with self.guarded(works=False), lines.open("rb") as stream:
            file = self._slow.files.create(
                file=(f"{name}.jsonl", stream, "application/jsonl"),
                purpose="batch",
                expires_after={"anchor": "created_at", "seconds": FORGOTTEN},
            ).id
        try:
            with self.guarded(unsure=True):
                ticket = str(
                    self._slow.batches.create(
                        input_file_id=file,
                        endpoint=ENDPOINT,
                        completion_window="24h",
                        metadata={"name": name},
                    ).id
                )
        except kit.Lost:
            raise  # there may be a batch, which needs its file
        except (kit.Busy, kit.Rejected, kit.ProviderFailure):
            with suppress(kit.Busy, kit.Rejected, kit.ProviderFailure):
                self._delete(file)
            raise
        return ticket

    def find(self, name: str, since: datetime, count: int, known: Set[str]) -> str | None:
        with self.guarded(works=False):
            for batch in self._client.batches.list(limit=100):  # the newest first
                if batch.created_at < since.timestamp() - CLOCK:
                    break
                if (batch.metadata or {}).get("name") == name:
                    return str(batch.id)
        return None

    def results(self, ticket: str) -> bytes | None:
        try:
            batch = self._client.batches.retrieve(ticket)
            if batch.status not in ENDED:
                return None
            files = [file for file in (batch.output_file_id, batch.error_file_id) if file]
            if batch.status == "failed" and not files:
                said = (batch.errors and batch.errors.data) or []
                why = self.why(*(row.message for row in said[:1])) or "it does not say why"
                raise kit.BatchFailed(why)
            return b"\n".join(self._slow.files.content(file).content for file in files)
        except self._sdk.NotFoundError:
            raise kit.Gone(ticket) from None

    def outcome(self, row: dict[str, Any]) -> Outcome:
        digest, response = row["custom_id"], row.get("response") or {}
        if response.get("status_code") == 200:
            answer = self._sdk.types.chat.ChatCompletion.construct(**response["body"])
            return digest, self.read_answer(None, answer)
        error = row.get("error") or response["body"]["error"]
        return digest, self.why(response.get("status_code"), error.get("message"))

    def discard(self, ticket: str) -> None:
        with self.guarded(works=False):
            try:
                batch = self._client.batches.retrieve(ticket)
                if batch.status not in ENDED:
                    self._client.batches.cancel(ticket)
            except self._sdk.NotFoundError:
                return
        for file in (batch.input_file_id, batch.output_file_id, batch.error_file_id):
            if file:
                self._delete(file)

    def _delete(self, file: str) -> None:
        with self.guarded(works=False), suppress(self._sdk.NotFoundError):
            self._client.files.delete(file)

    @property
    def _slow(self) -> Any:
        """The client for what takes its time."""
        return self._client.with_options(timeout=max(self.timeout, SECONDS))


@dataclass(kw_only=True)
class GPT4o(OpenAI):
    """The model gpt-4o, which its provider ends on 2027-01-14; else like `openai`."""

    model: Annotated[str, "the model's id"] = "gpt-4o"


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("openai", OpenAI)
    register("gpt-4o", GPT4o)

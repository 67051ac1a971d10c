"""Claude, through Anthropic's own SDK. It takes no temperature, no seed, and gives no logprobs."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pvd
from pvd import kit
from pvd_plugins.teachers import models
from pvd_plugins.teachers.batched import CLOCK, SECONDS, Batched, Outcome

ENDS = {
    "refusal": "refused",
    "max_tokens": "truncated",
    "model_context_window_exceeded": "truncated",
}


@dataclass(kw_only=True)
class Claude(Batched):
    """A model of Anthropic. The key comes from ANTHROPIC_API_KEY."""

    service: ClassVar[str] = "claude"
    extra: ClassVar[str] = "anthropic"
    official: ClassVar[str] = "https://api.anthropic.com"
    keys: ClassVar[tuple[str, ...]] = ("ANTHROPIC_API_KEY",)
    # It takes no files: a submission is one call, which is held in memory several times.
    batch_bytes: ClassVar[int] = 50 * 2**20

    model: Annotated[str, "the model's id"] = field(
        default_factory=lambda: models.default("claude")
    )

    def open(self, key: str) -> None:
        self._sdk, self._key = kit.need("anthropic", "anthropic"), key
        # At DEBUG this SDK writes personas and whole pictures.
        logging.getLogger("anthropic").setLevel(logging.INFO)
        self._refused = (self._sdk.APIStatusError,)
        # A connection that breaks while results arrive comes through as it is.
        broken = kit.need("httpx2", "anthropic").HTTPError
        self._dropped = (self._sdk.APIConnectionError, broken)
        self._client = self._sdk.Anthropic(
            api_key=key, base_url=self.url, timeout=self.timeout, max_retries=0
        )

    def ask(self, prompt: kit.Prompt) -> pvd.Reply:
        sent = self._sent(prompt)
        with self.guarded():
            got = self._client.messages.create(**sent)
            if isinstance(got, str):  # a proxy's page
                raise kit.Lost(f"claude answered with no JSON ({kit.one_line(got, self._key)})")
            reply = self._reply(prompt, got)
        return reply

    def _sent(self, prompt: kit.Prompt) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        for letter, data in zip(prompt.letters, self.pictures(prompt), strict=True):
            encoded = base64.b64encode(data).decode()
            source = {"type": "base64", "media_type": "image/jpeg", "data": encoded}
            content += [
                {"type": "text", "text": f"[{letter}]"},
                {"type": "image", "source": source},
            ]
        if prompt.shared:  # what others do unasked: remember everything up to the last picture
            content[-1]["cache_control"] = {"type": "ephemeral"}
        content.append({"type": "text", "text": prompt.question})
        return {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "system": prompt.system,
            "messages": [{"role": "user", "content": content}],
            "output_config": {"format": {"type": "json_schema", "schema": prompt.schema}},
        }

    def failure(self, error: Any) -> Exception:
        body = error.body if isinstance(error.body, dict) else {}
        told = body.get("error")  # a proxy's may be anything
        said = told.get("message") if isinstance(told, dict) else told
        why = kit.one_line(said or error.message, self._key)
        if error.status_code == 429 and "quota" in why.lower():
            return kit.ProviderFailure(f"claude: the quota is used up ({why}).")
        after = kit.seconds(error.response.headers.get("retry-after"))
        return kit.http_failure("claude", error.status_code, why, after)

    def _reply(self, prompt: kit.Prompt | None, got: Any) -> pvd.Reply:
        used = got.usage
        if used is None and not got.content:  # a gateway's error with the status of a success
            raise kit.Lost("claude answered without an answer")
        read = getattr(used, "input_tokens", None)
        cached = getattr(used, "cache_read_input_tokens", None) or 0
        written = getattr(used, "cache_creation_input_tokens", None) or 0
        if read is not None:  # what the provider's cache has to do with is counted apart
            read += cached + written
        text = "".join(block.text for block in got.content if block.type == "text")
        counted = (read, getattr(used, "output_tokens", None))
        finish = ENDS.get(got.stop_reason or "", "")
        return self.reply(prompt, text, got.model, counted, finish, cached=cached, written=written)

    # --- batches: questions and answers go in one call each -------------------------------------

    def wrapped(self, digest: str, prompt: kit.Prompt) -> dict[str, Any]:
        return {"custom_id": digest, "params": self._sent(prompt)}

    def submit(self, name: str, lines: Path) -> str:
        with lines.open("rb") as stream:
            requests = [json.loads(line) for line in stream]
        with self.guarded(unsure=True):
            ticket = str(self._slow.messages.batches.create(requests=requests).id)
        return ticket

    def find(self, name: str, since: datetime, count: int, known: Set[str]) -> str | None:
        """It keeps no names: what tells a batch is when it began, and how many it holds."""
        earliest = since - timedelta(seconds=CLOCK)
        with self.guarded(works=False):
            for batch in self._client.messages.batches.list(limit=100):  # the newest first
                if batch.created_at < earliest:
                    break
                counts = batch.request_counts
                held = (counts.processing, counts.succeeded, counts.errored, counts.canceled,
                        counts.expired)  # fmt: skip
                if sum(held) == count and batch.id not in known:
                    return str(batch.id)
        return None

    def results(self, ticket: str) -> bytes | None:
        batches = self._slow.messages.batches
        try:
            batch = batches.retrieve(ticket)
            if batch.processing_status != "ended":
                return None
            if not batch.results_url:  # they are kept for 29 days
                return b""
            # Not as the SDK would read them: one broken line would end it.
            with batches.with_streaming_response.results(ticket) as answer:
                data: bytes = answer.read()
            return data
        except self._sdk.NotFoundError:
            raise kit.Gone(ticket) from None

    def outcome(self, row: dict[str, Any]) -> Outcome:
        digest, result = row["custom_id"], row["result"]
        if result["type"] == "succeeded":
            message = self._sdk.types.Message.construct(**result["message"])
            return digest, self._reply(None, message)
        error = (result.get("error") or {}).get("error") or {}
        return digest, self.why(result["type"], error.get("message"))

    def discard(self, ticket: str) -> None:
        with self.guarded(works=False), suppress(self._sdk.NotFoundError):
            batches = self._client.messages.batches
            if batches.retrieve(ticket).processing_status == "ended":
                batches.delete(ticket)
            else:  # it can be deleted only then; until then it costs no more than it must
                batches.cancel(ticket)

    @property
    def _slow(self) -> Any:
        """The client for what takes its time."""
        return self._client.with_options(timeout=max(self.timeout, SECONDS))


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("claude", Claude)

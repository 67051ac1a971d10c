"""The API of OpenAI, which other servers speak too, through OpenAI's own SDK."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import pvd
from pvd import kit
from pvd_plugins.teachers import models
from pvd_plugins.teachers.hosted import Hosted

SENT = ("reasoning_effort", "temperature")  # where they are set


@dataclass(kw_only=True)
class Chat(Hosted):
    """A vision model that is asked by chat completions."""

    official: ClassVar[str] = "https://api.openai.com/v1"
    extra: ClassVar[str] = "openai"

    detail: Annotated[Literal["low", "high"], "how closely pictures are looked at"] = "low"
    temperature: Annotated[
        float | None, kit.AtLeast(0), "sent only if set; some models refuse it"
    ] = None
    effort: Annotated[str | None, "of thinking; what the table of models says, if none"] = None

    def open(self, key: str) -> None:
        self._sdk, self._key = kit.need("openai", "openai"), key
        self._refused = (self._sdk.APIStatusError,)
        self._dropped = (self._sdk.APIConnectionError,)
        self._client = self._sdk.OpenAI(
            api_key=key, base_url=self.url, timeout=self.timeout, max_retries=0
        )

    def parameters(self) -> dict[str, Any]:
        sent = super().parameters() | {"detail": self.detail}
        if effort := self.effort or models.find(self.model, self.service).effort:
            sent["reasoning_effort"] = effort
        if self.temperature is not None:
            sent["temperature"] = self.temperature
        return sent

    def thoughts(self) -> int:
        return 0 if self.parameters().get("reasoning_effort") == "none" else super().thoughts()

    def ask(self, prompt: kit.Prompt) -> pvd.Reply:
        sent = self.sent(prompt, **self.format(prompt))
        with self.guarded():
            reply = self.read_answer(prompt, self.create(sent))
        return reply

    def create(self, sent: dict[str, Any]) -> Any:
        """One call."""
        got = self._client.chat.completions.create(**sent)
        if isinstance(got, str):  # a proxy's page, or a base_url without /v1
            raise kit.Lost(f"{self.service} answered with no JSON ({kit.one_line(got, self._key)})")
        return got

    def sent(self, prompt: kit.Prompt, **more: Any) -> dict[str, Any]:
        """What is sent of a question."""
        parts: list[dict[str, Any]] = []
        for letter, data in zip(prompt.letters, self.pictures(prompt), strict=True):
            url = "data:image/jpeg;base64," + base64.b64encode(data).decode()
            parts += [
                {"type": "text", "text": f"[{letter}]"},
                {"type": "image_url", "image_url": {"url": url, "detail": self.detail}},
            ]
        parts.append({"type": "text", "text": prompt.question})
        return {
            "model": self.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": parts},
            ],
            "max_completion_tokens": self.max_tokens,
            **{k: v for k, v in self.parameters().items() if k in SENT},
            **more,
        }

    def format(self, prompt: kit.Prompt) -> dict[str, Any]:
        """What binds the answer to a schema."""
        schema = {"name": "ranking", "strict": True, "schema": prompt.schema}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}

    def failure(self, error: Any) -> Exception:
        said = error.body.get("message") if isinstance(error.body, dict) else None
        why = kit.one_line(said or error.message, self._key)
        if error.code == "insufficient_quota":
            return kit.ProviderFailure(f"{self.service}: the account's quota is used up ({why}).")
        after = error.response.headers.get("retry-after")
        return kit.http_failure(self.service, error.status_code, why, kit.seconds(after))

    def read_answer(self, prompt: kit.Prompt | None, got: Any) -> pvd.Reply:
        """The reply in an answer of the SDK; without a prompt, of a batch."""
        if not got.choices and not got.usage:  # a gateway's error with the status of a success
            raise kit.Lost(f"{self.service} answered without an answer")
        text, finish = "", ""
        if got.choices:
            choice = got.choices[0]
            text = choice.message.content or choice.message.refusal or ""
            if choice.message.refusal or choice.finish_reason == "content_filter":
                finish = "refused"
            elif choice.finish_reason == "length":
                finish = "truncated"
        used = got.usage
        counted = (
            getattr(used, "prompt_tokens", None), getattr(used, "completion_tokens", None)
        )  # fmt: skip
        read = getattr(used, "prompt_tokens_details", None)
        written = getattr(used, "completion_tokens_details", None)
        return self.reply(
            prompt, text, got.model, counted, finish,
            cached=getattr(read, "cached_tokens", None),
            thoughts=getattr(written, "reasoning_tokens", None),
        )  # fmt: skip

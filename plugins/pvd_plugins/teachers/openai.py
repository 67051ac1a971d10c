"""Models of OpenAI, through OpenAI's own SDK: `openai`, and `gpt-4o` for the model of that name."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import pvd
from pvd import kit
from pvd_plugins.teachers import models
from pvd_plugins.teachers.hosted import Hosted

SENT = ("reasoning_effort", "temperature")  # where they are set


@dataclass(kw_only=True)
class OpenAI(Hosted):
    """A vision model of OpenAI. The key comes from OPENAI_API_KEY."""

    service: ClassVar[str] = "openai"
    official: ClassVar[str] = "https://api.openai.com/v1"
    keys: ClassVar[tuple[str, ...]] = ("OPENAI_API_KEY",)

    model: Annotated[str, "the model's id"] = field(
        default_factory=lambda: models.default("openai")
    )
    detail: Annotated[Literal["low", "high"], "how closely pictures are looked at"] = "low"
    temperature: Annotated[float | None, "sent only if set; some models refuse it"] = None
    effort: Annotated[str | None, "of thinking; what the table of models says, if none"] = None

    def open(self, key: str) -> None:
        self._sdk, self._key = kit.need("openai", "openai"), key
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

    def call(self, prompt: kit.Prompt) -> pvd.Reply:
        return self._reply(prompt, self._create(prompt, **self._format(prompt)))

    def _create(self, prompt: kit.Prompt, **more: Any) -> Any:
        sent = {k: v for k, v in self.parameters().items() if k in SENT}
        try:
            got = self._client.chat.completions.create(
                model=self.model,
                messages=self._messages(prompt),
                max_completion_tokens=self.max_tokens,
                **sent,
                **more,
            )
        except self._sdk.APIStatusError as error:
            raise self._failure(error) from None
        except self._sdk.APIConnectionError as error:  # a timeout is one too
            raise kit.Busy(f"{self.service}: {kit.one_line(error, self._key)}") from None
        except json.JSONDecodeError:
            raise kit.Busy(f"{self.service} answered with broken JSON") from None
        if isinstance(got, str):  # a proxy's page, or a base_url without /v1
            raise kit.Busy(f"{self.service} answered with no JSON ({kit.one_line(got, self._key)})")
        return got

    def _messages(self, prompt: kit.Prompt) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = []
        for letter, data in zip(prompt.letters, self.pictures(prompt), strict=True):
            url = "data:image/jpeg;base64," + base64.b64encode(data).decode()
            parts += [
                {"type": "text", "text": f"[{letter}]"},
                {"type": "image_url", "image_url": {"url": url, "detail": self.detail}},
            ]
        parts.append({"type": "text", "text": prompt.question})
        return [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": parts},
        ]

    def _format(self, prompt: kit.Prompt) -> dict[str, Any]:
        schema = {"name": "ranking", "strict": True, "schema": prompt.schema}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}

    def _failure(self, error: Any) -> Exception:
        said = error.body.get("message") if isinstance(error.body, dict) else None
        why = kit.one_line(said or error.message, self._key)
        if error.code == "insufficient_quota":
            return kit.ProviderFailure(f"{self.service}: the account's quota is used up ({why}).")
        after = error.response.headers.get("retry-after")
        return kit.http_failure(self.service, error.status_code, why, kit.seconds(after))

    def _reply(self, prompt: kit.Prompt, got: Any) -> pvd.Reply:
        if not got.choices and not got.usage:  # a gateway's error with the status of a success
            raise kit.Busy(f"{self.service} answered without an answer")
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
        return self.reply(prompt, text, got.model, counted, finish)


@dataclass(kw_only=True)
class GPT4o(OpenAI):
    """The model gpt-4o, which its provider ends on 2027-01-14; else like `openai`."""

    model: Annotated[str, "the model's id"] = "gpt-4o"


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("openai", OpenAI)
    register("gpt-4o", GPT4o)

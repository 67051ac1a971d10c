"""Gemini, through Google's own SDK: the family of the paper's teacher."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import pvd
from pvd import kit
from pvd_plugins.teachers import models
from pvd_plugins.teachers.hosted import Hosted

REFUSED = {
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
    "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "LANGUAGE",
}  # fmt: skip


@dataclass(kw_only=True)
class Gemini(Hosted):
    """A model of Google. The key comes from GOOGLE_API_KEY, else from GEMINI_API_KEY."""

    service: ClassVar[str] = "gemini"
    official: ClassVar[str] = "https://generativelanguage.googleapis.com"
    keys: ClassVar[tuple[str, ...]] = ("GOOGLE_API_KEY", "GEMINI_API_KEY")

    model: Annotated[str, "the model's id"] = field(
        default_factory=lambda: models.default("gemini")
    )
    detail: Annotated[Literal["low", "medium", "high"], "how many tokens a picture becomes"] = "low"
    temperature: Annotated[float | None, "sent only if set"] = None
    thinking: Annotated[str | None, "level, for example minimal; sent only if set"] = None
    max_tokens: Annotated[int, "of an answer with its thinking, at most"] = 2000

    def open(self, key: str) -> None:
        genai = kit.need("google.genai", "gemini")
        self._types, self._errors, self._key = genai.types, genai.errors, key
        # What carries it depends on what is installed; both let dropped calls through as they are.
        carriers = (getattr(self._errors, name, None) for name in ("httpx2", "httpx"))
        self._dropped = tuple(carrier.HTTPError for carrier in carriers if carrier)
        self._client = genai.Client(
            api_key=key,
            vertexai=False,
            http_options=self._types.HttpOptions(
                base_url=self.url, timeout=int(self.timeout * 1000)
            ),
        )

    def parameters(self) -> dict[str, Any]:
        sent = super().parameters() | {"detail": self.detail}
        if self.temperature is not None:
            sent["temperature"] = self.temperature
        if self.thinking is not None:
            sent["thinking_level"] = self.thinking.upper()
        return sent

    def call(self, prompt: kit.Prompt) -> pvd.Reply:
        part = self._types.Part
        parts = []
        for letter, data in zip(prompt.letters, self.pictures(prompt), strict=True):
            parts += [
                part.from_text(text=f"[{letter}]"),
                part.from_bytes(data=data, mime_type="image/jpeg"),
            ]
        parts.append(part.from_text(text=prompt.question))
        try:
            got = self._client.models.generate_content(
                model=self.model,
                contents=[self._types.Content(role="user", parts=parts)],
                config=self._config(prompt),
            )
        except self._errors.APIError as error:
            raise self._failure(error) from None
        except self._dropped as error:  # timeouts are among them
            why = kit.one_line(error, self._key) or type(error).__name__
            raise kit.Busy(f"gemini: {why}") from None
        except json.JSONDecodeError:  # a proxy's page, half an answer
            raise kit.Busy("gemini answered with no JSON, or broken JSON") from None
        return self._reply(prompt, got)

    def _config(self, prompt: kit.Prompt) -> Any:
        config: dict[str, Any] = {
            "system_instruction": prompt.system,
            "max_output_tokens": self.max_tokens,
            "media_resolution": f"MEDIA_RESOLUTION_{self.detail.upper()}",
            "response_mime_type": "application/json",
            "response_json_schema": prompt.schema,
        }
        if self.temperature is not None:
            config["temperature"] = self.temperature
        if self.thinking is not None:
            config["thinking_config"] = {"thinking_level": self.thinking.upper()}
        return self._types.GenerateContentConfig(**config)

    def _failure(self, error: Any) -> Exception:
        why = kit.one_line(error.message or error.status or "", self._key)
        told = error.details.get("error") if isinstance(error.details, dict) else None
        details = told.get("details", []) if isinstance(told, dict) else []  # a proxy's: anything
        reasons = {row.get("reason") for row in details}
        if "API_KEY_INVALID" in reasons:
            return kit.http_failure("gemini", 401, why)
        quotas = [v.get("quotaId", "") for row in details for v in row.get("violations", [])]
        if any("PerDay" in quota for quota in quotas):
            return kit.ProviderFailure(f"gemini: the quota of the day is used up ({why}).")
        delay = next((row["retryDelay"] for row in details if "retryDelay" in row), None)
        return kit.http_failure("gemini", error.code, why, kit.seconds(delay))

    def _reply(self, prompt: kit.Prompt, got: Any) -> pvd.Reply:
        used = got.usage_metadata
        if not (used or got.candidates or got.prompt_feedback):
            raise kit.Busy("gemini answered without an answer")
        read = getattr(used, "prompt_token_count", None)
        written = None
        if used and (used.candidates_token_count or used.thoughts_token_count):
            written = (used.candidates_token_count or 0) + (used.thoughts_token_count or 0)
        elif used and read is not None:
            written = 0  # nothing was written, as in a refusal
        text, finish = "", ""
        if got.prompt_feedback and got.prompt_feedback.block_reason:
            text, finish = str(got.prompt_feedback.block_reason.value), "refused"
        elif got.candidates:
            candidate = got.candidates[0]
            reason = candidate.finish_reason.value if candidate.finish_reason else ""
            parts = (candidate.content.parts or []) if candidate.content else []
            text = "".join(p.text for p in parts if p.text and not p.thought)
            if reason in REFUSED:
                text, finish = text or reason, "refused"
            elif reason == "MAX_TOKENS":
                finish = "truncated"
        return self.reply(prompt, text, got.model_version, (read, written), finish)


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("gemini", Gemini)

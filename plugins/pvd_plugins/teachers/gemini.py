"""Gemini, through Google's own SDK: the family of the paper's teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import pvd
from pvd import kit
from pvd_plugins.teachers import models
from pvd_plugins.teachers.gemini_batches import GeminiBatches

REFUSED = {
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
    "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "LANGUAGE",
}  # fmt: skip
# What the SDK adds to an answer by itself.
ADDED = {"sdk_http_response", "parsed", "automatic_function_calling_history"}


@dataclass(kw_only=True)
class Gemini(GeminiBatches):
    """A model of Google. The key comes from GOOGLE_API_KEY, else from GEMINI_API_KEY."""

    service: ClassVar[str] = "gemini"
    extra: ClassVar[str] = "gemini"
    official: ClassVar[str] = "https://generativelanguage.googleapis.com"
    keys: ClassVar[tuple[str, ...]] = ("GOOGLE_API_KEY", "GEMINI_API_KEY")

    model: Annotated[str, "the model's id"] = field(
        default_factory=lambda: models.default("gemini")
    )
    detail: Annotated[Literal["low", "medium", "high"], "how many tokens a picture becomes"] = "low"
    temperature: Annotated[float | None, kit.AtLeast(0), "sent only if set"] = None
    thinking: Annotated[str | None, "level, for example minimal; sent only if set"] = None
    max_tokens: Annotated[int, kit.AtLeast(1), "of an answer with its thinking, at most"] = 2000

    def open(self, key: str) -> None:
        genai = kit.need("google.genai", "gemini")
        self._types, self._key = genai.types, key
        # What carries it depends on what is installed; both let dropped calls through as they are.
        carriers = (getattr(genai.errors, name, None) for name in ("httpx2", "httpx"))
        self._refused = (genai.errors.APIError,)
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

    def thoughts(self) -> int:
        return 0 if (self.thinking or "").lower() == "minimal" else super().thoughts()

    def ask(self, prompt: kit.Prompt) -> pvd.Reply:
        part, pictures = self._types.Part, self.pictures(prompt)
        parts = []
        for letter, data in zip(prompt.letters, pictures, strict=True):
            parts += [
                part.from_text(text=f"[{letter}]"),
                part.from_bytes(data=data, mime_type="image/jpeg"),
            ]
        parts.append(part.from_text(text=prompt.question))
        config = self._types.GenerateContentConfig(
            system_instruction=prompt.system, **self.generation(prompt)
        )
        with self.guarded():
            got = self._client.models.generate_content(
                model=self.model,
                contents=[self._types.Content(role="user", parts=parts)],
                config=config,
            )
            said = got.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=ADDED)
            reply = self.read_answer(prompt, said)
        return reply

    def generation(self, prompt: kit.Prompt) -> dict[str, Any]:
        """How it is to answer: the service's own names, which the SDK takes too."""
        config: dict[str, Any] = {
            "maxOutputTokens": self.max_tokens,
            "mediaResolution": f"MEDIA_RESOLUTION_{self.detail.upper()}",
            "responseMimeType": "application/json",
            "responseJsonSchema": prompt.schema,
        }
        if self.temperature is not None:
            config["temperature"] = self.temperature
        if self.thinking is not None:
            config["thinkingConfig"] = {"thinkingLevel": self.thinking.upper()}
        return config

    def failure(self, error: Any) -> Exception:
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

    def read_answer(self, prompt: kit.Prompt | None, got: dict[str, Any]) -> pvd.Reply:
        """The reply in an answer as the service words it: so it comes in a batch, too."""
        used, blocked = got.get("usageMetadata"), got.get("promptFeedback", {}).get("blockReason")
        candidates = got.get("candidates", [])
        if not (used or candidates or blocked):
            raise kit.Lost("gemini answered without an answer")
        text, finish = "", ""
        if blocked:
            text, finish = str(blocked), "refused"
        elif candidates:
            reason = candidates[0].get("finishReason", "")
            parts = candidates[0].get("content", {}).get("parts", [])
            text = "".join(p["text"] for p in parts if p.get("text") and not p.get("thought"))
            if reason in REFUSED:
                text, finish = text or reason, "refused"
            elif reason == "MAX_TOKENS":
                finish = "truncated"
        counted, classes = _counted(used or {})
        return self.reply(prompt, text, got.get("modelVersion"), counted, finish, **classes)


Counts = tuple[tuple[int | None, int | None], dict[str, int]]


def _counted(used: dict[str, Any]) -> Counts:
    """Tokens read and written, and their classes. What is nothing is left out there."""
    read, thoughts = used.get("promptTokenCount"), used.get("thoughtsTokenCount", 0)
    written = used.get("candidatesTokenCount", 0) + thoughts
    # Nothing was written, as in a refusal; but if nothing at all was counted, nobody knows.
    known = written if written or read is not None else None
    rows = used.get("promptTokensDetails", [])
    images = sum(row.get("tokenCount", 0) for row in rows if row.get("modality") == "IMAGE")
    classes = {"images": images, "cached": used.get("cachedContentTokenCount", 0)}
    return (read, known), classes | {"thoughts": thoughts}


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("gemini", Gemini)

"""Claude, through Anthropic's own SDK. It takes no temperature, no seed, and gives no logprobs."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import pvd
from pvd import kit
from pvd_plugins.teachers import models


@dataclass(kw_only=True)
class Claude(kit.PromptedTeacher):
    """A model of Anthropic. The key comes from ANTHROPIC_API_KEY."""

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(workers=8, paid=True)
    service: ClassVar[str] = "claude"

    model: Annotated[str, "the model's id"] = field(
        default_factory=lambda: models.default("claude")
    )
    base_url: Annotated[str | None, "of a gateway that speaks this API, without /v1"] = None
    max_tokens: Annotated[int, "of an answer, at most"] = 1000
    timeout: Annotated[float, "seconds that a call may take"] = 60.0

    def __post_init__(self) -> None:
        kit.check_url(self.base_url)

    def connect(self) -> Sequence[str]:
        self._sdk = kit.need("anthropic", "anthropic")
        # At DEBUG this SDK writes personas and whole pictures.
        logging.getLogger("anthropic").setLevel(logging.INFO)
        self._key = kit.secret("ANTHROPIC_API_KEY")
        self._client = self._sdk.Anthropic(
            api_key=self._key, base_url=self.base_url, timeout=self.timeout, max_retries=0
        )
        warning = models.check_alive(self.model)
        return [warning] if warning else []

    def parameters(self) -> dict[str, Any]:
        sent: dict[str, Any] = {"max_tokens": self.max_tokens}
        if self.base_url is not None:
            sent["base_url"] = self.base_url
        return sent

    def ask(self, prompt: kit.Prompt) -> pvd.Reply:
        content: list[dict[str, Any]] = []
        for letter, data in zip(prompt.letters, self.pictures(prompt), strict=True):
            encoded = base64.b64encode(data).decode()
            source = {"type": "base64", "media_type": "image/jpeg", "data": encoded}
            content += [
                {"type": "text", "text": f"[{letter}]"},
                {"type": "image", "source": source},
            ]
        content.append({"type": "text", "text": prompt.question})
        try:
            got = self._client.messages.create(
                model=self.model,
                max_tokens=self.max_tokens,
                system=prompt.system,
                messages=[{"role": "user", "content": content}],
                output_config={"format": {"type": "json_schema", "schema": prompt.schema}},
            )
        except self._sdk.APIStatusError as error:
            raise self._failure(error) from None
        except self._sdk.APIConnectionError as error:  # a timeout is one too
            raise kit.Busy(f"claude: {kit.one_line(error, self._key)}") from None
        return self._reply(got)

    def _failure(self, error: Any) -> Exception:
        body = error.body if isinstance(error.body, dict) else {}
        why = kit.one_line(body.get("error", {}).get("message") or error.message, self._key)
        if error.status_code == 429 and "quota" in why.lower():
            return kit.ProviderFailure(f"claude: the quota is used up ({why}).")
        after = kit.seconds(error.response.headers.get("retry-after"))
        return kit.http_failure("claude", error.status_code, why, after)

    def _reply(self, got: Any) -> pvd.Reply:
        used = got.usage
        read = (used.cache_read_input_tokens or 0) + (used.cache_creation_input_tokens or 0)
        tokens = pvd.Tokens(used.input_tokens + read, used.output_tokens)
        ends = {"refusal": "refused", "max_tokens": "truncated",
                "model_context_window_exceeded": "truncated"}  # fmt: skip
        text = "".join(block.text for block in got.content if block.type == "text")
        finish = ends.get(got.stop_reason or "", "")
        return pvd.Reply(text, got.model, tokens, self.dollars(tokens), finish)

    def estimate(self, slate: pvd.Slate) -> pvd.Tokens:
        return models.estimate(
            self.model, self.prompt_for(slate), self.max_side, "low", self.max_tokens
        )

    def dollars(self, tokens: pvd.Tokens) -> float:
        return models.dollars(self.model, tokens)


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("claude", Claude)

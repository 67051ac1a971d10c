"""Claude, through Anthropic's own SDK. It takes no temperature, no seed, and gives no logprobs."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import pvd
from pvd import kit
from pvd_plugins.teachers import models
from pvd_plugins.teachers.hosted import Hosted


@dataclass(kw_only=True)
class Claude(Hosted):
    """A model of Anthropic. The key comes from ANTHROPIC_API_KEY."""

    service: ClassVar[str] = "claude"
    official: ClassVar[str] = "https://api.anthropic.com"
    keys: ClassVar[tuple[str, ...]] = ("ANTHROPIC_API_KEY",)

    model: Annotated[str, "the model's id"] = field(
        default_factory=lambda: models.default("claude")
    )

    def open(self, key: str) -> None:
        self._sdk, self._key = kit.need("anthropic", "anthropic"), key
        # At DEBUG this SDK writes personas and whole pictures.
        logging.getLogger("anthropic").setLevel(logging.INFO)
        self._client = self._sdk.Anthropic(
            api_key=key, base_url=self.url, timeout=self.timeout, max_retries=0
        )

    def call(self, prompt: kit.Prompt) -> pvd.Reply:
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
        except json.JSONDecodeError:
            raise kit.Busy("claude answered with broken JSON") from None
        if isinstance(got, str):  # a proxy's page
            raise kit.Busy(f"claude answered with no JSON ({kit.one_line(got, self._key)})")
        return self._reply(prompt, got)

    def _failure(self, error: Any) -> Exception:
        body = error.body if isinstance(error.body, dict) else {}
        told = body.get("error")  # a proxy's may be anything
        said = told.get("message") if isinstance(told, dict) else told
        why = kit.one_line(said or error.message, self._key)
        if error.status_code == 429 and "quota" in why.lower():
            return kit.ProviderFailure(f"claude: the quota is used up ({why}).")
        after = kit.seconds(error.response.headers.get("retry-after"))
        return kit.http_failure("claude", error.status_code, why, after)

    def _reply(self, prompt: kit.Prompt, got: Any) -> pvd.Reply:
        used = got.usage
        if used is None and not got.content:  # a gateway's error with the status of a success
            raise kit.Busy("claude answered without an answer")
        read = getattr(used, "input_tokens", None)
        if read is not None:  # what was read from the provider's cache is counted apart
            read += (used.cache_read_input_tokens or 0) + (used.cache_creation_input_tokens or 0)
        ends = {"refusal": "refused", "max_tokens": "truncated",
                "model_context_window_exceeded": "truncated"}  # fmt: skip
        text = "".join(block.text for block in got.content if block.type == "text")
        finish = ends.get(got.stop_reason or "", "")
        counted = (read, getattr(used, "output_tokens", None))
        return self.reply(prompt, text, got.model, counted, finish)


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("claude", Claude)

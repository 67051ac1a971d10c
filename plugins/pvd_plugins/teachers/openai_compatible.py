"""Models behind any server that speaks OpenAI's API: vLLM, SGLang, llama.cpp, Ollama."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

import pvd
from pvd import kit
from pvd_plugins.teachers.chat import Chat

SHOWN = 5  # pictures in the probe: as many as a slate has by default


@dataclass(kw_only=True)
class OpenAICompatible(Chat):
    """A model on a server of your own; a key, if it wants one, from OPENAI_COMPATIBLE_API_KEY.

    At the start it is asked one small question, to find out how many pictures a request may hold
    and whether answers can be bound to a JSON schema.
    """

    service: ClassVar[str] = "openai-compatible"
    keys: ClassVar[tuple[str, ...]] = ("OPENAI_COMPATIBLE_API_KEY",)

    model: Annotated[str, "the model's id, as the server lists it"]
    base_url: Annotated[str | None, "of the server, with /v1"] = field()
    schema: Annotated[
        Literal["json_schema", "none"],
        "how answers are bound to a permutation; none: by words alone",
    ] = "json_schema"

    def __post_init__(self) -> None:
        if self.base_url is None:
            raise ValueError("base_url is missing; write for example http://localhost:8000/v1")
        super().__post_init__()

    @property
    def capabilities(self) -> pvd.Capabilities:  # type: ignore[override]
        return pvd.Capabilities(workers=16, caches=True, paid=not self._is_ours)

    @property
    def _is_ours(self) -> bool:
        """Whether the server is on this machine or network, so that nobody charges for it."""
        host = urlsplit(self.base_url or "").hostname or ""
        try:
            return ipaddress.ip_address(host).is_private
        except ValueError:  # a name; one without a dot is of this network
            return "." not in host or host.endswith((".local", ".internal", ".lan"))

    def secret(self) -> str:
        return super().secret() if os.environ.get(self.keys[0]) else "none"

    def open(self, key: str) -> None:
        super().open(key)
        self._key = "" if key == "none" else key  # "none" is a word that messages may hold

    def connect(self) -> Sequence[str]:
        lines = list(super().connect())
        schema = self.format(_probe(self, 1))
        if why := self._refuses(SHOWN, **schema):
            if schema and not self._refuses(SHOWN):
                raise kit.BadInput(
                    f"{self.base_url} binds no answer to a schema ({why}); add "
                    "-o teacher.schema=none."
                )
            few = next((n for n in range(SHOWN - 1, 0, -1) if not self._refuses(n)), 0)
            line = (
                f"{self.base_url} takes {few} pictures in a request, and not {SHOWN} ({why}); "
                f"start vLLM with --limit-mm-per-prompt.image {SHOWN}, or serve a model that sees."
            )
            if few < 2:  # with two one can compare pairs
                raise kit.BadInput(line)
            lines.append(line)
        if self._refuses(1, logprobs=True, top_logprobs=20):
            lines.append(f"{self.base_url} gives no logprobs; vLLM has --max-logprobs.")
        return lines

    def _refuses(self, pictures: int, **more: Any) -> str:
        """Why the server does not take such a request; nothing if it does."""
        try:
            with self.guarded():
                self.create(self.sent(_probe(self, pictures), **more))
        except kit.Rejected as error:
            return kit.one_line(error)
        except kit.Busy as error:
            raise kit.ProviderFailure(
                f"{self.base_url} does not answer ({error}); start the server, or mend base_url."
            ) from None
        return ""

    def parameters(self) -> dict[str, Any]:
        return super().parameters() | {"schema": self.schema}

    def format(self, prompt: kit.Prompt) -> dict[str, Any]:
        return super().format(prompt) if self.schema == "json_schema" else {}

    def schema_for(self, prompt: kit.Prompt) -> Any:
        return prompt.schema if self.schema == "json_schema" else None

    def dollars(self, tokens: pvd.Tokens, batch: bool = False) -> float | None:
        return 0.0 if self._is_ours else None

    def prices(self) -> str:
        if self._is_ours:
            return ""
        return f"What {urlsplit(self.base_url or '').hostname} charges is not known."


def _probe(teacher: OpenAICompatible, pictures: int) -> kit.Prompt:
    """A question about small grey squares."""
    items = tuple(pvd.Item(f"probe-{n}", partial(_square, 40 * n)) for n in range(pictures))
    return teacher.prompt_for(pvd.Slate(pvd.Persona("probe", "Anybody."), items))


def _square(grey: int) -> bytes:
    from PIL import Image

    return kit.jpeg(Image.new("RGB", (64, 64), (grey, grey, grey)), 64)


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("openai-compatible", OpenAICompatible)

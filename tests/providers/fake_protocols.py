"""The three wire protocols of the fake provider: what a request says, how an answer is written."""

from __future__ import annotations

import base64
import functools
import io
import json
import re
import sys
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

Body = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A text, or a picture in base64."""

    text: str = ""
    picture: str = ""
    detail: str = ""
    marked: bool = False  # with cache_control


@dataclass(frozen=True)
class Asked:
    """One request as the provider understands it."""

    protocol: str  # openai, anthropic, gemini
    model: str
    key: str
    system: str
    schema: str  # compact JSON
    parts: tuple[Part, ...]  # the user's turn
    body: Body = field(repr=False)
    system_marked: bool = False
    custom_id: str = ""  # of a request in a batch

    @property
    def texts(self) -> list[str]:
        return [part.text for part in self.parts if not part.picture]

    @property
    def letters(self) -> tuple[str, ...]:
        """The labels, in the order shown."""
        labels = [re.fullmatch(r"\[([A-Z])\]", text.strip()) for text in self.texts]
        return tuple(match[1] for match in labels if match)

    @property
    def images(self) -> tuple[Image.Image, ...]:
        """Shared with other requests that show the same."""
        return tuple(picture(part.picture) for part in self.parts if part.picture)

    @property
    def question(self) -> str:
        """The last text."""
        return self.texts[-1]


@functools.lru_cache(maxsize=512)
def picture(data: str) -> Image.Image:
    # google-genai sends the URL-safe alphabet.
    raw = base64.b64decode(data.replace("-", "+").replace("_", "/"), validate=True)
    image = Image.open(io.BytesIO(raw))
    image.load()
    return image


@functools.cache
def size(data: str) -> tuple[int, int]:
    return picture(data).size


# --- requests -------------------------------------------------------------------------------------


def protocol_of(path: str) -> str:
    if path.endswith("/chat/completions"):
        return "openai"
    if path.endswith("/messages"):
        return "anthropic"
    assert ":generateContent" in path, f"no protocol has the path {path}"
    return "gemini"


def key_of(headers: dict[str, str]) -> str:
    """Headers have lower-case names here."""
    found = headers.get("x-goog-api-key") or headers.get("x-api-key")
    return (found or headers.get("authorization", "")).removeprefix("Bearer ")


def understand(path: str, key: str, body: Body, custom_id: str = "") -> Asked:
    """What a request of any protocol says."""
    protocol = protocol_of(path)
    found = {"openai": read_openai, "anthropic": read_anthropic, "gemini": read_gemini}[protocol]
    told = found(body)
    if protocol == "gemini":
        match = re.search(r"models/([^:]+):generateContent", path)
        assert match
        told["model"] = match[1]
    for part in told["parts"]:
        if part.picture:
            size(part.picture)  # one that is broken is a broken request
    schema = told.pop("schema", None)
    compact = json.dumps(schema, separators=(",", ":")) if schema else ""
    return Asked(protocol=protocol, key=key, body=body, custom_id=custom_id, schema=compact, **told)


def shared(holder: Body, name: str) -> str:
    """One string for equal pictures, so that thousands of requests fit in memory."""
    holder[name] = sys.intern(holder[name])
    return sys.intern(holder[name].rpartition(",")[2])


def read_openai(body: Body) -> Body:
    system, parts = "", []
    for message in body["messages"]:
        content = message["content"]
        if message["role"] in ("system", "developer"):
            system += content if isinstance(content, str) else "".join(p["text"] for p in content)
            continue
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        for part in content:
            if part["type"] == "text":
                parts.append(Part(part["text"]))
            else:
                image = part["image_url"]
                parts.append(Part(picture=shared(image, "url"), detail=image.get("detail", "")))
    format = body.get("response_format") or {}
    return {"model": body["model"], "system": system, "parts": tuple(parts),
            "schema": format.get("json_schema", {}).get("schema")}  # fmt: skip


def read_anthropic(body: Body) -> Body:
    parts: list[Part] = []
    for message in body["messages"]:
        content = message["content"]
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        for part in content:
            marked = bool(part.get("cache_control"))
            if part["type"] == "text":
                parts.append(Part(part["text"], marked=marked))
            else:
                parts.append(Part(picture=shared(part["source"], "data"), marked=marked))
    if body.get("cache_control"):  # of the whole: the last block's
        parts[-1] = Part(parts[-1].text, parts[-1].picture, marked=True)
    system = body.get("system", "")
    marked = False
    if not isinstance(system, str):
        marked = any(block.get("cache_control") for block in system)
        system = "".join(block["text"] for block in system)
    format = (body.get("output_config") or {}).get("format") or {}
    return {"model": body["model"], "system": system, "system_marked": marked,
            "parts": tuple(parts), "schema": format.get("schema")}  # fmt: skip


def read_gemini(body: Body) -> Body:
    config = either(body, "generationConfig") or {}
    whole = either(config, "mediaResolution") or ""
    parts = []
    for content in body["contents"]:
        for part in content["parts"]:
            if "text" in part:
                parts.append(Part(part["text"]))
                continue
            own = (either(part, "mediaResolution") or {}).get("level")
            detail = (own or whole).removeprefix("MEDIA_RESOLUTION_").lower()
            parts.append(Part(picture=shared(either(part, "inlineData"), "data"), detail=detail))
    system = "".join(p["text"] for p in (either(body, "systemInstruction") or {}).get("parts", []))
    schema = either(config, "responseJsonSchema") or either(config, "responseSchema")
    return {"system": system, "parts": tuple(parts), "schema": schema}


def either(body: Body, name: str) -> Any:
    """A field in camel case or with underscores: this service takes both."""
    return body.get(name, body.get(re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", name)))


# --- answers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Metered:
    """What one answer is billed as."""

    protocol: str
    model: str
    input: int  # with everything below
    images: int
    cached: int  # read from the cache
    written: int  # to the cache
    output: int  # with the thoughts
    thoughts: int
    batch: bool = False
    custom_id: str = ""


def write_openai(text: str, fault: str, model: str, used: Metered) -> Body:
    message: Body = {"role": "assistant", "content": text, "refusal": None}
    finish = "length" if fault == "truncated" else "stop"
    if fault == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    if fault == "blocked":
        message["content"], finish = None, "content_filter"
    choices = [] if fault == "nothing" else [
        {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    ]  # fmt: skip
    usage = {"prompt_tokens": used.input, "completion_tokens": used.output,
             "total_tokens": used.input + used.output,
             "prompt_tokens_details": {"cached_tokens": used.cached},
             "completion_tokens_details": {"reasoning_tokens": used.thoughts}}  # fmt: skip
    return {"id": "x", "object": "chat.completion", "created": 0, "model": model,
            "choices": choices, "usage": usage}  # fmt: skip


def write_anthropic(text: str, fault: str, model: str, used: Metered) -> Body:
    stop = {"truncated": "max_tokens", "refusal": "refusal", "blocked": "refusal"}
    content = [] if fault in ("refusal", "blocked", "nothing") else [{"type": "text", "text": text}]
    usage = {"input_tokens": used.input - used.cached - used.written,
             "cache_read_input_tokens": used.cached, "cache_creation_input_tokens": used.written,
             "output_tokens": used.output}  # fmt: skip
    return {"id": "x", "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": stop.get(fault, "end_turn"), "stop_sequence": None,
            "usage": usage}  # fmt: skip


def write_gemini(text: str, fault: str, model: str, used: Metered) -> Body:
    by_kind = {"TEXT": used.input - used.images, "IMAGE": used.images}
    usage: Body = {
        "promptTokenCount": used.input,
        "candidatesTokenCount": used.output - used.thoughts,
        "totalTokenCount": used.input + used.output,
        "promptTokensDetails": [
            {"modality": kind, "tokenCount": count} for kind, count in by_kind.items() if count
        ],
    }
    # As there: what is nothing is left out.
    if used.thoughts:
        usage["thoughtsTokenCount"] = used.thoughts
    if used.cached:
        usage["cachedContentTokenCount"] = used.cached
    answer: Body = {"usageMetadata": usage, "modelVersion": model}
    if fault == "nothing":
        return answer
    if fault == "blocked":
        return answer | {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    finish = {"truncated": "MAX_TOKENS", "refusal": "SAFETY"}.get(fault, "STOP")
    candidate: Body = {"finishReason": finish, "index": 0}
    if fault != "refusal":
        candidate["content"] = {"role": "model", "parts": [{"text": text}]}
    return answer | {"candidates": [candidate]}


WRITE = {"openai": write_openai, "anthropic": write_anthropic, "gemini": write_gemini}

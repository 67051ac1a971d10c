"""A provider on 127.0.0.1 that speaks the three wire protocols, with an oracle that sees the
decoded pictures, and a script of faults. Standard library only: aiohttp would change
google-genai's transport.
"""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from PIL import Image

Body = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request as the provider understands it."""

    protocol: str  # openai, anthropic, gemini
    model: str
    key: str
    system: str
    letters: tuple[str, ...]  # the labels, in the order shown
    images: tuple[Image.Image, ...]
    question: str  # the last text
    body: Body = field(repr=False)


# From what was asked to the letters, best first.
Oracle = Callable[[Asked], str]


def redness(asked: Asked) -> str:
    """Prefers red pictures, whoever asks."""

    def red(image: Image.Image) -> float:
        r, g, b = image.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
        return float(r - (g + b) / 2)

    pairs = zip(map(red, asked.images), asked.letters, strict=True)
    return "".join(letter for _, letter in sorted(pairs, reverse=True))


class Fake(ThreadingHTTPServer):
    """Use it as a context; `url` is its address, `asked` what it was asked."""

    daemon_threads = True

    def __init__(self, oracle: Oracle = redness, faults: Iterable[str] = ()) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.oracle = oracle
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[Asked] = []
        self.paths: list[str] = []
        self.delay = 0.0
        self.returned_model: str | None = None
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()
        self._faults: Iterator[str] = iter(faults)

    def script(self, faults: Iterable[str]) -> None:
        """One fault a request from now on; "" is none, and none after the last."""
        self._faults = iter(faults)

    def next_fault(self) -> str:
        with self.lock:
            return next(self._faults, "")

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Fake
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        models = [{"id": "fake-model", "object": "model", "created": 0, "owned_by": "fake"}]
        self.reply(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        fake = self.server
        data = self.rfile.read(int(self.headers["Content-Length"]))
        with fake.lock:
            fake.in_flight += 1
            fake.most_in_flight = max(fake.most_in_flight, fake.in_flight)
        try:
            asked = understand(self.path, dict(self.headers.items()), json.loads(data))
            with fake.lock:
                fake.paths.append(self.path)
                fake.asked.append(asked)
            time.sleep(fake.delay)
            self.answer(asked, fake.next_fault())
        finally:
            with fake.lock:
                fake.in_flight -= 1

    def answer(self, asked: Asked, fault: str) -> None:
        if fault in HTTP_FAULTS:
            status, message, headers = HTTP_FAULTS[fault]
            self.reply(status, error_body(asked.protocol, status, message, headers), headers)
        elif fault == "html":
            self.reply(502, "<html><body><h1>502 Bad Gateway</h1></body></html>")
        elif fault == "page":
            self.reply(200, "<html><body><h1>Sign in to this network</h1></body></html>")
        elif fault == "garbage":
            self.reply(200, '{"id": "garbage', kind="application/json")
        elif fault == "hollow":
            self.reply(200, {})
        elif fault == "string":
            self.reply(503, {"error": "overloaded"})
        elif fault in ("echo", "401-echo"):
            status = 400 if fault == "echo" else 401
            said = f"the key {asked.key} may not do that"
            self.reply(status, error_body(asked.protocol, status, said, {}))
        elif fault == "slow":
            time.sleep(5)
            self.reply(200, {})
        elif fault == "dropped":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif fault == "half":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"id": "half')
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            letters = self.server.oracle(asked)
            text = TEXT_FAULTS.get(fault, plain)(letters, asked)
            model = self.server.returned_model or asked.model
            said = WRITE[asked.protocol](text, fault, model)
            if fault == "uncounted":
                said = {k: v for k, v in said.items() if k not in ("usage", "usageMetadata")}
            self.reply(200, said)

    def reply(
        self, status: int, body: Any, headers: dict[str, str] | None = None, kind: str = ""
    ) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        kind = kind or ("text/html" if isinstance(body, str) else "application/json")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


# --- faults -----------------------------------------------------------------------------------

HTTP_FAULTS: dict[str, tuple[int, str, dict[str, str]]] = {
    "429": (429, "slow down", {}),
    "429-after": (429, "slow down", {"retry-after": "1"}),
    "quota": (429, "You exceeded your current quota", {}),
    "400": (400, "image could not be processed", {}),
    "401": (401, "invalid key", {}),
    "402": (402, "no credit left", {}),
    "403": (403, "not allowed", {}),
    "404": (404, "no such model", {}),
    "408": (408, "too slow a client", {}),
    "413": (413, "too large", {}),
    "500": (500, "oops", {}),
    "503": (503, "overloaded", {}),
    "529": (529, "overloaded", {}),
}


def plain(letters: str, asked: Asked) -> str:
    """In the form that the schema wants."""
    if "array" in json.dumps(asked.body):
        return json.dumps({"ranking": list(letters)})
    return json.dumps({"ranking": letters})


TEXT_FAULTS: dict[str, Callable[[str, Asked], str]] = {
    "fenced": lambda letters, asked: f"```json\n{plain(letters, asked)}\n```",
    "prose": lambda letters, asked: f"Here is my ranking:\n{plain(letters, asked)}\nEnjoy!",
    "lower": lambda letters, asked: plain(letters.lower(), asked),
    "badjson": lambda letters, asked: plain(letters, asked)[:-3],
    "duplicate": lambda letters, asked: plain(letters[0] + letters[:-1], asked),
    "missing": lambda letters, asked: plain(letters[:-1], asked),
    "extra": lambda letters, asked: plain(letters + "Z", asked),
    "null": lambda letters, asked: json.dumps({"ranking": None}),
    "truncated": lambda letters, asked: plain(letters, asked)[:7],
    **dict.fromkeys(("empty", "refusal", "blocked", "nothing"), lambda letters, asked: ""),
}


def error_body(protocol: str, status: int, message: str, headers: dict[str, str]) -> Body:
    """The error object of a protocol; Gemini says in the body how long to wait."""
    quota = "quota" in message
    if protocol == "openai":
        code = {401: "invalid_api_key", 404: "model_not_found"}.get(status)
        return {"error": {"message": message, "type": "error",
                          "code": "insufficient_quota" if quota else code}}  # fmt: skip
    if protocol == "anthropic":
        return {"type": "error", "error": {"type": "api_error", "message": message}}
    details: list[Body] = []
    if "retry-after" in headers:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo",
                        "retryDelay": f"{headers['retry-after']}s"})  # fmt: skip
    if quota:
        spent = [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]
        details.append(
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": spent}
        )
    if status == 401:  # a bad key is 400 there
        status, message = 400, f"API key not valid: {message}"
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "API_KEY_INVALID"})  # fmt: skip
    names = {400: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED"}
    return {"error": {"code": status, "message": message, "details": details,
                      "status": names.get(status, "INTERNAL")}}  # fmt: skip


# --- protocols --------------------------------------------------------------------------------


def understand(path: str, headers: dict[str, str], body: Body) -> Asked:
    """What a request of any protocol says."""
    lower = {name.lower(): value for name, value in headers.items()}
    key = lower.get("x-goog-api-key") or lower.get("x-api-key") or lower.get("authorization", "")
    key = key.removeprefix("Bearer ")
    if path.endswith("/chat/completions"):
        texts: list[Any] = []
        system = ""
        for message in body["messages"]:
            if message["role"] in ("system", "developer"):
                system = message["content"]
                continue
            for part in message["content"]:
                if part["type"] == "text":
                    texts.append(part["text"])
                else:
                    texts.append(picture(part["image_url"]["url"].partition(",")[2]))
        return asked("openai", body["model"], key, system, texts, body)
    if path.endswith("/messages"):
        parts = [
            part["text"] if part["type"] == "text" else picture(part["source"]["data"])
            for message in body["messages"]
            for part in message["content"]
        ]
        system = body.get("system", "")
        if not isinstance(system, str):
            system = "".join(block["text"] for block in system)
        return asked("anthropic", body["model"], key, system, parts, body)
    model = re.search(r"models/([^:]+):generateContent", path)
    assert model, f"no protocol has the path {path}"
    parts = [
        part["text"] if "text" in part else picture(part["inlineData"]["data"])
        for content in body["contents"]
        for part in content["parts"]
    ]
    system = "".join(p["text"] for p in body.get("systemInstruction", {}).get("parts", []))
    return asked("gemini", model[1], key, system, parts, body)


def picture(data: str) -> Image.Image:
    # google-genai sends the URL-safe alphabet.
    raw = base64.b64decode(data.replace("-", "+").replace("_", "/"), validate=True)
    image = Image.open(io.BytesIO(raw))
    image.load()
    return image


def asked(protocol: str, model: str, key: str, system: str, parts: list[Any], body: Body) -> Asked:
    texts = [part for part in parts if isinstance(part, str)]
    labels = [re.fullmatch(r"\[([A-Z])\]", text.strip()) for text in texts]
    return Asked(
        protocol=protocol,
        model=model,
        key=key,
        system=system,
        letters=tuple(match[1] for match in labels if match),
        images=tuple(part for part in parts if not isinstance(part, str)),
        question=texts[-1],
        body=body,
    )


def write_openai(text: str, fault: str, model: str) -> Body:
    message: Body = {"role": "assistant", "content": text, "refusal": None}
    finish = "length" if fault == "truncated" else "stop"
    if fault == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    if fault == "blocked":
        message["content"], finish = None, "content_filter"
    choices = [] if fault == "nothing" else [
        {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    ]  # fmt: skip
    usage = {"prompt_tokens": 900, "completion_tokens": 12, "total_tokens": 912}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": model,
            "choices": choices, "usage": usage}  # fmt: skip


def write_anthropic(text: str, fault: str, model: str) -> Body:
    stop = {"truncated": "max_tokens", "refusal": "refusal", "blocked": "refusal"}
    content = [] if fault in ("refusal", "blocked", "nothing") else [{"type": "text", "text": text}]
    return {"id": "x", "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": stop.get(fault, "end_turn"), "stop_sequence": None,
            "usage": {"input_tokens": 900, "output_tokens": 12}}  # fmt: skip


def write_gemini(text: str, fault: str, model: str) -> Body:
    usage = {"promptTokenCount": 900, "candidatesTokenCount": 10, "thoughtsTokenCount": 2,
             "totalTokenCount": 912}  # fmt: skip
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

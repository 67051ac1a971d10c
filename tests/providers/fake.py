"""A provider on 127.0.0.1 that speaks the three wire protocols, with an oracle that sees the
decoded pictures, a meter of its own, limits, batches, and a script of faults. Standard library
only: aiohttp would change google-genai's transport.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from fake_batches import Batches
from fake_endpoints import Endpoints, Told
from fake_faults import HTTP_FAULTS, IDLE_FAULTS, TEXT_FAULTS, error_body, plain
from fake_meter import Meter, Read, text_tokens
from fake_protocols import WRITE, Asked, Body, Metered, key_of, understand
from PIL import Image

__all__ = ["HTTP_FAULTS", "TEXT_FAULTS", "Asked", "Fake", "Metered", "redness"]

# From what was asked to the letters, best first.
Oracle = Callable[[Asked], str]


def redness(asked: Asked) -> str:
    """Prefers red pictures, whoever asks."""

    def red(image: Image.Image) -> float:
        if "redness" not in image.info:  # the same picture is shown often
            r, g, b = image.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
            image.info["redness"] = float(r - (g + b) / 2)
        return float(image.info["redness"])

    pairs = zip(map(red, asked.images), asked.letters, strict=True)
    return "".join(letter for _, letter in sorted(pairs, reverse=True))


class Fake(ThreadingHTTPServer):
    """Use it as a context; `url` is its address, `asked` what it was asked."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, oracle: Oracle = redness, faults: Iterable[str] = ()) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.oracle = oracle
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[Asked] = []  # those in batches as well, with their custom_id
        self.paths: list[str] = []
        self.delay = 0.0
        self.returned_model: str | None = None
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()
        self._faults: Iterator[str] = iter(faults)
        # The bill.
        self.metered: list[Metered] = []
        self.thoughts = 0
        self.usage: tuple[int, int] | None = None  # said and billed instead of what was counted
        self.prompt_cache = False
        self.meter = Meter()
        # Limits.
        self.requests_per_minute: int | None = None
        self.tokens_per_minute: int | None = None
        self.concurrency: int | None = None
        self.window = 60.0
        self.accepted: list[float] = []
        self.limited: list[float] = []
        self._working = 0
        self._recent: deque[tuple[float, int]] = deque()
        # Batches.
        self.batches = Batches(self)
        self.endpoints = Endpoints(self.batches)
        self._batch_calls: Iterator[str] = iter(())

    @property
    def batch_seconds(self) -> float:
        return self.batches.seconds

    @batch_seconds.setter
    def batch_seconds(self, seconds: float) -> None:
        self.batches.seconds = seconds

    @property
    def batch_faults(self) -> Iterator[str]:
        """One a request in the batches from now on."""
        return self.batches.faults

    @batch_faults.setter
    def batch_faults(self, faults: Iterable[str]) -> None:
        self.batches.faults = iter(faults)

    @property
    def batch_limits(self) -> dict[str, tuple[int, int]]:
        """Of each protocol: requests and bytes, at most."""
        return self.batches.limits

    @property
    def batch_calls(self) -> list[str]:
        """Each call of a batch interface, as "GET /v1/batches/x"."""
        return self.endpoints.calls

    @property
    def submissions(self) -> list[tuple[str, ...]]:
        """The ids in each batch that was created."""
        return self.batches.submissions

    @property
    def files(self) -> dict[str, Any]:
        """The remote files that exist."""
        return self.batches.files

    def script(self, faults: Iterable[str]) -> None:
        """One fault a request from now on; "" is none, and none after the last."""
        self._faults = iter(faults)

    def script_batches(self, faults: Iterable[str]) -> None:
        """One fault a call of the batch interfaces, as `script`.

        After "dropped", "half" and "slow" it was done all the same; after "unheard" it was not.
        """
        self._batch_calls = iter(faults)

    def next_fault(self) -> str:
        with self.lock:
            return next(self._faults, "")

    def next_batch_fault(self) -> str:
        with self.lock:
            return next(self._batch_calls, "")

    def say(self, asked: Asked, fault: str, batch: bool = False) -> Body:
        """The answer of the model, which is billed."""
        text = TEXT_FAULTS.get(fault, plain)(self.oracle(asked), asked)
        caches = self.prompt_cache and not batch
        read = self.meter.read(asked, caches)
        written = text_tokens(text) + self.thoughts
        if self.usage:
            read, written = Read(self.usage[0]), self.usage[1]
        used = Metered(
            protocol=asked.protocol, model=asked.model, input=read.input, images=read.images,
            cached=read.cached, written=read.written, output=written, thoughts=self.thoughts,
            batch=batch, custom_id=asked.custom_id,
        )  # fmt: skip
        if caches:
            self.meter.remember(asked)
        with self.lock:
            self.metered.append(used)
        said = WRITE[asked.protocol](text, fault, self.returned_model or asked.model, used)
        if fault == "uncounted":
            said = {k: v for k, v in said.items() if k not in ("usage", "usageMetadata")}
        return said

    def admit(self, asked: Asked) -> str | None:
        """None if it may work on this, else the seconds to wait, or "" if it does not say."""
        tokens = self.meter.read(asked).input if self.tokens_per_minute is not None else 0
        now = time.monotonic()
        with self.lock:
            while self._recent and self._recent[0][0] <= now - self.window:
                self._recent.popleft()
            wait = self._wait(now, tokens)
            busy = self.concurrency is not None and self._working >= self.concurrency
            if wait is None and not busy:
                self._recent.append((now, tokens))
                self.accepted.append(now)
                self._working += 1
                return None
            self.limited.append(now)
            return "" if wait is None else f"{wait:.3f}"

    def _wait(self, now: float, tokens: int) -> float | None:
        """How long until the window has room; None if it has."""
        spent = sum(count for _, count in self._recent) + tokens
        requests = len(self._recent) + 1
        wait = None
        for at, count in [*self._recent, (now, 0)]:
            over = self.requests_per_minute is not None and requests > self.requests_per_minute
            over |= self.tokens_per_minute is not None and spent > self.tokens_per_minute
            if not over:
                break
            wait = max(at + self.window - now, 0.001)
            requests, spent = requests - 1, spent - count
        return wait

    def release(self) -> None:
        with self.lock:
            self._working -= 1

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.batches.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Fake
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: else the body waits for the head to be acknowledged.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        if self.batch_call(b""):
            return
        models = [{"id": "fake-model", "object": "model", "created": 0, "owned_by": "fake"}]
        self.reply(200, {"object": "list", "data": models})

    def do_DELETE(self) -> None:
        self.server.paths.append(self.path)
        if not self.batch_call(self.data()):
            self.reply(404, {"error": "not found"})

    def do_POST(self) -> None:
        fake = self.server
        data = self.data()
        if self.batch_call(data):
            fake.paths.append(self.path)
            return
        with fake.lock:
            fake.in_flight += 1
            fake.most_in_flight = max(fake.most_in_flight, fake.in_flight)
        try:
            asked = understand(self.path, key_of(self.lower()), json.loads(data))
            with fake.lock:
                fake.paths.append(self.path)
                fake.asked.append(asked)
            wait = fake.admit(asked)
            if wait is not None:
                headers = {"retry-after": wait} if wait else {}
                said = error_body(asked.protocol, 429, "rate limit reached", headers)
                self.reply(429, said, headers)
                return
            try:
                time.sleep(fake.delay)
                self.answer(asked, fake.next_fault())
            finally:
                fake.release()
        finally:
            with fake.lock:
                fake.in_flight -= 1

    def lower(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def data(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def answer(self, asked: Asked, fault: str) -> None:
        if fault in HTTP_FAULTS:
            self.reply_fault(asked.protocol, fault)
        elif fault in ("echo", "401-echo"):
            status = 400 if fault == "echo" else 401
            message = f"the key {asked.key} may not do that"
            self.reply(status, error_body(asked.protocol, status, message, {}))
        elif fault in IDLE_FAULTS:
            self.spoil(fault)
        else:
            said = self.server.say(asked, fault)
            if not self.spoil(fault):
                self.reply(200, said)

    def batch_call(self, data: bytes) -> bool:
        """Whether this is a call of a batch interface; then it is answered."""
        find = self.server.endpoints.find(self.command, self.path, self.lower())
        if find is None:
            return False
        fault = self.server.next_batch_fault()
        if fault in HTTP_FAULTS:
            self.reply_fault(find.protocol, fault)
        elif fault in IDLE_FAULTS:
            self.spoil(fault)
        else:
            told: Told = find.act(data)
            if not self.spoil(fault):
                self.reply(told.status, told.body, told.headers)
        return True

    def reply_fault(self, protocol: str, fault: str) -> None:
        status, message, headers = HTTP_FAULTS[fault]
        self.reply(status, error_body(protocol, status, message, headers), headers)

    def spoil(self, fault: str) -> bool:
        """Whether this fault replied with something else than an answer, or not at all."""
        if fault == "html":
            self.reply(502, "<html><body><h1>502 Bad Gateway</h1></body></html>")
        elif fault == "page":
            self.reply(200, "<html><body><h1>Sign in to this network</h1></body></html>")
        elif fault == "garbage":
            self.reply(200, '{"id": "garbage', {"Content-Type": "application/json"})
        elif fault == "hollow":
            self.reply(200, {})
        elif fault == "string":
            self.reply(503, {"error": "overloaded"})
        elif fault == "slow":
            time.sleep(5)
            self.reply(200, {})
        elif fault in ("dropped", "unheard"):
            self.hang_up()
        elif fault == "half":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"id": "half')
            self.wfile.flush()
            self.hang_up()
        else:
            return False
        return True

    def hang_up(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else None
        if data is None:
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = "text/html" if isinstance(body, str) else "application/json"
        self.send_response(status)
        for name, value in ({"Content-Type": kind} | (headers or {})).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

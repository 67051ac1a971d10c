"""Batches of the fake provider: they outlive the client, and end when their time has come."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fake_faults import HTTP_FAULTS, IDLE_FAULTS, error_body
from fake_protocols import Body, understand

if TYPE_CHECKING:
    from fake import Fake

# Besides those of HTTP, what loses the answer of a direct call is an error in a batch.
LOST = {"slow", "dropped", "half", "garbage"} | IDLE_FAULTS


def new(prefix: str = "") -> str:
    return prefix + uuid.uuid4().hex[:20]


@dataclass
class File:
    """A remote file."""

    id: str
    name: str
    data: bytes = field(repr=False)
    purpose: str
    created: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Request:
    """One of a batch."""

    id: str
    path: str  # where it would have been sent by itself
    body: Body = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    id: str
    kind: str  # succeeded, errored, expired, canceled
    status: int = 200
    body: Body = field(default_factory=dict, repr=False)  # the answer, or the error


@dataclass
class Batch:
    id: str
    protocol: str
    key: str
    requests: list[Request] = field(repr=False)
    seconds: float
    told: Body  # what the client said of it
    failed: Body | None = None  # why it was not even begun
    outcomes: list[Outcome] = field(default_factory=list, repr=False)
    created: float = field(default_factory=time.time)
    ended: float = 0.0
    canceled: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    output: str | None = None  # files
    errors: str | None = None

    def count(self, *kinds: str) -> int:
        return sum(outcome.kind in kinds for outcome in self.outcomes)

    def settle(self) -> bool:
        """Whether it has ended. One whose time has come is given a moment."""
        if time.time() >= self.created + self.seconds:
            self.done.wait(0.3)
        return self.done.is_set()


class Batches:
    """What was handed in, and the files."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.seconds = 0.0
        self.faults: Iterator[str] = iter(())
        self.submissions: list[tuple[str, ...]] = []
        self.files: dict[str, File] = {}
        self.all: dict[str, Batch] = {}
        self.closing = threading.Event()
        self.limits = {
            "openai": (50_000, 200_000_000),
            "anthropic": (100_000, 256_000_000),
            "gemini": (1_000_000, 2_000_000_000),
        }
        self.lock = threading.Lock()

    def keep(self, name: str, data: bytes, purpose: str, id: str) -> File:
        file = File(id, name, data, purpose)
        with self.lock:
            self.files[id] = file
        return file

    def newest(self, protocol: str) -> list[Batch]:
        with self.lock:
            return [b for b in reversed(self.all.values()) if b.protocol == protocol]

    def hand_in(self, batch: Batch) -> Batch:
        with self.lock:
            self.all[batch.id] = batch
            if not batch.failed:
                self.submissions.append(tuple(request.id for request in batch.requests))
        if batch.failed:
            batch.ended = time.time()
            batch.done.set()
        else:
            threading.Thread(target=self._work, args=(batch,), daemon=True).start()
        return batch

    def drop(self, id: str) -> None:
        with self.lock:
            del self.all[id]

    def _work(self, batch: Batch) -> None:
        while time.time() < batch.created + batch.seconds and not batch.canceled.wait(0.02):
            if self.closing.is_set():
                return
        for request in batch.requests:
            if self.closing.is_set():
                return
            if batch.canceled.is_set():
                batch.outcomes.append(Outcome(request.id, "canceled"))
                continue
            with self.lock:
                fault = next(self.faults, "")
            batch.outcomes.append(self._outcome(batch, request, fault))
        batch.outcomes.reverse()  # nobody promises an order
        batch.ended = time.time()
        self.fake.endpoints.finish(batch)
        batch.done.set()

    def _outcome(self, batch: Batch, request: Request, fault: str) -> Outcome:
        if fault == "expired":
            return Outcome(request.id, "expired")
        if fault in HTTP_FAULTS or fault in LOST:
            status, message, headers = HTTP_FAULTS.get(fault, (500, "oops", {}))
            return self._error(batch, request, status, message, headers)
        try:
            asked = understand(request.path, batch.key, request.body, request.id)
            with self.fake.lock:
                self.fake.asked.append(asked)
            return Outcome(request.id, "succeeded", 200, self.fake.say(asked, fault, batch=True))
        except Exception as e:  # whatever the client wrote there
            return self._error(batch, request, 400, f"{type(e).__name__}: {e}", {})

    @staticmethod
    def _error(
        batch: Batch, request: Request, status: int, message: str, headers: dict[str, str]
    ) -> Outcome:
        said = error_body(batch.protocol, status, message, headers)
        return Outcome(request.id, "errored", status, said)


def page(found: list[Any], after: str, limit: int) -> tuple[list[Any], bool]:
    """Those after this one, and whether more follow."""
    ids = [one.id for one in found]
    start = ids.index(after) + 1 if after in ids else 0
    return found[start : start + limit], len(found) > start + limit

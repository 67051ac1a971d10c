"""Slates that are asked in a thread, as a run asks them, while the test is the person."""

from __future__ import annotations

import http.client
import json
import runpy
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import pvd
from pvd.asking import Desk, opened
from pvd.progress import Silent
from pvd.settings import AskSettings
from pvd.store import Store
from pvd.testing import items, personas

HERE = Path(__file__).parent
LONG = 120.0  # seconds after which something hangs


def wait(true: Callable[[], Any], what: str = "it") -> Any:
    """Wait until it is so; the value."""
    deadline = time.monotonic() + LONG
    while not (found := true()):
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.01)
    return found


class Client:
    """What a browser would send, one request after the other."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.path = parts.netloc, parts.path

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        """Status, body and headers of the answer. `path` below the token, or whole with a /."""
        connection = http.client.HTTPConnection(self.host, timeout=LONG)
        whole = path if path.startswith("/") else self.path + path
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, whole, body, given)
            found = connection.getresponse()
            return found.status, found.read(), found.headers
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, bytes]:
        status, data, _ = self.send("GET", path)
        return status, data

    def post(self, path: str, value: Any = None) -> tuple[int, Any]:
        """Status, and the JSON of the answer."""
        body = json.dumps({} if value is None else value).encode()
        status, data, _ = self.send("POST", path, body, Content_Type="application/json")
        return status, json.loads(data)

    def state(self, seen: int = -1) -> dict[str, Any]:
        status, data = self.get("state" if seen < 0 else f"state?seen={seen}")
        assert status == 200, data
        found: dict[str, Any] = json.loads(data)
        return found

    def shown(self) -> dict[str, Any]:
        """The slate that is shown, once there is one."""
        found: dict[str, Any] = wait(lambda: self.state()["slate"], "a slate")
        return found

    def answer(self, order: Sequence[int] | None = None) -> str:
        """Order the slate that is shown; its id."""
        slate = self.shown()
        order = list(range(len(slate["pictures"]))) if order is None else list(order)
        status, said = self.post("answer", {"id": slate["id"], "order": order})
        assert status == 200, said
        return str(slate["id"])


class Said(Silent):
    """Keeps the lines that must be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def insist(self, line: str) -> None:
        self.lines.append(line)


@dataclass
class Sitting:
    """An asking under way, and what comes of it."""

    store: Path
    slates: list[pvd.Slate]
    options: dict[str, Any] = field(default_factory=dict)
    ask: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.teacher = pvd.load("teacher", "human", **self.options)
        self.said = Said()
        self.judgments: list[pvd.Judgment | None] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        self.client = Client(self.address)

    def _ask(self) -> None:
        try:
            with Store(self.store) as store, opened(self.teacher, 7) as teacher:
                # Who is told to hurry is not called again, as in a command that ends.
                desk = Desk(store, AskSettings(**{"retries": 0, **self.ask}), self.said)
                self.judgments = desk.judgments(
                    teacher, len(self.slates), lambda n, attempt: self.slates[n]
                )
        except BaseException as error:
            self.error = error

    @property
    def address(self) -> str:
        def found() -> str:
            assert self.error is None, self.error
            return next((line.strip() for line in self.said.lines if "http://" in line), "")

        return str(wait(found, "the address"))

    def digests(self) -> list[str]:
        """The store's keys of the slates, in their order."""
        return [self.teacher.request(slate).digest for slate in self.slates]

    def end(self) -> list[pvd.Judgment | None]:
        """The judgments, once all are there."""
        self._thread.join(LONG)
        assert not self._thread.is_alive(), "the asking goes on"
        if self.error is not None:
            raise self.error
        return self.judgments

    def stop(self) -> None:
        """Ask no more."""
        self.teacher.hurry()
        self._thread.join(LONG)
        assert not self._thread.is_alive(), "the asking goes on"

    def stored(self) -> dict[str, Any]:
        """The raw replies that the store has, by digest."""
        with Store(self.store) as store:
            return {
                d: json.loads(reply.text) for d, (reply, _) in store.get(self.digests()).items()
            }

    def journal(self) -> list[str]:
        """The digests of the answers that are on disk beside the store."""
        return sorted(path.stem for path in (self.store.parent / "human").glob("*.json"))


@pytest.fixture
def sit(tmp_path: Path) -> Iterator[Callable[..., Sitting]]:
    """Begins to ask; what is still asked when the test ends is stopped."""
    with ExitStack() as stack:

        def begin(
            slates: list[pvd.Slate], ask: dict[str, Any] | None = None, **options: Any
        ) -> Sitting:
            sitting = Sitting(tmp_path / "store" / "answers.sqlite", slates, options, ask or {})
            stack.callback(sitting.stop)
            return sitting

        yield begin


@pytest.fixture
def slates() -> Callable[..., list[pvd.Slate]]:
    """Makes so many slates of so many items, three slates a persona."""

    def made(count: int, size: int = 5) -> list[pvd.Slate]:
        shop, people = items(count + size), personas(count)
        return [
            pvd.Slate(people[n // 3], tuple(shop[n : n + size]), repeat=n) for n in range(count)
        ]

    return made


@pytest.fixture
def client() -> type[Client]:
    """`Client`, for tests: with import mode importlib they cannot import it."""
    return Client


@pytest.fixture
def until() -> Callable[..., Any]:
    """`wait`, likewise."""
    return wait


@pytest.fixture(scope="session")
def chromium() -> Any:
    """The module that drives a browser."""
    return type("chromium", (), runpy.run_path(str(HERE / "chromium.py")))

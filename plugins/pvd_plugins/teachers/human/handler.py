"""What the page may ask of its server, and who may ask.

Every path begins with a random token, so that other users of the machine and other pages in the
browser find nothing. `Host` must name this machine: a stranger's page whose name was made to lead
here (DNS rebinding) is turned away, and so is what another page sends. There are no cookies.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from pvd import kit
from pvd_plugins.teachers.human import replies
from pvd_plugins.teachers.human.board import Board, Stale

if TYPE_CHECKING:
    from pvd_plugins.teachers.human.server import Page

NAMES = ("127.0.0.1", "localhost")  # with any port: an ssh tunnel has one of its own
MOST = 16_384  # bytes that the page may send at once
WATCH = 20.0  # seconds until a page that waits for news asks again
SCRIPT = "text/javascript; charset=utf-8"
FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", SCRIPT),
    "showing.js": ("showing.js", SCRIPT),
    "dragging.js": ("dragging.js", SCRIPT),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; script-src "
    "'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Wrong(Exception):
    """A request that is turned away, with its status and a sentence for the page."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    """One connection of a browser."""

    server: Page
    protocol_version = "HTTP/1.1"
    timeout = 60.0  # seconds until a connection that says nothing is closed
    server_version, sys_version = "pvd", ""

    def do_GET(self) -> None:
        self._guarded(self._get)

    def do_POST(self) -> None:
        self._guarded(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: the paths hold the token."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self.close_connection = True
        self._json(code, {"why": message or "No."})

    # --- who is let in ------------------------------------------------------------------------

    def _guarded(self, serve: Callable[[str, str], None]) -> None:
        with self.server.calm:
            self.server.under_way += 1
        try:
            serve(*self._let_in())
        except Wrong as wrong:
            # What stands in an unread body would be taken for the next request.
            self.close_connection = self.close_connection or self.command == "POST"
            self._json(wrong.status, {"why": str(wrong)})
        finally:
            with self.server.calm:
                self.server.under_way -= 1
                self.server.calm.notify_all()

    def _let_in(self) -> tuple[str, str]:
        """The path below the token, and the query."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].partition(":")[0] not in NAMES:
            raise Wrong(403, "This page is for this machine alone.")
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{hosts[0]}":
            raise Wrong(403, "Another page may not speak for this one.")
        parts = urlsplit(self.path)
        token, slash, path = parts.path.removeprefix("/").partition("/")
        same = hmac.compare_digest(token.encode(), self.server.token.encode())
        if not (same and slash):
            raise Wrong(
                403, "This address is not whole, or of an earlier command; open the new one."
            )
        return path, parts.query

    # --- out ----------------------------------------------------------------------------------

    def _get(self, path: str, query: str) -> None:
        if path in FILES:
            name, kind = FILES[path]
            self._send(200, kind, (resources.files(__package__) / name).read_bytes())
        elif path == "state":
            seen = parse_qs(query).get("seen", [""])[0]
            self._state(int(seen) if seen.isdecimal() else None)
        elif path.startswith("picture/"):
            self._picture(path.removeprefix("picture/"))
        else:
            raise Wrong(404, "There is nothing here.")

    def _state(self, seen: int | None) -> None:
        """What there is, or for a window that has seen a version what is newer than that."""
        board, server = self.server.board, self.server
        if seen is None:
            self._json(200, board.view())
            return
        with server.calm:
            server.expected = max(server.expected - 1, 0)
        view = board.view(seen, WATCH)
        with server.calm:
            server.expected += not view["over"]
        self._json(200, view)

    def _picture(self, digest: str) -> None:
        try:
            data = self.server.picture(digest)
        except (kit.BadInput, OSError) as error:  # it was whole when the run began
            raise Wrong(404, str(error)) from None
        if data is None:
            raise Wrong(404, "This picture is not asked about now.")
        self._send(200, "image/jpeg", data, "private, max-age=3600, immutable")

    def _json(self, status: int, value: Mapping[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, data: bytes, cache: str = "no-store") -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", cache)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    # --- in -----------------------------------------------------------------------------------

    def _post(self, path: str, query: str) -> None:
        if path not in ACTS:
            raise Wrong(404, "There is nothing here.")
        sent, board = self._body(), self.server.board
        try:
            ACTS[path](board, sent)
        except Stale as stale:
            raise Wrong(409, str(stale)) from None
        except OSError as error:
            raise Wrong(
                507, f"The answer cannot be kept ({error.strerror}); make room, then try again."
            ) from None
        self._json(200, board.view())

    def _body(self) -> dict[str, Any]:
        if self.headers.get_content_type() != "application/json":
            raise Wrong(415, "Only JSON is taken.")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            raise Wrong(411, "A length is missing.")
        if int(length) > MOST:
            raise Wrong(413, "That is too long.")
        try:
            sent = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise Wrong(400, "That is no JSON.") from None
        if not isinstance(sent, dict):
            raise Wrong(400, "That is no object.")
        return sent


def _draft(board: Board, sent: Mapping[str, Any]) -> None:
    digest, order = _placed(board, sent)
    board.draft(digest, order, str(sent.get("window", "")))


def _answer(board: Board, sent: Mapping[str, Any]) -> None:
    digest, order = _placed(board, sent)
    if not order:
        raise Wrong(400, "Nothing is placed yet.")
    board.answer(digest, order, replies.ranked(order, board.size(digest)))


def _skip(board: Board, sent: Mapping[str, Any]) -> None:
    digest, order = _placed(board, sent)
    board.answer(digest, order, replies.SKIPPED)


def _placed(board: Board, sent: Mapping[str, Any]) -> tuple[str, list[int]]:
    """The slate that is meant, and the distinct positions placed in it, best first."""
    digest, order = str(sent.get("id")), sent.get("order")
    size = board.size(digest)
    if (
        not isinstance(order, list)
        or not all(type(position) is int and 0 <= position < size for position in order)
        or len(set(order)) != len(order)
    ):
        raise Wrong(400, "That is no order of this slate.")
    return digest, order


ACTS: dict[str, Callable[[Board, Mapping[str, Any]], None]] = {
    "draft": _draft,
    "answer": _answer,
    "skip": _skip,
    "undo": lambda board, sent: board.undo(),
    "done": lambda board, sent: board.hand_in(),
}

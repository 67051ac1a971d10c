"""The page's server, on this machine alone: one for each person, whoever asks."""

from __future__ import annotations

import secrets
import socketserver
import sys
from collections import OrderedDict
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Lock, Thread
from typing import Any

from pvd import kit
from pvd_plugins.teachers.human.board import Board
from pvd_plugins.teachers.human.handler import Handler
from pvd_plugins.teachers.human.journal import Journal

HOST = "127.0.0.1"
SIDE = 1200  # pixels of a picture's longer side
PICTURES = 64  # encoded ones in memory
LAST = 1.0  # seconds in which open windows are told that it is over


class Page(ThreadingHTTPServer):
    """The page of one person, from `join` to the last `leave`."""

    daemon_threads = True
    allow_reuse_port = False  # two commands on one port would share its visitors

    def __init__(self, port: int, board: Board) -> None:
        super().__init__((HOST, port), Handler)
        self.board = board
        self.token = secrets.token_urlsafe(16)
        self.users = 0  # teachers that have it
        self.under_way = 0  # requests
        self.expected = 0  # windows that were told news, and look for more at once
        self.calm = Condition()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()

    def server_bind(self) -> None:
        # HTTPServer's own would look the machine's name up, in the network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    @property
    def address(self) -> str:
        """What to open."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def picture(self, digest: str) -> bytes | None:
        """A picture of the board as JPEG, the latest ones from memory; None if it is not there."""
        with self.calm:
            if digest in self._pictures:
                self._pictures.move_to_end(digest)
                return self._pictures[digest]
        item = self.board.item(digest)
        if item is None:
            return None
        data = kit.jpeg(item.open(), SIDE)
        with self.calm:
            self._pictures[digest] = data
            while len(self._pictures) > PICTURES:
                self._pictures.popitem(last=False)
        return data

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hung up is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Tell the open pages that it is over, and let go of the port."""
        self.board.close()
        with self.calm:
            self.calm.wait_for(lambda: not (self.under_way or self.expected), timeout=LAST)
        self.shutdown()
        self.server_close()


_pages: dict[tuple[str, Path | None], Page] = {}
_lock = Lock()


def join(who: str, question: str, port: int, folder: Path | None) -> Page:
    """The page of a person: one in a process, also if the person is teacher and judge."""
    with _lock:
        page = _pages.get((who, folder))
        if page is None:
            board = Board(question, Journal(folder and folder / "human"))
            try:
                page = _pages[who, folder] = Page(port, board)
            except OSError as error:
                raise kit.BadInput(
                    f"The page cannot use port {port} of {HOST} ({error.strerror}); choose another "
                    "one with teacher.port or judge.port, or 0 for any that is free."
                ) from None
            Thread(target=page.serve_forever, args=(0.05,), daemon=True, name="human").start()
        page.users += 1
    return page


def leave(page: Page) -> None:
    """One teacher less; without any the page closes."""
    with _lock:
        page.users -= 1
        if page.users:
            return
        for key in [key for key, one in _pages.items() if one is page]:
            del _pages[key]
    page.stop()

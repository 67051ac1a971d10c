"""No network: while a plug-in is checked, sockets lead to this machine alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@contextmanager
def offline() -> Iterator[None]:
    """While this lasts no connection leaves this machine, in any thread: to look a name up raises
    `socket.gaierror`, to connect `OSError`. Loopback stays, for servers that a test starts."""
    find, by_name = socket.getaddrinfo, socket.gethostbyname
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def check_name(host: Any) -> None:
        if host not in (None, "", *LOOPBACK):
            raise socket.gaierror(f"{host} is not looked up: a check never uses the network")

    def check_address(one: socket.socket, address: Any) -> None:
        inside = one.family not in (socket.AF_INET, socket.AF_INET6) or address[0] in LOOPBACK
        if not inside:
            raise OSError(f"{address[0]} is not reached: a check never uses the network")

    def found(host: Any, *rest: Any, **more: Any) -> Any:
        check_name(host)
        return find(host, *rest, **more)

    def named(host: str) -> str:
        check_name(host)
        return by_name(host)

    def connected(self: socket.socket, address: Any) -> None:
        check_address(self, address)
        connect(self, address)

    def connected_ex(self: socket.socket, address: Any) -> int:
        check_address(self, address)
        return connect_ex(self, address)

    socket.getaddrinfo, socket.gethostbyname = found, named
    socket.socket.connect = connected  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = connected_ex  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        socket.getaddrinfo, socket.gethostbyname = find, by_name
        socket.socket.connect = connect  # type: ignore[method-assign]
        socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]

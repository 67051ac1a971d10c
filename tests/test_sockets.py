"""No test speaks with anybody but this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import urllib.error
import urllib.request

import pytest


@pytest.mark.parametrize("address", ["192.0.2.1", "example.org", "10.0.0.1", "0.0.0.0"])
def test_a_socket_leads_to_this_machine_only(address: str) -> None:
    with socket.socket() as one, pytest.raises(PermissionError, match="loopback only"):
        one.connect((address, 80))
    with socket.socket() as one, pytest.raises(PermissionError, match="loopback only"):
        one.connect_ex((address, 80))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        pytest.raises(PermissionError, match="loopback only"),
    ):
        one.connect((address, 53))


def test_what_is_built_on_sockets_does_not_either() -> None:
    with pytest.raises(PermissionError, match="loopback only"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.URLError, match="loopback only"):
        direct.open("http://192.0.2.1/", timeout=1)

    async def ask() -> None:
        await asyncio.open_connection("192.0.2.1", 80)

    with pytest.raises(PermissionError, match="loopback only"):
        asyncio.run(ask())


def test_no_name_is_looked_up() -> None:
    with pytest.raises(socket.gaierror, match="only this machine"):
        socket.getaddrinfo("example.org", 443)
    with pytest.raises(socket.gaierror, match="only this machine"):
        socket.create_connection(("example.org", 443), timeout=1)
    assert socket.getaddrinfo("localhost", 80)
    assert socket.getaddrinfo("192.0.2.1", 80, 0, socket.SOCK_STREAM), "that is no name"


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_nobody_pays_for_a_test() -> None:
    assert not [name for name in os.environ if name.endswith("_API_KEY")]

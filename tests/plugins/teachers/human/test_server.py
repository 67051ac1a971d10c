"""The page's server: who is let in, and what is served."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

import pvd
from pvd import kit
from pvd_plugins.teachers.human import handler


@pytest.fixture
def sitting(sit: Callable[..., Any], slates: Any) -> Any:
    """Four slates are asked, and one is shown."""
    here = sit(slates(4))
    here.client.shown()
    return here


def test_only_who_knows_the_address(sitting: Any) -> None:
    client = sitting.client
    token = client.path.strip("/")
    assert len(token) >= 20
    assert client.get("")[0] == 200
    for path in (
        "/",
        f"/{token[:-1]}x/",
        f"/{token}",
        f"/{token}x/state",
        "/state",
        "/page.js",
        "//",
    ):
        status, data = client.get(path)
        assert status == 403, path
        assert b"open the new one" in data
        status, data, _ = client.send("POST", path + "undo", b"{}", Content_Type="application/json")
        assert status == 403, path


def test_each_command_has_its_own_address(sit: Callable[..., Any], slates: Any) -> None:
    first = sit(slates(1))
    second = sit(slates(1), who="ann")
    assert first.client.path != second.client.path


def test_it_listens_on_this_machine_alone(sitting: Any) -> None:
    host, port = sitting.teacher._page.socket.getsockname()
    assert host == "127.0.0.1"
    outside = [
        found[4][0] for found in socket.getaddrinfo(None, port, socket.AF_INET, socket.SOCK_STREAM)
    ]
    assert set(outside) == {"127.0.0.1"}
    assert sitting.address.startswith(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:{port}", 200), ("localhost:8000", 200), ("localhost", 200),
     ("rebound.example:{port}", 403), ("127.0.0.1.example:{port}", 403), ("", 403),
     ("[::1]:{port}", 403), ("0.0.0.0:{port}", 403)],
)  # fmt: skip
def test_the_host_must_be_this_machine(host: str, status: int, sitting: Any) -> None:
    """A name of a stranger's that was made to lead here is turned away; a tunnel is not."""
    port = sitting.client.host.partition(":")[2]
    assert sitting.client.send("GET", "", Host=host.format(port=port))[0] == status


def test_two_hosts_are_none(sitting: Any) -> None:
    host, _, port = sitting.client.host.partition(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(
            f"GET {sitting.client.path} HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        assert raw.makefile("rb").readline() == b"HTTP/1.1 403 Forbidden\r\n"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_pages_may_not_speak(method: str, sitting: Any) -> None:
    body = b"{}" if method == "POST" else None
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"):
        status, _, headers = sitting.client.send(
            method, "undo", body, Origin=origin, Content_Type="application/json"
        )
        assert status == 403, origin
        assert "Access-Control-Allow-Origin" not in headers
    own = f"http://{sitting.client.host}"
    assert sitting.client.send("GET", "state", Origin=own)[0] == 200


def test_what_may_be_sent(sitting: Any) -> None:
    client = sitting.client
    good = {"Content_Type": "application/json"}
    assert client.send("POST", "undo", b"{}", Content_Type="text/plain")[0] == 415
    assert client.send("POST", "undo", b"{}")[0] == 415
    form = "application/x-www-form-urlencoded"
    assert client.send("POST", "undo", b"a=b", Content_Type=form)[0] == 415
    assert client.send("POST", "undo", b"x" * (handler.MOST + 1), **good)[0] == 413
    assert client.send("POST", "undo", b"{", **good)[0] == 400
    assert client.send("POST", "undo", b"[" * handler.MOST, **good)[0] == 400
    assert client.send("POST", "undo", b"[]", **good)[0] == 400
    assert client.send("POST", "undo", b"{}", Content_Length="x", **good)[0] == 411
    assert client.send("POST", "else", b"{}", **good)[0] == 404
    assert client.send("PUT", "undo", b"{}", **good)[0] == 501
    assert client.send("OPTIONS", "undo", b"", **good)[0] == 501, "no other origin is told yes"
    assert client.post("undo")[0] == 409
    assert client.shown()["order"] == []


@pytest.mark.parametrize(
    "order", [None, "012", [0, 0], [5], [-1], [True], [0.0], ["0"], [[0]], [0, 1, 2, 3, 4, 5], {}]
)
def test_an_order_must_fit_the_slate(order: Any, sitting: Any) -> None:
    slate = sitting.client.shown()
    for act in ("draft", "answer", "skip"):
        status, said = sitting.client.post(act, {"id": slate["id"], "order": order})
        assert (status, said["why"]) == (400, "That is no order of this slate.")
    assert sitting.client.shown() == slate


def test_nothing_placed_is_no_answer(sitting: Any) -> None:
    slate = sitting.client.shown()
    assert sitting.client.post("answer", {"id": slate["id"], "order": []})[0] == 400
    assert sitting.client.state()["done"] == 0


def test_every_answer_says_what_may_be_loaded(sitting: Any) -> None:
    client = sitting.client
    picture = client.shown()["pictures"][0]
    for path in (
        "",
        "page.js",
        "page.css",
        "icon.svg",
        "state",
        f"picture/{picture}",
        "none",
        "/x",
    ):
        _, _, headers = client.send("GET", path)
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Server"].strip() == "pvd"
        assert "Set-Cookie" not in headers
        assert headers["Cache-Control"].startswith("private" if picture in path else "no-store")


def test_the_page_loads_nothing_from_elsewhere(sitting: Any) -> None:
    for path in ("", "page.js", "showing.js", "dragging.js", "page.css"):
        status, data = sitting.client.get(path)
        text = data.decode()
        assert status == 200
        assert "//" not in text.replace("// ", ""), path
        assert "innerHTML" not in text
        assert "style=" not in text


def test_texts_are_data(sit: Callable[..., Any], slates: Any) -> None:
    """They come as JSON, and the page puts them in as text."""
    (slate,) = slates(1)
    text = '</script><img src=x onerror=alert(1)> & "quoted"'
    strange = pvd.Slate(pvd.Persona("p", text), slate.items)
    client = sit([strange]).client
    assert client.shown()["persona"] == text
    assert text.encode() not in client.get("")[1]


def test_a_picture_is_a_jpeg_and_only_of_the_board(sitting: Any) -> None:
    client = sitting.client
    slate = client.shown()
    for digest in (*slate["pictures"], *client.state()["next"]):
        status, data, headers = client.send("GET", f"picture/{digest}")
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        assert Image.open(io.BytesIO(data)).format == "JPEG"
    for other in ("0" * 64, "", "../page.py", "%2e%2e/handler.py", slate["pictures"][0] + "/x"):
        assert client.get(f"picture/{other}")[0] == 404
    assert client.get("handler.py")[0] == 404


def test_a_picture_that_is_lost_stops_nothing(sit: Callable[..., Any], slates: Any) -> None:
    (slate,) = slates(1)
    slate.items[0].digest  # noqa: B018 - as the run does before anything is asked
    (lost,) = slate.items[:1]
    broken = pvd.Item(lost.id, lambda: b"no picture", lost.title, lost.attributes)
    broken.__dict__["digest"] = lost.digest
    client = sit([pvd.Slate(slate.persona, (broken, *slate.items[1:]))]).client
    shown = client.shown()
    status, data = client.get(f"picture/{shown['pictures'][0]}")
    assert status == 404
    assert "item-0" in json.loads(data)["why"]
    client.answer()


def test_the_page_is_told_when_it_is_over(sit: Callable[..., Any], slates: Any) -> None:
    sitting = sit(slates(2))
    client = sitting.client
    for _ in range(2):
        client.answer()
    version = client.state()["version"]
    found: list[Any] = []

    def watch() -> None:
        seen = version
        while not found or not found[-1]["over"]:
            found.append(client.state(seen))
            seen = found[-1]["version"]

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    client.post("done")
    sitting.end()
    watcher.join(30)
    assert not watcher.is_alive()
    assert found[-1]["over"]
    with pytest.raises(ConnectionRefusedError):
        client.get("")


def test_a_taken_port_is_said(sit: Callable[..., Any], slates: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(kit.BadInput, match=rf"cannot use port {port} .*judge\.port"):
            pvd.load("teacher", "human", port=port).connect()


def test_a_port_may_be_chosen(sit: Callable[..., Any], slates: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert sit(slates(1), port=port).client.host == f"127.0.0.1:{port}"


def test_a_full_disk_is_said_on_the_page(sitting: Any) -> None:
    (sitting.store.parent / "human").write_text("a file where the folder should be")
    slate = sitting.client.shown()
    status, said = sitting.client.post("answer", {"id": slate["id"], "order": [0, 1, 2, 3, 4]})
    assert status == 507
    assert said["why"].startswith("The answer cannot be kept (")
    (sitting.store.parent / "human").unlink()
    assert sitting.client.answer() == slate["id"]

"""Drives a headless Chromium over a pair of pipes, by its DevTools protocol; nothing to install.

`--remote-debugging-pipe`: JSON messages, each ended by a NUL, on the browser's descriptors 3 and 4.
What is done here is done to the page as a mouse, a keyboard and a finger would do it.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome")
LONG = 120.0  # seconds after which something hangs
# Puts the pipes where Chromium looks for them, from numbers that do not overlap with those.
LAUNCH = """
import fcntl, os, sys
there, back = (fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3])
os.dup2(there, 3), os.dup2(back, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
KEYS = {  # what a key is called: its code, the number that Windows gave it, and the text it types
    "Enter": ("Enter", 13, "\r"), " ": ("Space", 32, " "), "Backspace": ("Backspace", 8, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""), "ArrowUp": ("ArrowUp", 38, ""), "Tab": ("Tab", 9, ""),
    "ArrowRight": ("ArrowRight", 39, ""), "ArrowDown": ("ArrowDown", 40, ""),
}  # fmt: skip
SHIFT = 8


def find() -> str | None:
    """The browser on this machine, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Chromium:
    """A browser with a profile of its own in `folder`; it and its processes end with the block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._buffer = b""
        self.said: list[str] = []  # what pages wrote to their console, and errors in them

    def __enter__(self) -> Self:
        there, self._out = os.pipe()
        self._in, back = os.pipe()
        program = find()
        assert program is not None
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
            "--disable-component-update", "--disable-extensions", "--disable-sync", "--mute-audio",
            "--disable-breakpad",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            "--remote-debugging-pipe", f"--user-data-dir={self._folder}", "about:blank",
        ]  # fmt: skip
        self._log = (self._folder.parent / "chromium.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(there), str(back), program, *flags],
            pass_fds=(there, back), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip
        os.close(there)
        os.close(back)
        self.call("Target.setDiscoverTargets", discover=False)
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError, AssertionError):
            self.call("Browser.close")
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        with suppress(ProcessLookupError):  # its own session: nothing else is in there
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._out)
        os.close(self._in)
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)  # many megabytes that nobody looks at

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Give a command and wait for what it answers."""
        return self.calls((method, parameters), session=session)[-1]

    def calls(
        self, *commands: tuple[str, dict[str, Any]], session: str = ""
    ) -> list[dict[str, Any]]:
        """Several commands one right after the other, as fast as fingers are."""
        wanted = []
        for method, parameters in commands:
            wanted.append(next(self._numbers))
            message: dict[str, Any] = {"id": wanted[-1], "method": method, "params": parameters}
            if session:
                message["sessionId"] = session
            os.write(self._out, json.dumps(message).encode() + b"\0")
        found: dict[int, dict[str, Any]] = {}
        while len(found) < len(wanted):
            said = self._receive(commands[0][0])
            if said.get("id") in wanted:
                assert "error" not in said, f"{commands}: {said['error']}"
                found[said["id"]] = said["result"]
        return [found[number] for number in wanted]

    def _receive(self, what: str) -> dict[str, Any]:
        deadline = time.monotonic() + LONG
        while b"\0" not in self._buffer:
            left = max(deadline - time.monotonic(), 0)
            assert select.select([self._in], [], [], left)[0], f"no answer to {what}"
            got = os.read(self._in, 1 << 20)
            assert got, f"Chromium ended: {self._log_text()}"
            self._buffer += got
        line, _, self._buffer = self._buffer.partition(b"\0")
        said: dict[str, Any] = json.loads(line)
        self._note(said)
        return said

    def _note(self, said: dict[str, Any]) -> None:
        method, parameters = said.get("method"), said.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.said.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.said.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")

    def _log_text(self) -> str:
        return (self._folder.parent / "chromium.log").read_text(errors="replace")[-2000:]

    def open(self, address: str, width: int = 1200, height: int = 900, touch: bool = False) -> Tab:
        """A new tab of this size; `touch`: a phone."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        tab = Tab(self, attached["sessionId"], target)
        for domain in ("Page", "Runtime", "Log"):
            tab.call(f"{domain}.enable")
        tab.resize(width, height, touch)
        tab.call("Page.navigate", url=address)
        return tab


class Tab:
    """One page."""

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self._browser, self._session, self._target = browser, session, target

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command to this page."""
        return self._browser.call(method, self._session, **parameters)

    def resize(self, width: int, height: int, touch: bool = False) -> None:
        """The window's size in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if touch else 1, mobile=touch,
        )  # fmt: skip
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)

    def media(self, **features: str) -> None:
        """What the user prefers: prefers_color_scheme="dark"."""
        wanted = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", features=wanted)

    def front(self) -> None:
        """The tab that is seen."""
        self.call("Page.bringToFront")

    def reload(self) -> None:
        """As with F5."""
        self.call("Page.reload")

    def close(self) -> None:
        """Close it."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    # --- looking --------------------------------------------------------------------------------

    def value(self, script: str) -> Any:
        """What an expression of JavaScript gives in the page."""
        got = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in got, got["exceptionDetails"]
        return got["result"].get("value")

    def until(self, script: str, seconds: float = LONG) -> None:
        """Wait until an expression is true, also across reloads."""
        wait(
            lambda: self.value(f"Boolean({script})"),
            f"{script}; the page says: {self.text()!r}",
            seconds,
        )

    def text(self) -> str:
        """All that can be read."""
        return str(self.value("document.body ? document.body.innerText : ''"))

    def middle(self, selector: str) -> tuple[float, float]:
        """Where an element is, after it was scrolled into view."""
        found = self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "if (!e) return null; e.scrollIntoView({block: 'nearest'});"
            "const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        assert found, f"there is no {selector}"
        return found[0], found[1]

    def boxes(self, selector: str) -> list[list[float]]:
        """Left, top, width and height of each element."""
        found: list[list[float]] = self.value(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => "
            "{ const r = e.getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; })"
        )
        return found

    def screenshot(self, path: Path) -> None:
        """What is seen, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    # --- doing ----------------------------------------------------------------------------------

    def mouse(self, kind: str, x: float, y: float, pressed: bool = False) -> None:
        """One event: mouseMoved, mousePressed, mouseReleased."""
        self.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, clickCount=int(kind != "mouseMoved"),
            button="none" if kind == "mouseMoved" and not pressed else "left",
            buttons=int(pressed),
        )  # fmt: skip

    def click(self, selector: str) -> None:
        """With the mouse."""
        x, y = self.middle(selector)
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, pressed=True)
        self.mouse("mouseReleased", x, y)

    def drag(self, source: str, target: str) -> None:
        """With the mouse, in several steps."""
        (x, y), (to_x, to_y) = self.middle(source), self.middle(target)
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, pressed=True)
        for step in (0.05, 0.3, 0.7, 1.0):
            self.mouse("mouseMoved", x + (to_x - x) * step, y + (to_y - y) * step, pressed=True)
        self.mouse("mouseReleased", to_x, to_y)

    def key(self, key: str, modifiers: int = 0) -> None:
        """Press and release a key."""
        code, number, text = KEYS.get(key) or (
            f"Digit{key}" if key.isdigit() else f"Key{key.upper()}", ord(key.upper()), key
        )  # fmt: skip
        said = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        kind = "keyDown" if text else "rawKeyDown"
        self.call("Input.dispatchKeyEvent", type=kind, **said, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **said)

    def finger(self, kind: str, *points: tuple[float, float]) -> None:
        """One event: touchStart, touchMove, touchEnd."""
        self.call("Input.dispatchTouchEvent", **_touch(kind, *points))

    def tap(self, selector: str) -> None:
        """With a finger. Both events at once: who waits between them presses for long."""
        events = (_touch("touchStart", self.middle(selector)), _touch("touchEnd"))
        self._browser.calls(
            *(("Input.dispatchTouchEvent", event) for event in events), session=self._session
        )

    def carry(self, source: str, target: str, rest: bool) -> None:
        """With a finger, to another place; `rest` on it first, until it is lifted."""
        (x, y), (to_x, to_y) = self.middle(source), self.middle(target)
        self.finger("touchStart", (x, y))
        if rest:
            self.until("document.querySelector('.ghost')")
        for step in (0.1, 0.5, 1.0):
            self.finger("touchMove", (x + (to_x - x) * step, y + (to_y - y) * step))
        self.finger("touchEnd")


def _touch(kind: str, *points: tuple[float, float]) -> dict[str, Any]:
    return {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}


def wait(true: Callable[[], Any], what: str, seconds: float = LONG) -> Any:
    """Wait until it is so; the value. What fails while a page is loading is tried again."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := true():
                return found
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.02)

"""The board: which slates wait for a person, and what the person said, until it is final.

The asking's threads wait here, one a slate; the page's threads bring orders. All of it is under one
lock, `_changed`, which also wakes whoever waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from threading import Condition
from typing import Any

import pvd
from pvd import kit
from pvd_plugins.teachers.human.journal import Journal

HELD = 3  # latest answers that can be taken back
PAUSE = 5.0  # seconds in which they can, once nothing else is to do
PACE = 20  # latest slates that tell how long one takes
FEW = 3  # of them, below which nothing is told
BREAK = 180.0  # seconds after which somebody went for a coffee


class Stale(Exception):
    """The page speaks of a slate that is not the one to answer: another window was first."""


@dataclass(eq=False)
class Sheet:
    """A slate on the board."""

    request: pvd.Request
    order: list[int] = field(default_factory=list)  # placed so far, best first
    by: str = ""  # the window that placed them
    seen: float | None = None  # when it was first shown
    reply: str = ""  # what was said
    said: float = 0.0  # and when, in seconds since 1970
    final: bool = False  # it cannot be taken back any more
    waiting: int = 0  # threads that asked

    @property
    def size(self) -> int:
        return len(self.request.slate.items)

    @property
    def pictures(self) -> list[str]:
        return [item.digest for item in self.request.slate.items]


class Board:
    """For one person. `clock` in seconds."""

    def __init__(
        self, question: str, journal: Journal, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._question, self._journal, self._clock = question, journal, clock
        self._changed = Condition()
        self._sheets: dict[str, Sheet] = {}
        self._open: list[Sheet] = []  # the first one is shown
        self._held: list[Sheet] = []  # answered, the oldest first
        self._due: float | None = None  # when what is held is final, if nothing happens
        self._version = 0
        self._of = self._done = 0
        self._paces: list[float] = []
        self._stopped = self._over = False

    # --- the asking's side --------------------------------------------------------------------

    def expect(self, questions: int, stored: int) -> None:
        """What is asked now, and how much of it the store has."""
        with self._changed:
            self._of, self._done = questions, stored
            self._review()

    def ask(self, request: pvd.Request) -> str:
        """The raw reply, once it is final; Busy if the asking ends before."""
        with self._changed:
            sheet = self._sheets.get(request.digest) or self._put_up(request)
            sheet.waiting += 1
            try:
                while not sheet.final:
                    if self._stopped:
                        raise kit.Busy("the person was not asked any more")
                    left = None if self._due is None else self._due - self._clock()
                    if left is not None and left <= 0:
                        self._hand_in()
                    else:
                        self._changed.wait(left)
                return sheet.reply
            finally:
                sheet.waiting -= 1
                if not sheet.waiting:
                    del self._sheets[request.digest]
                    if sheet in self._open:
                        self._open.remove(sheet)
                    self._review()

    def _put_up(self, request: pvd.Request) -> Sheet:
        before = self._journal.read(request.digest)
        sheet = self._sheets[request.digest] = Sheet(request)
        if before is not None:  # of a command that was killed
            sheet.said, sheet.reply = before
            self._held = sorted([*self._held, sheet], key=lambda sheet: sheet.said)
            self._done += 1
        else:
            self._open.append(sheet)
        self._review()
        return sheet

    def kept(self, digests: Sequence[str]) -> None:
        """The store has these answers."""
        self._journal.drop(digests)

    def stop(self) -> None:
        """What was said is final, what was not will not be asked."""
        with self._changed:
            self._stopped = True
            self._hand_in()

    def close(self) -> None:
        """Nothing comes any more."""
        with self._changed:
            self._over = True
            self._review()

    # --- the page's side ----------------------------------------------------------------------

    def view(self, seen: int = -1, wait: float = 0.0) -> dict[str, Any]:
        """What the page shows, as JSON; if it has seen this version, once there is another, or
        after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._version != seen, timeout=wait)
            return self._view()

    def draft(self, digest: str, order: Sequence[int], window: str) -> None:
        """What is placed so far: a reload, or another window, goes on from there."""
        with self._changed:
            sheet = self._first(digest)
            sheet.order, sheet.by = list(order), window
            self._review()

    def answer(self, digest: str, order: Sequence[int], reply: str) -> None:
        """The person has decided on the slate that is shown; OSError if that cannot be kept."""
        with self._changed:
            sheet = self._first(digest)
            self._journal.write(digest, reply)
            sheet.order, sheet.reply, sheet.said = list(order), reply, time.time()
            took = None if sheet.seen is None else self._clock() - sheet.seen
            if took is not None and took < BREAK:
                self._paces = [*self._paces, took][-PACE:]
            self._open.remove(sheet)
            # The same persona goes on, if it does: to think of another one each time is tiring.
            persona = sheet.request.slate.persona.id
            self._open.sort(key=lambda other: other.request.slate.persona.id != persona)
            self._held.append(sheet)
            self._done += 1
            self._review()

    def undo(self) -> None:
        """Take the latest answer back: its slate is shown again, in the order that was given."""
        with self._changed:
            if not self._held:
                raise Stale("There is no answer left that could be taken back.")
            sheet = self._held.pop()
            self._journal.drop([sheet.request.digest])
            sheet.reply, sheet.seen, sheet.by = "", None, ""
            self._open.insert(0, sheet)
            self._done -= 1
            self._review()

    def hand_in(self) -> None:
        """All that was said is final."""
        with self._changed:
            self._hand_in()

    def item(self, digest: str) -> pvd.Item | None:
        """The item with this picture, if it is on the board."""
        with self._changed:
            for sheet in self._sheets.values():
                for item in sheet.request.slate.items:
                    if item.digest == digest:
                        return item
        return None

    def size(self, digest: str) -> int:
        """How many photographs the slate has that is shown, if it is this one; else Stale."""
        with self._changed:
            return self._first(digest).size

    # --- under the lock -----------------------------------------------------------------------

    def _first(self, digest: str) -> Sheet:
        if self._over or self._stopped:
            raise Stale("The command has ended; this slate is asked again when it goes on.")
        if not self._open or self._open[0].request.digest != digest:
            raise Stale("This slate was answered in another window; here is what comes next.")
        return self._open[0]

    def _hand_in(self) -> None:
        for sheet in self._held:
            sheet.final = True
        self._held.clear()
        self._review()

    def _review(self) -> None:
        """After any change: what follows from it, and everybody looks."""
        while len(self._held) > HELD:
            self._held.pop(0).final = True
        if self._open or not self._held:
            self._due = None
        elif self._due is None:
            self._due = self._clock() + PAUSE
        self._version += 1
        self._changed.notify_all()

    def _view(self) -> dict[str, Any]:
        shown = self._open[0] if self._open else None
        if shown is not None and shown.seen is None:
            shown.seen = self._clock()
        left = max(self._of - self._done, 0)
        pace = median(self._paces) if len(self._paces) >= FEW else None
        return {
            "version": self._version,
            "question": self._question,
            "over": self._over,
            "slate": shown
            and {
                "id": shown.request.digest,
                "persona": shown.request.slate.persona.text,
                "pictures": shown.pictures,
                "order": shown.order,
                "by": shown.by,
            },
            "next": [picture for sheet in self._open[1:] for picture in sheet.pictures],
            "done": self._done,
            "of": max(self._of, self._done),
            "seconds": None if pace is None else round(pace * left, 1),
            "undo": len(self._held),
            "pause": None if self._due is None else round(max(self._due - self._clock(), 0.0), 1),
        }

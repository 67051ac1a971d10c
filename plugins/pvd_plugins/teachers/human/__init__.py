"""A person as teacher or judge: a local page shows persona and photographs, and takes the order.

What a person said is the dearest of all answers, so that nothing of it may be lost or asked twice:
the latest answers can be taken back, so they are not in the store yet; they are in a journal beside
it (`journal`) until it has them. `board` knows what waits and what was said, `server` shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, ClassVar

import pvd
from pvd import kit
from pvd_plugins.teachers.human import replies, server

# What the page asks. It is part of every key: other words are other questions, and whoever edits
# them makes people answer everything anew.
QUESTION = "What suits best? Put the photographs in order."
LONGEST = 40  # letters of a name


@dataclass(kw_only=True)
class Human(pvd.Teacher):
    """Whoever opens the page orders each slate by drag and drop, by tapping, or by keyboard.

    The persona's text and the photographs are shown, as models see them: no titles, no attributes.
    Who places only the best few says that the others are worse, and nothing about their order.

    A skip is a ranking with all items in one tier. It states no pair, so that training learns
    nothing from it, and it does not count as a failure: a person who cannot tell is no outage, and
    at the usual `ask.failures` of 1 % a few honest skips would stop the run. In a tournament the
    lot decides among tied items; how many answers of the exam state nothing is in metrics.json, the
    report and the closing lines. To void the persona's tournament instead (what a refusal does)
    would throw away all that the person said about this persona.
    """

    # As many slates as are ready on the page, with the pictures loaded: some of them are answered
    # and can be taken back, the others are next.
    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(workers=10, person=True)

    who: Annotated[str, "the person's name: two people are two teachers"] = ""
    port: Annotated[
        int, kit.AtLeast(0), kit.AtMost(65535), "of the page on this machine; any free one if 0"
    ] = 0

    def __post_init__(self) -> None:
        if len(self.who) > LONGEST or (self.who and not self.who.isprintable()):
            raise ValueError(f"who must be a name of at most {LONGEST} printable letters")
        self._page: server.Page | None = None

    @property
    def person(self) -> str:
        """Who answers, for people to read."""
        return self.who or "somebody"

    def connect(self) -> Sequence[str]:
        if self._page is None:
            self._page = server.join(self.who, QUESTION, self.port, self.store_folder)
        return [
            f"Now {self.person} is asked: open this page here, or elsewhere through an ssh tunnel.",
            f"  {self._page.address}",
        ]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._page is not None:
            server.leave(self._page)
            self._page = None

    def request(self, slate: pvd.Slate) -> pvd.Request:
        """What the answer depends on: who gives it, and what is seen. Not the run's seed, and not
        whether it is asked as teacher or as judge: nobody is asked the same thing twice."""
        body = {
            "teacher": "human",
            "who": self.who,
            "question": QUESTION,
            "persona": slate.persona.text,
            "pictures": [item.digest for item in slate.items],
            "repeat": slate.repeat,
        }
        return pvd.Request(slate, body)

    def expect(self, questions: int, stored: int) -> None:
        if self._page is not None:
            self._page.board.expect(questions, stored)

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        """Waits for the person, as long as it takes."""
        if self._page is None:
            raise kit.ProviderFailure(f"The page of {self.person} is not open; connect() opens it.")
        board = self._page.board
        return [pvd.Reply(board.ask(request), model=self.person) for request in requests]

    def kept(self, digests: Sequence[str]) -> None:
        if self._page is not None:
            self._page.board.kept(digests)

    def hurry(self) -> None:
        if self._page is not None:
            self._page.board.stop()

    def prices(self) -> str:
        return f"By hand: {self.person} answers one question after the other."

    def read(self, request: pvd.Request, reply: pvd.Reply) -> pvd.Ranking:
        return replies.read(request, reply.text)


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("human", Human)

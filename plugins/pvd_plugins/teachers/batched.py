"""What teachers whose providers take batches have in common."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pvd
from pvd import kit
from pvd_plugins.teachers.hosted import SHAPELESS, Hosted

Outcome = tuple[str, pvd.Reply | str]

# A submission is one call that carries megabytes, and is looked through before it is taken.
SECONDS = 600.0
# By which the provider's clock may be behind ours, when its list is searched.
CLOCK = 60.0


@dataclass(kw_only=True)
class Batched(Hosted, pvd.BatchTeacher):
    """A provider that also takes many questions at once, for less money."""

    # Below every provider's own limit; what is larger would only weigh on our memory.
    batch_requests: ClassVar[int] = 50_000
    batch_bytes: ClassVar[int] = 100 * 2**20

    def line(self, request: pvd.Request) -> bytes:
        wrapped = self.wrapped(request.digest, self.prompt_for(request.slate))
        return json.dumps(wrapped, separators=(",", ":")).encode()

    @abstractmethod
    def wrapped(self, digest: str, prompt: kit.Prompt) -> dict[str, Any]:
        """One question as the provider wants it in a batch."""

    def collect(self, ticket: str) -> Iterable[Outcome] | None:
        with self.guarded(works=False):
            data = self.results(ticket)
        return None if data is None else self._outcomes(data)

    @abstractmethod
    def results(self, ticket: str) -> bytes | None:
        """The results of a batch as lines of JSON; None while it is not ended. Raise Gone for one
        that the provider does not know."""

    def _outcomes(self, data: bytes) -> Iterator[Outcome]:
        for line in data.splitlines():
            try:
                digest, said = self.outcome(json.loads(line))
            except (*SHAPELESS, kit.Busy):
                continue  # a question without an answer, which is asked again
            if isinstance(digest, str):
                yield digest, said

    @abstractmethod
    def outcome(self, row: dict[str, Any]) -> Outcome:
        """What a line of the results says of which question."""

    def why(self, *said: Any) -> str:
        """A provider's words about one question."""
        return kit.one_line(": ".join(str(word) for word in said if word), self._key)

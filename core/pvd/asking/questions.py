"""The questions of one asking, by digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pvd.isolation import checks
from pvd.protocols import CompositeTeacher, Teacher
from pvd.records import Request, Slate


class Questions:
    """The distinct requests about some slates. Each is made anew when it is needed: held, ten
    thousand of them would fill the memory with what the slates say already.
    """

    def __init__(self, teacher: Teacher, slates: Sequence[Slate]) -> None:
        self.teacher: Teacher = teacher
        self._slates = slates
        self._places: dict[str, list[int]] = {}
        for place, slate in enumerate(slates):
            digest = checks.digest(teacher, teacher.request(slate))
            self._places.setdefault(digest, []).append(place)
        self._shared: set[str] = set()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, digest: str) -> bool:
        return digest in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __getitem__(self, digest: str) -> Request:
        """The request of this digest."""
        request = self.teacher.request(self._slates[self._places[digest][0]])
        checks.digest(self.teacher, request, digest)
        return replace(request, shared=True) if digest in self._shared else request

    def places(self, digest: str) -> list[int]:
        """Which of the slates it answers: equal ones are asked once."""
        return self._places[digest]

    def followers(self, digests: Sequence[str]) -> dict[str, list[str]]:
        """By the first question of those that show the same pictures in the same order, the others
        of them. Once the provider has seen the first, it knows what the others begin with."""
        if not self.teacher.capabilities.caches:
            return {}
        first: dict[tuple[str, ...], str] = {}
        found: dict[str, list[str]] = {}
        for digest in digests:
            shown = tuple(item.id for item in self._slates[self._places[digest][0]].items)
            leader = first.setdefault(shown, digest)
            if leader != digest:
                found.setdefault(leader, []).append(digest)
        self._shared = {*found, *(digest for others in found.values() for digest in others)}
        return found


def answering(teacher: Teacher) -> list[Teacher]:
    """Those who really answer: a composite asks others."""
    if not isinstance(teacher, CompositeTeacher):
        return [teacher]
    return [one for inner in teacher.inner() for one in answering(inner)]


def really_asked(teacher: Teacher, slate: Slate) -> list[tuple[Teacher, Slate]]:
    """What is really asked about a slate, and whom."""
    if not isinstance(teacher, CompositeTeacher):
        return [(teacher, slate)]
    questions = teacher.questions(slate)
    return [pair for one in questions for pair in really_asked(one.teacher, one.slate)]

"""The questions of one asking, by digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pvd.protocols import Teacher
from pvd.records import Request, Slate


class Questions:
    """The distinct requests about some slates. Each is made anew when it is needed: held, ten
    thousand of them would fill the memory with what the slates say already.
    """

    def __init__(self, teacher: Teacher, slates: Sequence[Slate]) -> None:
        self.teacher, self._slates = teacher, slates
        self._places: dict[str, list[int]] = {}
        for place, slate in enumerate(slates):
            self._places.setdefault(teacher.request(slate).digest, []).append(place)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __getitem__(self, digest: str) -> Request:
        """The request of this digest."""
        return self.teacher.request(self._slates[self._places[digest][0]])

    def places(self, digest: str) -> list[int]:
        """Which of the slates it answers: equal ones are asked once."""
        return self._places[digest]

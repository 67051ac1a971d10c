"""The exam of the studies: the same held-out personas and items for every judge and bracket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cells import HERE, Place

from pvd import exam, loading
from pvd.asking import Desk, opened
from pvd.catalog import Data
from pvd.discovery import registry
from pvd.exam import Paper
from pvd.progress import Silent
from pvd.protocols import Evaluator, Teacher
from pvd.settings import ExamSettings, Settings, recipe, resolve
from pvd.store import Store


@dataclass(frozen=True)
class Hall:
    """Where exams are sat: the data, and a desk whose store keeps what was answered."""

    settings: Settings
    data: Data
    desk: Desk
    photographs: int
    personas: int

    def evaluators(self, *names: str) -> tuple[Evaluator, ...]:
        """Some of the usual ones, those that a study needs."""
        return tuple(one for one in self.settings.evaluators if one.label in names)

    @property
    def seed(self) -> int:
        """Of the exam's stream: who sits it among which items, and the bracket."""
        return self.settings.stream("exam")

    def sitting(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The personas and the items."""
        test = self.data
        return exam.chosen(test.people.test, test.items.test, self.settings.exam, self.seed)

    def paper(self, judge: Teacher, seed: int | None = None, **more: Any) -> Paper:
        """A judge's winners. `seed` is the judge's noise; `more` changes the exam's settings."""
        settings = ExamSettings(**{"repeats": 0, **more})
        people, items = self.data.people.test, self.data.items.test
        noise = self.settings.stream("judge") if seed is None else seed
        with opened(judge, noise) as ready:
            return exam.prepare(self.desk, ready, people, items, settings, self.seed, 0.0)[0]


@contextmanager
def hall(place: Place) -> Iterator[Hall]:
    """The exam of the runs of this place."""
    tables = {"catalog": place.table(place.catalog), "personas": place.table(place.personas)}
    settings = resolve(recipe("default"), tables)
    everything, personas, data = loading.read(settings, Silent())
    with Store(place.out / "exams.sqlite") as store:
        yield Hall(settings, data, Desk(store), len(everything), len(personas))


def about(hall: Hall) -> dict[str, object]:
    """What the page's beginning says of the data."""
    return {
        "photographs": f"{hall.photographs:,}",
        "personas": hall.personas,
        "training": len(hall.data.people.train),
        "novelty": hall.data.novelty,
        "note": hall.data.novelty_note,
    }


def judge(table: Mapping[str, Any], files: Sequence[str] = ()) -> Teacher:
    """A teacher, to be a judge."""
    for file in files:
        registry.load_file(HERE / file)
    return resolve(recipe("default"), {"teacher": table}).teacher

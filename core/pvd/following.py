"""What the other processes of a team do: embed and train when the first one orders it."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pvd import loading, rounds, scoring
from pvd.errors import PvdError
from pvd.identity import check_same_data
from pvd.ledger import BOOKMARK, Ledger
from pvd.progress import Silent
from pvd.settings import Settings
from pvd.team import UNLIKE, Team, assembled
from pvd.training import Bookmark, Lesson, train_round


@contextmanager
def leading(settings: Settings, folder: Path) -> Iterator[Team]:
    """The team of this process, if it is the first one; any other serves it here, and ends."""
    with assembled(settings.device) as team:
        if not team.leads:
            follow(settings, folder, team)
            raise SystemExit
        yield team


def follow(settings: Settings, folder: Path, team: Team) -> None:
    """Join in whatever the first process of the run in `folder` orders, until there is no more.
    Nothing is asked, written or said here: what goes wrong with the run, the first one says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it decides when to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is nothing to keep
    warnings.simplefilter("ignore")
    follower: _Follower | None = None
    for order in team.orders():
        # Only now: before its first order, the leader may refuse the data, or prepare pictures.
        follower = follower or _Follower(settings, folder, team)
        follower.join(**order)


class _Follower:
    def __init__(self, settings: Settings, folder: Path, team: Team) -> None:
        self._settings, self._team, self._student = settings, team, settings.student
        everything, personas, data = loading.read(settings, Silent())
        self._student.load(team.device(settings.device))
        self._pictures, data = loading.shelve(settings, everything, personas, data, Silent())
        self._items = data.items.train
        self._ledger = Ledger(folder / "rounds", self._pictures.items, personas)
        texts = self._ledger.texts()
        self._texts = dict(zip((persona.id for persona in personas), texts, strict=True))
        check_same_data(data, folder)
        seen = loading.glance(self._student, everything, self._pictures)
        if not self._ledger.saw(texts[: len(seen)], seen):
            raise PvdError(UNLIKE.format("the same student"))

    def join(self, do: str, round: int) -> None:
        if do == "embed":
            self._embed(round)
        else:
            self._train(round)

    def _embed(self, round: int) -> None:
        self._ledger.load_weights(round, self._student, self._settings.loss)
        scoring.embed(self._student, self._pictures, self._team.spread(), team=self._team)

    def _train(self, round: int) -> None:
        settings, ledger = self._settings, self._ledger
        ledger.load_weights(round - 1, self._student, settings.loss)
        pictures, base = loading.part(self._items, self._pictures, ledger.view(0))
        aged = rounds.aged(ledger, round)
        train_round(
            self._student,
            settings.loss,
            Lesson(aged, pictures, self._texts, base, settings.train.replay),
            settings.train,
            round=round,
            seed=settings.stream("train"),
            team=self._team,
            bookmark=Bookmark(ledger.path(round, BOOKMARK), writes=False),
        )

"""How a teacher is asked in a check, as far as that costs nothing and bothers nobody."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from pvd.asking import Desk, opened
from pvd.errors import BadInput, MissingFile, PluginError, ProviderFailure
from pvd.failures import Busy
from pvd.isolation import answers, checks
from pvd.isolation.origin import error_line
from pvd.protocols import CompositeTeacher, Teacher
from pvd.records import Judgment, Reply, Request, Slate
from pvd.settings import AskSettings
from pvd.store import Store
from pvd.testing import given
from pvd.testing.contract import Contract, called
from pvd.testing.demands import LIVE, skip

SEED = 7
MONEY = "an answer of this teacher costs money"
PERSON = "an answer of this teacher is a person's, and nobody is bothered in a check"


class Answering(Contract[Teacher]):
    """The personas and items of a teacher's checks, and how it is asked about them."""

    kind: ClassVar[str] = "teacher"
    roles: ClassVar[tuple[str, ...]] = ("items", "personas")

    def slate(self, size: int = 5, person: int = 0, repeat: int = 0) -> Slate:
        """One question."""
        return Slate(self.personas()[person], tuple(self.items()[:size]), repeat)

    def use(self, component: Teacher) -> None:
        if why := self._misfit(component):
            skip(why, self._how(why))
        component.check(self.personas(), self.items())
        component.utilities(self.personas()[0], self.items())
        if isinstance(component, CompositeTeacher):
            component.questions(self.slate())
            return
        request = component.request(self.slate())
        component.estimate(self.slate())
        if not self._why_not(component):
            with self.ready(component):
                component.read(request, *self.replies(component, [request]))

    @contextmanager
    def ready(self, teacher: Teacher, seed: int = SEED) -> Iterator[None]:
        """The teacher, ready to answer."""
        with tempfile.TemporaryDirectory() as folder, opened(teacher, seed):
            teacher.store_folder = Path(folder)
            checks.lines(teacher, self._reached(teacher.connect))
            yield

    def replies(self, teacher: Teacher, requests: Sequence[Request]) -> Sequence[Reply]:
        """Its replies to one call."""
        return answers.replies(teacher, requests, self._reached(lambda: teacher.answer(requests)))

    def _said(self, teacher: Teacher, slate: Slate) -> str:
        (reply,) = self.replies(teacher, [teacher.request(slate)])
        return reply.text

    def _judgments(self, teacher: Teacher, size: int) -> list[Judgment | None]:
        """As a run gets them, from an empty store."""
        slates = [self.slate(size, person) for person in range(4)]
        settings = AskSettings() if self.live else AskSettings(retries=0)
        with (
            tempfile.TemporaryDirectory() as folder,
            Store(Path(folder) / "answers.sqlite") as store,
            opened(teacher, SEED) as ready,
        ):
            desk = Desk(store, settings)
            found: list[Judgment | None] = self._reached(
                lambda: desk.judgments(ready, len(slates), lambda n, attempt: slates[n])
            )
            return found

    def _reached(self, call: Callable[[], Any]) -> Any:
        """What a call to a provider returns; skipped where none answers a check."""
        try:
            return call()
        except (Busy, ProviderFailure) as error:
            if self.live:
                raise
            skip(f"nobody answers a check ({error})", LIVE)

    def _why_not(self, teacher: Teacher) -> str:
        """Why it is not asked here."""
        able = teacher.capabilities
        if able.paid and not self.live:
            return MONEY
        if able.person and not self.live:
            return PERSON
        return self._misfit(teacher)

    def _misfit(self, teacher: Teacher) -> str:
        """Why it cannot rank these personas and items. That of an author's own is an error, which
        `test_check` finds."""
        drawn = self._drawn()
        if lacking := teacher.capabilities.reads - self.personas()[0].attributes.keys():
            what = ", ".join(sorted(lacking))
            if "personas" not in drawn:
                return f"it reads {what}, which the first of your personas lacks; add it"
            return (
                f"it reads {what}, which the personas of a check lack; {given.hint(['personas'])}"
            )
        if len(drawn) < len(self.roles):
            return ""
        with suppress(Exception):  # `test_check` finds what else it raises
            try:
                teacher.check(self.personas(), self.items())
            except PluginError:
                raise
            except (BadInput, MissingFile) as error:
                why = f"it refuses the personas and items of a check: {error_line(error)}"
                return f"{why.rstrip('.')}; {given.hint(drawn)}, or choose options that fit"
        return ""

    def _fitting(self) -> Teacher:
        """The teacher, if it can rank the personas and items of this check."""
        teacher = self.component()
        if why := self._misfit(teacher):
            skip(why, self._how(why))
        return teacher

    def _asked(self, teacher: Teacher | None = None) -> Teacher:
        """The teacher, if it may be asked."""
        teacher = teacher or self.component()
        if why := self._why_not(teacher):
            skip(why, self._how(why))
        return teacher

    def _how(self, why: str) -> str:
        """What makes a check that is left out for this reason after all."""
        if why in (MONEY, PERSON):
            return LIVE
        return given.mend(self._drawn()) if self._drawn() else "bring data that fits"


def digest(teacher: Teacher, slate: Slate, known: str | None = None) -> str:
    """The key under which its answer would be kept; it must be the one that is `known`."""
    return checks.digest(teacher, called("request()", teacher.request, slate), known)

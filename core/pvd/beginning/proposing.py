"""What `pvd init` proposes, and whether an answer will do: tried with the code that a run uses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from pvd import loading, options
from pvd.beginning import looking
from pvd.discovery import registry
from pvd.errors import MissingPrerequisite, PvdError
from pvd.protocols import Component, Source, Teacher
from pvd.settings import Settings, components, resolve
from pvd.store import Store

QUESTIONS = ("catalog", "personas", "teacher", "student")
REASONS = 3  # that are told of tables that were passed over
Answers = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """Something that may be answered."""

    answer: str
    about: str = ""
    marked: bool = False  # its key is in the environment


@dataclass(frozen=True)
class Proposal:
    """What to propose, if anything, and what else there is."""

    answer: str | None
    choices: tuple[Choice, ...] = ()
    note: str = ""


class Beginning:
    """The answers so far, by the names of the options that would give them, and what follows from
    them. `tables` makes the tables of the settings of such answers, the first the weakest."""

    def __init__(
        self, folder: Path, given: Answers, tables: Callable[[Answers], list[options.Table]]
    ) -> None:
        self.folder: Path = folder
        self.answers: dict[str, Any] = dict(given)
        self._tables = tables
        self._records: dict[str, Sequence[Any]] = {}
        before: options.Table = {}
        for table in tables(given)[:-1]:
            before = options.merge(before, table)
        self._before = before  # of a recipe or a file

    def settings(self) -> Settings:
        """The settings that the answers come to."""
        return resolve(*self._tables(self.answers))

    def merged(self, **more: Any) -> options.Table:
        """The tables in one, with another answer or none."""
        merged: options.Table = {}
        for table in self._tables({**self.answers, **more}):
            merged = options.merge(merged, table)
        return merged

    def _own(self, role: str) -> str:
        """The component that the recipe, or another file, names."""
        own = self._before.get(role)
        return str(own.get("use") if isinstance(own, Mapping) else own)

    @property
    def _drawn(self) -> bool:
        """Whether the catalogue is made up, to try things out."""
        return self.answers.get("catalog") == self._own("catalog")

    # --- proposals ------------------------------------------------------------------------------

    def propose(self, name: str) -> Proposal:
        """What is proposed for one of the QUESTIONS."""
        if name == "teacher":
            return self._teacher()
        return self._student() if name == "student" else self._data(name)

    def _data(self, role: str) -> Proposal:
        """What lies in the folder. What is made up is for itself: it fits nobody's own data."""
        drawn, sources = self._own(role), self._sources(role)
        if role == "personas" and self._drawn:
            return Proposal(drawn)
        found = self._of_the_same() if role == "personas" else []
        files = [str(p) for p in looking.files(self.folder, role)]
        found += [p for p in files if p != self.answers.get("catalog")] or files
        over = self._passed_over(role, found)
        if found:
            return Proposal(found[0], (*map(Choice, found), *sources), over.strip())
        other = "catalog" if role == "personas" else "personas"
        note = f"None was found in {self.folder}; {drawn} is made up, "
        if self.answers.get(other) not in (None, self._own(other)):
            return Proposal(None, sources, f"{note}and does not fit data of your own.{over}")
        return Proposal(drawn, sources, f"{note}to try things out.{over}")

    def _passed_over(self, role: str, found: Sequence[str]) -> str:
        """Why tables were, where no other was found."""
        if any(Path(one).suffix.lower() in looking.TABLES for one in found):
            return ""
        why = list(looking.passed_over(self.folder, role).values())
        return f" Passed over: {' '.join(why[:REASONS])}" if why else ""

    def _of_the_same(self) -> list[str]:
        """The catalogue's own source and path, where that brings personas, too."""
        answer = str(self.answers["catalog"])
        table = self.merged()["catalog"]
        named = answer.partition(":")[0] == table["use"]
        return [answer] if named and self._will_do("personas", answer) else []

    def _sources(self, role: str) -> tuple[Choice, ...]:
        """The sources that bring such data, as they are written; without the one that is drawn."""
        names = [n for n in simple("source") if n != self._own(role) and brings(n, role)]
        return tuple(Choice(f"{name}:PATH", about("source", name)) for name in names)

    def _teacher(self) -> Proposal:
        """Who is asked for money is proposed where a key is; for a made-up catalogue, or where
        there is no key, the recipe's if it knows these personas."""
        names = simple("teacher")
        ready = looking.ready(names)
        choices = tuple(Choice(n, about("teacher", n), n in ready) for n in names)
        note = "* Its key is in the environment." if ready else ""
        own = self._own("teacher")
        if self._drawn or not ready:
            try:
                self._tried("teacher", own)
                return Proposal(own, choices, note)
            except PvdError as error:
                why = str(error)
        if not ready:
            note = f"Choose one; none is proposed, since no key is in the environment. {why}"
        return Proposal(next(iter(ready), None), choices, note)

    def _student(self) -> Proposal:
        """For photographs, one with published weights that works here; if none does, one without,
        and a word on that."""
        names = simple("student")
        choices = tuple(Choice(name, about("student", name)) for name in names)
        if self._drawn:
            return Proposal(self._own("student"), choices)
        trained = [name for name in names if registry.get("student", name).extra]
        missing = {n: looking.lacking(registry.get("student", n)) for n in trained}
        works = [name for name in trained if not missing[name]]
        if works or not trained:
            return Proposal(next(iter([*works, *names]), None), choices)
        rest = [name for name in (self._own("student"), *names) if name not in trained]
        note = f"For photographs, one with published weights: {missing[trained[0]]}."
        return Proposal(next(iter([*rest, *trained])), choices, note)

    # --- answers --------------------------------------------------------------------------------

    def needed(self, kind: str, name: str) -> list[options.Option]:
        """What this component must be told, and was not."""
        table = self.merged(**{kind: name})[kind]
        described = options.describe(registry.get(kind, name))
        return [o for o in described if o.value is MISSING and o.name not in table]

    def answer(self, name: str, answer: str, told: tuple[str, ...] = ()) -> str:
        """Take an answer, with what its component was `told` (`teacher.model=...`), and what there
        is to say about it; PvdError if it will not do."""
        before = self.answers["assignments"]
        try:
            self.answers["assignments"] = (*before, *told)
            said = self._tried(name, answer)
        except PvdError:
            self.answers["assignments"] = before
            raise
        self.answers[name] = answer
        return said

    def _will_do(self, name: str, answer: str) -> bool:
        try:
            self._tried(name, answer)
        except PvdError:
            return False
        return True

    def _tried(self, name: str, answer: str) -> str:
        table = self.merged(**{name: answer})[name]
        if name in ("catalog", "personas"):
            self._records[name] = looking.read(name, table)
            return f"{len(self._records[name]):,} {'items' if name == 'catalog' else 'personas'}"
        component = options.build(name, table, name)
        if not isinstance(component, Teacher):
            return ""
        if len(self._records) == 2:
            loading.check_teacher(component, self._records["personas"], self._records["catalog"])
        return ""

    @property
    def paid(self) -> bool:
        """Whether the teacher's answers cost money."""
        teacher = options.build("teacher", self.merged()["teacher"], "teacher")
        assert isinstance(teacher, Teacher)
        return teacher.capabilities.paid

    def checked(self) -> Settings:
        """The settings, after what a run would refuse of them, even if nobody was asked for it."""
        settings = self.settings()
        with suppress(MissingPrerequisite):  # for that, there is a line
            loading.check_device(settings.device)
        if settings.store and settings.store.exists():
            with Store(settings.store):  # which says what is wrong with it
                pass
        if len(self._records) == 2:
            people, items = self._records["personas"], self._records["catalog"]
            for teacher in (settings.teacher, settings.judge):
                loading.check_teacher(teacher, people, items)
        return settings

    def lacking(self) -> list[str]:
        """What must be installed or set before the run works, a line each."""
        settings = self.settings()
        chosen = {one.name: one for one in components(settings)}
        lines = looking.all_lacking(settings)
        lines += [
            f"the key of {one.label} is read from {' or '.join(one.keys)}, which is not set"
            for one in chosen.values()
            if isinstance(one, Teacher) and one.keys and not looking.ready([one.label])
        ]
        return lines


def simple(kind: str) -> list[str]:
    """The plug-ins that work without being told anything, of those that can be loaded."""

    def works(name: str) -> bool:
        try:
            described = options.describe(registry.get(kind, name))
        except PvdError:  # whoever asks for it is told why
            return False
        return all(option.value is not MISSING for option in described)

    return [name for name in registry.names(kind) if works(name)]


def brings(name: str, role: str) -> bool:
    """Whether a source brings a catalogue, or personas."""
    return getattr(registry.get("source", name), role) is not getattr(Source, role)


def about(kind: str, name: str) -> str:
    """The first line of what a plug-in says of itself."""
    cls: type[Component] = registry.get(kind, name)
    return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]

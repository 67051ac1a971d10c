"""A run as it lies in its folder, finished or not: read without its settings, catalogue or network.

Files say everything but pictures, texts and raw replies. Those come from where they were, as far
as they are still there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Literal, cast

import pvd
from pvd import catalog, options
from pvd.errors import BadInput, MissingFile, PvdError
from pvd.folder import read_object
from pvd.identity import configuration, no_result, written
from pvd.ledger import Ledger
from pvd.metrics import decimals, interval, metric_label, system_label
from pvd.protocols import Source, Student
from pvd.records import Item, Judgment, Persona, RoundResult
from pvd.store import archive, default_path
from pvd.summary import SCHEMA

METRICS, RECORD, DATA = "metrics.json", "run.toml", "data.json"
FILES = {"exam": "test.jsonl", "validation": "validation.jsonl"}


def read_metrics(folder: Path) -> dict[str, Any]:
    """A run's numbers; BadInput if no pvd as old as this one wrote them."""
    return read_object(folder / METRICS, SCHEMA)


class Run:
    """A run: its numbers, its student, and what teacher and judge answered.

    `pvd.run` returns one, and `Run.open` finds it again in its folder. The numbers are those of
    when it was opened.
    """

    folder: Path  #: where it all is
    device: str  #: where `student` is opened: cpu, cuda, mps

    def __init__(
        self,
        folder: Path,
        device: str = "cpu",
        student: Student | None = None,
        sources: tuple[Source, Source] | None = None,
    ) -> None:
        self.folder, self.device, self._sources = folder, device, sources
        self._metrics = read_metrics(folder) if (folder / METRICS).exists() else None
        if student is not None:
            self.student = student

    @classmethod
    def open(cls, folder: str | Path, device: str = "cpu") -> Run:
        """The run in a folder, finished or not. Nothing is loaded, asked or locked; MissingFile if
        no run has begun there."""
        folder = Path(folder)
        if (folder / RECORD).is_file() and (folder / DATA).is_file():
            return cls(folder, device)
        mend = "name the folder that `pvd run` wrote."
        if (folder.parent / DATA).is_file():
            mend = f"open {folder.parent}."
        elif (folder / RECORD).is_file():
            mend = f"begin it with `pvd run --config {folder / RECORD} --out {folder}`."
        raise MissingFile(f"There is no run in {folder}; {mend}")

    # --- what came out ----------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether there is a result: an exam was sat, and the report written."""
        return self._metrics is not None

    @property
    def metrics(self) -> dict[str, Any]:
        """What metrics.json holds; MissingFile while there is no result."""
        if self._metrics is None:
            raise no_result(self.folder)
        return dict(self._metrics)

    def table(self) -> list[dict[str, Any]]:
        """The exam's numbers, a row for each system and measure, with interval and chance: made for
        `pandas.DataFrame(run.table())`."""
        exam = self.metrics["exam"]
        return [
            {"system": system, "measure": measure, **number, "chance": exam["chance"].get(measure)}
            for system, numbers in exam["systems"].items()
            for measure, number in numbers.items()
        ]

    @property
    def winners(self) -> dict[str, str]:
        """The id of the judge's best item for each persona of the exam, by the persona's id."""
        return {row["id"]: row["winner"] for row in self.metrics["exam"]["people"]}

    @property
    def report(self) -> Path:
        """The page with all of it, which is written with the result."""
        return self.folder / "report.html"

    @cached_property
    def student(self) -> Student:
        """The distilled student, opened when it is first asked for; MissingFile while there is no
        result. The run's plug-in files are loaded first, and must not have changed."""
        self.metrics  # noqa: B018 - without a result there is none
        configuration(self.folder / RECORD)
        return pvd.open_student(self.folder / "student", self.device)

    # --- how it came about ------------------------------------------------------------------

    @property
    def settings(self) -> dict[str, Any]:
        """All settings, as keywords: `pvd.run(**run.settings, out="elsewhere")` repeats the run."""
        table = written(self.folder / RECORD)
        plugins = list(table.pop("plugins", {}))
        table.pop("files", None)
        return {"plugins": plugins, **table} if plugins else table

    @property
    def rounds(self) -> list[RoundResult]:
        """What each round did, from round 0, the student before training, to the last finished."""
        ledger = Ledger(self.folder / "rounds", (), ())
        done = range(ledger.finished() + 1)
        return [ledger.result(round) for round in done if ledger.has(round, "done")]

    @property
    def usage(self) -> dict[str, Any]:
        """What usage.json holds: calls, tokens, dollars, seconds by stage; empty before any."""
        path = self.folder / "usage.json"
        return read_object(path) if path.exists() else {}

    def judgments(
        self, part: int | Literal["exam", "validation"] | None = None
    ) -> Iterator[Judgment]:
        """The judgments of a round, in the order of its slots; of all rounds, one after another; or
        the judge's in the exam; or those that choose the round.

        Items and personas are those of the run's catalogue as it is now. Of what is not there any
        more, the id alone is known: such an item has no title, and MissingFile, with the reason, is
        raised where its picture is opened; such a persona has no text. `reply.text` is the raw
        reply as far as the store still has it; of a composite, `parts` has the digests of the
        answers inside.

        MissingFile if the round, or the exam, was not asked yet.
        """
        ledger = self._ledger
        if part is None:
            asked = sorted((self.folder / "rounds").glob("*/judgments.jsonl"))
            return (one for path in asked for one in self._told(path))
        if isinstance(part, int):
            path, what = ledger.path(part, "judgments.jsonl"), f"round {part}"
        elif part in FILES:
            path, what = self.folder / "exam" / FILES[part], f"the {part}"
        else:
            raise BadInput(f'A run has no {part!r}; name a round, "exam" or "validation".')
        if not path.is_file():
            raise MissingFile(f"There is no {path}: {what} of this run was not asked yet.")
        return self._told(path)

    def _told(self, path: Path) -> Iterator[Judgment]:
        """The judgments of a file with their raw replies."""
        judgments = self._ledger.read_judgments(path)
        store = Path(self.settings.get("store") or default_path())
        raw = archive.replies(store, (j.digest for j in judgments)) if store.is_file() else {}
        for judgment in judgments:
            text, finish = raw.get(judgment.digest, ("", ""))
            reply = replace(judgment.reply, text=text, finish=finish)
            yield replace(judgment, reply=reply)

    @cached_property
    def _ledger(self) -> Ledger:
        items, no_items = self._known("catalog")
        personas, _ = self._known("personas")
        return _Lenient(self.folder / "rounds", items, personas, no_items)

    def _known(self, role: Literal["catalog", "personas"]) -> tuple[Sequence[Any], str]:
        """What the run's source brings now, or why it brings nothing."""
        try:
            if self._sources is None:
                tables = configuration(self.folder / RECORD)
                if role not in tables:
                    raise BadInput(f"{self.folder / RECORD} names no {role}; restore the file.")
                source = cast("Source", options.build("source", tables[role], role))
            else:
                source = self._sources[role == "personas"]
            read = catalog.read if role == "catalog" else catalog.read_personas
            return read(source), ""
        except (PvdError, OSError) as error:
            return (), str(error)

    # --- in a notebook ----------------------------------------------------------------------

    def __repr__(self) -> str:
        done = max((result.round for result in self.rounds), default=0)
        said = f"{done} round{'s' * (done != 1)}, "
        if self._metrics is None:
            return f"<pvd.Run {self.folder}: {said}no result yet>"
        systems = self._metrics["exam"]["systems"]
        scores = (
            f"{system_label(s)} MPR {interval(systems[s]['mpr'], 'mpr')}"
            for s in ("zero-shot", "distilled")
        )
        return f"<pvd.Run {self.folder}: {said}{', '.join(scores)}>"

    def _repr_html_(self) -> str:
        """The exam as a table; notebooks show this."""
        if self._metrics is None:
            return f"<p>{escape(repr(self))}</p>"
        systems = self._metrics["exam"]["systems"]
        names, places = list(systems["distilled"]), decimals(systems.values())
        rows = [["", *(metric_label(name) for name in names)]]
        for system, numbers in systems.items():
            found = (interval(numbers.get(name), name, places) for name in names)
            rows.append([system_label(system), *found])
        cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
        lines = "".join(f"<tr>{line}</tr>" for line in cells)
        return f"<p>{escape(repr(self))}</p><table>{lines}</table>"


class _Lenient(Ledger):
    """A ledger that takes ids whose items or personas are gone."""

    def __init__(
        self, folder: Path, items: Sequence[Item], personas: Sequence[Persona], why: str
    ) -> None:
        super().__init__(folder, items, personas)
        self._why = why or "the catalogue has it no more"

    def item(self, id: str) -> Item:
        if id in self._items:
            return self._items[id]

        def gone() -> bytes:
            raise MissingFile(f"Of the item {id!r} the id alone is known: {self._why}")

        return Item(id, gone)

    def persona(self, id: str) -> Persona:
        return self._personas.get(id) or Persona(id, "")

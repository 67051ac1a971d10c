"""An observer that writes every event as a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pvd


@dataclass(kw_only=True)
class JsonLines(pvd.Observer):
    """Appends steps, judgments and rounds to a file in the run folder, for `tail -f` or plots."""

    file: Annotated[str, "name of the file"] = "events.jsonl"

    def begin(self, folder: Path) -> None:
        self._path = folder / self.file

    @pvd.hookimpl
    def on_judgment(self, judgment: pvd.Judgment) -> None:
        self._write(
            "judgment",
            persona=judgment.slate.persona.id,
            items=[item.id for item in judgment.slate.items],
            tiers=judgment.ranking.tiers,
        )

    @pvd.hookimpl
    def on_step(self, step: pvd.Step) -> None:
        self._write("step", round=step.round, step=step.step, loss=step.loss)

    @pvd.hookimpl
    def on_round(self, result: pvd.RoundResult) -> None:
        self._write("round", round=result.round, loss=result.loss, value=result.validation.value)

    @pvd.hookimpl
    def on_report(self, metrics: dict[str, Any]) -> None:
        self._write("report", metrics=metrics)

    def _write(self, event: str, **values: Any) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, **values}, ensure_ascii=False) + "\n")


@pvd.hookimpl
def register_observers(register: Callable[[str, type[pvd.Observer]], None]) -> None:
    register("jsonl", JsonLines)

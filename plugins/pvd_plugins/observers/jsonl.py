"""An observer that writes every event as a line of JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Annotated, Any

import pvd

COUNTS = ("round", "slates", "answered", "fresh", "replaced", "loss")


@dataclass(kw_only=True)
class JsonLines(pvd.Observer):
    """Appends stages, messages, judgments, steps and rounds to a file in the run folder, for
    `tail -F` or plots. A step or round stands in it once, however often the run was interrupted.
    """

    file: Annotated[str, "name of the file"] = "events.jsonl"

    def begin(self, folder: Path) -> None:
        self._path = folder / self.file
        self._goes_on = self._path.exists()
        if self._goes_on:  # a kill may have torn its last line
            self._keep(lambda row: True)

    @pvd.hookimpl
    def on_ready(self, rounds: Sequence[pvd.RoundResult]) -> None:
        told = {row["round"] for row in self._rows() if row["event"] == "round"}
        self._write("ready", rounds=len(rounds))
        for result in rounds:
            if result.round not in told:  # no observer was named then, or a kill came between
                self._round(result)

    @pvd.hookimpl
    def on_stage_end(self, stage: pvd.Stage) -> None:
        self._write("stage", **asdict(stage))

    @pvd.hookimpl
    def on_message(self, line: str) -> None:
        self._write("message", line=line)

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
        if self._goes_on:  # an earlier command may have come further than training goes on from
            self._goes_on = False
            self._keep(
                lambda row: (
                    row["event"] not in ("step", "round")
                    or (row["round"], row.get("step", inf)) < (step.round, step.step)
                )
            )
        self._write("step", **asdict(step))

    @pvd.hookimpl
    def on_round(self, result: pvd.RoundResult) -> None:
        self._round(result)

    @pvd.hookimpl
    def on_report(self, metrics: dict[str, Any]) -> None:
        self._write("report", metrics=metrics)

    def _round(self, result: pvd.RoundResult) -> None:
        row = {name: value for name, value in vars(result).items() if name in COUNTS}
        found = result.validation
        self._write("round", **row, value=found.value, low=found.low, high=found.high)

    def _write(self, event: str, **values: Any) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        row = {"event": event, "time": time, **values}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _rows(self) -> list[Mapping[str, Any]]:
        lines = self._path.read_bytes().split(b"\n")[:-1] if self._goes_on else []
        return [json.loads(line) for line in lines]

    def _keep(self, wanted: Callable[[Mapping[str, Any]], bool]) -> None:
        """Leave out what is not wanted, and a last line without its end."""
        lines = self._path.read_bytes().split(b"\n")
        kept = [line for line in lines[:-1] if wanted(json.loads(line))]
        if [*kept, b""] != lines:
            fresh = self._path.with_name(f"{self._path.name}.tmp")
            fresh.write_bytes(b"".join(line + b"\n" for line in kept))
            os.replace(fresh, self._path)


@pvd.hookimpl
def register_observers(register: Callable[[str, type[pvd.Observer]], None]) -> None:
    register("jsonl", JsonLines)

"""A process of a team: trains the toy, embeds it, and writes what it got."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

import torch
import toy

from pvd import Step, scoring
from pvd.pictures import Memory, Pictures
from pvd.settings import TrainSettings
from pvd.team import Team, assembled
from pvd.training import Bookmark, bookmark, train_round
from pvd_plugins.losses.bradley_terry import BradleyTerry

LOSSES = {"separable": BradleyTerry, "in-batch": toy.InBatch}
SIZES = (60, 5, 1)  # pictures to embed: with fewer than processes, some have none


class Stopped(Exception):
    """As by a power cut."""


def work(
    team: Team, kind: str, chunk: int | None, mark: Path | None = None, stop: int | None = None
) -> dict[str, object]:
    student, loss = toy.learner(), LOSSES[kind]()
    steps: list[float] = []

    def tell(step: Step) -> None:
        if step.step == stop:
            raise Stopped
        steps.append(step.loss)

    settings = TrainSettings(steps=6, batch=7, learning_rate=0.01, anchor=0.5, chunk=chunk)
    train_round(
        student, loss, toy.lesson(), settings, round=1, seed=3, team=team, on_step=tell,
        bookmark=Bookmark(mark, writes=team.leads) if mark is not None else None,
    )  # fmt: skip
    embedded = [
        scoring.embed(student, Pictures(toy.ITEMS[:count], Memory(toy.PIXELS)), team=team).tolist()
        for count in SIZES
    ]
    weights = torch.cat([p.flatten() for p in (*student.layers.parameters(), *loss.parameters())])
    return {
        "losses": steps,
        "weights": weights.tolist(),
        "embedded": embedded,
        "pictures": sum(count for count, grad in student.seen if grad),
    }


def resumed(team: Team, mark: Path) -> dict[str, object]:
    """After all of them were stopped in the fourth step."""
    bookmark.SECONDS, bookmark.SHARE = 0.0, float("inf")
    with suppress(Stopped):
        work(team, "in-batch", None, mark, stop=3)
    return work(team, "in-batch", None, mark)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with assembled() as team:
        if "apart" in sys.argv:  # as on two machines that do not share the folder
            resumed(team, folder / "mark")
            work(team, "in-batch", None, folder / ("mark" if team.leads else "none"))
        found = {
            f"{kind} {chunk}": work(team, kind, chunk) for kind in LOSSES for chunk in (None, 4)
        }
        found["resumed"] = resumed(team, folder / "mark")
        (folder / f"{team.rank}.json").write_text(json.dumps(found))

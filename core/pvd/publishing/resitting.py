"""Another student sits the exam of a finished run. Who won the tournaments is in the run's files,
so that nothing is asked; of the data only the pictures and texts are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvd import catalog, exam, forgetting, scoring, summary
from pvd.catalog import Data, bounded
from pvd.errors import BadInput
from pvd.exam import Paper
from pvd.folder import read_json, read_lines
from pvd.identity import changed
from pvd.pictures import prepare
from pvd.progress import Progress
from pvd.protocols import Student
from pvd.settings import Settings
from pvd.streams import derive

if TYPE_CHECKING:
    from torch import Tensor


def resit(
    run: Path,
    metrics: Mapping[str, Any],
    settings: Settings,
    base: Student,
    student: Student,
    progress: Progress,
) -> dict[str, Any]:
    """The metrics of the run with `student` in place of the distilled one. `base` is the student
    before training. BadInput or MissingFile if the run's data are not there as they were.
    """
    import torch

    if what := changed(settings, run):  # the judge's own utilities come from there
        raise BadInput(f"{run} {what}.")
    with progress.stage("catalogue"):
        data = _data(run, settings)
        paper = _paper(metrics, settings, data)
    before = _embedded(base, paper, progress)
    after = _embedded(student, paper, progress)
    with progress.stage("exam"):
        seed = settings.stream("exam")
        embed_texts = partial(scoring.embed_texts, student)
        people = embed_texts([persona.text for persona in data.people.train])
        scores = exam.systems(
            paper,
            texts=embed_texts([persona.text for persona in paper.personas]),
            before=before,
            after=after,
            mean_persona=torch.nn.functional.normalize(people.mean(0), dim=0),
            seed=seed,
        )
        results = exam.evaluate(paper, scores, settings.evaluators, seed)
        guard = forgetting.measure(paper.items, before, after, embed_texts, seed)
    sat = {**metrics["exam"], **summary.sitting(paper, scores, results, seed)}
    return {**metrics, "exam": sat, "forgetting": guard}


def _data(run: Path, settings: Settings) -> Data:
    """The run's items and personas, divided as they were."""
    skipped = {row["id"] for row in read_lines(run / "skipped.jsonl")}
    items = [item for item in catalog.read(settings.catalog) if item.id not in skipped]
    personas = catalog.read_personas(settings.personas)
    seed = settings.stream("split")
    data = catalog.divide(items, personas, settings.split, seed, len(skipped))
    if data.digest() != read_json(run / "data.json")["digest"]:
        raise BadInput(f"The catalogue or the personas changed since the run in {run} began.")
    return data


def _paper(metrics: Mapping[str, Any], settings: Settings, data: Data) -> Paper:
    sat = metrics["exam"]
    known = {persona.id: persona for persona in data.people.test}
    people = tuple(known[row["id"]] for row in sat["people"])
    seed = settings.stream("exam")
    shelf = bounded(data.items.test, settings.exam.items, derive(seed, "items"))
    place = {item.id: number for number, item in enumerate(shelf)}
    return Paper(
        personas=people,
        items=shelf,
        winners=tuple(place[row["winner"]] for row in sat["people"]),
        utilities=exam.known_utilities(settings.judge, people, shelf),
        judgments=sat["judgments"],
        lost=sat["lost"],
        stability=sat["stability"],
    )


def _embedded(student: Student, paper: Paper, progress: Progress) -> Tensor:
    pictures, bad = prepare(student, paper.items, progress)
    if bad:
        raise BadInput(bad[0][1])
    return scoring.embed(student, pictures)

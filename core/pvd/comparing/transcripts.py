"""Transcripts: what judges need of a cell, so that each can mark it without the student.

They hold the exam's items as the student embeds them, before training and after each round that
was the best so far, and what the answers until then cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pvd import exam, rounds, scoring
from pvd.errors import BadInput, MissingFile
from pvd.folder import read_json, read_tensors, write_json, write_tensors
from pvd.records import Item, Judgment, added
from pvd.session import Session

if TYPE_CHECKING:
    from torch import Tensor

TENSORS, NOTES = "transcript.safetensors", "transcript.json"  # in a run's folder `exam`
CAPTIONS = ("caption", "description")  # attributes that stand in for a title


@dataclass(frozen=True)
class Stop:
    """What a run would be worth if it had ended after this round."""

    round: int
    answers: int  # distinct ones, for validation and training
    dollars: float | None  # what they cost once; None if nobody knows
    best: int  # the round that validation would have chosen


@dataclass(frozen=True)
class Transcript:
    """What one student shows of itself; rows are the personas and the items of the exam."""

    personas: tuple[str, ...]
    items: tuple[str, ...]
    stops: tuple[Stop, ...]
    texts: Tensor  # [P, D]
    mean_persona: Tensor  # [D], of the training personas
    seen: dict[int, Tensor]  # by round: [N, D]
    captions: Tensor | None  # [N, D], the items' titles by the text tower, if all have one


def is_written(folder: Path) -> bool:
    """Whether a run has its transcript."""
    return (folder / "exam" / NOTES).exists()


def write(session: Session) -> None:
    """Write the transcript of a run whose rounds are done."""
    import torch

    settings, data = session.settings, session.data
    seed = settings.stream("exam")
    people, items = exam.chosen(data.people.test, data.items.test, settings.exam, seed)
    stops = _stops(session)
    seen = {}
    for number in sorted({stop.best for stop in stops}):
        rounds.load_round(session, number)
        seen[f"round.{number}"] = session.embed(items, number)
    training = torch.stack([session.texts[p.id] for p in data.people.train])
    tensors = {
        "texts": torch.stack([session.texts[p.id] for p in people]),
        "mean_persona": torch.nn.functional.normalize(training.mean(0), dim=0),
        **seen,
    }
    if texts := captions(items):
        tensors["captions"] = scoring.embed_texts(session.student, texts)
    write_tensors(session.folder / "exam" / TENSORS, tensors)
    notes = {
        "personas": [persona.id for persona in people],
        "items": [item.id for item in items],
        "stops": [vars(stop) for stop in stops],
    }
    write_json(session.folder / "exam" / NOTES, notes)  # last: then the tensors are there


def read(folder: Path) -> Transcript:
    """The transcript of a run."""
    try:
        notes, tensors = read_json(folder / "exam" / NOTES), read_tensors(folder / "exam" / TENSORS)
    except (BadInput, MissingFile):
        (folder / "exam" / NOTES).unlink(missing_ok=True)
        raise BadInput(
            f"What {folder} shows of its student cannot be read; the same command makes it again."
        ) from None
    seen = {
        int(name.removeprefix("round.")): tensor
        for name, tensor in tensors.items()
        if name.startswith("round.")
    }
    return Transcript(
        tuple(notes["personas"]),
        tuple(notes["items"]),
        tuple(Stop(**stop) for stop in notes["stops"]),
        tensors["texts"],
        tensors["mean_persona"],
        seen,
        tensors.get("captions"),
    )


def captions(items: Sequence[Item]) -> list[str] | None:
    """The items' titles, or captions among their attributes; None unless all have one."""
    found = []
    for item in items:
        texts = (item.title, *(item.attributes.get(name) for name in CAPTIONS))
        text = next((text for text in texts if text and text.strip()), None)
        if text is None:
            return None
        found.append(text)
    return found


def _stops(session: Session) -> list[Stop]:
    ledger = session.ledger
    path = session.folder / "exam" / "validation.jsonl"
    asked = prices(ledger.read_judgments(path) if path.exists() else ())
    found: list[Stop] = []
    best, value = 0, ledger.result(0).validation.value
    for number in range(ledger.finished() + 1):
        if number:
            asked |= prices(ledger.judgments(number))
        validated = ledger.result(number).validation.value
        if validated > value:
            best, value = number, validated
        found.append(Stop(number, len(asked), added(asked.values()), best))
    return found


def prices(judgments: Iterable[Judgment]) -> dict[str, float | None]:
    """What each answer cost that these rest on, by its digest; a composite's rest on several."""
    return {
        digest: dollars
        for one in judgments
        for digest, dollars in one.parts or ((one.digest, one.reply.dollars),)
    }

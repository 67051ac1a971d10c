"""One round by hand: every stage takes records and returns records.

python examples/stage_by_stage.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

import pvd
from pvd import catalog, drawing, exam, pictures, scoring, training
from pvd.asking import desk as asking
from pvd.settings import ExamSettings, SplitSettings, TrainSettings
from pvd.store import Store

SEED = 0


def main(items: int = 300, people: int = 80, slates: int = 200) -> None:
    """A shop, a student, one round of questions, one training, one exam."""
    shop = pvd.load("source", "boutique", size=items, people=people)
    student = pvd.load("student", "tiny")
    sampler = pvd.load("sampler", "four-bin")
    loss = pvd.load("loss", "bradley-terry")
    settings = TrainSettings(slates=slates, steps=60)

    data = catalog.divide(shop.catalog(""), shop.personas(""), SplitSettings(), SEED)
    student.load("cpu")
    shelf, _ = pictures.prepare(student, [*data.items.train, *data.items.test])
    learn, test = shelf.subset(data.items.train), shelf.subset(data.items.test)
    texts = {
        persona.id: text
        for part in (data.people.train, data.people.test)
        for persona, text in zip(
            part, scoring.embed_texts(student, [p.text for p in part]), strict=True
        )
    }

    before = scoring.embed(student, learn)
    rows = torch.stack([texts[p.id] for p in data.people.train])
    counter = drawing.Shop(data.people.train, learn.items, rows, embeddings=before, base=before)
    drawn, notes = drawing.draw_round(
        sampler, counter, round=1, slots=settings.slates, size=settings.size, seed=SEED
    )
    print("drawn:", {label: int(row["members"] / slates) for label, row in notes["bins"].items()})

    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "answers.sqlite") as store,
        asking.opened(pvd.load("teacher", "simulated"), SEED) as teacher,
    ):
        desk = asking.Desk(store)
        judged = desk.judgments(
            teacher, len(drawn), lambda n, attempt: drawn[n].shown(SEED, attempt)
        )
        paper, _ = exam.prepare(
            desk, teacher, data.people.test, test.items, ExamSettings(personas=20), SEED, 0.01
        )
    made = [training.Aged(judgment, age=0) for judgment in judged if judgment is not None]

    untrained = scoring.embed(student, test)
    lesson = training.Lesson(made, learn, texts, before, "all")
    mean_loss = training.train_round(student, loss, lesson, settings, round=1, seed=SEED)
    print(f"trained on {len(made)} judgments, mean loss {mean_loss:.2f}")

    scores = exam.systems(
        paper,
        texts=torch.stack([texts[p.id] for p in paper.personas]),
        before=untrained,
        after=scoring.embed(student, test),
        mean_persona=torch.nn.functional.normalize(rows.mean(0), dim=0),
        seed=SEED,
    )
    for system, found in exam.evaluate(paper, scores, [pvd.load("evaluator", "mpr")], SEED).items():
        mpr = found["mpr_true"]
        print(f"{system:<17} {mpr.value:5.1f} ({mpr.low:.1f} to {mpr.high:.1f})")


if __name__ == "__main__":
    main()

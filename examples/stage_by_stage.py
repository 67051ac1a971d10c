"""The paper's algorithm by hand: every stage takes records and returns records.

python examples/stage_by_stage.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch.nn.functional import normalize

import pvd
from pvd import catalog, drawing, exam, pictures, scoring, training
from pvd.asking import desk as asking
from pvd.settings import ExamSettings, SplitSettings, TrainSettings
from pvd.store import Store

SEED = 0


def main(items: int = 300, people: int = 80, rounds: int = 2, slates: int = 200) -> None:
    """Rounds of drawing, asking and training; then the exam, with nothing left out but files."""
    # Given: a catalogue, personas, and four components. None of them knows another.
    shop = pvd.load("source", "boutique", size=items, people=people)
    student = pvd.load("student", "tiny")
    sampler = pvd.load("sampler", "four-bin")
    loss = pvd.load("loss", "bradley-terry")
    settings = TrainSettings(slates=slates, steps=60)

    # Personas and items are divided: who is examined was never trained on.
    data = catalog.divide(shop.catalog(""), shop.personas(""), SplitSettings(), SEED)
    persons, examined = data.people.train, data.people.test

    # Texts are embedded once, since the text side is frozen. Pictures are prepared once.
    student.load("cpu")
    texts = {
        person.id: row
        for part in (persons, examined)
        for person, row in zip(
            part, scoring.embed_texts(student, [person.text for person in part]), strict=True
        )
    }
    rows = torch.stack([texts[person.id] for person in persons])
    shelf, _ = pictures.prepare(student, [*data.items.train, *data.items.test])
    learn, test = shelf.subset(data.items.train), shelf.subset(data.items.test)
    start, untrained = scoring.embed(student, learn), scoring.embed(student, test)

    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "answers.sqlite") as store,
        asking.opened(pvd.load("teacher", "simulated"), SEED) as teacher,
    ):
        desk = asking.Desk(store)  # asks nothing twice
        history: list[tuple[int, pvd.Judgment]] = []  # the round, and what was answered in it
        earlier: list[drawing.Drawn] = []

        for number in range(1, rounds + 1):
            # 1. The student scores every item for every persona: s(x, u) = g(x) . f(u).
            seen = drawing.Shop(
                persons, learn.items, rows, embeddings=scoring.embed(student, learn), base=start
            )
            # 2. The sampler draws slates of five items from those scores.
            drawn, _ = drawing.draw_round(
                sampler,
                seen,
                round=number,
                slots=settings.slates,
                size=settings.size,
                seed=SEED,
                history=[judgment for _, judgment in history],
                earlier=earlier,
            )
            earlier += drawn
            # 3. The teacher ranks each slate, shown in random order.
            answers = desk.judgments(teacher, len(drawn), partial(shown, drawn))
            history += [(number, judgment) for judgment in answers if judgment is not None]
            # 4. The loss pulls the scores towards the rankings, of this round and all before.
            lesson = training.Lesson(
                [training.Aged(judgment, age=number - asked) for asked, judgment in history],
                learn,
                texts,
                start,
                "all",
            )
            cost = training.train_round(student, loss, lesson, settings, round=number, seed=SEED)
            print(f"round {number}: {len(history)} judgments so far, mean loss {cost:.2f}")

        # The exam: a tournament among held-out items for each held-out persona.
        paper, _ = exam.prepare(
            desk, teacher, examined, test.items, ExamSettings(personas=20), SEED, 0.01
        )

    # Where does each system rank the winners? 100 is always on top, 50 is chance.
    scores = exam.systems(
        paper,
        texts=torch.stack([texts[person.id] for person in paper.personas]),
        before=untrained,
        after=scoring.embed(student, test),
        mean_persona=normalize(rows.mean(0), dim=0),
        seed=SEED,
    )
    for system, found in exam.evaluate(paper, scores, [pvd.load("evaluator", "mpr")], SEED).items():
        mpr = found["mpr_true"]
        print(f"{system:<17}{mpr.value:6.1f}  ({mpr.low:.1f} to {mpr.high:.1f})")


def shown(drawn: Sequence[drawing.Drawn], number: int, attempt: int) -> pvd.Slate:
    """A slate in random order: no position is anybody's favourite. Another one if the answer to the
    first could not be read."""
    return drawn[number].shown(SEED, attempt)


if __name__ == "__main__":
    main()

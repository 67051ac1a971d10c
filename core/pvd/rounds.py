"""A round: drawing, asking, training, validation. What is done stays done; a round that was
interrupted goes on from its last file that is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pvd import drawing, validation
from pvd.drawing import Drawn, Shop
from pvd.errors import PartialResult, UsageError
from pvd.ledger import BOOKMARK, VIEW, Ledger
from pvd.money.amounts import count
from pvd.records import Estimate, Judgment, RoundResult
from pvd.session import Session
from pvd.training import Aged, Bookmark, Lesson, train_round
from pvd.validation import Test

SPARES = 2  # other slates for a slot whose slate brought no answer


def label(session: Session) -> int:
    """Draw and ask the next round, as far as that is not done; its number."""
    ledger, most = session.ledger, session.settings.train.rounds
    round = ledger.finished() + 1
    if round > most:
        raise UsageError(
            f"{session.folder} has done its {count(most, 'round')}; give `pvd evaluate`, or begin "
            "a run with a higher train.rounds."
        )
    if not ledger.has(round, "judgments.jsonl"):
        load_round(session, round - 1)
        shop = _shop(session, round - 1)
        drawn = _draw(session, shop, round)
        ledger.write_judgments(round, _ask(session, shop, drawn, round))
        for judgment in ledger.judgments(round):
            session.watchers.tell("on_judgment", judgment=judgment)
    return round


def _draw(session: Session, shop: Shop, round: int) -> list[Drawn]:
    """The round's slots, as they were written before anything of it is asked."""
    settings, ledger = session.settings, session.ledger
    if not ledger.has(round, "slates.jsonl"):
        with session.progress.stage("drawing", None, "slates", _where(session, round)):
            drawn, notes = drawing.draw_round(
                settings.sampler,
                shop,
                round=round,
                slots=settings.train.slates,
                size=settings.train.size,
                seed=settings.stream("draw"),
                history=_history(session, round),
                earlier=[d for earlier in range(1, round) for d in ledger.drawn(earlier)],
            )
        ledger.write_drawn(round, drawn, notes)
    return ledger.drawn(round)


def _ask(session: Session, shop: Shop, drawn: Sequence[Drawn], round: int) -> dict[int, Judgment]:
    """The judgments by slot; a slot whose slate brings no answer is asked about spare ones."""
    settings, seed = session.settings, session.settings.stream("draw")

    def answered(slots: Sequence[Drawn], direct: bool = False) -> dict[int, Judgment]:
        answers = session.desk.judgments(
            session.teacher, len(slots), lambda n, attempt: slots[n].shown(seed, attempt), direct
        )
        return {d.slot: j for d, j in zip(slots, answers, strict=True) if j is not None}

    with session.progress.stage("asking", len(drawn), "slates", _where(session, round)):
        judged = answered(drawn)
        failed = [d for d in drawn if d.slot not in judged]
        check_failures(session, len(failed), len(drawn), f"round {round}")
        history = _history(session, round) if failed else []
        for spare in range(1, SPARES + 1):
            others = [
                drawing.draw_spare(
                    settings.sampler,
                    shop,
                    slot,
                    round=round,
                    spare=spare,
                    size=settings.train.size,
                    seed=seed,
                    history=history,
                )
                for slot in failed
            ]
            session.progress.extend(len(others))
            judged |= answered(others, direct=True)  # a few are not worth a day
            failed = [d for d in failed if d.slot not in judged]
    return judged


def check_failures(session: Session, failed: int, asked: int, where: str) -> None:
    """Raise PartialResult if more slates brought no answer than the settings allow."""
    if failed > session.settings.ask.failures * asked:
        raise PartialResult(
            f"{failed} of {count(asked, 'slate')} of {where} brought no answer that can be used, "
            f"more than ask.failures allows; the last reason: {session.desk.last_failure}."
        )


def bring(session: Session, path: Path) -> None:
    """Take a file's judgments as the next round's, if they fit."""
    ledger = session.ledger
    round = ledger.finished() + 1
    begun = (
        f"Round {round} has begun with %s; give `pvd train` without --judgments to end it first."
    )
    if ledger.has(round, "slates.jsonl"):
        raise UsageError(begun % "slates of its own")
    made = ledger.read_judgments(path)
    if ledger.has(round, "judgments.jsonl"):
        if [j.digest for j in ledger.judgments(round)] == [j.digest for j in made]:
            return  # the same command once more: it goes on
        raise UsageError(begun % "other judgments from a file")
    _lesson(session, [Aged(judgment, 0) for judgment in made])
    ledger.write_judgments(round, dict(enumerate(made)))


def _history(session: Session, round: int) -> list[Judgment]:
    """All judgments before a round."""
    return [j for earlier in range(1, round) for j in session.ledger.judgments(earlier)]


def _where(session: Session, round: int) -> str:
    return f"round {round} of {session.settings.train.rounds}"


def _shop(session: Session, round: int) -> Shop:
    """The training part, as the student sees it after this round."""
    import torch

    people, ledger = session.data.people.train, session.ledger
    pictures, base = session.embedded("train")
    # In a file, since a million items take 2 GB; and a command that goes on finds it there.
    if round > 0 and not ledger.has(round, VIEW):
        with (
            session.progress.stage(
                "embedding", len(pictures), "images", _where(session, round + 1)
            ),
            ledger.new_view(round, (len(pictures), base.shape[1])) as rows,
        ):
            session.embed(pictures.items, round, rows)
    return Shop(
        personas=people,
        items=pictures.items,
        texts=torch.stack([session.texts[p.id] for p in people]),
        embeddings=ledger.view(round) if round > 0 else base,
        base=base,
    )


def check_labelled(ledger: Ledger) -> None:
    """Raise UsageError if there is nothing to learn from in the next round."""
    round = ledger.finished() + 1
    if not ledger.has(round, "judgments.jsonl"):
        raise UsageError(
            f"Round {round} has no judgments yet; give `pvd label` first, or bring some with "
            "--judgments."
        )


def learn(session: Session, test: Test) -> RoundResult:
    """Train on all judgments so far, validate, and end the round."""
    settings, ledger = session.settings, session.ledger
    round = ledger.finished() + 1
    load_round(session, round - 1)
    made = aged(ledger, round)
    lesson = _lesson(session, made)
    stage = session.progress.stage(
        "training", settings.train.steps, "steps", _where(session, round)
    )
    with stage, session.team.at_work(do="train", round=round):
        loss = train_round(
            session.student,
            settings.loss,
            lesson,
            settings.train,
            round=round,
            seed=settings.stream("train"),
            team=session.team,
            bookmark=Bookmark(ledger.path(round, BOOKMARK), say=session.progress.say),
            progress=session.progress,
            on_step=lambda step: session.watchers.tell("on_step", step=step),
        )
    ledger.write_weights(round, session.student, settings.loss)
    before = {one.judgment.digest for one in made if one.age > 0}
    here = [one.judgment for one in made if one.age == 0]
    drawn = ledger.drawn(round)  # none, if the judgments came from a file
    sets = {frozenset(item.id for item in d.items) for d in drawn}
    spares = [j for j in here if frozenset(item.id for item in j.slate.items) not in sets]
    result = RoundResult(
        round=round,
        slates=len(drawn) or len(here),
        answered=len(here),
        fresh=len({j.digest for j in here} - before),
        replaced=len(spares) if drawn else 0,
        loss=loss,
        validation=_validated(session, test, round),
        notes=ledger.notes(round) if drawn else {},
    )
    return finish_round(session, result)


def aged(ledger: Ledger, round: int) -> list[Aged]:
    """All judgments up to a round, as old as they are in it."""
    return [
        Aged(judgment, round - number)
        for number in range(1, round + 1)
        for judgment in ledger.judgments(number)
    ]


def _lesson(session: Session, aged: Sequence[Aged]) -> Lesson:
    """The judgments as tensors; those about held-out personas or items are refused."""
    pictures, base = session.embedded("train")
    texts = {p.id: session.texts[p.id] for p in session.data.people.train}
    return Lesson(aged, pictures, texts, base, session.settings.train.replay)


def validate_start(session: Session, test: Test) -> None:
    """Round 0: the student before any training."""
    if session.ledger.has(0, "done"):
        return
    load_round(session, 0)
    result = RoundResult(0, 0, 0, 0, 0, None, _validated(session, test, 0))
    finish_round(session, result)


def finish_round(session: Session, result: RoundResult) -> RoundResult:
    """Write the round's end, and tell about it what was written."""
    session.ledger.write_done(result)
    result = session.ledger.result(result.round)
    session.watchers.tell("on_round", result=result)
    unit = "MPR" if session.settings.train.validate == "mpr" else "pairs ordered alike"
    value = result.validation
    session.progress.say(
        f"round {result.round}: validation {value.value:.1f} % {unit} "
        f"({value.low:.1f} to {value.high:.1f})"
        + (f", loss {result.loss:.3f}" if result.loss is not None else "")
    )
    return result


def _validated(session: Session, test: Test, round: int) -> Estimate:
    with session.progress.stage("validation"):
        return test(session.embed(session.data.items.validation, round))


def load_round(session: Session, round: int) -> None:
    """Put the weights of a finished round into the student."""
    session.ledger.load_weights(round, session.student, session.settings.loss)


def best_round(session: Session) -> int:
    """The round with the best validation; of equals the earliest."""
    values = [
        session.ledger.result(n).validation.value for n in range(session.ledger.finished() + 1)
    ]
    return values.index(max(values))


def is_over(session: Session) -> bool:
    """All rounds are done, or the best one was too long ago."""
    return validation.enough(session.ledger.finished(), best_round(session), session.settings.train)

"""The numbers of a run, as metrics.json holds them, and the pictures of the report's gallery."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pvd
from pvd import exam, options
from pvd.estimates import plain
from pvd.exam import Paper
from pvd.images import jpeg
from pvd.percentiles import percentile_ranks
from pvd.prompting import PromptedTeacher, source
from pvd.protocols import Teacher
from pvd.records import Estimate, Judgment, Tokens, added
from pvd.settings import components
from pvd.streams import stream

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.session import Session

SCHEMA = 1
SHOWN = 10  # length of the lists in the gallery
LISTS = {"before": "zero-shot", "after": "distilled", "judge": "oracle"}
THUMB = 112  # pixels


def metrics(
    session: Session,
    paper: Paper,
    scores: Mapping[str, Tensor],
    results: Mapping[str, Mapping[str, Estimate]],
    guard: Mapping[str, Any],
    best: int,
) -> dict[str, Any]:
    """Everything that the run found out. Nothing in it depends on time, place or cache."""
    settings, ledger, data = session.settings, session.ledger, session.data
    seed = settings.stream("exam")
    done = [ledger.result(number) for number in range(ledger.finished() + 1)]
    trained = [j for number in range(1, len(done)) for j in ledger.judgments(number)]
    asked = ledger.read_judgments(session.folder / "exam" / "test.jsonl")
    chosen = ledger.read_judgments(session.folder / "exam" / "validation.jsonl")
    kinds = ("teacher", "judge", "student", "sampler", "loss")
    return {
        "schema": SCHEMA,
        "pvd": pvd.__version__,
        "seed": settings.seed,
        "simulated": settings.teacher.capabilities.simulated
        or settings.judge.capabilities.simulated,
        "components": {kind: options.dump(getattr(settings, kind)) for kind in kinds},
        "data": {
            "catalog": Path(settings.catalog.path).name or settings.catalog.label,
            "personas": Path(settings.personas.path).name or settings.personas.label,
            "items": data.items.counts(),
            "people": data.people.counts(),
            "novelty": data.novelty,
            "novelty_note": data.novelty_note,
            "skipped": data.skipped,
            "texts_note": " ".join(session.told),
        },
        "rounds": [asdict(result) | {"validation": plain(result.validation)} for result in done],
        "validation": settings.train.validate,
        "best_round": best,
        "prompts": {
            kind: _prompts(one)
            for kind, one in (("teacher", settings.teacher), ("judge", settings.judge))
        },
        "exam": {
            "personas": len(paper.personas),
            "items": len(paper.items),
            "group": settings.exam.group,
            "judgments": paper.judgments,
            "lost": paper.lost,
            "chance": exam.chance(settings.evaluators, len(paper.items)),
            "stability": paper.stability,
            **sitting(paper, scores, results, seed),
        },
        "forgetting": guard,
        "answers": {
            "training": _answers(trained),
            "validation": _answers(chosen),
            "exam": _answers(asked),
        },
    }


def sitting(
    paper: Paper,
    scores: Mapping[str, Tensor],
    results: Mapping[str, Mapping[str, Estimate]],
    seed: int,
) -> dict[str, Any]:
    """What the exam says of a student, as opposed to what it says of the judge."""
    gains = exam.gains(results, len(paper.personas), seed)
    return {
        "systems": {system: _plain(found) for system, found in results.items()},
        "gains": {control: _plain(found) for control, found in gains.items()},
        "people": _people(paper, scores),
    }


def _prompts(teacher: Teacher) -> dict[str, str]:
    """What the teacher, or those inside it, are prompted with: name and SHA-256 of each prompt."""
    asked = [one for one in (teacher, *components(teacher)) if isinstance(one, PromptedTeacher)]
    return {
        Path(one.prompt).name: hashlib.sha256(source(one.prompt).encode()).hexdigest()
        for one in asked
    }


def values(paper: Paper, results: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    """Each system's numbers for each persona of the exam: what comparisons of runs pair up."""
    return {
        "personas": [persona.id for persona in paper.personas],
        "systems": {
            system: {name: list(estimate.values) for name, estimate in found.items()}
            for system, found in results.items()
        },
    }


def _plain(found: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: plain(estimate) for name, estimate in found.items()}


def _people(paper: Paper, scores: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    ranks = {s: percentile_ranks(scores[s]) for s in ("zero-shot", "distilled")}
    return [
        {
            "id": persona.id,
            "text": persona.text,
            "winner": paper.items[winner].id,
            "percentile": {system: float(rank[row, winner]) for system, rank in ranks.items()},
        }
        for row, (persona, winner) in enumerate(zip(paper.personas, paper.winners, strict=True))
    ]


def _answers(judgments: Iterable[Judgment]) -> dict[str, Any]:
    """Distinct answers and what they cost once, whenever that was. Silent are those that state no
    preference: where it is the judge's, the lot decided who went on in the tournament."""
    distinct = {judgment.digest: judgment for judgment in judgments}
    replies = {digest: judgment.reply for digest, judgment in distinct.items()}
    tokens = sum((reply.tokens for reply in replies.values()), Tokens())
    dollars = added(reply.dollars for reply in replies.values())
    return {
        "judgments": len(replies),
        "silent": sum(not j.ranking.pairs(len(j.slate.items)) for j in distinct.values()),
        "models": sorted({reply.model for reply in replies.values()}),
        "tokens": asdict(tokens),
        "dollars": dollars,
    }


def gallery(paper: Paper, scores: Mapping[str, Tensor], count: int, seed: int) -> dict[str, Any]:
    """A few personas, chosen by lot: the top ten before, after, and of the judge where its
    utilities are known, and the judge's winner."""
    order = list(range(len(paper.personas)))
    stream("gallery", seed).shuffle(order)
    people = _people(paper, scores)
    rows, shown = [], set()
    for row in sorted(order[:count]):
        tops = {
            name: [
                int(i) for i in scores[system][row].argsort(descending=True, stable=True)[:SHOWN]
            ]
            for name, system in LISTS.items()
            if system in scores
        }
        shown |= {paper.winners[row], *(i for top in tops.values() for i in top)}
        lists = {name: [paper.items[i].id for i in top] for name, top in tops.items()}
        rows.append({**people[row], **lists})
    items = {
        paper.items[i].id: {"title": paper.items[i].title, "thumb": thumb(paper.items[i])}
        for i in sorted(shown)
    }
    return {"people": rows, "items": items}


def thumb(item: pvd.Item) -> str:
    picture = base64.b64encode(jpeg(item.open(), THUMB, quality=80)).decode()
    return f"data:image/jpeg;base64,{picture}"

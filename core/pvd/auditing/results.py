"""What an audit found, as audit.json holds it: cards, agreement between teachers, disagreements."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pvd
from pvd.auditing import agreement
from pvd.auditing.answers import Answers
from pvd.auditing.asking import Watch
from pvd.auditing.card import card, known, latency
from pvd.auditing.questions import Design, Sheet
from pvd.auditing.teachers import Member, differ_in_prompt_only
from pvd.auditing.wording import comparison, verdict
from pvd.settings import Settings
from pvd.streams import derive

SCHEMA = 1
SHOWN = 6  # slates with pictures

JSON = dict[str, Any]


def results(
    settings: Settings,
    design: Design,
    members: Sequence[Member],
    sheet: Sheet,
    answers: Sequence[Answers],
    watches: Sequence[Watch],
) -> JSON:
    """All numbers. But for `latency` nothing in it depends on time, place or cache."""
    seed = derive(settings.seed, "audit") % 2**32
    cards = [card(member, one, seed) for member, one in zip(members, answers, strict=True)]
    times = {m.label: latency(watch) for m, watch in zip(members, watches, strict=True)}
    return {
        "schema": SCHEMA,
        "pvd": pvd.__version__,
        "seed": settings.seed,
        "simulated": any(one["simulated"] for one in cards),
        "data": {
            "catalog": Path(settings.catalog.path).name or settings.catalog.label,
            "personas": Path(settings.personas.path).name or settings.personas.label,
        },
        "design": {
            "slates": design.slates,
            "orders": design.orders,
            "size": design.size,
            "pairs": design.paired,
            "personas": len(sheet.personas()),
            "questions": len(sheet.all()),
        },
        "teachers": [one | {"verdict": verdict(one)} for one in cards],
        "between": [_between(members, answers, a, b) for a, b in _couples(members)],
        "disagreements": _disagreements(members, sheet, answers),
        "latency": times,
    }


def _couples(members: Sequence[Member]) -> list[tuple[int, int]]:
    return list(combinations(range(len(members)), 2))


def _between(members: Sequence[Member], answers: Sequence[Answers], a: int, b: int) -> JSON:
    """How much two teachers agree, beside what their agreement with themselves leaves."""
    one, other = answers[a], answers[b]
    people, size = one.personas, one.size
    slates, orders, _ = one.places.shape
    over = f"{int(people.max()) + 1} personas, {slates} slates, different ones of {orders} orders"
    cross = agreement.between(one.ranks, other.ranks)
    mine, theirs = agreement.within(one.ranks), agreement.within(other.ranks)
    found: JSON = {
        "a": members[a].label,
        "b": members[b].label,
        "prompt_only": differ_in_prompt_only(members[a].teacher, members[b].teacher),
        "tau": known(agreement.mean_tau(cross.tau, people, size, over)),
        "top": known(agreement.mean_top(cross.top, people, over)),
    }
    for name in ("tau", "top"):
        own = (getattr(mine, name), getattr(theirs, name))
        most = agreement.ceiling(getattr(cross, name), own, people, over)
        found[f"{name}_ceiling"] = known(most.ceiling)
        found[f"{name}_reached"] = known(most.reached)
        found[f"{name}_missing"] = known(most.missing)
    return found | {"verdict": comparison(found)}


def _disagreements(
    members: Sequence[Member], sheet: Sheet, answers: Sequence[Answers]
) -> list[JSON]:
    """The slates on which teachers agree least; of one teacher, its own orders."""
    import numpy as np

    if len(members) > 1:
        taus = np.stack(
            [agreement.between(answers[a].ranks, answers[b].ranks).tau
             for a, b in _couples(members)]
        )  # fmt: skip
    else:
        taus = agreement.within(answers[0].ranks).tau[None]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        least = np.nanmean(taus, axis=0)
    order = [int(n) for n in np.argsort(least, kind="stable") if np.isfinite(least[n])]
    return [
        {
            "persona": sheet.slates[n].persona.id,
            "text": sheet.slates[n].persona.text,
            "tau": float(least[n]),
            "rows": _rows(members, sheet, answers, n),
        }
        for n in order[:SHOWN]
    ]


def _rows(
    members: Sequence[Member], sheet: Sheet, answers: Sequence[Answers], slate: int
) -> list[JSON]:
    """Each teacher's order of a slate by mean rank over its answers, best first; or each answer of
    the only teacher."""
    import numpy as np

    items = sheet.slates[slate].items

    def row(title: str, ranks: Any) -> JSON:
        order = [int(i) for i in np.argsort(ranks, kind="stable")]
        return {
            "title": title,
            "items": [items[i].id for i in order],
            "ranks": [float(ranks[i]) if np.isfinite(ranks[i]) else None for i in order],
        }

    if len(members) == 1:
        own = answers[0].ranks[slate]
        rows = [(f"order {n + 1}", ranks) for n, ranks in enumerate(own)]
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice")
            rows = [
                (member.label, np.nanmean(one.ranks[slate], axis=0))
                for member, one in zip(members, answers, strict=True)
            ]
    return [row(title, ranks) for title, ranks in rows if np.isfinite(ranks).any()]

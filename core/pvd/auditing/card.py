"""A teacher's report card: every number of an audit that is about one teacher, as JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pvd import options
from pvd.auditing import agreement, calibration, intervals, pairs, places
from pvd.auditing.answers import Answers
from pvd.auditing.asking import REFUSED, REJECTED, Watch
from pvd.auditing.teachers import Member
from pvd.estimates import plain
from pvd.protocols import CompositeTeacher
from pvd.records import Estimate, added

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RANKS_ONLY = (
    "It gives no utilities: how noisy it is cannot be told from how close the items are to one "
    "another. Its agreement with itself has both in it."
)
THOUSAND = 1000

JSON = dict[str, Any]


def card(member: Member, answers: Answers, seed: int) -> JSON:
    """Everything that is known of a teacher but its latency, which the answers do not tell."""
    people = f"{_people(answers)} personas"
    slates, orders, size = answers.places.shape
    over = f"{people}, {slates} slates x {orders} orders"
    own = agreement.within(answers.ranks)
    teacher = member.teacher
    return {
        "label": member.label,
        "teacher": options.dump(teacher),
        "simulated": teacher.capabilities.simulated,
        "composite": isinstance(teacher, CompositeTeacher),
        "models": sorted({m for row in answers.said for one in row for m in one.models} - {""}),
        "answers": _shares(answers, over),
        "itself": {
            "tau": known(agreement.mean_tau(own.tau, answers.personas, size, over)),
            "top": known(agreement.mean_top(own.top, answers.personas, over)),
            "tied": known(agreement.tied_best(answers.ranks, answers.personas, over)),
            "chance": {"tau": 0.0, "top": 1 / size},
        },
        "place": _place(answers, seed, over),
        "noise": _noise(answers, over),
        "pairs": _pairs(answers, seed, people),
        "calibration": _calibration(answers, seed, over),
        "cost": _cost(answers, over),
    }


def known(estimate: Estimate | None) -> JSON | None:
    """An estimate as JSON, or nothing where there is none."""
    return plain(estimate) if estimate is not None else None


def _people(answers: Answers) -> int:
    return int(answers.personas.max()) + 1


def _shares(answers: Answers, over: str) -> JSON:
    import numpy as np

    wrong = [[one.wrong for one in row] for row in answers.said]
    orders = len(wrong[0])
    asked = intervals.sums(np.full(len(wrong), orders), answers.personas)
    there = {one for row in wrong for one in row if one}
    kinds = {"malformed": there - {REFUSED, REJECTED}, "refused": {REFUSED}, "rejected": {REJECTED}}
    hits = {
        name: np.array([sum(one in some for one in row) for row in wrong], dtype=float)
        for name, some in {**kinds, "unusable": there}.items()
    }
    known_items = np.isfinite(answers.ranks)
    hits["partial"] = (known_items.any(axis=2) & ~known_items.all(axis=2)).sum(axis=1) * 1.0
    found: JSON = {"asked": len(wrong) * orders}
    for name, many in hits.items():
        above = intervals.sums(many, answers.personas)
        found[name] = known(intervals.share(above, asked, float(asked.sum()), over))
    counts = Counter(one for row in wrong for one in row if one in kinds["malformed"])
    return found | {"kinds": dict(sorted(counts.items()))}


def _place(answers: Answers, seed: int, over: str) -> JSON:
    who, where = answers.personas, answers.places
    utility = None
    if answers.has_utilities:
        utility = places.first_over_last(answers.utilities, where, who, over)
    return {
        "p": places.permutation_test(answers.ranks, where, seed),
        "permutations": places.PERMUTATIONS,
        "ranks": known(places.first_over_last(-answers.ranks, where, who, over)),
        "curve": [plain(one) for one in places.curve(answers.ranks, where, who, over)],
        "utility": known(utility),
        "kind": answers.kind,
    }


def _noise(answers: Answers, over: str) -> JSON:
    found = None
    if answers.has_utilities:
        found = places.noise(answers.utilities, answers.places, answers.personas, over)
    if found is None:
        return {"deviation": None, "gumbel": None, "note": RANKS_ONLY}
    return {"deviation": plain(found), "gumbel": plain(places.gumbel(found)), "note": ""}


def _pairs(answers: Answers, seed: int, people: str) -> JSON | None:
    slates = len(answers.won)
    if not slates:
        return None
    who = answers.personas[:slates]
    asked = int(answers.won.size)
    # The first slates are about personas in turn: a few of them may not know all personas.
    over = f"{min(int(who.max()) + 1, slates)} personas, {asked} pairs of {slates} slates"
    noise = None
    if answers.has_utilities:
        model = _noise_model(answers, over)
        if model is not None:
            noise = pairs.by_noise_alone(
                answers.won, answers.shown, answers.utilities[:slates], answers.places[:slates],
                who, model, seed, over,
            )  # fmt: skip
    return {
        "asked": asked,
        "triples": int(pairs.triples(answers.size).shape[0]) * slates,
        "intransitive": known(pairs.intransitive(answers.won, answers.size, who, over)),
        "coin": pairs.COIN,
        "noise_alone": known(noise),
        "first_wins": known(pairs.first_wins(answers.won, answers.shown, who, over)),
    }


def _noise_model(answers: Answers, over: str) -> tuple[float, float, float] | None:
    """Of all slates: the noise's deviation and Gumbel scale, and the first place's gain."""
    given = (answers.utilities, answers.places, answers.personas, over)
    spread, bias = places.noise(*given), places.first_over_last(*given)
    if spread is None or bias is None:
        return None
    return spread.value, places.gumbel(spread).value, bias.value


def _calibration(answers: Answers, seed: int, over: str) -> JSON | None:
    if not answers.has_utilities:
        return None
    found = calibration.calibration(answers.utilities, answers.ranks, answers.personas, seed, over)
    if found is None:
        return None
    return {
        "comparisons": found.comparisons,
        "slope": known(found.slope),
        "error": known(found.error),
        "bins": [
            {"predicted": one.predicted, "count": one.count, "observed": plain(one.observed)}
            for one in found.bins
        ],
    }


def _cost(answers: Answers, over: str) -> JSON:
    """Of an answer to one order of a slate, whether it could be read or not. What was asked before
    costs what it cost then."""
    import numpy as np

    everything = [one for row in answers.said for one in row]
    orders = answers.places.shape[1]
    asked = intervals.sums(np.full(len(answers.said), orders), answers.personas)

    def mean(values: list[float], times: float = 1.0) -> JSON | None:
        by_slate = np.array(values).reshape(-1, orders).sum(axis=1) * times
        return known(intervals.ratio(intervals.sums(by_slate, answers.personas), asked, over))

    prices = [one.dollars for one in everything]
    priced = [price for price in prices if price is not None]
    return {
        "per_thousand": mean(priced, THOUSAND) if len(priced) == len(prices) else None,
        "dollars": added(prices),
        "tokens_in": mean([one.tokens.input for one in everything]),
        "tokens_out": mean([one.tokens.output for one in everything]),
    }


def latency(watch: Watch) -> JSON:
    """Seconds of a call, of those that were answered now."""
    import numpy as np

    calls = len(watch.seconds)
    over = f"{calls} calls of {watch.questions} questions, answered by this command"
    seconds = np.array(watch.seconds)
    return {
        "calls": calls,
        "questions": watch.questions,
        "p50": known(intervals.percentile(seconds, 0.50, over)),
        "p95": known(intervals.percentile(seconds, 0.95, over)),
    }

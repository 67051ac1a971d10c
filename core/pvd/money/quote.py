"""The plan in words: what a run will ask and cost."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence

from pvd.money.amounts import count, duration, money, short
from pvd.money.plan import HOURS, SECONDS, Part, Plan
from pvd.prose import listed

NARROW, WIDE = 50, 100  # columns


def lines(plan: Plan, width: int = 0) -> list[str]:
    """A table of the parts, then dollars, hours, limits, and where the prices come from; as wide
    as the terminal."""
    found = [f"The whole {plan.what}, as far as it is not done:", *_table(plan)]
    said = [*_money(plan), _batches(plan), _time(plan), *_limits(plan), *plan.prices]
    if plan.new and not plan.settled:
        said.append(
            "What later rounds will ask is not known yet and counted as new; questions that must "
            "be asked again come on top."
        )
    return [*found, *wrapped([text for text in said if text], width)]


def wrapped(paragraphs: Sequence[str], width: int = 0) -> list[str]:
    """Their lines, as wide as the terminal, or less: long lines are hard to read."""
    width = width or shutil.get_terminal_size((78, 24)).columns - 1
    width = min(max(width, NARROW), WIDE)
    lines = (textwrap.wrap(text, width, break_long_words=False) for text in paragraphs)
    return [line for some in lines for line in some]


def _table(plan: Plan) -> list[str]:
    waiting = any(part.waiting for part in plan.parts)
    columns = ["questions", "stored", *["waiting"] * waiting, "new"]
    rows = [["", *columns, "tokens in", "pictures", "out"]]
    for part in plan.parts:
        tokens = part.forecast.expected
        counts = [part.questions, part.stored, *[part.waiting] * waiting, part.new]
        rows.append(
            [
                _label(part, plan),
                *(f"{count:,}" for count in counts),
                *map(short, (tokens.input, tokens.images, tokens.output)),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]


def _label(part: Part, plan: Plan) -> str:
    """What the part is called; with who is asked, where several are."""
    several = len({part.teacher for part in plan.parts}) > 1
    return f"{part.name} ({part.teacher})" if several and part.name != part.teacher else part.name


def _money(plan: Plan) -> list[str]:
    if not plan.new:
        waiting = ", or in a batch" * any(part.waiting for part in plan.parts)
        return [f"Everything is answered already{waiting}: nothing is asked."]
    if not plan.paid:
        return ["The answers cost nothing."]
    total = plan.dollars(plan.batch)
    if total is None:
        return ["Nobody knows what it costs."]
    low, expected, high = map(money, total)
    prices = [part.batch_dollars if plan.batch else part.dollars for part in plan.parts]
    parts = ", ".join(
        f"{_label(part, plan)} {money(price[1])}"
        for part, price in zip(plan.parts, prices, strict=True)
        if price and price[1]
    )
    if not parts:  # whoever is paid has answered all
        return ["The answers cost nothing."]
    said = [
        f"Expected to cost {expected}: {parts}.",
        f"At least {low}; at most {high}, if every answer were as long as it may be.",
    ]
    if plan.shared:
        said.append(
            "What the provider remembers of shared first rounds is not reckoned with: the exam may "
            "cost a third of that."
        )
    return said


def _batches(plan: Plan) -> str:
    if not plan.has_batches or not plan.new or not plan.submissions:
        return ""
    total = plan.dollars(batch=True)
    cost = "" if total is None or plan.batch else f" {money(total[1])}, and"
    many = plan.submissions
    begin = f"{'In batches' if plan.batch else 'With --batch'}:{cost} {count(many, 'submission')}"
    if many == 1:
        return f"{begin}. It is answered within {HOURS} hours, often sooner."
    waits = ", since each round of tournaments and of training waits for the last"
    waits = "" if plan.settled else waits
    days = count(round(many * HOURS / 24), "day")
    return (
        f"{begin} one after the other{waits}. Each is answered within {HOURS} hours, often sooner: "
        f"{days} at most."
    )


def _time(plan: Plan) -> str:
    limited = plan.requests_per_minute or plan.tokens_per_minute
    away = any(part.away for part in plan.parts)
    if not plan.new or plan.batch or not (away or limited):
        return ""  # how long one's own machine takes, nobody knows
    calls: dict[str, int] = {}
    for part in plan.parts:
        if part.away:
            calls[part.teacher] = max(part.at_once, calls.get(part.teacher, 0))
    bounds = [f"{_calls(calls)} at once of {SECONDS:g} s each"] if calls else []
    if plan.requests_per_minute:
        bounds.append(f"{plan.requests_per_minute:,} requests a minute")
    if plan.tokens_per_minute:
        bounds.append(f"{plan.tokens_per_minute:,} tokens a minute")
    some = not limited and any(part.new and part.teacher not in calls for part in plan.parts)
    whom = f" {listed(calls)}" if some else ""
    return f"Asking{whom} takes about {duration(plan.hours)}: at most {', and '.join(bounds)}."


def _calls(at_once: Mapping[str, int]) -> str:
    """How many calls each takes; once, if all take as many."""
    if len(set(at_once.values())) == 1:
        return count(next(iter(at_once.values())), "call")
    return f"{', '.join(f'{calls} ({who})' for who, calls in at_once.items())} calls"


def _limits(plan: Plan) -> list[str]:
    total, most, spent = plan.dollars(plan.batch), plan.max_cost, plan.spent.dollars
    said = []
    if most is not None and total is not None and plan.new:
        before = f"{money(spent)} of it is spent; " if spent else ""
        left = most - spent
        if total[1] > left:
            stops = f"the {plan.what} will stop there, and go on with more."
            fits = f"that is less than is expected: {stops}"
        elif total[2] > left:
            fits = "enough, unless answers are much longer than expected."
        else:
            fits = "enough, however long the answers are."
        said.append(f"--max-cost {most:g}: {before}{fits}")
        if plan.batch and total[2] > left:
            said.append(
                "All that a batch may cost is put aside while it is out: with less than "
                f"{money(total[2])} left, rounds are handed in piece by piece, and take more days."
            )
    if plan.max_calls is not None and plan.spent.calls + plan.new > plan.max_calls:
        said.append(
            f"--max-calls {plan.max_calls:,} is less than that: the {plan.what} will stop there, "
            "and go on with more."
        )
    return said

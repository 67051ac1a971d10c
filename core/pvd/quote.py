"""The plan in words: what a run will ask and cost, in lines of at most 78 columns."""

from __future__ import annotations

import textwrap

from pvd.amounts import duration, money, short
from pvd.plan import HOURS, SECONDS, Part, Plan

WIDTH = 78
COLUMNS = ("questions", "stored", "new", "tokens in", "pictures", "out")


def lines(plan: Plan) -> list[str]:
    """A table of the parts, then dollars, hours, and where the prices come from."""
    rows = [(part.name, *_cells(part)) for part in plan.parts]
    table = [("", *COLUMNS), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    found = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in table
    ]
    said = [_money(plan), _batches(plan), _time(plan), _limits(plan), *plan.prices]
    if plan.new:
        said.append(
            "What later rounds will ask is not known yet and counted as new; questions that must "
            "be asked again come on top."
        )
    for text in filter(None, said):
        found += textwrap.wrap(text, WIDTH, break_long_words=False)
    return found


def _cells(part: Part) -> tuple[str, ...]:
    tokens = part.forecast.expected
    counts = (tokens.input, tokens.images, tokens.output)
    return (f"{part.questions:,}", f"{part.stored:,}", f"{part.new:,}", *map(short, counts))


def _money(plan: Plan) -> str:
    if not plan.new:
        return "Everything is answered already: nothing is asked."
    if not plan.paid:
        return "The answers cost nothing."
    total = plan.dollars(plan.batch)
    if total is None:
        return "Nobody knows what it costs."
    low, expected, high = map(money, total)
    each = [(part.name, part.batch_dollars if plan.batch else part.dollars) for part in plan.parts]
    parts = ", ".join(f"{name} {money(price[1])}" for name, price in each if price)
    return (
        f"Expected to cost {expected}: {parts}. At least {low}, and at most {high} if every answer "
        "were as long as it may be."
    )


def _batches(plan: Plan) -> str:
    if not plan.has_batches or not plan.new:
        return ""
    total = plan.dollars(batch=True)
    cost = "" if total is None or plan.batch else f" {money(total[1])}, and"
    return (
        f"{'In batches' if plan.batch else 'With --batch'}:{cost} {plan.submissions} submissions "
        "one after the other, since each round of tournaments and of training waits for the last. "
        f"Each is answered within {HOURS} hours, often sooner: {plan.submissions * HOURS / 24:.0f} "
        "days at most."
    )


def _time(plan: Plan) -> str:
    limited = plan.requests_per_minute or plan.tokens_per_minute
    if not plan.new or plan.batch or not (plan.paid or limited):
        return ""  # how long one's own machine takes, nobody knows
    bounds = [f"{plan.at_once} calls at once that take {SECONDS:g} s each"]
    if plan.requests_per_minute:
        bounds.append(f"{plan.requests_per_minute:,} requests a minute")
    if plan.tokens_per_minute:
        bounds.append(f"{plan.tokens_per_minute:,} tokens a minute")
    return f"Asking takes about {duration(plan.hours)}: at most {', and '.join(bounds)}."


def _limits(plan: Plan) -> str:
    total, most = plan.dollars(plan.batch), plan.max_cost
    if most is not None and total is not None and plan.spent.dollars + total[1] > most:
        spent = f", with the {money(plan.spent.dollars)} spent so far," * (plan.spent.dollars > 0)
        return (
            f"That{spent} is more than --max-cost {most:g}: the run will stop there, and go on "
            "with a higher one."
        )
    if plan.max_calls is not None and plan.spent.calls + plan.new > plan.max_calls:
        return (
            f"That is more than --max-calls {plan.max_calls:,}: the run will stop there, and go on "
            "with a higher one."
        )
    return ""

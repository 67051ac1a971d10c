"""The account of a run: what it may spend, what it spent, and what the user is told of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pvd.asking import Desk
from pvd.errors import UsageError
from pvd.folder import read_object, write_json
from pvd.money import quote
from pvd.money.amounts import count, money
from pvd.money.budget import Budget
from pvd.money.plan import Plan
from pvd.progress import Progress
from pvd.protocols import Teacher
from pvd.settings import Settings
from pvd.store import Spent, Store


def budget_of(
    settings: Settings,
    folder: Path,
    store: Store,
    fresh: bool = False,
    shared: str | None = None,
) -> Budget:
    """The budget of the run in this folder; a fresh one has spent nothing. The store keeps the
    account; usage.json knows which one, and brings it along to another store. `shared` names one
    that other processes charge at the same time."""
    before = {}
    if (folder / "usage.json").exists() and not fresh:
        before = read_object(folder / "usage.json")
    run = shared or before.get("run") or uuid.uuid4().hex
    if before.get("run") == run:
        spent = Spent(before.get("run_questions", 0), before.get("run_dollars", 0.0))
        store.adopt(run, spent)
    return Budget(store, run, settings.max_cost, settings.max_calls, shared is not None)


def agree(
    settings: Settings, plan: Plan, progress: Progress, teachers: Sequence[Teacher] = ()
) -> None:
    """What costs money is shown first, asked about no drawn shop, and not without a limit. Without
    `teachers`, those of the settings are asked."""
    asked = teachers or (settings.teacher, settings.judge)
    if not settings.catalog.path:
        paid = next(teacher.label for teacher in asked if teacher.capabilities.paid)
        raise UsageError(
            f"The answers of {paid} cost money, and the source "
            f"{settings.catalog.label} only serves to try things out; name your --catalog."
        )
    for line in quote.lines(plan):
        progress.say(line)
    plan.check(settings)


def save_usage(folder: Path, desk: Desk, progress: Progress) -> None:
    """Write usage.json: what this invocation used so far, and the run over all of them."""
    used, spent = asdict(desk.usage), desk.budget.spent
    asking = used.pop("seconds_asking")
    row = {
        **used,
        "requests_per_second": round(used["asked"] / asking, 2) if asking else None,
        "seconds": {name: round(value, 2) for name, value in progress.seconds.items()},
        "run": desk.budget.run,
        "run_questions": spent.calls,
        "run_dollars": spent.dollars,
    }
    write_json(folder / "usage.json", row)


def say_spent(desk: Desk, progress: Progress) -> None:
    """What was spent, where money is at stake, however the command ends."""
    usage, budget = desk.usage, desk.budget
    if not (usage.dollars or usage.unpriced or budget.max_cost is not None):
        return
    unpriced = f", and {count(usage.unpriced, 'answer')} of unknown price" * bool(usage.unpriced)
    limit = "" if budget.max_cost is None else f" of {money(budget.max_cost)}"
    progress.say(
        f"Spent by this command: {money(usage.dollars)}{unpriced}; by the run so far: "
        f"{money(budget.spent.dollars)}{limit}, for {count(budget.spent.calls, 'question')}."
    )

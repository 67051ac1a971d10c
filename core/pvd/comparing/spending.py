"""What a comparison cost: each answer counted once, however many of its runs used it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from pvd.comparing.design import Design
from pvd.comparing.transcripts import Stop
from pvd.folder import read_lines, write_json
from pvd.money.amounts import money
from pvd.money.budget import Budget
from pvd.progress import Progress
from pvd.records import added

Prices = Mapping[str, float | None]  # by the digest of an answer


def save(path: Path, budget: Budget) -> None:
    """What all runs of the comparison have charged to its account so far."""
    spent = budget.spent
    row = {"run": budget.run, "run_questions": spent.calls, "run_dollars": spent.dollars}
    write_json(path, row)


def say(budget: Budget, progress: Progress) -> None:
    """The same for whoever pays."""
    spent = budget.spent
    if spent.dollars or budget.max_cost is not None:
        limit = "" if budget.max_cost is None else f" of {money(budget.max_cost)}"
        progress.say(
            f"Spent by the comparison so far: {money(spent.dollars)}{limit}, for "
            f"{spent.calls:,} questions."
        )


def cost(
    design: Design,
    out: Path,
    folders: Sequence[Sequence[Path]],
    ends: Sequence[Sequence[Stop]],
) -> dict[str, Any]:
    """Answers and dollars of each exam and of a run of each arm, which ended so, and of everything
    together."""
    exams = {
        judge.label: _prices([design.exam_folder(out, judge) / "exam" / "test.jsonl"])
        for judge in design.judges
    }
    runs = [_prices(_files(folder)) for row in folders for folder in row]
    everything: dict[str, float | None] = {}
    for prices in (*exams.values(), *runs):
        everything |= prices
    return {
        "exams": {judge: _sum(prices) for judge, prices in exams.items()},
        "runs": [_mean_of(row) for row in ends],
        "used": sum(map(len, (*exams.values(), *runs))),
        "together": _sum(everything),
    }


def _files(folder: Path) -> Iterator[Path]:
    """Where the judgments are that a run learned from."""
    yield folder / "exam" / "validation.jsonl"
    yield from sorted((folder / "rounds").glob("*/judgments.jsonl"))


def _prices(files: Iterator[Path] | Sequence[Path]) -> Prices:
    rows = (row for file in files if file.exists() for row in read_lines(file))
    pairs = (pair for row in rows for pair in row.get("parts") or [(row["digest"], row["dollars"])])
    return dict(pairs)


def _sum(prices: Prices) -> dict[str, Any]:
    return {"answers": len(prices), "dollars": added(prices.values())}


def _mean_of(ends: Sequence[Stop]) -> dict[str, Any]:
    """Of one run of an arm, mean over the seeds."""
    dollars = [end.dollars for end in ends if end.dollars is not None]
    return {
        "answers": mean(end.answers for end in ends),
        "dollars": mean(dollars) if len(dollars) == len(ends) else None,
    }

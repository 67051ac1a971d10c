"""What a comparison can see, said before it is begun."""

from __future__ import annotations

from pvd import crossed
from pvd.comparing.design import Design
from pvd.comparing.findings import questions
from pvd.comparing.units import in_points
from pvd.crossed import Components
from pvd.money.amounts import count

# How differences between arms spread: what docs/results.md found for samplers on photographs, with
# a student of two minutes. Another student and other teachers may spread otherwise.
ENOUGH = 20  # seeds that somebody may still want to pay for
ASSUMED = Components(seed=2.8, persona=12.3, residual=555.0)


def lines(design: Design, personas: int) -> list[str]:
    """The size of the comparison, and the smallest difference that it can find."""
    arms, seeds = len(design.arms), design.seeds
    said = [
        f"{count(arms, 'arm')} x {count(seeds, 'seed')} = {count(len(design.cells), 'run')}; the "
        f"exam of {count(personas, 'persona')} is judged by "
        f"{', '.join(judge.label for judge in design.judges)}."
    ]
    if seeds < crossed.FEW_SEEDS:
        return [
            *said,
            f"Too few seeds for a verdict: {seeds} of at least {crossed.FEW_SEEDS}. Intervals will "
            "be about these very runs, not about other seeds.",
        ]
    # The pairs are one family for Holm's correction, and each must be seen at its strictest level.
    level = 0.05 / len(questions(design))
    smallest = crossed.detectable(ASSUMED, seeds, personas, level=level)
    said.append(
        "If differences spread as in the project's study of samplers (docs/results.md in its "
        f"sources), one of {smallest:.1f} points between two arms is found with 80 % power."
    )
    if 0 < design.margin < smallest:
        needed = crossed.seeds_needed(ASSUMED, personas, design.margin, level=level)
        wish = f"difference of {in_points(design.margin)} (--margin)"
        said.append(
            f"For a {wish} it takes {count(needed, 'seed')}."
            if needed
            else f"A {wish} cannot be found with {count(personas, 'persona')}, however many seeds"
            f"{_more(design, level)}."
        )
    return said


def _more(design: Design, level: float) -> str:
    """How many personas would do, with not too many seeds."""
    for personas in (100, 200, 500, 1000, 2000, 5000):
        seeds = crossed.seeds_needed(ASSUMED, personas, design.margin, level=level, most=ENOUGH)
        if seeds:
            return f"; with {personas:,} it takes {count(seeds, 'seed')}"
    return ""

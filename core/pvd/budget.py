"""What a run would cost, looked at before anything is asked."""

from __future__ import annotations

from pvd import exam
from pvd.catalog import Data
from pvd.errors import UsageError
from pvd.settings import Settings


def check_budget(settings: Settings, data: Data) -> None:
    """Nothing that costs money is asked about a drawn shop, or without a limit."""
    paid = [t.label for t in (settings.teacher, settings.judge) if t.capabilities.paid]
    if not paid:
        return
    if not settings.catalog.path:
        raise UsageError(
            f"The answers of {paid[0]} cost money, and the source "
            f"{settings.catalog.label} only serves to try things out; name your --catalog."
        )
    if settings.max_cost is None:
        train = settings.train
        asked = train.rounds * train.slates + train.validation_slates
        judged = exam.questions(len(data.people.test), len(data.items.test), settings.exam)
        raise UsageError(
            f"This run would ask about {asked:,} slates for training and {judged:,} for the exam; "
            "it costs money, so add --max-cost with the dollars that it may cost."
        )

"""What a person says about a slate, as the raw reply that is kept, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pvd
from pvd import kit

SKIPPED = json.dumps({"skipped": True})


def ranked(order: Sequence[int], size: int) -> str:
    """The reply for the photographs that were placed, best first; the others tie behind them."""
    rest = [position for position in range(size) if position not in order]
    tiers = [[position] for position in order] + ([rest] if rest else [])
    return json.dumps({"ranking": tiers})


def read(request: pvd.Request, text: str) -> pvd.Ranking:
    """The ranking in a reply; one tier for a slate that was skipped."""
    said = kit.read_json(text)
    if said == {"skipped": True}:
        everything = tuple(range(len(request.slate.items)))
        return pvd.Ranking((everything,), attributes={"skipped": True})
    try:
        return pvd.Ranking(tuple(tuple(map(int, tier)) for tier in said["ranking"]))
    except (TypeError, KeyError, ValueError):
        raise kit.Malformed(f"no ranking of photographs: {text[:80]!r}") from None

"""A loss in one file: it learns from the best item of each slate alone. Is the rest needed?

python examples/own_loss.py                        # held against Bradley-Terry
pvd run -p examples/own_loss.py --loss top-one
pvd plugins check -p examples/own_loss.py loss.top-one
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pvd
from pvd import kit

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True)
class TopOne(pvd.Loss):
    """`-log( sum_best exp(z) / sum_placed exp(z) )`, z = scale * score: the first choice of a
    Plackett-Luce ranking, as in ListNet's top one (Cao et al. 2007). Tied best items share it.

    The mean over the slates that place something below the best. The fields are the options:
    `-o loss.scale=10`.
    """

    scale: Annotated[float, kit.Above(0), "what cosines are multiplied by"] = 20.0

    def __call__(self, batch: pvd.ScoredBatch) -> Tensor:
        import torch

        placed = batch.placed & batch.mask  # [B, K]: not what the teacher left out, nor padding
        ranks = batch.ranks.masked_fill(~placed, batch.ranks.max() + 1)
        best = placed & (ranks == ranks.amin(1, keepdim=True))
        logits = self.scale * batch.scores
        floor = torch.finfo(logits.dtype).min
        all_of_it, share = (
            logits.masked_fill(~chosen, floor).logsumexp(1) for chosen in (placed, best)
        )
        weights = batch.weights * (placed & ~best).any(1)
        return ((all_of_it - share) * weights).sum() / weights.sum().clamp(min=1e-12)


@pvd.hookimpl
def register_losses(register: Callable[[str, type[pvd.Loss]], None]) -> None:
    register("top-one", TopOne)


def main(out: str = "runs/own-loss", seeds: int = 2, **smaller: Any) -> None:
    """The same student, slates and exam by two losses. A verdict takes five seeds."""
    settings: dict[str, Any] = {
        "catalog": {"use": "boutique", "size": 250},
        "personas": {"use": "boutique", "people": 100},
        "train": {"rounds": 1, "slates": 250, "steps": 60},
        "exam": {"personas": 20, "repeats": 0},
    }
    done = pvd.compare(
        vary={"loss": ["bradley-terry", "top-one"]},
        seeds=seeds,
        plugins=[__file__],
        out=Path(out),
        **settings | smaller,
    )
    for row in done.findings["comparisons"]:
        gap = row["difference"]
        print(
            f"{row['b']} minus {row['a']}, judged by {row['view']}: {gap['value']:+.1f} points "
            f"({gap['low']:+.1f} to {gap['high']:+.1f}, over {gap['over']}): {row['verdict']}"
        )
    print(f"Report: {done.report}")


if __name__ == "__main__":
    main()

"""Small records that are enough for any component."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pvd.protocols import Pool, ScoredBatch
from pvd.records import Item, Judgment, Persona, Ranking, Reply, Slate

if TYPE_CHECKING:
    from torch import Tensor

COLOURS = ("red", "green", "blue", "yellow")


def items(count: int = 12) -> list[Item]:
    """Small drawn items with colours and sizes as attributes."""
    return [
        Item(
            f"item-{number}",
            lambda number=number: _picture(number),  # type: ignore[misc]
            f"Thing {number}",
            {"colour": COLOURS[number % 4], "size": "large" if number % 3 else "small"},
        )
        for number in range(count)
    ]


def _picture(number: int) -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (48, 48), "white")
    corner = 6 + number % 7
    ImageDraw.Draw(image).ellipse((corner, 8, 40, 24 + number), fill=COLOURS[number % 4])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def personas(count: int = 4) -> list[Persona]:
    """Personas with tastes for the items' attributes."""
    return [
        Persona(
            f"persona-{number}",
            f"Someone who lives in house number {number} by the water.",
            {"tastes": {f"colour={COLOURS[number % 4]}": 2.0, "size=large": 0.5 + number / 10}},
        )
        for number in range(count)
    ]


def slate(size: int = 5, person: int = 0) -> Slate:
    """One question."""
    return Slate(personas(person + 1)[person], tuple(items(size)))


def judgment(ranking: Ranking, size: int = 5) -> Judgment:
    """An answer to `slate(size)`."""
    return Judgment(slate(size), ranking, "digest", Reply(""), "teacher.none", "2025-01-01")


def pool(slots: int = 6, count: int = 40, seed: int = 0) -> Pool:
    """What a sampler draws from, with random embeddings."""
    from pvd.drawing import SlotPool
    from pvd.streams import generator

    def unit(rows: int, name: str) -> Tensor:
        import torch

        noise = torch.randn(rows, 8, generator=generator(name, seed))
        return torch.nn.functional.normalize(noise, dim=1)

    people = personas(slots)
    return SlotPool(
        people, items(count), unit(slots, "texts"), unit(count, "items"), unit(count, "base")
    )


def scored_batch(
    scores: Any,
    ranks: Sequence[Sequence[int | None]],
    *,
    utilities: Any = None,
    weights: Sequence[float] | None = None,
) -> ScoredBatch:
    """A batch from scores [B, K] and ranks (None: not placed); every picture is in one slate."""
    import torch

    scores = torch.as_tensor(scores)
    rows, size = scores.shape
    placed = torch.tensor([[rank is not None for rank in row] for row in ranks])
    numbers = torch.tensor([[size if rank is None else rank for rank in row] for row in ranks])
    in_slate = torch.zeros(rows, rows * size, dtype=torch.bool)
    for row in range(rows):
        in_slate[row, row * size : (row + 1) * size] = True
    flat = scores.reshape(1, -1).expand(rows, -1)
    texts = torch.nn.functional.normalize(torch.ones(rows, 4), dim=1).to(scores.dtype)
    embeddings = torch.nn.functional.normalize(torch.ones(rows * size, 4), dim=1).to(scores.dtype)
    return ScoredBatch(
        scores=scores,
        ranks=numbers,
        placed=placed,
        mask=torch.ones(rows, size, dtype=torch.bool),
        utilities=None if utilities is None else torch.as_tensor(utilities),
        weights=torch.ones(rows) if weights is None else torch.tensor(weights),
        persona_index=torch.arange(rows),
        pool_scores=flat,
        in_slate=in_slate,
        text_embeddings=texts,
        embeddings=embeddings,
        references={"base": embeddings},
        judgments=[judgment(Ranking.from_order(list(range(size))), size)] * rows,
        round=1,
        step=0,
    )


def learnable_batch(
    ranks: Sequence[Sequence[int | None]], utilities: Tensor | None = None
) -> tuple[ScoredBatch, Tensor]:
    """A batch whose scores are the cosines of its embeddings, and the embeddings' source."""
    import torch

    rng = torch.Generator().manual_seed(1)
    rows, size = len(ranks), len(ranks[0])
    texts = torch.nn.functional.normalize(torch.randn(rows, 8, generator=rng), dim=1)
    source = torch.randn(rows * size, 8, generator=rng).requires_grad_()
    embeddings = torch.nn.functional.normalize(source, dim=1)
    scores = texts @ embeddings.T
    own = torch.arange(rows * size).view(rows, size)
    batch = scored_batch(scores.gather(1, own), ranks, utilities=utilities)
    return replace(batch, pool_scores=scores, text_embeddings=texts, embeddings=embeddings), source

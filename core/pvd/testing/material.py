"""Small records that are enough for any component."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pvd.protocols import Pool, ScoredBatch
from pvd.records import Exam, Item, Judgment, Persona, Ranking, Reply, Slate

if TYPE_CHECKING:
    from torch import Tensor

Book = dict[str, dict[str, dict[str, float]]]  # a sampler's notes: by table, row and column

COLOURS = ("red", "green", "blue", "yellow")


def items(count: int = 12) -> list[Item]:
    """So many small drawn items (PNG, 48 x 48 pixels), the same each time, with the attributes
    `colour` and `size` as text."""
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
    """So many personas, the same each time, with `tastes` for the attributes of `items`: a mapping
    from "column=value" to a weight, as the teacher `simulated` reads it."""
    return [
        Persona(
            f"persona-{number}",
            f"Someone who lives in house number {number} by the water.",
            {"tastes": {f"colour={COLOURS[number % 4]}": 2.0, "size=large": 0.5 + number / 10}},
        )
        for number in range(count)
    ]


def slate(size: int = 5, person: int = 0) -> Slate:
    """One question: the persona of this number, and the first `size` items in the order shown."""
    return Slate(personas(person + 1)[person], tuple(items(size)))


def judgment(ranking: Ranking, size: int = 5) -> Judgment:
    """An answer to `slate(size)`, as a run keeps it."""
    return Judgment(slate(size), ranking, "digest", Reply(""), "teacher.none", "2025-01-01")


def pool(
    slots: int = 6,
    count: int = 40,
    seed: int = 0,
    *,
    history: Sequence[Judgment] = (),
    notes: Book | None = None,
) -> Pool:
    """What a sampler draws from: so many slots (S) and items (N), with random embeddings [N, 8].
    What the sampler notes is added to `notes`: by table, row and column."""
    from pvd.drawing import SlotPool
    from pvd.streams import generator

    def unit(rows: int, name: str) -> Tensor:
        import torch

        noise = torch.randn(rows, 8, generator=generator(name, seed))
        return torch.nn.functional.normalize(noise, dim=1)

    people = personas(slots)
    return SlotPool(
        people,
        items(count),
        unit(slots, "texts"),
        unit(count, "items"),
        unit(count, "base"),
        history,
        notes,
    )


def scored_batch(
    scores: Any,
    ranks: Sequence[Sequence[int | None]],
    *,
    utilities: Any = None,
    weights: Sequence[float] | None = None,
) -> ScoredBatch:
    """A batch of fixed scores, for numbers worked out by hand.

    `scores` [B, K] are cosines, a tensor or lists; `ranks` [B, K] count from 0, the best, and are
    None where an item is not placed; `utilities` [B, K] or None; `weights` [B], 1 if None. Every
    picture is in one slate, U = B * K, and every slate has a persona of its own. What else the
    batch has, embeddings [U, 4] and [B, 4], is all ones: see `learnable_batch` for a gradient.
    """
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
    """A batch whose scores are the cosines of its embeddings, and the leaf tensor [B * K, 8] that
    these are made of, before they are brought to unit length: its gradient says what a loss asks
    of each picture, row `b * K + k` of place k in slate b.
    """
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


def judged_batch(
    ranks: Sequence[Sequence[int | None]],
    *,
    rows: Sequence[int] | None = None,
    turn: bool = False,
    utilities: bool = True,
    like: Literal["any", "one", "ends"] = "any",
) -> tuple[ScoredBatch, Tensor]:
    """A batch as training makes it, and the embeddings [U, D] that its gradient goes to.

    One slate for each of `ranks` [K], which may have different lengths and share pictures and
    personas, each of another weight; None is not placed. `rows` chooses and orders the slates,
    `turn` shows each in the reverse order. `like`: embeddings are drawn, all the same one, or at
    the ends of the cosines' range.
    """
    import torch
    from torch.nn.functional import normalize

    from pvd.pictures import Memory, Pictures
    from pvd.training import Aged, Lesson

    shelf, people, rng = items(16), personas(3), torch.Generator().manual_seed(2)
    aged = []
    for number, row in enumerate(ranks):
        places = [(2 * number + step) % len(shelf) for step in range(len(row))]
        said = list(row)
        if turn:
            places, said = places[::-1], said[::-1]
        asked = Slate(people[number % 3], tuple(shelf[place] for place in places))
        aged.append(Aged(_judged(asked, said), age=number % 2))
    texts = normalize(torch.randn(3, 8, generator=rng), dim=1)
    table = normalize(torch.randn(len(shelf), 8, generator=rng), dim=1)
    lesson = Lesson(
        aged,
        Pictures(shelf, Memory(torch.zeros(len(shelf), 1))),
        {persona.id: text for persona, text in zip(people, texts, strict=True)},
        table,
        replay="decay",
    )
    if like == "one":
        table = table[:1].expand(len(shelf), -1)
    elif like == "ends":
        table = torch.stack([texts[0] * (-1) ** place for place in range(len(shelf))])
    chosen = torch.tensor(list(range(len(ranks)) if rows is None else rows))
    images = lesson.images(chosen)
    embeddings = table[images].clone().requires_grad_()
    batch = lesson.scored(chosen, images, embeddings, utilities=utilities, round=1, step=0)
    return batch, embeddings


def _judged(asked: Slate, ranks: Sequence[int | None]) -> Judgment:
    tiers: dict[int, list[int]] = {}
    for position, rank in enumerate(ranks):
        if rank is not None:
            tiers.setdefault(rank, []).append(position)
    ranking = Ranking(
        tuple(tuple(tiers[rank]) for rank in sorted(tiers)),
        utilities=tuple(0.0 if rank is None else 5.0 - rank for rank in ranks),
        kind="score",
    )
    return Judgment(asked, ranking, "digest", Reply(""), "teacher.none", "2025-01-01")


def exam(people: int = 4, count: int = 12, *, utilities: bool = True) -> Exam:
    """A sitting: scores [P, N] by lot, and a judge whose utilities [P, N] name the winners."""
    import torch

    rng = torch.Generator().manual_seed(0)
    known = torch.rand(people, count, generator=rng, dtype=torch.float64)
    scores = torch.rand(people, count, generator=rng, dtype=torch.float64)
    winners = tuple(int(row.argmax()) for row in known)
    return Exam(
        "any",
        tuple(personas(people)),
        tuple(items(count)),
        scores,
        winners,
        known if utilities else None,
        seed=0,
    )

"""The forgetting guard: whether the student still finds what a plain text names, and how far its
embeddings moved. Training for taste may cost what it knew before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pvd import estimates
from pvd.catalog import bounded
from pvd.estimates import plain
from pvd.percentiles import percentile_ranks
from pvd.records import Estimate, Item
from pvd.scoring import cosines
from pvd.streams import derive

if TYPE_CHECKING:
    from torch import Tensor

ITEMS = 1000  # that are looked at, at most
TITLES = 20  # distinct ones, at least; fewer name kinds, and the attributes do that better
VALUES = 5  # of attributes, at least; fewer make no interval
KINDS = 50  # values of a column that holds kinds, at most
MEMBERS = 3  # items of a kind, at least
NEIGHBOURS = 10
WORST = 5  # queries shown


@dataclass(frozen=True)
class Probe:
    """Plain texts, and for each the positions of the items that it names."""

    kind: Literal["titles", "attribute values"]
    texts: tuple[str, ...]
    named: tuple[tuple[int, ...], ...]

    def relevant(self, items: int) -> Tensor:
        """[Q, N], bool."""
        import torch

        found = torch.zeros(len(self.texts), items, dtype=torch.bool)
        for row, positions in enumerate(self.named):
            found[row, list(positions)] = True
        return found


def probe(items: Sequence[Item]) -> Probe | None:
    """The items' titles if there are enough, else the values of the columns that hold kinds; None
    if these are too few as well.
    """
    titles = _positions(item.title for item in items)
    if found := _probe("titles", titles, TITLES, len(items)):
        return found
    kinds: dict[str, list[int]] = {}
    for column in dict.fromkeys(name for item in items for name in item.attributes):
        values = _positions(item.attributes.get(column) for item in items)
        if column != "split" and len(values) <= KINDS and all(map(_has_letter, values)):
            for text, positions in values.items():
                if len(positions) >= MEMBERS:  # a value of two columns names the items of both
                    kinds[text] = sorted({*kinds.get(text, ()), *positions})
    return _probe("attribute values", kinds, VALUES, len(items))


def _positions(texts: Iterable[str | None]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for position, text in enumerate(texts):
        if text and text.strip():
            found.setdefault(text.strip(), []).append(position)
    return found


def _probe(
    kind: Literal["titles", "attribute values"], texts: dict[str, list[int]], least: int, items: int
) -> Probe | None:
    """Of the texts that have a letter and do not name every item."""
    some = {t: tuple(p) for t, p in texts.items() if _has_letter(t) and len(p) < items}
    return Probe(kind, tuple(some), tuple(some.values())) if len(some) >= least else None


def _has_letter(text: str) -> bool:
    return any(letter.isalpha() for letter in text)


def auc(scores: Tensor, relevant: Tensor) -> Tensor:
    """[Q], how far up the relevant items stand among the others, in percent; ties count half.

    The area under the ROC curve by its rank sum (Mann and Whitney 1947): 50 is chance.
    """
    items = scores.shape[1]
    places = percentile_ranks(scores) / 100 * items  # counted from the bottom, the lowest 1
    count = relevant.sum(1).double()
    above = (places * relevant).sum(1) - count * (count + 1) / 2
    return 100 * above / (count * (items - count))


def drift(before: Tensor, after: Tensor) -> Tensor:
    """[N], 1 - cosine of two embeddings of unit length [N, D], such that equal ones give 0."""
    return (after.double() - before.double()).square().sum(1) / 2


def kept(before: Tensor, after: Tensor, count: int = NEIGHBOURS) -> Tensor:
    """[N], the share in percent of an item's nearest neighbours that still are."""
    import torch

    near = []
    for embeddings in (before, after):
        scores = cosines(embeddings, embeddings).fill_diagonal_(-torch.inf)
        order = scores.argsort(dim=1, descending=True, stable=True)[:, :count]
        near.append(torch.zeros_like(scores, dtype=torch.bool).scatter_(1, order, True))
    return 100 * (near[0] & near[1]).sum(1).double() / count


def measure(
    items: Sequence[Item],
    before: Tensor,
    after: Tensor,
    embed_texts: Callable[[Sequence[str]], Tensor],
    seed: int,
) -> dict[str, Any]:
    """The guard's part of metrics.json, for these items as the untrained and the trained student
    embed them [N, D]; of very many, some that are chosen by hash of the id.
    """
    import torch

    some = bounded(items, ITEMS, derive(seed, "forgetting"))
    place = {item.id: row for row, item in enumerate(items)}
    rows = torch.tensor([place[item.id] for item in some])
    before, after = before[rows], after[rows]

    def mean(values: Tensor, what: str) -> Estimate:
        over = f"{len(values)} {what}, given one trained student"
        return estimates.mean(values.tolist(), derive(seed, "bootstrap"), over)

    moved: dict[str, Any] = {
        "items": len(some),
        "drift": plain(mean(drift(before, after), "items")),
    }
    moved["neighbours"] = None
    if len(some) > 2 * NEIGHBOURS:
        near = plain(mean(kept(before, after), "items"))
        moved["neighbours"] = near | {"chance": 100 * NEIGHBOURS / (len(some) - 1)}
    asked = probe(some)
    if asked is None:
        return {"queries": None, **moved}
    texts, relevant = embed_texts(asked.texts), asked.relevant(len(some))
    ranks = [auc(cosines(texts, images), relevant) for images in (before, after)]
    was, now = (mean(rank, asked.kind) for rank in ranks)
    change = estimates.difference(now, was, derive(seed, "bootstrap"))
    order = (ranks[1] - ranks[0]).argsort(stable=True)[:WORST].tolist()
    return {
        "queries": {
            "kind": asked.kind,
            "count": len(asked.texts),
            "before": plain(was),
            "after": plain(now),
            "change": plain(change),
            "worst": [
                {
                    "text": asked.texts[row],
                    "items": len(asked.named[row]),
                    "before": float(ranks[0][row]),
                    "after": float(ranks[1][row]),
                }
                for row in order
                if ranks[1][row] < ranks[0][row]
            ],
        },
        **moved,
    }

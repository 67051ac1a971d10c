"""Looking at few items changes no draw: four-bin against the plain algorithm, written down here.

Every published number rests on these draws, so they are compared row by row, with the notes.
"""

import subprocess
import sys

import pytest
import torch
from torch import Generator, Tensor

from pvd.drawing import SlotPool
from pvd.testing import items, personas
from pvd_plugins.samplers.four_bin import LABELS, FourBin, shares

EDGES = torch.tensor([0.70, 0.90, 0.95])

Notes = dict[str, dict[str, float]]


def plain(
    scores: Tensor, size: int, by: str, fallback: str, rng: Generator
) -> tuple[Tensor, Notes]:
    """Every score is compared with every edge, and every lot is looked at, bin by bin."""
    lots = torch.rand(scores.shape, generator=rng)
    bins = in_range(scores) if by == "range" else in_quantiles(scores, rng)
    short, rows = [0] * 4, []
    for slot in range(len(scores)):
        if scores[slot].max() == scores[slot].min():
            rows.append(lots[slot].topk(size).indices.tolist())
            continue
        queues = []
        for number in range(4):
            best = lots[slot].where(bins[slot] == number, -1.0).topk(size)
            queues.append(best.indices[best.values >= 0].tolist())
        row: list[int] = []
        missing = []
        for number, count in enumerate(shares(size)):
            row += queues[number][:count]
            missing += [number] * (count - len(queues[number][:count]))
            del queues[number][:count]
        for number in missing:
            short[number] += 1
            if fallback == "nearest":
                stocked = [other for other in range(4) if queues[other]]
                nearest = min(stocked, key=lambda other: (abs(other - number), other))
                row.append(queues[nearest].pop(0))
                continue
            while (item := int(torch.randint(scores.shape[1], (1,), generator=rng))) in row:
                pass
            queues = [[other for other in queue if other != item] for queue in queues]
            row.append(item)
        rows.append(row)
    return torch.tensor(rows), {
        label: {
            "members": float((bins == number).sum()),
            "wanted": float(shares(size)[number] * len(rows)),
            "short": float(short[number]),
        }
        for number, label in enumerate(LABELS)
    }


def in_range(scores: Tensor) -> Tensor:
    low, high = scores.amin(1, keepdim=True), scores.amax(1, keepdim=True)
    cuts = low + (high - low) * EDGES.to(scores.dtype)
    return (scores.unsqueeze(-1) >= cuts.unsqueeze(1)).sum(-1)


def in_quantiles(scores: Tensor, rng: Generator) -> Tensor:
    order = torch.rand(scores.shape, generator=rng).argsort(1)
    order = order.gather(1, scores.gather(1, order).argsort(dim=1, stable=True))
    places = torch.empty_like(order)
    places.scatter_(1, order, torch.arange(scores.shape[1]).expand_as(order))
    return (places.unsqueeze(-1) / scores.shape[1] >= EDGES).sum(-1)


def drawn(
    texts: Tensor, embeddings: Tensor, size: int, by: str, fallback: str, seed: int
) -> tuple[Tensor, Notes]:
    pool = SlotPool(
        personas(len(texts)), items(len(embeddings)), texts, embeddings, embeddings, notes={}
    )
    sampler = FourBin(by=by, fallback=fallback)
    rows = sampler.draw(pool, size, Generator().manual_seed(seed))
    return rows, {row: dict(columns) for row, columns in pool._notes["bins"].items()}


def agree(
    texts: Tensor, embeddings: Tensor, size: int, by: str, fallback: str = "nearest", seed: int = 0
) -> Notes:
    rows, notes = drawn(texts, embeddings, size, by, fallback, seed)

    rng = Generator().manual_seed(seed)
    expected, noted = plain(texts @ embeddings.T, size, by, fallback, rng)

    assert rows.tolist() == expected.tolist()
    assert notes == noted
    return notes


def made(kind: str, count: int, slots: int, seed: int) -> tuple[Tensor, Tensor]:
    """Texts and embeddings whose products are scores of a kind."""
    rng = Generator().manual_seed(100 + seed)
    if kind == "random":
        return torch.randn(slots, 8, generator=rng), torch.randn(count, 8, generator=rng)
    column = torch.rand(count, 1, generator=rng)
    kinds = {
        "tied": (4 * column).floor(),
        "two values": (column > 0.93).float(),
        "constant": torch.full_like(column, 0.5),
        "skewed up": column**9,
        "skewed down": 1 - column**9,
        "a star": torch.where(torch.arange(count).unsqueeze(1) == count // 2, 9.0, column),
    }
    # Every third slot has only ties, so that level slots stand among others.
    texts = torch.where(torch.arange(slots).unsqueeze(1) % 3 == 2, 0.0, 1.0)
    return texts, kinds[kind]


KINDS = ("random", "tied", "two values", "constant", "skewed up", "skewed down", "a star")


@pytest.mark.slow
@pytest.mark.parametrize("fallback", ["nearest", "uniform"])
@pytest.mark.parametrize("by", ["range", "quantile"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_draws_are_those_of_the_plain_algorithm(kind: str, by: str, fallback: str) -> None:
    for seed, size in enumerate(range(2, 8)):
        for count in (size, size + 1, 11, 300, 3000):
            agree(*made(kind, count, 7, seed), size, by, fallback, seed)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("by", ["range", "quantile"])
def test_in_any_precision(by: str, dtype: torch.dtype) -> None:
    texts, embeddings = made("random", 2000, 9, seed=1)

    agree(texts.to(dtype), embeddings.to(dtype), 5, by)


@pytest.mark.parametrize("by", ["range", "quantile"])
def test_where_lots_are_equal(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Lots have 24 bits: among 100,000 items every hundredth slot has a tie that decides.
    fine = torch.rand

    def coarse(*shape: object, **options: object) -> Tensor:
        return (fine(*shape, **options) * 50).floor() / 50  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(torch, "rand", coarse)

    for seed, count in enumerate((11, 300, 3000)):
        agree(*made("random", count, 9, seed), 5, by, seed=seed)
        agree(*made("tied", count, 9, seed), 5, by, seed=seed)


def test_bins_so_rare_that_no_high_lot_is_in_them() -> None:
    # Of 20,000 items the top bin has the best three or so: each slot has to look for them.
    texts, embeddings = made("random", 20_000, 40, seed=3)

    notes = agree(texts, embeddings, 5, "range")

    assert 40 <= notes["[.95, 1]"]["members"] < 40 * 20
    agree(texts, embeddings, 5, "range", "uniform")
    agree(texts, embeddings, 5, "quantile")


MEMORY = """
import sys
from pathlib import Path
import torch
from pvd.drawing import SlotPool
from pvd.testing import personas
from pvd_plugins.samplers.four_bin import FourBin

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

SLOTS, ITEMS = 64, 300_000
rng = torch.Generator().manual_seed(0)
texts, embeddings = torch.randn(SLOTS, 8, generator=rng), torch.randn(ITEMS, 8, generator=rng)
FourBin().draw(SlotPool(personas(8), range(9), texts[:8], embeddings[:9], embeddings), 5, rng)
pool = SlotPool(personas(SLOTS), range(ITEMS), texts, embeddings, embeddings)
before = peak()
FourBin(by=sys.argv[1]).draw(pool, 5, rng)
print((peak() - before) / (4 * SLOTS * ITEMS))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("by", "scores"), [("range", 2.6), ("quantile", 0.6)])
def test_memory_is_that_of_the_scores_and_the_lots(by: str, scores: float) -> None:
    # In times what the scores take; an eight-byte number for each would be two times more.
    ran = subprocess.run(
        [sys.executable, "-c", MEMORY, by], capture_output=True, text=True, check=True
    )

    assert float(ran.stdout) < scores

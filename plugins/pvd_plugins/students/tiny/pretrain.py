"""Makes the weights that `tiny` comes with: `python -m pvd_plugins.students.tiny.pretrain`.

Pictures are drawings of the source `boutique`, from a seed of their own, so that no shop that a run
opens holds one of them unless it asks for that seed. Texts are captions made from the drawings'
attributes. Nobody's tastes take part: the source is never asked for personas.

The weights in this folder were made when `vision` still described in single precision; made anew,
they differ in their last bits, and so does all that is trained from them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

import pvd

from . import BUNDLED, HIDDEN, WEIGHTS, text, vision
from .captions import caption
from .head import Head, fresh

DRAWINGS = 6000
SHOP = 20251  # the shop's seed
STEPS = 2000
BATCH = 256
RATE = 2e-3
DECAY = 0.05  # AdamW's weight decay
SCALE = 20.0  # of the cosines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--drawings", type=int, default=DRAWINGS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=BUNDLED / WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)  # sums come out alike, however many cores there are
    start = time.monotonic()
    described, attributes = look(options.drawings)
    print(f"{len(described)} drawings described after {time.monotonic() - start:.0f} s")
    head = learn(described, attributes, options.seed, options.steps)
    save_file({k: v.half().contiguous() for k, v in head.state_dict().items()}, options.out)
    options.out.chmod(0o644)  # safetensors writes for its owner alone
    size = options.out.stat().st_size / 1e6
    print(f"{options.out}: {size:.1f} MB after {time.monotonic() - start:.0f} s")


def look(drawings: int) -> tuple[Tensor, list[Mapping[str, str]]]:
    """The drawings as the student sees them, and what is known of each."""
    items = pvd.load("source", "boutique", size=drawings, seed=SHOP).catalog("")
    blocks = [
        vision.describe([item.open() for item in items[i : i + 256]])
        for i in range(0, len(items), 256)
    ]
    return torch.cat(blocks), [item.attributes for item in items]


def learn(
    described: Tensor, attributes: Sequence[Mapping[str, str]], seed: int, steps: int
) -> Head:
    """A head that finds the drawing to the caption and the caption to the drawing."""
    chance, rng = torch.Generator().manual_seed(seed), Random(seed)
    head = fresh(HIDDEN, 0.3, seed).train()
    optimizer = torch.optim.AdamW(head.parameters(), lr=RATE, weight_decay=DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    torch.manual_seed(seed)  # for the dropout
    for step in range(steps):
        rows = torch.randint(len(described), (BATCH,), generator=chance)
        seen = described[rows]
        heads = torch.rand(BATCH, 1, generator=chance) < 0.5
        seen = torch.where(heads, vision.mirrored(seen), seen).float()
        words = text.embed([caption(attributes[row], rng) for row in rows.tolist()])
        scores = SCALE * words @ head(seen).T
        # Two captions of a batch may say the same; then both drawings are right.
        same = (words @ words.T > 0.999).float()
        target = same / same.sum(1, keepdim=True)
        loss = (
            functional.cross_entropy(scores, target) + functional.cross_entropy(scores.T, target)
        ) / 2
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if (step + 1) % 500 == 0:
            print(f"step {step + 1}: loss {loss.item():.3f}")
    return head.eval()


if __name__ == "__main__":
    main()

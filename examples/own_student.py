"""A student in one file: a linear map over a colour histogram, and words hashed into a space.

pvd run -p examples/own_student.py --student colours
pvd plugins check -p examples/own_student.py student.colours
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

import pvd

LEVELS = 5  # of each colour channel


@dataclass(kw_only=True)
class Colours(pvd.Student):
    """Knows which colours a picture has, and nothing about shapes."""

    width: int = 64

    def load(self, device: str) -> None:
        rng = torch.Generator().manual_seed(0)
        self._learn(torch.randn(self.width, LEVELS**3, generator=rng) / 10, device)

    def open(self, folder: Path, device: str) -> None:
        self._learn(load_file(folder / "model.safetensors")["weight"], device)

    def _learn(self, weight: torch.Tensor, device: str) -> None:
        self.weight = weight.to(device).requires_grad_()

    def save(self, folder: Path) -> None:
        save_file({"weight": self.weight.detach().cpu()}, folder / "model.safetensors")

    def embed_texts(self, texts: list[str]) -> torch.Tensor:
        return normalize(torch.stack([self._text(text) for text in texts]), dim=1)

    def _text(self, text: str) -> torch.Tensor:
        seeds = [hashlib.sha256(word.encode()).digest()[:7] for word in text.lower().split()]
        rngs = [torch.Generator().manual_seed(int.from_bytes(seed)) for seed in seeds]
        return torch.stack([torch.randn(self.width, generator=rng) for rng in rngs]).sum(0)

    def prepare(self, images: list) -> torch.Tensor:
        histograms = []
        for image in images:
            levels = np.asarray(image.resize((32, 32)), dtype=np.int64) * LEVELS // 256
            codes = levels @ (LEVELS**2, LEVELS, 1)
            histograms.append(np.bincount(codes.ravel(), minlength=LEVELS**3))
        return torch.tensor(np.array(histograms), dtype=torch.float32).sqrt()

    def prepare_key(self) -> str:
        return f"colours {LEVELS}"

    def embed_prepared(self, prepared: torch.Tensor, *, train: bool = False) -> torch.Tensor:
        return normalize(prepared.to(self.weight.device) @ self.weight.T, dim=1)

    def parameter_groups(self) -> list[dict]:
        return [{"params": [self.weight]}]

    def state(self) -> dict[str, torch.Tensor]:
        return {"weight": self.weight.detach()}

    def load_state(self, state: dict[str, torch.Tensor]) -> None:
        self.weight.data.copy_(state["weight"])


@pvd.hookimpl
def register_students(register) -> None:
    register("colours", Colours)

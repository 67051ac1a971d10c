"""A student in one file: a linear map over a colour histogram, and words hashed into a space.

pvd run -p examples/own_student.py --student colours
pvd plugins check -p examples/own_student.py student.colours
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pvd
from pvd import kit

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

LEVELS = 5  # of each colour channel


@dataclass(kw_only=True)
class Colours(pvd.Student):
    """Knows which colours a picture has, and nothing about shapes."""

    width: Annotated[int, kit.AtLeast(1), "numbers of a vector"] = 64

    def load(self, device: str) -> None:
        import torch  # where it is used, so that `pvd plugins` need not wait for it

        rng = torch.Generator().manual_seed(0)
        self._learn(torch.randn(self.width, LEVELS**3, generator=rng) / 10, device)

    def open(self, folder: Path, device: str) -> None:
        from safetensors.torch import load_file

        self._learn(load_file(folder / "model.safetensors")["weight"], device)

    def _learn(self, weight: Tensor, device: str) -> None:
        self.weight = weight.to(device).requires_grad_()

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        save_file({"weight": self.weight.detach().cpu()}, folder / "model.safetensors")

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        import torch
        from torch.nn.functional import normalize

        return normalize(torch.stack([self._text(text) for text in texts]), dim=1)

    def _text(self, text: str) -> Tensor:
        """The sum of the words' directions: the same word is the same direction everywhere."""
        import torch

        seeds = [hashlib.sha256(word.encode()).digest()[:7] for word in text.lower().split()]
        rngs = [torch.Generator().manual_seed(int.from_bytes(seed)) for seed in seeds]
        return torch.stack([torch.randn(self.width, generator=rng) for rng in rngs]).sum(0)

    def prepare(self, images: Sequence[Image]) -> Tensor:
        """[n, LEVELS^3]: the root of each colour's count, which never changes in training."""
        import numpy as np
        import torch

        histograms = []
        for image in images:
            levels = np.asarray(image.resize((32, 32)), dtype=np.int64) * LEVELS // 256
            codes = levels @ (LEVELS**2, LEVELS, 1)
            histograms.append(np.bincount(codes.ravel(), minlength=LEVELS**3))
        return torch.tensor(np.array(histograms), dtype=torch.float32).sqrt()

    def prepare_key(self) -> str:
        return f"colours {LEVELS}"

    def embed_prepared(self, prepared: pvd.Prepared, *, train: bool = False) -> Tensor:
        from torch import Tensor
        from torch.nn.functional import normalize

        assert isinstance(prepared, Tensor)  # a student may prepare a mapping of tensors, too
        return normalize(prepared.to(self.weight.device) @ self.weight.T, dim=1)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.weight]}]

    def state(self) -> pvd.State:
        return {"weight": self.weight.detach()}

    def load_state(self, state: pvd.State) -> None:
        self.weight.data.copy_(state["weight"])


@pvd.hookimpl
def register_students(register: Callable[[str, type[pvd.Student]], None]) -> None:
    register("colours", Colours)

"""A student small enough for every laptop: fixed eyes, a head that learns, no download.

Its text side hashes words and is frozen; its image side describes a picture by outlines, colours
and textures, once, and maps that description into the texts' space. The head that comes with it was
trained on captions of the drawings of the source `boutique` (see `pretrain.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pvd
from pvd.kit import AtLeast, BadInput, Below, MissingFile

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Generator, Tensor

    from .head import Head

BUNDLED = Path(__file__).parent
WEIGHTS = "model.safetensors"
CARD = "config.json"
HIDDEN = 512  # of the head that is bundled
SIGHT = 2  # raised when vision.py describes a picture in other numbers


@dataclass(kw_only=True)
class Tiny(pvd.Student):
    """Describes pictures by fixed features and trains two small layers on them, on any machine."""

    dropout: Annotated[
        float, AtLeast(0), Below(1), "share of hidden units left out at each training step"
    ] = 0.5

    def load(self, device: str) -> None:
        self._device = device
        self._load(BUNDLED / WEIGHTS, HIDDEN)

    def open(self, folder: Path, device: str) -> None:
        self._device = device
        path = folder / CARD
        if not path.is_file():
            raise MissingFile(f"{folder} holds no student: {CARD} is missing.")
        card = json.loads(path.read_text())
        if card.get("model") != "tiny" or card.get("describes") != self.prepare_key():
            raise BadInput(
                f"{path} is of another student, or of a version of `tiny` that sees otherwise; "
                "train it again with this one."
            )
        self._load(folder / WEIGHTS, card["hidden"])

    def _load(self, path: Path, hidden: int) -> None:
        from safetensors.torch import load_file

        from .head import fresh

        if not path.is_file():
            raise MissingFile(f"The weights {path} are missing.")
        self._head: Head = fresh(hidden, self.dropout, seed=0).to(self._device)
        self.load_state(load_file(path))

    def save(self, folder: Path) -> None:
        from safetensors.torch import save

        folder.mkdir(parents=True, exist_ok=True)
        card = {
            "model": "tiny",
            "describes": self.prepare_key(),
            "hidden": self._head.inner.out_features,
        }
        (folder / CARD).write_text(json.dumps(card, indent=2) + "\n")
        # Not save_file(), whose files only their owner may read.
        weights = {name: value.cpu().contiguous() for name, value in self.state().items()}
        (folder / WEIGHTS).write_bytes(save(weights))

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        from .text import embed

        return embed(texts).to(self._device)

    def prepare(self, images: Sequence[Image]) -> Tensor:
        """[n, vision.WIDTH], half precision, on the CPU."""
        from .vision import describe

        return describe(images)

    def prepare_key(self) -> str:
        return f"tiny {SIGHT}"

    def augment(self, prepared: pvd.Prepared, rng: Generator) -> Tensor:
        """Half of the pictures as in a mirror."""
        import torch

        from .vision import mirrored

        described = _tensor(prepared)
        heads = torch.rand(len(described), 1, generator=rng) < 0.5
        return torch.where(heads.to(described.device), mirrored(described), described)

    def embed_prepared(self, prepared: pvd.Prepared, *, train: bool = False) -> Tensor:
        embedded: Tensor = self._head.train(train)(_tensor(prepared).to(self._device).float())
        return embedded

    def parameter_groups(self) -> list[dict[str, Any]]:
        matrices = [p for p in self._head.parameters() if p.ndim > 1]
        offsets = [p for p in self._head.parameters() if p.ndim <= 1]
        return [{"params": matrices}, {"params": offsets, "weight_decay": 0.0}]

    def state(self) -> pvd.State:
        return {name: value.detach().clone() for name, value in self._head.state_dict().items()}

    def load_state(self, state: pvd.State) -> None:
        self._head.load_state_dict(state)


def _tensor(prepared: pvd.Prepared) -> Tensor:
    from torch import Tensor

    assert isinstance(prepared, Tensor), "prepared by another student"
    return prepared


@pvd.hookimpl
def register_students(register: Callable[[str, type[pvd.Student]], None]) -> None:
    register("tiny", Tiny)

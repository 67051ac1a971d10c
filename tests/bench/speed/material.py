"""What is measured on: a model with random weights, photographs drawn by lot, judged slates."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    import pvd
    from pvd.pictures import Pictures
    from pvd.training import Lesson

SIZE = 5  # items a slate
SMALL = {  # for --quick
    "embed_dim": 48,
    "vision_cfg": {"image_size": 32, "layers": 3, "width": 64, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


@dataclass(frozen=True)
class Material:
    """A model in open_clip's layout, and JPEG files of 512 pixels; `slates` are in a step."""

    model: Path
    photographs: Sequence[Path]
    config: Mapping[str, Any]  # of the model, as open_clip has it
    slates: int

    @property
    def items(self) -> list[pvd.Item]:
        """The photographs as a catalogue."""
        import pvd

        return [pvd.Item(path.stem, path) for path in self.photographs]

    def student(self, part: str) -> pvd.Student:
        """The student `open-clip` on that model, in the precision that it likes here."""
        import pvd

        student = pvd.load("student", "open-clip", model=f"local-dir:{self.model}", part=part)
        student.load("cpu")
        return student

    @property
    def dtype(self) -> torch.dtype:
        """Of the products that the student makes here."""
        import torch

        from pvd_plugins.students.dual.precision import likes_bf16

        return torch.bfloat16 if likes_bf16("cpu") else torch.float32


def make(folder: Path, *, quick: bool) -> Material:
    """Write the model and as many photographs as a step needs; deterministic."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    config = SMALL if quick else open_clip.get_model_config("ViT-B-32")
    model = folder / "model"
    model.mkdir(parents=True)
    told = {"model_cfg": config, "preprocess_cfg": {}}
    (model / "open_clip_config.json").write_text(json.dumps(told))
    torch.manual_seed(0)
    network = open_clip.create_model(f"local-dir:{model}", load_weights=False)
    save_file(network.state_dict(), model / "open_clip_model.safetensors")
    slates = 4 if quick else 16
    photographs = [_photograph(folder / f"{n:04d}.jpg", n) for n in range(slates * SIZE)]
    return Material(model, photographs, config, slates)


def _photograph(path: Path, seed: int) -> Path:
    """Coarse spots and fine grain, which compress to about 60 kB as a photograph does."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((512, 512), Image.Resampling.BICUBIC), dtype=np.float32)
    grained = smooth + rng.normal(0, 6, smooth.shape)
    Image.fromarray(grained.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return path


def persona(number: int) -> pvd.Persona:
    """Somebody with a text of common length."""
    import pvd

    text = "A retired engineer who restores old bicycles and wants clothes for the workshop, no. "
    return pvd.Persona(f"{number:03d}", f"{text}{number}")


def lesson(material: Material, pictures: Pictures, slates: int, over: int) -> Lesson:
    """So many judged slates over the first `over` pictures, each shown as often as any other."""
    import torch

    import pvd
    from pvd.training import Aged, Lesson

    deck: list[pvd.Item] = []
    while len(deck) < slates * SIZE:
        deck += random.Random(len(deck)).sample(pictures.items[:over], over)
    aged = []
    for number in range(slates):
        slate = pvd.Slate(persona(number), tuple(deck[number * SIZE : (number + 1) * SIZE]))
        ranking = pvd.Ranking(tuple((place,) for place in range(SIZE)))
        told = pvd.Judgment(slate, ranking, str(number), pvd.Reply(""), "lot", "")
        aged.append(Aged(told, 0))
    width = material.config["embed_dim"]
    rows = torch.nn.functional.normalize(torch.randn(slates, width), dim=1)
    texts = {persona(number).id: row for number, row in enumerate(rows)}
    return Lesson(aged, pictures, texts, torch.zeros(len(pictures), width), "last")

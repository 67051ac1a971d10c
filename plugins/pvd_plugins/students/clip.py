"""CLIP and FashionCLIP, through transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pvd
from pvd_plugins.students.dual.huggingface import FromTransformers, HuggingFace
from pvd_plugins.students.dual.network import Stage


class ClipNetwork(HuggingFace):
    """Radford et al. 2021: the first token of the last block, normalised and projected."""

    reads: ClassVar[Mapping[str, Any]] = {"padding": True}
    kind = "clip"
    model_class = "CLIPModel"
    image_class = "CLIPImageProcessor"

    def stages(self) -> list[Stage]:
        vision, project = self.model.vision_model, self.model.visual_projection
        norm = vision.post_layernorm
        below = [vision.embeddings, vision.pre_layrnorm]
        return [
            Stage(lambda pixels: vision.pre_layrnorm(vision.embeddings(pixels)), below),
            *self.blocks(vision.encoder.layers, first=True),
            Stage(lambda hidden: norm(hidden[:, 0]), [norm]),
            Stage(project, [project]),
        ]


@dataclass(kw_only=True)
class Clip(FromTransformers):
    """CLIP in the layout of transformers, from the hub or from a folder."""

    network: ClassVar[type[HuggingFace]] = ClipNetwork

    model: Annotated[str, "an id on the hub, or a folder"] = "openai/clip-vit-base-patch32"


@dataclass(kw_only=True)
class FashionClip(Clip):
    """FashionCLIP (Chia et al. 2022): CLIP that has seen 800,000 products."""

    model: Annotated[str, "an id on the hub, or a folder"] = "patrickjohncyh/fashion-clip"


@pvd.hookimpl
def register_students(register: Callable[[str, type[pvd.Student]], None]) -> None:
    register("clip", Clip)
    register("fashionclip", FashionClip)

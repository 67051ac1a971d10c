"""SigLIP and SigLIP 2, through transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pvd
from pvd_plugins.students.dual.huggingface import FromTransformers, HuggingFace
from pvd_plugins.students.dual.network import Stage


class SiglipNetwork(HuggingFace):
    """Zhai et al. 2023: an attention that pools all tokens stands where CLIP has a projection."""

    # Filled up to the window, and the filling is read along: so it was trained.
    reads: ClassVar[Mapping[str, Any]] = {"padding": "max_length", "return_attention_mask": False}
    kind = "siglip"
    model_class = "SiglipModel"
    image_class = "SiglipImageProcessor"

    def stages(self) -> list[Stage]:
        vision = self.model.vision_model
        norm, pool = vision.post_layernorm, vision.head
        return [
            Stage(vision.embeddings, [vision.embeddings]),
            *self.blocks(vision.encoder.layers),
            Stage(norm, [norm]),
            Stage(pool, [pool]),
        ]


@dataclass(kw_only=True)
class Siglip(FromTransformers):
    """SigLIP, and SigLIP 2 for pictures of one size, from the hub or from a folder."""

    network: ClassVar[type[HuggingFace]] = SiglipNetwork

    model: Annotated[str, "an id on the hub, or a folder"] = "google/siglip-base-patch16-224"


@pvd.hookimpl
def register_students(register: Callable[[str, type[pvd.Student]], None]) -> None:
    register("siglip", Siglip)

"""Every model that open_clip knows: architectures with weights, `hf-hub:`, `local-dir:`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pvd
from pvd import kit
from pvd_plugins.students.dual.encoder import DualEncoder
from pvd_plugins.students.dual.openclip import SCHEMAS, OpenClipNetwork, found

LOAD = """\
import open_clip

model, _, preprocess = open_clip.create_model_and_transforms("local-dir:path/to/this/folder")
tokenizer = open_clip.get_tokenizer("local-dir:path/to/this/folder")
model.encode_text(tokenizer(["a gift for a mother who loves gardening"]), normalize=True)"""


@dataclass(kw_only=True)
class OpenClip(DualEncoder):
    """An open_clip model: an architecture and the tag of its weights, or hf-hub:, or local-dir:."""

    extra: ClassVar[str] = "open-clip"

    model: Annotated[str, "hf-hub:an/id, local-dir:a/folder, or an architecture"] = (
        "hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    )
    pretrained: Annotated[str | None, "the tag of an architecture's weights"] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        schema = self.model.partition(":")[0] in SCHEMAS
        if schema and self.pretrained is not None:
            raise ValueError(f"{self.model} has weights of its own; leave pretrained out")

    def published(self) -> OpenClipNetwork:
        return OpenClipNetwork(found(self.model, self.pretrained, self.revision), self.model)

    def saved(self, folder: Path) -> OpenClipNetwork:
        return OpenClipNetwork(folder, str(folder))

    def about(self) -> Mapping[str, str]:
        known = {"library_name": "open_clip", "load": LOAD}
        schema, _, place = self.model.rpartition(":")
        if schema == "local-dir":
            known["base_model"] = str(Path(place).absolute())
        elif "/" in place:
            known["base_model"] = place
            if kit.is_id(place):
                known["revision"] = self.revision or "main"
        return known


@dataclass(kw_only=True)
class MarqoFashionClip(OpenClip):
    """Marqo-FashionCLIP: ViT-B/16, trained on products by GCL."""

    model: Annotated[str, "hf-hub:an/id or local-dir:a/folder"] = "hf-hub:Marqo/marqo-fashionCLIP"


@dataclass(kw_only=True)
class MarqoFashionSiglip(OpenClip):
    """Marqo-FashionSigLIP: SigLIP ViT-B/16, trained on products by GCL."""

    model: Annotated[str, "hf-hub:an/id or local-dir:a/folder"] = "hf-hub:Marqo/marqo-fashionSigLIP"


@pvd.hookimpl
def register_students(register: Callable[[str, type[pvd.Student]], None]) -> None:
    register("open-clip", OpenClip)
    register("marqo-fashionclip", MarqoFashionClip)
    register("marqo-fashionsiglip", MarqoFashionSiglip)

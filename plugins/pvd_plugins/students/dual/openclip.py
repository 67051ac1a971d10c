"""Models of open_clip: a folder with open_clip_config.json and open_clip_model.safetensors."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pvd import kit
from pvd_plugins.students.dual.layers import through
from pvd_plugins.students.dual.network import TOKENIZER_FILES, Network, Stage

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

SCHEMAS = ("hf-hub", "local-dir")
CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
OTHERS = (CONFIG, *TOKENIZER_FILES)


def library() -> ModuleType:
    """open_clip, or why it cannot be used here."""
    if why := kit.torchvision_fits():
        raise kit.MissingPrerequisite(
            f"open_clip needs torchvision, and the one that is installed does not fit torch "
            f"({why}); install both from one index, as torch's own page says: on a machine without "
            "a GPU, pip install --force-reinstall torch torchvision --index-url "
            "https://download.pytorch.org/whl/cpu"
        )
    return kit.need("open_clip", "open-clip")


def found(model: str, pretrained: str | None, revision: str | None) -> Path:
    """The folder of a model: its own, or that of an id, fetched once."""
    schema, _, rest = model.partition(":")
    if schema == "local-dir":
        where = str(Path(rest).absolute())  # or a folder that is not there would be an id
    elif schema in SCHEMAS:
        where = rest
    elif Path(model).is_dir() or kit.is_id(model):
        where = model
    else:
        where = _repository(model, pretrained)
    return kit.model_folder(where, revision, (*OTHERS, WEIGHTS), "student.model")


def _repository(architecture: str, tag: str | None) -> str:
    """Where the weights of an architecture are published."""
    clip = library()
    if architecture not in clip.list_models():
        raise kit.BadInput(
            f"open_clip knows no architecture {architecture!r}, and it is no folder; student.model "
            "is hf-hub:an/id, local-dir:a/folder, or one of open_clip.list_models()."
        )
    tags = clip.list_pretrained_tags_by_model(architecture)
    place = clip.get_pretrained_cfg(architecture, tag).get("hf_hub", "") if tag else ""
    if tag is None or not clip.is_pretrained_cfg(architecture, tag):
        has = f"it has {', '.join(tags)}" if tags else "it has none"
        raise kit.BadInput(
            f"student.pretrained must name weights of {architecture}, not {tag!r}; {has}."
        )
    if not place.endswith("/"):  # an address, or a single file: a pickle
        raise kit.BadInput(
            f"The weights {tag} of {architecture} are published as a pickle only, which could run "
            "programs; choose another student.pretrained."
        )
    return str(place.rstrip("/"))


class OpenClipNetwork(Network):
    """A CLIP of open_clip; its tower is cut into stages if it is a vision transformer."""

    weights = WEIGHTS
    small = OTHERS
    tower = "visual"

    def __init__(self, folder: Path, name: str) -> None:
        clip = library()
        self.folder = folder
        for file in (CONFIG, WEIGHTS):
            if not (folder / file).is_file():
                raise kit.BadInput(
                    f"{name} has no {file}, as open_clip's layout has it; name a model in that "
                    "layout, or another student (weights in other formats can run programs)."
                )
        try:
            with _quiet():
                self.model = clip.create_model(f"local-dir:{folder}", require_pretrained=True)
                self.tokenizer = clip.get_tokenizer(f"local-dir:{folder}")
        except Exception as error:  # of a dozen kinds, for files that somebody may have damaged
            raise kit.BadInput(
                f"The model in {folder} cannot be loaded ({kit.one_line(error)}); fetch or save it "
                "again."
            ) from None
        self.window = self.tokenizer.context_length
        seen = self._preprocessing = clip.get_model_preprocess_cfg(self.model)
        self.mean, self.std = seen["mean"], seen["std"]
        transform, settings = clip.transform.image_transform_v2, clip.transform.PreprocessCfg
        self._view = transform(settings(**seen), is_train=False)
        # Its last two steps make floats of the bytes and normalise them, which `look` does.
        self._sizing: list[Callable[[Image], Image]] = self._view.transforms[:-2]

    def stages(self) -> list[Stage]:
        visual = self.model.visual
        trunk = getattr(visual, "trunk", None)
        if trunk is not None and _is_timm_transformer(trunk):
            return _timm_stages(visual, trunk)
        if type(visual).__name__ == "VisionTransformer" and visual.transformer.batch_first:
            return _clip_stages(visual)
        return [Stage(visual, [visual])]

    def scaled(self, images: Sequence[Image]) -> Tensor:
        import numpy as np
        import torch

        def sized(image: Image) -> np.ndarray:
            for step in self._sizing:
                image = step(image)
            return np.asarray(image)

        pixels = torch.from_numpy(np.stack([sized(image) for image in images]))
        return pixels.permute(0, 3, 1, 2).contiguous()

    def scaling(self) -> Any:
        return {name: str(value) for name, value in self._preprocessing.items()}

    def architecture(self) -> Any:
        config = json.loads((self.folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]
        return {name: value for name, value in config.items() if name != "text_cfg"}

    def theirs(self, images: Sequence[Image]) -> Tensor:
        import torch

        seen: Tensor = self.model.encode_image(torch.stack([self._view(one) for one in images]))
        return seen

    def lengths(self, texts: Sequence[str]) -> list[int]:
        if hasattr(self.tokenizer, "tokenizer"):  # of transformers
            seen = [self.tokenizer.clean_fn(text) for text in texts]
            return [len(ids) for ids in self.tokenizer.tokenizer(seen, verbose=False)["input_ids"]]
        return [len(self.tokenizer.encode(text)) + 2 for text in texts]

    def read(self, texts: Sequence[str]) -> Tensor:
        device = next(self.model.parameters()).device
        seen: Tensor = self.model.encode_text(self.tokenizer(list(texts)).to(device))
        return seen


def _clip_stages(visual: Any) -> list[Stage]:
    """open_clip's own vision transformer."""
    import torch

    def enter(pixels: Tensor) -> Tensor:
        patches = visual.conv1(pixels).flatten(2).transpose(1, 2)
        start = visual.class_embedding.expand(len(patches), 1, -1)
        # Added up in fp32 whatever the products are made in; open_clip would add in bf16.
        hidden = torch.cat([start, patches.to(start.dtype)], dim=1) + visual.positional_embedding
        entered: Tensor = visual.ln_pre(visual.patch_dropout(hidden))
        return entered

    below = [visual.conv1, visual.class_embedding, visual.positional_embedding, visual.ln_pre]
    # The pool reads the first token alone, unless it is one that attends to all or averages them.
    first = visual.attn_pool is None and visual.pool_type == "tok"
    return [
        Stage(enter, below),
        *_blocks(visual.transformer.resblocks, first=first),
        Stage(lambda hidden: visual._pool(hidden)[0], [visual.ln_post, visual.attn_pool]),
        *([Stage(lambda pooled: pooled @ visual.proj, [visual.proj])] * (visual.proj is not None)),
    ]


def _blocks(layers: Sequence[Any], *, first: bool = False) -> list[Stage]:
    """A stage for each layer, of the last one the first token alone if so asked."""
    last = len(layers) - 1
    return [
        Stage(through(layer, layer, first=first and place == last), [layer], block=True)
        for place, layer in enumerate(layers)
    ]


def _is_timm_transformer(trunk: Any) -> bool:
    return type(trunk).__name__ == "VisionTransformer" and trunk.attn_pool is not None


def _timm_stages(visual: Any, trunk: Any) -> list[Stage]:
    """timm's vision transformer, as SigLIP uses it: pooled by attention."""

    def enter(pixels: Tensor) -> Tensor:
        hidden = trunk._pos_embed(trunk.patch_embed(pixels))
        entered: Tensor = trunk.norm_pre(trunk.patch_drop(hidden))
        return entered

    inside = [trunk.patch_embed, trunk.norm_pre, trunk.pos_embed, trunk.cls_token, trunk.reg_token]
    return [
        Stage(enter, inside),
        *_blocks(trunk.blocks),
        Stage(trunk.norm, [trunk.norm]),
        Stage(
            lambda hidden: visual.head(trunk.forward_head(hidden)),
            [trunk.attn_pool, trunk.fc_norm, trunk.head, visual.head],
        ),
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """open_clip logs each step of loading, some as warnings, on the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)

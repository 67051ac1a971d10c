"""How many matrix products a vision transformer needs, in GFLOP a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def forward(config: Mapping[str, Any], blocks: int | None = None) -> float:
    """Through the last so many blocks, of all but the last one for every token; the class token is
    all that CLIP reads of the last. None is the whole tower from its pixels."""
    vision = config["vision_cfg"]
    width, layers, patch = vision["width"], vision["layers"], vision["patch_size"]
    patches = (vision["image_size"] // patch) ** 2
    tokens = patches + 1
    linear = 2 * 12 * width**2  # query, key, value, out, and an MLP of four times the width
    block = tokens * linear + 4 * tokens**2 * width
    last = linear + 4 * tokens * vision.get("head_width", 64) ** -1 * width**2
    below = 2 * patches * 3 * patch**2 * width if blocks is None else 0
    through = (layers if blocks is None else blocks) - 1
    return 1e-9 * (below + through * block + last + 2 * width * config["embed_dim"])


def training(config: Mapping[str, Any], blocks: int | None = None) -> float:
    """Forward, and twice as much back: by the weights and by what goes in. Nothing goes back into
    the pixels."""
    vision = config["vision_cfg"]
    patches = (vision["image_size"] // vision["patch_size"]) ** 2
    pixels = 2e-9 * patches * 3 * vision["patch_size"] ** 2 * vision["width"]
    return 3 * forward(config, blocks) - (pixels if blocks is None else 0)

"""What ours is compared with: open_clip's own encoder, as its users run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from material import SIZE, Material, persona


def plain_step(material: Material) -> Callable[[], object]:
    """(a) One slate a step as the paper's loop has it: fp32, the persona encoded each time, AdamW
    as torch makes it by default."""
    import open_clip
    import torch
    from torch.nn.functional import normalize

    model, look = _model(material)
    words = open_clip.get_tokenizer(f"local-dir:{material.model}")
    pixels = _pixels(look, material.photographs[:SIZE])
    optimizer = torch.optim.AdamW(model.visual.parameters(), lr=1e-6, weight_decay=0.01)

    def step() -> None:
        with torch.no_grad():
            text = normalize(model.encode_text(words([persona(0).text])), dim=1)
        images = normalize(model.encode_image(pixels), dim=1)
        optimizer.zero_grad()
        _bradley_terry(images @ text.T).backward()
        optimizer.step()

    return step


def batched_step(material: Material) -> Callable[[], object]:
    """(b) All slates of a step at once: bf16 by autocast, texts encoded before, fused AdamW."""
    import torch
    from torch.nn.functional import normalize

    model, look = _model(material)
    pixels = _pixels(look, material.photographs)
    texts = normalize(torch.randn(material.slates, material.config["embed_dim"]), dim=1)
    optimizer = torch.optim.AdamW(model.visual.parameters(), lr=1e-6, fused=True)

    def step() -> None:
        with torch.autocast("cpu", material.dtype, enabled=material.dtype == torch.bfloat16):
            images = model.encode_image(pixels)
        images = normalize(images.float(), dim=1).view(material.slates, SIZE, -1)
        optimizer.zero_grad()
        _bradley_terry((images @ texts[:, :, None])[..., 0].T).backward()
        optimizer.step()

    return step


def encoding(material: Material, *, bf16: bool) -> Callable[[], object]:
    """(c) or (d): all photographs, decoded and normalised before, encoded under no_grad."""
    model, look = _model(material)
    pixels = _pixels(look, material.photographs)
    return lambda: _encoded(model, pixels, bf16)


def encoding_files(material: Material, *, bf16: bool) -> Callable[[], object]:
    """(c) or (d): the same from the JPEG files."""
    model, look = _model(material)
    return lambda: _encoded(model, _pixels(look, material.photographs), bf16)


def _encoded(model: Any, pixels: Any, bf16: bool) -> Any:
    import torch

    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        return torch.nn.functional.normalize(model.encode_image(pixels).float(), dim=1)


def _model(material: Material) -> tuple[Any, Any]:
    import open_clip

    place = f"local-dir:{material.model}"
    model, _, look = open_clip.create_model_and_transforms(place, require_pretrained=True)
    return model.eval(), look


def _pixels(look: Any, paths: Sequence[Path]) -> Any:
    import torch
    from PIL import Image

    return torch.stack([look(Image.open(path)) for path in paths])


def _bradley_terry(scores: Any) -> Any:
    """Over the pairs of each slate [K, B], of which the first is the best."""
    import torch

    better, worse = torch.triu_indices(len(scores), len(scores), 1)
    return -torch.nn.functional.logsigmoid(20 * (scores[better] - scores[worse])).sum(0).mean()

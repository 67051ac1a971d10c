"""Scoring: pictures are embedded when the student changed, and compared with the personas' texts by
cosine.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pvd.pictures import Pictures

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.protocols import Student

BLOCK = 256  # images embedded at once


def embed(student: Student, pictures: Pictures) -> Tensor:
    """[N, D], the student's embeddings as it is now."""
    import torch

    with torch.inference_mode():
        blocks = [
            student.embed_prepared(
                pictures.take(torch.arange(start, min(start + BLOCK, len(pictures))))
            )
            for start in range(0, len(pictures), BLOCK)
        ]
        return torch.cat(blocks).cpu()


def embed_texts(student: Student, texts: Sequence[str], told: list[str] | None = None) -> Tensor:
    """[P, D], the frozen embeddings of the texts. What the student warns of, such as texts that it
    had to cut off, goes to `told` too: a result must say it as long as it lives."""
    import torch

    with warnings.catch_warnings(record=True) as heard, torch.inference_mode():
        warnings.simplefilter("always")
        embedded = student.embed_texts(texts).cpu()
    for warning in heard:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        if told is not None and issubclass(warning.category, UserWarning):
            told.append(str(warning.message))
    return embedded


def cosines(texts: Tensor, images: Tensor) -> Tensor:
    """[P, N]; both sides have unit length."""
    return texts @ images.T

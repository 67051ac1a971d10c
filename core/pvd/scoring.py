"""Scoring: pictures are embedded when the student changed, and compared with the personas' texts by
cosine.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pvd.isolation import checks
from pvd.pictures import Pictures
from pvd.team import Team

if TYPE_CHECKING:
    from torch import Tensor

    from pvd.protocols import Student

BLOCK = 256  # images embedded at once


def embed(
    student: Student,
    pictures: Pictures,
    rows: Tensor | None = None,
    *,
    team: Team | None = None,
    into: Tensor | None = None,
) -> Tensor:
    """[n, D], the pictures of these rows, or all, by the student as it is now; in `into`, if that
    is given. With a `team` of several processes each embeds its share; the first one has all."""
    import torch

    team = team or Team()
    rows = torch.arange(len(pictures)) if rows is None else rows
    share = team.share(len(rows))

    def see(start: int, stop: int) -> Tensor:
        with torch.inference_mode():
            embedded = student.embed_prepared(pictures.take(rows[start:stop]))
            return checks.embeddings(student, "embed_prepared", embedded, stop - start).cpu()

    def empty(count: int) -> Tensor:
        return torch.empty(count, see(0, 1).shape[1])

    if team.leads and into is None:
        into = empty(len(rows))
    own = empty(share.stop - share.start) if into is None else into[share]
    for start in range(0, len(own), BLOCK):
        stop = min(start + BLOCK, len(own))
        own[start:stop] = see(share.start + start, share.start + stop)
    team.gathered(own, into)
    return own if into is None else into


def embed_texts(student: Student, texts: Sequence[str], told: list[str] | None = None) -> Tensor:
    """[P, D], the frozen embeddings of the texts. What the student warns of, such as texts that it
    had to cut off, goes to `told` too: a result must say it as long as it lives."""
    import torch

    with warnings.catch_warnings(record=True) as heard, torch.inference_mode():
        warnings.simplefilter("always")
        embedded = student.embed_texts(texts)
        embedded = checks.embeddings(student, "embed_texts", embedded, len(texts)).cpu()
    for warning in heard:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        if told is not None and issubclass(warning.category, UserWarning):
            told.append(str(warning.message))
    return embedded


def cosines(texts: Tensor, images: Tensor) -> Tensor:
    """[P, N], from texts [P, D] and images [N, D] of unit length."""
    return texts @ images.T

"""The parts of an index: a few thousand vectors and what they are of, in one file a part.

A part is whole or not there, and is mapped, not read: searching many parts costs no memory of its
own. Rows are JSON lines beside the vectors, found by their offsets and read one at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from pvd.errors import BadInput
from pvd.folder import write_bytes
from pvd.records import Item

if TYPE_CHECKING:
    from numpy import ndarray
    from torch import Tensor

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Row:
    """What an index knows of an item. `image` is the absolute path of its file, if it is one."""

    id: str
    title: str | None
    image: str | None
    attributes: dict[str, str]

    @classmethod
    def of(cls, item: Item) -> Row:
        """The row of a catalogue's item."""
        image = str(item.image.absolute()) if isinstance(item.image, Path) else None
        return cls(item.id, item.title, image, dict(item.attributes))


class Part:
    """One part: `vectors` [n, D], mapped, and its rows."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        from safetensors import SafetensorError, safe_open

        self.path = path
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                self.vectors: Tensor = file.get_tensor("vectors")
                self._lines: Tensor = file.get_tensor("rows")
                self._offsets: Tensor = file.get_tensor("offsets")
        except SafetensorError:
            raise self.damaged() from None
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BadInput(f"The part {path} cannot be read ({error.strerror or error}).") from None
        if metadata.get("fingerprint") != fingerprint:
            raise BadInput(
                f"The part {path} holds vectors of another student than its index; take it out."
            )
        self.digest: str = metadata.get("digest", "")
        if self.vectors.ndim != 2 or len(self._offsets) != len(self.vectors) + 1:
            raise self.damaged()

    def __len__(self) -> int:
        return len(self.vectors)

    def row(self, number: int) -> Row:
        """The row of a vector."""
        start, end = self._offsets[number : number + 2].tolist()
        return self._read(self._lines[start:end].numpy().tobytes())

    def _read(self, line: bytes) -> Row:
        try:
            return Row(**json.loads(line))
        except (ValueError, TypeError):  # no UTF-8, no JSON, no row
            raise self.damaged() from None

    def rows(self) -> Iterator[Row]:
        """All rows, in the order of the vectors."""
        lines = self._lines.numpy().tobytes().split(b"\n")[:-1]
        if len(lines) != len(self):
            raise self.damaged()
        return map(self._read, lines)

    def without(self, ids: set[str], fingerprint: str) -> int:
        """Write the part again without these ids, or remove it if none is left; how many went."""
        rows = list(self.rows())
        kept = [number for number, row in enumerate(rows) if row.id not in ids]
        if not kept:
            self.path.unlink()
        elif len(kept) < len(rows):
            write(self.path, [rows[n] for n in kept], self.vectors[kept], fingerprint)
        return len(rows) - len(kept)

    def damaged(self) -> BadInput:
        """What to say when its content cannot be what was written."""
        return BadInput(
            f"The part {self.path} is damaged; delete it, and `pvd index` embeds its items again."
        )


def write(path: Path, rows: Sequence[Row], vectors: Tensor, fingerprint: str) -> None:
    """A part of bf16 vectors [n, D] and as many rows."""
    import torch
    from safetensors.torch import save

    lines = [json.dumps(asdict(row)).encode() + b"\n" for row in rows]
    text = b"".join(lines)
    vectors = vectors.contiguous()
    seen = hashlib.sha256(text)
    seen.update(vectors.view(torch.uint8).numpy().data)
    tensors = {
        "vectors": vectors,
        "rows": torch.frombuffer(bytearray(text), dtype=torch.uint8),
        "offsets": torch.tensor([0, *accumulate(map(len, lines))], device="cpu"),
    }
    metadata = {"fingerprint": fingerprint, "digest": seen.hexdigest()}
    write_bytes(path, save(tensors, metadata))


def normalized(vectors: Tensor | ndarray) -> Tensor:
    """The vectors [n, D], on whatever scale, at unit length; exact to what fp32 can tell."""
    import torch

    wide = torch.as_tensor(vectors, dtype=torch.float64, device="cpu").detach()
    largest = wide.abs().amax(1, keepdim=True)
    if not torch.isfinite(wide).all() or not (largest > 0).all():
        raise BadInput("A vector is zero or not finite, so that it has no direction; mend it.")
    wide = wide / largest  # squares of huge numbers would be infinite, of tiny ones zero
    lengths: Tensor = wide.norm(dim=1, keepdim=True)
    return wide / lengths
